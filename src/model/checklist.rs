//! What people ticked off after a rollback (S-56): who, when, with which words.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::entry::Entry;
use super::ids::{RunId, Time};
use super::situation::Situation;

/// An item that is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tick {
    /// Who says so.
    pub by: SafeText,
    /// When.
    pub at: Time,
    /// In their words.
    pub note: SafeText,
}

/// The ticks of one run; those of the next begin anew.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ticks {
    /// Whose.
    pub run: Option<RunId>,
    /// By the number of the item.
    pub items: BTreeMap<u8, Tick>,
}

impl Situation {
    /// The run after which there is something to do, and since when its windows count: traffic was
    /// good, or it ended without.
    pub fn to_follow_up(&self) -> Option<(&RunId, Time)> {
        let run = self.run.as_ref().and_then(|run| {
            let watched = run.watch.as_ref().map(|watch| watch.opened_at);
            Some((&run.id, watched.or(run.ended.as_ref().map(|ended| ended.at))?))
        });
        run.or_else(|| {
            let past = self.history.first()?;
            Some((&past.run, past.ended.at))
        })
    }

    /// What is ticked of that run.
    pub fn ticked(&self) -> Option<&BTreeMap<u8, Tick>> {
        let (run, _) = self.to_follow_up()?;
        Some(&self.ticks).filter(|ticks| ticks.run.as_ref() == Some(run)).map(|ticks| &ticks.items)
    }

    /// Folds in a tick, or its being taken back.
    pub(super) fn tick(&mut self, item: u8, done: bool, note: &SafeText, entry: &Entry) {
        let Some((run, _)) = self.to_follow_up() else { return };
        let run = Some(run.clone());
        if self.ticks.run != run {
            *self.ticks = Ticks { run, items: BTreeMap::new() };
        }
        let who = entry.author.name.clone();
        let words = if note.is_empty() { String::new() } else { format!(": {note}") };
        if done {
            self.moment(entry.at, &format!("{who} did item {item} of the checklist{words}"));
            let tick = Tick { by: who, at: entry.at, note: note.clone() };
            self.ticks.items.insert(item, tick);
        } else {
            self.moment(entry.at, &format!("{who} opens item {item} of the checklist{words}"));
            self.ticks.items.remove(&item);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entry::{Body, Command};
    use crate::model::ids::Digest;
    use crate::model::incident::Ended;
    use crate::model::outcome::Outcome;
    use crate::model::plan::Level;
    use crate::model::sample::{alice, at};
    use crate::model::situation::PastRun;

    fn past(run: &str) -> PastRun {
        PastRun {
            run: run.into(),
            incident: 7,
            level: Level::Switch,
            from: "v2".into(),
            to: "v1".into(),
            by: "alice".into(),
            reason: "errors".into(),
            ended: Ended {
                at: at(60),
                outcome: Outcome::Done,
                took: std::time::Duration::from_secs(3),
                why: "".into(),
                history: String::new(),
            },
            began: None,
            steps: Vec::new(),
            back: None,
            trigger: None,
            beside: false,
        }
    }

    fn tick(situation: &mut Situation, item: u8, done: bool) {
        let seq = situation.seq + 1;
        let command = Command::Tick { item, done, note: "told #ops".into() };
        situation.apply(&Entry {
            seq,
            v: 1,
            incident: None,
            at: at(90),
            author: alice(),
            epoch: 1,
            prev: Digest::default(),
            body: Body::Command(format!("c{seq}").as_str().into(), command),
        });
    }

    #[test]
    fn a_tick_says_who_and_when_and_belongs_to_one_run() {
        let mut situation = Situation::default();
        tick(&mut situation, 3, true);
        assert_eq!(situation.ticked(), None, "there is nothing to follow up");
        situation.history.insert(0, past("7-k7qd-1"));
        tick(&mut situation, 3, true);
        tick(&mut situation, 4, true);
        tick(&mut situation, 4, false);
        let ticked = situation.ticked().unwrap();
        assert_eq!(ticked.keys().collect::<Vec<_>>(), [&3]);
        assert_eq!((ticked[&3].by.as_str(), ticked[&3].at), ("alice", at(90)));
        situation.history.insert(0, past("8-k7qd-1"));
        assert_eq!(situation.ticked(), None, "the next run begins anew");
        tick(&mut situation, 1, true);
        assert_eq!(situation.ticked().unwrap().keys().collect::<Vec<_>>(), [&1]);
    }
}
