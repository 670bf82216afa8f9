//! The engine itself, and containers that are looked at, stopped and started.

use std::time::{Duration, Instant};

use backout::adapters::compose::ComposeSettings;
use backout::adapters::docker::{DockerTools, ExecInput, ExecOutput};
use backout::adapters::{Kind, Traffic, Workload};
use backout::clock::Clock;
use backout::model::ids::Color;
use futures_util::StreamExt;

use super::lab::{Lab, lab};

const LIMIT: Duration = Duration::from_secs(20);

fn words(line: &[&str]) -> Vec<String> {
    line.iter().map(|word| (*word).to_owned()).collect()
}

#[tokio::test]
async fn containers_are_found_by_their_labels_and_told_whole() {
    let Some(lab) = lab() else { return };
    let docker = Lab::docker();
    let daemon = docker.daemon().await.unwrap();
    assert!(!daemon.id.is_empty() && !daemon.name.is_empty(), "{daemon:?}");
    let all = docker.of_project(&lab.project, None).await.unwrap();
    let services: Vec<&str> = all.iter().map(|one| one.service.as_str()).collect();
    assert!(services.starts_with(&["app-blue"]) && services.contains(&"postgres"), "{services:?}");
    let blue = docker.of_service(&lab.project, "app-blue").await.unwrap();
    assert!(blue.is_up() && blue.restart_count == 0 && blue.started_at.is_some(), "{blue:?}");
    assert_eq!(
        (blue.image.as_str(), blue.restart_policy.as_str()),
        ("spacetime:v2.4.9", "unless-stopped")
    );
    assert_eq!(blue.working_dir.as_deref(), Some(lab.dir.as_path()));
    assert_eq!(blue.ports[0].port, lab.port + 1);
    let network = &blue.networks[&format!("{}_default", lab.project)];
    assert!(network.aliases.contains(&"app-blue".to_owned()), "{network:?}");
    let volume = blue.mounts.iter().find_map(|mount| mount.volume.clone()).unwrap();
    let volume = docker.volume(&volume).await.unwrap();
    assert_eq!(volume.labels["com.docker.compose.volume"], "godot-data");
    assert_eq!(docker.volumes(&lab.project).await.unwrap().len(), 3);
    assert_eq!(docker.networks(&lab.project).await.unwrap().len(), 1);
    assert!(docker.stats(&blue.id).await.unwrap().memory > 0);
    assert_eq!(docker.image("spacetime:v2.4.9").await.unwrap().id, blue.image_id);
    assert_eq!(docker.image("no.such/image:1").await.unwrap_err().kind, Kind::NotFound);
    let none = docker.of_service(&lab.project, "nobody").await.unwrap_err();
    assert_eq!(none.kind, Kind::NotFound);
}

#[tokio::test]
async fn a_tool_inside_reads_and_writes_our_files_and_ends_in_time() {
    let Some(lab) = lab() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    std::fs::write(&from, &bytes).unwrap();
    let tools = DockerTools::new(Lab::docker(), &lab.project, "postgres");
    let files = (ExecInput::File(from), ExecOutput::File(to.clone(), 10_000_000));
    let done = tools.run(&words(&["cat"]), &[].into(), files, LIMIT).await.unwrap();
    assert_eq!((done.code, done.wrote), (0, bytes.len() as u64));
    assert!(std::fs::read(&to).unwrap() == bytes, "the bytes are other ones");

    let kept = || (ExecInput::Nothing, ExecOutput::Kept(100));
    let env = [("SAY".to_owned(), "geheim".to_owned())].into();
    let line = words(&["sh", "-c", "echo $SAY; echo wrong >&2; exit 3"]);
    let done = tools.run(&line, &env, kept(), LIMIT).await.unwrap();
    assert_eq!(
        (done.code, done.stdout.as_slice(), done.stderr.as_str()),
        (3, &b"geheim\n"[..], "wrong")
    );

    let much = words(&["sh", "-c", "head -c 100000 /dev/zero"]);
    let small = (ExecInput::Nothing, ExecOutput::File(to, 1000));
    let error = tools.run(&much, &[].into(), small, LIMIT).await.unwrap_err();
    assert_eq!(error.kind, Kind::Rejected, "{error}");

    let (line, env) = (words(&["sleep", "61"]), [].into());
    let error = tools.run(&line, &env, kept(), Duration::from_secs(1));
    let error = error.await.unwrap_err();
    assert_eq!(error.kind, Kind::TimedOut, "{error}");
    assert!(error.message.contains("it was killed"), "{error}");
    let none = tools.run(&words(&["no-such-tool"]), &[].into(), kept(), LIMIT).await;
    // The engine says either: no such file, or exit code 126 or 127.
    assert!(none.is_err() || none.is_ok_and(|done| matches!(done.code, 126 | 127)));
}

#[tokio::test]
async fn lines_of_a_log_have_their_times_and_begin_where_asked() {
    let Some(lab) = lab() else { return };
    let docker = Lab::docker();
    let postgres = docker.of_service(&lab.project, "postgres").await.unwrap();
    let all = docker.logs(&postgres.id, None, None, false).await.unwrap();
    let all: Vec<_> = all.map(Result::unwrap).collect().await;
    assert!(all.len() > 5 && all.iter().all(|line| line.at.is_some()), "{all:?}");
    let middle = all[all.len() / 2].at;
    let rest = docker.logs(&postgres.id, middle, None, false).await.unwrap();
    let rest: Vec<_> = rest.map(Result::unwrap).collect().await;
    assert!(!rest.is_empty() && rest.len() < all.len());
    assert!(rest.iter().all(|line| line.at >= middle));
    let last = docker.logs(&postgres.id, None, Some(2), false).await.unwrap();
    assert_eq!(last.count().await, 2);
}

#[tokio::test]
async fn a_stopped_colour_stays_stopped_and_is_started_as_it_was() {
    let Some(lab) = lab() else { return };
    let (compose, blue) = (lab.compose(), Color::from("blue"));
    let before = compose.look(&blue).await.unwrap();
    assert!(before.running && before.kept, "{before:?}");
    assert_eq!(before.version.as_str(), "v2.4.9");
    let target = compose.identity().await.unwrap();
    let note = compose.stop(&blue, Duration::from_secs(10), "e.stop.1").await.unwrap();
    assert!(note.as_str().starts_with("ended by itself"), "{note}");
    assert_eq!(compose.stop(&blue, LIMIT, "e.stop.1").await.unwrap().as_str(), "was not running");
    // A policy that brings it back does so at once.
    let clock = Clock::real();
    for _ in 0..20 {
        clock.sleep(Duration::from_millis(100)).await;
        let stopped = compose.look(&blue).await.unwrap();
        assert!(!stopped.running && stopped.kept, "its policy brought it back: {stopped:?}");
    }
    compose.start(&blue, "e.start.1").await.unwrap();
    let after = compose.look(&blue).await.unwrap();
    assert!(after.running && after.identity != before.identity, "{after:?}");
    assert_eq!(compose.identity().await.unwrap(), target, "the same target all the time");
    let name = format!("{}_app-blue_1", lab.project);
    assert_eq!(compose.by_hand(&blue, false), format!("docker stop -t 30 {name}"));
    assert_eq!(compose.by_hand(&blue, true), format!("docker start {name}"));
    // What was started anew may have another address: nginx looks for it only when it is told.
    lab.nginx().refresh().await.unwrap();
    lab.wait_ready().await;

    let dir = tempfile::tempdir().unwrap();
    let kept = compose.preserve(&blue, dir.path()).await.unwrap();
    for name in ["inspect.json", "container.log", "top.txt", "image.txt", "env-names"] {
        assert!(kept.contains(&name.to_owned()), "{kept:?}");
    }
    let inspect = std::fs::read_to_string(dir.path().join("inspect.json")).unwrap();
    assert!(inspect.contains("DATABASE_URL") && !inspect.contains("postgresql://"), "{inspect}");
}

#[tokio::test]
async fn a_crash_loop_never_reads_as_running() {
    let Some(lab) = lab() else { return };
    let project = format!("com.docker.compose.project={}", lab.project);
    let id = Lab::client(&[
        "run",
        "-d",
        "--restart",
        "always",
        "--network",
        "none",
        "--label",
        &project,
        "--label",
        "com.docker.compose.service=app-loop",
        "alpine",
        "sleep",
        "0.3",
    ]);
    let mut settings = lab.settings();
    settings.services.insert("loop".into(), "app-loop".to_owned());
    let (compose, color) = (lab.compose_of(settings), Color::from("loop"));
    let mut said_running = 0;
    // Its first life is no loop yet.
    let until = Instant::now() + Duration::from_mins(2);
    while Lab::client(&["inspect", "-f", "{{.RestartCount}}", &id]) == "0" {
        assert!(Instant::now() < until, "it was never started anew");
        Clock::real().sleep(Duration::from_millis(50)).await;
    }
    for _ in 0..30 {
        said_running += u32::from(compose.look(&color).await.unwrap().running);
        Clock::real().sleep(Duration::from_millis(50)).await;
    }
    let note = compose.stop(&color, Duration::from_secs(1), "e").await;
    let after = compose.look(&color).await.unwrap();
    Lab::client(&["rm", "-f", &id]);
    assert_eq!(said_running, 0);
    assert!(note.unwrap().as_str().contains("brings it back"), "the policy is said");
    assert!(!after.running);
}

#[tokio::test]
async fn a_container_of_the_same_name_without_the_labels_is_not_ours() {
    let Some(lab) = lab() else { return };
    let name = format!("{}_app-third_1", lab.project);
    Lab::client(&["run", "-d", "--name", &name, "--network", "none", "alpine", "sleep", "3600"]);
    let mut settings = lab.settings();
    settings.services.insert("third".into(), "app-third".to_owned());
    let (compose, color) = (lab.compose_of(settings), Color::from("third"));
    let found = compose.look(&color).await;
    let stopped = compose.stop(&color, Duration::from_secs(1), "e").await;
    let runs = Lab::client(&["inspect", "-f", "{{.State.Running}}", &name]);
    Lab::client(&["rm", "-f", &name]);
    let found = found.unwrap();
    assert!(!found.running && !found.kept, "{found:?}");
    assert_eq!(stopped.unwrap_err().kind, Kind::NotFound);
    assert_eq!(runs, "true");
}

/// A graceful stop: who ends in the grace ends by itself, who does not is killed, and each is said
/// (S-20).
#[test]
fn a_stop_waits_for_its_grace_and_says_who_was_killed() {
    let Some(lab) = lab() else { return };
    let project = format!("{}-grace", lab.stack.project);
    let settings = ComposeSettings {
        project: project.clone(),
        services: ["soft", "hard"].map(|name| (Color::from(name), name.to_owned())).into(),
        ..ComposeSettings::default()
    };
    let compose = lab.compose_of(settings);
    let image =
        lab.stack.docker(&["inspect", "-f", "{{.Image}}", &lab.stack.container("postgres")]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (name, ends, said) in
        [("soft", "sleep 1; exit 0", "by itself with 0"), ("hard", "", "killed after 3 s")]
    {
        let script = format!("trap '{ends}' TERM INT; echo ready; while :; do sleep 0.1; done");
        let label = |what: &str, value: &str| format!("com.docker.compose.{what}={value}");
        let (first, second) = (label("project", &project), label("service", name));
        let id = lab.stack.docker(&[
            "run",
            "-d",
            "--network",
            "none",
            "--label",
            &first,
            "--label",
            &second,
            "--entrypoint",
            "sh",
            &image,
            "-c",
            &script,
        ]);
        let until = std::time::Instant::now() + Duration::from_mins(1);
        while !lab.stack.docker(&["logs", &id]).contains("ready") {
            assert!(std::time::Instant::now() < until, "{name} does not begin");
            std::thread::park_timeout(Duration::from_millis(100));
        }
        let color = Color::from(name);
        let words = runtime.block_on(compose.stop(&color, Duration::from_secs(3), "x"));
        lab.stack.docker(&["rm", "-fv", &id]);
        assert!(words.as_ref().unwrap().as_str().contains(said), "{name}: {words:?}");
    }
}
