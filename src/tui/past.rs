//! Reads the last half hour out of the samples, once and then only what is new.

use std::sync::Arc;

use crate::journal::{Error, News, Samples};
use crate::model::ids::Time;
use crate::model::reading::Reading;

use super::history::{History, REACH};
use super::world::World;

/// Readings taken at once; what is over comes with the next look.
pub const MOST: u32 = 5_000;

/// How far the samples were read.
#[derive(Debug, Default)]
pub struct Past {
    row: i64,
    history: History,
}

impl Past {
    /// Reads what is there, at most `most` readings that were written since.
    pub async fn read(&self, samples: &mut Samples, most: u32, now: Time) -> Result<News, Error> {
        let from = now - chrono::Duration::from_std(REACH).unwrap_or_default();
        samples.news(self.row, from, most).await
    }

    /// Takes what was read into the world.
    pub fn take(&mut self, (row, readings): (i64, Vec<Reading>), world: &mut World, now: Time) {
        self.row = row;
        let counting = world.live.as_ref().map(|live| live.counting.as_slice()).unwrap_or_default();
        for reading in &readings {
            self.history.take(reading, counting.contains(&reading.check));
        }
        if !readings.is_empty() {
            self.history.trim(now);
            world.history = Arc::new(self.history.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::live::Live;
    use crate::model::reading::{Finding, Phases};

    fn reading(at: Time, failed: u32) -> Reading {
        Reading {
            check: "api".into(),
            at,
            took: Duration::from_millis(3),
            phases: Phases::default(),
            finding: Finding::Good,
            value: None,
            unit: String::new(),
            note: crate::text::SafeText::default(),
            failed_of: (failed, 10),
            latencies: vec![Duration::from_millis(38)],
            facts: Vec::new(),
        }
    }

    #[tokio::test]
    async fn what_is_new_is_added_and_what_was_read_is_not_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let now = chrono::DateTime::from_timestamp(1_764_000_000, 0).unwrap();
        let back = |seconds| now - chrono::Duration::seconds(seconds);
        let mut engine = Samples::open(dir.path()).await.unwrap();
        engine.write(&[reading(back(7_200), 10), reading(back(60), 1)], None).await.unwrap();
        let mut samples = Samples::read(dir.path()).await.unwrap();
        let live = Live { counting: vec!["api".into()], ..Live::default() };
        let mut world = World { live: Some(live), ..World::default() };
        let mut past = Past::default();
        let all = |world: &World| world.history.between(back(10_000), now).asked;
        let news = past.read(&mut samples, MOST, now).await.unwrap();
        past.take((news.row, news.readings), &mut world, now);
        assert_eq!(all(&world), 10, "what is out of reach is left out");
        // A slow look: begun before, written after.
        engine.write(&[reading(back(65), 2)], None).await.unwrap();
        for new in [1, 0] {
            let news = past.read(&mut samples, MOST, now).await.unwrap();
            assert_eq!(news.readings.len(), new);
            past.take((news.row, news.readings), &mut world, now);
        }
        assert_eq!(all(&world), 20);
    }
}
