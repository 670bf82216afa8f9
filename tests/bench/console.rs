//! Rows 2, 5 and 7: key to paint, idle bytes and wake-ups, memory, of the real console.

use std::io::{Read, Write};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::support::Stack;
use super::{line, ratio};

pub(crate) struct Terminal {
    pub(crate) child: Box<dyn portable_pty::Child + Send + Sync>,
    pub(crate) writer: Box<dyn Write + Send>,
    pub(crate) bytes: mpsc::Receiver<Vec<u8>>,
    _master: Box<dyn MasterPty + Send>,
}

pub(crate) fn open(command: CommandBuilder) -> Terminal {
    let size = PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).unwrap();
    let child = pair.slave.spawn_command(command).unwrap();
    let mut reader = pair.master.try_clone_reader().unwrap();
    let writer = pair.master.take_writer().unwrap();
    let (to, bytes) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 65536];
        while let Ok(read) = reader.read(&mut buffer) {
            if read == 0 || to.send(buffer[..read].to_vec()).is_err() {
                return;
            }
        }
    });
    Terminal { child, writer, bytes, _master: pair.master }
}

impl Terminal {
    /// Waits for `span` without a drawing, for a second at most.
    fn quiet(&self, span: Duration) {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(1) && self.bytes.recv_timeout(span).is_ok() {}
    }

    /// Time from a key to the first byte that answers it.
    fn key(&mut self, key: &[u8]) -> Duration {
        let began = Instant::now();
        self.writer.write_all(key).unwrap();
        self.writer.flush().unwrap();
        self.bytes.recv_timeout(Duration::from_secs(2)).unwrap();
        began.elapsed()
    }
}

pub(crate) fn of(stack: &Stack, arguments: &[&str]) -> CommandBuilder {
    let template = stack.command(arguments);
    let mut command = CommandBuilder::new(template.get_program());
    command.env_clear();
    template.get_args().for_each(|argument| command.arg(argument));
    template.get_envs().for_each(|(name, value)| command.env(name, value.unwrap()));
    command.cwd(stack.dir());
    command
}

/// Proportional memory in MiB.
pub(crate) fn memory(pid: u32) -> f64 {
    proc(pid).0
}

/// Proportional memory in MiB, and context switches so far.
fn proc(pid: u32) -> (f64, u64) {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
    let field = |text: &str, name: &str| -> u64 {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let pss = field(&read("smaps_rollup"), "Pss:") as f64 / 1024.0;
    let mut switches = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten() {
        let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
        if !status.is_empty() {
            switches += field(&status, "voluntary_ctxt_switches:");
        }
    }
    (pss, switches)
}

pub(crate) fn run() {
    println!("\n== console at 120x40 on the embedded stack (rows 2, 5, 7)");
    let mut floor = open(CommandBuilder::new("cat"));
    floor.quiet(Duration::from_millis(300));
    let mut echoes: Vec<Duration> = (0..200).map(|_| floor.key(b"x")).collect();
    floor.child.kill().ok();
    let stack = Stack::up(Some("errors:0.3"));
    let mut ours = open(of(&stack, &[]));
    // Until the first looks are in and the first assessment is drawn.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(6) {
        ours.bytes.recv_timeout(Duration::from_millis(100)).ok();
    }
    // Tab moves the focus: a key that always changes the screen. Drawings by themselves come at
    // most ten times a second, so the key waits for a moment without one.
    let mut keys = Vec::new();
    for _ in 0..200 {
        ours.quiet(Duration::from_millis(25));
        keys.push(ours.key(b"\t"));
    }
    let (limit, limit_most) = line("floor: cat echoes a key", &mut echoes);
    let (half, most) = line("key to first byte", &mut keys);
    ratio("ratio p50", half, limit);
    println!(
        "{:<44} p50 {:.1?} over 1.25 x floor, p99 {:.1?} over 1.5 x floor",
        "goal: at most 0.7 ms and 2 ms",
        half.saturating_sub(limit.mul_f64(1.25)),
        most.saturating_sub(limit_most.mul_f64(1.5))
    );
    let pid = ours.child.process_id().unwrap();
    let engines = stack.run(&["ps", "--json"]).json();
    let engine = u32::try_from(engines[0]["pid"].as_u64().unwrap()).unwrap();
    let (_, before) = proc(pid);
    let began = Instant::now();
    let mut bytes = 0;
    while began.elapsed() < Duration::from_secs(10) {
        if let Ok(read) = ours.bytes.recv_timeout(Duration::from_millis(100)) {
            bytes += read.len();
        }
    }
    let (pss, after) = proc(pid);
    println!("{:<44} {} B/s", "8 checks a second, 150 log lines/s", bytes / 10);
    println!("{:<44} {}/s", "wake-ups of the console meanwhile", (after - before) / 10);
    println!("{:<44} {pss:.1} MiB (bar 12)", "console, proportional memory");
    println!("{:<44} {:.1} MiB (bar 25)", "engine, proportional memory", proc(engine).0);
    ours.child.kill().ok();
    ours.child.wait().ok();
}
