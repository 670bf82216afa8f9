//! What keys do: dialogs, confirmation, following the run, and what no single key may do.

use std::collections::HashSet;
use std::time::Duration;

use backout::model::entry::{Abort, Command};
use backout::model::guide::Deed;
use backout::model::loss::Choice;
use backout::model::plan::{Level, LevelStanding, PreflightAnswer};
use backout::model::tree::Answer;
use backout::model::until::{Lsn, Zone};
use backout::model::window::Window;
use backout::tui::dialogs::Dialog;
use backout::tui::input::{Code, Input, Key};
use backout::tui::offers;
use backout::tui::stage::Stage;
use backout::tui::state::{Effect, Msg};

use super::samples::{self, RUN, Story};
use super::{Bench, ascii, text};

const SCREEN: (u16, u16) = (80, 24);

fn later(bench: &mut Bench, millis: i64) {
    bench.now += chrono::Duration::milliseconds(millis);
}

/// Every key a terminal can send in one go.
pub(super) fn every_key() -> Vec<Key> {
    let mut codes: Vec<Code> = (' '..='~').map(Code::Char).collect();
    codes.extend([
        Code::Enter,
        Code::Esc,
        Code::Tab,
        Code::BackTab,
        Code::Backspace,
        Code::Delete,
        Code::Up,
        Code::Down,
        Code::Left,
        Code::Right,
        Code::Home,
        Code::End,
        Code::PageUp,
        Code::PageDown,
        Code::Char('ß'),
    ]);
    codes.extend((1..=12).map(Code::F));
    let mut keys = Vec::new();
    for code in codes {
        keys.push(Key::plain(code));
        if let Code::Char(c) = code {
            keys.push(Key::ctrl(c));
            keys.push(Key { alt: true, ..Key::char(c) });
        }
    }
    keys
}

/// Whether a command starts or goes on with something in production.
fn changes_production(effect: &Effect) -> bool {
    match effect {
        Effect::Send(
            Command::Approve { .. }
            | Command::Choose { .. }
            | Command::Retry { .. }
            | Command::Skip { .. }
            | Command::MarkDone { .. }
            | Command::Resume { .. }
            | Command::Abort { .. }
            | Command::EndWatch { .. }
            | Command::Close
            | Command::Hold { .. }
            | Command::Unhold { .. }
            | Command::Release { .. }
            | Command::HandOver { .. }
            | Command::Deploy { .. }
            | Command::Pin { .. }
            | Command::Unpin { .. }
            | Command::TakeLead { .. }
            | Command::HandLead { .. }
            | Command::Lock { .. }
            | Command::Unlock { .. }
            | Command::EmergencyStop { .. }
            | Command::Guide { deed: Deed::Change, .. }
            | Command::Overrule { .. },
        ) => true,
        Effect::Send(
            Command::Plan { .. }
            | Command::PlanUndo { .. }
            | Command::Answer { .. }
            | Command::Pause
            | Command::Note { .. }
            | Command::Detach
            | Command::Since { .. }
            | Command::Mute { .. }
            | Command::Unmute { .. }
            | Command::Override { .. }
            | Command::Tick { .. }
            | Command::Inform { .. }
            | Command::Guide { deed: Deed::Look | Deed::Done { .. }, .. }
            | Command::Acknowledge { .. }
            | Command::Trigger { .. }
            | Command::Export { .. }
            | Command::Veto { .. }
            | Command::Freeze { .. }
            | Command::Unset { .. },
        )
        | Effect::Redraw
        | Effect::Suspend
        | Effect::Leave
        | Effect::Copy(_)
        | Effect::Announce(_)
        | Effect::Mouse(_)
        | Effect::Switch(_)
        | Effect::Plain
        | Effect::Replay(_)
        | Effect::Export => false,
    }
}

/// The word a dialog wants stands complete in its field: then Enter may commit.
fn word_is_typed(bench: &Bench) -> bool {
    bench.ui.dialog.as_ref().is_some_and(|opened| match &opened.dialog {
        Dialog::Confirm(confirm) => confirm.complete(&bench.world),
        Dialog::Typed(typed) => typed.complete(),
        Dialog::Hold(hold) => hold.complete(),
        Dialog::Palette(palette) => palette.complete(&bench.world, bench.now),
        Dialog::Guide(page) => page.complete(),
        Dialog::Answer(_)
        | Dialog::Veto(_)
        | Dialog::Filters(_)
        | Dialog::Pause
        | Dialog::Export
        | Dialog::Detach
        | Dialog::Help(_)
        | Dialog::Note(_)
        | Dialog::Read(..)
        | Dialog::Diagnostics => false,
    })
}

/// Searches from every state, two keys deep over all keys: the first opens, the second tries.
#[test]
fn no_single_key_from_any_state_changes_production() {
    let keys = every_key();
    let mut states = 0;
    for sample in samples::all() {
        for stage in Stage::ALL {
            let mut start = Bench::new(sample.clone(), SCREEN);
            start.ui.go(stage, &start.world);
            let mut seen = HashSet::new();
            let mut opened = vec![start.clone()];
            for key in &keys {
                let mut bench = start.clone();
                let effects = bench.key(*key);
                assert!(!effects.iter().any(changes_production), "{} {key}", sample.name);
                // Different states only, told apart by what the screen holds.
                if seen.insert(format!("{:?}{:?}", bench.ui.dialog, bench.ui.find)) {
                    opened.push(bench);
                }
            }
            for first in &opened {
                states += 1;
                for key in &keys {
                    let mut bench = first.clone();
                    later(&mut bench, 1_000);
                    let effects = bench.key(*key);
                    assert!(!effects.iter().any(changes_production), "{} {key}", sample.name);
                }
            }
        }
    }
    assert!(states > 500, "only {states} states were searched");
}

/// Random typing for a long time: a command that changes production comes only from Enter on a
/// complete word.
#[test]
fn a_command_that_changes_production_comes_only_from_enter_on_the_whole_word() {
    let words = [
        "ROLLBACK",
        "STOP",
        "UNDO",
        "DONE",
        "RETRY",
        "RESUME",
        "END",
        "CLOSE",
        "HOLD",
        "LIFT",
        "H",
        "U",
        "x",
        "R",
        "d",
        "why",
        ":",
        ":",
        ":",
        "unhold why",
        "severity high why",
        "release ",
        "pin ",
        "mute all 30m why",
    ];
    let keys = every_key();
    let mut seed = 7_u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let mut committed = HashSet::new();
    for sample in samples::all() {
        let mut bench = Bench::new(sample.clone(), SCREEN);
        for _ in 0..1_500 {
            let mut word = || words[random(words.len())].chars().map(Key::char).collect::<Vec<_>>();
            let (first, second) = (word(), word());
            let mut burst: Vec<Key> = match random(4) {
                0 => vec![keys[random(keys.len())]],
                1 => first,
                // What a hasty person types in one go.
                2 => [first, second, vec![Key::plain(Code::Enter)]].concat(),
                _ => vec![Key::plain(Code::Enter)],
            };
            for key in burst.drain(..) {
                later(&mut bench, 400);
                let ready = word_is_typed(&bench) && key.code == Code::Enter;
                for effect in bench.key(key) {
                    if changes_production(&effect) {
                        assert!(ready, "{} {key} {effect:?}", sample.name);
                        committed.insert(std::mem::discriminant(&effect));
                    }
                }
            }
        }
    }
    assert!(!committed.is_empty(), "the search never got as far as a commit");
}

#[test]
fn typing_the_word_and_enter_approves_the_plan_that_was_read() {
    let mut bench = Bench::at("plan", SCREEN);
    assert_eq!(bench.keys("R"), []);
    assert_eq!(bench.types("ROLLBACK"), []);
    let effects = bench.keys("Enter");
    let [Effect::Send(Command::Approve { plan, lead, reason, accept_loss: None })] =
        effects.as_slice()
    else {
        panic!("{effects:?}");
    };
    assert_eq!(plan, &samples::plan().digest());
    assert_eq!(*lead, 1);
    assert!(reason.as_str().contains("14.2 %"), "{reason}");
    assert_eq!(bench.ui.dialog, None);
}

#[test]
fn enter_does_nothing_before_the_word_is_whole_and_exact() {
    for typed in ["", "ROLLBAC", "rollback", "ROLLBACKK", "ROLLBACK "] {
        let mut bench = Bench::at("plan", SCREEN);
        bench.keys("R");
        bench.types(typed);
        assert_eq!(bench.keys("Enter"), [], "{typed}");
        assert!(bench.ui.dialog.is_some(), "{typed}");
    }
}

#[test]
fn keys_sent_before_the_dialog_was_seen_do_not_count() {
    let mut bench = Bench::at("plan", SCREEN);
    bench.keys("R");
    for letter in "ROLL".chars() {
        bench.key(Key::char(letter));
    }
    later(&mut bench, 299);
    bench.key(Key::char('B'));
    assert!(bench.text().contains("0/8 typed"));
    later(&mut bench, 1);
    bench.key(Key::char('R'));
    assert!(bench.text().contains("1/8 typed"));
}

#[test]
fn a_pasted_word_is_refused() {
    let mut bench = Bench::at("plan", SCREEN);
    bench.keys("R");
    later(&mut bench, 400);
    bench.msg(Msg::Input(Input::Paste("ROLLBACK".to_owned())));
    assert!(bench.text().contains("paste is refused"), "{}", bench.text());
    assert_eq!(bench.keys("Enter"), []);
}

#[test]
fn a_changed_preflight_verdict_empties_the_field_and_says_which() {
    let mut bench = Bench::at("plan", SCREEN);
    bench.keys("R");
    bench.types("ROLLBACK");
    let open = bench.world().situation.plan.as_mut().unwrap();
    open.preflight[2].answer = PreflightAnswer::Warn;
    bench.msg(Msg::Changed);
    let shown = bench.text();
    assert!(shown.contains("emptied: schema gate is now WARN"), "{shown}");
    assert_eq!(bench.keys("Enter"), []);
    bench.types("ROLLBACK");
    assert_eq!(bench.keys("Enter").len(), 1, "typed again, it is accepted");
}

#[test]
fn a_key_that_races_with_a_changed_verdict_loses() {
    let mut bench = Bench::at("plan", SCREEN);
    bench.keys("R");
    bench.types("ROLLBACK");
    bench.world().situation.plan.as_mut().unwrap().preflight[0].answer = PreflightAnswer::Warn;
    assert_eq!(bench.keys("Enter"), [], "no news was handled, but the facts moved");
}

#[test]
fn a_preflight_that_blocks_closes_the_way_to_enter() {
    let mut bench = Bench::at("plan", SCREEN);
    bench.keys("R");
    bench.types("ROLLBACK");
    bench.world().situation.plan.as_mut().unwrap().preflight[3].answer = PreflightAnswer::Block;
    bench.msg(Msg::Changed);
    bench.types("ROLLBACK");
    assert_eq!(bench.keys("Enter"), []);
    let mut blocked = Bench::at("plan-blocked", SCREEN);
    blocked.keys("R");
    assert_eq!(blocked.ui.dialog, None);
    assert!(blocked.text().contains("fence"), "{}", blocked.text());
}

#[test]
fn another_plan_on_the_table_is_not_approved_by_the_old_confirmation() {
    let mut bench = Bench::at("plan", SCREEN);
    bench.keys("R");
    bench.types("ROLLBACK");
    let mut other = samples::plan();
    other.core.steps.pop();
    let open = bench.world().situation.plan.as_mut().unwrap();
    open.digest = other.digest();
    open.plan = other;
    bench.msg(Msg::Changed);
    bench.types("ROLLBACK");
    assert_eq!(bench.keys("Enter"), []);
    assert!(bench.text().contains("no longer on the table"), "{}", bench.text());
}

#[test]
fn a_lead_that_changes_hands_empties_the_field() {
    let mut bench = Bench::at("plan", SCREEN);
    bench.keys("R");
    bench.types("ROLLB");
    bench.world().situation.lead.as_mut().unwrap().who.name = "bob".into();
    bench.msg(Msg::Changed);
    bench.types("ROLLBACK");
    assert_eq!(bench.keys("Enter"), []);
    assert!(bench.text().contains("bob has the lead"), "{}", bench.text());
}

#[test]
fn a_thousand_flaps_of_a_check_do_not_disturb_the_word() {
    let mut bench = Bench::at("plan", SCREEN);
    bench.keys("R");
    let letters: Vec<char> = "ROLLBACK".chars().collect();
    for flap in 0..1_000 {
        let card = bench.world().situation.checks.get_mut(&"api-health".into()).unwrap();
        card.note = format!("{flap}").as_str().into();
        bench.msg(Msg::Changed);
        if flap % 125 == 0 {
            later(&mut bench, 400);
            bench.key(Key::char(letters[flap / 125]));
        }
    }
    assert_eq!(bench.keys("Enter").len(), 1);
}

#[test]
fn suspending_clears_a_half_typed_word() {
    let mut bench = Bench::at("plan", SCREEN);
    bench.keys("R");
    bench.types("ROLLBACK");
    bench.msg(Msg::Resumed(Duration::from_secs(41)));
    assert_eq!(bench.keys("Enter"), []);
    assert!(bench.text().contains("0/8 typed") || bench.text().contains("suspended"));
}

#[test]
fn the_three_ways_to_stop_are_typed() {
    for (word, verb) in [("STOP", Abort::Stop), ("NOW", Abort::Now), ("UNDO", Abort::Undo)] {
        let mut bench = Bench::at("run", SCREEN);
        bench.keys("x");
        bench.types(word);
        assert_eq!(bench.keys("Enter"), [Effect::Send(Command::Abort { verb })]);
    }
}

#[test]
fn a_second_person_may_stop_but_not_start() {
    let mut second = Bench::at("second-person", SCREEN);
    second.keys("R");
    assert_eq!(second.ui.dialog, None);
    assert!(second.text().contains("alice has the lead"), "{}", second.text());
    let mut run = Bench::at("run", SCREEN);
    run.world().link.name = "bob".into();
    run.keys("x");
    run.types("STOP");
    assert_eq!(run.keys("Enter").len(), 1);
}

#[test]
fn vouching_for_a_step_needs_the_word_and_a_reason() {
    let mut bench = Bench::at("waiting-unknown", SCREEN);
    bench.keys("d");
    bench.types("DONE");
    assert_eq!(bench.keys("Enter"), []);
    assert_eq!(bench.keys("Enter"), [], "no reason yet");
    bench.types("curl says blue");
    let effects = bench.keys("Enter");
    let wanted = Effect::Send(Command::MarkDone {
        run: RUN.into(),
        step: "switch".into(),
        attempt: 1,
        reason: "curl says blue".into(),
    });
    assert_eq!(effects, [wanted]);
}

#[test]
fn a_dialog_about_a_step_closes_when_the_step_no_longer_waits() {
    let mut bench = Bench::at("waiting-unknown", SCREEN);
    bench.keys("t");
    bench.types("RETRY");
    bench.world().situation.run.as_mut().unwrap().waiting = None;
    bench.msg(Msg::Changed);
    assert_eq!(bench.ui.dialog, None);
    assert!(bench.text().contains("no longer waits"), "{}", bench.text());
}

#[test]
fn q_asks_and_ctrl_c_twice_leaves_at_once() {
    let mut bench = Bench::at("run", SCREEN);
    bench.keys("q");
    assert!(bench.text().contains("goes on without you"), "{}", bench.text());
    assert_eq!(bench.keys("Enter"), [Effect::Leave]);
    let mut bench = Bench::at("run", SCREEN);
    assert_eq!(bench.key(Key::ctrl('c')), []);
    assert_eq!(bench.key(Key::ctrl('c')), [Effect::Leave]);
}

#[test]
fn a_question_is_answered_with_the_assessment_that_was_on_the_screen() {
    let mut bench = Bench::at("assess", SCREEN);
    bench.keys("a 4");
    let effects = bench.keys("u");
    let wanted =
        Effect::Send(Command::Answer { node: "4".into(), assessment: 1, answer: Answer::Unknown });
    assert_eq!(effects, [wanted]);
}

#[test]
fn enter_on_a_level_asks_for_its_plan_and_the_plan_is_gone_to_at_once() {
    let mut bench = Bench::at("assess", SCREEN);
    bench.keys("L");
    assert_eq!(bench.ui.stage, Stage::Level);
    assert_eq!(bench.ui.level, Some(Level::Switch), "never level 3 by itself");
    let effects = bench.keys("Enter");
    assert_eq!(effects, [Effect::Send(Command::Plan { level: Level::Switch, target: None })]);
    bench.world().situation = samples::named("plan").world.situation;
    bench.msg(Msg::Changed);
    assert_eq!(bench.ui.stage, Stage::Plan);
}

/// Level 1 is judged last, for its help test takes a moment: what was ready before it is not chosen
/// for that; and what a person chose stands still.
#[test]
fn a_level_that_was_ready_first_is_not_the_one_that_enter_takes() {
    let mut bench = Bench::at("assess", SCREEN);
    let judged = bench.world().situation.levels.clone();
    let first = &mut bench.world().situation.levels;
    for card in first.iter_mut() {
        let early = card.level == Level::Full;
        card.standing = if early { LevelStanding::Ready } else { LevelStanding::NotProven };
    }
    bench.ui.level = None;
    bench.msg(Msg::Changed);
    assert_eq!(bench.ui.level, Some(Level::Full));
    bench.world().situation.levels = judged;
    bench.msg(Msg::Changed);
    bench.keys("L");
    assert_eq!(bench.ui.level, Some(Level::Switch));
    bench.ui.level = Some(Level::Full);
    bench.msg(Msg::Changed);
    assert_eq!(bench.ui.level, Some(Level::Full), "under the hand it stands still");
}

#[test]
fn a_refused_plan_leaves_the_person_at_the_levels_with_the_reason() {
    let mut bench = Bench::at("assess", SCREEN);
    bench.keys("L Enter");
    bench.world().situation = samples::named("refused").world.situation;
    later(&mut bench, 9_000);
    bench.msg(Msg::Changed);
    bench.msg(Msg::Tick);
    assert_eq!(bench.ui.stage, Stage::Level);
    assert!(bench.text().contains("was refused"), "{}", bench.text());
}

#[test]
fn the_stage_follows_the_run_but_never_under_the_hand() {
    let mut bench = Bench::at("run", SCREEN);
    bench.keys("j");
    bench.world().situation = samples::named("watch").world.situation;
    bench.msg(Msg::Changed);
    assert_eq!(bench.ui.stage, Stage::Run);
    assert!(bench.text().contains("!Watch!"), "{}", bench.text());
    later(&mut bench, 5_001);
    bench.msg(Msg::Tick);
    assert_eq!(bench.ui.stage, Stage::Watch);
}

#[test]
fn a_stage_that_is_looked_at_stays_until_the_run_moves_on() {
    let mut bench = Bench::at("run", SCREEN);
    bench.keys("[ [");
    assert_eq!(bench.ui.stage, Stage::Level);
    later(&mut bench, 60_000);
    bench.msg(Msg::Tick);
    assert_eq!(bench.ui.stage, Stage::Level);
    bench.keys("Esc");
    assert_eq!(bench.ui.stage, Stage::Run);
}

#[test]
fn the_selection_sticks_to_the_check_and_the_list_stands_still_under_the_hand() {
    let mut bench = Bench::at("assess", SCREEN);
    bench.keys("Tab j j");
    let chosen = bench.ui.check.clone().unwrap();
    let order = bench.ui.order.clone();
    let mut story = Story::going_on(&bench.world.situation);
    let status = backout::model::reading::Status::Fail;
    story.event(60, samples::check(60, "web", status, "500", None));
    bench.world().situation = story.situation;
    bench.msg(Msg::Changed);
    assert_eq!(bench.ui.order, order);
    later(&mut bench, 6_000);
    bench.msg(Msg::Tick);
    assert_ne!(bench.ui.order, order);
    assert_eq!(bench.ui.check, Some(chosen));
}

#[test]
fn every_key_in_the_bar_does_something_now() {
    for sample in samples::all() {
        for stage in Stage::ALL {
            let mut start = Bench::new(sample.clone(), (200, 40));
            start.ui.go(stage, &start.world);
            for offer in offers::offers(&start.ui, &start.world, start.now) {
                let key = start.keymap.shown(offer.action).unwrap();
                let mut bench = start.clone();
                let before = bench.ui.clone();
                let effects = bench.key(key);
                bench.ui.last_key = before.last_key;
                let moved = bench.ui != before || !effects.is_empty();
                let at_end = matches!(key.code, Code::Char('[' | ']'));
                assert!(moved || at_end, "{} {stage:?} {key} {}", sample.name, offer.label);
            }
        }
    }
}

#[test]
fn errors_stay_until_they_are_taken_away() {
    let mut bench = Bench::at("troubles", SCREEN);
    assert!(bench.text().contains("1 of 2"));
    later(&mut bench, 60_000);
    bench.msg(Msg::Tick);
    assert!(bench.text().contains("cannot be tailed"));
    bench.keys("Esc");
    assert!(bench.text().contains("disk is 91 %"));
    bench.keys("Esc");
    assert!(!bench.text().contains("Esc Seen"), "{}", bench.text());
}

#[test]
fn find_steps_through_the_places() {
    let mut bench = Bench::at("assess", SCREEN);
    bench.keys("Tab /");
    bench.types("s");
    bench.keys("Enter");
    let first = bench.text();
    bench.keys("n");
    assert_ne!(bench.frame(&super::ascii()).cursor, None);
    assert!(first.contains("1 of "), "{first}");
    assert!(bench.text().contains("2 of "), "{}", bench.text());
    bench.keys("p p");
    assert!(!bench.text().contains("1 of "), "from the first place back to the last");
    bench.keys("Esc");
    assert_eq!(bench.ui.find, None);
}

#[test]
fn an_observer_may_stop_but_not_start() {
    let mut bench = Bench::at("observer", SCREEN);
    bench.keys("R");
    assert_eq!(bench.ui.dialog, None);
    assert!(bench.text().contains("look only"), "{}", bench.text());
    let mut bench = Bench::at("run", SCREEN);
    bench.world().link.observer = Some("attached to look only".to_owned());
    bench.keys("x");
    bench.types("NOW");
    assert_eq!(bench.keys("Enter").len(), 1);
}

#[test]
fn an_engine_of_another_version_can_still_be_stopped() {
    let mut bench = Bench::at("run", SCREEN);
    bench.world().link.foreign = Some("0.2.0".to_owned());
    bench.keys("x");
    bench.types("STOP");
    assert_eq!(bench.keys("Enter").len(), 1);
    let mut plan = Bench::at("plan", SCREEN);
    plan.world().link.foreign = Some("0.2.0".to_owned());
    plan.keys("R");
    assert_eq!(plan.ui.dialog, None);
}

#[test]
fn f12_shows_what_backout_itself_says_and_goes_away_again() {
    let mut bench = Bench::at("run", SCREEN);
    bench.keys("F12");
    assert!(bench.text().contains("backout itself"), "{}", bench.text());
    bench.keys("Esc");
    assert_eq!(bench.ui.dialog, None);
}

/// At the gate of a recovery whose point can be brought forward from 23:40:00 to 23:52:00.
fn at_the_gate(grows: bool) -> Bench {
    let mut bench = Bench::at("gate", SCREEN);
    let run = bench.world().situation.run.as_mut().unwrap();
    run.plan.face.window = Some(Window {
        from: samples::at(-840),
        until: samples::at(-120),
        stop: Lsn(0x300_0000),
        end: Lsn(0x500_0000),
        gaps: Vec::new(),
        timeline: 1,
        system: 7,
        grows,
    });
    run.plan.face.zone = Some(Zone { name: "Europe/Berlin".into(), shift: 3600 });
    bench.keys("R");
    bench
}

fn chosen(effects: &[Effect]) -> Option<Choice> {
    effects.iter().find_map(|effect| match effect {
        Effect::Send(Command::Choose { choice, .. }) => Some(choice.clone()),
        _ => None,
    })
}

#[test]
fn at_the_gate_another_moment_is_typed_and_refused_where_it_cannot_be_reached() {
    let mut bench = at_the_gate(false);
    bench.types("NEW TIME");
    let shown = text(&bench.frame(&ascii()));
    assert!(shown.contains("Which moment:"), "{shown}");
    assert!(shown.contains("Europe/Berlin"), "{shown}");
    bench.keys("Tab");
    for (typed, why) in [
        ("23:30", "is before the base backup was finished"),
        ("23:53", "is after the last log that can be used"),
        ("2025-11-21 23:45:00", "names no zone"),
        ("+5m", "is yet to come"),
    ] {
        bench.types(typed);
        assert_eq!(bench.keys("Enter"), [], "{typed}");
        let shown = text(&bench.frame(&ascii()));
        let flat = shown.split(['|', ' ', '\n']).filter(|part| !part.is_empty());
        let flat = flat.collect::<Vec<_>>().join(" ");
        assert!(flat.contains(why), "{typed}: {shown}");
        if !why.contains("zone") && !why.contains("yet") {
            let window = "2025-11-21 23:40:00Z to 2025-11-21 23:52:00Z";
            assert!(flat.contains(window), "{typed}: {shown}");
        }
        for _ in typed.chars() {
            bench.keys("Backspace");
        }
    }
    bench.types("23:45:30");
    let moment = Choice::NewMoment { to: "2025-11-21 23:45:30Z".to_owned() };
    assert_eq!(chosen(&bench.keys("Enter")), Some(moment));
}

#[test]
fn at_the_gate_a_server_that_lives_reaches_up_to_now_and_no_moment_is_no_plan() {
    let mut bench = at_the_gate(true);
    bench.types("NEW TIME");
    bench.keys("Tab");
    bench.types("-10s");
    assert!(matches!(chosen(&bench.keys("Enter")), Some(Choice::NewMoment { .. })));
    let mut bench = at_the_gate(true);
    bench.types("NEW TIME");
    assert_eq!(chosen(&bench.keys("Enter")), Some(Choice::NewTime));
    // Where no logs are kept there is no moment between points.
    let mut bench = Bench::at("gate", SCREEN);
    bench.keys("R");
    bench.types("NEW TIME");
    bench.keys("Tab");
    bench.types("23:45");
    assert_eq!(bench.keys("Enter"), []);
    assert!(text(&bench.frame(&ascii())).contains("no moment between points"));
}
