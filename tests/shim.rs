//! The shim as a real process: how tools end, and what is known after something was killed.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use backout::adapters::fake::Fake;
use backout::adapters::process::{Identity, Program};
use backout::adapters::shim::{Found, Shim, Started, ToolCommand, ToolEnd, ToolOutcome};
use backout::adapters::{Error, Kind};
use backout::clock::Clock;
use backout::model::entry::Standing;
use backout::steps::{LookCx, Progress, StepCx, StepKind, Told};
use rustix::process::Signal;
use tokio::sync::watch;

use super::support::promised;

/// Long enough for a slow machine, short enough to notice a hang.
const PATIENCE: Duration = Duration::from_mins(2);

fn program() -> Program {
    Program::at(env!("CARGO_BIN_EXE_backout"))
}

/// A slot in a folder of its own, and a shell script that is run in it.
struct Bench {
    dir: tempfile::TempDir,
    shim: Shim,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let shim = Shim::at(dir.path().join("switch.1"));
        Self { dir, shim }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, script: &str, budget: Duration, grace: Duration) -> ToolCommand {
        ToolCommand {
            argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            cwd: self.dir.path().to_owned(),
            env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin:/usr/sbin".to_owned())]),
            budget,
            grace,
        }
    }

    fn start(&self, script: &str, budget: Duration, grace: Duration) {
        self.shim.start(&program(), &self.command(script, budget, grace)).unwrap();
    }

    async fn ended(&self) -> ToolOutcome {
        match self.shim.adopt(&Clock::real(), || ()).await.unwrap() {
            Found::Ended(outcome) => outcome,
            other => panic!("{other:?}; shim.log: {:?}", self.read("switch.1/shim.log")),
        }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap_or_default()
    }

    /// Waits until the tool wrote a whole line to `name`.
    fn line_in(&self, name: &str) -> String {
        let path = self.at(name);
        until(&format!("a line in {name}"), || {
            fs::read_to_string(&path).is_ok_and(|text| text.ends_with('\n'))
        });
        self.read(name).trim().to_owned()
    }

    fn started(&self) -> Started {
        let path = self.at("switch.1/started.json");
        until("started.json", || path.exists());
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }
}

fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !reached() {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

const MINUTE: Duration = Duration::from_mins(1);
const SECOND: Duration = Duration::from_secs(1);
const HALF: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_tool_leaves_its_code_its_output_and_no_lock() {
    let bench = Bench::new();
    assert_eq!(bench.shim.found().unwrap(), Found::NeverBegan);
    bench.start("cat; echo out; echo err >&2; exit 7", MINUTE, SECOND);
    let outcome = bench.ended().await;
    assert_eq!(outcome.end, ToolEnd::Exited(7));
    assert_eq!(outcome.left, 0);
    assert_eq!(bench.read("switch.1/output"), "out\nerr\n");
    assert_eq!(outcome.output.unwrap().bytes, 8);
    assert_eq!(bench.shim.last_line().as_str(), "err");
}

#[tokio::test]
async fn a_tool_sees_nothing_of_our_environment() {
    let bench = Bench::new();
    bench.start("env | cut -d= -f1 | sort | tr '\\n' ' '", MINUTE, SECOND);
    bench.ended().await;
    // A shell sets PWD and some of SHLVL and _ by itself.
    let names = bench.read("switch.1/output");
    let foreign: Vec<_> = names
        .split_whitespace()
        .filter(|name| !["PATH", "PWD", "OLDPWD", "SHLVL", "_"].contains(name))
        .collect();
    assert!(foreign.is_empty(), "{names}");
}

#[tokio::test]
async fn a_tool_that_is_not_there_is_said_not_to_have_started() {
    let bench = Bench::new();
    let mut command = bench.command("", MINUTE, SECOND);
    command.argv = vec!["/nowhere/tool".to_owned()];
    bench.shim.start(&program(), &command).unwrap();
    let outcome = bench.ended().await;
    assert!(
        matches!(&outcome.end, ToolEnd::NotStarted(why) if why.as_str().contains("/nowhere/tool")),
        "{outcome:?}"
    );
}

/// G14: each is ended within deadline + grace + 2 s, and nothing of it is left.
#[tokio::test]
async fn every_kind_of_hang_is_ended_in_time() {
    // Each writes the pid that must be gone afterwards, then hangs.
    let kinds = [
        ("sleeps", "echo $$ > pid; exec sleep 600"),
        ("ignores TERM", "trap '' TERM HUP INT; echo $$ > pid; while :; do sleep 0.1; done"),
        (
            "forks twice and leaves its session",
            "setsid sh -c 'setsid sh -c \"echo \\$\\$ > pid; exec sleep 600\" &' & exit 0",
        ),
        (
            "forks twice and closes every descriptor",
            "setsid sh -c 'sh -c \"exec 0<&- 1>&- 2>&- 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; echo \\$\\$ > pid; exec sleep 600\" &' & exit 0",
        ),
        ("is stopped", "echo $$ > pid; kill -STOP $$"),
        (
            "is stopped and ignores TERM",
            "trap '' TERM; echo $$ > pid; kill -STOP $$; while :; do sleep 0.1; done",
        ),
    ];
    for (kind, script) in kinds {
        let bench = Bench::new();
        let begun = Instant::now();
        bench.start(script, SECOND, HALF);
        let pid: u32 = bench.line_in("pid").parse().unwrap();
        let hanging = Identity::of(pid).unwrap();
        let outcome = bench.ended().await;
        assert_eq!(outcome.end, ToolEnd::TimedOut, "{kind}");
        assert_eq!(outcome.left, 0, "{kind}");
        assert!(!hanging.lives(), "{kind}");
        let took = begun.elapsed();
        let limit = promised(SECOND + HALF + Duration::from_secs(2));
        assert!(took <= limit, "{kind}: {took:?}");
    }
}

#[tokio::test]
async fn a_tool_that_reads_its_input_finds_it_empty() {
    let bench = Bench::new();
    let begun = Instant::now();
    bench.start("read line; echo \"got <$line>\"", MINUTE, SECOND);
    assert_eq!(bench.ended().await.end, ToolEnd::Exited(0));
    assert_eq!(bench.read("switch.1/output"), "got <>\n");
    assert!(begun.elapsed() < PATIENCE);
}

#[tokio::test]
async fn a_gibibyte_of_output_takes_a_bounded_part_of_the_disk() {
    const GIB: u64 = 1024 * 1024 * 1024;
    let bench = Bench::new();
    bench.start(&format!("echo first; head -c {GIB} /dev/zero; echo last"), MINUTE, SECOND);
    let mut most = 0;
    let slot = bench.at("switch.1");
    let found = bench.shim.adopt(&Clock::real(), || most = most.max(size(&slot))).await.unwrap();
    let Found::Ended(outcome) = found else {
        panic!("{found:?}");
    };
    let output = outcome.output.unwrap();
    assert_eq!(outcome.end, ToolEnd::Exited(0));
    assert_eq!(output.bytes, GIB + 6 + 5);
    let kept = fs::read(bench.at("switch.1/output")).unwrap();
    assert!(kept.starts_with(b"first\n") && kept.ends_with(b"\0last\n"));
    let mib = 1024 * 1024;
    assert!(kept.len() <= 64 * mib + 100, "{} bytes kept", kept.len());
    assert!(most <= 128 * 1024 * 1024, "{most} bytes on the way");
}

fn size(dir: &Path) -> u64 {
    fs::read_dir(dir)
        .unwrap()
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .map(|found| found.len())
        .sum()
}

#[tokio::test]
async fn what_is_ended_on_request_gets_its_grace_and_says_so() {
    let bench = Bench::new();
    bench.start(
        "trap 'echo tidied; exit 0' TERM; echo $$ > pid; while :; do sleep 0.05; done",
        MINUTE,
        Duration::from_secs(10),
    );
    bench.line_in("pid");
    let found = bench.shim.end(&Clock::real()).await.unwrap();
    assert!(matches!(&found, Found::Ended(outcome) if outcome.end == ToolEnd::Ended), "{found:?}");
    let output = bench.read("switch.1/output");
    assert!(output.ends_with("tidied\n"), "{output:?}");
}

#[tokio::test]
async fn of_many_starts_of_one_slot_one_tool_runs() {
    let bench = Bench::new();
    let script = "echo effect >> ledger; sleep 0.3";
    let tries =
        (0..20).map(|_| bench.shim.start(&program(), &bench.command(script, MINUTE, SECOND)));
    let done: Vec<Result<(), Error>> = tries.collect();
    assert_eq!(done.iter().filter(|one| one.is_ok()).count(), 1);
    bench.ended().await;
    let again = bench.shim.start(&program(), &bench.command(script, MINUTE, SECOND)).unwrap_err();
    assert_eq!(again.kind, Kind::Held, "{again}");
    assert!(again.message.contains("was begun before"), "{again}");
    assert_eq!(bench.read("ledger"), "effect\n");
}

/// The engine's part in the test below: starts the tool that the file in its folder describes, and
/// waits to be killed.
#[tokio::test]
#[ignore = "started as a process of its own by another test"]
async fn engine_stand_in() {
    let command: ToolCommand = serde_json::from_slice(&fs::read("stand-in.json").unwrap()).unwrap();
    Shim::at(command.cwd.join("switch.1")).start(&program(), &command).unwrap();
    fs::write("begun", "begun\n").unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "an engine that can be killed is a process of its own"
)]
async fn a_killed_engine_leaves_a_tool_that_the_next_one_adopts() {
    for round in 0..5 {
        let bench = Bench::new();
        let script = "echo $$ > pid; until [ -e go ]; do sleep 0.02; done; echo effect >> ledger";
        let command = bench.command(script, MINUTE, SECOND);
        fs::write(bench.at("stand-in.json"), serde_json::to_vec(&command).unwrap()).unwrap();
        let mut engine = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "shim::engine_stand_in"])
            .current_dir(bench.dir.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Killed before the tool runs, or while it does.
        bench.line_in(if round % 2 == 0 { "pid" } else { "begun" });
        engine.kill().unwrap();
        engine.wait().unwrap();

        bench.line_in("pid");
        assert_eq!(bench.shim.found().unwrap(), Found::Running);
        let second = bench.shim.start(&program(), &command).unwrap_err();
        assert_eq!(second.kind, Kind::Held, "{second}");
        fs::write(bench.at("go"), "").unwrap();
        assert_eq!(bench.ended().await.end, ToolEnd::Exited(0));
        assert_eq!(bench.read("ledger"), "effect\n");
    }
}

#[tokio::test]
async fn a_killed_shim_leaves_a_tool_that_is_waited_for_and_then_nobody_can_vouch_for() {
    let bench = Bench::new();
    bench.start(
        "echo $$ > pid; until [ -e go ]; do sleep 0.02; done; echo effect >> ledger",
        MINUTE,
        SECOND,
    );
    let pid: u32 = bench.line_in("pid").parse().unwrap();
    bench.started().shim.signal(Signal::KILL).unwrap();
    until("the shim's end", || !bench.started().shim.lives());
    assert_eq!(bench.shim.found().unwrap(), Found::Running, "the tool holds the lock");
    assert!(Identity::of(pid).is_some());
    fs::write(bench.at("go"), "").unwrap();
    let found = bench.shim.adopt(&Clock::real(), || ()).await.unwrap();
    assert_eq!(found, Found::CutOff);
    assert_eq!(bench.read("ledger"), "effect\n");
}

#[tokio::test]
async fn what_a_killed_shim_left_can_still_be_ended() {
    let bench = Bench::new();
    bench.start(
        "setsid sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 0.1; done' & wait",
        MINUTE,
        HALF,
    );
    let pid: u32 = bench.line_in("pid").parse().unwrap();
    let tool = Identity::of(pid).unwrap();
    bench.started().shim.signal(Signal::KILL).unwrap();
    until("the shim's end", || !bench.started().shim.lives());
    assert_eq!(bench.shim.end(&Clock::real()).await.unwrap(), Found::CutOff);
    assert!(!tool.lives());
}

/// The shim's own boundaries: after spawn, when the tool ended, before and after the outcome file.
#[tokio::test]
async fn wherever_the_shim_dies_no_end_is_invented() {
    for (point, known) in [("S4", false), ("S5", false), ("S6", false), ("S7", true)] {
        let bench = Bench::new();
        fs::create_dir(bench.at("switch.1")).unwrap();
        fs::write(bench.at("switch.1/fault"), format!("die-at:{point}")).unwrap();
        bench.start("echo effect >> ledger", MINUTE, SECOND);
        let found = bench.shim.adopt(&Clock::real(), || ()).await.unwrap();
        match found {
            Found::Ended(outcome) if known => assert_eq!(outcome.end, ToolEnd::Exited(0)),
            Found::CutOff if !known => {}
            other => panic!("{point}: {other:?}"),
        }
        assert_eq!(bench.read("ledger"), "effect\n", "{point}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the shim as somebody would type it")]
fn a_shim_that_is_typed_by_hand_refuses() {
    let bench = Bench::new();
    fs::create_dir(bench.at("switch.1")).unwrap();
    fs::write(bench.at("switch.1/lock"), "").unwrap();
    let command = bench.command("echo effect >> ledger", MINUTE, SECOND);
    fs::write(bench.at("switch.1/command.json"), serde_json::to_vec(&command).unwrap()).unwrap();
    let done = std::process::Command::new(program().path())
        .arg("__step")
        .arg(bench.at("switch.1"))
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(!done.status.success());
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(said.contains("its lock is not on standard input"), "{said}");
    assert_eq!(bench.read("ledger"), "");
}

/// A command step in `bench`'s slot, and the one who may ask for "now".
fn command_step(
    bench: &Bench,
    settings: &serde_json::Value,
) -> (StepKind, StepCx, watch::Sender<bool>) {
    let fake = Fake::new(bench.at("fake-ledger"), Clock::real());
    let (cancel, cancelled) = watch::channel(false);
    let cx = StepCx {
        look: LookCx {
            workload: fake.clone(),
            traffic: fake,
            clock: Clock::real(),
            effect: "142-k7qd-1.switch.1".to_owned(),
            slot: bench.at("switch.1"),
            addresses: BTreeMap::new(),
            public_url: String::new(),
            program: program(),
            logs: Vec::new(),
            redactor: std::sync::Arc::default(),
            evidence: bench.at("evidence"),
            evidence_remote: None,
            database: None,
            cache: None,
            points: None,
            saved: backout::evidence::Saved::default(),
            cluster: None,
            front: None,
            vault: None,
            since: None,
        },
        run: "142-k7qd-1".into(),
        step: "switch".into(),
        progress: Progress(watch::channel(Told::default()).0),
        cancel: cancelled,
        fence: None,
    };
    let mut settings = settings.clone();
    settings["cwd"] = serde_json::json!(bench.dir.path());
    let action = serde_json::json!({"command": settings});
    (StepKind::from_action(&action).unwrap(), cx, cancel)
}

#[tokio::test]
async fn a_command_step_tells_its_target_the_effect_key_and_is_proved_by_its_probe() {
    let bench = Bench::new();
    let settings = serde_json::json!({
        "argv": ["sh", "-c", "echo $BACKOUT_EFFECT >> ledger; echo all well"],
        "probe_argv": ["test", "-e", "ledger"],
    });
    let (step, cx, _cancel) = command_step(&bench, &settings);
    assert_eq!(step.as_step().standing(&cx.look).await, Standing::NotDone);
    assert_eq!(step.as_step().run(&cx).await.unwrap().as_str(), "all well");
    assert_eq!(step.as_step().standing(&cx.look).await, Standing::Done);
    assert_eq!(bench.read("ledger"), "142-k7qd-1.switch.1\n");
    // The tool said yes, but its effect is gone: the probe has the last word.
    fs::remove_file(bench.at("ledger")).unwrap();
    assert_eq!(step.as_step().standing(&cx.look).await, Standing::NotDone);
}

#[tokio::test]
async fn a_command_that_said_no_is_an_error_with_its_last_line_and_nobody_vouches() {
    let bench = Bench::new();
    let settings = serde_json::json!({"argv": ["sh", "-c", "echo half done; exit 3"]});
    let (step, cx, _cancel) = command_step(&bench, &settings);
    let error = step.as_step().run(&cx).await.unwrap_err();
    assert!(error.message.ends_with("it ended with 3; last line: half done"), "{error}");
    assert_eq!(
        step.as_step().standing(&cx.look).await,
        Standing::CannotTell("it ended with 3".into())
    );
}

#[tokio::test]
async fn a_new_engine_looks_at_a_running_command_by_waiting_for_its_end() {
    let bench = Bench::new();
    let settings = serde_json::json!({"argv": ["true"]});
    let (step, cx, _cancel) = command_step(&bench, &settings);
    bench.start("echo $$ > pid; until [ -e go ]; do sleep 0.02; done", MINUTE, SECOND);
    bench.line_in("pid");
    let look = tokio::spawn(async move { step.as_step().standing(&cx.look).await });
    tokio::task::yield_now().await;
    assert!(!look.is_finished());
    fs::write(bench.at("go"), "").unwrap();
    assert_eq!(look.await.unwrap(), Standing::Done);
}

#[tokio::test]
async fn now_ends_the_tool_of_a_command_step() {
    let bench = Bench::new();
    let settings = serde_json::json!({
        "argv": ["sh", "-c", "echo $$ > pid; exec sleep 600"],
        "grace_seconds": 5,
    });
    let (step, cx, cancel) = command_step(&bench, &settings);
    let run = {
        let cx = cx.clone();
        let step = step.clone();
        tokio::spawn(async move { step.as_step().run(&cx).await })
    };
    let pid = loop {
        tokio::task::yield_now().await;
        if let Ok(pid) = bench.read("pid").trim().parse::<u32>() {
            break pid;
        }
    };
    let tool = Identity::of(pid).unwrap();
    cancel.send_replace(true);
    let error = run.await.unwrap().unwrap_err();
    assert_eq!(error.message, "ended now on request");
    assert!(!tool.lives());
    assert_eq!(
        step.as_step().standing(&cx.look).await,
        Standing::CannotTell("it was ended on request".into())
    );
}
