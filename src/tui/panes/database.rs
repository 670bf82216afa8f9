//! What goes on in the database: connections, who blocks whom, the longest sessions, copies of the
//! data, the log's archive, what takes the time (P-54). A page of its own: nothing is asked to draw.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::activity::{Activity, DatabaseNow, Replica, Session};
use crate::model::tables::grouped;
use crate::text::SafeText;
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row, fact};
use crate::tui::words;

/// Beyond these shares of all connections it is told.
const MANY: (u64, u64) = (80, 95);
/// A transaction that is open for longer is told.
const LONG: Duration = Duration::from_mins(10);
/// What was seen is old when it was seen longer ago.
const OLD: Duration = Duration::from_secs(15);

/// When it was looked at, for the frame.
pub fn remark(view: &View<'_>) -> String {
    let Some(now) = known(view) else { return String::new() };
    let age = words::since(now.at, view.now);
    let old = if age > OLD || now.error.is_some() { "OLD, " } else { "" };
    format!("{old}as of {}, looked at every 5 s", words::hour(now.at))
}

fn known<'a>(view: &View<'a>) -> Option<&'a DatabaseNow> {
    view.world.live.as_ref()?.database.as_deref()
}

/// All of it for reading: what holds others up comes first.
pub fn rows(view: &View<'_>, width: usize) -> Vec<Row> {
    let Some(now) = known(view) else {
        let text = "nothing is known yet: it is looked at while a console is attached, where \
                    database.postgres is configured";
        return lines(Role::Muted, text, width);
    };
    let mut rows = Vec::new();
    if let Some(error) = &now.error {
        rows.extend(lines(Role::Fail, &format!("FAIL {error}"), width));
    }
    let Some(activity) = &now.activity else { return rows };
    rows.extend(head(now, activity, width));
    rows.extend(waits(activity, width));
    rows.extend(numbers(activity, width));
    rows.push(title("Longest at work or in a transaction"));
    rows.extend(table(&activity.busy, width, "nobody", session));
    rows.extend(copies(activity, width));
    rows.extend(archive(view, activity, width));
    rows.push(title("Statements by their time in all"));
    let none = "not counted here (extension pg_stat_statements, role pg_read_all_stats)";
    let statements = activity.statements.as_deref().unwrap_or_default();
    rows.extend(table(statements, width, none, |one| {
        let calls = format!("{:>10} x {:>9}  ", grouped(one.calls), words::short(one.total));
        vec![Row::of(Role::Muted, calls).put(Role::Base, one.text.as_str())]
    }));
    rows
}

fn title(text: &str) -> Row {
    Row::of(Role::Title, text)
}

fn lines(role: Role, text: &str, width: usize) -> Vec<Row> {
    widgets::wrap(text, width).into_iter().map(|line| Row::of(role, line)).collect()
}

fn table<T>(all: &[T], width: usize, none: &str, row: impl Fn(&T) -> Vec<Row>) -> Vec<Row> {
    if all.is_empty() {
        let none = widgets::wrap(none, width.saturating_sub(2));
        return none.iter().map(|line| Row::of(Role::Muted, format!("  {line}"))).collect();
    }
    all.iter().flat_map(row).collect()
}

/// `active 3, idle 30`, the most first.
fn counted(all: &BTreeMap<SafeText, u64>) -> String {
    let mut all: Vec<(&SafeText, &u64)> = all.iter().collect();
    all.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), (*name).clone()));
    let parts: Vec<String> =
        all.iter().map(|(name, count)| format!("{name} {}", grouped(**count))).collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

fn head(now: &DatabaseNow, activity: &Activity, width: usize) -> Vec<Row> {
    let mut rows = fact("server", &format!("{}, PostgreSQL {}", now.name, activity.version), width);
    let (used, all) = activity.connections;
    let share = used * 100 / all.max(1);
    let (role, word) = match share {
        share if share >= MANY.1 => (Role::Fail, "FAIL "),
        share if share >= MANY.0 => (Role::Warn, "WARN "),
        _ => (Role::Base, ""),
    };
    let text = format!("{word}{} of {} ({share} %)", grouped(used), grouped(all));
    rows.push(Row::new().pad(Role::Muted, "connections", 13).put(role, text));
    rows
}

fn numbers(activity: &Activity, width: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(fact("sessions", &counted(&activity.sessions), width));
    rows.extend(fact("locks held", &counted(&activity.locks), width));
    if let Some(oldest) = activity.oldest().filter(|oldest| oldest.open > LONG) {
        let text = format!(
            "WARN session {} has had a transaction open for {}: nothing newer can be cleaned up",
            oldest.pid,
            words::short(oldest.open)
        );
        rows.extend(lines(Role::Warn, &text, width));
    }
    rows
}

/// Who blocks whom: those that wait for nobody first, with how many wait behind each.
fn waits(activity: &Activity, width: usize) -> Vec<Row> {
    if activity.waits.is_empty() {
        let row = title("Waits for locks").put(Role::Base, "  none");
        return vec![row];
    }
    let count = words::count(activity.waits.len(), "session");
    let mut rows = vec![title("Waits for locks").put(Role::Fail, format!("  {count} WAIT"))];
    for pid in activity.blockers() {
        let behind = activity.behind(pid);
        let who = activity.busy.iter().find(|session| session.pid == pid);
        let who = who.map_or_else(
            || "a session that is not of this database, or has ended".to_owned(),
            |one| format!("{}, {}, open for {}", one.who, one.state, words::short(one.open)),
        );
        let text = format!("{pid} holds up {behind}: {who}");
        rows.extend(indented(Role::Fail, &text, width));
        let by_hand = format!("to end that session: SELECT pg_terminate_backend({pid});");
        rows.extend(indented(Role::Info, &by_hand, width));
    }
    for wait in &activity.waits {
        let holders: Vec<String> = wait.holders.iter().map(ToString::to_string).collect();
        let one = &wait.session;
        let text = format!(
            "{} waits for {} behind {}: {}, open for {}",
            one.pid,
            wait.lock,
            holders.join(", "),
            one.who,
            words::short(one.open)
        );
        rows.extend(indented(Role::Base, &text, width));
    }
    rows
}

/// A sentence below a title; what goes on is further in.
fn indented(role: Role, text: &str, width: usize) -> Vec<Row> {
    let wrapped = widgets::wrap(text, width.saturating_sub(4)).into_iter().enumerate();
    let indent = |at| if at == 0 { "  " } else { "    " };
    wrapped.map(|(at, line)| Row::of(role, format!("{}{line}", indent(at)))).collect()
}

fn session(one: &Session) -> Vec<Row> {
    let role = if one.transaction && one.open > LONG { Role::Warn } else { Role::Base };
    let row = Row::of(Role::Muted, format!("{:>9} ", one.pid))
        .put(role, format!("{:>9}  ", words::short(one.open)))
        .pad(Role::Base, one.state.as_str(), 21)
        .put(Role::Base, format!(" {}", one.who));
    vec![row]
}

fn copies(activity: &Activity, width: usize) -> Vec<Row> {
    let mut rows = vec![title("Replication")];
    if let Some(follows) = activity.follows {
        let lag = follows.behind.map_or_else(
            || "it has replayed nothing yet".to_owned(),
            |behind| format!("lag {}", words::short(behind)),
        );
        rows.extend(indented(Role::Base, &format!("follows another server: {lag}"), width));
    }
    let none =
        if activity.follows.is_some() { "nobody follows it" } else { "no server follows it" };
    let replica = |one: &Replica| {
        let bytes = one.bytes.map_or_else(
            || "how much is not known".to_owned(),
            |bytes| format!("{} kB", grouped(bytes.div_ceil(1024))),
        );
        let lag = one.behind.map_or_else(|| "-".to_owned(), words::short);
        let good = one.state.as_str() == "streaming";
        let text = format!("{}: {}, lag {lag}, {bytes} behind", one.name, one.state);
        indented(if good { Role::Base } else { Role::Warn }, &text, width)
    };
    rows.extend(table(&activity.replicas, width, none, replica));
    rows
}

fn archive(view: &View<'_>, activity: &Activity, width: usize) -> Vec<Row> {
    let mut rows = vec![title("Archive of the log")];
    let Some(archiver) = &activity.archiver else {
        rows.extend(indented(Role::Muted, "none is kept: no moment can be recovered", width));
        return rows;
    };
    let ago = |at| format!("{} ago", words::age(words::since(at, view.now)));
    let last = archiver.last.map_or_else(|| "never".to_owned(), ago);
    let text = format!("{} put away, the last one {last}", grouped(archiver.archived));
    rows.extend(indented(Role::Base, &text, width));
    if let Some(failed) = archiver.last_failed {
        let stuck = archiver.last.is_none_or(|last| last < failed);
        let (role, word) = if stuck { (Role::Fail, "FAIL ") } else { (Role::Base, "") };
        let text = format!(
            "{word}{} attempts failed, the last one {}",
            grouped(archiver.failed),
            ago(failed)
        );
        rows.extend(indented(role, &text, width));
    }
    rows
}
