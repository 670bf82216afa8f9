//! Commands that are typed whole after `:`.

use backout::model::entry::Command;
use backout::model::severity::Severity;
use backout::tui::dialogs::Dialog;
use backout::tui::state::{Effect, Msg};

use super::Bench;

const SCREEN: (u16, u16) = (80, 24);

fn given(bench: &mut Bench, line: &str) -> Vec<Effect> {
    bench.keys(":");
    bench.types(line);
    bench.keys("Enter")
}

#[test]
fn a_whole_line_is_given_on_enter_and_the_palette_closes() {
    let mut bench = Bench::at("assess", SCREEN);
    let effects = given(&mut bench, "mute all 30m the disk is moved");
    let [Effect::Send(Command::Mute { name, until, reason })] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    assert_eq!((name.as_str(), reason.as_str()), ("all", "the disk is moved"));
    assert_eq!(*until, bench.now + chrono::Duration::minutes(30));
    assert_eq!(bench.ui.dialog, None);
    let effects = given(&mut bench, "severity critical shops stand still");
    let [Effect::Send(Command::Overrule { class, assessment, .. })] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    assert_eq!(*class, Some(Severity::Critical));
    assert_eq!(Some(*assessment), bench.world.situation.assessment.as_ref().map(|a| a.number));
}

#[test]
fn what_is_missing_is_said_while_it_is_typed_and_enter_does_nothing() {
    let mut bench = Bench::at("assess", SCREEN);
    assert_eq!(given(&mut bench, "mute all"), []);
    assert!(bench.text().contains("say for how long"), "{}", bench.text());
    bench.types(" 30m");
    assert!(bench.text().contains("say why"), "{}", bench.text());
    assert!(!bench.text().contains("Enter Do it"), "{}", bench.text());
    bench.types(" moved");
    assert!(bench.text().contains("Enter does it: all counts for nothing"), "{}", bench.text());
    assert!(bench.text().contains("Enter Do it"), "{}", bench.text());
}

#[test]
fn a_command_without_arguments_is_written_into_the_field_and_not_given() {
    let mut bench = Bench::at("assess", SCREEN);
    assert_eq!(given(&mut bench, "since"), []);
    assert!(bench.text().contains(":[since _"), "{}", bench.text());
    assert!(bench.text().contains("say when"), "{}", bench.text());
}

#[test]
fn an_argument_is_completed_with_what_there_is() {
    let mut bench = Bench::at("assess", SCREEN);
    bench.keys(":");
    bench.types("mute check");
    bench.keys("Tab");
    assert!(bench.text().contains(":[mute checkout _"), "{}", bench.text());
}

#[test]
fn a_pasted_command_is_refused_but_its_reason_may_be_pasted() {
    let paste = |bench: &mut Bench, text: &str| {
        bench.now += chrono::Duration::milliseconds(400);
        bench.msg(Msg::Input(backout::tui::input::Input::Paste(text.to_owned())));
    };
    let mut bench = Bench::at("assess", SCREEN);
    bench.keys(":");
    paste(&mut bench, "mute all 30m why");
    assert!(bench.text().contains("paste is refused"), "{}", bench.text());
    assert_eq!(bench.keys("Enter"), []);
    bench.keys(":");
    bench.types("mute all 30m ");
    paste(&mut bench, "INC in the tracker");
    assert_eq!(bench.keys("Enter").len(), 1);
}

#[test]
fn who_only_looks_gets_no_command_through() {
    let mut bench = Bench::at("observer", SCREEN);
    assert_eq!(given(&mut bench, "mute all 30m why"), []);
    assert!(bench.text().contains("cannot be given now"), "{}", bench.text());
    let open = bench.ui.dialog.as_ref().map(|opened| &opened.dialog);
    assert!(matches!(open, Some(Dialog::Palette(_))));
}
