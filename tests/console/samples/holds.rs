//! Worlds in which something can be held, or is.

use std::time::Duration;

use backout::model::entry::{Command, Event, Leftover, StepEnd};
use backout::model::hold::{CanHold, HoldPart};
use backout::model::leftover::About;

use super::plans::planned;
use super::runs::watching;
use super::story::{Story, failing};
use super::worlds::{lines, world};
use super::{Sample, at};

fn can_hold() -> Vec<CanHold> {
    let can = |part: HoldPart| CanHold { part, can: true, text: part.cost().into() };
    HoldPart::ALL.map(can).to_vec()
}

fn hold(story: &mut Story, second: i64, part: HoldPart, end: Option<StepEnd>) {
    let reason = "orders are charged twice".into();
    story.command(second, Command::Hold { parts: vec![part], reason }).event(
        second,
        Event::LeftoverNoted {
            leftover: Leftover {
                name: part.leftover(),
                owner: "alice".into(),
                undo: part.undo(),
                due: Some(at(second) + chrono::Duration::seconds(240)),
                about: Some(About::Hold(part)),
                ..Leftover::default()
            },
        },
    );
    let Some(end) = end else { return };
    story.event(
        second + 1,
        Event::HoldEnded {
            part,
            held: true,
            end,
            took: Duration::from_millis(120),
            note: "".into(),
        },
    );
}

fn sample(name: &'static str, story: &Story, second: i64, what: &str, next: &str) -> Sample {
    let mut world = world(story, second);
    if let Some(live) = &mut world.live {
        live.can_hold = can_hold();
    }
    Sample { name, world, lines: lines(what, next), now: at(second) }
}

pub(super) fn all() -> Vec<Sample> {
    let fails = "api fails 14.2 % since 14 s after v2.5.0 (ci#4711).";
    let ready = "Level 1 is ready: about 1:10, no data change. Press L.  Stop the bleeding: H";
    let mut held = failing();
    hold(&mut held, 48, HoldPart::Writers, Some(StepEnd::Done));
    let mut doubt = failing();
    let why = "could not see where traffic goes: no answer in 3.0 s";
    hold(&mut doubt, 48, HoldPart::Page, Some(StepEnd::Unknown(why.into())));
    let mut plan = planned(false);
    hold(&mut plan, 62, HoldPart::Writers, Some(StepEnd::Done));
    let mut watch = watching();
    hold(&mut watch, 130, HoldPart::Writers, Some(StepEnd::Done));
    let mut late = failing();
    hold(&mut late, 48, HoldPart::Writers, Some(StepEnd::Done));
    hold(&mut late, 55, HoldPart::Consumers, None);
    vec![
        sample("can-hold", &failing(), 50, fails, ready),
        sample("held", &held, 60, &format!("HELD writes 0:11. {fails}"), ready),
        sample("held-unknown", &doubt, 60, &format!("HELD? page. {fails}"), ready),
        sample("held-plan", &plan, 66, &format!("HELD writes 0:03. {fails}"), "Read it, press R."),
        sample("held-watch", &watch, 142, "HELD writes 0:11. v2.4.9 is good.", "Lift it: U."),
        sample("held-overdue", &late, 300, &format!("HELD writes 4:11. {fails}"), ready),
    ]
}
