//! Zoom, bigger and smaller panes, sets of panes, ways to write times.

use std::sync::Arc;

use backout::model::reading::Status;
use backout::tui::layout;
use backout::tui::pane::PaneKind;
use backout::tui::settings::Settings;
use backout::tui::state::Msg;
use ratatui::layout::Rect;

use super::samples::check;
use super::{Bench, text};

fn rows(bench: &Bench, pane: PaneKind) -> Option<u16> {
    let (width, height) = bench.ui.size;
    let body = Rect::new(0, 4, width, height - 6);
    let places = layout::place(&bench.ui, &bench.world, body, |_, _| 8);
    places.iter().find(|(one, _)| *one == pane).map(|(_, place)| place.height)
}

fn with_presets(state: &str, size: (u16, u16)) -> Bench {
    let mut bench = Bench::at(state, size);
    let presets = [
        (1, vec![PaneKind::Timeline, PaneKind::Logs]),
        (2, vec![PaneKind::Errors, PaneKind::Latency, PaneKind::Compare]),
    ];
    bench.world().settings = Arc::new(Settings { presets: presets.into(), ..Settings::default() });
    bench
}

#[test]
fn a_pane_grows_and_shrinks_and_each_room_remembers_its_own() {
    let mut bench = Bench::at("assess", (80, 24));
    assert_eq!(bench.ui.focus, PaneKind::Decide);
    let before = rows(&bench, PaneKind::Decide).unwrap();
    bench.keys("-");
    assert_eq!(rows(&bench, PaneKind::Decide), Some(before - 2));
    bench.msg(Msg::Resized(120, 40));
    assert!(!bench.ui.grown.keys().any(|(room, _)| *room == layout::Size::Normal));
    bench.keys("+ +");
    bench.msg(Msg::Resized(80, 24));
    assert_eq!(rows(&bench, PaneKind::Decide), Some(before - 2));
    bench.keys("+");
    assert_eq!(rows(&bench, PaneKind::Decide), Some(before));
    assert!(!bench.ui.grown.keys().any(|(room, _)| *room == layout::Size::Compact));
}

#[test]
fn a_pane_of_the_foot_grows_at_the_cost_of_what_is_above() {
    let mut bench = Bench::at("run", (200, 60));
    bench.ui.focus = PaneKind::Logs;
    let before = rows(&bench, PaneKind::Logs).unwrap();
    bench.keys("+ + +");
    assert!(rows(&bench, PaneKind::Logs).unwrap() > before);
    for _ in 0..60 {
        bench.keys("+");
    }
    assert!(rows(&bench, PaneKind::Steps).is_some(), "something above must stay");
}

#[test]
fn zoom_gives_the_whole_body_and_back_takes_it() {
    let mut bench = Bench::at("run", (120, 40));
    bench.keys("z");
    assert_eq!(rows(&bench, bench.ui.focus), Some(34));
    bench.keys("Esc");
    assert_eq!(rows(&bench, PaneKind::Logs).map(|rows| rows < 34), Some(true));
}

#[test]
fn a_number_shows_a_set_of_panes_and_the_stage_again() {
    for size in [(80, 24), (120, 40), (200, 60)] {
        let mut bench = with_presets("assess", size);
        bench.keys("2");
        let shown = bench.text();
        assert!(shown.contains("Error rate %") && shown.contains("p95 ms"), "{size:?}\n{shown}");
        assert!(!shown.contains("Decide"), "{shown}");
        bench.keys("2");
        assert!(bench.text().contains("Decide"));
        bench.keys("7");
        assert!(bench.text().contains("no set of panes 7"), "{}", bench.text());
    }
}

#[test]
fn where_one_pane_fits_a_number_shows_that_pane() {
    for size in [(50, 12), (60, 15)] {
        let mut bench = with_presets("assess", size);
        assert!(bench.text().contains("Decide"));
        bench.keys("2");
        assert!(bench.text().contains("[Checks"), "{}", bench.text());
        assert!(bench.text().contains("2/3"), "{}", bench.text());
        bench.keys("9");
        assert_eq!(bench.ui.focus, PaneKind::Checks);
    }
}

#[test]
fn what_a_waiting_run_asks_stays_on_top_of_a_set_of_panes() {
    let mut bench = with_presets("waiting-unknown", (80, 24));
    bench.keys("1");
    let shown = bench.text();
    assert!(shown.contains("WAITING FOR YOU") && shown.contains("Timeline"), "{shown}");
}

#[test]
fn times_are_utc_then_local_then_ages() {
    let mut bench = Bench::at("report", (120, 40));
    bench.world().settings = Arc::new(Settings {
        zone: chrono::FixedOffset::east_opt(2 * 3_600).unwrap(),
        ..Settings::default()
    });
    bench.ui.focus = PaneKind::Logs;
    assert!(bench.text().contains("24/24") || bench.text().contains("23:54:"));
    bench.keys("t");
    let local = bench.text();
    assert!(local.contains("local +02:00") && local.contains("01:54:"), "{local}");
    bench.keys("t");
    assert!(bench.text().contains("ages"), "{}", bench.text());
    bench.keys("t");
    assert!(!bench.text().contains("local"));
}

/// A hand on the keys keeps the list still; what is selected stays selected wherever it moves to.
#[test]
fn the_list_stands_still_under_the_hand_and_the_selection_sticks_to_its_check() {
    let mut bench = Bench::at("assess", (80, 24));
    bench.keys("Tab j j");
    let chosen = bench.ui.check.clone().unwrap();
    let order = bench.ui.order.clone();
    let second = (bench.now - super::samples::at(0)).num_seconds();
    let mut story = super::samples::Story::going_on(&bench.world.situation);
    story.event(second, check(second, "web", Status::Fail, "503", None));
    bench.world().situation = story.situation.clone();
    bench.msg(Msg::Changed);
    assert_eq!(bench.ui.order, order, "the list moved under the hand");
    bench.now += chrono::Duration::seconds(6);
    bench.msg(Msg::Tick);
    assert_ne!(bench.ui.order, order);
    assert_eq!(bench.ui.check, Some(chosen.clone()));
    let shown = text(&bench.frame(&super::ascii()));
    assert!(shown.contains(chosen.as_str()));
}

/// P-80: with the whole body to itself the list of steps stands under its four phases.
#[test]
fn the_steps_of_a_run_stand_under_four_phases_when_there_is_room() {
    let mut bench = Bench::at("run", (120, 40));
    bench.ui.focus = backout::tui::pane::PaneKind::Steps;
    bench.keys("z");
    let text = bench.text();
    let at = |word: &str| text.find(word).unwrap_or_else(|| panic!("no {word}: {text}"));
    let places = ["Assessment", "Coordination", "Execution", "Validation"].map(at);
    assert!(places.is_sorted(), "{text}");
    for task in ["analyse scope and impact", "lock deployments", "restore data", "test end to end"]
    {
        at(task);
    }
}

/// P-86: how each of the four groups of checks stands, in one row.
#[test]
fn checks_are_counted_in_four_groups_where_there_is_room() {
    let mut bench = Bench::at("assess", (200, 60));
    let ids: Vec<_> = bench.world().situation.checks.keys().cloned().collect();
    let groups = ["api", "database", "resources", "external"];
    for (at, id) in ids.into_iter().enumerate() {
        let one = serde_json::json!({"service": "shop", "dimension": groups[at % 4]});
        let one = serde_json::from_value(one).unwrap();
        bench.world().situation.judging.declared.insert(id, one);
    }
    let text = bench.text();
    let all = |line: &str| groups.iter().all(|group| line.contains(&format!("{group} ")));
    assert!(text.lines().any(all), "{text}");
}
