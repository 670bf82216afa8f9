use super::*;
use crate::checks::threshold::Thresholds;
use crate::checks::{custom, fixture};
use crate::model::reading::Policy;
use crate::model::signal::Role;

fn spec() -> CheckSpec {
    CheckSpec {
        id: "disk".into(),
        name: "disk".into(),
        interval: Duration::from_secs(30),
        fast_interval: Duration::from_secs(5),
        timeout: Duration::from_secs(10),
        policy: Policy {
            fail_after: 3,
            ok_after: 2,
            fail_window: None,
            stale_after: Duration::from_secs(70),
        },
        role: Role {
            service: "host".into(),
            critical: false,
            counts_requests: false,
            database: false,
            corruption: false,
        },
        live: true,
        phases: Vec::new(),
        enabled: true,
        attempts: 1,
        clear: None,
        kind: CheckKind::Custom(custom::Settings {
            command: "df".into(),
            thresholds: Thresholds {
                warning: Some(Range::From(80.0)),
                critical: Some(Range::From(95.0)),
            },
            nagios: false,
        }),
    }
}

fn set(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_values_of_the_document_change_and_nothing_else_does() {
    let list = [
        ("timeout_seconds", "30"),
        ("interval_seconds", "60"),
        ("consecutive_failures_for_critical", "5"),
    ];
    let changed = changed(&spec(), &set(&list)).unwrap();
    assert_eq!(changed.timeout, Duration::from_secs(30));
    assert_eq!(changed.interval, Duration::from_mins(1));
    assert_eq!(changed.policy.fail_after, 5);
    assert!(changed.policy.stale_after >= Duration::from_secs(150));
    assert_eq!(changed.policy.ok_after, 2);
}

#[test]
fn a_threshold_is_changed_and_what_is_none_is_refused_with_the_key() {
    let changed_spec = changed(&spec(), &set(&[("threshold_critical", "99")])).unwrap();
    let CheckKind::Custom(settings) = &changed_spec.kind else { panic!() };
    assert_eq!(settings.thresholds.critical, Some(Range::From(99.0)));
    let no = changed(&spec(), &set(&[("treshold_critical", "99")])).unwrap_err();
    assert!(no.hint.contains("threshold_critical"), "{no:?}");
    let no = changed(&spec(), &set(&[("timeout", "soon")])).unwrap_err();
    assert!(no.why.contains("timeout=soon"), "{no:?}");
}

#[test]
fn another_status_is_right_for_a_while_where_there_is_one() {
    let http = || CheckKind::HttpResponse(fixture::http("http://h/"));
    let spec_of = |kind| CheckSpec { kind, ..spec() };
    let now = changed(&spec_of(http()), &set(&[("expected_status", "503")])).unwrap();
    let CheckKind::HttpResponse(settings) = &now.kind else { panic!() };
    assert!(settings.expected.contains(503) && !settings.expected.contains(200));
    let no = changed(&spec_of(http()), &set(&[("expected_status", "99")])).unwrap_err();
    assert!(no.why.contains("\"99\" is not a status"), "{no:?}");
    let no = changed(&spec(), &set(&[("expected_status", "503")])).unwrap_err();
    assert!(no.why.contains("has no status"), "{no:?}");
}

#[test]
fn what_changes_the_judgement_needs_a_reason_and_no_lead() {
    use crate::engine::answer::{Asker, answer};
    use crate::model::sample::{Tape, alice, at};
    let mut tape = Tape::new();
    let asker = Asker {
        author: alice(),
        read_only: false,
        leads: false,
        lead_alive: true,
        silent_for: None,
        at: crate::model::sample::at(0),
    };
    let ask = |tape: &Tape, asker: &Asker, command: Command| {
        answer(&tape.situation, asker, &"c-1".into(), &command).map(|_| ())
    };
    let mute =
        |reason: &str| Command::Mute { name: "api".into(), until: at(1800), reason: reason.into() };
    assert!(ask(&tape, &asker, mute("")).unwrap_err().why.contains("reason"));
    ask(&tape, &asker, mute("deploy")).unwrap();
    let looks = Asker { read_only: true, ..asker.clone() };
    assert!(ask(&tape, &looks, mute("deploy")).is_err(), "who only looks mutes nothing");
    let since = || Command::Since { at: at(-60), reason: "users called".into() };
    assert!(ask(&tape, &asker, since()).unwrap_err().why.contains("no incident"));
    tape.event(Event::IncidentOpened { incident: 1, why: "errors".into() });
    ask(&tape, &asker, since()).unwrap();
}
