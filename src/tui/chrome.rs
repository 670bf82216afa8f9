//! The rows that are always there: who and where, the stages, the verdict, messages, keys.

use crate::model::ids::incident_name;
use crate::model::severity::Severity;
use crate::text;

use super::action::Action;
use super::chips;
use super::offers;
use super::panes::{checks, steps};
use super::screen;
use super::stage::Stage;
use super::theme::Role;
use super::view::View;
use super::widgets::Row;
use super::words;
use super::world::LinkState;

/// `!PROD!`, reversed: the left end of everything.
pub fn badge(view: &View<'_>) -> Row {
    let situation = &view.world.situation;
    if situation.engine.is_none() {
        return Row::of(Role::EnvProd, " ??? ");
    }
    let (role, text) = match (situation.production(), view.glyphs().ascii) {
        (true, true) => (Role::EnvProd, "!PROD!"),
        (true, false) => (Role::EnvProd, " PROD "),
        (false, true) => (Role::EnvOther, "(test)"),
        (false, false) => (Role::EnvOther, " test "),
    };
    Row::of(role, text)
}

/// Environment, incident, severity, state of the run, lead, freshness, clock.
pub fn identity(view: &View<'_>, width: usize) -> Row {
    let situation = &view.world.situation;
    let (role, fresh) = freshness(view);
    let right = Row::of(role, fresh).put(Role::Base, format!("  {}Z ", words::hour(view.clock)));
    let mut row = Row::of(Role::Base, " ");
    row.parts.extend(badge(view).parts);
    let name =
        if situation.environment().is_empty() { "no engine yet" } else { situation.environment() };
    row = row.put(Role::Title, format!(" {name} "));
    let room = width.saturating_sub(row.width() + right.width() + 1);
    for chip in chips::fitting(view, width, room) {
        row = row.put(Role::Base, " ").put(chip.role, chip.text);
    }
    join(row, right, width)
}

/// Puts `right` at the right end; `left` is cut where they meet.
fn join(left: Row, right: Row, width: usize) -> Row {
    let need = right.width();
    let mut row = left.end(Role::Base, "", width.saturating_sub(need));
    let fill = width.saturating_sub(need).saturating_sub(row.width());
    row = row.put(Role::Base, " ".repeat(fill));
    row.parts.extend(right.parts);
    row
}

/// How old the engine's last word is.
fn freshness(view: &View<'_>) -> (Role, String) {
    if let Some(replay) = &view.world.replay {
        let (place, all) = replay.place;
        return (Role::Info, format!("entry {place}/{all}"));
    }
    match (&view.world.link.state, view.world.heartbeat(view.now)) {
        (LinkState::Orphaned { .. }, _) => (Role::Fail, "ORPHANED".to_owned()),
        (LinkState::JournalLost { .. }, _) => (Role::Fail, "JOURNAL LOST".to_owned()),
        (LinkState::Connecting, None) => (Role::Unknown, "connecting".to_owned()),
        (_, None) => (Role::Unknown, "no heartbeat".to_owned()),
        (LinkState::Lost { .. }, Some(age)) => {
            (Role::Fail, format!("line lost {}", words::age(age)))
        }
        (LinkState::Live | LinkState::Connecting, Some(age)) if age.as_secs() > 10 => {
            (Role::Unknown, format!("? STALE {}", words::age(age)))
        }
        (LinkState::Live | LinkState::Connecting, Some(age)) if age.as_secs() > 4 => {
            (Role::Stale, format!("~live {}", words::age(age)))
        }
        (LinkState::Live | LinkState::Connecting, Some(age)) => {
            (Role::Base, format!("live {}", words::age(age)))
        }
    }
}

/// `Detect>[ASSESS]>Level…` with the bar of a run and the counts of the checks.
pub fn stages(view: &View<'_>, width: usize) -> Row {
    let ui = view.ui;
    let mut row = Row::of(Role::Base, " ");
    let short = width < 80;
    for (at, stage) in Stage::ALL.into_iter().enumerate() {
        if at > 0 {
            row = row.put(Role::Muted, ">");
        }
        let name = if short {
            stage.words().chars().take(4).collect::<String>()
        } else {
            stage.words().to_owned()
        };
        row = if stage == ui.stage {
            row.put(Role::Focus, format!("[{}]", name.to_uppercase()))
        } else if stage == ui.auto {
            // Where it is, while something else is looked at: marked, not gone to.
            let mark = if ui.pending { "!" } else { "*" };
            row.put(Role::Progress, format!("{mark}{name}{mark}"))
        } else {
            row.put(Role::Base, name)
        };
    }
    let counts = checks::counts(view.world);
    let mut right = Row::new();
    if width >= 110
        && let Some(run) = &view.world.situation.run
    {
        let (role, text) = steps::progress(view, run, 16);
        right = right.put(role, text).put(Role::Base, "   ");
    }
    for (at, (role, text)) in counts.parts().into_iter().enumerate() {
        right = right.put(Role::Base, if at == 0 { "" } else { "  " }).put(role, text);
    }
    right = right.put(Role::Base, " ");
    if row.width() + right.width() + 1 > width {
        let role = if counts.fail > 0 { Role::Fail } else { Role::Base };
        right = Row::of(role, format!("{} FAIL ", counts.fail));
    }
    join(row, right, width)
}

/// The verdict line: what is wrong, then the next key. With one row, the action comes first.
pub fn verdict(view: &View<'_>, width: usize) -> Vec<Row> {
    let lines = view.verdict;
    let room = width.saturating_sub(2);
    let role = match view.world.situation.assessment.as_ref() {
        Some(assessment) if assessment.severity >= Severity::High => Role::Fail,
        Some(_) | None => Role::Title,
    };
    let what = Row::of(role, format!(" {}", text::fit(&lines.what, room)));
    let next = Row::of(Role::Title, format!(" {}", text::fit(&lines.next, room)));
    if view.ui.size.0 < 80 || view.ui.size.1 < 24 {
        if lines.next.is_empty() { vec![what] } else { vec![next, what] }
    } else {
        vec![what, next]
    }
}

/// One message: errors first, until taken away; then the newest information line.
pub fn message(view: &View<'_>, width: usize) -> Row {
    if let Some(find) = view.ui.find.as_ref().filter(|find| find.typing) {
        return Row::of(Role::Info, " Find: ").put(Role::Title, find.word.clone());
    }
    let troubles = screen::troubles(view.ui, view.world);
    if let Some((_, text)) = troubles.first() {
        let count = if troubles.len() > 1 {
            format!("1 of {}  Esc ", troubles.len())
        } else {
            "Esc ".to_owned()
        };
        return Row::of(Role::Fail, format!(" {} ", view.glyphs().warn))
            .put(Role::Base, text.clone())
            .end(Role::Muted, &count, width);
    }
    if let Some(message) = view.ui.messages.last() {
        return Row::of(Role::Info, " i ").put(Role::Base, message.text.clone());
    }
    if let Some(find) = &view.ui.find {
        return Row::of(Role::Info, format!(" find: {}", find.word));
    }
    if let Some(why) = &view.world.link.observer {
        return Row::of(Role::Warn, format!(" looking: {why}"));
    }
    if let Some(version) = &view.world.link.foreign {
        return Row::of(
            Role::Warn,
            format!(" the engine is version {version}: looking and stopping only"),
        );
    }
    let last = view.world.situation.timeline.last();
    last.map_or_else(Row::new, |moment| {
        Row::of(Role::Muted, format!(" {} {}", words::hour(moment.at), moment.text))
    })
}

/// What stands instead of the keys when nothing can be commanded.
pub fn banner(view: &View<'_>, width: usize) -> Option<Row> {
    let as_of =
        view.world.live.as_ref().map_or_else(|| "?".to_owned(), |live| words::hour(live.at));
    let lost = |since| words::clock(words::since(since, view.now));
    let text = match &view.world.link.state {
        LinkState::JournalLost { since, .. } => format!(
            " JOURNAL LOST {} - as of {as_of}Z, nothing is begun until it is back",
            lost(*since)
        ),
        LinkState::Orphaned { since, command } => {
            let next = match command {
                Some(command) => format!("it did not stay up; type: {command}"),
                None if view.world.link.observer.is_some() => {
                    "someone who may command must attach".to_owned()
                }
                None => "starting it again by itself".to_owned(),
            };
            format!(" ORPHANED {} - the engine is gone, {next}", lost(*since))
        }
        LinkState::Connecting | LinkState::Live | LinkState::Lost { .. } => return None,
    };
    let key = |action| view.keymap.shown(action).map(|key| key.to_string());
    let end = [(Action::Help, "Help"), (Action::Detach, "Detach")]
        .into_iter()
        .filter_map(|(action, label)| Some(format!("{} {label}", key(action)?)));
    let end: Vec<String> = end.collect();
    Some(Row::of(Role::Danger, text).end(Role::Base, &end.join("  "), width))
}

/// The keys that work now, the most important first; help and detach are always there.
pub fn keys(view: &View<'_>, width: usize) -> Row {
    if let Some(opened) = &view.ui.dialog {
        let bar = opened.dialog.bar(view);
        return bar.iter().fold(Row::of(Role::Base, " "), |row, (key, label)| {
            row.put(Role::Focus, *key).put(Role::Base, format!(" {label}  "))
        });
    }
    if view.ui.find.as_ref().is_some_and(|find| find.typing) {
        return Row::of(Role::Focus, " Enter")
            .put(Role::Base, " Find  ")
            .put(Role::Focus, "Esc")
            .put(Role::Base, " Back");
    }
    let key = |action: Action| view.keymap.shown(action).map(|key| key.to_string());
    let run = view.world.situation.open_run().is_some();
    let mut right = Row::new();
    for (action, label) in [
        (Action::Help, "Help"),
        (Action::Detach, if run && width >= 100 { "Detach (run goes on)" } else { "Detach" }),
    ] {
        if let Some(key) = key(action) {
            right = right.put(Role::Focus, key).put(Role::Base, format!(" {label}  "));
        }
    }
    let room = width.saturating_sub(right.width() + 1);
    let mut row = Row::of(Role::Base, " ");
    for offer in offers::offers(view.ui, view.world, view.now) {
        // Help and the way out have their own place at the right end.
        let at_end = matches!(offer.action, Action::Help | Action::Detach);
        let Some(key) = key(offer.action).filter(|_| !at_end) else {
            continue;
        };
        let label = format!(" {}  ", offer.label);
        if row.width() + text::width(&key) + text::width(&label) > room {
            continue;
        }
        row = row.put(Role::Focus, key).put(Role::Base, label);
    }
    row.parts.extend(right.parts);
    row
}

/// `backout PROD INC-0142 RUN 4/9`.
pub fn window_title(view: &View<'_>) -> String {
    let situation = &view.world.situation;
    let mut title = "backout".to_owned();
    if situation.engine.is_some() {
        let kind = if situation.production() { "PROD" } else { "test" };
        title = format!("{title} {kind} {}", situation.environment());
    }
    if let Some(incident) = &situation.incident {
        title = format!("{title} {}", incident_name(incident.id));
    }
    if let Some(run) = situation.open_run() {
        let forward = || run.steps.iter().filter(|step| !step.undo);
        let done = forward().filter(|step| step.phase.is_through()).count();
        title = format!("{title} {} {done}/{}", run.state().label(), forward().count());
    }
    title
}
