//! How far one container's output was taken: no line is lost or doubled over a reconnect.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::adapters::docker::{Container, LogLine};
use crate::model::ids::Time;

/// Lines of so long before the last one are asked for again after a reconnect: what two streams
/// of one container wrote may lie in the engine's file a little out of order.
const AGAIN: Duration = Duration::from_secs(2);
/// Lines that are remembered for that.
const REMEMBERED: usize = 512;

/// How far the output of one source was taken.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// Whether it is followed now.
    pub(super) followed: bool,
    /// Whether its last stream ended with an error.
    pub(super) failed: bool,
    id: String,
    /// Its container's life, of which all was taken when the stream ended.
    life: String,
    /// The newest line.
    last: Option<Time>,
    recent: VecDeque<(Time, u64)>,
    /// Where an engine before this one left the spool, and of which container.
    left: Option<(u64, Time)>,
    resuming: Option<Resuming>,
}

/// After a reconnect: what was taken already.
#[derive(Debug)]
struct Resuming {
    /// The lines; none where only the time of the last one is known.
    known: Option<Vec<(Time, u64)>>,
    /// All until then.
    until: Time,
    found: bool,
}

/// From where to follow.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Followed {
    /// Since when; all that there is without it.
    pub(super) since: Option<Time>,
    /// Whether it is another container than before.
    pub(super) other: bool,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It was taken before.
    Known,
    /// It is new, and of this time.
    New(Time),
    /// It is new, and what was before it is gone.
    AfterGap(Time),
}

impl Place {
    /// A source whose spool was left there.
    pub(super) fn new(left: Option<(u64, Time)>) -> Self {
        Self { left, ..Self::default() }
    }

    /// A number for the container that is followed.
    pub(super) fn container(&self) -> u64 {
        number(&self.id)
    }

    /// Whether all that this container wrote in this life of it was taken.
    pub(super) fn is_over(&self, one: &Container) -> bool {
        // A stream that fails while the container runs is tried again with its next life.
        (!one.running || self.failed) && self.life == one.life()
    }

    /// Begins to follow a container.
    pub(super) fn follow(&mut self, one: &Container) -> Followed {
        self.followed = true;
        self.failed = false;
        self.life = one.life();
        let left = self.left.take();
        if self.id == one.id {
            let Some(until) = self.last else { return Followed { since: None, other: false } };
            let known: Vec<(Time, u64)> = self.recent.iter().copied().collect();
            let since = known.iter().map(|(at, _)| *at).min().unwrap_or(until);
            self.resuming = Some(Resuming { known: Some(known), until, found: false });
            return Followed { since: Some(since), other: false };
        }
        let before = !std::mem::replace(&mut self.id, one.id.clone()).is_empty();
        self.recent.clear();
        (self.last, self.resuming) = (None, None);
        match left {
            Some((container, until)) if container == number(&one.id) => {
                self.last = Some(until);
                self.resuming = Some(Resuming { known: None, until, found: false });
                Followed { since: Some(until), other: false }
            }
            Some(_) => Followed { since: None, other: true },
            None => Followed { since: None, other: before },
        }
    }

    /// Takes a line that came.
    pub(super) fn take(&mut self, line: &LogLine, now: Time) -> Taken {
        let at = line.at.unwrap_or(now);
        let mut hasher = DefaultHasher::new();
        (line.stderr, line.ended, &line.text).hash(&mut hasher);
        let hash = hasher.finish();
        let mut gap = false;
        if let Some(resuming) = &mut self.resuming {
            let known = match &mut resuming.known {
                None => at <= resuming.until,
                Some(known) => {
                    let place = known.iter().position(|one| *one == (at, hash));
                    place.map(|place| known.swap_remove(place)).is_some()
                }
            };
            if known {
                resuming.found = true;
                return Taken::Known;
            }
            gap = !std::mem::replace(&mut resuming.found, true);
            if at > resuming.until + AGAIN {
                self.resuming = None;
            }
        }
        let last = self.last.map_or(at, |last| last.max(at));
        self.last = Some(last);
        self.recent.push_back((at, hash));
        while self.recent.len() > REMEMBERED
            || self.recent.front().is_some_and(|(at, _)| *at + AGAIN < last)
        {
            self.recent.pop_front();
        }
        if gap { Taken::AfterGap(at) } else { Taken::New(at) }
    }
}

/// The beginning of a container's id.
fn number(id: &str) -> u64 {
    id.get(..16).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Time {
        chrono::DateTime::from_timestamp_millis(1_764_000_000_000 + ms).unwrap()
    }

    fn line(ms: i64, text: &str) -> LogLine {
        LogLine { at: Some(at(ms)), stderr: false, text: text.into(), ended: true }
    }

    fn container(id: &str) -> Container {
        Container { id: id.repeat(16), running: true, ..Container::default() }
    }

    fn taken(place: &mut Place, lines: &[(i64, &str)]) -> Vec<String> {
        let mut all = Vec::new();
        for (ms, text) in lines {
            match place.take(&line(*ms, text), at(0)) {
                Taken::Known => {}
                Taken::New(_) => all.push((*text).to_owned()),
                Taken::AfterGap(_) => all.extend(["--".to_owned(), (*text).to_owned()]),
            }
        }
        all
    }

    #[test]
    fn a_reconnect_neither_loses_nor_doubles_a_line() {
        let mut place = Place::new(None);
        let one = container("a1");
        assert_eq!(place.follow(&one), Followed { since: None, other: false });
        taken(&mut place, &[(0, "old"), (5_000, "x"), (5_001, "x"), (5_001, "x")]);
        let followed = place.follow(&one);
        // What is older than two seconds is not asked for again.
        assert_eq!(followed, Followed { since: Some(at(5_000)), other: false });
        let again = [(5_000, "x"), (5_001, "x"), (5_000, "late"), (5_001, "x"), (5_001, "x")];
        assert_eq!(taken(&mut place, &again), ["late", "x"]);
        assert_eq!(taken(&mut place, &[(9_000, "y"), (9_000, "y")]), ["y", "y"]);
    }

    #[test]
    fn lines_that_the_engine_gave_up_are_a_gap() {
        let mut place = Place::new(None);
        let one = container("a1");
        place.follow(&one);
        taken(&mut place, &[(0, "a")]);
        place.follow(&one);
        assert_eq!(taken(&mut place, &[(9_000, "b"), (9_001, "c")]), ["--", "b", "c"]);
    }

    #[test]
    fn another_container_is_read_from_its_beginning() {
        let mut place = Place::new(None);
        place.follow(&container("a1"));
        taken(&mut place, &[(0, "a")]);
        let other = place.follow(&container("b2"));
        assert_eq!(other, Followed { since: None, other: true });
        assert_eq!(taken(&mut place, &[(0, "a")]), ["a"]);
    }

    #[test]
    fn the_next_engine_goes_on_where_the_spool_was_left() {
        let one = container("a1");
        let mut place = Place::new(Some((number(&one.id), at(100))));
        assert_eq!(place.follow(&one), Followed { since: Some(at(100)), other: false });
        assert_eq!(taken(&mut place, &[(99, "a"), (100, "b"), (101, "c")]), ["c"]);
        let mut place = Place::new(Some((number(&one.id), at(100))));
        assert!(place.follow(&container("b2")).other);
    }

    #[test]
    fn one_that_ended_is_followed_again_when_it_is_started() {
        let mut place = Place::new(None);
        let one = Container { running: false, started_at: Some(at(0)), ..container("a1") };
        assert!(!place.is_over(&one));
        place.follow(&one);
        assert!(place.is_over(&one));
        assert!(!place.is_over(&Container { started_at: Some(at(1)), ..one.clone() }));
        // A log that cannot be read is not asked for over and over.
        let runs = Container { running: true, ..one };
        assert!(!place.is_over(&runs));
        place.failed = true;
        assert!(place.is_over(&runs));
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let mut place = Place::new(None);
        place.follow(&container("a1"));
        for _ in 0..10_000 {
            place.take(&line(0, "x"), at(0));
        }
        assert_eq!(place.recent.len(), REMEMBERED);
    }
}
