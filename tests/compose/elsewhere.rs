//! Engines of other hosts: behind a real `ssh`, and behind a real engine that listens with TLS.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use backout::adapters::docker::{Daemon, DockerHost, DockerTools, ExecInput, ExecOutput};
use backout::clock::Clock;

use tokio::net::{TcpListener, UnixStream};

use super::private::Private;
use super::stack::can_run;
use crate::sshd::{Sshd, user};
use crate::tools::{free_port, required, tool};

const LIMIT: Duration = Duration::from_secs(20);

/// What waits for its end, and says a line each second.
const WAITS: &str = "trap 'exit 0' TERM; while :; do echo line; sleep 1; done";

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The children of a process that have this name.
fn children(of: u32, name: &str) -> Vec<i32> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let of_it = all.filter_map(|entry| {
        let pid = entry.file_name().to_string_lossy().parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let (head, rest) = stat.rsplit_once(')')?;
        let parent: u32 = rest.split_whitespace().nth(1)?.parse().ok()?;
        (parent == of && head.ends_with(&format!("({name}"))).then_some(pid)
    });
    of_it.collect()
}

/// One container of the machine's own engine, seen through ssh.
struct Far {
    sshd: Sshd,
    name: String,
    dir: tempfile::TempDir,
}

fn address(port: u16) -> String {
    format!("ssh://{}@127.0.0.1:{port}", user())
}

impl Far {
    fn start() -> Option<Self> {
        can_run()?;
        let Some(sshd) = Sshd::start() else {
            assert!(!required("sshd"), "no sshd is installed");
            return None;
        };
        let name = format!("backout-far-{}", sshd.port);
        let project = format!("com.docker.compose.project={name}");
        let labels = ["--label", &project, "--label", "com.docker.compose.service=web"];
        let mut run = Command::new("docker");
        run.args(["run", "-d", "--name", &name]).args(labels);
        let said = run.args(["alpine", "sh", "-c", WAITS]).output().unwrap();
        assert!(said.status.success(), "{said:?}");
        Some(Self { sshd, name, dir: tempfile::tempdir().unwrap() })
    }

    /// A configuration that looks at the container through this port.
    fn config(&self, port: u16) -> PathBuf {
        let path = self.dir.path().join(format!("{port}.yaml"));
        let text = format!(
            "environment: far\nstate_dir: {}\nhealth_checks:\n  - {{check_id: web, check_type: container, \
             name: {}, engine: \"{}\", interval: 1s, timeout: 15s}}\n",
            self.dir.path().join(format!("state-{port}")).display(),
            self.name,
            address(port),
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_backout"));
        let ours = self.sshd.client_folder().display().to_string();
        let path = format!("{ours}:{}", std::env::var("PATH").unwrap());
        command.args(arguments).current_dir(self.dir.path()).env("PATH", path);
        command.env("XDG_RUNTIME_DIR", self.dir.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn monitor(&self, config: &Path) -> Child {
        let mut monitor = self.command(&["--config", config.to_str().unwrap(), "monitor"]);
        monitor.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        Command::new("docker").args(["rm", "-f", &self.name]).output().ok();
    }
}

#[test]
fn an_engine_behind_ssh_is_found_watched_and_come_back_to() {
    let Some(far) = Far::start() else { return };
    let config = far.config(far.sshd.port);
    let config_text = config.to_str().unwrap();
    // A first configuration from there, with the address as it was named.
    let there = address(far.sshd.port);
    let mut init = far.command(&["init", "--from-compose", &far.name, "--print"]);
    let said = init.env("DOCKER_HOST", &there).output().unwrap();
    assert!(said.status.success() && text(&said).contains(&there), "{}", text(&said));
    assert!(text(&said).contains("web"), "{}", text(&said));

    let checked = far.run(&["--config", config_text, "check"]);
    assert!(checked.status.success() && text(&checked).contains("running"), "{}", text(&checked));

    let mut monitor = far.monitor(&config);
    let until = Instant::now() + Duration::from_mins(1);
    let good = |wanted: bool| loop {
        let checked = far.run(&["--config", config_text, "check"]);
        if checked.status.success() == wanted {
            return text(&checked);
        }
        assert!(Instant::now() < until, "{}", text(&checked));
    };
    good(true);
    // The line breaks, and is there again.
    let before = children(monitor.id(), "ssh");
    for pid in &before {
        let pid = rustix::process::Pid::from_raw(*pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
    }
    good(true);
    // Nobody asks a person, and nothing stays when the one who asked is killed.
    monitor.kill().unwrap();
    monitor.wait().unwrap();
    let ssh =
        |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let ours = |line: &str| line.contains(&format!("-p\0{}\0", far.sshd.port));
    let left = || {
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
        pids.filter(|pid: &i32| ours(&ssh(*pid))).count()
    };
    while left() > 0 {
        assert!(Instant::now() < until, "{} of ssh are left", left());
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

#[test]
fn an_engine_that_ssh_does_not_reach_is_unknown_and_ssh_says_why() {
    let Some(far) = Far::start() else { return };
    let nobody = far.config(free_port());
    let checked = far.run(&["--config", nobody.to_str().unwrap(), "check", "--json"]);
    let said = text(&checked);
    assert_eq!(checked.status.code(), Some(3), "{said}");
    assert!(said.contains("ssh said: ssh: connect to") && said.contains("refused; see"), "{said}");
    let wrong = "ssh://-oProxyCommand=touch@host";
    let mut init = far.command(&["init", "--from-compose", &far.name, "--print"]);
    let said = init.env("DOCKER_HOST", wrong).output().unwrap();
    assert!(!said.status.success() && text(&said).contains("ssh://USER@HOST"), "{}", text(&said));
}

/// The certificates of an engine and of two who ask it: one that it knows, and a stranger.
const CERTIFICATES: &str = "set -e
    own=\"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2\"
    $0 $own -addext basicConstraints=critical,CA:TRUE -subj /CN=ours -keyout ca.key -out ca.pem
    $0 $own -addext basicConstraints=critical,CA:TRUE -subj /CN=theirs -keyout theirs.key -out theirs.pem
    printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n' >ext
    for pair in server:ca client:ca stranger:theirs; do
        who=${pair%:*} by=${pair#*:}
        mkdir $who
        $0 req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$who \
            -keyout $who/key.pem -out $who.csr
        $0 x509 -req -in $who.csr -CA $by.pem -CAkey $by.key -CAcreateserial -days 2 -extfile ext \
            -out $who/cert.pem
        cp ca.pem $who/ca.pem
    done";

/// From a socket to the port behind it, within the engine's own network.
const WITHIN: &str = "
import os, socket, sys, threading
def copy(a, b):
    try:
        while data := a.recv(65536): b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError: pass
listener = socket.socket(socket.AF_UNIX); listener.bind(sys.argv[1]); listener.listen(64)
while True:
    near, _ = listener.accept()
    try: far = socket.create_connection(('127.0.0.1', int(sys.argv[2])))
    except OSError: near.close(); continue
    threading.Thread(target=copy, args=(near, far), daemon=True).start()
    threading.Thread(target=copy, args=(far, near), daemon=True).start()
";

/// A real engine that asks for a certificate, in a network of its own; `port` leads there.
struct Tls {
    private: Private,
    dir: tempfile::TempDir,
    port: u16,
    within: Child,
}

impl Tls {
    async fn start() -> Option<Self> {
        can_run()?;
        let openssl = tool("openssl", "openssl")?;
        let dir = tempfile::tempdir().unwrap();
        let mut make = Command::new("sh");
        let made = make.args(["-c", CERTIFICATES]).arg(openssl).current_dir(dir.path());
        let made = made.output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let file = |name: &str| dir.path().join("server").join(name).display().to_string();
        let (ca, certificate, key) = (file("ca.pem"), file("cert.pem"), file("key.pem"));
        let port = free_port();
        let listens = format!("tcp://127.0.0.1:{port}");
        let options = ["--tlsverify", "--tlscacert", &ca, "--tlscert", &certificate];
        let private =
            Private::start(&[&options[..], &["--tlskey", &key, "-H", &listens]].concat())?;
        let socket = dir.path().join("within");
        let mut within = private.place.command("python3");
        let within = within.args(["-c", WITHIN]).arg(&socket).arg(port.to_string());
        let within = within.stdin(Stdio::null()).spawn().unwrap();
        let until = Instant::now() + Duration::from_mins(1);
        while UnixStream::connect(&socket).await.is_err() {
            assert!(Instant::now() < until, "nobody leads into the engine's network");
            Clock::real().sleep(Duration::from_millis(50)).await;
        }
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let socket = socket.clone();
                tokio::spawn(async move {
                    let Ok(mut far) = UnixStream::connect(socket).await else { return };
                    tokio::io::copy_bidirectional(&mut near, &mut far).await.ok();
                });
            }
        });
        Some(Self { private, dir, port, within })
    }

    fn docker(&self, who: &str) -> DockerHost {
        let folder = self.dir.path().join(who);
        let address = format!("tls://127.0.0.1:{}{}", self.port, folder.display());
        DockerHost::connect(Some(&address), Clock::real()).unwrap()
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.within.kill().ok();
        self.within.wait().ok();
    }
}

/// Ends as soon as the line that the user would type does; in its own time, for the relay is ours.
async fn typed(line: &str) -> Output {
    tokio::process::Command::new("sh").args(["-c", line]).output().await.unwrap()
}

#[tokio::test]
async fn an_engine_behind_tls_does_all_that_one_here_does_and_asks_who_we_are() {
    let Some(mut tls) = Tls::start().await else { return };
    let docker = tls.docker("client");
    let Daemon { id, .. } = docker.daemon().await.unwrap();
    assert!(!id.is_empty());
    let shown = typed(&format!("{} ps", docker.by_hand())).await;
    assert!(shown.status.success(), "what is shown can be typed: {shown:?}");
    // A tool that is started with the address, as compose is.
    let labels = ["com.docker.compose.project=far", "com.docker.compose.service=web"];
    let labels = labels.map(|label| format!("--label {label}")).join(" ");
    let line = format!(
        "DOCKER_HOST={} docker run -d --network none {labels} alpine:latest sleep 600",
        docker.address()
    );
    docker.reach().await.unwrap();
    let ran = typed(&line).await;
    assert!(ran.status.success(), "{ran:?}");
    let web = docker.of_service("far", "web").await.unwrap();
    assert!(web.is_up(), "{web:?}");
    // Both directions of one connection, and its end.
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let (from, to) = (tls.dir.path().join("from"), tls.dir.path().join("to"));
    std::fs::write(&from, &bytes).unwrap();
    let tools = DockerTools::new(docker.clone(), "far", "web");
    let files = (ExecInput::File(from), ExecOutput::File(to.clone(), 10_000_000));
    let done = tools.run(&["cat".to_owned()], &[].into(), files, LIMIT).await.unwrap();
    assert_eq!((done.code, done.wrote), (0, 3_000_000));
    assert!(std::fs::read(&to).unwrap() == bytes, "the bytes are other ones");

    // A certificate of somebody else: refused, and said by whom.
    let why = tls.docker("stranger").daemon().await.unwrap_err().message;
    assert!(why.contains("BadCertificate") && why.contains("127.0.0.1"), "{why}");
    let why = docker.folder_of("data").unwrap_err().message;
    assert!(why.contains("on another host"), "{why}");

    tls.private.kill();
    let why = docker.daemon().await.unwrap_err().message;
    assert!(why.contains(&format!("127.0.0.1:{}", tls.port)), "{why}");
    tls.private.up();
    assert_eq!(docker.daemon().await.unwrap().id, id, "it is the same, and is spoken to again");
}
