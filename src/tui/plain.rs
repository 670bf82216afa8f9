//! Line mode: for dumb terminals, pipes and screen readers. One line per change, numbered menus,
//! the same state and the same words to type; nothing is ever drawn over.

use std::io::Write;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin};

use crate::failure::{Exit, Failure};
use crate::model::situation::Moment;
use crate::model::verdict;

use super::action::Action;
use super::app::{App, Flow, Start};
use super::dialogs::Dialog;
use super::dialogs::read::Page;
use super::goodbye::Goodbye;
use super::input::{Code, Input, Key};
use super::offers::{self, Offer};
use super::panes;
use super::state::Msg;
use super::view::View;
use super::words;

/// Wide enough for sentences, narrow enough for a reader.
const WIDTH: u16 = 100;
const HEIGHT: u16 = 200;

/// The longest line that is read from a person, in bytes.
const LINE: usize = 4_096;

/// What was said last, so that only changes are said.
#[derive(Default)]
struct Told {
    verdict: verdict::Lines,
    newest: Option<Moment>,
    menu: Vec<Offer>,
    body: String,
    message: Option<String>,
}

/// The line-mode console, until it is left or its input ends.
pub async fn lines(start: Start, mut out: impl Write) -> Result<Goodbye, Failure> {
    let clock = start.clock.clone();
    let look = start.look.clone();
    let mut app = App::new(start, (WIDTH, HEIGHT));
    let mut told = Told::default();
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    loop {
        say(&mut app, &look, &mut told, &mut out)
            .map_err(|why| Failure::new(Exit::Unknown, format!("could not write: {why}")))?;
        let flow = tokio::select! {
            // A closed input is a person who left: nothing more can be asked, and the run does
            // not need us.
            line = next_line(&mut input) => line.map_or(Flow::Leave, |line| {
                answer(&mut app, &mut told, &line)
            }),
            flow = app.news() => flow,
            () = clock.sleep(std::time::Duration::from_secs(1)) => app.take(Msg::Tick, None),
        };
        if flow == Flow::Leave {
            return Ok(app.goodbye());
        }
    }
}

async fn next_line(input: &mut Lines<BufReader<Stdin>>) -> Option<String> {
    let mut line = input.next_line().await.ok().flatten()?;
    let end = (0..=line.len().min(LINE)).rev().find(|at| line.is_char_boundary(*at));
    line.truncate(end.unwrap_or(0));
    Some(line)
}

/// What a typed line means: a number of the menu, or what the open dialog asks.
fn answer(app: &mut App, told: &mut Told, line: &str) -> Flow {
    let line = line.trim();
    told.body.clear();
    if app.ui().dialog.is_some() {
        return in_dialog(app, line);
    }
    let chosen = line
        .parse::<usize>()
        .ok()
        .and_then(|number| told.menu.get(number.checked_sub(1)?))
        .map(|offer| offer.action);
    let by_name = told.menu.iter().map(|offer| offer.action).find(|action| action.name() == line);
    if let Some(action) = chosen.or(by_name) {
        return press(app, action);
    }
    told.menu.clear();
    Flow::On
}

fn press(app: &mut App, action: Action) -> Flow {
    match app.keymap().shown(action) {
        Some(key) => app.take(Msg::Input(Input::Key(key)), None),
        None => Flow::On,
    }
}

/// An empty line goes back, as Esc does: the harmless answer.
fn in_dialog(app: &mut App, line: &str) -> Flow {
    let key = |app: &mut App, code| app.take(Msg::Input(Input::Key(Key::plain(code))), None);
    if line.is_empty() {
        return key(app, Code::Esc);
    }
    for letter in line.chars().filter(|_| line != "Enter") {
        key(app, Code::Char(letter));
        if app.ui().dialog.is_none() {
            // One letter was the whole answer.
            return Flow::On;
        }
    }
    key(app, Code::Enter)
}

/// The actions that make sense without a picture.
fn menu(app: &App) -> Vec<Offer> {
    let all = offers::offers(app.ui(), app.world(), app.now());
    let useful = |action: Action| {
        !matches!(
            action,
            Action::NextPane
                | Action::Find
                | Action::Zoom
                | Action::Wrap
                | Action::Times
                | Action::FailingOnly
                | Action::Follow
                | Action::Severity
        )
    };
    let mut list: Vec<Offer> = all.into_iter().filter(|offer| useful(offer.action)).collect();
    if app.ui().stage == super::stage::Stage::Level {
        list.insert(0, Offer { action: Action::Down, label: "Next level" });
    }
    list
}

fn say(
    app: &mut App,
    look: &super::widgets::Look,
    told: &mut Told,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let world = app.world().clone();
    let now = app.now();
    for moment in newer(&world.situation.timeline, told.newest.as_ref()) {
        writeln!(out, "{} {}", words::hour(moment.at), moment.text)?;
    }
    told.newest = world.situation.timeline.last().cloned();
    let lines = verdict::lines(&world.situation, world.live.as_ref(), &world.readings, now);
    // Numbers move all the time; the words are said again only when they say something else.
    let still = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
    if still(&lines.what) != still(&told.verdict.what)
        || still(&lines.next) != still(&told.verdict.next)
    {
        writeln!(out, "= {}\n= {}", lines.what, lines.next)?;
        told.verdict = lines.clone();
    }
    let message = app.ui().messages.last().map(|message| message.text.clone());
    if message != told.message {
        if let Some(text) = &message {
            writeln!(out, "! {text}")?;
        }
        told.message = message;
    }
    let view = View {
        world: &world,
        ui: app.ui(),
        keymap: app.keymap(),
        look,
        verdict: &lines,
        now,
        clock: now,
    };
    if let Some(opened) = &app.ui().dialog {
        let sheet = opened.dialog.sheet(&view, usize::from(WIDTH));
        let rows = sheet.facts.iter().chain(&sheet.pinned).map(super::widgets::Row::text);
        let body: Vec<String> = std::iter::once(format!("-- {} --", sheet.title))
            .chain(rows)
            .chain(["(an empty line goes back, nothing happens)".to_owned()])
            .collect();
        let body = body.join("\n");
        print(told, still(&body), &body, out)?;
        told.menu.clear();
        if matches!(opened.dialog, Dialog::Read(Page::Brief, _)) {
            // Said is read: there is nothing to close in a line mode.
            app.put_away();
        }
        return out.flush();
    }
    let menu = menu(app);
    if menu != told.menu {
        let pane = panes::content(app.ui().focus, &view, WIDTH, HEIGHT);
        let rows: Vec<String> = pane.rows.iter().map(super::widgets::Row::text).collect();
        let stage = app.ui().stage.words();
        let body = format!("-- {stage}: {} --\n{}", pane.title, rows.join("\n"));
        print(told, still(&body), &body, out)?;
        for (at, offer) in menu.iter().enumerate() {
            writeln!(out, "{:>3} {} ({})", at + 1, offer.label, offer.action)?;
        }
        told.menu = menu;
    }
    out.flush()
}

fn print(told: &mut Told, still: String, body: &str, out: &mut impl Write) -> std::io::Result<()> {
    if still != told.body {
        writeln!(out, "{body}")?;
        told.body = still;
    }
    Ok(())
}

/// The moments after the one that was told last; all of them at first, at most ten.
fn newer<'a>(timeline: &'a [Moment], last: Option<&Moment>) -> &'a [Moment] {
    let start = match last {
        Some(last) => timeline.iter().rposition(|moment| moment == last).map_or(0, |at| at + 1),
        None => timeline.len().saturating_sub(10),
    };
    timeline.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;

    #[test]
    fn only_what_is_new_is_told() {
        let moment = |second: i64| Moment {
            at: chrono::Utc.timestamp_opt(second, 0).unwrap(),
            text: format!("{second}").as_str().into(),
        };
        let timeline: Vec<Moment> = (0..30).map(moment).collect();
        assert_eq!(newer(&timeline, None).len(), 10);
        assert_eq!(newer(&timeline, Some(&moment(28))), [moment(29)]);
        assert_eq!(newer(&timeline, Some(&moment(29))), []);
    }
}
