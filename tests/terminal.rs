//! The program in a terminal: keys go in, and what it draws is read as a screen.

use std::io::{Read, Write};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::line::{Bad, Questions, carry};
use super::support::patience;

/// The program in a terminal of its own, and the screen it has drawn.
pub(crate) struct Terminal {
    pub(crate) child: Box<dyn Child + Send + Sync>,
    pub(crate) master: Option<Box<dyn MasterPty + Send>>,
    /// Where keys and answers go: to the terminal, at once or over a bad line.
    pub(crate) writer: Option<Keys>,
    pub(crate) bytes: mpsc::Receiver<Vec<u8>>,
    questions: Questions,
    /// While it is set, nobody reads the terminal.
    pub(crate) unread: Arc<AtomicBool>,
    pub(crate) screen: vt100::Parser,
    pub(crate) raw: Vec<u8>,
}

/// Takes keys for a terminal.
pub(crate) type Keys = Box<dyn FnMut(&[u8])>;

impl Terminal {
    /// The program as `template` starts it.
    pub(crate) fn open(template: &Command, size: (u16, u16)) -> Self {
        Self::open_over(None, template, size)
    }

    /// With a bad line between the terminal and this test.
    pub(crate) fn open_over(
        line: Option<Bad>,
        template: &Command,
        (columns, rows): (u16, u16),
    ) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(template.get_program());
        command.env_clear();
        for argument in template.get_args() {
            command.arg(argument);
        }
        for (name, value) in template.get_envs() {
            command.env(name, value.unwrap());
        }
        if let Some(dir) = template.get_current_dir() {
            command.cwd(dir);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let mut writer = pair.master.take_writer().unwrap();
        let (to, bytes) = mpsc::channel();
        let (writer, to): (Keys, mpsc::Sender<Vec<u8>>) = match line {
            None => {
                let keys = move |keys: &[u8]| {
                    writer.write_all(keys).unwrap();
                    writer.flush().unwrap();
                };
                (Box::new(keys), to)
            }
            Some(bad) => {
                let count = Arc::default();
                let keys = carry(bad, &count, move |keys| writer.write_all(keys).is_ok());
                let seen = carry(bad, &count, move |bytes| to.send(bytes.to_vec()).is_ok());
                (Box::new(move |bytes: &[u8]| drop(keys.send(bytes.to_vec()))), seen)
            }
        };
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
            questions: Questions::default(),
            unread,
            screen: vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0),
            raw: Vec::new(),
        }
    }

    pub(crate) fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// Reads what was drawn until `done`, or fails with the screen.
    pub(crate) fn until(&mut self, what: &str, limit: Duration, done: impl Fn(&str) -> bool) {
        let limit = patience(limit);
        let until = Instant::now() + limit;
        while !done(&self.text()) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited {limit:?} in vain for {what}:\n{}", self.text());
            if let Ok(bytes) = self.bytes.recv_timeout(left.min(Duration::from_millis(100))) {
                self.take(&bytes);
            }
        }
    }

    /// Draws bytes, and answers as a terminal does.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.screen.process(bytes);
        self.raw.extend(bytes);
        let answers = Questions::ANSWER.repeat(self.questions.count(bytes));
        if let Some(writer) = self.writer.as_mut().filter(|_| !answers.is_empty()) {
            writer(answers.as_bytes());
        }
    }

    /// Draws for so long, whatever comes.
    pub(crate) fn rest(&mut self, span: Duration) {
        let until = Instant::now() + span;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if let Ok(bytes) = self.bytes.recv_timeout(left) {
                self.take(&bytes);
            }
        }
    }

    pub(crate) fn shows(&mut self, words: &str) {
        self.until(words, Duration::from_secs(20), |text| text.contains(words));
    }

    pub(crate) fn send(&mut self, keys: &str) {
        self.writer.as_mut().unwrap()(keys.as_bytes());
    }

    /// Presses a key that the verdict line or the key bar offers now, and no other.
    pub(crate) fn press(&mut self, key: &str, offered: &str) {
        self.until(offered, Duration::from_secs(20), |text| offers(text).contains(offered));
        self.send(key);
    }

    pub(crate) fn ended(&mut self, limit: Duration) -> u32 {
        let limit = patience(limit);
        let until = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                while let Ok(bytes) = self.bytes.recv_timeout(Duration::from_secs(1)) {
                    self.screen.process(&bytes);
                    self.raw.extend(bytes);
                }
                return status.exit_code();
            }
            assert!(Instant::now() < until, "it did not end in {limit:?}:\n{}", self.text());
            if let Ok(bytes) = self.bytes.recv_timeout(Duration::from_millis(50)) {
                self.take(&bytes);
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
pub(crate) fn settle(terminal: &mut Terminal) {
    terminal.rest(Duration::from_millis(400));
}

/// The verdict line's two rows and the last row.
pub(crate) fn offers(text: &str) -> String {
    let rows: Vec<&str> = text.lines().collect();
    let mut offered: Vec<&str> = rows.iter().skip(2).take(2).copied().collect();
    offered.extend(rows.last());
    offered.join("\n")
}
