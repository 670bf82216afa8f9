//! Flow control over the real line. A program on the way (sshd, tmux) empties the pty at once and
//! queues ahead, so that a write that succeeded says nothing about the person's screen. Each frame
//! therefore ends with a question to the terminal, and at most two are unanswered. Pure: times are
//! counted from any fixed moment.

use std::collections::VecDeque;
use std::time::Duration;

/// Asks the terminal how it is (DSR); it answers `ESC [ 0 n` once it has drawn what was before.
pub const QUESTION: &[u8] = b"\x1b[5n";

/// Frames that may be unanswered.
const AHEAD: usize = 2;
/// A terminal that has not answered by then does not know the question.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two frames to such a terminal, but for those that answer a key.
const BLIND: Duration = Duration::from_secs(1);
/// An answer that has not come by then was lost on the way, as when tmux changes hands.
const LOST: Duration = Duration::from_secs(10);
/// A delay from which on frames are sent in pieces, so that the clock keeps moving.
const LONG: Duration = Duration::from_millis(400);
/// Bytes of such a piece: about a quarter of a second at 2 KB/s.
const PIECE: usize = 480;

/// Why a frame is to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Something changed.
    #[default]
    News,
    /// The clock moved on.
    Tick,
    /// A key is answered.
    Key,
}

/// What is known of the line.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// When the unanswered questions were asked, oldest first.
    asked: VecDeque<Duration>,
    /// When the first of all was asked.
    first: Option<Duration>,
    /// When the last frame was written.
    last: Option<Duration>,
    /// Whether the terminal has ever answered.
    answers: bool,
    /// Whether nothing on the way queues ahead.
    near: bool,
    delay: Option<Duration>,
    drain: Duration,
}

impl Flow {
    /// A line to a terminal that, when `near`, is on this machine: a write that succeeded has then
    /// been taken by the terminal itself, and one that does not answer is not held back.
    pub fn near(near: bool) -> Self {
        Self { near, ..Self::default() }
    }

    /// Nothing if a frame may be written now, else how long to wait; an answer may come sooner.
    pub fn wait(&mut self, cause: Cause, now: Duration) -> Option<Duration> {
        if self.answers {
            let oldest = *self.asked.front()?;
            // On a slow line the second place is kept for the clock and for keys: news fills the
            // line, and a clock that had to wait for it would be old when it arrives.
            let ahead = if self.piece().is_some() && cause == Cause::News { 1 } else { AHEAD };
            if self.asked.len() < ahead {
                return None;
            }
            let left = (oldest + LOST).saturating_sub(now);
            if left.is_zero() {
                self.asked.pop_front();
                return None;
            }
            return Some(left);
        }
        let urgent = cause == Cause::Key || self.near;
        let (Some(first), Some(last)) = (self.first, self.last) else { return None };
        let silent = (first + PATIENCE).saturating_sub(now);
        if !silent.is_zero() {
            return (self.asked.len() >= AHEAD && !urgent).then_some(silent);
        }
        let left = (last + BLIND).saturating_sub(now);
        (!urgent && !left.is_zero()).then_some(left)
    }

    /// A frame with a question begins to be written.
    pub fn sent(&mut self, now: Duration) {
        self.first.get_or_insert(now);
        self.last = Some(now);
        self.asked.push_back(now);
        // One that never answers is not counted for ever; a late answer belongs to an old question.
        if !self.answers && self.asked.len() > AHEAD * 8 {
            self.asked.pop_front();
        }
    }

    /// It took so long to be taken.
    pub fn drained(&mut self, span: Duration) {
        self.drain = span;
    }

    /// The terminal answered.
    pub fn answered(&mut self, now: Duration) {
        if let Some(asked) = self.asked.pop_front() {
            self.answers = true;
            self.delay = Some(now.saturating_sub(asked));
        }
    }

    /// What was asked is forgotten: the terminal was somebody else's meanwhile.
    pub fn forget(&mut self) {
        self.asked.clear();
        self.first = None;
        self.last = None;
    }

    /// How many answers are still to come, from a terminal that answers or may yet.
    pub fn owed(&self, now: Duration) -> usize {
        let may = self.first.is_some_and(|first| now < first + PATIENCE);
        if self.answers || may { self.asked.len() } else { 0 }
    }

    /// From the beginning of a frame to the terminal's answer; one that is overdue is as late as
    /// it is already.
    pub fn delay(&self, now: Duration) -> Option<Duration> {
        let delay = self.delay?;
        let oldest = self.asked.front().map(|asked| now.saturating_sub(*asked));
        Some(delay.max(oldest.unwrap_or_default()))
    }

    /// How long the terminal took to take the last frame.
    pub fn drain(&self) -> Duration {
        self.drain
    }

    /// The most bytes to write at once; none when all of a frame may go.
    pub fn piece(&self) -> Option<usize> {
        self.delay.is_some_and(|delay| delay >= LONG).then_some(PIECE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn two_frames_may_be_unanswered_and_no_third() {
        let mut flow = Flow::default();
        flow.sent(ms(0));
        flow.answered(ms(600));
        assert_eq!(flow.delay(ms(600)), Some(ms(600)));
        flow.sent(ms(700));
        assert!(flow.wait(Cause::News, ms(701)).is_some(), "on a slow line news waits");
        assert_eq!(flow.wait(Cause::Tick, ms(701)), None, "and the clock does not");
        flow.sent(ms(800));
        assert!(flow.wait(Cause::News, ms(801)).is_some());
        assert!(flow.wait(Cause::Key, ms(801)).is_some(), "a key waits as well");
        flow.answered(ms(1_300));
        assert_eq!(flow.wait(Cause::Key, ms(1_300)), None);
        assert_eq!(flow.owed(ms(1_300)), 1);
    }

    #[test]
    fn a_terminal_that_never_answers_gets_a_frame_a_second_and_keys_at_once() {
        let mut flow = Flow::default();
        flow.sent(ms(0));
        assert_eq!(flow.wait(Cause::News, ms(100)), None);
        flow.sent(ms(100));
        assert_eq!(flow.wait(Cause::News, ms(200)), Some(ms(1_800)), "two, then patience");
        assert_eq!(flow.wait(Cause::Key, ms(200)), None);
        assert_eq!(flow.wait(Cause::News, ms(2_000)), None);
        flow.sent(ms(2_000));
        assert_eq!(flow.wait(Cause::News, ms(2_100)), Some(ms(900)));
        assert_eq!(flow.wait(Cause::Key, ms(2_100)), None);
        assert_eq!(flow.delay(ms(9_000)), None);
        assert_eq!(flow.owed(ms(9_000)), 0, "nothing to wait for when leaving");
    }

    #[test]
    fn a_near_terminal_that_never_answers_gets_every_frame() {
        let mut flow = Flow::near(true);
        for at in [0, 60, 120, 180, 2_100, 2_160] {
            assert_eq!(flow.wait(Cause::News, ms(at)), None, "{at}");
            flow.sent(ms(at));
        }
        flow.answered(ms(2_170));
        flow.sent(ms(2_180));
        assert!(flow.wait(Cause::News, ms(2_190)).is_some(), "one that answers is asked");
    }

    #[test]
    fn an_answer_after_the_patience_still_counts() {
        let mut flow = Flow::default();
        flow.sent(ms(0));
        flow.answered(ms(2_900));
        assert_eq!(flow.delay(ms(2_900)), Some(ms(2_900)));
        assert!(flow.piece().is_some(), "on a slow line frames go in pieces");
    }

    #[test]
    fn an_answer_that_is_lost_does_not_stop_the_screen_for_ever() {
        let mut flow = Flow::default();
        flow.sent(ms(0));
        flow.answered(ms(5));
        flow.sent(ms(100));
        flow.sent(ms(200));
        assert!(flow.wait(Cause::News, ms(5_000)).is_some());
        assert_eq!(flow.delay(ms(5_100)), Some(ms(5_000)), "overdue is late");
        assert_eq!(flow.wait(Cause::News, ms(10_100)), None);
    }
}
