//! Two hundred containers that write 10,000 lines a second in all: our console beside oxker, on the
//! same containers in the same run. Needs a container engine; oxker where it is on the PATH.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use portable_pty::CommandBuilder;

use super::console::{Terminal, memory, open};

const CONTAINERS: usize = 200;
const PROJECT: &str = "backout-bench";
/// Five lines each tenth of a second.
const TALK: &str = "import time, sys\n\
    n = 0\n\
    while True:\n\
    \x20   for _ in range(5):\n\
    \x20       n += 1\n\
    \x20       sys.stdout.write(f'INFO request {n} answered in 12 ms status=200\\n')\n\
    \x20   sys.stdout.flush()\n\
    \x20   time.sleep(0.1)\n";
const MEASURED: Duration = Duration::from_secs(20);

fn docker(arguments: &[&str]) -> Option<String> {
    let output = Command::new("docker").args(arguments).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The containers, removed when dropped.
struct Crowd;

impl Crowd {
    fn up() -> Option<Self> {
        docker(&["image", "inspect", "python:3.11-slim"])?;
        let crowd = Self;
        for number in 0..CONTAINERS {
            let name = format!("{PROJECT}-{number:03}");
            let service = format!("com.docker.compose.service=s{number:03}");
            let project = format!("com.docker.compose.project={PROJECT}");
            docker(&[
                "run",
                "-d",
                "--rm",
                "--network",
                "none",
                "--name",
                &name,
                "--label",
                &project,
                "--label",
                &service,
                "--label",
                "com.docker.compose.container-number=1",
                "--label",
                "com.docker.compose.oneoff=False",
                "--log-opt",
                "max-size=4m",
                "python:3.11-slim",
                "python3",
                "-c",
                TALK,
            ])?;
        }
        Some(crowd)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let filter = format!("label=com.docker.compose.project={PROJECT}");
        let Some(ids) = docker(&["ps", "-aq", "--filter", &filter]) else { return };
        let mut all = vec!["rm", "-f"];
        all.extend(ids.split_whitespace());
        docker(&all);
    }
}

/// Processor time of a process so far, with what it has waited for, in seconds.
fn cpu(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_ascii_whitespace().collect();
    // Fields 14 to 17 of proc(5), counted from the state behind the name.
    let ticks: u64 = fields[11..15].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    ticks as f64 / 100.0
}

/// Bytes that come until nothing has come for `quiet` or `most` is over.
fn read_for(terminal: &Terminal, most: Duration) -> usize {
    let (began, mut bytes) = (Instant::now(), 0);
    while began.elapsed() < most {
        if let Ok(read) = terminal.bytes.recv_timeout(Duration::from_millis(100)) {
            bytes += read.len();
        }
    }
    bytes
}

/// Time until a screen shows `word`.
fn until(terminal: &Terminal, began: Instant, word: &str) -> Option<Duration> {
    let mut screen = vt100::Parser::new(40.try_into().unwrap(), 120.try_into().unwrap(), 0);
    while began.elapsed() < Duration::from_secs(30) {
        if let Ok(read) = terminal.bytes.recv_timeout(Duration::from_millis(50)) {
            screen.process(&read);
            if screen.screen().contents().contains(word) {
                return Some(began.elapsed());
            }
        }
    }
    None
}

/// One line of numbers of a screen and the processes behind it.
fn measure(name: &str, terminal: &Terminal, first: Option<Duration>, pids: &[u32]) {
    // Histories are read at first: the steady state is what counts.
    read_for(terminal, Duration::from_secs(10));
    let before: f64 = pids.iter().map(|pid| cpu(*pid)).sum();
    let bytes = read_for(terminal, MEASURED);
    let after: f64 = pids.iter().map(|pid| cpu(*pid)).sum();
    let mib: f64 = pids.iter().map(|pid| memory(*pid)).sum();
    let first = first.map_or_else(|| "never".to_owned(), |first| format!("{first:.0?}"));
    println!(
        "{name:<26} first frame with containers {first:>8}  memory {mib:>6.1} MiB  CPU {:>5.1} %  {:>7} B/s to the terminal",
        (after - before) / MEASURED.as_secs_f64() * 100.0,
        bytes as u64 / MEASURED.as_secs()
    );
}

pub(crate) fn run() {
    println!("\n== 200 containers with 10,000 lines/s in all, console at 120x40");
    let Some(_crowd) = Crowd::up() else {
        println!("left out: no container engine with the image python:3.11-slim");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("backout.yaml");
    std::fs::write(
        &config,
        format!(
            "environment: bench\nstate_dir: state\n\
             platform: {{compose: {{project: {PROJECT}, dir: .}}}}\n\
             log_sources: [{{containers: all}}]\n\
             health_checks:\n  - {{check_id: first, check_type: container, container: s000, interval_seconds: 5}}\n"
        ),
    )
    .unwrap();
    let command = |arguments: &[&str]| {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_backout"));
        command.env_clear();
        command.args(arguments);
        command.env("PATH", "/usr/bin:/bin");
        command.env("HOME", dir.path());
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        command.env("XDG_RUNTIME_DIR", dir.path());
        command.env("BACKOUT_CONFIG", &config);
        command.cwd(dir.path());
        command
    };
    let began = Instant::now();
    let mut ours = open(command(&[]));
    let first = until(&ours, began, "first");
    let ps = Command::new(env!("CARGO_BIN_EXE_backout"))
        .args(["ps", "--json"])
        .env_clear()
        .env("XDG_RUNTIME_DIR", dir.path())
        .env("HOME", dir.path())
        .env("BACKOUT_CONFIG", &config)
        .output()
        .unwrap();
    let engines: serde_json::Value = serde_json::from_slice(&ps.stdout).unwrap();
    let engine = u32::try_from(engines[0]["pid"].as_u64().unwrap()).unwrap();
    let console = ours.child.process_id().unwrap();
    measure("backout: console + engine", &ours, first, &[console, engine]);
    let spool: u64 = std::fs::read_dir(dir.path().join("state/spool"))
        .map_or(0, |entries| entries.flatten().map(|e| e.metadata().map_or(0, |m| m.len())).sum());
    println!("{:<26} {} kB of logs kept meanwhile", "", spool / 1000);
    ours.child.kill().ok();
    ours.child.wait().ok();
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(i32::try_from(engine).unwrap()).unwrap(),
        rustix::process::Signal::TERM,
    )
    .ok();

    if Command::new("oxker").arg("--version").output().is_err() {
        println!("oxker is not installed: no peer beside it");
        return;
    }
    let began = Instant::now();
    let mut peer = CommandBuilder::new("oxker");
    peer.env("TERM", "xterm-256color");
    let mut peer = open(peer);
    let first = until(&peer, began, PROJECT);
    let pid = peer.child.process_id().unwrap();
    measure("oxker", &peer, first, &[pid]);
    peer.child.kill().ok();
    peer.child.wait().ok();
}
