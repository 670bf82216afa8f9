//! Sends what the outbox holds: each message in a task of its own, one at a time to a receiver, in
//! order within a thread, again after a while when it did not arrive, and given up out loud.
//!
//! What is to be told is in the journal before it is sent, and that it was sent is in the journal
//! afterwards: an engine that is killed in between sends it again under the same name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::adapters::messenger::{Again, Document, Letter, Stage, Undelivered};
use crate::config::{Receiver, Wants};
use crate::journal::Reader;
use crate::model::entry::{Body, Event};
use crate::model::ids::{IncidentId, Time};
use crate::model::notice::{Due, Notified, Occasion, due, expired};
use crate::model::severity::Severity;
use crate::report::chronicle::Chronicle;
use crate::report::notice::{Words, words};
use crate::report::paper::{Kind, Paper};
use crate::text::SafeText;

use super::books::Line;
use super::run::{Engine, Seen};

/// The first pause before another try; each further one is twice as long.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause that we take by ourselves.
const LONGEST: Duration = Duration::from_mins(1);
/// How long reading the journal for a document may take.
const READING: Duration = Duration::from_secs(10);
/// So often in vain is worth saying.
const WORTH_SAYING: u32 = 3;
/// How long an engine that is not needed any more goes on to tell; what is left then is told by the
/// next one.
const STAY: chrono::Duration = chrono::Duration::minutes(10);

/// What is on its way, and what did not arrive.
#[derive(Debug, Default)]
pub(super) struct Mailer {
    /// Receivers that something is on its way to.
    busy: BTreeSet<String>,
    /// What is tried again, by name and receiver: how often it was, and when it is.
    waits: BTreeMap<(String, String), (u32, Time)>,
    /// Who may start level 1 with the plan that is being made for them.
    pub(super) starting: Option<SafeText>,
    /// Calls of other systems that wait to be answered.
    pub(super) calls: Vec<super::triggers::Call>,
}

/// How a sending went.
#[derive(Debug)]
pub(super) struct Went {
    due: Due,
    end: Result<SafeText, Undelivered>,
}

impl Engine {
    /// Begins to send what is due. Nothing here waits.
    pub(super) fn tell_receivers(&mut self) {
        let known = &self.config.notifications;
        if known.receivers.is_empty() && self.books.situation.outbox.threads.is_empty() {
            return;
        }
        let now = self.clock.now();
        for one in expired(&self.books.situation, &known.policy, now) {
            if self.mailer.busy.insert(one.receiver.clone()) {
                self.give_up(one, "nothing reached it within an hour");
            }
        }
        let mut held: BTreeSet<(String, String)> = BTreeSet::new();
        for one in due(&self.books.situation, &known.policy, now) {
            let place = (one.receiver.clone(), one.thread.clone());
            let wait = self.mailer.waits.get(&(one.id.clone(), one.receiver.clone()));
            if wait.is_some_and(|(_, until)| *until > now) {
                // What comes behind it in its thread would come too early.
                held.insert(place);
                continue;
            }
            if held.contains(&place) || !self.mailer.busy.insert(one.receiver.clone()) {
                continue;
            }
            self.send(one, now);
        }
    }

    fn give_up(&self, due: Due, why: &str) {
        let seen = self.seen.clone();
        let why = format!("could not tell {}: {why}", due.receiver);
        let error = crate::adapters::Error::new(crate::adapters::Kind::NotFound, why);
        tokio::spawn(async move {
            let end = Err(Undelivered::never(error));
            seen.send(Seen::Notified(Box::new(Went { due, end }))).await.ok();
        });
    }

    fn send(&self, due: Due, now: Time) {
        let known = &self.config.notifications;
        let Some(receiver) = known.receivers.get(&due.receiver).cloned() else {
            self.give_up(due, "it is not configured any more");
            return;
        };
        let host = self.host.to_string();
        let words = words(&self.books.situation, &due, &known.templates, (&host, now));
        let letter = letter(&due, words, (&self.books.situation.journal.0, &host), now);
        let letter = Letter { environment: self.config.environment.clone(), ..letter };
        let (state, clock, seen) =
            (self.start.state.clone(), self.clock.clone(), self.seen.clone());
        tokio::spawn(async move {
            let filled =
                clock.timeout(READING, with_document(letter.clone(), &due, &receiver, &state));
            let filled = filled.await.unwrap_or_else(|_| {
                let why = "the journal could not be read in time";
                Filled::Whole(Box::new(without(letter, why)))
            });
            let end = match filled {
                Filled::Whole(letter) => receiver.messenger.send(&letter, &clock).await,
                Filled::Nothing => {
                    Ok("nothing is sent: customers are told of a good end alone".into())
                }
                Filled::Open(why) => Err(Undelivered::never(crate::adapters::Error::new(
                    crate::adapters::Kind::Rejected,
                    format!("could not tell customers: {why}; look at it: backout report customer"),
                ))),
            };
            seen.send(Seen::Notified(Box::new(Went { due, end }))).await.ok();
        });
    }

    /// Takes how a sending went.
    pub(super) fn notified(&mut self, went: Went, lines: &mut Vec<Line>) {
        let Went { due, end } = went;
        self.mailer.busy.remove(&due.receiver);
        let place = (due.id.clone(), due.receiver.clone());
        let lost = match end {
            Ok(note) => {
                self.mailer.waits.remove(&place);
                lines.push(through(due, true, note));
                return;
            }
            Err(lost) => lost,
        };
        let now = self.clock.now();
        let tries = self.mailer.waits.get(&place).map_or(0, |(tries, _)| *tries) + 1;
        let why = lost.error.message.as_str();
        let until = now + chrono::Duration::from_std(pause(tries, lost.again)).unwrap_or_default();
        if lost.again == Again::Never || until >= due.until {
            self.mailer.waits.remove(&place);
            let text = format!(
                "{} was not told of {}, and will not be: {why}; tell them yourself",
                due.receiver, due.thread
            );
            lines.push(Line::from(Event::Trouble { text: SafeText::new(&text) }));
            lines.push(through(due, false, SafeText::new(why)));
            return;
        }
        if tries == WORTH_SAYING {
            let text = format!(
                "{} undelivered x{tries} ({}): {why}; it is tried again until {}",
                due.receiver,
                due.thread,
                due.until.format("%H:%M:%SZ")
            );
            lines.push(Line::from(Event::Trouble { text: SafeText::new(&text) }));
        }
        self.mailer.waits.insert(place, (tries, until));
    }

    /// Whether an engine that nobody needs any more has something to tell first.
    pub(super) fn still_tells(&self, alone: chrono::Duration) -> bool {
        let known = &self.config.notifications;
        if known.receivers.is_empty() || alone >= STAY {
            return false;
        }
        let now = self.clock.now();
        !self.mailer.busy.is_empty()
            || crate::model::notice::is_waiting(&self.books.situation, &known.policy, now)
    }
}

fn through(due: Due, sent: bool, note: SafeText) -> Line {
    Line::from(Event::Notified(Notified {
        id: due.id,
        keys: due.notices.into_iter().map(|notice| notice.key).collect(),
        thread: due.thread,
        receiver: due.receiver,
        sent,
        note,
    }))
}

/// How long to wait before the next try.
fn pause(tries: u32, again: Again) -> Duration {
    let ours = PAUSE.saturating_mul(1 << tries.saturating_sub(1).min(10)).min(LONGEST);
    match again {
        Again::After(theirs) => theirs.max(ours),
        Again::Soon | Again::Never => ours,
    }
}

/// The letter of a message that is due, without its document and its environment.
pub fn letter(due: &Due, words: Words, (journal, host): (&str, &str), now: Time) -> Letter {
    let first = due.notices.first();
    let occasion = first.map_or(Occasion::Incident, |notice| notice.occasion);
    let ends = |notice: &crate::model::notice::Notice| notice.occasion == Occasion::Resolved;
    let stage = if !due.notices.is_empty() && due.notices.iter().all(ends) {
        Stage::Resolved
    } else if occasion == Occasion::Acknowledged {
        Stage::Acknowledged
    } else {
        Stage::Open
    };
    let severity = due.notices.iter().map(|notice| notice.severity).max();
    Letter {
        id: due.id.clone(),
        thread: format!("{journal}/{}", due.thread),
        stage,
        event: first.map_or("escalation", |notice| notice.occasion.name()),
        severity: severity.unwrap_or(Severity::High),
        at: first.map_or(now, |notice| notice.at),
        environment: String::new(),
        host: host.to_owned(),
        headline: words.headline,
        details: words.details,
        document: None,
        facts: words.facts,
    }
}

/// A letter with its document, or nothing where this receiver is not told of such things.
enum Filled {
    Whole(Box<Letter>),
    Nothing,
    /// What customers would read is not finished.
    Open(String),
}

/// Adds the document that the receiver wants of what ended; what cannot be made is said, and the
/// plain text is sent.
async fn with_document(letter: Letter, due: &Due, receiver: &Receiver, state: &Path) -> Filled {
    let notice = due.notices.first();
    let occasion = notice.map(|notice| notice.occasion);
    let ended = matches!(occasion, Some(Occasion::End | Occasion::Failure | Occasion::Resolved));
    let kind = match receiver.wants {
        Wants::Plain => None,
        Wants::Internal => Some(Kind::Internal).filter(|_| occasion != Some(Occasion::Resolved)),
        Wants::Incident => Some(Kind::Incident),
        Wants::Customer if occasion == Some(Occasion::End) => Some(Kind::Customer),
        // Customers are told that it is over, in the documents' words, and nothing else.
        Wants::Customer => return Filled::Nothing,
    };
    let incident = notice.map_or(0, |notice| notice.incident);
    let (Some(kind), true, true) = (kind, ended, incident > 0) else {
        return Filled::Whole(Box::new(letter));
    };
    match paper(kind, receiver.own.as_deref(), incident, state).await {
        Ok(paper) => {
            let open = kind == Kind::Customer && paper.body.contains('[');
            if open {
                // What nobody knows yet must not reach customers in brackets.
                return Filled::Open("the text has brackets that nobody filled in".to_owned());
            }
            // The template's first line is the subject, which a mail has as such.
            let subject = format!("Subject: {}\n\n", paper.title);
            let body = paper.body.strip_prefix(&subject).unwrap_or(&paper.body).to_owned();
            let document = Document { title: paper.title, labels: paper.labels, body };
            Filled::Whole(Box::new(Letter { document: Some(document), ..letter }))
        }
        Err(why) if kind == Kind::Customer => Filled::Open(why),
        Err(why) => Filled::Whole(Box::new(without(letter, &why))),
    }
}

/// The plain text, with the reason why it is no more.
fn without(mut letter: Letter, why: &str) -> Letter {
    letter.details.push(format!("(without its document: {why})"));
    letter
}

async fn paper(
    kind: Kind,
    own: Option<&str>,
    incident: IncidentId,
    state: &Path,
) -> Result<Paper, String> {
    let chronicle = chronicle(incident, state.to_owned()).await.map_err(|why| why.to_string())?;
    chronicle
        .map(|chronicle| Paper::by(own, kind, &chronicle))
        .ok_or_else(|| "the opening of the incident is not in the journal".to_owned())
}

/// What the journal says of an incident.
async fn chronicle(
    incident: IncidentId,
    state: PathBuf,
) -> Result<Option<Chronicle>, crate::journal::Error> {
    let mut reader = Reader::open(&state).await?;
    let openings = reader.openings().await?;
    let opened = |entry: &crate::model::entry::Entry| match &entry.body {
        Body::Event(event) => match event.as_ref() {
            Event::IncidentOpened { incident, .. } => Some((*incident, entry.seq)),
            _ => None,
        },
        Body::Command(..) | Body::Newer { .. } => None,
    };
    let known: Vec<_> = openings.iter().filter_map(opened).collect();
    let Some(at) = known.iter().rposition(|(one, _)| *one == incident) else { return Ok(None) };
    let first = known.get(at).map_or(1, |(_, seq)| *seq);
    let end = known.get(at + 1).map(|(_, seq)| *seq);
    let entries = reader.between(first, end).await?;
    Ok(Chronicle::of(incident, &entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute_and_obey_the_receiver() {
        let seconds: Vec<u64> = (1..=8).map(|tries| pause(tries, Again::Soon).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pause(40, Again::Soon), LONGEST);
        assert_eq!(pause(1, Again::After(Duration::from_secs(90))).as_secs(), 90);
    }
}
