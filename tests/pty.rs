//! The console in a real terminal: the whole flow by keys, and what happens when the line drops.

use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::line::Bad;
use super::support::{Stack, promised};
use super::terminal::{Terminal, offers, settle};

/// The program on a stack, in its folder.
fn run(stack: &Stack, arguments: &[&str]) -> Command {
    let mut command = stack.command(arguments);
    command.current_dir(stack.dir());
    command
}

/// From the first look to STABLE, by shown keys only.
fn whole_flow(size: (u16, u16)) {
    let stack = Stack::up(Some("errors:0.3"));
    let mut terminal = Terminal::open(&run(&stack, &[]), size);
    terminal.shows("Press L");
    terminal.press("L", "L");
    terminal.press("\r", "Enter");
    terminal.press("R", "R");
    terminal.shows("Type ROLLBACK");
    // The dialog arms itself only after it has been on the screen for a moment.
    terminal.until("an armed field", Duration::from_secs(5), |text| text.contains("0/8 typed"));
    settle(&mut terminal);
    terminal.send("ROLLBACK");
    terminal.shows("complete");
    terminal.press("\r", "Enter");
    terminal.until("STABLE", Duration::from_secs(40), |text| text.contains("STABLE on v2.4.9"));
    assert_eq!(stack.status()["active"], "blue");
    terminal.press("q", "q");
    terminal.shows("Enter Leave");
    settle(&mut terminal);
    terminal.press("\r", "Enter");
    assert_eq!(terminal.ended(Duration::from_secs(5)), 0);
    let last = terminal.text();
    assert!(last.contains("backout attach"), "{last}");
    assert_clean(&terminal);
}

/// The terminal was given back: main screen, cursor on, no mouse or paste modes left.
fn assert_clean(terminal: &Terminal) {
    let screen = terminal.screen.screen();
    assert!(!screen.alternate_screen(), "the alternate screen was left on");
    assert!(!screen.hide_cursor(), "the cursor was left hidden");
    assert!(!screen.bracketed_paste(), "bracketed paste was left on");
    assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
}

#[test]
fn the_whole_flow_by_shown_keys_at_80x24() {
    whole_flow((80, 24));
}

#[test]
fn the_whole_flow_by_shown_keys_at_120x40() {
    whole_flow((120, 40));
}

/// 300 ms each way, 2 % lost, and hands that do not wait: what was typed ahead never starts
/// anything, and what was typed on purpose arrives.
#[test]
fn the_whole_flow_over_a_far_line_with_keys_typed_ahead() {
    let stack = Stack::up(Some("errors:0.3"));
    let mut terminal = Terminal::open_over(Some(Bad::FAR), &run(&stack, &[]), (80, 24));
    terminal.shows("Press L");
    // Level and plan in one go; then the word before its field can have been seen.
    terminal.send("L\r");
    terminal.until("a plan", Duration::from_secs(20), |text| offers(text).contains("R Roll"));
    terminal.send("RROLLBACK\r\r");
    terminal.shows("Type ROLLBACK");
    terminal.until("an empty field", Duration::from_secs(5), |text| text.contains("0/8 typed"));
    terminal.rest(Duration::from_secs(2));
    assert!(terminal.text().contains("0/8 typed"), "{}", terminal.text());
    assert!(terminal.text().contains(" line "), "the delay is shown:\n{}", terminal.text());
    assert_eq!(stack.status()["active"], "green", "keys typed ahead started something");
    for letter in "ROLLBACK".chars() {
        terminal.send(&letter.to_string());
    }
    terminal.shows("complete");
    terminal.send("\r");
    terminal.until("STABLE", Duration::from_mins(1), |text| text.contains("STABLE on v2.4.9"));
    assert_eq!(stack.status()["active"], "blue");
    terminal.press("q", "q");
    terminal.shows("Enter Leave");
    terminal.rest(Duration::from_secs(2));
    terminal.send("\r");
    assert_eq!(terminal.ended(Duration::from_secs(10)), 0);
    assert_clean(&terminal);
}

/// `-e` opens the console on an environment by its name; the palette leaves for another one, which
/// gets a console of its own.
#[test]
fn environments_are_chosen_by_name_and_each_has_its_own_console() {
    let stack = Stack::up(None);
    let text = std::fs::read_to_string(stack.config()).unwrap();
    let name = text.lines().find_map(|line| line.strip_prefix("environment: ")).unwrap();
    let name = name.split_whitespace().next().unwrap();
    let other = text
        .replace(&format!("environment: {name}"), "environment: other-one")
        .replace("state_dir: state", "state_dir: state-of-other");
    std::fs::write(stack.dir().join("other.yaml"), other).unwrap();
    let unknown = stack.run(&["-e", "othr-one", "status"]);
    assert_eq!(unknown.code, 78, "{unknown:?}");
    assert!(unknown.err.contains("did you mean other-one?"), "{unknown:?}");
    let shown = stack.run(&["-e", "other-one", "config", "show"]);
    assert!(shown.out.contains("environment: other-one"), "{shown:?}");
    let mut terminal = Terminal::open(&run(&stack, &["-e", name]), (80, 24));
    terminal.until("this one", Duration::from_secs(20), |text| {
        text.lines().next().unwrap_or_default().contains(&format!(" {name} "))
    });
    terminal.send(":");
    terminal.shows("Palette");
    settle(&mut terminal);
    terminal.send("environment other");
    terminal.shows("open another one there");
    terminal.send("\r");
    terminal.until("the other", Duration::from_secs(20), |text| {
        text.lines().next().unwrap_or_default().contains(" other-one ")
    });
    let raw = String::from_utf8_lossy(&terminal.raw);
    assert_eq!(raw.matches("\u{1b}[?1049l").count(), 1, "the first screen was left");
    terminal.send("\u{3}\u{3}");
    assert_eq!(terminal.ended(Duration::from_secs(10)), 0);
    assert_clean(&terminal);
}

/// Starts a run in a console, lets `happen` happen to it, and waits for the same end.
fn the_run_survives(happen: impl FnOnce(&mut Terminal)) {
    let stack = Stack::up(Some("errors:0.3"));
    let mut terminal = Terminal::open(&run(&stack, &[]), (80, 24));
    terminal.shows("Press L");
    terminal.send("L");
    terminal.press("\r", "Enter");
    terminal.press("R", "R");
    terminal.until("an armed field", Duration::from_secs(10), |text| text.contains("0/8 typed"));
    settle(&mut terminal);
    terminal.send("ROLLBACK");
    terminal.shows("complete");
    terminal.send("\r");
    terminal.until("a run", Duration::from_secs(10), |text| text.contains("[RUN]"));
    happen(&mut terminal);
    stack.wait("the run ends", Duration::from_secs(40), || {
        stack.run(&["history"]).out.contains("STATUS=success")
    });
    assert_eq!(stack.status()["active"], "blue");
    // Whoever attaches sees the truth within two seconds of the console's start.
    let opened = Instant::now();
    let mut again = Terminal::open(&run(&stack, &["attach"]), (80, 24));
    let limit = Duration::from_secs(20);
    again.until("the truth", limit, |text| text.contains("STABLE on v2.4.9"));
    assert!(opened.elapsed() < promised(Duration::from_secs(2)), "{:?}", opened.elapsed());
}

#[test]
fn a_killed_console_does_not_disturb_the_run() {
    the_run_survives(|terminal| {
        terminal.child.kill().unwrap();
        terminal.child.wait().unwrap();
    });
}

#[test]
fn a_terminal_that_nobody_reads_holds_nothing_up() {
    the_run_survives(|terminal| terminal.unread.store(true, Ordering::Relaxed));
}

#[test]
fn a_closed_terminal_ends_the_console_and_not_the_run() {
    the_run_survives(|terminal| {
        drop(terminal.writer.take());
        drop(terminal.master.take());
        // The reading thread holds the last handle; without a reader the terminal is gone when
        // the console is told to hang up.
        let pid = i32::try_from(terminal.child.process_id().unwrap()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
        let until = Instant::now() + promised(Duration::from_secs(2));
        while terminal.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "the console outlived its terminal by 2 s");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    });
}

#[test]
fn a_second_terminal_watches_and_can_stop_the_run() {
    let stack = Stack::up(Some("errors:0.3"));
    let mut first = Terminal::open(&run(&stack, &[]), (80, 24));
    first.shows("Press L");
    let started = stack.start(&["rollback", "--quick", "--reason", "test"]);
    let refused = started.wait_with_output().unwrap();
    assert_eq!(refused.status.code(), Some(12), "a second engineer started beside the lead");
    first.send("L");
    first.press("\r", "Enter");
    first.press("R", "R");
    first.until("an armed field", Duration::from_secs(10), |text| text.contains("0/8 typed"));
    settle(&mut first);
    first.send("ROLLBACK");
    first.shows("complete");
    first.send("\r");
    first.until("a run", Duration::from_secs(10), |text| text.contains("[RUN]"));
    let aborted = stack.run(&["abort", "undo"]);
    assert_eq!(aborted.code, 0, "{aborted:?}");
    first.until("the end", Duration::from_secs(20), |text| {
        text.contains("UNDONE") || text.contains("undone")
    });
    assert_eq!(stack.status()["active"], "green");
}

#[test]
fn a_past_incident_is_played_again_and_nothing_is_started_by_it() {
    let stack = Stack::up(Some("errors:0.3"));
    let done = stack.run(&["rollback", "--quick", "--reason", "to be seen again"]);
    assert_eq!(done.code, 0, "{done:?}\n{}", stack.log());
    // Asking the engine would keep it.
    let idle = || backout::tui::lock::is_free(&stack.state());
    stack.wait("the engine's end", Duration::from_secs(10), idle);
    let journal = || std::fs::read(stack.state().join("journal.db")).unwrap();
    let before = journal();
    let mut terminal = Terminal::open(&run(&stack, &["replay", "--speed", "0.1"]), (120, 40));
    terminal.shows("REPLAY x0.1");
    terminal.send(" ");
    terminal.shows("REPLAY PAUSED");
    // Each arrow is an entry or a few of one moment: the end comes after some of them.
    let mut presses = 0;
    while !terminal.text().contains("REPLAY END") {
        assert!(presses < 500, "{}", terminal.text());
        let shown = terminal.text();
        terminal.send("\x1b[C");
        terminal.until("the next entry", Duration::from_secs(10), |text| text != shown);
        presses += 1;
    }
    terminal.shows("DONE");
    terminal.send("\x1b[D");
    terminal.shows("REPLAY PAUSED");
    terminal.send("C");
    terminal.shows("this is a replay");
    terminal.send("q");
    settle(&mut terminal);
    terminal.send("\r");
    assert_eq!(terminal.ended(Duration::from_secs(5)), 0);
    assert!(terminal.text().contains("nothing was changed"), "{}", terminal.text());
    assert!(idle(), "a replay started an engine");
    assert_eq!(journal(), before);
}
