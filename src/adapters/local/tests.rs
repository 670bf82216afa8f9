use super::*;
use std::process::{Child, Command};

/// A colour's folder whose process is `script` run by sh, started as the adapter would find it.
struct Stack {
    dir: tempfile::TempDir,
    child: Option<Child>,
}

impl Stack {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for color in ["blue", "green"] {
            fs::create_dir(dir.path().join(color)).unwrap();
            fs::write(
                dir.path().join(color).join("release.json"),
                format!(r#"{{"version":"v-{color}","color":"{color}"}}"#),
            )
            .unwrap();
        }
        Self { dir, child: None }
    }

    fn local(&self) -> Local {
        Local::new(self.dir.path(), Program::at("/bin/sh"), Clock::real())
    }

    fn say(&self, identity: &Identity, command: &[&str]) {
        let file = serde_json::json!({"identity": identity, "address": null, "command": command});
        fs::write(self.dir.path().join("green/process.json"), file.to_string()).unwrap();
    }

    #[expect(clippy::disallowed_methods, reason = "a process to look at and to end")]
    fn run(&mut self, script: &str) -> Identity {
        let child = Command::new("/bin/sh").args(["-c", script]).spawn().unwrap();
        let identity = Identity::of(child.id()).unwrap();
        self.child = Some(child);
        self.say(&identity, &["-c", script]);
        identity
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

const GREEN: fn() -> Color = || "green".into();

#[tokio::test]
async fn a_living_process_runs_and_its_release_says_the_version() {
    let mut stack = Stack::new();
    let identity = stack.run("exec sleep 60");
    let state = stack.local().look(&GREEN()).await.unwrap();
    assert!(state.running && state.kept);
    assert_eq!(state.version.as_str(), "v-green");
    assert_eq!(state.identity, format!("{}.{}", identity.pid, identity.started));
    let blue = stack.local().look(&"blue".into()).await.unwrap();
    assert!(!blue.running && !blue.kept, "it was never started");
    assert_eq!(stack.local().look(&"red".into()).await.unwrap_err().kind, Kind::NotFound);
    assert!(stack.local().look(&"../x".into()).await.is_err());
}

#[tokio::test]
async fn a_reused_pid_is_not_the_process() {
    let mut stack = Stack::new();
    let identity = stack.run("exec sleep 60");
    let other = Identity { started: identity.started + 1, ..identity.clone() };
    stack.say(&other, &["-c", "true"]);
    assert!(!stack.local().look(&GREEN()).await.unwrap().running);
    stack.local().stop(&GREEN(), Duration::from_secs(1), "k").await.unwrap();
    assert!(identity.lives(), "a stranger must not be signalled");
}

#[tokio::test]
async fn stopping_ends_it_gracefully_and_keeps_the_release() {
    let mut stack = Stack::new();
    stack.run("exec sleep 60");
    let note = stack.local().stop(&GREEN(), Duration::from_secs(10), "k").await.unwrap();
    assert_eq!(note.as_str(), "ended by itself");
    let state = stack.local().look(&GREEN()).await.unwrap();
    assert!(!state.running && state.kept);
    let again = stack.local().stop(&GREEN(), Duration::from_secs(10), "k").await.unwrap();
    assert_eq!(again.as_str(), "was not running");
}

#[tokio::test]
async fn what_ignores_the_order_is_killed_after_the_grace() {
    let mut stack = Stack::new();
    let ready = stack.dir.path().join("ready");
    let identity =
        stack.run(&format!("trap '' TERM; : > {}; while :; do sleep 0.05; done", ready.display()));
    while !ready.exists() {
        tokio::task::yield_now().await;
    }
    let note = stack.local().stop(&GREEN(), Duration::from_millis(200), "k").await.unwrap();
    assert_eq!(note.as_str(), "killed after 0 s");
    assert!(!identity.lives());
}

#[tokio::test]
async fn starting_uses_the_recorded_command_and_waits_until_it_says_who_it_is() {
    let mut stack = Stack::new();
    let first = stack.run("exec sleep 60");
    let own = stack.dir.path().join("green/process.json");
    // It writes its own process file as an app does: pid and field 22 of its stat.
    let script = format!(
        r#"set -- $(sed 's/.*) //' /proc/$$/stat); printf '{{"identity":{{"pid":%s,"started":%s}},"command":["-c","true"]}}' $$ "${{20}}" > {0}.new; mv {0}.new {0}; exec sleep 60"#,
        own.display()
    );
    stack.say(&first, &["-c", &script]);
    let local = stack.local();
    local.start(&GREEN(), "k").await.unwrap();
    assert!(first.lives(), "it ran already, nothing was started");
    local.stop(&GREEN(), Duration::from_secs(10), "k").await.unwrap();
    local.start(&GREEN(), "k").await.unwrap();
    let state = local.look(&GREEN()).await.unwrap();
    assert!(state.running);
    assert_ne!(state.identity, format!("{}.{}", first.pid, first.started));
    local.stop(&GREEN(), Duration::from_secs(10), "k").await.unwrap();
}

#[tokio::test]
async fn a_start_that_ends_at_once_is_an_error_that_names_the_output() {
    let stack = Stack::new();
    // A process that is long gone: nothing has this start time.
    let gone = Identity { pid: 1, started: 1 };
    stack.say(&gone, &["-c", "exit 3"]);
    let error = stack.local().start(&GREEN(), "k").await.unwrap_err();
    assert!(error.message.contains("it ended at once, see "), "{error}");
}

#[tokio::test]
async fn a_new_release_is_another_target() {
    let stack = Stack::new();
    let before = stack.local().identity().await.unwrap();
    assert_eq!(before, stack.local().identity().await.unwrap());
    fs::write(stack.dir.path().join("green/release.json"), r#"{"version":"v9"}"#).unwrap();
    assert_ne!(before, stack.local().identity().await.unwrap());
}

#[tokio::test]
async fn preserving_keeps_state_and_settings_but_no_value_of_the_environment() {
    let mut stack = Stack::new();
    stack.run("exec sleep 60");
    fs::write(stack.dir.path().join(".env"), "# c\nTOKEN=hunter2\nMODE=live\n").unwrap();
    fs::create_dir(stack.dir.path().join("config")).unwrap();
    fs::write(stack.dir.path().join("config/app.yaml"), "a: 1\n").unwrap();
    let into = tempfile::tempdir().unwrap();
    let kept = stack.local().preserve(&GREEN(), into.path()).await.unwrap();
    for name in ["release.json", "process.json", "proc-status", "env-names", "config-app.yaml"] {
        assert!(kept.iter().any(|k| k == name), "{name} in {kept:?}");
        assert!(into.path().join(name).is_file());
    }
    let names = fs::read_to_string(into.path().join("env-names")).unwrap();
    assert!(names.starts_with("TOKEN=sha256:") && !names.contains("hunter2"), "{names}");
}

#[tokio::test]
async fn the_commands_by_hand_name_the_process_and_its_command() {
    let mut stack = Stack::new();
    let identity = stack.run("exec sleep 60");
    let local = stack.local();
    assert_eq!(local.by_hand(&GREEN(), false), format!("kill -TERM {}", identity.pid));
    assert!(
        local.by_hand(&GREEN(), true).ends_with("setsid backout -c 'exec sleep 60' </dev/null &")
    );
}

#[tokio::test]
async fn workers_are_the_folders_named_after_their_colour_and_stop_with_a_note_each() {
    let mut stack = Stack::new();
    stack.run("exec sleep 60");
    let at = |name: &str| stack.dir.path().join(name);
    let file = fs::read(at("green/process.json")).unwrap();
    fs::remove_file(at("green/process.json")).unwrap();
    for name in ["green-worker", "greenish-worker", "green-empty"] {
        fs::create_dir(at(name)).unwrap();
    }
    fs::write(at("green-worker/process.json"), &file).unwrap();
    fs::write(at("greenish-worker/process.json"), &file).unwrap();
    let local = stack.local();
    let worker = |running| vec![Worker { name: "green-worker".to_owned(), running }];
    assert_eq!(local.workers(&GREEN()).await.unwrap(), worker(true));
    assert_eq!(local.workers(&"blue".into()).await.unwrap(), []);
    assert!(local.workers(&"../x".into()).await.is_err(), "a colour is a folder's name");
    let by_hand = local.workers_by_hand(&GREEN(), false);
    assert!(by_hand[0].starts_with("kill -TERM "), "{by_hand:?}");
    let note = local.stop_workers(&GREEN(), Duration::from_secs(10), "k").await.unwrap();
    assert_eq!(note.as_str(), "green-worker ended by itself");
    assert_eq!(local.workers(&GREEN()).await.unwrap(), worker(false));
}
