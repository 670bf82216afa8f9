//! What is given to the screen: rows, numbers, words.

use crate::journal::spool::LogLine;
use crate::model::ids::Time;
use crate::text::SafeText;
use crate::tui::words;
use crate::tui::world::{LogPage, LogRow};

use super::super::store::Store;
use super::{Mode, Pager};

impl<S: Store> Pager<S> {
    /// What is to be shown.
    pub fn page(&self, now: Time) -> LogPage {
        let (lines, cursor): (Vec<&LogLine>, _) = match &self.mode {
            Mode::Follow { tail, .. } => (tail.iter().collect(), None),
            Mode::Held { pages, cursor } => {
                (pages.iter().flat_map(|page| &page.lines).collect(), Some(*cursor))
            }
        };
        // Only what can be seen around the selection is copied.
        let first = cursor.map_or(0, |cursor| cursor.saturating_sub(self.rows));
        let rows: Vec<LogRow> =
            lines.iter().skip(first).take(self.rows * 2 + 1).map(|line| self.row(line)).collect();
        let names = self.store.sources();
        LogPage {
            cursor: cursor.map(|cursor| (cursor - first).min(rows.len().saturating_sub(1))),
            lines: rows,
            sources: names.len(),
            names,
            per_second: self.rates.came,
            shown_per_second: self.rates.shown,
            hidden_per_second: self.rates.hidden,
            one_of: self.rates.one_of,
            hidden: self.counts.hidden,
            sampled: self.counts.sampled,
            paused: cursor.is_some(),
            behind: self.behind,
            choice: self.choice.words(),
            found: self.found(),
            at: Some(now),
            ..LogPage::default()
        }
    }

    fn row(&self, line: &LogLine) -> LogRow {
        let places = self.find.as_ref().map(|(_, find)| find.places(line.text.as_str()));
        LogRow {
            at: line.at,
            source: SafeText::new(&line.source),
            severity: if line.gap { 'W' } else { line.severity.letter() },
            text: line.text.clone(),
            folded: line.folded,
            gap: line.gap,
            found: places.unwrap_or_default(),
            marked: !self.marks.is_empty()
                && self.marks.contains(&(line.source.clone(), line.number)),
        }
    }

    /// What became of the search, in words.
    fn found(&self) -> Option<String> {
        let (word, _) = self.find.as_ref()?;
        let at = match &self.mode {
            Mode::Held { .. } => self.selected().map(|(_, number)| number),
            Mode::Follow { .. } => None,
        };
        let progress = self.store.progress(at);
        let running = progress.filter(|progress| progress.done < progress.total);
        let part = running.map_or_else(String::new, |progress| {
            format!("  {} %", progress.done * 100 / progress.total.max(1))
        });
        let said = match (&self.said, self.hunt.is_some(), progress) {
            (_, true, Some(progress)) if progress.lines == 0 => format!("looking for {word}"),
            (_, true, None) => format!("looking for {word}"),
            (Some(said), ..) => said.clone(),
            (None, _, Some(progress)) => match progress.place {
                Some(place) => format!("{place} of {} lines", progress.lines),
                None => format!("{} lines", progress.lines),
            },
            (None, _, None) => word.clone(),
        };
        Some(said + &part)
    }

    pub(super) fn rate(&mut self, now: Time) {
        let rates = &mut self.rates;
        let begun = *rates.at.get_or_insert(now);
        let span = words::since(begun, now).as_secs_f64();
        if span < 1.0 {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate is shown with two digits")]
        let rate = |more: u64| more as f64 / span;
        let shown = self.counts.shown - rates.counts.shown;
        let sampled = self.counts.sampled - rates.counts.sampled;
        rates.came = rate(self.counts.came - rates.counts.came);
        rates.shown = rate(shown);
        rates.hidden = rate(self.counts.hidden - rates.counts.hidden);
        rates.one_of = (shown + sampled).div_ceil(shown.max(1)).max(1);
        rates.counts = self.counts;
        rates.at = Some(now);
    }

    /// Whether the rates are all zero, so that nothing has to be counted down.
    pub fn is_quiet(&self) -> bool {
        self.rates.came == 0.0 && self.rates.counts == self.counts
    }
}
