//! The palette, the held screen, copying, the mouse, the light link, and what a slow line sees.

use std::time::Duration;

use backout::model::entry::Command;
use backout::model::ids::CheckId;
use backout::model::plan::Level;
use backout::model::reading::Status;
use backout::tui::action::Action;
use backout::tui::comfort;
use backout::tui::dialogs::Dialog;
use backout::tui::layout;
use backout::tui::logs::ask::Ask;
use backout::tui::pane::PaneKind;
use backout::tui::stage::Stage;
use backout::tui::state::{Copied, Effect, Line, Msg, Pointed};
use backout::tui::view::View;
use backout::tui::writer::Painter;
use ratatui::buffer::Buffer;

use super::samples::{self, at};
use super::{Bench, ascii, dark, text};

const SCREEN: (u16, u16) = (80, 24);

fn viewed<T>(bench: &Bench, look: impl FnOnce(&View<'_>) -> T) -> T {
    look(&View {
        world: &bench.world,
        ui: &bench.ui,
        keymap: &bench.keymap,
        look: &ascii(),
        verdict: &bench.lines,
        now: bench.now,
        clock: bench.now,
    })
}

#[test]
fn the_palette_does_what_the_key_would_do() {
    let mut bench = Bench::at("run", SCREEN);
    bench.keys(":");
    bench.types("abo");
    assert!(bench.text().contains("open the abort dialog"), "{}", bench.text());
    bench.keys("Tab");
    assert!(bench.text().contains(":[abort_"), "{}", bench.text());
    bench.keys("Enter");
    assert!(bench.text().contains("Type STOP or NOW or UNDO"), "{}", bench.text());
}

#[test]
fn a_name_that_does_nothing_now_says_why() {
    let mut bench = Bench::at("assess", SCREEN);
    bench.keys(":");
    bench.types("confirm");
    bench.keys("Enter");
    assert_eq!(bench.ui.dialog, None);
    assert!(
        bench.text().contains("the confirmation opens in the stage Plan (R)"),
        "{}",
        bench.text()
    );
}

#[test]
fn stages_panes_and_environments_have_names() {
    let mut bench = Bench::at("run", SCREEN);
    bench.world().environments = vec!["shop/eu1".to_owned(), "shop/us1".to_owned()];
    for (typed, keys) in [("stage plan", "Enter"), ("pane plan", "Enter")] {
        bench.keys(":");
        bench.types(typed);
        assert_eq!(bench.keys(keys), [], "{typed}");
    }
    assert_eq!((bench.ui.stage, bench.ui.focus), (Stage::Plan, PaneKind::Plan));
    bench.keys(":");
    bench.types("us1");
    let effects = bench.keys("Enter");
    assert_eq!(effects, [Effect::Switch("shop/us1".to_owned())]);
    assert_eq!(bench.world.situation.environment(), "shop/eu1", "this screen stays what it is");
}

#[test]
fn an_empty_palette_and_a_wrong_name_do_nothing() {
    let mut bench = Bench::at("run", SCREEN);
    assert_eq!(bench.keys(": Enter"), []);
    assert_eq!(bench.ui.dialog, None);
    bench.keys(":");
    bench.types("detahc");
    assert_eq!(bench.keys("Enter"), []);
    assert!(bench.text().contains("did you mean detach?"), "{}", bench.text());
}

#[test]
fn a_held_screen_stands_while_clock_verdict_and_dialogs_stay_live() {
    let mut bench = Bench::at("run", SCREEN);
    bench.keys("f");
    let before = bench.text();
    bench.now += chrono::Duration::seconds(12);
    let seq = bench.world.situation.seq;
    bench.world().situation.seq = seq + 340;
    bench.world().logs.lines.clear();
    bench.msg(Msg::Changed);
    let shown = bench.text();
    assert!(shown.contains("FROZEN 00:12, 340 events behind"), "{shown}");
    let body = |text: &str| text.lines().skip(4).take(18).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(body(&before), body(&shown), "the panes stand");
    assert_ne!(before.lines().next(), shown.lines().next(), "the clock does not");
    bench.keys("x");
    bench.types("STOP");
    assert_eq!(bench.keys("Enter").len(), 1, "stopping works meanwhile");
    bench.keys("f");
    assert!(!bench.text().contains("FROZEN"), "{}", bench.text());
}

#[test]
fn a_line_and_a_pane_are_copied_whole() {
    let mut bench = Bench::at("run", SCREEN);
    bench.ui.focus = PaneKind::Logs;
    let long = format!("error {} end", "x".repeat(300));
    bench.world().logs.lines.last_mut().unwrap().text = long.as_str().into();
    assert_eq!(bench.keys("y"), [Effect::Copy(Copied::Line)]);
    assert_eq!(bench.keys("Y"), [Effect::Copy(Copied::Pane)]);
    let line = viewed(&bench, |view| comfort::copied(view, Copied::Line));
    assert!(line.contains(&long), "{line}");
    assert_eq!(line.lines().count(), 1);
    let pane = viewed(&bench, |view| comfort::copied(view, Copied::Pane));
    assert!(pane.lines().count() > 2 && pane.contains(&long), "{pane}");
    // The plan with its commands, from the page that shows a part of it.
    let mut plan = Bench::at("plan", SCREEN);
    plan.keys("F2");
    assert_eq!(plan.keys("Y"), [Effect::Copy(Copied::Pane)]);
    assert!(plan.ui.dialog.is_some(), "the page stays");
    let page = viewed(&plan, |view| comfort::copied(view, Copied::Pane));
    assert!(page.lines().count() > 24 && page.contains("digest"), "{page}");
}

#[test]
fn a_found_line_is_the_one_that_is_copied() {
    let mut bench = Bench::at("assess", SCREEN);
    bench.keys("Tab /");
    bench.types("UNKN");
    bench.keys("Enter");
    let line = viewed(&bench, |view| comfort::copied(view, Copied::Line));
    assert!(line.contains("UNKN"), "{line}");
}

#[test]
fn no_click_ever_commits() {
    for sample in samples::all() {
        for keys in ["", "R", "x", "p", ":", "?", "L"] {
            let mut bench = Bench::new(sample.clone(), SCREEN);
            assert_eq!(bench.keys("F8"), [Effect::Mouse(true)]);
            bench.keys(keys);
            for word in ["ROLLBACK", "STOP"] {
                let mut bench = bench.clone();
                bench.types(word);
                let panes = layout::panes(&bench.ui, &bench.world);
                for pane in panes.into_iter().map(Some).chain([None]) {
                    for wheel in [0, 1, -1] {
                        let told = bench.msg(Msg::Pointed(Pointed { pane, wheel }));
                        assert_eq!(told, [], "{} {keys} {word}", sample.name);
                    }
                }
            }
        }
    }
}

#[test]
fn a_click_chooses_a_pane_and_the_wheel_scrolls_it_only_when_the_mouse_is_ours() {
    let mut bench = Bench::at("run", SCREEN);
    let logs = Pointed { pane: Some(PaneKind::Logs), wheel: 0 };
    let before = bench.ui.focus;
    bench.msg(Msg::Pointed(logs));
    assert_eq!(bench.ui.focus, before, "off by default");
    bench.keys("F8");
    bench.msg(Msg::Pointed(logs));
    assert_eq!(bench.ui.focus, PaneKind::Logs);
    bench.msg(Msg::Pointed(Pointed { wheel: -1, ..logs }));
    assert_eq!(bench.ui.logs.asks, [Ask::Move(-3)]);
}

/// Sorts the checks anew a hundred times; each time Enter opens the one that was shown when the
/// key was sent.
#[test]
fn enter_acts_on_what_was_shown_when_the_key_was_sent() {
    let mut bench = Bench::at("detect", (120, 40));
    bench.ui.focus = PaneKind::Checks;
    bench.keys("j");
    let mut seed = 11_u64;
    for round in 0..100 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let ids: Vec<CheckId> = bench.world.situation.checks.keys().cloned().collect();
        let shown = bench.ui.check.clone();
        // The world turns over between the look and the key.
        for (at, id) in ids.iter().enumerate() {
            let status = match (seed >> (at % 60)) & 3 {
                0 => Status::Fail,
                1 => Status::Unknown,
                2 => Status::Warn,
                _ => Status::Ok,
            };
            bench.world().situation.checks.get_mut(id).unwrap().status = status;
        }
        bench.now += chrono::Duration::milliseconds(if round % 3 == 0 { 6_000 } else { 50 });
        bench.msg(Msg::Changed);
        assert_eq!(bench.ui.check, shown, "round {round}: the selection sticks to the object");
        let key = if round % 2 == 0 { "j" } else { "k" };
        let order = bench.ui.order.clone();
        bench.now += chrono::Duration::milliseconds(1);
        bench.key(backout::tui::input::Key::named(key).unwrap());
        assert_eq!(bench.ui.order, order, "round {round}: nothing moves under the hand");
    }
    let mut levels = Bench::at("assess", SCREEN);
    levels.ui.go(Stage::Level, &levels.world.clone());
    for round in 0..100 {
        let chosen = levels.ui.level;
        levels.world().situation.levels.rotate_left(1);
        levels.msg(Msg::Changed);
        let mut press = levels.clone();
        let effects = press.keys("Enter");
        let planned = effects.iter().find_map(|effect| match effect {
            Effect::Send(Command::Plan { level, .. }) => Some(*level),
            _ => None,
        });
        let ready = planned.is_some();
        assert!(planned == chosen || !ready, "round {round}: {planned:?} is not {chosen:?}");
        levels.keys("j");
    }
}

#[test]
fn level_two_on_production_beside_other_environments_asks_for_its_name() {
    let mut bench = Bench::at("plan", SCREEN);
    let open = bench.world().situation.plan.as_mut().unwrap();
    open.plan.core.level = Level::Full;
    open.digest = open.plan.digest();
    let name = bench.world.situation.environment().to_owned();
    bench.world().environments = vec![name.clone(), "other".to_owned()];
    bench.keys("R");
    bench.types("ROLLBACK");
    assert_eq!(bench.keys("Enter"), [], "the word alone is not enough");
    assert!(bench.text().contains(&format!("Type ROLLBACK {name}")), "{}", bench.text());
    bench.types(&format!(" {name}"));
    assert_eq!(bench.keys("Enter").len(), 1);
    // Level 1, or a machine with one environment: the word.
    let mut quick = Bench::at("plan", SCREEN);
    quick.world().environments = vec![name, "other".to_owned()];
    quick.keys("R");
    quick.types("ROLLBACK");
    assert_eq!(quick.keys("Enter").len(), 1);
}

fn slow(delay: u64) -> Msg {
    let delay = Some(Duration::from_millis(delay));
    Msg::Line(Line { delay, drain: Duration::ZERO })
}

#[test]
fn a_slow_line_is_spared_by_itself_and_a_quick_one_no_longer() {
    let mut bench = Bench::at("run", SCREEN);
    bench.msg(slow(600));
    assert!(!bench.ui.light.on());
    assert!(bench.text().contains("line 0.6s"), "{}", bench.text());
    bench.msg(slow(1_200));
    assert!(bench.ui.light.on());
    for _ in 0..40 {
        bench.now += chrono::Duration::seconds(1);
        bench.msg(slow(600));
    }
    assert!(bench.ui.light.on(), "0.6 s is not quick");
    for _ in 0..32 {
        bench.now += chrono::Duration::seconds(1);
        bench.msg(slow(100));
    }
    assert!(!bench.ui.light.on());
    let drain = Duration::from_millis(300);
    bench.msg(Msg::Line(Line { delay: None, drain }));
    assert!(bench.ui.light.on(), "a frame that does not drain");
    bench.keys("F9");
    assert!(!bench.ui.light.on(), "the hand wins");
}

#[test]
fn a_dialog_arms_itself_only_after_the_line_could_show_it() {
    let mut bench = Bench::at("plan", SCREEN);
    bench.msg(slow(900));
    bench.keys("R");
    for letter in "ROLL".chars() {
        bench.now += chrono::Duration::milliseconds(200);
        bench.key(backout::tui::input::Key::char(letter));
    }
    assert!(bench.text().contains("0/8 typed"), "{}", bench.text());
    bench.now += chrono::Duration::milliseconds(200);
    bench.key(backout::tui::input::Key::char('R'));
    assert!(bench.text().contains("1/8 typed"), "{}", bench.text());
}

#[test]
fn changes_are_announced_once() {
    let mut bench = Bench::at("detect", SCREEN);
    assert_eq!(bench.msg(Msg::Changed), []);
    let id = bench.world.situation.checks.iter().find(|(_, card)| card.status == Status::Ok);
    let id = id.map(|(id, _)| id.clone()).unwrap();
    bench.world().situation.checks.get_mut(&id).unwrap().status = Status::Fail;
    let effects = bench.msg(Msg::Changed);
    let [Effect::Announce(text)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(text.contains("FAIL"), "{text}");
    assert_eq!(bench.msg(Msg::Tick), []);
}

/// Two frames a second with a clock that ticks every second and ages that move every 5 s.
#[test]
fn the_light_link_stays_under_its_bar() {
    for (width, height, bar) in [(80, 24, 300), (120, 40, 400), (200, 60, 600)] {
        for name in ["assess", "run", "watch"] {
            let mut bench = Bench::at(name, (width, height));
            bench.keys("F9");
            bench.now = at(300);
            let mut painter = Painter::default();
            painter.paint(&bench.frame(&dark()));
            let mut bytes = 0;
            for _ in 0..10 {
                bench.now += chrono::Duration::seconds(1);
                bench.msg(Msg::Tick);
                let frame = light_frame(&bench);
                bytes += painter.paint(&frame).len();
            }
            assert!(bytes / 10 <= bar, "{name} {width}x{height}: {} bytes a second", bytes / 10);
            assert!(bytes / 10 > 30, "{name}: the clock stands");
        }
    }
}

/// As the console draws on a light link.
fn light_frame(bench: &Bench) -> backout::tui::screen::Frame {
    let into = bench.now.timestamp() % 5;
    backout::tui::screen::draw(&View {
        world: &bench.world,
        ui: &bench.ui,
        keymap: &bench.keymap,
        look: &dark(),
        verdict: &bench.lines,
        now: bench.now - chrono::Duration::seconds(into),
        clock: bench.now,
    })
}

/// What a terminal shows after these bytes.
struct Screen(vt100::Parser);

impl Screen {
    fn new((width, height): (u16, u16)) -> Self {
        let (rows, columns) = (height.try_into().unwrap(), width.try_into().unwrap());
        Self(vt100::Parser::new(rows, columns, 0))
    }
}

#[test]
fn a_frame_in_pieces_becomes_the_same_picture_and_every_piece_begins_with_the_clock() {
    for size in [(80, 24), (120, 40)] {
        let mut painter = Painter::default();
        let mut screen = Screen::new(size);
        for name in ["assess", "plan", "run", "hostile"] {
            let mut bench = Bench::at(name, size);
            let mut pieces = 0;
            loop {
                bench.now += chrono::Duration::seconds(1);
                let frame = bench.frame(&ascii());
                let bytes = painter.paint_piece(&frame, 700);
                assert!(bytes.len() < 1_700, "{name}: a piece of {} bytes", bytes.len());
                screen.0.process(&bytes);
                pieces += 1;
                let shown = screen.0.screen().contents();
                let first = shown.lines().next().unwrap_or_default().trim_end();
                let wanted = text(&frame);
                assert_eq!(first, wanted.lines().next().unwrap(), "{name}");
                if !painter.behind() {
                    let shown: Vec<&str> = shown.lines().map(str::trim_end).collect();
                    let wanted: Vec<&str> = wanted.trim_end().lines().collect();
                    assert_eq!(shown, wanted, "{name}");
                    break;
                }
                assert!(pieces < 40, "{name}: it never ends");
            }
        }
    }
}

#[test]
fn a_hundred_sizes_are_drawn_without_a_panic() {
    let mut bench = Bench::at("run", SCREEN);
    for number in 0..100_u16 {
        let size = (1 + number * 3 % 300, 1 + number * 7 % 100);
        bench.msg(Msg::Resized(size.0, size.1));
        let frame = bench.frame(&ascii());
        assert_eq!(
            frame.buffer.area,
            Buffer::empty(ratatui::layout::Rect::new(0, 0, size.0, size.1)).area
        );
    }
}

#[test]
fn every_action_can_be_called_by_its_name() {
    for action in Action::ALL.iter().filter(|action| **action != Action::Palette) {
        let mut bench = Bench::at("run", SCREEN);
        bench.keys(":");
        bench.types(action.name());
        bench.keys("Enter");
        let still = bench
            .ui
            .dialog
            .as_ref()
            .is_some_and(|opened| matches!(opened.dialog, Dialog::Palette(_)));
        assert!(!still, "{action} is no name");
    }
}
