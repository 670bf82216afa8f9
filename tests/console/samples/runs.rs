//! How runs go on: waiting, validated, watched, ended.

use std::time::Duration;

use backout::model::criteria::{Criterion, Passed};
use backout::model::entry::{Event, Leftover, Outcome, Standing, StepEnd};

use backout::model::plan::Level;
use backout::model::reading::Status;

use backout::model::watch::Verdict;
use backout::text::SafeText;

use super::at;
use super::plans::{RUN, begun, end, running, start};
use super::story::{Story, check};

pub(super) fn waiting_unknown() -> Story {
    let mut story = begun();
    start(&mut story, 80, "verify");
    end(&mut story, 88, "verify", StepEnd::Done, 8, "20/20 answered");
    start(&mut story, 88, "switch");
    let why = "the proxy does not answer (connection refused)";
    story.event(
        99,
        Event::StepLooked {
            run: RUN.into(),
            step: "switch".into(),
            attempt: 1,
            standing: Standing::CannotTell(why.into()),
        },
    );
    end(&mut story, 99, "switch", StepEnd::Unknown(why.into()), 11, "");
    story.event(
        100,
        Event::NeedsPerson {
            run: RUN.into(),
            step: Some("switch".into()),
            why: SafeText::new(&format!("nobody can vouch for the switch: {why}")),
            offer: None,
        },
    );
    story
}

pub(super) fn waiting_failed() -> Story {
    let mut story = begun();
    start(&mut story, 80, "verify");
    let why = "blue answered 3 of 20: 503";
    end(&mut story, 88, "verify", StepEnd::Failed(why.into()), 8, "");
    story.event(
        89,
        Event::NeedsPerson {
            run: RUN.into(),
            step: Some("verify".into()),
            why: SafeText::new(&format!("blue is not good itself: {why}")),
            offer: Some(Level::Full),
        },
    );
    story
}

pub(super) fn criteria() -> Vec<Criterion> {
    let line = |name: &str, measured: &str, answer| Criterion {
        name: name.into(),
        measured: measured.into(),
        answer,
    };
    vec![
        line("switch within 10 s", "0.4 s", Passed::Yes),
        line("users answered after 5 min at most", "0:52", Passed::Yes),
        line("error rate < 1 %", "0.3 %", Passed::Yes),
        line("no data lost", "digest unchanged", Passed::Yes),
        line("replica in step", "password rejected", Passed::Unknown),
    ]
}

pub(super) fn validating() -> Story {
    let mut story = running();
    end(&mut story, 120, "gate", StepEnd::Done, 31, "3 of 3");
    end(&mut story, 118, "preserve", StepEnd::Done, 29, "41 MB kept");
    story.event(121, Event::CriteriaMeasured { run: RUN.into(), criteria: criteria() });
    story
}

pub(super) fn watching() -> Story {
    let mut story = validating();
    story.event(122, Event::WatchOpened { run: RUN.into(), window: Duration::from_mins(15) });
    start(&mut story, 122, "keep");
    story
        .event(130, check(130, "api-health", Status::Ok, "200", None))
        .event(131, check(131, "checkout", Status::Ok, "200", None));
    story
}

pub(super) fn ended(outcome: Outcome) -> Story {
    let mut story = watching();
    end(&mut story, 242, "keep", StepEnd::Done, 120, "");
    start(&mut story, 242, "stop");
    end(&mut story, 250, "stop", StepEnd::Done, 8, "green stopped, kept");
    let verdict = match outcome {
        Outcome::Done => Verdict::Stable,
        _ => Verdict::NoEffect,
    };
    story
        .event(
            1_030,
            Event::WatchEnded {
                run: RUN.into(),
                verdict,
                why: "errors 14.2 % before, 0.3 % since; p95 0.2 s".into(),
                counted: Duration::from_mins(15),
            },
        )
        .event(
            1_031,
            Event::LeftoverNoted {
                leftover: Leftover {
                    name: "green stopped".into(),
                    owner: "alice".into(),
                    undo: "backout demo heal".into(),
                    due: Some(at(9_000)),
                    ..Leftover::default()
                },
            },
        )
        .event(
            1_031,
            Event::RunEnded {
                run: RUN.into(),
                outcome,
                took: Duration::from_secs(42),
                why: "mend v2.5.0, then deploy it to green again".into(),
                history: "2025-11-21T23:55:20Z level=1 from=v2.5.0 to=v2.4.9 outcome=done duration=42s by=alice"
                    .to_owned(),
            },
        );
    story
}
