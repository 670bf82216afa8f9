//! Where a replay stands: pure, apart from being told what time it is.

use std::sync::Arc;

use crate::model::ids::Time;
use crate::model::situation::Situation;
use crate::tui::history::History;
use crate::tui::world::World;

use super::{Control, Replay, SPEEDS, Tape, scaled};

/// A tape and a place on it.
#[derive(Debug)]
pub struct Player {
    tape: Arc<Tape>,
    /// When each entry is due: the journal's order counts where two clocks disagreed.
    due: Vec<Time>,
    /// Entries that are folded in.
    place: usize,
    /// Readings that are taken in.
    read: usize,
    history: History,
    world: World,
    speed: f64,
    paused: bool,
    /// The time that is shown, and when that was.
    at: (Time, Time),
}

impl Player {
    /// At the first entry, from where it plays; `world` is what is the same all the time.
    pub fn new(tape: Arc<Tape>, world: World, real: Time) -> Self {
        let mut latest = Time::UNIX_EPOCH;
        let due: Vec<Time> = tape
            .entries
            .iter()
            .map(|entry| {
                latest = latest.max(entry.at);
                latest
            })
            .collect();
        let start = due.first().copied().unwrap_or(real);
        let speed = tape.speed;
        let history = History::default();
        let mut player = Self {
            tape,
            due,
            place: 0,
            read: 0,
            history,
            world,
            speed,
            paused: false,
            at: (start, real),
        };
        player.go(start, real);
        player
    }

    /// What is known at the place where it stands.
    pub fn world(&self, real: Time) -> World {
        let place = (self.place, self.tape.entries.len());
        let replay = Replay {
            incident: self.tape.incident,
            speed: self.speed,
            paused: self.paused,
            place,
            at: (self.shown(real), real),
            next: self.due.get(self.place).copied(),
        };
        World {
            history: Arc::new(self.history.clone()),
            replay: Some(replay),
            ..self.world.clone()
        }
    }

    /// The time that is to be shown now.
    fn shown(&self, real: Time) -> Time {
        let (at, since) = self.at;
        let last = self.due.last().copied().unwrap_or(at);
        if self.paused { at } else { (at + scaled(since, real, self.speed)).min(last.max(at)) }
    }

    /// Goes on to now; whether anything came.
    pub fn play(&mut self, real: Time) -> bool {
        let before = (self.place, self.read);
        let to = self.shown(real);
        self.forward(to);
        before != (self.place, self.read)
    }

    /// Does what a key asks.
    pub fn control(&mut self, control: Control, real: Time) {
        let now = self.shown(real);
        match control {
            Control::Pause => self.paused = !self.paused,
            Control::Slower => {
                let slower = SPEEDS.into_iter().rev().find(|speed| *speed < self.speed);
                self.speed = slower.unwrap_or(self.speed);
            }
            Control::Faster => {
                let faster = SPEEDS.into_iter().find(|speed| *speed > self.speed);
                self.speed = faster.unwrap_or(self.speed);
            }
            Control::Forward => {
                let next = self.due.get(self.place).copied();
                return self.go(next.unwrap_or(now), real);
            }
            Control::Back => {
                // Entries of one moment came together, and go together.
                let last = self.place.checked_sub(1).and_then(|at| self.due.get(at)).copied();
                let before =
                    self.due.iter().rev().find(|due| last.is_some_and(|last| **due < last));
                let to = before.or(self.due.first()).copied();
                return self.go(to.unwrap_or(now), real);
            }
        }
        self.go(now, real);
    }

    /// To that time; what was folded beyond it is folded anew from the beginning.
    fn go(&mut self, to: Time, real: Time) {
        let beyond = self.place.checked_sub(1).and_then(|at| self.due.get(at));
        if beyond.is_some_and(|beyond| *beyond > to) {
            self.place = 0;
            self.read = 0;
            self.history = History::default();
            self.world.readings.clear();
            self.world.situation = Situation::default();
        }
        self.forward(to);
        self.at = (to, real);
    }

    fn forward(&mut self, to: Time) {
        let tape = Arc::clone(&self.tape);
        while self.due.get(self.place).is_some_and(|due| *due <= to) {
            if let Some(entry) = tape.entries.get(self.place) {
                self.world.situation.apply(entry);
            }
            self.place += 1;
        }
        let came = tape.readings.iter().skip(self.read).take_while(|reading| reading.at <= to);
        let mut count = 0;
        for reading in came {
            count += 1;
            self.history.take(reading, tape.counting.contains(&reading.check));
            self.world.readings.insert(reading.check.clone(), reading.clone());
        }
        self.read += count;
        if count > 0 {
            self.history.trim(to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entry::{Author, Body, Entry, Event};
    use crate::model::ids::Digest;

    fn at(second: i64) -> Time {
        Time::UNIX_EPOCH + chrono::Duration::seconds(second)
    }

    /// Notes at seconds 100, 110, 110, 130; the last one's clock went back.
    fn tape() -> Arc<Tape> {
        let note = |(seq, second): (u64, i64)| Entry {
            seq,
            v: 1,
            incident: Some(3),
            at: at(second),
            author: Author::default(),
            epoch: 1,
            prev: Digest::default(),
            body: Body::Event(Box::new(Event::Noted {
                by: "alice".into(),
                text: seq.to_string().as_str().into(),
            })),
        };
        let entries = [(1, 100), (2, 110), (3, 110), (4, 130), (5, 120)].map(note).to_vec();
        Arc::new(Tape { incident: 3, entries, speed: 10.0, ..Tape::default() })
    }

    fn seq(player: &Player, real: Time) -> u64 {
        player.world(real).situation.seq
    }

    #[test]
    fn entries_come_by_their_own_time_as_fast_as_asked() {
        let mut player = Player::new(tape(), World::default(), at(9_000));
        assert_eq!(seq(&player, at(9_000)), 1);
        assert!(!player.play(at(9_000)), "nothing is due yet");
        assert!(player.play(at(9_001)), "ten seconds in one");
        assert_eq!(seq(&player, at(9_001)), 3, "what came together is shown together");
        let shown = player.world(at(9_001)).replay.unwrap();
        assert_eq!((shown.now(at(9_001)), shown.banner().as_str()), (at(110), "REPLAY x10"));
        assert_eq!(shown.now(at(9_002)), at(120));
        assert_eq!(shown.now(at(9_500)), at(130), "never beyond what comes next");
        assert!(player.play(at(9_003)));
        let over = player.world(at(9_003)).replay.unwrap();
        assert_eq!(
            (over.place, over.is_over(), over.banner().as_str()),
            ((5, 5), true, "REPLAY END")
        );
    }

    #[test]
    fn a_pause_holds_the_time_and_arrows_go_by_entries_either_way() {
        let mut player = Player::new(tape(), World::default(), at(0));
        player.control(Control::Pause, at(0));
        assert!(!player.play(at(60)));
        player.control(Control::Forward, at(60));
        assert_eq!(seq(&player, at(60)), 3);
        player.control(Control::Forward, at(60));
        assert_eq!(seq(&player, at(60)), 5);
        player.control(Control::Back, at(61));
        assert_eq!(seq(&player, at(61)), 3);
        assert_eq!(player.world(at(61)).situation.timeline.len(), 3, "folded anew, nothing twice");
        player.control(Control::Back, at(61));
        player.control(Control::Back, at(61));
        assert_eq!(seq(&player, at(61)), 1);
        player.control(Control::Pause, at(70));
        assert_eq!(player.world(at(71)).replay.unwrap().now(at(71)), at(110));
    }

    #[test]
    fn the_speed_goes_through_its_steps_and_the_time_does_not_jump() {
        let mut player = Player::new(tape(), World::default(), at(0));
        player.play(at(1));
        player.control(Control::Slower, at(1));
        let shown = player.world(at(1)).replay.unwrap();
        assert_eq!((shown.banner().as_str(), shown.now(at(1))), ("REPLAY x5", at(110)));
        for _ in 0..20 {
            player.control(Control::Faster, at(1));
        }
        assert_eq!(player.world(at(1)).replay.unwrap().banner(), "REPLAY x1000");
    }
}
