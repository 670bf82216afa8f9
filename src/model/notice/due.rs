//! What is to be sent now: a pure function of the outbox, the configuration and the time.

use std::collections::BTreeSet;

use super::super::ids::Time;
use super::super::severity::Severity;
use super::super::situation::Situation;
use super::{Notice, OLD, OLDEST, Occasion, Outbox, Policy, Thread};

/// A message that is due.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// Its name: the same after a crash.
    pub id: String,
    /// To whom.
    pub receiver: String,
    /// Its thread; the first one's where it tells of several.
    pub thread: String,
    /// What it tells; none for a repeat or a rung of the ladder.
    pub notices: Vec<Notice>,
    /// Why it is sent.
    pub why: Why,
    /// Until when it is tried.
    pub until: Time,
}

/// Why a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is new.
    New,
    /// It is told once more, for the so-many-th time.
    Repeat(u32),
    /// Nobody looks after it: the so-many-th rung of the ladder, from 1.
    Rung(u32),
}

/// Everything that is due, in the order in which each receiver should have it.
pub fn due(situation: &Situation, policy: &Policy, now: Time) -> Vec<Due> {
    let outbox = &situation.outbox;
    let mut found = Vec::new();
    let mut grouped: BTreeSet<String> = BTreeSet::new();
    for notice in &outbox.notices {
        for receiver in to_tell(outbox, notice, situation, policy, now) {
            if !is_alert(outbox, notice) {
                found.push(one(receiver, vec![notice.clone()]));
            } else if grouped.insert(receiver.clone()) {
                found.extend(group(situation, policy, receiver, now));
            }
        }
    }
    for (name, thread) in outbox.unacknowledged() {
        repeats((name, thread), policy, now, &mut found);
        rungs((name, thread), policy, now, &mut found);
    }
    found
}

/// What nobody could be told in its time: it is given up, and that is said.
pub fn expired(situation: &Situation, policy: &Policy, now: Time) -> Vec<Due> {
    let outbox = &situation.outbox;
    let place = (situation.environment(), situation.production());
    let mut found = Vec::new();
    for notice in &outbox.notices {
        let age = now - notice.at;
        let passed = over_before_told(notice, outbox.threads.get(&notice.thread));
        if notice.occasion.follows() || passed || age < OLD || age >= OLDEST {
            continue;
        }
        let to = routed(policy, (notice.occasion, notice.severity), place);
        let to = to.into_iter().filter(|receiver| !notice.done.contains(*receiver));
        found.extend(to.map(|receiver| one(receiver.clone(), vec![notice.clone()])));
    }
    found
}

/// Whether something is to be told that is not through: an engine that ends should wait for it.
/// Repeats and rungs of the ladder are not waited for.
pub fn is_waiting(situation: &Situation, policy: &Policy, now: Time) -> bool {
    let outbox = &situation.outbox;
    outbox.notices.iter().any(|notice| !to_tell(outbox, notice, situation, policy, now).is_empty())
}

/// The receivers that the routes name for a notice.
pub fn routed<'a>(
    policy: &'a Policy,
    (occasion, severity): (Occasion, Severity),
    place: (&str, bool),
) -> BTreeSet<&'a String> {
    let mut to = BTreeSet::new();
    for route in policy.routes.iter().filter(|route| route.takes(occasion, severity, place)) {
        to.extend(&route.to);
        if !route.go_on {
            break;
        }
    }
    to
}

/// Who is to be told a notice and was not yet.
fn to_tell(
    outbox: &Outbox,
    notice: &Notice,
    situation: &Situation,
    policy: &Policy,
    now: Time,
) -> Vec<String> {
    let thread = outbox.threads.get(&notice.thread);
    let limit = if notice.occasion.follows() { OLDEST } else { OLD };
    if now - notice.at >= limit {
        return Vec::new();
    }
    let to: Vec<String> = if notice.occasion.follows() {
        thread.map(|thread| thread.told.keys().cloned().collect()).unwrap_or_default()
    } else if over_before_told(notice, thread) {
        Vec::new()
    } else {
        let place = (situation.environment(), situation.production());
        let to = routed(policy, (notice.occasion, notice.severity), place);
        to.into_iter().cloned().collect()
    };
    to.into_iter().filter(|receiver| !notice.done.contains(receiver)).collect()
}

/// An alert or a wait that was over before anybody heard of it is no news.
fn over_before_told(notice: &Notice, thread: Option<&Thread>) -> bool {
    let passing = match notice.occasion {
        Occasion::Waiting | Occasion::Alert => true,
        Occasion::Incident
        | Occasion::Worse
        | Occasion::Start
        | Occasion::Failure
        | Occasion::End
        | Occasion::Acknowledged
        | Occasion::Resolved => false,
    };
    passing && thread.is_none_or(|thread| thread.closed.is_some())
}

fn is_alert(outbox: &Outbox, notice: &Notice) -> bool {
    let thread = outbox.threads.get(&notice.thread);
    thread.is_some_and(|thread| thread.occasion == Occasion::Alert)
}

fn one(receiver: String, notices: Vec<Notice>) -> Due {
    let first = notices.first();
    let limit = |notice: &Notice| notice.at + if notice.occasion.follows() { OLDEST } else { OLD };
    Due {
        id: first.map(|notice| notice.key.clone()).unwrap_or_default(),
        receiver,
        thread: first.map(|notice| notice.thread.clone()).unwrap_or_default(),
        until: notices.iter().map(limit).max().unwrap_or_default(),
        notices,
        why: Why::New,
    }
}

/// All alerts for one receiver in one message, once the first has waited for the others.
fn group(situation: &Situation, policy: &Policy, receiver: String, now: Time) -> Option<Due> {
    let outbox = &situation.outbox;
    let waits = outbox.notices.iter().filter(|notice| {
        is_alert(outbox, notice)
            && to_tell(outbox, notice, situation, policy, now).contains(&receiver)
    });
    let notices: Vec<Notice> = waits.cloned().collect();
    let first = notices.first()?.at;
    let wait = chrono::Duration::from_std(policy.group_wait).unwrap_or_default();
    (now - first >= wait).then(|| one(receiver, notices))
}

fn repeats((name, thread): (&str, &Thread), policy: &Policy, now: Time, found: &mut Vec<Due>) {
    let open = (now - thread.begun).to_std().unwrap_or_default();
    let every = policy.repeat.as_secs();
    if every == 0 {
        return;
    }
    let count = u32::try_from(open.as_secs() / every).unwrap_or(u32::MAX);
    if count == 0 {
        return;
    }
    let half = chrono::Duration::from_std(policy.repeat / 2).unwrap_or_default();
    for (receiver, last) in &thread.told {
        if now - *last >= half {
            more((name, thread), (receiver, Why::Repeat(count)), now, found);
        }
    }
}

fn rungs((name, thread): (&str, &Thread), policy: &Policy, now: Time, found: &mut Vec<Due>) {
    let open = now - thread.begun;
    let grave = thread.severity >= Severity::High || thread.occasion == Occasion::Waiting;
    // What was open long before is for whoever looks at it now, not for the whole ladder at once.
    if !grave || open >= OLDEST {
        return;
    }
    for (at, rung) in (1..).zip(&policy.ladder) {
        let after = chrono::Duration::from_std(rung.after).unwrap_or_default();
        if open < after {
            break;
        }
        for receiver in &rung.to {
            more((name, thread), (receiver, Why::Rung(at)), now, found);
        }
    }
}

fn more(
    (name, thread): (&str, &Thread),
    (receiver, why): (&String, Why),
    now: Time,
    found: &mut Vec<Due>,
) {
    let id = match why {
        Why::New => thread.key.clone(),
        Why::Repeat(count) => format!("{}-r{count}", thread.key),
        Why::Rung(rung) => format!("{}-e{rung}", thread.key),
    };
    if thread.more.contains(&format!("{id} {receiver}")) {
        return;
    }
    found.push(Due {
        id,
        receiver: receiver.clone(),
        thread: name.to_owned(),
        notices: Vec::new(),
        why,
        until: now + OLD,
    });
}
