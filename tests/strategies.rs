//! Strategies: batches that halt, everything at once, a switch that takes itself back; the order of
//! services, and the versions that work with each other.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backout::model::entry::{Body, Entry, Event, Outcome};
use serde_json::Value;

use super::support::Stack;

/// Answers for an instance from its file: the version, or 503 where the version is sick on it.
fn serve(dir: &Path, name: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (file, sick) = (dir.join(name), dir.join(format!("{name}.sick")));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { break };
            let mut asked = [0; 1024];
            stream.set_read_timeout(Some(Duration::from_secs(2))).ok();
            if stream.read(&mut asked).unwrap_or_default() == 0 {
                continue;
            }
            let version = std::fs::read_to_string(&file).unwrap_or_default();
            let version = version.trim();
            let bad = std::fs::read_to_string(&sick).is_ok_and(|text| text.trim() == version);
            let status = if bad { "503 Service Unavailable" } else { "200 OK" };
            let body = format!("{{\"version\": \"{version}\"}}");
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
            write!(stream, "{head}Connection: close\r\n\r\n{body}").ok();
        }
    });
    format!("http://{address}/health")
}

/// A stack with a fleet beside it: instances are files that say what they run.
struct Fleet {
    stack: Stack,
    dir: PathBuf,
}

impl Fleet {
    fn up() -> Self {
        let stack = Stack::up(None);
        let dir = stack.dir().join("fleet");
        std::fs::create_dir(&dir).unwrap();
        Self { stack, dir }
    }

    /// A service of `count` instances at `version`, as the configuration has it.
    fn service(&self, name: &str, (count, version): (usize, &str), more: &str) -> String {
        let mut instances = String::new();
        for number in 1..=count {
            let one = format!("{name}-{number}");
            std::fs::write(self.dir.join(&one), version).unwrap();
            let url = serve(&self.dir, &one);
            instances.extend(["      ", &one, ": \"", &url, "\"\n"]);
        }
        let dir = self.dir.display();
        format!(
            "  {name}:\n    {more}\n    batch_delay: 1s\n    health_check_interval: 0.2\n    \
             validation: 3s\n    roll_back: {{argv: [sh, -c, 'echo \"$1 $2 $(date +%s%N)\" >> \
             {dir}/log; echo \"$2\" > {dir}/$1', x, $instance, $version]}}\n    instances:\n{instances}"
        )
    }

    fn configure(&self, services: &[String], more: &str) {
        let text = std::fs::read_to_string(self.stack.config()).unwrap();
        let text = format!("{text}\nservices:\n{}{more}", services.concat());
        std::fs::write(self.stack.config(), text).unwrap();
    }

    fn plan(&self, arguments: &[&str]) -> Value {
        let said = self.stack.run(&[&["--json", "plan"], arguments].concat());
        assert_eq!(said.code, 0, "{said:?}");
        said.json()
    }

    /// What was brought back, in order: instance, version, when in nanoseconds.
    fn log(&self) -> Vec<(String, String, u128)> {
        let text = std::fs::read_to_string(self.dir.join("log")).unwrap_or_default();
        let line = |line: &str| {
            let mut words = line.split(' ').map(str::to_owned);
            let (one, version) = (words.next().unwrap(), words.next().unwrap());
            (one, version, words.next().unwrap().parse().unwrap())
        };
        text.lines().map(line).collect()
    }

    fn runs(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.join(name)).unwrap().trim().to_owned()
    }
}

fn titles(plan: &Value) -> Vec<String> {
    let steps = plan["steps"].as_array().unwrap_or_else(|| panic!("{plan}"));
    steps.iter().map(|step| step["title"].as_str().unwrap().to_owned()).collect()
}

fn entries(stack: &Stack) -> Vec<Entry> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut reader = backout::journal::Reader::open(&stack.state()).await.unwrap();
        reader.after(0, 10_000).await.unwrap()
    })
}

#[test]
fn batches_go_one_after_the_other_and_an_unhealthy_one_halts_what_follows() {
    let fleet = Fleet::up();
    let backend = fleet.service("backend", (5, "2.5.0"), "batch_size: 2");
    fleet.configure(&[backend], "");
    let rolling = fleet.plan(&["--strategy", "rolling", "--target", "2.4.9"]);
    let batches = [
        "backend: batch 1 of 3 to 2.4.9: backend-1, backend-2",
        "backend: batch 2 of 3 to 2.4.9: backend-3, backend-4",
        "backend: batch 3 of 3 to 2.4.9: backend-5",
    ];
    assert_eq!(titles(&rolling), batches);
    let immediate = fleet.plan(&["--strategy", "immediate", "--target", "2.4.9"]);
    let all = "backend-1, backend-2, backend-3, backend-4, backend-5";
    assert_eq!(titles(&immediate), [format!("backend: all instances to 2.4.9: {all}")]);
    // One of the second batch does not get well on the old version.
    std::fs::write(fleet.dir.join("backend-3.sick"), "2.4.9").unwrap();
    let go = |to: &str| {
        let rest = ["--auto-confirm", "--reason", "test"];
        let named = ["rollback", "--strategy", "rolling", "--target", to];
        fleet.stack.run(&[&named[..], &rest[..]].concat())
    };
    let said = go("2.4.9");
    assert_ne!(said.code, 0, "{said:?}");
    let words = said.out.clone() + &said.err + &fleet.stack.log();
    assert!(words.contains("backend-3: could not see "), "{said:?}");
    assert!(words.contains("1 more batches are not touched"), "{said:?}");
    assert_eq!(fleet.runs("backend-5"), "2.5.0");
    assert_eq!(fleet.runs("backend-1"), "2.4.9");
    let log = fleet.log();
    assert_eq!(log.len(), 4, "{log:?}");
    let at = |batch: &[(String, String, u128)]| batch.iter().map(|line| line.2).collect::<Vec<_>>();
    let (first, second) = (at(&log[..2]), at(&log[2..]));
    let between = second.iter().min().unwrap() - first.iter().max().unwrap();
    assert!(between >= 1_000_000_000, "{between}");
    // It gets well; what is there already is not brought there again, and the rest follows.
    std::fs::remove_file(fleet.dir.join("backend-3.sick")).unwrap();
    if let Some(run) = fleet.stack.situation().open_run() {
        let stop = ["abort", "STOP", "--reason", "begin again"];
        let said = fleet.stack.run(&[&["run"], &stop[..]].concat());
        assert_eq!(said.code, 0, "{}: {said:?}", run.id);
    }
    let said = go("2.4.9");
    assert_eq!(said.code, 0, "{said:?}\n{}", fleet.stack.log());
    assert_eq!(fleet.runs("backend-5"), "2.4.9");
    assert_eq!(fleet.log().len(), 5, "{:?}", fleet.log());
}

#[test]
fn services_go_back_in_reverse_order_and_with_what_no_longer_works_with_them() {
    let fleet = Fleet::up();
    let services = [
        fleet.service("api", (1, "2.5.0"), "depends_on: [db]"),
        fleet.service("db", (1, "2.5.0"), "depends_on: []"),
        fleet.service(
            "web",
            (1, "3.1.0"),
            "depends_on: [api]\n    works_with:\n      3.1.0: {api: 2.5.0}\n      3.0.0: {api: 2.3.0}",
        ),
    ];
    let targets = "targets:\n  - {service: api, environment: demo, strategy: immediate}\n  - \
                   {service: web, environment: demo, strategy: rolling, options: {batch_size: 1}}\n  \
                   - {service: api, environment: elsewhere, strategy: rolling}\n";
    fleet.configure(&services, targets);
    let all = fleet.plan(&["--strategy", "immediate", "--target", "web=3.0.0,2.4.9"]);
    let order: Vec<String> =
        titles(&all).iter().map(|title| title.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(order, ["web", "api", "db"]);
    let said = fleet.stack.run(&["plan", "--strategy", "immediate", "--target", "web=3.0.0,2.4.9"]);
    assert!(said.out.contains("order web, api, db: who depends on others goes first"), "{said:?}");
    // Both sections, each as its target says.
    let both = ["--service", "api", "--service", "web", "--target", "web=3.0.0,api=2.4.9"];
    let both = titles(&fleet.plan(&both));
    assert_eq!(both, ["web: all instances to 3.0.0: web-1", "api: all instances to 2.4.9: api-1"]);
    // The api alone: web 3.1.0 needs 2.5.0, so it goes back with it, to what works with 2.4.9.
    let said = fleet.stack.run(&["plan", "--service", "api", "--target", "2.4.9"]);
    let why = "in it, too: web 3.1.0 needs api 2.5.0 or newer, which goes to 2.4.9";
    assert!(said.out.contains(why), "{said:?}");
    assert!(said.out.contains("web: all instances to 3.0.0: web-1"), "{said:?}");
    let said = fleet.stack.run(&["plan", "--service", "api", "--target", "2.2.0"]);
    assert_eq!(said.code, 10, "{said:?}");
    assert!(said.err.contains("no version of web is known that works with it"), "{said:?}");
    let said = fleet.stack.run(&["plan", "--service", "api"]);
    assert!(said.err.contains("no version is said for api"), "{said:?}");
    // Each for itself: what no longer goes together is refused, never parted in silence.
    let kept = std::fs::read_to_string(fleet.stack.config()).unwrap();
    let alone = format!("{kept}cross_repo_coordination: false\n");
    std::fs::write(fleet.stack.config(), alone).unwrap();
    let said = fleet.stack.run(&["plan", "--service", "api", "--target", "2.4.9"]);
    assert_eq!(said.code, 10, "{said:?}");
    assert!(said.err.contains("goes to 2.4.9: name web, too"), "{said:?}");
    std::fs::write(fleet.stack.config(), kept).unwrap();
    // Brought there together.
    let go = ["rollback", "--service", "api", "--target", "2.4.9", "--auto-confirm"];
    let said = fleet.stack.run(&[&go[..], &["--reason", "together"]].concat());
    assert_eq!(said.code, 0, "{said:?}\n{}", fleet.stack.log());
    assert_eq!((fleet.runs("api-1"), fleet.runs("web-1")), ("2.4.9".into(), "3.0.0".into()));
    assert_eq!(fleet.runs("db-1"), "2.5.0");
    let first: Vec<String> = fleet.log().into_iter().map(|line| line.0).collect();
    assert_eq!(first, ["web-1", "api-1"]);
    // Back forward again, by what each was recorded to run.
    let said = fleet.stack.run(&["rollback", "--undo", "last", "--auto-confirm", "--reason", "x"]);
    assert_eq!(said.code, 0, "{said:?}\n{}", fleet.stack.log());
    assert_eq!((fleet.runs("api-1"), fleet.runs("web-1")), ("2.5.0".into(), "3.1.0".into()));
}

#[test]
fn a_switch_by_name_keeps_the_failed_version_and_goes_back_where_users_are_not_served_well() {
    let fleet = Fleet::up();
    std::fs::write(fleet.dir.join("users"), "v2.4.9").unwrap();
    let url = serve(&fleet.dir, "users");
    let service = format!(
        "  app:\n    strategy: blue_green\n    health_check_url: \"{url}\"\n    \
         validation_timeout: 3\n    preserve_failed_environment: true\n"
    );
    fleet.configure(&[service], "");
    std::fs::write(fleet.dir.join("users.sick"), "v2.4.9").unwrap();
    // Its engine has one worker, as long as it lives.
    let go = || {
        let named = ["rollback", "--strategy", "blue-green", "--auto-confirm", "--reason", "test"];
        let mut command = fleet.stack.command(&named);
        command.env("ROLLBACK_MAX_WORKERS", "1");
        let output = command.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let said = go();
    assert_ne!(said.0, 0, "{said:?}");
    let stack = &fleet.stack;
    let ended = stack.situation().run.unwrap().ended.unwrap();
    assert_eq!(ended.outcome, Outcome::Undone, "{said:?}");
    assert_eq!(stack.status()["active"], "green");
    std::fs::remove_file(fleet.dir.join("users.sick")).unwrap();
    let said = go();
    assert_eq!(said.0, 0, "{said:?}\n{}", stack.log());
    let status = stack.status();
    assert_eq!(status["active"], "blue");
    // The failed one is stopped, and all of it is there to be looked at.
    assert_eq!(
        (&status["green"]["state"], &status["green"]["version"]),
        (&"down".into(), &"v2.5.0".into())
    );
    // P-80: four phases of three tasks, each with what stands for it or why it is skipped.
    let said = stack.run(&["--json", "run", "phases"]).json();
    let phases = said.as_array().unwrap();
    let names: Vec<&str> = phases.iter().map(|phase| phase["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Assessment", "Coordination", "Execution", "Validation"]);
    for task in phases.iter().flat_map(|phase| phase["tasks"].as_array().unwrap()) {
        let (state, why) = (task["state"].as_str().unwrap(), task["why"].as_str().unwrap());
        assert!(matches!(state, "done" | "skipped") && !why.is_empty(), "{task}");
    }
    assert!(phases.iter().all(|phase| phase["tasks"].as_array().unwrap().len() == 3));
    assert_eq!(phases[2]["tasks"][2]["why"], "this level changes no data");
    // P-65: with one worker no two steps are under way at once.
    let mut running = 0;
    for entry in entries(stack) {
        let Body::Event(event) = entry.body else { continue };
        match *event {
            Event::StepStarted { .. } => running += 1,
            Event::StepEnded { .. } => running -= 1,
            _ => {}
        }
        assert!((0..=1).contains(&running), "{running} at once");
    }
    let said = stack.run(&["plan", "--strategy", "canary"]);
    assert!(said.code == 10 && said.err.contains("no canary has any of the traffic"), "{said:?}");
}

/// The shipped `config/pratiko.yaml` for this fleet, with the scripts that it names.
fn pratiko(fleet: &Fleet) -> PathBuf {
    let (stack, dir) = (&fleet.stack, &fleet.dir);
    let home = dir.join("pratiko");
    std::fs::create_dir_all(home.join("bin")).unwrap();
    let execute: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    let scripts = [
        (
            "deploy-instance",
            format!("echo \"$1 $2 $(date +%s%N)\" >> {0}/log; echo \"$2\" > {0}/$1", dir.display()),
        ),
        (
            "deploy-frontend",
            format!(
                "echo \"web $1 $(date +%s%N)\" >> {0}/log; echo \"$1\" > {0}/web",
                dir.display()
            ),
        ),
    ];
    for (name, text) in scripts {
        let path = home.join("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(path, execute.clone()).unwrap();
    }
    let mut text = include_str!("../config/pratiko.yaml").to_owned();
    let mut put = |from: &str, to: &str| {
        assert!(text.contains(from), "no {from:?} in config/pratiko.yaml");
        text = text.replace(from, to);
    };
    put("/opt/pratiko", home.to_str().unwrap());
    put("/var/", &format!("{}/var/", home.display()));
    put("batch_delay_seconds: 30", "batch_delay_seconds: 1");
    put("health_check_interval: 10", "health_check_interval: 1");
    put("monitoring_interval_seconds: 30", "monitoring_interval_seconds: 2");
    for number in 1..=5 {
        let one = format!("backend-{number}");
        std::fs::write(dir.join(&one), "2.0.6").unwrap();
        put(&format!("http://10.0.0.1{number}:8000/health"), &serve(dir, &one));
    }
    std::fs::write(dir.join("web"), "2.1.0").unwrap();
    for place in
        ["https://pratiko.ai/version", "https://pratiko.ai/health", "https://cdn.pratiko.ai/health"]
    {
        put(place, &serve(dir, "web"));
    }
    put("https://api.pratiko.ai/health", &serve(dir, "backend-1"));
    text.push_str("rollback: {watch_window: 3s}\n");
    let config = stack.dir().join("pratiko.yaml");
    std::fs::write(&config, text).unwrap();
    config
}

/// The shipped configuration through its main path: five instances of the backend, in batches of two,
/// and the frontend that goes back with it. Only places and lengths of time are replaced.
#[test]
fn the_shipped_pratiko_configuration_rolls_back_in_batches() {
    let fleet = Fleet::up();
    let (stack, config) = (&fleet.stack, pratiko(&fleet));
    let run = |arguments: &[&str]| {
        stack.run(&[&["--config", config.to_str().unwrap()], arguments].concat())
    };
    let checked = run(&["config", "check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    let service = ["--service", "backend", "--target", "2.0.5"];
    let plan = run(&[&["--json", "plan"], &service[..]].concat());
    let batches = [
        "frontend: all instances to 2.0.5: web",
        "backend: batch 1 of 3 to 2.0.5: backend-1, backend-2",
        "backend: batch 2 of 3 to 2.0.5: backend-3, backend-4",
        "backend: batch 3 of 3 to 2.0.5: backend-5",
    ];
    assert_eq!(titles(&plan.json()), batches);
    // Nothing moves traffic there: levels are refused with the way that there is.
    let level = run(&["plan", "--level", "1"]);
    assert_eq!(level.code, 10, "{level:?}");
    assert!(level.err.contains("backout rollback --service NAME"), "{level:?}");
    // Where each says where it goes, level 1 is all of them, and a rule can start it.
    let text = std::fs::read_to_string(&config).unwrap();
    let own = text.replacen("depends_on: [database]", "depends_on: [database]\n    to: 2.0.5", 1);
    let own = own.replacen("depends_on: [backend]", "depends_on: [backend]\n    to: 2.0.5", 1);
    std::fs::write(&config, own).unwrap();
    assert_eq!(titles(&run(&["--json", "plan", "--level", "1"]).json()), batches);
    std::fs::write(&config, text).unwrap();
    let go = [&["rollback"], &service[..], &["--auto-confirm", "--reason", "errors"]].concat();
    let said = run(&go);
    // The units of systemd are what the machine has: without one they are unknown, and never good.
    let unknown = "? all health checks passing: not known: nginx, postgresql, redis";
    assert!(said.code == 0 || said.out.contains(unknown), "{said:?}");
    assert!(said.out.contains("\u{2713} every step is proved: all"), "{said:?}");
    for number in 1..=5 {
        assert_eq!(fleet.runs(&format!("backend-{number}")), "2.0.5");
    }
    assert_eq!(fleet.runs("web"), "2.0.5", "it does not work with the older backend");
    let log: Vec<String> = fleet.log().into_iter().map(|(one, ..)| one).collect();
    assert_eq!(
        log.first().map(String::as_str),
        Some("web"),
        "who depends on others goes first: {log:?}"
    );
}
