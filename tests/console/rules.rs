//! What a rule is about to do: seen on every stage, stopped by anybody with a reason, taken over.

use backout::model::entry::Command;
use backout::model::plan::Level;
use backout::tui::stage::Stage;
use backout::tui::state::{Effect, Msg};

use super::Bench;

const SCREEN: (u16, u16) = (80, 24);

fn sent(effects: &[Effect]) -> Vec<&Command> {
    let commands = effects.iter().filter_map(|effect| match effect {
        Effect::Send(command) => Some(command),
        _ => None,
    });
    commands.collect()
}

#[test]
fn what_starts_by_itself_is_on_every_stage_and_over_every_dialog() {
    for stage in Stage::ALL {
        let mut bench = Bench::at("rule-counts", SCREEN);
        bench.ui.go(stage, &bench.world);
        for keys in ["", "?", "L", "q"] {
            bench.keys(keys);
            let shown = bench.text();
            assert!(shown.contains("RULE L1 00:1"), "{stage:?} {keys}\n{shown}");
            assert!(shown.contains("V vetoes"), "{stage:?} {keys}\n{shown}");
            bench.keys("Esc");
        }
    }
}

#[test]
fn a_veto_takes_a_reason_and_enter_and_names_the_rule_that_was_seen() {
    let mut bench = Bench::at("rule-plan", SCREEN);
    bench.keys("V");
    assert!(bench.text().contains("VETO RULE api_errors"), "{}", bench.text());
    assert_eq!(sent(&bench.keys("Enter")), Vec::<&Command>::new(), "without a reason");
    assert!(bench.text().contains("say why"), "{}", bench.text());
    bench.types("a test");
    let effects = bench.keys("Enter");
    let veto = Command::Veto { rule: "api_errors".into(), reason: "a test".into() };
    assert_eq!(sent(&effects), [&veto]);
    assert!(bench.ui.dialog.is_none());
}

#[test]
fn a_veto_closes_when_the_rule_is_about_to_do_nothing_any_more() {
    let mut bench = Bench::at("rule-plan", SCREEN);
    bench.keys("V");
    bench.types("a");
    bench.world().situation.rules.proposal = None;
    bench.msg(Msg::Changed);
    assert!(bench.ui.dialog.is_none());
    assert!(bench.text().contains("about to do nothing"), "{}", bench.text());
    bench.keys("Esc V");
    assert!(bench.ui.dialog.is_none());
    assert!(bench.text().contains("no rule is about to do anything"), "{}", bench.text());
}

#[test]
fn whoever_only_looks_may_veto_but_not_take_over() {
    let mut bench = Bench::at("rule-proposes", SCREEN);
    let effects = bench.keys("O");
    assert_eq!(sent(&effects), [&Command::Plan { level: Level::Full, target: None }]);
    bench.world().link.observer = Some("attached to look only".to_owned());
    assert_eq!(sent(&bench.keys("O")), Vec::<&Command>::new());
    bench.keys("V");
    bench.types("no");
    assert_eq!(sent(&bench.keys("Enter")).len(), 1);
}

#[test]
fn the_ladder_says_who_was_called_who_is_next_and_who_could_not_be_told() {
    let mut bench = Bench::at("escalates", (120, 40));
    assert!(bench.text().contains("ESCALATE: A"), "{}", bench.text());
    bench.keys("A");
    let shown = bench.text();
    for words in [
        "ESCALATE: recovery takes longer than 30 minutes",
        "nobody yet; :ack INC-0142",
        "slack",
        "pagerduty was not told of INC-0142: HTTP 503",
        "engineering manager (mail)",
        "NOT told",
        "in 28:",
    ] {
        assert!(shown.contains(words), "{words}\n{shown}");
    }
    bench.keys("Esc");
    let ack = Command::Acknowledge { thread: "INC-0142".into() };
    bench.keys(":");
    bench.types("ack INC-0142");
    assert_eq!(sent(&bench.keys("Enter")), [&ack]);
}

#[test]
fn a_lock_is_shown_with_owner_reason_and_expiry_where_something_could_be_started() {
    for size in [SCREEN, (120, 40), (200, 60)] {
        let mut bench = Bench::at("locked", size);
        assert!(bench.text().contains("LOCKED dana"), "{}", bench.text());
        bench.keys("L");
        let shown = bench.text();
        for words in ["LOCKED by dana", "a schema change by hand", "00:24Z (29:3"] {
            assert!(shown.contains(words), "{words}\n{shown}");
        }
    }
}
