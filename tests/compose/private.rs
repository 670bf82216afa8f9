//! An engine that a test may kill: in network, mounts and processes of its own, so that the
//! machine's own engine never notices. All of it ends with whoever started it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::stack::{Place, can_run, skip};

/// What the laboratory's stack is made of.
const IMAGES: [&str; 7] = [
    "postgres:15",
    "nginx:1.22",
    "redis:7",
    "alpine:latest",
    "python:3.11-slim",
    "spacetime:v2.4.9",
    "spacetime:v2.5.0",
];

/// A private engine.
pub(super) struct Private {
    pub(super) place: Place,
    dir: PathBuf,
    options: Vec<String>,
    /// Its namespaces end with this one's input.
    holder: Child,
    engine: Option<Child>,
}

impl Private {
    /// Starts one with these further options and the laboratory's images; nothing, and said, where
    /// that cannot be done.
    pub(super) fn start(options: &[&str]) -> Option<Self> {
        can_run()?;
        if !rustix::process::geteuid().is_root() {
            return skip("an engine of our own needs root");
        }
        for program in ["/usr/bin/unshare", "/usr/bin/nsenter", "/usr/sbin/dockerd"] {
            if !Path::new(program).is_file() {
                return skip(&format!("an engine of our own needs {program}"));
            }
        }
        let dir = tempfile::tempdir().unwrap().keep();
        // Bash collects the processes that nobody waits for, as an engine expects of the first one.
        let inner = "ip link set lo up; echo ready; read -r nothing";
        let line = "unshare -n -m -p -f --mount-proc bash -c \"$1\"; rm -rf \"$0\"";
        let mut holder = Command::new("sh");
        holder.args(["-c", line]).arg(&dir).arg(inner);
        holder.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut holder = holder.spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert_eq!(ready.trim(), "ready");
        let first = child_of(child_of(holder.id()));
        let within = ["nsenter", "-t", &first.to_string(), "-n", "-m", "-p", "--"];
        let place = Place {
            socket: Some(dir.join("docker.sock")),
            within: within.map(str::to_owned).to_vec(),
            cache: Some(dir.join("cache")),
        };
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut private = Self { place, dir, options, holder, engine: None };
        private.up();
        let socket = private.place.socket.as_ref().unwrap().display().to_string();
        let line = format!("docker save {} | docker -H unix://{socket} load", IMAGES.join(" "));
        let loaded = Command::new("sh").args(["-c", &line]).output().unwrap();
        assert!(loaded.status.success(), "{loaded:?}");
        Some(private)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Starts the engine, and waits until it answers.
    pub(super) fn up(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.dir.join("log"));
        let (log, at) = (log.unwrap(), |name: &str| self.dir.join(name));
        let mut engine = self.place.command("/usr/sbin/dockerd");
        engine.env_remove("DOCKER_HOST").args(["--log-level", "warn"]).args(&self.options);
        engine.arg("-H").arg(format!("unix://{}", at("docker.sock").display()));
        engine.arg("--data-root").arg(at("data")).arg("--exec-root").arg(at("exec"));
        engine.arg("--pidfile").arg(at("pid"));
        engine.stdout(log.try_clone().unwrap()).stderr(log);
        self.engine = Some(engine.spawn().unwrap());
        let until = Instant::now() + Duration::from_mins(4);
        loop {
            let said = self.place.command("docker").args(["ps", "-q"]).output().unwrap();
            if said.status.success() {
                return;
            }
            assert!(Instant::now() < until, "{}", self.log());
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// Kills the engine with no word to it; what runs in containers is not asked.
    pub(super) fn kill(&mut self) {
        let pid = self.dir.join("pid");
        let line = "kill -KILL $(cat \"$0\")";
        let killed = self.place.command("sh").args(["-c", line]).arg(pid).output().unwrap();
        assert!(killed.status.success(), "{killed:?}");
        if let Some(mut engine) = self.engine.take() {
            engine.wait().unwrap();
        }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        self.holder.wait().ok();
        if let Some(mut engine) = self.engine.take() {
            engine.wait().ok();
        }
    }
}

/// The one process that this one started.
fn child_of(pid: u32) -> u32 {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let text = std::fs::read_to_string(path).unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}
