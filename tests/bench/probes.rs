//! 10,000 HTTP checks at 30 s: whether they come as a burst, how late they are, and what one costs
//! beside prometheus-blackbox-exporter (under a Prometheus that asks it) and monit, on the same
//! targets, one after the other in the same run.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use backout::engine::prober::until_next;

const CHECKS: u64 = 10_000;
const EVERY: Duration = Duration::from_secs(30);
/// What each is given to come to rest, and how long it is measured then.
const WARM: Duration = Duration::from_secs(70);
const MEASURED: Duration = Duration::from_mins(1);

/// A server that answers everything, and counts by the first letter of the path.
struct Target {
    port: u16,
    counts: Arc<[AtomicU64; 256]>,
}

impl Target {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let counts: Arc<[AtomicU64; 256]> = Arc::new(std::array::from_fn(|_| AtomicU64::new(0)));
        let kept = Arc::clone(&counts);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                loop {
                    let Ok((stream, _)) = listener.accept().await else { continue };
                    let kept = Arc::clone(&kept);
                    tokio::spawn(async move { answer(stream, &kept).await });
                }
            });
        });
        Self { port, counts }
    }

    fn count(&self, letter: u8) -> u64 {
        self.counts[usize::from(letter)].load(Ordering::Relaxed)
    }
}

async fn answer(mut stream: tokio::net::TcpStream, counts: &[AtomicU64; 256]) -> Option<()> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut head = Vec::with_capacity(512);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    // `GET /o/17 HTTP/1.1`: an absolute form never comes without a proxy.
    let letter = head.get(5).copied().unwrap_or_default();
    counts[usize::from(letter)].fetch_add(1, Ordering::Relaxed);
    let said = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
    stream.write_all(said).await.ok()
}

/// Ended with the run.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        )
    }

    /// Processor time so far.
    fn used(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let (_, after) = stat.rsplit_once(") ").unwrap();
        let fields: Vec<u64> =
            after.split(' ').skip(11).take(2).map(|n| n.parse().unwrap()).collect();
        Duration::from_millis((fields[0] + fields[1]) * 10)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Processor time of each process for one probe, and the most probes in one second.
struct Cost {
    each: Vec<Duration>,
    most: u64,
}

fn measure(name: &str, target: &Target, letter: u8, running: &[&Running]) -> Cost {
    std::thread::sleep(WARM);
    let (before, asked) =
        (running.iter().map(|one| one.used()).collect::<Vec<_>>(), target.count(letter));
    let (began, mut last, mut most) = (Instant::now(), asked, 0);
    while began.elapsed() < MEASURED {
        std::thread::sleep(Duration::from_secs(1));
        let now = target.count(letter);
        most = most.max(now - last);
        last = now;
    }
    let probes = target.count(letter) - asked;
    let each: Vec<Duration> = running
        .iter()
        .zip(before)
        .map(|(one, before)| {
            one.used().saturating_sub(before) / u32::try_from(probes.max(1)).unwrap()
        })
        .collect();
    let shown: Vec<String> = each.iter().map(|one| format!("{one:.1?}")).collect();
    println!(
        "{name:<44} {probes} probes in {MEASURED:?}, most in a second {most}, CPU a probe {}",
        shown.join(" + ")
    );
    Cost { each, most }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn tool(name: &str) -> Option<PathBuf> {
    let found = Path::new("/usr/bin").join(name);
    if found.is_file() {
        return Some(found);
    }
    println!("SKIPPED: no {name}");
    None
}

fn ours(target: &Target, dir: &Path) -> Cost {
    let config = dir.join("backout.yaml");
    let mut text = format!(
        "environment: bench\nstate_dir: {}\nmonitoring_interval_seconds: {}\nhealth_checks:\n",
        dir.join("state").display(),
        EVERY.as_secs()
    );
    for n in 0..CHECKS {
        let port = target.port;
        writeln!(
            text,
            "- {{check_id: c{n}, check_type: http_response, endpoint_url: http://127.0.0.1:{port}/o/{n}}}"
        )
        .unwrap();
    }
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_backout"));
    command.args(["monitor", "--config"]).arg(&config).env_clear().env("HOME", dir);
    command.env("XDG_RUNTIME_DIR", dir).env("PATH", "/usr/bin:/bin");
    let running = Running::start(&mut command);
    let cost = measure("backout monitor", target, b'o', &[&running]);
    late(&dir.join("state"));
    cost
}

/// How long after its tick each look began.
fn late(state: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let from = chrono::Utc::now() - MEASURED;
    let readings = runtime.block_on(async {
        let mut samples = backout::journal::Samples::read(state).await.unwrap();
        samples.since(from).await.unwrap()
    });
    let mut late: Vec<Duration> = readings
        .iter()
        .map(|reading| {
            EVERY.saturating_sub(until_next(&reading.check, EVERY, reading.at.timestamp_millis()))
        })
        .collect();
    super::line("late behind its tick (goal p99 1 s)", &mut late);
}

fn blackbox(target: &Target, dir: &Path) -> Option<Cost> {
    let (exporter, prometheus) = (tool("prometheus-blackbox-exporter")?, tool("prometheus")?);
    let (own, server) = (free_port(), free_port());
    std::fs::write(dir.join("blackbox.yml"), "modules: {http: {prober: http, timeout: 10s}}\n")
        .unwrap();
    let mut targets = String::from("[");
    for n in 0..CHECKS {
        write!(targets, "\"http://127.0.0.1:{}/b/{n}\",", target.port).unwrap();
    }
    targets.pop();
    targets.push(']');
    std::fs::write(dir.join("targets.json"), format!("[{{\"targets\":{targets}}}]")).unwrap();
    let config = format!(
        "global: {{scrape_interval: 30s, scrape_timeout: 10s}}\nscrape_configs:\n  - job_name: b\n    \
         metrics_path: /probe\n    params: {{module: [http]}}\n    file_sd_configs: [{{files: \
         [targets.json]}}]\n    relabel_configs:\n      - {{source_labels: [__address__], target_label: \
         __param_target}}\n      - {{source_labels: [__param_target], target_label: instance}}\n      \
         - {{target_label: __address__, replacement: '127.0.0.1:{own}'}}\n"
    );
    std::fs::write(dir.join("prometheus.yml"), config).unwrap();
    let one = Running::start(Command::new(exporter).current_dir(dir).args([
        "--config.file=blackbox.yml".to_owned(),
        "--log.level=error".to_owned(),
        format!("--web.listen-address=127.0.0.1:{own}"),
    ]));
    let other = Running::start(Command::new(prometheus).current_dir(dir).args([
        "--config.file=prometheus.yml".to_owned(),
        "--storage.tsdb.path=data".to_owned(),
        "--log.level=error".to_owned(),
        format!("--web.listen-address=127.0.0.1:{server}"),
    ]));
    Some(measure("blackbox exporter + Prometheus", target, b'b', &[&one, &other]))
}

fn monit(target: &Target, dir: &Path) -> Option<Cost> {
    let program = tool("monit")?;
    let port = target.port;
    let shown = dir.display();
    let mut text = format!(
        "set daemon 30\nset idfile {shown}/id\nset statefile {shown}/state\nset pidfile {shown}/pid\n"
    );
    for n in 0..CHECKS {
        writeln!(
            text,
            "check host m{n} with address 127.0.0.1\n  if failed port {port} protocol http request \
             \"/m/{n}\" then alert"
        )
        .unwrap();
    }
    let config = dir.join("monitrc");
    std::fs::write(&config, text).unwrap();
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600)).unwrap();
    // In the foreground; every service is looked at once a cycle, one after the other.
    let running = Running::start(Command::new(program).arg("-I").arg("-c").arg(&config));
    Some(measure("monit", target, b'm', &[&running]))
}

pub(crate) fn run() {
    println!("\n== probes: {CHECKS} HTTP checks at {EVERY:?}");
    let target = Target::start();
    let mut stream = TcpStream::connect(("127.0.0.1", target.port)).unwrap();
    stream.write_all(b"GET /x HTTP/1.1\r\n\r\n").unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    let dir = || tempfile::tempdir().unwrap();
    let own = ours(&target, dir().path());
    let average = CHECKS / EVERY.as_secs();
    println!("{:<44} {:.2}", "most in a second to the average", own.most as f64 / average as f64);
    let others = [blackbox(&target, dir().path()), monit(&target, dir().path())];
    // The exporter alone is the least that it could cost: without a Prometheus nobody asks it.
    let best = others.iter().flatten().filter_map(|cost| cost.each.first()).min();
    if let Some(best) = best {
        super::ratio("CPU a probe to the better one (goal 0.5)", own.each[0], *best);
    }
}
