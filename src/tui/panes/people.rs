//! Who knows of it: what was announced and to whom, who looks after it, who is called next and when,
//! and why it may belong to more people (S-77, P-71, P-72). A page of its own.

use std::time::Duration;

use crate::model::ids::Time;
use crate::model::notice::{self, Rung, Thread};
use crate::model::severity::Severity;
use crate::tui::dialogs::help;
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row, fact_as};
use crate::tui::words;

/// Whether anybody looks after it.
pub fn remark(view: &View<'_>) -> String {
    let outbox = &view.world.situation.outbox;
    match (outbox.open().len(), outbox.unacknowledged().len()) {
        (0, _) => "nothing is announced".to_owned(),
        (_, 0) => "somebody looks after all of it".to_owned(),
        (_, open) => format!("{open} taken by nobody: :ack all"),
    }
}

/// Why what goes on belongs to more people, in one line; nothing while it does not.
pub fn escalation(view: &View<'_>) -> Option<String> {
    let why = notice::escalated(&view.world.situation, view.now);
    (!why.is_empty()).then(|| format!("ESCALATE: {}", why.join("; ")))
}

/// All of it for reading.
pub fn rows(view: &View<'_>, width: usize) -> Vec<Row> {
    let outbox = &view.world.situation.outbox;
    let mut rows = Vec::new();
    let role = Role::Danger;
    rows.extend(escalation(view).into_iter().flat_map(|text| lines(role, &text, width)));
    let open = outbox.open();
    for (name, thread) in &open {
        rows.extend(announced(view, name, thread, width));
    }
    for end in &outbox.given_up {
        let text = format!("{} was not told of {}: {}", end.receiver, end.thread, end.note);
        rows.extend(lines(Role::Fail, &text, width));
    }
    if rows.is_empty() {
        rows.push(Row::of(Role::Muted, "nothing is announced, and nobody needs to be called"));
    }
    rows.push(Row::new());
    rows.push(Row::of(Role::Title, "Who is called next while nobody looks after it"));
    let ladder = &view.world.settings.ladder;
    if ladder.is_empty() {
        let text = "nobody: write notifications: {escalation: …} into the configuration";
        rows.extend(lines(Role::Muted, text, width));
    }
    // The ladder is climbed for what is grave and has been open longest.
    let grave = open.iter().map(|(_, thread)| *thread).find(|thread| is_grave(thread));
    for (at, rung) in (1..).zip(ladder) {
        rows.extend(step(view, (at, rung), grave, width));
    }
    let links = help::links(view, width);
    if !links.is_empty() {
        rows.push(Row::new());
        rows.extend(links);
    }
    rows
}

/// Whether the ladder is climbed for it.
fn is_grave(thread: &Thread) -> bool {
    let waits = thread.occasion == notice::Occasion::Waiting;
    thread.acknowledged.is_none() && (waits || thread.severity >= Severity::High)
}

fn announced(view: &View<'_>, name: &str, thread: &Thread, width: usize) -> Vec<Row> {
    let age = |at: Time| words::age(words::since(at, view.now));
    let grave = thread.severity >= Severity::High;
    let mut rows = Row::of(Role::Title, format!("{name}  "))
        .put(if grave { Role::Fail } else { Role::Warn }, thread.severity.label())
        .put(Role::Muted, format!("  announced {} ago", age(thread.begun)))
        .fold(width, 2);
    rows.extend(fact_as(Role::Base, "  what", thread.text.as_str(), width));
    let told: Vec<String> =
        thread.told.iter().map(|(who, at)| format!("{who} {} ago", age(*at))).collect();
    rows.extend(if told.is_empty() {
        fact_as(Role::Warn, "  told", "nobody yet", width)
    } else {
        fact_as(Role::Base, "  told", &told.join(", "), width)
    });
    rows.extend(match &thread.acknowledged {
        Some((who, at)) => {
            fact_as(Role::Ok, "  taken by", &format!("{who}, {} ago", age(*at)), width)
        }
        None => fact_as(Role::Warn, "  taken by", &format!("nobody yet; :ack {name}"), width),
    });
    rows
}

/// One rung: who, when, and whether they were called.
fn step(
    view: &View<'_>,
    (at, rung): (u32, &Rung),
    thread: Option<&Thread>,
    width: usize,
) -> Vec<Row> {
    let to = if rung.to.is_empty() { "by hand".to_owned() } else { rung.to.join(", ") };
    let (role, word) = match thread {
        None => (Role::Muted, format!("after {}", span(rung.after))),
        Some(thread) => {
            let id = format!("{}-e{at}", thread.key);
            let called = |receiver: &String| thread.more.contains(&format!("{id} {receiver}"));
            let given_up = &view.world.situation.outbox.given_up;
            let in_vain = given_up.iter().any(|end| end.id == id);
            let open = words::since(thread.begun, view.now);
            match rung.after.checked_sub(open).filter(|left| !left.is_zero()) {
                Some(left) => (Role::Muted, format!("in {}", words::clock(left))),
                None if rung.to.is_empty() => (Role::Warn, "CALL NOW".to_owned()),
                None if in_vain => (Role::Fail, "NOT told".to_owned()),
                None if rung.to.iter().all(called) => (Role::Ok, "told".to_owned()),
                None => (Role::Warn, "being told".to_owned()),
            }
        }
    };
    let mut text = format!("{} ({to})", rung.who);
    if !rung.when.is_empty() {
        text = format!("{text}: {}", rung.when);
    }
    let mut rows = widgets::wrap(&text, width.saturating_sub(16)).into_iter();
    let first = rows.next().unwrap_or_default();
    let head = Row::of(Role::Title, format!("{at}  ")).pad(role, &word, 13).put(Role::Base, first);
    let below = rows.map(|line| Row::of(Role::Base, format!("{:16}{line}", "")));
    std::iter::once(head).chain(below).collect()
}

/// `15 min`, `2 h`: as a configuration says it.
fn span(span: Duration) -> String {
    match span.as_secs() {
        seconds if seconds < 60 => format!("{seconds} s"),
        seconds if seconds < 7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

fn lines(role: Role, text: &str, width: usize) -> Vec<Row> {
    widgets::wrap(text, width).into_iter().map(|line| Row::of(role, line)).collect()
}
