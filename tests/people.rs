//! A second person: under another user of the group, with the lead's console killed, asked,
//! handed over; told by commands; and a whole level 1 on a full disk.

use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backout::journal::Reader;
use backout::model::entry::{Body, Entry, Event, StepEnd};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::support::{Stack, promised};
use super::tools::{SmallDisk, required};

/// Numbers that no user or group of a machine has.
pub(crate) const GROUP: u32 = 64_123;
const BOB: u32 = 64_001;
const EVE: u32 = 64_002;

/// A line for who reads the test's output.
#[expect(clippy::print_stderr, reason = "what was left out or measured is part of the result")]
fn tell(line: &str) {
    eprintln!("{line}");
}

/// Whether this test can take the roles of other users; says so by name when not.
pub(crate) fn can_be_others(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    let tool = Path::new("/usr/bin/setpriv").exists();
    if !root || !tool {
        assert!(!required("root"), "{test} needs root and setpriv to be another user");
        tell(&format!("SKIPPED {test}: needs root and setpriv to be another user"));
    }
    root && tool
}

fn change(stack: &Stack, change: impl FnOnce(String) -> String) {
    let text = std::fs::read_to_string(stack.config()).unwrap();
    std::fs::write(stack.config(), change(text)).unwrap();
}

pub(crate) fn add(stack: &Stack, lines: &str) {
    change(stack, |text| text + lines);
}

fn set(stack: &Stack, key: &str, value: &str) {
    change(stack, |text| {
        let at = text.find(key).unwrap();
        let end = at + text[at..].find([',', '}', '\n']).unwrap();
        format!("{}{key}: {value}{}", &text[..at], &text[end..])
    });
}

/// Lets everyone pass to the stack's folder and gives them a program they may run.
pub(crate) fn open_for_others(stack: &Stack) -> PathBuf {
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    };
    mode(stack.dir(), 0o755);
    mode(&stack.config(), 0o644);
    let program = stack.dir().join("backout-for-others");
    std::fs::copy(env!("CARGO_BIN_EXE_backout"), &program).unwrap();
    mode(&program, 0o755);
    program
}

/// Runs the program as another user, with nothing of ours in its environment.
fn run_as(stack: &Stack, (uid, name, groups): (u32, &str, &[u32]), arguments: &[&str]) -> Output {
    let groups: Vec<String> = groups.iter().map(u32::to_string).collect();
    let groups = if groups.is_empty() {
        "--clear-groups".to_owned()
    } else {
        format!("--groups={}", groups.join(","))
    };
    Command::new("/usr/bin/setpriv")
        .args([format!("--reuid={uid}"), format!("--regid={uid}"), groups])
        .arg(stack.dir().join("backout-for-others"))
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("USER", name)
        .env("BACKOUT_CONFIG", stack.config())
        .current_dir("/")
        .output()
        .unwrap()
}

pub(crate) fn bob(stack: &Stack, arguments: &[&str]) -> Output {
    run_as(stack, (BOB, "bob", &[GROUP]), arguments)
}

pub(crate) fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

fn journal(stack: &Stack) -> Vec<Entry> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut reader = Reader::open(&stack.state()).await.unwrap();
        reader.after(0, 100_000).await.unwrap()
    })
}

fn events(stack: &Stack) -> Vec<(Entry, Event)> {
    let all = journal(stack).into_iter();
    all.filter_map(|entry| match &entry.body {
        Body::Event(event) => Some((entry.clone(), (**event).clone())),
        Body::Command(..) | Body::Newer { .. } => None,
    })
    .collect()
}

fn happened(stack: &Stack, which: impl Fn(&Event) -> bool) -> bool {
    stack.state().join("journal.db").exists() && events(stack).iter().any(|(_, e)| which(e))
}

/// A console in a terminal of its own.
pub(crate) struct Console {
    child: Box<dyn Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    screen: Arc<Mutex<vt100::Parser>>,
    /// The reading thread lets go of the terminal after the next picture.
    gone: Arc<AtomicBool>,
}

impl Console {
    fn open(stack: &Stack, name: &str) -> Self {
        Self::of(stack.command(&["attach"]).env("USER", name))
    }

    /// What `template` would start, in this terminal.
    pub(crate) fn of(template: &Command) -> Self {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(template.get_program());
        command.env_clear();
        command.args(template.get_args());
        for (key, value) in template.get_envs() {
            command.env(key, value.unwrap());
        }
        command.cwd(template.get_current_dir().unwrap());
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(
            24.try_into().unwrap(),
            80.try_into().unwrap(),
            0,
        )));
        let drawn = Arc::clone(&screen);
        let gone = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&gone);
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(read) = reader.read(&mut buffer) {
                if read == 0 || told.load(Ordering::Relaxed) {
                    return;
                }
                drawn.lock().unwrap().process(&buffer[..read]);
            }
        });
        Self { child, master: Some(pair.master), writer: Some(writer), screen, gone }
    }

    pub(crate) fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    pub(crate) fn shows(&self, stack: &Stack, words: &str) {
        stack.wait(words, Duration::from_secs(30), || self.text().contains(words));
    }

    pub(crate) fn send(&mut self, keys: &str) {
        let writer = self.writer.as_mut().unwrap();
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
    }

    /// The line drops: the terminal is gone.
    fn drop_line(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
        self.writer = None;
        self.master = None;
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.drop_line();
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Starts a run that stays in its step `keep_warm` until it is ended.
fn long_run(stack: &Stack) {
    set(stack, "keep_failed_up_seconds", "500");
    let detached = stack.run(&["rollback", "--quick", "--reason", "errors", "--detach"]);
    assert_eq!(detached.code, 0, "{detached:?}\n{}", stack.log());
    stack.wait("the run is in its middle", Duration::from_secs(30), || {
        happened(stack, |event| {
            matches!(event, Event::StepStarted { step, .. } if step.as_str() == "keep_warm")
        })
    });
}

#[test]
fn a_member_of_the_group_reads_follows_and_commands_and_nobody_else_does() {
    if !can_be_others("a_member_of_the_group_reads_follows_and_commands_and_nobody_else_does") {
        return;
    }
    let stack = Stack::up(Some("errors:0.3"));
    add(&stack, &format!("share: {{group: {GROUP}}}\n"));
    open_for_others(&stack);
    long_run(&stack);

    let found = |name: &str| {
        let meta = stack.state().join(name).metadata().unwrap();
        (meta.mode() & 0o7777, meta.gid())
    };
    assert_eq!(found(""), (0o2750, GROUP));
    for file in ["journal.db", "journal.db-wal", "journal.db-shm", "samples.db", "journal.head"] {
        assert_eq!(found(file), (0o640, GROUP), "{file}");
    }
    let socket = std::fs::read_to_string(stack.state().join("socket")).unwrap();
    let socket = Path::new(&socket).metadata().unwrap();
    assert_eq!((socket.mode() & 0o7777, socket.gid()), (0o660, GROUP));

    // While the writer lives: its log and its index are there, and only to be read.
    let status = bob(&stack, &["status", "--json"]);
    assert!(text(&status).contains("\"run_state\": \""), "{}", text(&status));
    let brief = bob(&stack, &["brief"]);
    assert_eq!(brief.status.code(), Some(0), "{}", text(&brief));
    assert_eq!(text(&brief).lines().count(), 12, "{}", text(&brief));
    let lines = std::fs::read_dir(stack.state().join("spool")).unwrap().flatten();
    assert!(lines.map(|entry| entry.metadata().unwrap().mode()).all(|mode| mode & 0o050 == 0o050));
    let noted = bob(&stack, &["note", "seen", "from", "another", "uid"]);
    assert_eq!(noted.status.code(), Some(0), "{}", text(&noted));
    let note = journal(&stack).into_iter().find_map(|entry| match &entry.body {
        Body::Command(_, command) => {
            format!("{command:?}").contains("another uid").then_some(entry.author)
        }
        Body::Event(_) | Body::Newer { .. } => None,
    });
    let author = note.unwrap();
    assert_eq!((author.uid, author.name.as_str()), (BOB, "bob"), "attested by the kernel");

    let stranger = run_as(&stack, (EVE, "eve", &[]), &["status"]);
    assert_ne!(stranger.status.code(), Some(0), "{}", text(&stranger));
    let stranger = run_as(&stack, (EVE, "eve", &[]), &["abort", "now"]);
    assert_ne!(stranger.status.code(), Some(0), "{}", text(&stranger));

    // After a kill: the log stays and nobody writes it.
    let engines = stack.run(&["ps", "--json"]).json();
    let engines = engines.as_array().unwrap();
    let ours = engines.iter().find(|one| {
        one["group"] == GROUP
            && one["state"] == stack.state().canonicalize().unwrap().to_str().unwrap()
    });
    let engine =
        i32::try_from(ours.unwrap_or_else(|| panic!("{engines:?}"))["pid"].as_i64().unwrap())
            .unwrap();
    for pid in [super::crash::parent_of(engine), engine] {
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    let orphaned = bob(&stack, &["brief"]);
    assert_eq!(orphaned.status.code(), Some(0), "{}", text(&orphaned));
    // Somebody who may not start the engine is told who may.
    let started = bob(&stack, &["rollback", "--quick", "--reason", "x"]);
    assert!(text(&started).contains("belongs to uid 0"), "{}", text(&started));

    // The owner's next client starts a pair, which goes on; after a clean end it is one file.
    let aborted = stack.run(&["rollback", "--quick", "--reason", "again"]);
    assert_ne!(aborted.code, 0, "a second run began beside the first");
    stack.wait("an engine answers", Duration::from_secs(10), || {
        bob(&stack, &["abort", "now"]).status.code() == Some(0)
    });
    stack.wait("the engine ends", Duration::from_secs(30), || {
        !stack.state().join("journal.db-wal").exists()
    });
    let settled = bob(&stack, &["brief"]);
    assert_eq!(settled.status.code(), Some(0), "{}", text(&settled));
    assert!(text(&settled).contains("CLOSED"), "{}", text(&settled));
}

/// MUST BE SHOWN 2a.
#[test]
fn the_leads_console_is_killed_and_a_second_user_aborts_and_takes_the_lead() {
    if !can_be_others("the_leads_console_is_killed_and_a_second_user_aborts_and_takes_the_lead") {
        return;
    }
    let stack = Stack::up(Some("errors:0.3"));
    add(&stack, &format!("share: {{group: {GROUP}}}\n"));
    open_for_others(&stack);
    long_run(&stack);
    let mut console = Console::open(&stack, "tester");
    console.shows(&stack, "LEAD you");

    let lost = |event: &Event| matches!(event, Event::LeadLost);
    let before = events(&stack).iter().filter(|(_, event)| lost(event)).count();
    console.drop_line();
    stack.wait("the lead is missed", Duration::from_secs(10), || {
        events(&stack).iter().filter(|(_, event)| lost(event)).count() > before
    });
    let aborted = bob(&stack, &["abort", "now"]);
    assert_eq!(aborted.status.code(), Some(0), "{}", text(&aborted));
    let all = journal(&stack);
    let abort = |entry: &&Entry| {
        matches!(&entry.body, Body::Command(_, backout::model::entry::Command::Abort { .. }))
    };
    let asked = all.iter().find(abort);
    let asked = asked.unwrap();
    assert_eq!((asked.author.uid, asked.author.name.as_str()), (BOB, "bob"));
    let ended = events(&stack).into_iter().find(|(_, e)| matches!(e, Event::RunEnded { .. }));
    let took = ended.unwrap().0.at - asked.at;
    let took_ms = took.num_milliseconds();
    tell(&format!("abort now by another uid: the run ended {took_ms} ms after it was journaled"));
    assert!(took.to_std().unwrap() < promised(Duration::from_secs(20)), "{took}");

    // Silent for less than 30 s the lead is kept, then it can be taken.
    let early = bob(&stack, &["lead", "take", "--reason", "alice's line dropped"]);
    assert!(text(&early).contains("can be taken in"), "{}", text(&early));
    stack.wait("the lead can be taken", Duration::from_mins(1), || {
        let taken = bob(&stack, &["lead", "take", "--reason", "alice's line dropped"]);
        text(&taken).contains("you lead")
    });
    let (entry, _) = events(&stack)
        .into_iter()
        .rfind(|(_, event)| matches!(event, Event::LeadTaken { who, .. } if who.uid == BOB))
        .unwrap();
    let lost = events(&stack).into_iter().rfind(|(at, e)| lost(e) && at.seq < entry.seq).unwrap();
    assert!(entry.at - lost.0.at >= chrono::Duration::seconds(29), "{}", entry.at - lost.0.at);
}

#[test]
fn a_living_lead_is_asked_on_the_screen_and_hands_over_with_a_note() {
    let stack = Stack::up(Some("errors:0.3"));
    long_run(&stack);
    let mut console = Console::open(&stack, "tester");
    console.shows(&stack, "LEAD you");
    let mut asking = stack.command(&["lead", "take", "--reason", "I know the proxy"]);
    let asking = asking.env("USER", "bob").stdout(std::process::Stdio::piped()).spawn().unwrap();
    console.shows(&stack, "bob asks for the lead");
    console.send("T");
    console.shows(&stack, "HAND THE LEAD TO bob");
    // A dialog takes no key that was pressed before it could be seen.
    let handed =
        |event: &Event| matches!(event, Event::LeadTaken { who, .. } if who.name.as_str() == "bob");
    std::thread::park_timeout(Duration::from_millis(600));
    console.send("HAND\rgreen is kept warm\r");
    stack.wait("the lead is handed over", Duration::from_secs(20), || happened(&stack, handed));
    let said = asking.wait_with_output().unwrap();
    assert_eq!(said.status.code(), Some(0), "{}", text(&said));
    assert!(text(&said).contains("bob (uid"), "{}", text(&said));
    assert!(happened(&stack, |event| {
        matches!(event, Event::Noted { text, .. } if text.as_str() == "green is kept warm")
    }));
    // A second person's console opens with what the others know; any key closes it.
    let mut second = Console::open(&stack, "carol");
    second.shows(&stack, "What the others know");
    std::thread::park_timeout(Duration::from_millis(600));
    second.send("k");
    stack.wait("the brief is closed", Duration::from_secs(10), || {
        !second.text().contains("What the others know")
    });
    assert_eq!(stack.run(&["abort", "now"]).code, 0);
}

#[test]
fn people_are_told_once_with_what_they_need_also_when_the_engine_dies_meanwhile() {
    let stack = Stack::up(Some("errors:0.3"));
    let told = stack.dir().join("told.txt");
    add(
        &stack,
        &format!(
            "on:\n  done: ['sleep 2; echo \"$BACKOUT_EVENT $BACKOUT_RUN $BACKOUT_OUTCOME $BACKOUT_ENVIRONMENT\" >> {0}']\n  failed: ['exit 7']\n",
            told.display()
        ),
    );
    let done = stack.run(&["rollback", "--quick", "--reason", "test"]);
    assert_eq!(done.code, 0, "{done:?}\n{}", stack.log());
    // The engine dies while people are being told: the next one tells them.
    let engines = stack.run(&["ps", "--json"]).json();
    let engine = engines.as_array().unwrap().iter().find(|one| one["environment"] == "demo");
    let pid = engine.and_then(|one| one["pid"].as_i64());
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid.unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let ran =
        |event: &Event| matches!(event, Event::HookRan { about, .. } if about.starts_with("done "));
    stack.wait("people are told", Duration::from_secs(30), || happened(&stack, ran));
    let lines = std::fs::read_to_string(&told).unwrap();
    let count = lines.lines().count();
    assert!((1..=2).contains(&count), "at least once, and not without need again: {lines}");
    let shape = regex::Regex::new(r"^done \d+-\w+-1 done demo$").unwrap();
    assert!(lines.lines().all(|line| shape.is_match(line)), "{lines}");
    assert_eq!(events(&stack).iter().filter(|(_, event)| ran(event)).count(), 1);
}

#[test]
fn a_run_that_waits_with_nobody_attached_tells_someone_and_a_failing_command_is_a_trouble() {
    let stack = Stack::up(Some("errors:0.3"));
    let told = stack.dir().join("told.txt");
    add(
        &stack,
        &format!(
            "on:\n  waiting: ['echo \"$BACKOUT_TEXT\" >> {}', 'echo no route >&2; exit 7']\n",
            told.display()
        ),
    );
    set(&stack, "watch_window_seconds", "8");
    let detached = stack.run(&["rollback", "--quick", "--reason", "errors", "--detach"]);
    assert_eq!(detached.code, 0, "{detached:?}");
    stack.wait("the watch window opens", Duration::from_secs(40), || {
        happened(&stack, |event| matches!(event, Event::WatchOpened { .. }))
    });
    let dir = stack.dir().to_str().unwrap().to_owned();
    assert_eq!(stack.run(&["demo", "break", "errors:0.6", "--dir", &dir]).code, 0);
    stack.wait("people are told", Duration::from_mins(1), || {
        happened(&stack, |event| matches!(event, Event::HookRan { .. }))
    });
    let text = std::fs::read_to_string(&told).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("WAITS FOR A PERSON"), "{text}");
    let trouble = events(&stack).into_iter().find_map(|(_, event)| match event {
        Event::Trouble { text } => Some(text.to_string()),
        _ => None,
    });
    let trouble = trouble.unwrap();
    assert!(trouble.contains("exit 7: no route"), "{trouble}");
    assert_eq!(stack.run(&["abort", "now"]).code, 0);
}

/// MUST BE SHOWN: level 1 with a full disk.
#[test]
fn on_a_full_disk_level_1_reaches_stable_and_evidence_is_left_out_with_a_reason() {
    let name = "on_a_full_disk_level_1_reaches_stable_and_evidence_is_left_out_with_a_reason";
    let stack = Stack::up(Some("errors:0.3"));
    let Some(disk) = SmallDisk::mount(&stack.state(), 32, name) else { return };
    // The journal and its ballast are there before the disk is full.
    assert_ne!(stack.run(&["check"]).code, 78);
    disk.fill();
    let stop = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        // And whatever filled it goes on filling what is given back.
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                disk.fill();
                std::thread::park_timeout(Duration::from_millis(200));
            }
        });
        let done = stack.run(&["rollback", "--quick", "--reason", "disk", "--json"]);
        stop.store(true, Ordering::Relaxed);
        assert_eq!(done.code, 0, "{done:?}\n{}", stack.log());
        assert_eq!(done.json()["outcome"], "done");
    });
    assert_eq!(stack.status()["active"], "blue");
    assert_eq!(stack.status()["green"]["state"], "down");
    let preserve = events(&stack).into_iter().find_map(|(_, event)| match event {
        Event::StepEnded { step, end, .. } if step.as_str() == "preserve" => Some(end),
        _ => None,
    });
    let Some(StepEnd::Skipped(why)) = preserve else { panic!("{preserve:?}") };
    assert!(why.as_str().starts_with("no space: "), "{why}");
    assert!(happened(&stack, |event| {
        matches!(event, Event::Trouble { text } if text.as_str().contains("is full"))
    }));
}

#[test]
fn on_a_full_disk_evidence_goes_elsewhere_and_the_ballast_comes_back_with_the_space() {
    let name = "on_a_full_disk_evidence_goes_elsewhere_and_the_ballast_comes_back_with_the_space";
    let stack = Stack::up(Some("errors:0.3"));
    let Some(disk) = SmallDisk::mount(&stack.state(), 32, name) else { return };
    add(&stack, "evidence: {remote: evidence-elsewhere}\n");
    assert_ne!(stack.run(&["check"]).code, 78);
    disk.fill();
    set(&stack, "watch_window_seconds", "12");
    let detached = stack.run(&["rollback", "--quick", "--reason", "disk", "--detach"]);
    assert_eq!(detached.code, 0, "{detached:?}\n{}", stack.log());
    let preserved = |event: &Event| matches!(event, Event::StepEnded { step, .. } if step.as_str() == "preserve");
    stack.wait("evidence is kept", Duration::from_secs(30), || happened(&stack, preserved));
    let (_, ended) = events(&stack).into_iter().find(|(_, event)| preserved(event)).unwrap();
    let Event::StepEnded { end, note, .. } = ended else { panic!() };
    assert_eq!(end, StepEnd::Done, "{note}");
    assert!(note.as_str().contains("no space in the state folder"), "{note}");
    let entries = std::fs::read_dir(stack.dir().join("evidence-elsewhere")).unwrap();
    // Beside it may lie the incident's own bundle, packed.
    let mut folders = entries.map(|entry| entry.unwrap().path());
    let bundle = folders.find(|path| !path.ends_with("bundles")).unwrap();
    let index = backout::evidence::verify(&bundle).unwrap().unwrap();
    assert!(index.files.len() >= 2, "{index:?}");
    let own = stack.state().join("evidence").join(bundle.file_name().unwrap());
    let sheets = [&bundle, &own].map(|folder| folder.join("break-glass.txt").exists());
    assert!(sheets.contains(&true), "the sheet is nowhere");

    std::fs::remove_file(disk.filler()).unwrap();
    stack.wait("the ballast is whole", Duration::from_secs(20), || {
        let ballast = stack.state().join("ballast").metadata().unwrap();
        ballast.len() == backout::journal::BALLAST
    });
    stack.wait("it is said", Duration::from_secs(10), || {
        happened(&stack, |event| {
            matches!(event, Event::Noted { text, .. } if text.as_str().contains("space again"))
        })
    });
    stack.wait("the run ends well", Duration::from_secs(40), || {
        stack.run(&["history"]).out.contains("STATUS=success")
    });
}

#[test]
fn the_break_glass_sheet_needs_no_backout() {
    let stack = Stack::up(Some("errors:0.3"));
    let said = stack.run(&["plan", "--break-glass"]);
    assert_eq!(said.code, 0, "{said:?}");
    for words in ["1. ", "/switch", "kill -TERM", "TO TAKE IT BACK", "curl -sS --fail"] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    // The switch itself, typed from the sheet.
    let line = said.out.lines().find(|line| line.contains("-X POST") && line.contains("blue"));
    let line = line.unwrap().trim().trim_start_matches("$ ").to_owned();
    let typed = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert!(typed.status.success(), "{line}: {}", text(&typed));
    assert_eq!(stack.status()["active"], "blue");
}
