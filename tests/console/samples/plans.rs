//! A plan of level 1, and its run up to the middle.

use std::collections::BTreeMap;
use std::time::Duration;

use backout::model::entry::{Command, Event, StepEnd};
use backout::model::ids::{Digest, StepId};

use backout::model::plan::{
    Class, Hazard, Level, OnFailure, Plan, PlanCore, PlanFace, Preflight, PreflightAnswer,
    StepFace, StepSpec,
};

use backout::text::SafeText;

use super::at;
use super::story::{Story, failing};

pub(super) fn spec(
    id: &str,
    hazard: Hazard,
    budget: u64,
    undo: Option<&str>,
    needs: &[&str],
) -> StepSpec {
    StepSpec {
        id: id.into(),
        action: serde_json::json!({ id.replace('-', "_"): { "to": "blue" } }),
        needs: needs.iter().map(|need| StepId::from(*need)).collect(),
        class: Class::Converge,
        hazard,
        budget: Duration::from_secs(budget),
        on_failure: OnFailure::Wait,
        expect_down: if id == "stop" { vec!["api-health".into()] } else { Vec::new() },
        expected_status: BTreeMap::new(),
        undo: undo.map(StepId::from),
        beside_watch: matches!(id, "keep" | "stop"),
        asks: false,
        only_swap: false,
        only_beside: false,
    }
}

pub(super) fn face(title: &str, undo: &str, estimate: u64, preview: &str) -> StepFace {
    StepFace {
        title: title.into(),
        preview: preview.into(),
        undo: undo.into(),
        estimate: Duration::from_secs(estimate),
        last: Some(Duration::from_secs(estimate + 1)),
        by_hand: vec![SafeText::new(&format!("curl -X POST proxy/control # {title}"))],
    }
}

pub(crate) fn plan() -> Plan {
    let looks = Hazard::Looks;
    let changes = Hazard::Reversible;
    Plan {
        core: PlanCore {
            level: Level::Switch,
            environment: "shop/eu1".to_owned(),
            point: "live-blue".into(),
            manifest: None,
            identities: BTreeMap::from([("proxy".to_owned(), "127.0.0.1:8080".to_owned())]),
            config: Digest::of(b"config"),
            from: "v2.5.0".into(),
            to: "v2.4.9".into(),
            steps: vec![
                spec("verify", looks, 30, None, &[]),
                spec("switch", changes, 10, Some("switch-back"), &["verify"]),
                spec("gate", looks, 60, None, &["switch"]),
                spec("preserve", looks, 60, None, &["switch"]),
                spec("keep", looks, 120, None, &["gate"]),
                spec("stop", changes, 30, Some("start-green"), &["keep", "preserve"]),
            ],
            undo: vec![
                spec("switch-back", changes, 10, None, &[]),
                spec("start-green", changes, 30, None, &[]),
            ],
            watch: Duration::from_mins(15),
        },
        face: PlanFace {
            steps: vec![
                face("verify blue v2.4.9 at its own address", "-", 10, "blue answers 20/20"),
                face(
                    "switch traffic to blue",
                    "switch back to green",
                    5,
                    "active green -> blue, 1/1 ready",
                ),
                face("gate: 3 probes, 10 s apart", "-", 40, "3 of 3 answer now"),
                face("preserve logs and state", "-", 15, "9.1 GB free, 41 MB to copy"),
                face("keep green up for 2:00", "-", 120, "green is up"),
                face("stop green, keep it", "start green", 10, "1 process, drained 30 s"),
            ],
            not_undone: vec![
                "requests in flight on green (about 340): drained 30 s, the rest cut".into(),
            ],
            data: "none changed, none lost".into(),
            form: "switch".into(),
            estimate: Duration::from_secs(185),
            colors: Some(("green".into(), "blue".into())),
            ..PlanFace::default()
        },
        made_at: at(60),
    }
}

pub(crate) fn preflight(blocked: bool) -> Vec<Preflight> {
    let line =
        |name: &str, answer, text: &str| Preflight { name: name.into(), answer, text: text.into() };
    vec![
        line("appropriate user", PreflightAnswer::Ok, "alice may"),
        line("blue answers at its own address", PreflightAnswer::Ok, "20/20"),
        line("schema gate", PreflightAnswer::Ok, "v2.4.9 runs on schema 105"),
        if blocked {
            line("fence", PreflightAnswer::Block, "held by journal m3xa on bastion-2 since 23:51")
        } else {
            line("disk", PreflightAnswer::Warn, "91 % used, 9.1 GB free")
        },
    ]
}

pub(super) fn planned(blocked: bool) -> Story {
    let mut story = failing();
    story.command(55, Command::Plan { level: Level::Switch, target: None }).event(
        60,
        Event::PlanMade {
            plan: Box::new(plan()),
            by: "alice".into(),
            preflight: preflight(blocked),
        },
    );
    story
}

pub(crate) const RUN: &str = "142-k7qd-1";

pub(super) fn begun() -> Story {
    let mut story = planned(false);
    let digest = plan().digest();
    story
        .command(
            80,
            Command::Approve {
                plan: digest.clone(),
                lead: 1,
                reason: "error rate 14.2 % for 01:00 (tree rule 2)".into(),
                accept_loss: None,
            },
        )
        .event(
            80,
            Event::RunStarted {
                run: RUN.into(),
                plan: digest,
                by: "alice".into(),
                reason: "error rate 14.2 % for 01:00 (tree rule 2)".into(),
                accept_loss: None,
            },
        );
    story
}

pub(super) fn start(story: &mut Story, second: i64, step: &str) {
    story.event(
        second,
        Event::StepStarted {
            run: RUN.into(),
            step: step.into(),
            attempt: 1,
            effect: format!("{RUN}-{step}"),
            boot: "b00t".into(),
        },
    );
}

pub(super) fn end(story: &mut Story, second: i64, step: &str, end: StepEnd, took: u64, note: &str) {
    story.event(
        second,
        Event::StepEnded {
            run: RUN.into(),
            step: step.into(),
            attempt: 1,
            end,
            took: Duration::from_secs(took),
            note: note.into(),
        },
    );
}

pub(super) fn running() -> Story {
    let mut story = begun();
    start(&mut story, 80, "verify");
    end(&mut story, 88, "verify", StepEnd::Done, 8, "20/20 answered");
    start(&mut story, 88, "switch");
    end(&mut story, 89, "switch", StepEnd::Done, 1, "340 connections moved");
    start(&mut story, 89, "gate");
    start(&mut story, 89, "preserve");
    story
}
