//! The guarantees of the engine and the tests that show them. `BACKOUT_TEST_LONG=1` runs them at
//! their whole numbers; without it a quick part of each runs.
//!
//! | | promise | shown by |
//! | --- | --- | --- |
//! | G1 | a dropped line disturbs no run | `pty::a_closed_terminal_ends_the_console_and_not_the_run`, `pty::a_terminal_that_nobody_reads_holds_nothing_up`, `people::the_leads_console_is_killed_and_a_second_user_aborts_and_takes_the_lead` |
//! | G2 | a killed console disturbs no run | `pty::a_killed_console_does_not_disturb_the_run`, `console::safety` |
//! | G3 | a killed engine loses and doubles nothing | `crash` (each boundary of each step, each entry), [`campaign`] (random instants) |
//! | G4 | what was acknowledged is on disk, another boot voids what was believed | [`durability`], [`reboot`], `backout::model::reboot` |
//! | G5 | on a full disk the step's end is still recorded | `backout::journal::tests` (each of the first 500 writes), [`durability`], `people::on_a_full_disk_…` |
//! | G6 | a damaged journal is found and never gone on with | `backout::journal::tests::damage` |
//! | G7 | one engine for a target | [`engines`] |
//! | G8 | a sleeper that wakes up writes nothing | [`engines`] |
//! | G9 | a set clock ends nothing early or never | [`clock`], `backout::model::next::tests` |
//! | G10 | no journal, no step; a target that is down is a fact | [`durability`], `shim::wherever_the_shim_dies_no_end_is_invented` |
//! | G13 | a bad restore point is refused before anything stops | with the restore points |
//! | G14 | a step that hangs is ended in time | `shim::every_kind_of_hang_is_ended_in_time`, `shim::a_tool_that_reads_its_input_finds_it_empty`, `shim::a_gibibyte_of_output_takes_a_bounded_part_of_the_disk` |
//! | G15 | unknown is never taken as good | [`unknown`], `backout::model::next::tests` (16 of 16) |
//! | G16 | three ways to stop, and what is left is measured | [`stop`], `backout::model::next::tests` |
//! | G17 | one effect per decision | [`commands`] |
//! | G19 | another target than the planned one is refused | [`identity`] |
//! | G20 | a changed record is found by who holds a head | `backout::journal::tests::damage` |
//!
//! [`bugs`] puts twelve bugs in, one after the other, and sees that the named test fails.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use backout::adapters::process::Program;
use backout::clock::Clock;
use backout::config::{Environment, load};
use backout::engine::deploys;
use backout::engine::planner::{self, Facts};
use backout::engine::stack::Stack as Target;
use backout::journal::{Draft, Reader, Writer};
use backout::model::entry::{Author, Body, Entry, Event};
use backout::model::ids::{Digest, PointId, RunId, StepId};
use backout::model::plan::{Level, Plan, StepSpec};
use backout::model::situation::Situation;
use backout::steps::StepKind;

use super::support::Stack;
pub(crate) use super::support::long;

mod bugs;
pub(crate) mod campaign;
mod clock;
mod commands;
mod durability;
mod engines;
mod identity;
mod reboot;
mod stop;
mod unknown;

/// Says something to whoever looks at the test's output.
pub(crate) fn tell(line: &str) {
    use std::io::Write as _;
    writeln!(std::io::stderr().lock(), "{line}").unwrap();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A step that changes something: before and after its intent is written (B1, B2), before the
/// order, after it and when it is answered (B4, B5, B6), when it is proved (B7), before and after
/// its end is written (B8, B9). There is no B3.
const ACTS: [&str; 8] = ["B1", "B2", "B4", "B5", "B6", "B7", "B8", "B9"];
/// A step that looks or waits gives no order: B5 is in the middle of it.
const LOOKS: [&str; 6] = ["B1", "B2", "B5", "B6", "B8", "B9"];

/// The boundaries that a step of this kind has. A new kind says here which.
fn boundaries_of(step: &StepSpec) -> &'static [&'static str] {
    match StepKind::from_action(&step.action).unwrap() {
        StepKind::VerifyTarget(_)
        | StepKind::Gate(_)
        | StepKind::KeepWarm(_)
        | StepKind::VerifyPoint(_)
        | StepKind::CheckData(_)
        | StepKind::MeasureLoss(_)
        | StepKind::WaitRollout(_)
        | StepKind::GuardRollout(_)
        | StepKind::VerifyCanary(_)
        | StepKind::VerifyVersion(_)
        | StepKind::VerifyServed(_)
        | StepKind::WaitHealthy(_) => &LOOKS,
        // A person's choice is never begun.
        StepKind::Choose(_) => &[],
        StepKind::Migrate(_)
        | StepKind::MigrateTool(_)
        | StepKind::SafetyBackup(_)
        | StepKind::CopyBackup(_)
        | StepKind::RestoreCache(_)
        | StepKind::RestoreConfig(_)
        | StepKind::RestoreDatabase(_)
        | StepKind::RestoreFiles(_)
        | StepKind::RemoveCopy(_)
        | StepKind::SwapCache(_)
        | StepKind::SwapDatabase(_)
        | StepKind::SwapFiles(_)
        | StepKind::SwitchTraffic(_)
        | StepKind::Preserve(_)
        | StepKind::Drain(_)
        | StepKind::StopWorkload(_)
        | StepKind::StartWorkload(_)
        | StepKind::Command(_)
        | StepKind::Hold(_)
        | StepKind::Unhold(_)
        | StepKind::StopWorkers(_)
        | StepKind::StartWorkers(_)
        | StepKind::RollInstances(_)
        | StepKind::RolloutUndo(_)
        | StepKind::Scale(_)
        | StepKind::Restart(_)
        | StepKind::SetCanary(_)
        | StepKind::SetConfig(_)
        | StepKind::FreezeSync(_)
        | StepKind::HttpCall(_)
        | StepKind::ApplySet(_)
        | StepKind::RunJob(_)
        | StepKind::PublishVersion(_)
        | StepKind::InvalidateEdge(_)
        | StepKind::ReleaseMobile(_)
        | StepKind::DeployWorkload(_) => &ACTS,
    }
}

/// The boundaries of the steps of plans, as faults; of each plan its own.
///
/// In the long run every boundary of every step. Without it each step of each plan once, at another
/// boundary than the step before it: the boundaries go round over all steps that have the same ones
/// and the same class, through all plans, and what is left of the round in the end is visited at the
/// last step of its kind. So no step, and no boundary of a class of steps, is left out.
pub(crate) fn boundaries(plans: &[Plan]) -> Vec<Vec<String>> {
    let mut all: Vec<Vec<String>> = Vec::new();
    let mut rounds: BTreeMap<(String, usize), Round> = BTreeMap::new();
    for plan in plans {
        let mut faults = Vec::new();
        // What only a restore beside has never begins in a run that swaps.
        for step in plan.core.steps.iter().filter(|step| !step.only_beside) {
            let points = boundaries_of(step);
            let Some(count) = Some(points.len()).filter(|count| *count > 0) else { continue };
            let fault = |point: &str| format!("die-at:{point}:{}", step.id);
            if long() {
                faults.extend(points.iter().map(|point| fault(point)));
                continue;
            }
            let round = rounds.entry((format!("{:?}", step.class), count)).or_default();
            faults.push(fault(points[round.steps % count]));
            round.steps += 1;
            let left = points.get(round.steps..).unwrap_or_default();
            round.left = (all.len(), left.iter().map(|point| fault(point)).collect());
        }
        all.push(faults);
    }
    for Round { left: (plan, faults), .. } in rounds.into_values() {
        all[plan].extend(faults);
    }
    all
}

/// How many steps of one kind were visited, and what of the round is not.
#[derive(Default)]
struct Round {
    steps: usize,
    left: (usize, Vec<String>),
}

/// The plan that an engine makes for `arguments`; nothing is changed by it.
pub(crate) fn plan_for(stack: &Stack, arguments: &[&str]) -> Plan {
    if arguments.contains(&"--undo") {
        let said = stack.run(&[arguments, &["--dry-run"]].concat());
        assert_eq!(said.code, 0, "{said:?}\n{}", stack.log());
        return stack.situation().plan.unwrap().plan;
    }
    let after = |flag: &str| {
        let at = arguments.iter().position(|argument| *argument == flag)?;
        arguments.get(at + 1).copied()
    };
    // Once looked at, so that there is a journal.
    assert!(stack.run(&["check"]).code <= 3);
    let level = after("--level").map_or(1, |level| level.parse().unwrap());
    let environment = Environment::of([("HOME", "/srv/dana")]);
    let target = after("--target").map(PointId::from);
    plan_of(&stack.config(), &stack.state(), &environment, (level, target))
}

/// The plan of a level, to a target, of a configuration and what its journal knows.
pub(crate) fn plan_of(
    config: &Path,
    state: &Path,
    environment: &Environment,
    (level, to): (u8, Option<PointId>),
) -> Plan {
    let config =
        load(config, environment).unwrap_or_else(|problems| panic!("{} problems", problems.len()));
    let (program, clock) = (Program::at(env!("CARGO_BIN_EXE_backout")), Clock::real());
    runtime().block_on(async {
        let target = Target::of(&config, &program, &clock);
        let known = match Reader::open(state).await {
            Ok(mut reader) => reader.situation().await.unwrap(),
            Err(_) => Situation::default(),
        };
        let deploys = deploys::Known::of(&known).with_file(&config);
        let facts = Facts {
            level: Level::from_number(level).unwrap(),
            target: to,
            points: deploys::targets(&config, target.as_ref(), &deploys, &clock).await,
            known: deploys,
            thorough: false,
            undo: None,
            journal: known.journal.clone(),
            history: known.history.clone(),
        };
        let made = planner::plan(&config, target.as_ref(), &facts, &clock).await;
        made.unwrap_or_else(|no| panic!("level {level}: {}", no.why)).0
    })
}

/// What the journal holds.
pub(crate) fn entries(stack: &Stack) -> Vec<Entry> {
    runtime().block_on(async {
        let mut reader = Reader::open(&stack.state()).await.unwrap();
        reader.verify().await.unwrap();
        reader.after(0, 100_000).await.unwrap()
    })
}

/// Waits until no engine has the state folder.
pub(crate) fn alone(stack: &Stack) {
    // Asking it would keep it.
    stack.wait("the engine ends", Duration::from_secs(40), || {
        pid_in(&stack.state()).is_none_or(|pid| !Path::new(&format!("/proc/{pid}")).exists())
    });
}

pub(crate) fn draft(event: Event) -> Draft {
    Draft {
        incident: None,
        at: chrono::Utc::now(),
        author: Author { engine: true, ..Author::default() },
        body: Body::Event(Box::new(event)),
    }
}

pub(crate) fn note(text: &str) -> Draft {
    draft(Event::Noted { by: "test".into(), text: text.into() })
}

/// A run of `plan`, written into the stack's journal as an engine would have left it that began it
/// under `boot`, wrote `more` and died.
pub(crate) fn left_behind(stack: &Stack, plan: Plan, boot: &str, more: Vec<Event>) -> RunId {
    alone(stack);
    let situation = stack.situation();
    let incident = situation.last_incident + 1;
    let run = RunId(format!("{incident}-{}-1", situation.journal));
    let digest = plan.digest();
    let mut events = vec![
        Event::EngineStarted {
            journal: situation.journal.clone(),
            pid: 1,
            host: "test".into(),
            boot: boot.into(),
            version: "0".to_owned(),
            environment: "demo".into(),
            production: false,
            config: Digest::default(),
        },
        Event::IncidentOpened { incident, why: "test".into() },
        Event::PlanMade { plan: Box::new(plan), by: "tester".into(), preflight: Vec::new() },
        Event::RunStarted {
            run: run.clone(),
            plan: digest,
            by: "tester".into(),
            reason: "test".into(),
            accept_loss: None,
        },
    ];
    events.extend(more);
    runtime().block_on(async {
        let mut writer = Writer::open(&stack.state()).await.unwrap();
        writer.append(events.into_iter().map(draft).collect()).await.unwrap();
        writer.close().await.unwrap();
    });
    run
}

/// The intent of a step that `run` left behind.
pub(crate) fn begun(run: &RunId, step: &str, attempt: u32) -> Event {
    Event::StepStarted {
        run: run.clone(),
        step: StepId::from(step),
        attempt,
        effect: format!("{run}.{step}.{attempt}"),
        boot: "before".into(),
    }
}

/// This test program, running one test as a process of its own.
pub(crate) fn alone_in_a_process(test: &str) -> Command {
    let mut child = Command::new(program_of_tests());
    child.args(["--exact", "--include-ignored", "--nocapture", test]);
    child
}

pub(crate) fn program_of_tests() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// The pid of the engine that has the lease.
pub(crate) fn engine_of(stack: &Stack) -> i32 {
    let mut pid = 0;
    stack.wait("an engine", Duration::from_secs(10), || {
        pid = pid_in(&stack.state()).unwrap_or(0);
        pid != 0 && Path::new(&format!("/proc/{pid}")).exists()
    });
    pid
}

/// Kills the engine that has the lease; false where none lives.
fn kill_engine(stack: &Stack) -> bool {
    let pid = pid_in(&stack.state()).and_then(rustix::process::Pid::from_raw);
    let kill = |pid| rustix::process::kill_process(pid, rustix::process::Signal::KILL).is_ok();
    pid.is_some_and(kill)
}

fn pid_in(state: &Path) -> Option<i32> {
    std::fs::read_to_string(state.join("engine.lock")).ok()?.trim().parse().ok()
}

pub(crate) fn signal(pid: i32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Numbers that look random and are the same each time.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}
