//! What runs is found: a first configuration from a real stack, checks of real containers, and
//! their output followed over everything that happens to them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use backout::clock::Clock;
use backout::config::{ContainerLogs, ContainerSource};
use backout::engine::tail::Tail;
use backout::journal::spool::{Query, SpoolReader};
use backout::model::reading::{Finding, Reading};
use tokio::net::{UnixListener, UnixStream};

use super::stack::Stack;
use crate::tools::{look, required};

/// The engine's client; its output without the newline.
fn docker(arguments: &[&str]) -> String {
    let said = Command::new("docker").args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(said.status.success(), "docker {arguments:?}: {said:?}");
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}

/// Whether there is an engine, with the image that the tests run; one that is not there is said.
#[expect(clippy::print_stdout, reason = "a test that did not run has to say so")]
fn engine() -> bool {
    let asked = Command::new("docker").args(["image", "inspect", "alpine"]).output();
    let there = asked.is_ok_and(|said| said.status.success());
    if !there {
        assert!(!required("docker"), "docker is required, and no engine with alpine answers");
        println!("SKIPPED: no docker (no engine with the image alpine answers)");
    }
    there
}

/// Containers with the labels of a project of their own, removed when dropped.
struct Project(String);

impl Project {
    fn new(name: &str) -> Self {
        Self(format!("backout-{name}-{}", std::process::id()))
    }

    /// Runs `script` as a service.
    fn run(&self, service: &str, options: &[&str], script: &str) -> String {
        let name = format!("{}-{service}", self.0);
        let labels = [
            format!("com.docker.compose.project={}", self.0),
            format!("com.docker.compose.service={service}"),
            "com.docker.compose.container-number=1".to_owned(),
        ];
        let mut arguments = vec!["run", "-d", "--name", &name];
        arguments.extend(labels.iter().flat_map(|label| ["--label", label]));
        arguments.extend(options);
        arguments.extend(["alpine", "sh", "-c", script]);
        docker(&arguments);
        name
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let label = format!("label=com.docker.compose.project={}", self.0);
        let listed = Command::new("docker").args(["ps", "-aq", "--filter", &label]).output();
        let listed = listed.map(|said| said.stdout).unwrap_or_default();
        for id in String::from_utf8_lossy(&listed).split_whitespace() {
            Command::new("docker").args(["rm", "-f", id]).output().ok();
        }
    }
}

fn is_bad(reading: &Reading) -> bool {
    matches!(reading.finding, Finding::Bad { .. })
}

#[tokio::test]
async fn the_check_of_a_container_sees_what_the_engine_sees() {
    if !engine() {
        return;
    }
    let (project, clock) = (Project::new("check"), Clock::real());
    let waits = "trap 'exit 0' TERM; while :; do sleep 0.1; done";
    project.run("well", &[], waits);
    let ends = project.run("ends", &[], "exit 3");
    let loops = project.run("loops", &["--restart", "always"], "sleep 0.2; exit 4");
    let sick = ["--health-cmd", "false", "--health-interval", "0.2s", "--health-retries", "1"];
    project.run("sick", &sick, waits);
    let ask = |service: &str, rest: &str| {
        let entry = format!(
            "check_type: container, project: {}, container: {service}, timeout: 10s{rest}",
            project.0
        );
        let clock = clock.clone();
        async move { look(&entry, &clock).await }
    };
    let well = ask("well", "").await;
    assert_eq!((&well.finding, well.note.as_str()), (&Finding::Good, "running"), "{well:?}");
    assert_eq!(well.value, Some(0.0));
    let memory = ask("well", ", measure: memory, threshold_critical: 100000").await;
    assert!(memory.value.is_some_and(|mib| mib > 0.0) && memory.unit == "MiB", "{memory:?}");
    assert_eq!(memory.finding, Finding::Good);
    let cpu = ask("well", ", measure: cpu, threshold_critical: 100000").await;
    assert!(cpu.value.is_some() && cpu.finding == Finding::Good, "{cpu:?}");
    let missing = ask("nobody", "").await;
    assert!(is_bad(&missing) && missing.note.as_str() == "no such container", "{missing:?}");
    let until = Instant::now() + Duration::from_mins(3);
    loop {
        let (ended, loop_, sick) =
            (ask("ends", "").await, ask("loops", "").await, ask("sick", "").await);
        let done = ended.note.as_str() == "exited, exit code 3"
            && is_bad(&loop_)
            && loop_.value > Some(1.0)
            && sick.note.as_str() == "running, unhealthy";
        if done && is_bad(&ended) && is_bad(&sick) {
            break;
        }
        assert!(Instant::now() < until, "{ended:?} {loop_:?} {sick:?}");
    }
    // By its own name, without Compose.
    let named = |name: &str| format!("check_type: container, name: {name}, timeout: 10s");
    let ended = look(&named(&ends), &clock).await;
    assert!(is_bad(&ended), "{ended:?}");
    // A crash loop is never good, whenever it is looked at.
    for _ in 0..15 {
        let reading = look(&named(&loops), &clock).await;
        assert!(is_bad(&reading), "{reading:?}");
        clock.sleep(Duration::from_millis(100)).await;
    }
}

/// A socket before the engine's own that can be cut.
struct Line(tokio::task::JoinHandle<()>);

impl Line {
    fn open(path: &Path) -> Self {
        std::fs::remove_file(path).ok();
        let listener = UnixListener::bind(path).unwrap();
        Self(tokio::spawn(async move {
            let mut carried = tokio::task::JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                carried.spawn(async move {
                    let far = UnixStream::connect("/var/run/docker.sock").await;
                    let Ok(mut far) = far else { return };
                    tokio::io::copy_bidirectional(&mut near, &mut far).await.ok();
                });
            }
        }))
    }

    fn cut(self) {
        self.0.abort();
    }
}

struct Spool(PathBuf);

impl Spool {
    fn lines(&self) -> Vec<String> {
        let Ok(mut reader) = SpoolReader::open(&self.0) else { return Vec::new() };
        let page = reader.page(&Query { rows: 10_000, ..Query::default() }).unwrap();
        let shown = |line: &backout::journal::spool::LogLine| {
            if line.gap { format!("-- {}", line.text) } else { line.text.to_string() }
        };
        page.lines.iter().map(shown).collect()
    }

    /// The last line of a source that is no gap.
    fn last(&self, source: &str) -> String {
        let Ok(mut reader) = SpoolReader::open(&self.0) else { return String::new() };
        let page = reader.page(&Query { rows: 10_000, ..Query::default() }).unwrap();
        let mut own = page.lines.iter().filter(|line| &*line.source == source && !line.gap);
        own.next_back().map(|line| line.text.to_string()).unwrap_or_default()
    }

    async fn wait(&self, part: &str) {
        let until = Instant::now() + Duration::from_mins(3);
        while !self.lines().iter().any(|line| line.contains(part)) {
            assert!(Instant::now() < until, "no {part:?} in {:#?}", self.lines());
            Clock::real().sleep(Duration::from_millis(50)).await;
        }
    }

    fn count(&self, part: &str) -> usize {
        self.lines().iter().filter(|line| line.contains(part)).count()
    }
}

#[tokio::test]
async fn output_is_followed_over_restarts_recreation_and_a_lost_engine() {
    if !engine() {
        return;
    }
    let (project, dir) = (Project::new("logs"), tempfile::tempdir().unwrap());
    let socket = dir.path().join("engine.sock");
    let spool = Spool(dir.path().join("spool"));
    let counts = "n=0; while :; do n=$((n+1)); echo \"$0 $HOSTNAME line $n;\"; sleep 0.05; done";
    let says = |word: &str| format!("echo {word}; {counts}");
    let name = project.run("talker", &[], &says("first-begins"));
    let logs = ContainerLogs {
        engine: Some(format!("unix://{}", socket.display())),
        hosts: Vec::new(),
        project: project.0.clone(),
        sources: vec![ContainerSource { source: "green".into(), service: "talker".into() }],
        all: true,
    };
    let start = || {
        let short = tokio::sync::watch::channel(false).1;
        let sources = (Vec::new(), Some(logs.clone()), None);
        Tail::start(spool.0.clone(), sources, Arc::default(), short, Clock::real())
    };
    let line = Line::open(&socket);
    let tail = start();
    spool.wait("first-begins").await;
    spool.wait(" line 20;").await;

    // The engine is lost for a while: said once, and nothing is missing afterwards.
    line.cut();
    spool.wait("-- the container engine does not answer").await;
    Clock::real().sleep(Duration::from_secs(1)).await;
    let line = Line::open(&socket);
    spool.wait(" line 80;").await;
    assert_eq!(spool.count("does not answer"), 1, "{:#?}", spool.lines());

    // A later service is found; the same container ends and is started anew.
    project.run("later", &[], "echo later-begins; sleep 600");
    spool.wait("later-begins").await;
    docker(&["restart", "-t", "0", &name]);
    let until = Instant::now() + Duration::from_mins(3);
    while spool.count("first-begins") < 2 {
        assert!(Instant::now() < until, "{:#?}", spool.lines());
        Clock::real().sleep(Duration::from_millis(50)).await;
    }

    // Our own engine is away meanwhile: the next one goes on where it ended.
    drop(tail);
    Clock::real().sleep(Duration::from_secs(2)).await;
    let _tail = start();
    let until = Instant::now() + Duration::from_mins(3);
    let since_restart = |all: &[String]| {
        let begun = all.iter().rposition(|one| one.contains("first-begins")).unwrap();
        all[begun + 1..].iter().filter(|line| line.contains(" line ")).count()
    };
    let mut first = spool.lines();
    while since_restart(&first) <= 60 {
        assert!(Instant::now() < until, "{first:#?}");
        Clock::real().sleep(Duration::from_millis(50)).await;
        first = spool.lines();
    }
    for number in 1..=80 {
        let seen = first.iter().filter(|one| one.ends_with(&format!(" line {number};"))).count();
        // Once in each of its two lives; the second may not have come so far.
        assert!((1..=2).contains(&seen), "line {number} {seen} times in {first:#?}");
    }
    let second = first.iter().rposition(|one| one.contains("first-begins")).unwrap();
    let after: Vec<&String> = first[second + 1..].iter().filter(|l| l.contains(" line ")).collect();
    for (number, one) in (1..).zip(&after) {
        assert!(
            one.ends_with(&format!(" line {number};")),
            "{one:?} is not line {number}: {after:#?}"
        );
    }

    // Another container of the service: the same source, and a line that says so.
    docker(&["rm", "-f", &name]);
    project.run("talker", &[], &says("second-begins"));
    spool.wait("-- another container runs it from here on").await;
    spool.wait("second-begins").await;
    assert_eq!(spool.count("second-begins"), 1, "{:#?}", spool.lines());
    let sources: Vec<String> = std::fs::read_dir(&spool.0)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(sources.iter().any(|one| one == "green") && sources.iter().any(|one| one == "later"));
    line.cut();
}

/// A stack of the laboratory and an empty folder to write a configuration in.
struct Found {
    stack: Stack,
    dir: tempfile::TempDir,
}

impl Found {
    /// The program in a closed environment: its exit code, and all that it said.
    fn backout(&self, arguments: &[&str]) -> (i32, String) {
        let said = Command::new(env!("CARGO_BIN_EXE_backout"))
            .args(arguments)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin")
            .env("HOME", self.dir.path())
            .env("XDG_RUNTIME_DIR", self.dir.path())
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&said.stdout) + String::from_utf8_lossy(&said.stderr);
        (said.status.code().unwrap_or(-1), text.into_owned())
    }
}

impl Drop for Found {
    fn drop(&mut self) {
        // Where root's state is kept when a configuration does not say.
        std::fs::remove_dir_all(Path::new("/var/lib/backout").join(&self.stack.project)).ok();
    }
}

#[test]
fn a_first_configuration_of_a_running_stack_needs_no_line_edited() {
    if !engine() {
        return;
    }
    let Some(stack) = Stack::start("found") else { return };
    let stack = Found { stack, dir: tempfile::tempdir().unwrap() };
    let project = stack.stack.project.as_str();
    let (code, said) = stack.backout(&["init", "--from-compose", project]);
    assert_eq!(code, 0, "{said}");
    let text = std::fs::read_to_string(stack.dir.path().join("backout.yaml")).unwrap();
    assert!(text.contains("${POSTGRES_PASSWORD}") && !text.contains("lab-only"), "{text}");
    let (code, said) = stack.backout(&["config", "check"]);
    assert_eq!(code, 0, "{said}\n{text}");
    // Every container, and every side at its own address, is seen; nothing is bad.
    let (_, said) = stack.backout(&["check", "--json"]);
    let json: serde_json::Value =
        serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}"));
    let text_of = json.to_string();
    for check in ["app_blue_container", "postgres_container", "redis_ping", "users"] {
        assert!(text_of.contains(check), "{check}: {said}");
    }
    // A plan, or a reason with a name.
    let (code, said) = stack.backout(&["plan", "--level", "1"]);
    assert!(code == 0 || (code == 10 && said.contains("could not plan level 1:")), "{code} {said}");
    let (code, said) = stack.backout(&["doctor"]);
    assert!(code <= 1, "{code} {said}");
    for line in
        ["ok       container engine:", "ok       compose tool:", "ok       traffic: nginx -t"]
    {
        assert!(said.contains(line), "{line}: {said}");
    }
    // What is there is left as it is.
    let (code, said) = stack.backout(&["init", "--from-compose", project]);
    assert!(
        code == 10 && said.contains("backout.yaml") && said.contains("--print"),
        "{code} {said}"
    );
    let (code, said) = stack.backout(&["init", "--from-compose", project, "--print"]);
    assert!(code == 0 && said.contains("upstreams:"), "{code} {said}");
    let (code, said) = stack.backout(&["init", "--from-compose", "no-such-project", "--print"]);
    assert!(code == 3 && said.contains(project), "{code} {said}");
}

#[tokio::test]
async fn the_output_of_several_hosts_is_followed_and_one_that_is_away_silences_no_other() {
    if !engine() {
        return;
    }
    let (project, dir) = (Project::new("hosts"), tempfile::tempdir().unwrap());
    let spool = Spool(dir.path().join("spool"));
    project.run("talker", &[], "n=0; while :; do n=$((n+1)); echo \"line $n;\"; sleep 0.05; done");
    // Two lines to one engine: which containers each has is all that differs of two hosts.
    let at = |host: &str| dir.path().join(format!("{host}.sock"));
    let address = |host: &str| (host.to_owned(), format!("unix://{}", at(host).display()));
    let logs = ContainerLogs {
        engine: None,
        hosts: vec![address("a"), address("b")],
        project: project.0.clone(),
        sources: vec![ContainerSource { source: "web".into(), service: "talker".into() }],
        all: false,
    };
    let (_a, b) = (Line::open(&at("a")), Line::open(&at("b")));
    let short = tokio::sync::watch::channel(false).1;
    let sources = (Vec::new(), Some(logs), None);
    let _tail = Tail::start(spool.0.clone(), sources, Arc::default(), short, Clock::real());
    let last = |source: &str| spool.last(source);
    let until = Instant::now() + Duration::from_mins(2);
    while last("web@a").is_empty() || last("web@b").is_empty() {
        assert!(Instant::now() < until, "{:#?}", spool.lines());
        Clock::real().sleep(Duration::from_millis(50)).await;
    }
    b.cut();
    spool.wait("the container engine does not answer").await;
    let (mine, theirs) = (last("web@a"), last("web@b"));
    while last("web@a") == mine {
        assert!(Instant::now() < until, "{:#?}", spool.lines());
        Clock::real().sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(last("web@b"), theirs, "what is away says nothing");
    assert_eq!(spool.count("does not answer"), 1, "of the other nothing is missing");
}
