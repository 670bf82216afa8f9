//! The engine is killed in the middle of a run and started anew: no effect happens twice, and the
//! run completes or holds with a true word and the next command (must-show 3 of the levels).

use std::time::{Duration, Instant};

use backout::model::entry::Outcome;
use backout::model::incident::{Run, StepPhase};

use crate::guarantees::{long, tell};

use super::private::Private;
use super::site::{Said, Site};
use super::stack::Stack;

/// How each level is run with nobody to type.
const LEVELS: [&[&str]; 3] = [
    &["rollback", "--quick", "--reason", "test"],
    &["rollback", "--level", "2", "--auto-confirm", "--reason", "test"],
    &["rollback", "--level", "3", "--auto-confirm", "--accept-loss", "600", "--reason", "test"],
];

/// Where the engine is killed: the level, and the step that has just begun.
const STRIKES: [(usize, &str); 3] = [(1, "switch"), (2, "migrate_105"), (3, "restore_database")];
/// The same in the long run.
const MORE: [(usize, &str); 10] = [
    (1, "verify"),
    (1, "gate"),
    (1, "stop"),
    (2, "backup"),
    (2, "stop"),
    (2, "deploy"),
    (2, "switch"),
    (3, "backup"),
    (3, "swap_database"),
    (3, "deploy"),
];

/// What the bad release is, for a level.
fn break_for(site: &Site<'_>, level: usize) {
    match level {
        1 => site.stack.script("break", &["none"]),
        2 => site.stack.script("break", &["errors"]),
        _ => {
            site.stack.script("break", &["drop-table"]);
            site.stack.script("break", &["corruption", "--no-deploy"])
        }
    };
    // Each time that the down script has an effect it leaves a row of its own.
    site.ask("CREATE TABLE effects (what text)");
    let down = site.stack.dir.join("migrations/rollback");
    for entry in std::fs::read_dir(down).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        if path.to_string_lossy().contains("105") {
            let count = "INSERT INTO effects VALUES ('down 105');";
            std::fs::write(&path, with_count(&text, count)).unwrap();
        }
    }
}

/// The script with one more statement of its own transaction.
fn with_count(text: &str, count: &str) -> String {
    match text.rfind("COMMIT") {
        Some(at) => format!("{}{count}\n{}", &text[..at], &text[at..]),
        None => format!("{text}\n{count}\n"),
    }
}

fn open_run(site: &Site<'_>) -> Option<Run> {
    site.situation()?.run
}

fn wait<T>(site: &Site<'_>, what: &str, seconds: u64, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(found) = look() {
            return found;
        }
        let log = || std::fs::read_to_string(site.state().join("engine.log")).unwrap_or_default();
        assert!(Instant::now() < until, "waited in vain: {what}\n{}", log());
        std::thread::park_timeout(Duration::from_millis(15));
    }
}

/// Runs a level; the engine is killed when `step` has begun, and is back after a while.
fn struck(site: &Site<'_>, engine: &mut Private, level: usize, step: &str) -> Said {
    let started = site.start(LEVELS[level - 1]);
    let began = wait(site, &format!("{step} begins"), 400, || {
        let run = open_run(site)?;
        let over = run.ended.is_some() || run.waiting.is_some();
        let begun = run.steps.iter().any(|one| one.id.as_str() == step && one.attempt > 0);
        (begun || over).then_some(begun)
    });
    let why = || open_run(site).map(|run| (run.waiting, run.ended));
    assert!(began, "{step} never began: {:?}", why());
    engine.kill();
    std::thread::sleep(Duration::from_secs(2));
    engine.up();
    started.ended()
}

/// What a person does whom the run holds for: the services that nobody stopped on purpose are
/// started, and what the run waits for is tried again, until it ends; where it says that it was
/// planned for what is not there any more, it is ended and begun anew. What it held with, and how
/// many runs there were.
fn helped_on(site: &Site<'_>, level: usize) -> (Vec<String>, usize) {
    let (mut held, mut runs) = (Vec::new(), 1);
    let until = Instant::now() + Duration::from_mins(12);
    while Instant::now() < until {
        let run = wait(site, "the run ends or waits", 300, || {
            open_run(site).filter(|run| run.ended.is_some() || run.waiting.is_some())
        });
        let Some(waiting) = run.waiting.clone().filter(|_| run.ended.is_none()) else {
            return (held, runs);
        };
        let step = waiting.step.as_ref().map_or("the verdict", |step| step.as_str()).to_owned();
        held.push(format!("{step}: {}", waiting.why));
        let shown = site.run(&["run"]);
        assert_eq!(shown.code, 0, "{}", shown.text);
        assert!(shown.text.contains("backout run"), "no next command: {}", shown.text);
        for service in ["postgres", "redis", "app-blue", "app-green", "nginx"] {
            let asleep = site.state_of(service) != "running";
            let on_purpose = service.starts_with("app") && stopped_by_the_run(&run);
            if asleep && !on_purpose {
                let container = site.stack.container(service);
                site.stack.docker(&["start", &container]);
                well(site, &container);
            }
        }
        // A look may heal it meanwhile: it gets a moment to.
        std::thread::sleep(Duration::from_secs(2));
        let Some(now) = open_run(site).and_then(|run| run.waiting) else { continue };
        let reason = ["--reason", "the engine is back"];
        if now.why.as_str().contains("make a new plan") {
            let verb = if level == 1 { "STOP" } else { "UNDO" };
            let said = site.run(&[&["run", "abort", verb], &reason[..]].concat());
            tell(&format!("    abort {verb}: {}", said.code));
            wait(site, "the run is ended", 400, || {
                open_run(site).filter(|run| run.ended.is_some())
            });
            runs += 1;
            // What was started needs a moment; until it is well no plan is made.
            wait(site, "a new run begins", 400, || {
                let said = site.run(LEVELS[level - 1]);
                tell(&format!("    anew: {} {}", said.code, last_line(&said.text)));
                std::thread::sleep(Duration::from_secs(1));
                (said.code != 10).then_some(())
            });
        } else if now.step.is_some() {
            let said = site.run(&[&["run", "retry", "--step", &step], &reason[..]].concat());
            tell(&format!("    retry {step}: {}", said.code));
        }
    }
    panic!("held too often: {held:#?}");
}

/// Waits until the engine calls a container well. One that fails on purpose never is: that is no
/// failure of this test.
fn well(site: &Site<'_>, container: &str) {
    let until = Instant::now() + Duration::from_mins(1);
    let state = || site.stack.docker(&["inspect", "-f", "{{.State.Health.Status}}", container]);
    while state() != "healthy" && Instant::now() < until {
        std::thread::park_timeout(Duration::from_millis(200));
    }
}

fn last_line(text: &str) -> &str {
    text.trim_end().lines().last().unwrap_or_default()
}

/// Whether level 2 or 3 has both colours down.
fn stopped_by_the_run(run: &Run) -> bool {
    let begun = |id: &str| run.steps.iter().any(|step| step.id.as_str() == id && step.attempt > 0);
    begun("stop_other") && !begun("switch")
}

/// Nothing happened twice, and the end is that of a run that nobody disturbed.
fn ended_well(site: &Site<'_>, level: usize, runs: usize, case: &str) {
    let run = open_run(site).unwrap();
    let outcome = run.ended.as_ref().map(|ended| ended.outcome);
    assert_eq!(outcome, Some(Outcome::Done), "{case}: {run:#?}");
    let unknown = |phase: &StepPhase| matches!(phase, StepPhase::Unknown(_));
    assert!(!run.steps.iter().any(|step| unknown(&step.phase)), "{case}: {run:#?}");
    let serves = if level == 1 { "blue v2.4.9 105" } else { "blue v2.4.9 104" };
    assert_eq!(site.serves(), serves, "{case}");
    assert_eq!(site.state_of("app-green"), "exited", "{case}");
    let history = std::fs::read_to_string(site.state().join("rollback_history.log")).unwrap();
    assert_eq!(history.lines().count(), runs, "{case}: {history}");
    assert_eq!(site.stack.variable("IMAGE_TAG").as_deref(), Some("v2.4.9"), "{case}");
    assert_eq!(site.ask("SELECT count(*) FROM users"), "500", "{case}");
    let kept = |part: &str| {
        let all = site.databases();
        all.split(' ').filter(|name| name.contains(part)).count()
    };
    let volumes = site.stack.docker(&["volume", "ls", "-q"]);
    let volumes = |part: &str| volumes.lines().filter(|name| name.contains(part)).count();
    assert_eq!((kept("_restored_"), volumes(".restored_")), (0, 0), "{case}: a copy is left");
    let safety = std::fs::read_dir(site.stack.dir.join("../backups")).unwrap();
    let safety = safety.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().contains("safety")
    });
    match level {
        1 => assert_eq!((kept("_failed_"), volumes("._failed_")), (0, 0), "{case}"),
        2 => {
            assert_eq!(site.ask("SELECT count(*) FROM effects"), "1", "{case}: the down script");
            assert!((1..=runs).contains(&safety.count()), "{case}: safety backups");
        }
        _ => {
            assert_eq!((kept("_failed_"), volumes("._failed_")), (1, 1), "{case}");
            assert_eq!(site.ask("SELECT count(*) FROM game_state"), "500", "{case}");
            assert!((1..=runs).contains(&safety.count()), "{case}: safety backups");
        }
    }
}

/// Every case on one engine with these options.
fn killed_with(options: &[&str], project: &str, cases: &[(usize, &str)]) {
    let Some(mut engine) = Private::start(options) else { return };
    let stack = Stack::on(engine.place.clone(), project, 18_080);
    let (mut completed, mut whole) = (0, 0);
    for (level, step) in cases {
        let case = format!("level {level}, killed at {step} {options:?}");
        let site = Site::fresh(&stack);
        break_for(&site, *level);
        let began = Instant::now();
        let said = struck(&site, &mut engine, *level, step);
        let (held, runs) = helped_on(&site, *level);
        let took = began.elapsed().as_secs();
        completed += usize::from(held.is_empty());
        whole += usize::from(runs == 1);
        tell(&format!("{case}: {} in {took} s, {runs} runs {held:#?}", said.code));
        // One that ended by itself said so, and one that holds never said that it was done.
        assert_eq!(held.is_empty(), said.code == 0, "{case}: {}", said.text);
        ended_well(&site, *level, runs, &case);
        // Nobody is left who looks at a stack that the next case breaks.
        let engines: serde_json::Value =
            serde_json::from_str(&site.run(&["ps", "--json"]).text).unwrap();
        for one in engines.as_array().unwrap() {
            let pid = one["pid"].to_string();
            site.stack.place.command("kill").args(["-TERM", &pid]).output().unwrap();
        }
    }
    let all = cases.len();
    tell(&format!("{all} strikes, {completed} went on alone, {whole} in one run, 0 doubled"));
}

fn cases() -> Vec<(usize, &'static str)> {
    let more = if long() { &MORE[..] } else { &[] };
    STRIKES.iter().chain(more).copied().collect()
}

#[test]
fn an_engine_that_comes_back_with_its_containers_disturbs_no_level() {
    killed_with(&["--live-restore"], "lives", &cases());
}

#[test]
fn an_engine_that_comes_back_without_its_containers_doubles_nothing() {
    // A person has more to do here, and it takes its time: without the long run, level 1 alone.
    let cases = if long() { cases() } else { STRIKES[..1].to_vec() };
    killed_with(&[], "dies", &cases);
}
