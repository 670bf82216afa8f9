//! Other tools of the same kind: compose of the second version, and Podman's compatible socket.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use backout::adapters::compose::{Compose, ComposeSettings};
use backout::adapters::docker::{DockerHost, Exec, ExecInput, ExecOutput};
use backout::adapters::process::Program;
use backout::adapters::{Kind, Workload};
use backout::clock::Clock;
use backout::model::ids::Color;
use futures_util::StreamExt;

use super::deploys::order;
use super::stack::{can_run, scripts, skip};
use crate::tools::{required, tool};

/// Compose of the second version: the laboratory's own, fetched once, or the engine's plugin.
fn second() -> Option<Vec<String>> {
    can_run()?;
    let plugin = Command::new("docker").args(["compose", "version"]).output();
    if plugin.is_ok_and(|said| said.status.success()) {
        return Some(vec!["docker".to_owned(), "compose".to_owned()]);
    }
    let said = Command::new(scripts().join("../compose-v2")).stdin(Stdio::null()).output().ok()?;
    let path = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    if said.status.success() && Path::new(&path).is_file() {
        return Some(vec![path]);
    }
    skip("there is no compose of the second version")
}

/// A project of one service, removed with its container when dropped.
struct Small {
    dir: tempfile::TempDir,
    project: String,
    tool: Vec<String>,
}

impl Small {
    fn up(tool: Vec<String>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = "services:\n  app-green:\n    image: spacetime:${IMAGE_TAG}\n    \
                    network_mode: none\n    \
                    command: [sleep, '3600']\n    stop_grace_period: 1s\n";
        std::fs::write(dir.path().join("compose.yml"), text).unwrap();
        std::fs::write(dir.path().join(".env"), "IMAGE_TAG=v2.5.0\n").unwrap();
        let small = Self { dir, project: format!("backouttwo{}", std::process::id()), tool };
        small.compose_said(&["up", "-d"]);
        small
    }

    fn compose_said(&self, arguments: &[&str]) {
        let mut command = Command::new(&self.tool[0]);
        command.args(&self.tool[1..]).args(["-p", &self.project, "-f", "compose.yml"]);
        let said = command.args(arguments).current_dir(self.dir.path()).output().unwrap();
        assert!(said.status.success(), "{said:?}");
    }

    fn compose(&self, runs: &Path) -> Compose {
        let settings = ComposeSettings {
            project: self.project.clone(),
            dir: self.dir.path().to_owned(),
            files: vec!["compose.yml".into()],
            env_file: ".env".into(),
            tag_variable: Some("IMAGE_TAG".to_owned()),
            services: [(Color::from("green"), "app-green".to_owned())].into(),
            ..ComposeSettings::default()
        };
        let docker = DockerHost::connect(None, Clock::real()).unwrap();
        let program = Program::at(env!("CARGO_BIN_EXE_backout"));
        Compose::new(docker, settings, program, runs, Clock::real()).tool(self.tool.clone())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let mut command = Command::new(&self.tool[0]);
        command.args(&self.tool[1..]).args(["-p", &self.project, "-f", "compose.yml"]);
        command.args(["down", "-t", "1"]).current_dir(self.dir.path()).output().ok();
        let images = format!("{}-*", self.project);
        let line = format!("docker images -q '{images}' | sort -u | xargs -r docker rmi -f");
        Command::new("sh").args(["-c", &line]).output().ok();
    }
}

#[tokio::test]
async fn compose_of_the_second_version_is_used_where_it_made_the_containers() {
    let Some(tool) = second() else { return };
    let small = Small::up(tool.clone());
    let runs = tempfile::tempdir().unwrap();
    let (compose, green) = (small.compose(runs.path()), Color::from("green"));
    assert_eq!(compose.tool_found().await.unwrap(), tool.join(" "));
    assert_eq!(compose.released(&green).await.unwrap().version.as_str(), "v2.5.0");
    let new = order("v2.4.9", "7-k7qd-1.deploy.1").await;
    let note = compose.deploy(&new).await.unwrap();
    assert!(note.as_str().contains("-failed:7-k7qd-1"), "{note}");
    let there = compose.released(&green).await.unwrap();
    assert_eq!((there.version.as_str(), there.digest), ("v2.4.9", Some(new.digest.clone())));
    assert!(compose.look(&green).await.unwrap().running);
    let again = compose.deploy(&new).await.unwrap();
    assert!(again.as_str().contains("already"), "{again}");
    compose.stop(&green, Duration::from_secs(5), "e.stop.1").await.unwrap();
    assert!(!compose.look(&green).await.unwrap().running);
    compose.start(&green, "e.start.1").await.unwrap();
    assert!(compose.look(&green).await.unwrap().running);
}

/// Podman's service on a socket and storage of its own.
struct Podman {
    dir: tempfile::TempDir,
    service: Child,
}

impl Podman {
    fn start() -> Option<Self> {
        let program = tool("podman", "podman")?;
        can_run()?;
        if !rustix::process::geteuid().is_root() {
            assert!(!required("podman"), "podman is required, and its storage needs root");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        // What a container inside a container may not raise; and the runtime that takes every
        // arrangement of control groups.
        let limits = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]\n\
                      [engine]\nruntime = \"runc\"\n";
        std::fs::write(at("containers.conf"), limits).unwrap();
        let log = std::fs::File::create(at("log")).unwrap();
        let service = Command::new(program)
            .args(["--root".as_ref(), at("root").as_os_str()])
            .args(["--runroot".as_ref(), at("run").as_os_str()])
            .args(["--storage-driver", "vfs", "system", "service", "-t", "0"])
            .arg(format!("unix://{}", at("sock").display()))
            .env("CONTAINERS_CONF", at("containers.conf"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let podman = Self { dir, service };
        let until = Instant::now() + Duration::from_mins(1);
        while !podman.socket().exists() {
            assert!(Instant::now() < until, "podman does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        let line = "docker save alpine:latest | docker -H \"unix://$0\" load";
        let loaded = Command::new("sh").args(["-c", line]).arg(podman.socket()).output().unwrap();
        assert!(loaded.status.success(), "{loaded:?}");
        Some(podman)
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("sock")
    }

    fn client(&self, arguments: &[&str]) -> String {
        let at = format!("unix://{}", self.socket().display());
        let said = Command::new("docker").args(["-H", &at]).args(arguments).output().unwrap();
        assert!(said.status.success(), "{arguments:?}: {said:?}");
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let at = format!("unix://{}", self.socket().display());
        let line = "docker -H \"$0\" ps -aq | xargs -r docker -H \"$0\" rm -f";
        Command::new("sh").args(["-c", line, &at]).output().ok();
        self.service.kill().ok();
        self.service.wait().ok();
    }
}

#[tokio::test]
async fn podman_s_compatible_socket_is_an_engine_like_the_other() {
    let Some(podman) = Podman::start() else { return };
    let line = "echo first; echo wrong >&2; trap 'exit 0' TERM; while :; do sleep 0.1; done";
    let id = podman.client(&[
        "run",
        "-d",
        "--network",
        "none",
        "--name",
        "p_app_1",
        "--label",
        "com.docker.compose.project=p",
        "--label",
        "com.docker.compose.service=app",
        "-v",
        "p_data:/data",
        "alpine:latest",
        "sh",
        "-c",
        line,
    ]);
    let docker = DockerHost::connect(podman.socket().to_str(), Clock::real()).unwrap();
    // It begins with its first question, which may take long.
    for _ in 0..10 {
        if docker.ping().await.is_ok() {
            break;
        }
    }
    let daemon = docker.daemon().await.unwrap();
    assert!(!daemon.id.is_empty() && !daemon.version.is_empty(), "{daemon:?}");
    assert_eq!(docker.daemon().await.unwrap().id, daemon.id, "it is known by its id");

    let found = docker.of_service("p", "app").await.unwrap();
    assert_eq!((found.id.as_str(), found.name.as_str()), (id.as_str(), "p_app_1"));
    assert!(found.is_up() && found.started_at.is_some() && found.restart_count == 0, "{found:?}");
    assert_eq!(found.mounts[0].volume.as_deref(), Some("p_data"), "{found:?}");
    let image = docker.image("alpine:latest").await.unwrap();
    assert_eq!(
        found.image_id.trim_start_matches("sha256:"),
        image.id.trim_start_matches("sha256:")
    );
    assert_eq!(docker.image("no.such/image:1").await.unwrap_err().kind, Kind::NotFound);
    assert_eq!(docker.of_service("p", "nobody").await.unwrap_err().kind, Kind::NotFound);
    assert_eq!(docker.volume("p_data").await.unwrap().name, "p_data");
    assert!(docker.stats(&id).await.unwrap().memory > 0);

    let lines = docker.logs(&id, None, None, false).await.unwrap();
    let lines: Vec<_> = lines.map(Result::unwrap).collect().await;
    let said = |stderr: bool| lines.iter().find(|line| line.stderr == stderr).unwrap();
    assert_eq!(
        (said(false).text.as_slice(), said(true).text.as_slice()),
        (&b"first"[..], &b"wrong"[..])
    );
    assert!(lines.iter().all(|line| line.at.is_some()), "{lines:?}");

    let argv = ["sh", "-c", "echo $SAY; echo no >&2; exit 3"].map(str::to_owned);
    let env = [("SAY".to_owned(), "geheim".to_owned())];
    let (input, output) = (ExecInput::Nothing, ExecOutput::Kept(100));
    let limit = Duration::from_mins(1);
    let exec = Exec { argv: &argv, env: &env, user: None, input, output, limit };
    let done = docker.exec(&id, &exec).await.unwrap();
    assert_eq!(
        (done.code, done.stdout.as_slice(), done.stderr.as_str()),
        (3, &b"geheim\n"[..], "no")
    );

    let mut events = docker.events("p", Some(Clock::real().now())).await.unwrap();
    docker.stop(&id, Duration::from_secs(10)).await.unwrap();
    assert!(!docker.container(&id).await.unwrap().running);
    docker.start(&id).await.unwrap();
    assert!(docker.container(&id).await.unwrap().is_up());
    // What happened is told in its order, with its time.
    let told = async {
        let mut wanted = ["die", "start"].iter().peekable();
        while let Some(next) = wanted.peek() {
            let event = events.next().await.unwrap().unwrap();
            assert!(event.id == id && event.at.is_some(), "{event:?}");
            if event.action.as_str() == **next {
                wanted.next();
            }
        }
    };
    Clock::real().timeout(limit, told).await.unwrap();
}
