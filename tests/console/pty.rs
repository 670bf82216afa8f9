//! The console on a real terminal, with a real journal, socket and reader behind it: the way in,
//! every way out, and what happens when the terminal does not play along.
//!
//! The program under test is this test binary, started once more on a pseudo terminal with
//! [`child`] as its only test.

use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use backout::adapters::process::Program;
use backout::clock::Clock;
use backout::config::Environment;
use backout::journal::{Draft, Samples, Writer};
use backout::link::{Answer, Head, Linger, Pair, Server, ServerEvent, Share};
use backout::model::entry::{Body, Event};
use backout::model::live::Live;
use backout::tui;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::samples;
use crate::line::Questions;
use crate::support::promised;

const LIMIT: Duration = Duration::from_mins(2);

/// What the child is told by: where its folder is.
const FOLDER: &str = "BACKOUT_TEST_FOLDER";

/// Not a test of its own: the console, and an engine's ends around a journal with a plan.
#[test]
#[ignore = "started by the other tests of this file, on a pseudo terminal"]
fn child() {
    let environment = Environment::read();
    let folder = PathBuf::from(environment.get(FOLDER).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let clock = Clock::real();
        let pair = Pair {
            program: Program::at("/bin/false"),
            config: folder.join("backout.yaml"),
            state: folder.clone(),
            socket: folder.join("s.sock"),
            linger: Linger::Console,
        };
        tokio::spawn(engine(pair.clone(), clock.clone()));
        panic_when_told(folder.clone());
        let attach = tui::Attach {
            journal: backout::journal::Place::from(&pair.state),
            pair,
            clock,
            read_only: false,
            plain: false,
            look: tui::Look::default(),
            name: "alice".to_owned(),
            uid: rustix::process::getuid().as_raw(),
            ssh: None,
            keys: None,
            habits: tui::app::Habits::default(),
            environments: vec!["shop".to_owned()],
            guides: std::sync::Arc::default(),
            ladder: Vec::new(),
            links: Vec::new(),
        };
        let goodbye = tui::run(attach).await.unwrap();
        write!(std::io::stdout(), "{goodbye}").unwrap();
    });
}

/// Writes the journal, answers every command, and notes each in a file.
async fn engine(pair: Pair, clock: Clock) {
    let story = samples::planned_story();
    let mut writer = Writer::open(&pair.state).await.unwrap();
    let now = clock.now();
    let uid = rustix::process::getuid().as_raw();
    let drafts = story.entries.into_iter().map(|(second, mut author, mut body)| {
        if !author.engine {
            author.uid = uid;
        }
        // The lead is whoever runs this test.
        if let Body::Event(event) = &mut body
            && let Event::LeadTaken { who, .. } = event.as_mut()
        {
            who.uid = uid;
        }
        Draft { incident: None, at: now + chrono::Duration::seconds(second - 66), author, body }
    });
    let written = writer.append(drafts.collect()).await.unwrap();
    let mut seq = written.last().unwrap().seq;
    let head = Head { epoch: writer.epoch(), seq };
    let (server, mut events) =
        Server::bind(&pair.socket, Share::Alone, head, clock.clone()).unwrap();
    let mut beats = Samples::open(&pair.state).await.unwrap();
    for beat in 0_u64.. {
        let live = Live { at: clock.now(), ..Live::default() };
        beats.write(&[], Some(&live)).await.unwrap();
        server.changed(seq, beat);
        let event = tokio::select! {
            event = events.recv() => event,
            () = clock.sleep(Duration::from_millis(200)) => continue,
        };
        match event {
            Some(ServerEvent::Command { client, id, command, author }) => {
                note(&pair.state, &format!("{command:?}"));
                let body = Body::Command(id.clone(), command);
                let draft = Draft { incident: None, at: clock.now(), author, body };
                seq = writer.append(vec![draft]).await.unwrap().last().unwrap().seq;
                server.answer(client, id, Answer::Accepted { seq });
            }
            Some(ServerEvent::Attached { .. }) => note(&pair.state, "attached"),
            Some(ServerEvent::Gone { .. }) => {}
            None => return,
        }
    }
}

fn note(folder: &Path, line: &str) {
    let path = folder.join("noted");
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    writeln!(file, "{line}").unwrap();
}

fn panic_when_told(folder: PathBuf) {
    std::thread::spawn(move || {
        loop {
            std::thread::park_timeout(Duration::from_millis(20));
            assert!(!folder.join("panic").exists(), "told to panic");
        }
    });
}

fn parser(rows: u16, columns: u16) -> vt100::Parser {
    vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0)
}

/// A console on a pseudo terminal, seen from outside.
struct Console {
    folder: tempfile::TempDir,
    master: Option<Box<dyn MasterPty + Send>>,
    child: Box<dyn Child + Send + Sync>,
    keys: Option<Box<dyn Write + Send>>,
    output: Option<mpsc::Receiver<Vec<u8>>>,
    screen: vt100::Parser,
    questions: Questions,
    /// Frames that were drawn, counted by the mark that each begins with.
    frames: usize,
    raw: Vec<u8>,
}

impl Console {
    /// Started; its output is read only when `reads`.
    fn start(reads: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        let wanted = "console::pty::child";
        command.args([wanted, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
        command.env(FOLDER, folder.path());
        command.env("RUST_BACKTRACE", "0");
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let output = reads.then(|| {
            let mut reader = pair.master.try_clone_reader().unwrap();
            let (sent, received) = mpsc::channel();
            std::thread::spawn(move || {
                let mut bytes = [0; 4_096];
                while let Ok(count @ 1..) = reader.read(&mut bytes) {
                    if sent.send(bytes.iter().take(count).copied().collect()).is_err() {
                        return;
                    }
                }
            });
            received
        });
        let keys = Some(pair.master.take_writer().unwrap());
        Self {
            folder,
            master: Some(pair.master),
            child,
            keys,
            output,
            screen: parser(24, 80),
            questions: Questions::default(),
            frames: 0,
            raw: Vec::new(),
        }
    }

    fn open() -> Self {
        let mut console = Self::start(true);
        console.until("the plan", |screen| screen.contains("R Roll back"));
        console
    }

    /// Bytes of input that nobody has read.
    fn waiting_for_the_shell(&self) -> u64 {
        let slave = std::fs::OpenOptions::new()
            .read(true)
            .custom_flags(i32::try_from(rustix::fs::OFlags::NOCTTY.bits()).unwrap())
            .open(self.master.as_ref().unwrap().tty_name().unwrap())
            .unwrap();
        rustix::io::ioctl_fionread(slave).unwrap()
    }

    fn press(&mut self, keys: &str) {
        self.keys.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    /// Takes what the console wrote in a moment.
    fn look(&mut self) {
        let waited = self.output.as_ref().unwrap().recv_timeout(Duration::from_millis(20));
        if let Ok(bytes) = waited {
            self.screen.process(&bytes);
            self.raw.extend(&bytes);
            self.frames += bytes.windows(8).filter(|window| window == b"\x1b[?2026h").count();
            // A terminal answers.
            let answers = Questions::ANSWER.repeat(self.questions.count(&bytes));
            if let Some(keys) = &mut self.keys {
                keys.write_all(answers.as_bytes()).unwrap();
            }
        }
    }

    fn until(&mut self, what: &str, done: impl Fn(&str) -> bool) {
        let end = Instant::now() + LIMIT;
        while !done(&self.screen.screen().contents()) {
            assert!(Instant::now() < end, "{what}\n{}", self.screen.screen().contents());
            self.look();
        }
    }

    fn wait(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let end = Instant::now() + LIMIT;
        while !done(self) {
            assert!(Instant::now() < end, "{what}\n{}", self.screen.screen().contents());
            if self.output.is_some() {
                self.look();
            } else {
                std::thread::park_timeout(Duration::from_millis(20));
            }
        }
    }

    fn noted(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("noted")).unwrap_or_default()
    }

    fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid().try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// The state letter that the kernel gives the process.
    fn state(&self) -> char {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()));
        let stat = stat.unwrap_or_else(|_| "x) Z".to_owned());
        stat.rsplit(") ").next().unwrap().chars().next().unwrap()
    }

    /// Whether the terminal is as a shell wants it: cooked, main screen, cursor on, paste off.
    fn given_back(&self) -> bool {
        let name = self.master.as_ref().unwrap().tty_name().unwrap();
        let tty = std::fs::OpenOptions::new()
            .read(true)
            .custom_flags(rustix::fs::OFlags::NOCTTY.bits().try_into().unwrap())
            .open(name)
            .unwrap();
        let modes = rustix::termios::tcgetattr(tty).unwrap();
        let cooked = modes
            .local_modes
            .contains(rustix::termios::LocalModes::ICANON | rustix::termios::LocalModes::ECHO);
        let screen = self.screen.screen();
        cooked && !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste()
    }

    /// How long it takes to end.
    fn ends_within(&mut self, limit: Duration) {
        let started = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < limit, "still there after {limit:?}");
            if self.output.is_some() {
                self.look();
            } else {
                std::thread::park_timeout(Duration::from_millis(10));
            }
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn typing_the_word_reaches_the_engine_with_the_digest_that_was_shown() {
    let mut console = Console::open();
    console.press("R");
    console.until("the confirmation", |screen| screen.contains("Type ROLLBACK"));
    let shown = Instant::now();
    console.wait("armed", |_| shown.elapsed() > Duration::from_millis(350));
    console.press("ROLLBACK");
    console.until("the whole word", |screen| screen.contains("STARTS the rollback"));
    console.press("\r");
    console.wait("the approval", |console| console.noted().contains("Approve"));
    assert!(console.noted().contains(samples::plan().digest().0.as_str()), "{}", console.noted());
}

#[test]
fn leaving_gives_the_terminal_back_and_says_how_to_return() {
    let mut console = Console::open();
    console.press("q");
    console.until("the question", |screen| screen.contains("Leave the console"));
    let shown = Instant::now();
    console.wait("armed", |_| shown.elapsed() > Duration::from_millis(350));
    console.press("\r");
    console.until("the last words", |screen| screen.contains("backout attach INC-0142"));
    console.wait("the terminal", Console::given_back);
    console.ends_within(LIMIT);
}

#[test]
fn sigterm_gives_the_terminal_back() {
    let mut console = Console::open();
    console.signal(rustix::process::Signal::TERM);
    console.until("the last words", |screen| screen.contains("backout attach"));
    assert!(console.given_back());
    console.ends_within(LIMIT);
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_speaks() {
    let mut console = Console::open();
    std::fs::write(console.folder.path().join("panic"), "").unwrap();
    console.until("the panic's words", |screen| screen.contains("told to panic"));
    assert!(console.given_back());
}

#[test]
fn ctrl_z_gives_the_shell_its_terminal_and_fg_takes_it_again() {
    let mut console = Console::open();
    console.press("R");
    console.until("the confirmation", |screen| screen.contains("Type ROLLBACK"));
    let shown = Instant::now();
    console.wait("armed", |_| shown.elapsed() > Duration::from_millis(350));
    console.press("ROLL");
    console.until("half the word", |screen| screen.contains("4/8 typed"));
    console.press("\u{1a}");
    console.wait("stopped", |console| console.state() == 'T');
    console.wait("the terminal", Console::given_back);
    console.signal(rustix::process::Signal::CONT);
    console.until("the console again", |screen| screen.contains("0/8 typed"));
    console.wait("raw again", |console| !console.given_back());
}

#[test]
fn a_terminal_that_is_gone_ends_the_console_within_two_seconds() {
    let mut console = Console::start(false);
    console.wait("attached", |console| console.noted().contains("attached"));
    console.keys = None;
    console.master = None;
    console.ends_within(promised(Duration::from_secs(2)));
}

#[test]
fn a_command_gets_through_while_the_terminal_takes_nothing_and_so_does_leaving() {
    let mut console = Console::start(false);
    console.wait("attached", |console| console.noted().contains("attached"));
    // Whole pictures until the line is full: nobody reads them.
    for _ in 0..60 {
        console.press("\u{c}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    console.press("N");
    std::thread::park_timeout(Duration::from_millis(400));
    console.press("it is stuck\r");
    let pressed = Instant::now();
    console.wait("the note", |console| console.noted().contains("it is stuck"));
    assert!(pressed.elapsed() < promised(Duration::from_secs(1)), "{:?}", pressed.elapsed());
    console.press("\u{3}\u{3}");
    console.ends_within(promised(Duration::from_secs(3)));
}

#[test]
fn two_hundred_sizes_in_a_second_cost_a_dozen_frames_and_end_at_the_right_one() {
    let mut console = Console::open();
    console.frames = 0;
    let began = Instant::now();
    for number in 0..200_u16 {
        let size = PtySize {
            rows: 10 + number % 30,
            cols: 40 + number % 90,
            pixel_width: 0,
            pixel_height: 0,
        };
        console.master.as_ref().unwrap().resize(size).unwrap();
        while began.elapsed() < Duration::from_millis(5) * u32::from(number) {
            console.look();
        }
    }
    let size = PtySize { rows: 30, cols: 100, pixel_width: 0, pixel_height: 0 };
    console.master.as_ref().unwrap().resize(size).unwrap();
    let (frames, took) = (console.frames, began.elapsed());
    console.screen = parser(30, 100);
    console.until("the right size", |screen| {
        screen.lines().nth(29).is_some_and(|line| line.contains("q Detach"))
    });
    // Ten a second and the first; a machine that took longer may have drawn more.
    let most = 2 + took.as_millis() / 100;
    assert!(frames as u128 <= most, "{frames} frames in {took:?}");
}

/// What the terminal answers late must not become keys of the shell.
#[test]
fn answers_of_the_terminal_are_waited_for_before_the_shell_gets_it_back() {
    let mut console = Console::open();
    console.press("\u{3}\u{3}");
    console.until("the last words", |screen| screen.contains("backout attach INC-0142"));
    console.wait("the terminal", Console::given_back);
    assert!(console.questions.asked() > 0, "no question was asked");
    // The answers were taken by the console: what the terminal holds for the shell is empty.
    assert_eq!(console.waiting_for_the_shell(), 0);
    console.ends_within(LIMIT);
}

#[test]
fn the_mouse_is_asked_for_and_given_back() {
    let mut console = Console::open();
    console.press("\u{1b}[19~");
    console.until("the mouse", |screen| screen.contains("the mouse scrolls"));
    let mode = |console: &Console| console.screen.screen().mouse_protocol_mode();
    assert_ne!(mode(&console), vt100::MouseProtocolMode::None);
    console.press("\u{1b}[<0;3;12M\u{1b}[<65;3;12M");
    console.press("\u{3}\u{3}");
    console.until("the last words", |screen| screen.contains("backout attach INC-0142"));
    console.wait("the mouse back", |console| mode(console) == vt100::MouseProtocolMode::None);
    assert!(!console.noted().contains("Approve"), "{}", console.noted());
}

#[test]
fn a_copy_reaches_the_terminals_clipboard() {
    let mut console = Console::open();
    console.press("Y");
    console.until("the copy", |screen| screen.contains("copied"));
    let clipboard = console.raw.windows(7).any(|window| window == b"\x1b]52;c;");
    assert!(clipboard, "no OSC 52 was sent");
}
