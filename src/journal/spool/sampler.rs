//! What is shown of lines that come faster than anyone reads: errors first, then warnings, then
//! the newest; every line is counted.

use std::collections::VecDeque;

use crate::text::SafeText;

use super::{LogLine, LogSeverity, stamp, time_of};

/// The lines that came since the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fresh {
    /// Those to show, in order.
    pub lines: Vec<LogLine>,
    /// How many came, gaps not.
    pub came: u64,
    /// How many the query left out.
    pub hidden: u64,
    /// How many were wanted, but more than there was room for.
    pub sampled: u64,
    /// Whether there is more, which was not read yet.
    pub more: bool,
}

impl Fresh {
    /// Lines that [`Self::lines`] stand for. `came` is this, `hidden` and `sampled`.
    pub fn shown(&self) -> u64 {
        let lines = self.lines.iter().filter(|line| !line.gap);
        lines.map(|line| u64::from(line.folded)).sum()
    }
}

/// A line that may be shown.
#[derive(Debug, Default)]
struct Chosen {
    order: u64,
    source: usize,
    number: u64,
    ms: i64,
    severity: LogSeverity,
    gap: bool,
    folded: u32,
    text: Vec<u8>,
}

/// Chooses among lines as they pass by, holding no more than it may show of each kind.
#[derive(Debug)]
pub(super) struct Sampler {
    room: usize,
    kinds: [VecDeque<Chosen>; 3],
    /// The kind of the line taken last, for folding.
    last: Option<usize>,
    spare: Vec<Vec<u8>>,
    order: u64,
    came: u64,
    hidden: u64,
    sampled: u64,
}

/// A line that passes by.
pub(super) struct Passing<'a> {
    pub(super) source: usize,
    pub(super) number: u64,
    pub(super) ms: i64,
    pub(super) severity: LogSeverity,
    pub(super) gap: bool,
    pub(super) text: &'a [u8],
}

impl Sampler {
    /// Shows at most `room` rows.
    pub(super) fn new(room: usize) -> Self {
        Self {
            room,
            kinds: Default::default(),
            last: None,
            spare: Vec::new(),
            order: 0,
            came: 0,
            hidden: 0,
            sampled: 0,
        }
    }

    /// A line came that the query does not want.
    pub(super) fn hide(&mut self) {
        self.came += 1;
        self.hidden += 1;
    }

    /// A line came that the query wants.
    pub(super) fn take(&mut self, line: &Passing<'_>) {
        self.came += u64::from(!line.gap);
        self.order += 1;
        if self.folds(line) {
            return;
        }
        let kind = match line.severity {
            _ if line.gap => 0,
            LogSeverity::Error => 0,
            LogSeverity::Warn => 1,
            LogSeverity::Info | LogSeverity::Debug => 2,
        };
        let mut text = self.spare.pop().unwrap_or_default();
        text.clear();
        text.extend_from_slice(line.text);
        let chosen = Chosen {
            order: self.order,
            source: line.source,
            number: line.number,
            ms: line.ms,
            severity: line.severity,
            gap: line.gap,
            folded: 1,
            text,
        };
        self.last = Some(kind);
        let Some(held) = self.kinds.get_mut(kind) else { return };
        held.push_back(chosen);
        if held.len() > self.room.max(1)
            && let Some(passed) = held.pop_front()
        {
            self.pass(passed);
        }
    }

    fn folds(&mut self, line: &Passing<'_>) -> bool {
        let before = self.last.and_then(|kind| self.kinds.get_mut(kind)?.back_mut());
        let same = before.filter(|before| {
            !before.gap
                && !line.gap
                && before.source == line.source
                && before.severity == line.severity
                && stamp::said(&before.text) == stamp::said(line.text)
        });
        let Some(before) = same else { return false };
        before.folded = before.folded.saturating_add(1);
        before.ms = line.ms;
        true
    }

    fn pass(&mut self, passed: Chosen) {
        self.sampled += if passed.gap { 0 } else { u64::from(passed.folded) };
        if self.spare.len() < 8 && passed.text.capacity() < 4096 {
            self.spare.push(passed.text);
        }
    }

    /// What is to be shown; `names` are the sources.
    pub(super) fn choose(mut self, names: &[&str]) -> Fresh {
        let newest = self.kinds.iter().filter_map(VecDeque::back).map(|line| line.order).max();
        let mut left = self.room;
        let mut kept: Vec<Chosen> = Vec::new();
        // The newest line is shown whatever it says: it is how one sees that the log lives.
        let kinds = std::mem::take(&mut self.kinds);
        let mut rest: Vec<Chosen> = Vec::new();
        for line in kinds.into_iter().flat_map(|kind| kind.into_iter().rev()) {
            if Some(line.order) == newest && left > 0 {
                left -= 1;
                kept.push(line);
            } else {
                rest.push(line);
            }
        }
        for line in rest {
            // A gap is a line that says so: it is never left out.
            if left > 0 || line.gap {
                left = left.saturating_sub(1);
                kept.push(line);
            } else {
                self.pass(line);
            }
        }
        if names.len() > 1 {
            kept.sort_by_key(|line| (line.ms, line.order));
        } else {
            kept.sort_by_key(|line| line.order);
        }
        let lines = kept.into_iter().map(|line| LogLine {
            at: time_of(line.ms),
            source: names.get(line.source).map(|name| (*name).to_owned()).unwrap_or_default(),
            severity: line.severity,
            text: SafeText::from_bytes(&line.text),
            folded: line.folded,
            gap: line.gap,
            number: line.number,
        });
        Fresh {
            lines: lines.collect(),
            came: self.came,
            hidden: self.hidden,
            sampled: self.sampled,
            more: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(number: u64, severity: LogSeverity, text: &'static str) -> Passing<'static> {
        let ms = i64::try_from(number).unwrap();
        Passing { source: 0, number, ms, severity, gap: false, text: text.as_bytes() }
    }

    #[test]
    fn errors_are_kept_first_and_the_newest_line_always() {
        let mut sampler = Sampler::new(3);
        sampler.take(&line(1, LogSeverity::Error, "broken"));
        for number in 2..100 {
            let text = if number % 2 == 0 { "a" } else { "b" };
            sampler.take(&line(number, LogSeverity::Info, text));
        }
        sampler.take(&line(100, LogSeverity::Warn, "slow"));
        sampler.take(&line(101, LogSeverity::Info, "the newest"));
        let fresh = sampler.choose(&["x"]);
        let shown: Vec<&str> = fresh.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(shown, ["broken", "slow", "the newest"]);
        assert_eq!((fresh.came, fresh.sampled), (101, 98));
    }

    #[test]
    fn lines_that_differ_in_their_time_alone_are_one() {
        let mut sampler = Sampler::new(3);
        sampler.take(&line(1, LogSeverity::Info, "2026-11-22T12:00:00Z INFO no route"));
        sampler.take(&line(2, LogSeverity::Info, "2026-11-22T12:00:01Z INFO no route"));
        let fresh = sampler.choose(&["x"]);
        assert_eq!(fresh.lines.len(), 1);
        assert_eq!(fresh.lines[0].folded, 2);
        assert_eq!(fresh.shown(), 2);
    }

    proptest! {
        #[test]
        fn every_line_is_counted_once(
            lines in prop::collection::vec((0usize..4, 0usize..3, any::<bool>()), 0..200),
            room in 0usize..6,
        ) {
            let mut sampler = Sampler::new(room);
            let kinds =
                [LogSeverity::Error, LogSeverity::Warn, LogSeverity::Info, LogSeverity::Debug];
            let mut number = 0;
            for (kind, text, hidden) in &lines {
                number += 1;
                if *hidden {
                    sampler.hide();
                } else {
                    sampler.take(&line(number, kinds[*kind], ["a", "b", "c"][*text]));
                }
            }
            let fresh = sampler.choose(&["x"]);
            prop_assert_eq!(fresh.came, lines.len() as u64);
            prop_assert_eq!(fresh.came, fresh.shown() + fresh.hidden + fresh.sampled);
            prop_assert!(fresh.lines.len() <= room);
        }
    }
}
