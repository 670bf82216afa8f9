use super::*;
use crate::checks::{CheckKind, fixture, probe};

fn now() -> Time {
    chrono::DateTime::from_timestamp(1_764_000_000, 0).unwrap()
}

fn up() -> Container {
    Container {
        id: "4f1d6c2a9b7e0011".into(),
        name: "shop_app-blue_1".into(),
        image: "shop:v2".into(),
        state: "running".into(),
        running: true,
        health: Some("healthy".into()),
        exit_code: Some(0),
        started_at: Some(now() - Duration::from_hours(2)),
        ..Container::default()
    }
}

fn look(one: Container) -> Seen {
    judged(&[one], &Past::new(), now())
}

fn why(seen: &Seen) -> &str {
    match &seen.finding {
        Finding::Bad { why } | Finding::Warn { why } => why.text.as_str(),
        Finding::Good | Finding::Unknown { .. } => "",
    }
}

fn is_bad(seen: &Seen) -> bool {
    matches!(seen.finding, Finding::Bad { .. })
}

#[test]
fn one_that_runs_is_good_with_its_health_or_without_one() {
    let seen = look(up());
    assert_eq!((&seen.finding, seen.note.as_str()), (&Finding::Good, "running, healthy"));
    let seen = look(Container { health: None, ..up() });
    assert_eq!((&seen.finding, seen.note.as_str()), (&Finding::Good, "running"));
}

#[test]
fn what_does_not_serve_is_bad_and_says_how_it_ended() {
    let exited = Container { running: false, state: "exited".into(), exit_code: Some(137), ..up() };
    let seen = look(Container { oom_killed: true, ..exited.clone() });
    assert!(is_bad(&seen));
    assert_eq!(seen.note.as_str(), "exited, exit code 137, killed for lack of memory");
    for (state, word) in [("created", "never started"), ("dead", "removed"), ("exited", "run")] {
        let seen = look(Container { state: state.into(), ..exited.clone() });
        assert!(is_bad(&seen) && why(&seen).contains(word), "{seen:?}");
    }
    let seen = look(Container { state: "paused".into(), ..up() });
    assert!(is_bad(&seen), "{seen:?}");
    let seen = look(Container { health: Some("unhealthy".into()), ..up() });
    assert!(is_bad(&seen) && why(&seen).contains("is unhealthy"), "{seen:?}");
}

#[test]
fn one_that_starts_and_one_that_lost_a_process_are_warnings() {
    for one in [
        Container { health: Some("starting".into()), ..up() },
        Container { oom_killed: true, ..up() },
    ] {
        assert!(matches!(look(one).finding, Finding::Warn { .. }));
    }
}

#[test]
fn a_crash_loop_is_bad_although_the_container_runs() {
    let loops = Container { restarting: true, state: "restarting".into(), ..up() };
    assert!(is_bad(&look(loops)));
    // Between two restarts it reads running, and healthy may come later.
    let between = Container {
        restart_count: 4,
        started_at: Some(now() - Duration::from_secs(3)),
        health: Some("starting".into()),
        ..up()
    };
    let seen = look(between.clone());
    assert!(is_bad(&seen), "{seen:?}");
    assert_eq!(seen.note.as_str(), "running, starting, 4 restarts");
    assert!(why(&seen).contains("3 s ago"), "{seen:?}");
    // It has stayed up since: its past is told, and is no alarm.
    let settled = Container { health: None, restart_count: 4, ..up() };
    assert_eq!(look(settled.clone()).finding, Finding::Good);
    // Looks further apart than it takes to settle still see that the number rose.
    let past = Past::from([(settled.id.clone(), (3, None))]);
    assert!(is_bad(&judged(std::slice::from_ref(&settled), &past, now())));
    let past = Past::from([(settled.id.clone(), (4, None))]);
    assert_eq!(judged(&[settled], &past, now()).finding, Finding::Good);
}

#[test]
fn of_several_the_worst_decides() {
    let other = Container { name: "shop_app-blue_2".into(), ..up() };
    let seen = judged(&[up(), other.clone()], &Past::new(), now());
    assert_eq!(seen.note.as_str(), "2 of 2 running, healthy");
    let down = Container { running: false, state: "exited".into(), exit_code: Some(1), ..other };
    let seen = judged(&[up(), down], &Past::new(), now());
    assert!(is_bad(&seen));
    assert_eq!(seen.note.as_str(), "1 of 2 well; shop_app-blue_2 exited, exit code 1");
    assert_eq!(seen.facts.len(), 2);
}

fn settings(measure: Measure) -> Settings {
    let range = |at| Some(crate::checks::threshold::Range::From(at));
    Settings {
        which: Which::Name("shop".into()),
        engine: None,
        measure,
        thresholds: Thresholds { warning: range(100.0), critical: range(200.0) },
    }
}

#[test]
fn thresholds_judge_the_measure_and_never_cover_up_what_is_worse() {
    let settings = settings(Measure::Memory);
    let of = |seen: Seen, value: f64| settings.with_measure(seen, Ok((value, "MiB")));
    assert_eq!(of(look(up()), 50.0).finding, Finding::Good);
    assert_eq!(of(look(up()), 50.0).note.as_str(), "running, healthy, 50 MiB");
    assert!(matches!(of(look(up()), 150.0).finding, Finding::Warn { .. }));
    assert!(is_bad(&of(look(Container { oom_killed: true, ..up() }), 250.0)));
    let down = look(Container { running: false, state: "exited".into(), ..up() });
    assert!(is_bad(&of(down.clone(), 0.0)));
    // Meters that could not be read make the good unknown, and leave the bad bad.
    let no = || Err(Error::new(Kind::Reset, "could not read the meters"));
    let unknown = Finding::Unknown { reason: Reason::NoData };
    assert_eq!(settings.with_measure(look(up()), no()).finding, unknown);
    assert!(is_bad(&settings.with_measure(down, no())));
}

#[test]
fn processor_time_is_a_share_of_one_processor() {
    let at = |cpu_ns, host_cpu_ns| Stats { cpu_ns, host_cpu_ns, cpus: 4, ..Stats::default() };
    assert!((share(&at(0, 0), &at(500, 4_000)) - 50.0).abs() < 0.01);
    assert!(share(&at(0, 10), &at(500, 10)).abs() < 0.01);
}

#[tokio::test]
async fn an_engine_that_is_away_is_unknown_and_says_where_it_was_looked_for() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    let engine = Some(format!("unix://{}", socket.display()));
    let settings = Settings { engine, ..settings(Measure::Restarts) };
    let spec = fixture::spec(CheckKind::Container(settings), Duration::from_secs(2));
    let reading = probe(&spec, &fixture::cx()).await;
    assert_eq!(reading.finding, Finding::Unknown { reason: Reason::NoData }, "{}", reading.note);
    assert!(reading.note.as_str().contains(socket.to_str().unwrap()), "{}", reading.note);
    // One that takes the connection and says nothing.
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let spec = crate::checks::CheckSpec { timeout: Duration::from_millis(300), ..spec };
    let reading = probe(&spec, &fixture::cx()).await;
    assert_eq!(reading.finding, Finding::Unknown { reason: Reason::NoData }, "{}", reading.note);
}
