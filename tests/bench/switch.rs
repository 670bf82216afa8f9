//! Row 22: our switch of nginx's traffic beside the bare script that does the same, with a witness
//! that asks all the while: when the other colour serves first, and whether a request fails.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use backout::adapters::Traffic as _;
use backout::adapters::nginx::Nginx;
use backout::clock::Clock;
use backout::model::ids::Color;

use super::host_nginx::HostNginx;
use super::{line, quantile};

const ROUNDS: usize = 15;

/// What one fresh request is answered, where it is.
fn asked(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(b"GET /health HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.contains(" 200 ").then_some(text)
}

/// Switches with `work` to `color`; when it was served first, when the work was done, and how many
/// requests failed meanwhile.
fn watched(port: u16, color: &str, work: impl FnOnce()) -> (Duration, Duration, u64) {
    let (over, failed, first) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let began = Instant::now();
    let mut done = Duration::ZERO;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) || first.load(Ordering::Relaxed) == 0 {
                match asked(port) {
                    Some(said) if said.contains(color) && first.load(Ordering::Relaxed) == 0 => {
                        let micros = began.elapsed().as_micros() as u64;
                        first.store(micros.max(1), Ordering::Relaxed);
                    }
                    Some(_) => {}
                    None => {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
                std::thread::sleep(Duration::from_micros(500));
            }
        });
        work();
        done = began.elapsed();
        over.store(true, Ordering::Relaxed);
    });
    (Duration::from_micros(first.load(Ordering::Relaxed)), done, failed.load(Ordering::Relaxed))
}

fn script(host: &HostNginx, color: &str) {
    let (dir, binary) = (host.dir().display(), host.binary().display().to_string());
    let line = format!(
        "cp {dir}/{color}.upstream {dir}/.next && mv {dir}/.next {dir}/active.conf && \
         {binary} -t -q && {binary} -s reload && \
         until curl -s http://127.0.0.1:{}/health | grep -q {color}; do :; done",
        host.port
    );
    assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
}

fn fsync(dir: &Path) -> Duration {
    let mut file = std::fs::File::create(dir.join("synced")).unwrap();
    let mut times: Vec<Duration> = (0..50)
        .map(|_| {
            let began = Instant::now();
            file.write_all(&[b'x'; 512]).unwrap();
            file.sync_data().unwrap();
            began.elapsed()
        })
        .collect();
    quantile(&mut times, 0.5)
}

pub(crate) fn run() {
    println!("\n== a switch of traffic, nginx on this host (row 22)");
    let backends = ["blue", "green"].map(|color| (color, backend(color)));
    let Some(host) = HostNginx::start(&backends) else { return };
    let nginx = Arc::new(Nginx::new(host.settings(), Clock::real()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut bare, mut ours) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    let mut failed = (0, 0);
    for round in 0..ROUNDS {
        let (first, done, missed) = watched(host.port, "green", || script(&host, "green"));
        bare.0.push(first);
        bare.1.push(done);
        failed.0 += missed;
        let (first, done, missed) = watched(host.port, "blue", || {
            let effect = format!("bench.{round}");
            runtime.block_on(nginx.switch(&Color::from("blue"), &effect)).unwrap();
        });
        ours.0.push(first);
        ours.1.push(done);
        failed.1 += missed;
    }
    let (limit, _) = line("script: first answer of the other colour", &mut bare.0);
    let (half, _) = line("ours: first answer of the other colour", &mut ours.0);
    line("script: proven", &mut bare.1);
    line("ours: proven, with the old workers replaced", &mut ours.1);
    let sync = fsync(host.dir());
    println!(
        "{:<44} {:+.1} ms (goal 5 ms and 3 fsync of {:.2} ms: {:.1} ms)",
        "ours over the script",
        (half.as_secs_f64() - limit.as_secs_f64()) * 1e3,
        sync.as_secs_f64() * 1e3,
        5.0 + 3.0 * sync.as_secs_f64() * 1e3
    );
    println!("{:<44} script {}, ours {}", "requests that failed", failed.0, failed.1);
}

/// An application of one colour; it ends with the process.
fn backend(color: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream, color));
        }
    });
    port
}

fn answer(mut stream: TcpStream, color: &str) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => request.extend_from_slice(&buffer[..count]),
            Ok(_) | Err(_) => return,
        }
    }
    let body = format!("{{\"environment\": \"{color}\"}}");
    let head = format!(
        "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).ok();
}
