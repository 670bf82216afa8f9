//! The console in a real terminal: the whole flow by keys, and what happens when the line drops.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::support::Stack;

/// The program in a terminal of its own, and the screen it has drawn.
struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    bytes: mpsc::Receiver<Vec<u8>>,
    /// While it is set, nobody reads the terminal.
    unread: Arc<AtomicBool>,
    screen: vt100::Parser,
    raw: Vec<u8>,
}

impl Terminal {
    fn open(stack: &Stack, arguments: &[&str], (columns, rows): (u16, u16)) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let template = stack.command(arguments);
        let mut command = CommandBuilder::new(template.get_program());
        command.env_clear();
        for argument in template.get_args() {
            command.arg(argument);
        }
        for (name, value) in template.get_envs() {
            command.env(name, value.unwrap());
        }
        command.cwd(stack.dir());
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let (to, bytes) = mpsc::channel();
        let unread = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&unread);
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(read) = reader.read(&mut buffer) {
                while stopped.load(Ordering::Relaxed) {
                    std::thread::park_timeout(Duration::from_millis(50));
                }
                if read == 0 || to.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            master: Some(pair.master),
            writer: Some(writer),
            bytes,
            unread,
            screen: vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0),
            raw: Vec::new(),
        }
    }

    fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// Reads what was drawn until `done`, or fails with the screen.
    fn until(&mut self, what: &str, limit: Duration, done: impl Fn(&str) -> bool) {
        let until = Instant::now() + limit;
        while !done(&self.text()) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited {limit:?} in vain for {what}:\n{}", self.text());
            if let Ok(bytes) = self.bytes.recv_timeout(left.min(Duration::from_millis(100))) {
                self.screen.process(&bytes);
                self.raw.extend(bytes);
            }
        }
    }

    fn shows(&mut self, words: &str) {
        self.until(words, Duration::from_secs(20), |text| text.contains(words));
    }

    fn send(&mut self, keys: &str) {
        let writer = self.writer.as_mut().unwrap();
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
    }

    /// Presses a key that the verdict line or the key bar offers now, and no other.
    fn press(&mut self, key: &str, offered: &str) {
        self.until(offered, Duration::from_secs(20), |text| offers(text).contains(offered));
        self.send(key);
    }

    fn ended(&mut self, limit: Duration) -> u32 {
        let until = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                while let Ok(bytes) = self.bytes.recv_timeout(Duration::from_millis(100)) {
                    self.screen.process(&bytes);
                    self.raw.extend(bytes);
                }
                return status.exit_code();
            }
            assert!(Instant::now() < until, "it did not end in {limit:?}:\n{}", self.text());
            if let Ok(bytes) = self.bytes.recv_timeout(Duration::from_millis(50)) {
                self.screen.process(&bytes);
                self.raw.extend(bytes);
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A dialog ignores keys for a moment after it is drawn, so that none was meant for what was there
/// before. It cannot be seen to end: it is waited out.
fn settle() {
    std::thread::park_timeout(Duration::from_millis(400));
}

/// The verdict line's two rows and the last row.
fn offers(text: &str) -> String {
    let rows: Vec<&str> = text.lines().collect();
    let mut offered: Vec<&str> = rows.iter().skip(2).take(2).copied().collect();
    offered.extend(rows.last());
    offered.join("\n")
}

/// From the first look to STABLE, by shown keys only.
fn whole_flow(size: (u16, u16)) {
    let stack = Stack::up(Some("errors:0.3"));
    let mut terminal = Terminal::open(&stack, &[], size);
    terminal.shows("Press L");
    terminal.press("L", "L");
    terminal.press("\r", "Enter");
    terminal.press("R", "R");
    terminal.shows("Type ROLLBACK");
    // The dialog arms itself only after it has been on the screen for a moment.
    terminal.until("an armed field", Duration::from_secs(5), |text| text.contains("0/8 typed"));
    settle();
    terminal.send("ROLLBACK");
    terminal.shows("complete");
    terminal.press("\r", "Enter");
    terminal.until("STABLE", Duration::from_secs(40), |text| text.contains("STABLE on v2.4.9"));
    assert_eq!(stack.status()["active"], "blue");
    terminal.press("q", "q");
    terminal.shows("Enter Leave");
    settle();
    terminal.press("\r", "Enter");
    assert_eq!(terminal.ended(Duration::from_secs(5)), 0);
    let last = terminal.text();
    assert!(last.contains("backout attach"), "{last}");
    assert_clean(&terminal);
}

/// The terminal was given back: main screen, cursor on, no mouse or paste modes left.
fn assert_clean(terminal: &Terminal) {
    let screen = terminal.screen.screen();
    assert!(!screen.alternate_screen(), "the alternate screen was left on");
    assert!(!screen.hide_cursor(), "the cursor was left hidden");
    assert!(!screen.bracketed_paste(), "bracketed paste was left on");
    assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
}

#[test]
fn the_whole_flow_by_shown_keys_at_80x24() {
    whole_flow((80, 24));
}

#[test]
fn the_whole_flow_by_shown_keys_at_120x40() {
    whole_flow((120, 40));
}

/// Starts a run in a console, lets `happen` happen to it, and waits for the same end.
fn the_run_survives(happen: impl FnOnce(&mut Terminal)) {
    let stack = Stack::up(Some("errors:0.3"));
    let mut terminal = Terminal::open(&stack, &[], (80, 24));
    terminal.shows("Press L");
    terminal.send("L");
    terminal.press("\r", "Enter");
    terminal.press("R", "R");
    terminal.until("an armed field", Duration::from_secs(10), |text| text.contains("0/8 typed"));
    settle();
    terminal.send("ROLLBACK");
    terminal.shows("complete");
    terminal.send("\r");
    terminal.until("a run", Duration::from_secs(10), |text| text.contains("[RUN]"));
    happen(&mut terminal);
    stack.wait("the run ends", Duration::from_secs(40), || {
        stack.run(&["history"]).out.contains("STATUS=success")
    });
    assert_eq!(stack.status()["active"], "blue");
    // Whoever attaches sees the truth within two seconds of the console's start.
    let mut again = Terminal::open(&stack, &["attach"], (80, 24));
    let limit = Duration::from_secs(2);
    again.until("the truth", limit, |text| text.contains("STABLE on v2.4.9"));
}

#[test]
fn a_killed_console_does_not_disturb_the_run() {
    the_run_survives(|terminal| {
        terminal.child.kill().unwrap();
        terminal.child.wait().unwrap();
    });
}

#[test]
fn a_terminal_that_nobody_reads_holds_nothing_up() {
    the_run_survives(|terminal| terminal.unread.store(true, Ordering::Relaxed));
}

#[test]
fn a_closed_terminal_ends_the_console_and_not_the_run() {
    the_run_survives(|terminal| {
        drop(terminal.writer.take());
        drop(terminal.master.take());
        // The reading thread holds the last handle; without a reader the terminal is gone when
        // the console is told to hang up.
        let pid = i32::try_from(terminal.child.process_id().unwrap()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
        let until = Instant::now() + Duration::from_secs(2);
        while terminal.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "the console outlived its terminal by 2 s");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    });
}

#[test]
fn a_second_terminal_watches_and_can_stop_the_run() {
    let stack = Stack::up(Some("errors:0.3"));
    let mut first = Terminal::open(&stack, &[], (80, 24));
    first.shows("Press L");
    let started = stack.start(&["rollback", "--quick", "--reason", "test"]);
    let refused = started.wait_with_output().unwrap();
    assert_eq!(refused.status.code(), Some(12), "a second engineer started beside the lead");
    first.send("L");
    first.press("\r", "Enter");
    first.press("R", "R");
    first.until("an armed field", Duration::from_secs(10), |text| text.contains("0/8 typed"));
    settle();
    first.send("ROLLBACK");
    first.shows("complete");
    first.send("\r");
    first.until("a run", Duration::from_secs(10), |text| text.contains("[RUN]"));
    let aborted = stack.run(&["abort", "undo"]);
    assert_eq!(aborted.code, 0, "{aborted:?}");
    first.until("the end", Duration::from_secs(20), |text| {
        text.contains("UNDONE") || text.contains("undone")
    });
    assert_eq!(stack.status()["active"], "green");
}
