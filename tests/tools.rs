//! Programs of others that a test runs for real: found at the start, or said to be missing.

use std::fs::File;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::{Duration, Instant};

use backout::checks::{ProbeCx, probe};
use backout::clock::Clock;
use backout::config::{Environment, load};
use backout::model::reading::Reading;

/// Whether `BACKOUT_TEST_REQUIRE` names it: what needs it must not be left out then.
pub(crate) fn required(name: &str) -> bool {
    let required = std::env::var("BACKOUT_TEST_REQUIRE").unwrap_or_default();
    required.split(',').any(|one| one.trim() == name)
}

/// Where `name` is. A missing one is said, and is a failure where `BACKOUT_TEST_REQUIRE` names it.
#[expect(clippy::print_stdout, reason = "a test that did not run has to say so")]
pub(crate) fn tool(name: &str, program: &str) -> Option<PathBuf> {
    let folders = ["/usr/bin", "/usr/local/bin", "/usr/sbin"];
    let found = folders.iter().map(|folder| Path::new(folder).join(program));
    let found = found.into_iter().find(|path| path.is_file());
    if found.is_none() {
        assert!(!required(name), "{name} is required, and there is no {program}");
        println!("SKIPPED: no {name} (there is no {program} in {})", folders.join(", "));
    }
    found
}

/// A port that nobody has and that nobody gets by chance before it is used: below those that the
/// kernel gives to clients, and another one at each call.
pub(crate) fn free_port() -> u16 {
    free_ports(1)
}

/// The first of so many in a row.
pub(crate) fn free_ports(many: u16) -> u16 {
    /// The embedded stack takes its own from 10000 on.
    const FIRST: u16 = 4_000;
    const ALL: u16 = 5_900;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two runs at once begin far from one another.
    let begin = u16::try_from(std::process::id() % 59).unwrap() * 100;
    let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
    for _ in 0..1_000 {
        let next = NEXT.fetch_add(many, Ordering::Relaxed);
        let port = FIRST + (begin + next % ALL) % ALL;
        if (port..port + many).all(is_free) {
            return port;
        }
    }
    panic!("no free port from {FIRST} on");
}

/// A server on 127.0.0.1 in a folder of its own, killed when dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) port: u16,
    pub(crate) dir: tempfile::TempDir,
}

impl Running {
    /// Starts `program` in a fresh folder; `arguments` gets the folder and a free port.
    pub(crate) fn start(program: &Path, arguments: impl Fn(&Path, u16) -> Vec<String>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let log = File::create(dir.path().join("log")).unwrap();
        let child = Command::new(program)
            .args(arguments(dir.path(), port))
            .current_dir(dir.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .stderr(log.try_clone().unwrap())
            .stdout(log)
            .spawn()
            .unwrap();
        Self { child, port, dir }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn stop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A small disk of its own, unmounted when dropped.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// So many MiB; none when this machine does not let us, by the test's name.
    #[expect(clippy::print_stdout, reason = "a test that did not run has to say so")]
    pub(crate) fn mount(at: &Path, size: u32, test: &str) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = rustix::process::geteuid().is_root()
            && Command::new("mount")
                .args(["-t", "tmpfs", "-o", &format!("size={size}m,mode=0700"), "tmpfs"])
                .arg(at)
                .output()
                .is_ok_and(|done| done.status.success());
        if !mounted {
            assert!(!required("mount"), "{test} needs root and the right to mount a tmpfs");
            println!("SKIPPED {test}: needs root and the right to mount a tmpfs");
        }
        mounted.then(|| Self(at.to_owned()))
    }

    /// Takes every byte that is free.
    pub(crate) fn fill(&self) {
        let mut file = File::options().create(true).append(true).open(self.filler()).unwrap();
        for size in [64 * 1024, 4096] {
            let block = vec![7; size];
            while file.write_all(&block).is_ok() {}
        }
    }

    /// Gives so many bytes of that back.
    pub(crate) fn give_back(&self, bytes: u64) {
        let file = File::options().write(true).open(self.filler()).unwrap();
        let size = file.metadata().unwrap().len();
        file.set_len(size.saturating_sub(bytes)).unwrap();
    }

    /// What takes the place.
    pub(crate) fn filler(&self) -> PathBuf {
        self.0.join("somebody-elses.log")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).output().ok();
    }
}

/// What the one check of this entry, written as in a file, reads at the time of `clock`.
pub(crate) async fn look(entry: &str, clock: &Clock) -> Reading {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("backout.yaml");
    std::fs::write(&path, format!("health_checks:\n  - {{check_id: it, {entry}}}\n")).unwrap();
    let environment = Environment::of([("HOME", "/srv/dana"), ("REDIS_PASSWORD", "geheim")]);
    let config = load(&path, &environment).unwrap_or_else(|problems| panic!("{problems:?}"));
    let cx = ProbeCx { clock: clock.clone(), dir: dir.path().to_owned() };
    probe(&config.checks[0], &cx).await
}

/// Requests of `url` while something is done: how many, and which failed.
pub(crate) fn under_load(url: &str, work: impl FnOnce()) -> (u64, Vec<String>) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let one = || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let (mut all, mut failed) = (0_u64, Vec::new());
            runtime.block_on(async {
                let clock = backout::clock::Clock::real();
                while !over.load(Ordering::Relaxed) {
                    let next = Instant::now() + Duration::from_millis(20);
                    let limit = Duration::from_secs(15);
                    let said = backout::adapters::control::get(url, limit, &clock).await;
                    all += 1;
                    match said {
                        Ok(reply) if reply.is_success() => {}
                        Ok(reply) => failed.push(format!("status {}", reply.status)),
                        Err(error) => failed.push(error.message),
                    }
                    tokio::time::sleep_until(next.into()).await;
                }
            });
            (all, failed)
        };
        // 200 requests a second where the machine is as fast as that.
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
        work();
        over.store(true, Ordering::Relaxed);
        let mut sum = (0, Vec::new());
        for client in clients {
            let (all, failed) = client.join().unwrap();
            sum.0 += all;
            sum.1.extend(failed);
        }
        sum
    })
}
