//! Documents about an incident: from one that is made up, to the letter; and from a real run, by
//! what its journal says.

use std::time::Duration;

use backout::model::entry::{Author, Body, Entry, Event, Outcome};
use backout::model::ids::{Digest, Time};
use backout::model::plan::Level;
use backout::model::reading::{Finding, Phases, Reading};
use backout::model::trigger::TriggerReason;
use backout::report::chronicle::Chronicle;
use backout::report::health::HealthReport;
use backout::report::page::{self, Beside};
use backout::report::paper::{Kind, Paper};
use backout::report::series::Series;

use super::console::samples::{at, ended_story};

mod dry_run;
mod real;

/// The entries of the made-up incident, as a journal holds them.
fn entries() -> Vec<Entry> {
    let story = ended_story(Outcome::Done);
    let entry = |(seq, (second, author, body)): (usize, (i64, Author, Body))| Entry {
        seq: seq as u64 + 1,
        v: 1,
        incident: Some(142),
        at: at(second),
        author,
        epoch: 1,
        prev: Digest::default(),
        body,
    };
    story.entries.into_iter().enumerate().map(entry).collect()
}

fn chronicle() -> Chronicle {
    Chronicle::of(142, &entries()).unwrap()
}

fn assert_same(name: &str, text: &str) {
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => "reports/snapshots"}, {
        insta::assert_snapshot!(name, text);
    });
}

/// Readings of the night: good, bad from second 10 to 90, a gap, good.
fn readings() -> Vec<Reading> {
    let seconds = (-300..170).chain(230..1_100).step_by(5);
    seconds
        .map(|second| {
            let bad = (10..90).contains(&second);
            Reading {
                check: "checkout".into(),
                at: at(second),
                took: Duration::from_millis(40),
                phases: Phases::default(),
                finding: Finding::Good,
                value: None,
                unit: String::new(),
                note: "200".into(),
                failed_of: (if bad { 3 + u32::from(second % 2 == 0) } else { 0 }, 20),
                latencies: vec![Duration::from_millis(if bad { 1_900 } else { 38 }); 16],
                facts: Vec::new(),
            }
        })
        .collect()
}

fn made() -> (Time, &'static str) {
    (at(1_200), "0.1.0")
}

#[test]
fn every_document_has_what_the_journal_knows_and_brackets_for_the_rest() {
    let chronicle = chronicle();
    for kind in Kind::ALL {
        assert_same(kind.words(), &Paper::of(kind, &chronicle).text());
    }
    let health = HealthReport::of(&chronicle.last, None);
    assert_same("health", &health.paper().text());
}

#[test]
fn a_run_keeps_what_the_tree_said_when_it_was_confirmed() {
    let past = &chronicle().last.history[0];
    let trigger = past.trigger.as_ref().unwrap();
    assert_eq!(trigger.reason, TriggerReason::ErrorRate);
    assert!(trigger.is_about("ci#4711") && trigger.is_about("v2.5.0"), "{trigger:?}");
    assert_eq!(trigger.services.iter().collect::<Vec<_>>(), ["api-health"]);
}

/// The same night, recovered to a point in time: what was written since the point is lost.
fn recovered() -> Chronicle {
    let mut entries = entries();
    let mut digest = None;
    for entry in &mut entries {
        let Body::Event(event) = &mut entry.body else { continue };
        match event.as_mut() {
            Event::PlanMade { plan, .. } => {
                plan.core.level = Level::PointInTime;
                plan.core.point = "20251121-234000".into();
                plan.core.steps[0].action = serde_json::json!({"hold": {"parts": ["writers"]}});
                digest = Some(plan.digest());
            }
            Event::RunStarted { plan, .. } => *plan = digest.clone().unwrap(),
            _ => {}
        }
    }
    Chronicle::of(142, &entries).unwrap()
}

#[test]
fn the_time_between_two_engines_is_a_time_in_which_nobody_looked() {
    let mut entries = entries();
    let mut more = |second, event| {
        let last = entries.last().unwrap().clone();
        let body = Body::Event(Box::new(event));
        entries.push(Entry { seq: last.seq + 1, at: at(second), body, ..last });
    };
    more(1_040, Event::EngineStopped { why: "asked to end".into() });
    more(
        1_052,
        Event::EngineStarted {
            journal: "k7qd".into(),
            pid: 4_712,
            host: "bastion-1".into(),
            boot: "b00t".into(),
            version: "0.1.0".into(),
            environment: "shop/eu1".into(),
            production: true,
            config: Digest::default(),
        },
    );
    let chronicle = Chronicle::of(142, &entries).unwrap();
    assert_eq!(chronicle.blind, [(at(1_040), at(1_052))]);
}

#[test]
fn after_level_3_people_are_told_what_may_be_lost() {
    let chronicle = recovered();
    let internal = Paper::of(Kind::Internal, &chronicle).text();
    // From 23:40:00, which is the point, to 23:55:28, when the writers were held.
    let said = "Data Loss: Potential data loss window: 15 minutes. \
                No transaction logs - full RPO data loss possible\n";
    assert!(internal.contains(said), "{internal}");
    assert!(internal.contains("Rollback Level: 3\n"), "{internal}");
    for kind in [Kind::Incident, Kind::Postmortem] {
        let text = Paper::of(kind, &chronicle).text();
        assert!(text.contains("Potential data loss window: 15 minutes"), "{text}");
    }
}

#[test]
fn the_page_needs_nothing_but_itself() {
    let chronicle = chronicle();
    let series = Series::of(&readings(), &["checkout".into()], chronicle.span());
    let beside = Beside { chronicle: &chronicle, series: Some(&series), timeline: true };
    let html = page::page(&Paper::of(Kind::Incident, &chronicle), Some(beside), made());
    assert_same("incident-page", &html);
    for never in ["<script", "http://", "https://", "url(", "@import", "<img", "<link", " on"] {
        let found = html.match_indices(never).map(|(place, _)| &html[place..(place + 30)]);
        let found: Vec<&str> = found.filter(|text| never != " on" || text.contains('=')).collect();
        assert!(found.is_empty(), "{never}: {found:?}");
    }
    for marked in [">deploy v2.5.0<", ">rollback<", ">completed<", ">validated<"] {
        assert_eq!(html.matches(marked).count(), 2, "{marked} on each chart");
    }
    assert!(html.contains("prefers-color-scheme:dark"));
    // The gap of a minute parts both curves.
    assert_eq!(html.matches("<polyline").count(), 4);
}

#[test]
fn customers_get_neither_curves_nor_names() {
    let chronicle = chronicle();
    let html = page::page(&Paper::of(Kind::Customer, &chronicle), None, made());
    for inside in ["<svg", "alice", "shop/eu1", "v2.5.0", "142"] {
        assert!(!html.contains(inside), "{inside}: {html}");
    }
}

#[test]
fn hostile_text_stays_text_in_every_form() {
    let mut entries = entries();
    let evil = "</td><script>alert(1)</script>\u{1b}[2J **[x](javascript:1)** & <!--";
    for entry in &mut entries {
        if let Body::Event(event) = &mut entry.body {
            match event.as_mut() {
                Event::IncidentOpened { why, .. } | Event::StepEnded { note: why, .. } => {
                    *why = evil.into();
                }
                Event::RunStarted { reason, by, .. } => {
                    *reason = evil.into();
                    *by = evil.into();
                }
                Event::Assessed { assessment } => assessment.because = vec![evil.into()],
                _ => {}
            }
        }
    }
    let chronicle = Chronicle::of(142, &entries).unwrap();
    for kind in Kind::ALL {
        let paper = Paper::of(kind, &chronicle);
        let beside = Beside { chronicle: &chronicle, series: None, timeline: true };
        let html = page::page(&paper, Some(beside), made());
        assert!(!html.contains("<script") && !html.contains("<!--"), "{html}");
        assert!(!html.contains('\u{1b}') && !paper.text().contains('\u{1b}'));
        if paper.markdown {
            assert!(!paper.text().contains("[x](javascript"), "{}", paper.text());
            let bare = paper.text().replace("\\<", "");
            assert!(!bare.contains('<'), "{}", paper.text());
        }
    }
}

#[test]
fn a_template_of_ones_own_replaces_the_documents_text_and_says_what_is_not_known() {
    use backout::model::notice::DOCUMENT_PLACES;
    let chronicle = chronicle();
    let own = DOCUMENT_PLACES.map(|place| format!("{place}={{{place}}}")).join("\n");
    let text = Paper::by(Some(&own), Kind::Internal, &chronicle).body;
    // Nothing is left unread, and little of a night that ended well is not known.
    assert!(!text.contains('{'), "{text}");
    let open = DOCUMENT_PLACES.iter().filter(|place| text.contains(&format!("[{place}]"))).count();
    assert!(open <= 4, "{text}");
    assert!(text.contains("incident=INC-0142\n") && text.contains("level=1\n"), "{text}");
    assert!(text.contains("(24-48 hours after)"), "{text}");
    let hostile = Paper::by(Some("{incident} {root_cause} {open"), Kind::Meeting, &chronicle).body;
    assert_eq!(hostile, "INC-0142 [root_cause] {open");
}
