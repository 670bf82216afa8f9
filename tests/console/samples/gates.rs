//! Level 3 at its gate: the copy is up beside the live data, and a person chooses; a plan that
//! changes files; what a bundle would hold.

use std::collections::BTreeMap;

use backout::model::entry::{Command, Event, StepEnd};
use backout::model::live::BundlePreview;
use backout::model::loss::{Loss, LostRows, StoreTime};
use backout::model::plan::{Hazard, Level, Move, Plan, Way};

use super::plans::{RUN, end, face, plan, preflight, spec, start};
use super::story::{Story, failing};
use super::worlds::{lines, world};
use super::{Sample, at};

/// A plan of level 3, short.
fn point_in_time() -> Plan {
    let mut plan = plan();
    let (looks, changes) = (Hazard::Looks, Hazard::Reversible);
    plan.core.level = Level::PointInTime;
    plan.core.point = "20251121-234000".into();
    plan.core.undo = vec![spec("remove-copy", changes, 30, None, &[])];
    plan.core.steps = vec![
        spec("hold-writers", changes, 10, None, &[]),
        spec("restore-database", changes, 600, Some("remove-copy"), &["hold-writers"]),
        spec("choose", looks, 300, None, &["restore-database"]),
        spec("swap-database", Hazard::LosesData, 60, None, &["choose"]),
        spec("unhold", changes, 10, None, &["choose"]),
    ];
    plan.core.steps[2].asks = true;
    plan.core.steps[3].only_swap = true;
    plan.face.steps = vec![
        face("hold the writers", "lift it", 1, "nobody writes after it"),
        face("restore the database beside", "remove the copy", 120, "81 MB"),
        face("SWAP, BESIDE or NEW TIME", "-", 60, "a person chooses"),
        face("swap the database, keep the old", "swap back", 5, "two renames"),
        face("lift the hold of the writers", "-", 1, "writers write again"),
    ];
    plan.face.form = "restore beside, then choose".into();
    plan.face.data = "what was written after 23:40:00 is lost by SWAP".into();
    plan
}

fn planned(plan: &Plan) -> Story {
    let mut story = failing();
    let level = plan.core.level;
    story.command(55, Command::Plan { level, target: None }).event(
        60,
        Event::PlanMade {
            plan: Box::new(plan.clone()),
            by: "alice".into(),
            preflight: preflight(false),
        },
    );
    story
}

fn table(table: &str, then: u64, now: Option<u64>, lost: Option<u64>) -> LostRows {
    LostRows { table: table.into(), then, now, lost, by_hand: "".into() }
}

/// The run of level 3 as it asks what becomes of the copy.
fn asking() -> Story {
    let plan = point_in_time();
    let mut story = planned(&plan);
    story.event(
        80,
        Event::RunStarted {
            run: RUN.into(),
            plan: plan.digest(),
            by: "alice".into(),
            reason: "rows of users are wrong".into(),
            accept_loss: None,
        },
    );
    start(&mut story, 80, "hold-writers");
    end(&mut story, 81, "hold-writers", StepEnd::Done, 1, "nobody writes");
    start(&mut story, 81, "restore-database");
    end(&mut story, 201, "restore-database", StepEnd::Done, 120, "beside the live one");
    let loss = Loss {
        from: at(-840),
        until: Some(at(81)),
        tables: vec![
            table("users", 1_204, Some(1_207), Some(3)),
            table("documents", 88_310, Some(88_310), Some(0)),
            table("sessions", 40, None, None),
        ],
        stores: vec![
            StoreTime { store: "database".into(), at: at(-840) },
            StoreTime { store: "files".into(), at: at(-960) },
        ],
        ..Loss::default()
    };
    story.event(202, Event::LossMeasured { run: RUN.into(), loss: Box::new(loss) }).event(
        203,
        Event::NeedsPerson {
            run: RUN.into(),
            step: Some("choose".into()),
            why: "the copy is up beside the live data. SWAP, BESIDE or NEW TIME".into(),
            offer: None,
        },
    );
    story
}

/// One log cannot be kept, and that is told.
fn unread() -> Story {
    let mut story = failing();
    story.event(45, Event::Trouble { text: "worker.log cannot be read: no such file".into() });
    story
}

fn with_files() -> Plan {
    let mut plan = plan();
    plan.core.level = Level::Full;
    plan.face.moves = vec![
        Move { item: "schema".into(), way: Way::Back, from: "105".into(), to: "104".into() },
        Move { item: "users".into(), way: Way::Stays, from: "1,207 rows".into(), to: "".into() },
    ];
    plan.face.diff = [
        "--- config/app.yaml now",
        "+++ config/app.yaml then",
        "@@ -1,3 +1,3 @@",
        " workers: 4",
        "-timeout: 500ms",
        "+timeout: 5s",
        " password: ***",
    ]
    .map(Into::into)
    .to_vec();
    plan
}

fn sample(name: &'static str, story: &Story, second: i64, what: &str, next: &str) -> Sample {
    Sample { name, world: world(story, second), lines: lines(what, next), now: at(second) }
}

pub(super) fn all() -> Vec<Sample> {
    let asks = "Level 3 asks: the copy is up, writes are held.";
    let mut kept = sample("can-export", &unread(), 50, "api fails 14.2 %.", "Keep it: e.");
    if let Some(live) = &mut kept.world.live {
        live.bundle = Some(Box::new(BundlePreview {
            at: at(46),
            busy: false,
            sources: 12,
            missing: vec!["worker.log: no such file".into()],
            bytes: 41_300_000,
            cut: 1,
            redactions: BTreeMap::from([("password".to_owned(), 3), ("token".to_owned(), 1)]),
            error: None,
        }));
    }
    vec![
        sample("gate", &asking(), 220, asks, "Choose: SWAP, BESIDE or NEW TIME."),
        sample("plan-files", &planned(&with_files()), 66, "Level 2 is ready.", "Press R."),
        kept,
    ]
}
