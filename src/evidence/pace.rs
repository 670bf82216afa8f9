//! Long work: how far it is and how long it may still take, and work in a thread beside the loop
//! that everything else waits on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::adapters::database::Told;
use crate::adapters::{Error, Kind};

/// Time between two words about long work.
const EVERY: Duration = Duration::from_millis(200);

/// Runs `work` in a thread of its own, and passes on to `told` how far it is.
pub async fn beside<T: Send + 'static>(
    work: impl FnOnce(Told<'_>) -> Result<T, Error> + Send + 'static,
    told: Told<'_>,
) -> Result<T, Error> {
    let (said, mut heard) = tokio::sync::watch::channel((0, 0));
    let mut working = tokio::task::spawn_blocking(move || {
        work(&|done, all| {
            said.send_replace((done, all));
        })
    });
    let mut over = false;
    loop {
        tokio::select! {
            done = &mut working => {
                return done.unwrap_or_else(|e| {
                    Err(Error::new(Kind::Local, format!("could not do the work: {e}")))
                });
            }
            changed = heard.changed(), if !over => {
                over = changed.is_err();
                let (done, all) = *heard.borrow_and_update();
                told(done, all);
            }
        }
    }
}

/// How fast long work is and how long it may still take, from what was done since it began.
#[derive(Clone, Debug)]
pub struct Pace {
    began: Arc<Mutex<Option<Began>>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Began {
    what: String,
    at: Duration,
    said: Option<Duration>,
}

/// What is worth saying of long work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// `data 12.3 of 80.0 MB, 40.1 MB/s`.
    pub text: String,
    /// Time left, where it can be said.
    pub left: Option<Duration>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { began: Arc::new(Mutex::new(None)) }
    }
}

impl Pace {
    /// The word about `done` of `all` of `what`, counted in rows where its name begins so, else in
    /// bytes; nothing when one was said just before. `now` is monotonic.
    pub fn word(&self, what: &str, (done, all): (u64, u64), now: Duration) -> Option<Word> {
        let bytes = !what.starts_with("rows");
        let mut began = self.began.lock().ok()?;
        let known = began.take().filter(|known| known.what == what);
        let mut known =
            known.unwrap_or_else(|| Began { what: what.to_owned(), at: now, said: None });
        let soon = known.said.is_some_and(|said| now < said + EVERY) && done < all;
        if !soon {
            known.said = Some(now);
        }
        let took = now.saturating_sub(known.at).as_secs_f64();
        *began = Some(known);
        if soon {
            return None;
        }
        if all == 0 {
            return Some(Word { text: what.to_owned(), left: None });
        }
        #[expect(clippy::cast_precision_loss, reason = "for people: four digits are enough")]
        let (part, whole) = (done as f64, all as f64);
        let rate = if took > 0.1 { part / took } else { 0.0 };
        let text = match (bytes, rate > 0.0) {
            (true, true) => {
                let rate = rate / 1e6;
                format!("{what} {:.1} of {:.1} MB, {rate:.1} MB/s", part / 1e6, whole / 1e6)
            }
            (true, false) => format!("{what} {:.1} of {:.1} MB", part / 1e6, whole / 1e6),
            (false, true) => format!("{what}: {done} of {all}, {rate:.0} a second"),
            (false, false) => format!("{what}: {done} of {all}"),
        };
        let left = (rate > 0.0).then(|| (whole - part).max(0.0) / rate);
        let left = left.and_then(|left| Duration::try_from_secs_f64(left).ok());
        Some(Word { text, left })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_and_the_time_left_follow_from_what_was_done() {
        let pace = Pace::default();
        let at = Duration::from_secs;
        let first = pace.word("data", (0, 80_000_000), at(1)).unwrap();
        assert_eq!((first.text.as_str(), first.left), ("data 0.0 of 80.0 MB", None));
        assert_eq!(pace.word("data", (1, 80_000_000), at(1)), None, "said just now");
        let later = pace.word("data", (20_000_000, 80_000_000), at(3)).unwrap();
        assert_eq!(later.text, "data 20.0 of 80.0 MB, 10.0 MB/s");
        assert_eq!(later.left, Some(at(6)));
        let rows = pace.word("rows", (0, 100), at(3)).unwrap();
        assert_eq!(rows.text, "rows: 0 of 100", "another thing begins anew");
        let end = pace.word("rows", (100, 100), at(3) + EVERY / 2).unwrap();
        assert_eq!(end.text, "rows: 100 of 100", "the end is always said");
    }
}
