//! One project on two real engines: the machine's, and one of our own beside it.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use backout::adapters::compose::{Compose, ComposeHosts, ComposeSettings};
use backout::adapters::docker::DockerHost;
use backout::adapters::process::Program;
use backout::adapters::{DeployOrder, Workload};
use backout::clock::Clock;
use backout::model::ids::Color;

use super::private::Private;

const NAME: &str = "backout-two";

/// What a tool says on one engine.
fn on(engine: &str, words: &[&str], folder: &std::path::Path) -> String {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(folder).stdin(Stdio::null());
    let said = command.env("DOCKER_HOST", engine).output().unwrap();
    assert!(said.status.success(), "{engine} {words:?}: {said:?}");
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}

/// The project on each engine, removed when it is dropped.
struct Two {
    engines: [String; 2],
    project: String,
    dir: tempfile::TempDir,
}

impl Two {
    fn start(second: String) -> Self {
        let engines = ["unix:///var/run/docker.sock".to_owned(), second];
        let (project, dir) = (format!("backouttwo{}", std::process::id()), tempfile::tempdir());
        let two = Self { engines, project, dir: dir.unwrap() };
        let dir = two.dir.path();
        let service = |color: &str| {
            format!(
                "  app-{color}: {{image: \"{NAME}:${{IMAGE_TAG}}\", command: [sleep, \"600\"], \
                 stop_signal: SIGKILL}}\n"
            )
        };
        let file = format!("services:\n{}{}", service("blue"), service("green"));
        std::fs::write(dir.join("docker-compose.yml"), file).unwrap();
        std::fs::write(dir.join(".env"), "IMAGE_TAG=v2\n").unwrap();
        let [first, other] = &two.engines;
        for version in ["v1", "v2"] {
            let made = on(first, &["docker", "create", "alpine:latest"], dir);
            let change = format!("LABEL version={version}");
            let name = format!("{NAME}:{version}");
            on(first, &["docker", "commit", "--change", &change, &made, &name], dir);
            on(first, &["docker", "rm", &made], dir);
            let tar = dir.join("image.tar").display().to_string();
            on(first, &["docker", "save", "-o", &tar, &name], dir);
            on(other, &["docker", "load", "-i", &tar], dir);
        }
        for engine in &two.engines {
            on(engine, &["docker-compose", "-p", &two.project, "up", "-d"], dir);
        }
        two
    }

    fn host(&self, address: &str, name: &str) -> (String, Arc<dyn Workload>) {
        let service = |color: &str| (Color::from(color), format!("app-{color}"));
        let settings = ComposeSettings {
            project: self.project.clone(),
            dir: self.dir.path().to_owned(),
            files: vec!["docker-compose.yml".into()],
            env_file: ".env".into(),
            tag_variable: Some("IMAGE_TAG".to_owned()),
            services: ["blue", "green"].map(service).into(),
            workers: [].into(),
            ..ComposeSettings::default()
        };
        let docker = DockerHost::connect(Some(address), Clock::real()).unwrap();
        let program = Program::at(env!("CARGO_BIN_EXE_backout"));
        let runs = self.dir.path().join("runs").join(name);
        let one = Compose::new(docker, settings, program, runs, Clock::real());
        (name.to_owned(), Arc::new(one))
    }
}

impl Drop for Two {
    fn drop(&mut self) {
        for engine in &self.engines {
            let mut down = Command::new("docker-compose");
            down.args(["-p", &self.project, "down", "-t", "1"]).current_dir(self.dir.path());
            down.env("DOCKER_HOST", engine).output().ok();
            let mut images = Command::new("docker");
            images.args(["rmi", "-f", &format!("{NAME}:v1"), &format!("{NAME}:v2")]);
            images.env("DOCKER_HOST", engine).output().ok();
        }
    }
}

#[tokio::test]
async fn a_version_goes_back_on_both_hosts_and_one_that_is_away_is_named() {
    let Some(private) = Private::start(&[]) else { return };
    let two = Two::start(format!("unix://{}", private.place.socket.as_ref().unwrap().display()));
    let [first, other] = two.engines.clone();
    let both = ComposeHosts::new(vec![two.host(&first, "a"), two.host(&other, "b")]);
    let blue = Color::from("blue");
    let seen = both.look(&blue).await.unwrap();
    assert!(seen.running && seen.version.as_str() == "v2", "{seen:?}");
    let releases = both.releases().await.unwrap();
    let v1 = releases.iter().find(|one| one.version.as_str() == "v1").unwrap();
    assert_eq!(v1.broken, None, "it is on both hosts");
    let order = |version: &str, digest, effect: &str| DeployOrder {
        color: blue.clone(),
        version: version.into(),
        digest,
        runs: true,
        grace: Duration::from_secs(1),
        effect: effect.to_owned(),
    };
    let back = order("v1", v1.digest.clone(), "142-k7qd-1.deploy.1");
    let note = both.deploy(&back).await.unwrap();
    assert!(note.as_str().starts_with("2 of 2 hosts: a"), "{note}");
    for engine in &two.engines {
        let filter = format!("label=com.docker.compose.project={}", two.project);
        let format = "{{.Label \"com.docker.compose.service\"}} {{.Image}}";
        let shown =
            on(engine, &["docker", "ps", "--filter", &filter, "--format", format], "/".as_ref());
        assert!(shown.contains("app-blue backout-two:v1"), "{engine}: {shown}");
        assert!(shown.contains("app-green backout-two:v2"), "{engine}: {shown}");
    }
    // The same again changes nothing, and says so for both.
    let (before, again) = (both.look(&blue).await.unwrap(), both.deploy(&back).await.unwrap());
    assert!(again.as_str().starts_with("2 of 2 hosts"), "{again}");
    assert_eq!(both.look(&blue).await.unwrap().identity, before.identity);
    assert_eq!(both.released(&blue).await.unwrap().digest.as_ref(), Some(&v1.digest));

    let away = two.dir.path().join("away.sock").display().to_string();
    let half = ComposeHosts::new(vec![two.host(&first, "a"), two.host(&away, "b")]);
    let why = half.look(&blue).await.unwrap_err().message;
    assert!(why.starts_with("could not see host b:") && why.contains("away.sock"), "{why}");
    let v2 = releases.iter().find(|one| one.version.as_str() == "v2").unwrap();
    let on_again = order("v2", v2.digest.clone(), "142-k7qd-2.deploy.1");
    let why = half.deploy(&on_again).await.unwrap_err().message;
    assert!(why.ends_with("1 of 2 hosts done, still old: b"), "{why}");
    let seen = both.look(&blue).await.unwrap();
    assert_eq!(seen.version.as_str(), "v2 on a, v1 on b");
}
