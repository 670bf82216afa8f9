//! Answers commands about locks and the emergency stop: pure.

use crate::model::entry::{Command, Event, Leftover};
use crate::model::ids::Time;
use crate::model::lock::{LONGEST, Lock, LockKind, leftover_of};
use crate::model::situation::Situation;
use crate::text::SafeText;

use super::answer::{Asker, Refusal, refuse};

/// Whether something may be started: nobody else's lock and no emergency stop is in the way.
pub(super) fn free(situation: &Situation, asker: &Asker) -> Result<(), Refusal> {
    match situation.locks.against(&asker.author, asker.at) {
        Some(lock) => refuse(lock.refusal(asker.at), format!("end it first: {}", lock.kind.undo())),
        None => Ok(()),
    }
}

/// Whether a run may go on: no emergency stop stands.
pub(super) fn not_stopped(situation: &Situation, asker: &Asker) -> Result<(), Refusal> {
    match &situation.locks.emergency {
        Some(lock) => refuse(lock.refusal(asker.at), format!("end it first: {}", lock.kind.undo())),
        None => Ok(()),
    }
}

/// Answers what is asked about locks; nothing follows from any other command.
pub(super) fn answer(
    situation: &Situation,
    asker: &Asker,
    command: &Command,
) -> Result<Vec<Event>, Refusal> {
    if let Command::Lock { until, reason, force } = command {
        return take(situation, asker, (*until, reason, *force));
    }
    if let Command::Unlock { emergency, reason, force } = command {
        return release(situation, asker, (*emergency, reason, *force));
    }
    if let Command::EmergencyStop { reason, .. } = command {
        return stop(situation, asker, reason);
    }
    Ok(Vec::new())
}

/// A lock of a person: where none is, or their own, or one whose time is over, or by force.
fn take(
    situation: &Situation,
    asker: &Asker,
    (until, reason, force): (Time, &SafeText, bool),
) -> Result<Vec<Event>, Refusal> {
    reasoned(reason)?;
    if until <= asker.at || until > asker.at + LONGEST {
        return refuse(
            "a lock ends between now and 24 h from now",
            "say for how long: --for 30m; a longer work takes it again",
        );
    }
    let locks = &situation.locks;
    if let Some(lock) = locks.emergency.as_ref().or(locks.run.as_ref()) {
        return refuse(lock.refusal(asker.at), format!("end it first: {}", lock.kind.undo()));
    }
    let other = locks.against(&asker.author, asker.at);
    if let Some(lock) = other.filter(|_| !force) {
        return refuse(
            lock.refusal(asker.at),
            "ask them; if they cannot be asked, take it over: add --force",
        );
    }
    let lock = Lock {
        kind: LockKind::Person,
        owner: asker.author.name.clone(),
        uid: asker.author.uid,
        reason: reason.clone(),
        since: asker.at,
        until: Some(until),
        run: None,
    };
    Ok(taken(lock))
}

/// The end of a lock, by whoever took it, by anybody once its time is over, or by force. An
/// emergency stop is released by any person, as the one who pressed it may have gone.
fn release(
    situation: &Situation,
    asker: &Asker,
    (emergency, reason, force): (bool, &SafeText, bool),
) -> Result<Vec<Event>, Refusal> {
    reasoned(reason)?;
    let locks = &situation.locks;
    let held = if emergency { &locks.emergency } else { &locks.person };
    let Some(lock) = held else {
        return match locks.standing(asker.at) {
            Some(other) => refuse(
                format!("that is not what is held: {}", other.refusal(asker.at)),
                format!("end it: {}", other.kind.undo()),
            ),
            None => refuse("nothing is locked", "nothing needs to be done"),
        };
    };
    if asker.author.engine {
        return refuse("only a person releases it", "ask one");
    }
    if emergency && let Some(run) = situation.open_run() {
        return refuse(
            format!("run {} is still being stopped", run.id),
            "wait for it, or kill it: backout stop --emergency --now --reason WHY",
        );
    }
    if !emergency && !force && !lock.expired(asker.at) && !lock.is_of(&asker.author) {
        return refuse(
            lock.refusal(asker.at),
            "ask them; if they cannot be asked, release it for them: add --force",
        );
    }
    let by = asker.author.name.clone();
    Ok(vec![
        Event::LockReleased { kind: lock.kind, by: by.clone(), why: reason.clone() },
        Event::LeftoverReleased { name: lock.kind.leftover().into(), by },
    ])
}

/// An emergency stop is never stale and never too many: the second one kills.
fn stop(situation: &Situation, asker: &Asker, reason: &SafeText) -> Result<Vec<Event>, Refusal> {
    reasoned(reason)?;
    if situation.locks.emergency.is_some() {
        return Ok(Vec::new());
    }
    Ok(taken(Lock {
        kind: LockKind::Emergency,
        owner: asker.author.name.clone(),
        uid: asker.author.uid,
        reason: reason.clone(),
        since: asker.at,
        until: None,
        run: None,
    }))
}

/// A lock goes by its own command, which others see; a word in the list would not.
pub(super) fn is_lock(leftover: &Leftover, kind: LockKind) -> Refusal {
    Refusal {
        why: format!("{} is held, as far as is known", leftover.name),
        hint: format!("end it, which releases it: {}", kind.undo()),
    }
}

fn taken(lock: Lock) -> Vec<Event> {
    let left = leftover_of(&lock);
    [Some(Event::LockTaken { lock: Box::new(lock) }), left].into_iter().flatten().collect()
}

fn reasoned(reason: &SafeText) -> Result<(), Refusal> {
    if reason.is_empty() {
        return refuse("a reason is missing", "say why: it stands in the timeline");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::answer::{Accepted, answer};
    use super::*;
    use crate::model::entry::Author;
    use crate::model::sample::at;

    fn asker(uid: u32, name: &str, now: i64) -> Asker {
        let author = Author { uid, name: name.into(), ..Author::default() };
        Asker {
            author,
            read_only: false,
            leads: false,
            lead_alive: true,
            silent_for: None,
            at: at(now),
        }
    }

    fn told(
        situation: &mut Situation,
        who: &Asker,
        command: &Command,
    ) -> Result<Accepted, Refusal> {
        let accepted = answer(situation, who, &"c1".into(), command)?;
        for event in &accepted.events {
            let seq = situation.seq + 1;
            situation.apply(&crate::model::entry::Entry {
                seq,
                v: crate::model::entry::FORMAT,
                incident: None,
                at: who.at,
                author: who.author.clone(),
                epoch: 1,
                prev: crate::model::ids::Digest::default(),
                body: crate::model::entry::Body::Event(Box::new(event.clone())),
            });
        }
        Ok(accepted)
    }

    fn lock(until: i64, force: bool) -> Command {
        Command::Lock { until: at(until), reason: "by hand".into(), force }
    }

    fn unlock(emergency: bool, force: bool) -> Command {
        Command::Unlock { emergency, reason: "done".into(), force }
    }

    #[test]
    fn a_lock_is_its_owners_until_its_time_is_over_and_needs_no_lead() {
        let mut known = Situation::default();
        let (alice, bob) = (asker(1, "alice", 0), asker(2, "bob", 10));
        for (until, why) in [(0, "the past"), (24 * 3600 + 1, "a day and a second")] {
            let refused = told(&mut known, &alice, &lock(until, false)).unwrap_err();
            assert!(refused.why.contains("24 h"), "{why}: {refused:?}");
        }
        told(&mut known, &alice, &lock(600, false)).unwrap();
        assert_eq!(known.leftovers.len(), 1);
        let refused = told(&mut known, &bob, &lock(700, false)).unwrap_err();
        assert!(refused.why.starts_with("deployments are locked by alice: by hand"), "{refused:?}");
        assert_eq!(told(&mut known, &bob, &unlock(false, false)).unwrap_err().why, refused.why);
        told(&mut known, &alice, &lock(900, false)).unwrap();
        let late = asker(2, "bob", 900);
        told(&mut known, &late, &lock(1000, false)).unwrap();
        assert_eq!(known.locks.person.as_ref().unwrap().owner.as_str(), "bob");
        told(&mut known, &asker(1, "alice", 901), &lock(1001, true)).unwrap();
        told(&mut known, &asker(2, "bob", 902), &unlock(false, true)).unwrap();
        assert!(known.locks.is_empty() && known.leftovers.is_empty());
        let nothing = told(&mut known, &bob, &unlock(false, false)).unwrap_err();
        assert_eq!(nothing.why, "nothing is locked");
    }

    #[test]
    fn after_an_emergency_stop_nothing_starts_until_a_person_releases_it() {
        let mut known = Situation::default();
        let (alice, bob) = (asker(1, "alice", 0), asker(2, "bob", 5));
        let stop = |hard| Command::EmergencyStop { hard, reason: "it deletes rows".into() };
        assert_eq!(told(&mut known, &alice, &stop(false)).unwrap().events.len(), 2);
        assert_eq!(told(&mut known, &bob, &stop(true)).unwrap().events.len(), 0, "once is enough");
        for who in [&alice, &bob] {
            let no = free(&known, who).unwrap_err();
            assert_eq!(
                no.why,
                "emergency stop by alice: it deletes rows, until a person releases it"
            );
            assert!(not_stopped(&known, who).is_err());
            assert!(told(&mut known, who, &lock(600, true)).is_err(), "no lock over it");
        }
        let word = Command::Release { name: "emergency stop".into(), reason: "x".into() };
        let refused = told(&mut known, &Asker { leads: true, ..bob.clone() }, &word).unwrap_err();
        assert!(refused.hint.contains("backout lock release --emergency"), "{refused:?}");
        assert!(told(&mut known, &bob, &unlock(false, true)).is_err(), "the other kind");
        let engine = Author { engine: true, ..bob.author.clone() };
        let engine = Asker { author: engine, ..bob.clone() };
        assert!(told(&mut known, &engine, &unlock(true, true)).is_err(), "not by itself");
        told(&mut known, &bob, &unlock(true, false)).unwrap();
        assert!(free(&known, &alice).is_ok() && known.leftovers.is_empty());
    }

    #[test]
    fn who_only_looks_neither_locks_nor_stops() {
        let mut known = Situation::default();
        let looks = Asker { read_only: true, ..asker(1, "alice", 0) };
        let stop = Command::EmergencyStop { hard: false, reason: "x".into() };
        for command in [lock(600, false), stop] {
            assert!(told(&mut known, &looks, &command).is_err(), "{command:?}");
        }
    }
}
