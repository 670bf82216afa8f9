//! The lease of a journal on a server: it is kept by a word now and then, and an engine that has
//! lost it ends.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::adapters::notify::Notify;
use crate::clock::Clock;
use crate::failure::{Exit, Failure};
use crate::journal::Place;
use crate::model::entry::Event;
use crate::text::SafeText;

use super::books::Line;
use super::run::{Engine, journal};

/// Between two words; a lease lasts 30 s.
const EVERY: Duration = Duration::from_secs(5);
/// How long a server that is away is waited for: what runs ends by itself meanwhile, and nothing is
/// begun. After that the world is another one, and a person is asked (G10).
pub(super) const AWAY: Duration = Duration::from_mins(15);
/// How long the end of an engine that was told to end waits for a server (decision 7).
const CLOSING: Duration = Duration::from_secs(4);
/// A server that took longer was away, and that is said.
const SLOW: Duration = Duration::from_secs(3);

/// What is known of the server's answers.
#[derive(Default)]
pub(super) struct Lease {
    /// The last answer, by the clock's ticks.
    answered: Option<Duration>,
    /// For how long there was none, when that is still to be said.
    away: Option<Duration>,
}

impl Lease {
    /// Takes in that the journal answered at `now` what it was asked at `began`.
    pub(super) fn answered(&mut self, now: Duration, began: Duration) {
        self.answered = Some(now);
        let took = now.saturating_sub(began);
        if took > SLOW {
            self.away = Some(took);
        }
    }
}

/// Waits until this process was told to end and did not, because its journal's server is away; for
/// ever where the journal is a file.
pub(super) async fn overdue(place: &Place, clock: &Clock) {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (true, (Ok(mut term), Ok(mut interrupt))) = (place.is_shared(), signals) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
    clock.sleep(CLOSING).await;
}

/// Tells the service manager that an engine that waits for its journal's server is no dead one.
pub(super) async fn alive_while_away(place: &Place, notify: Option<Notify>, clock: &Clock) {
    let Some((notify, every)) = notify.and_then(|notify| notify.every().map(|it| (notify, it)))
    else {
        return std::future::pending().await;
    };
    loop {
        clock.sleep(every).await;
        if place.is_away() {
            notify.say("WATCHDOG=1");
        }
    }
}

/// What an engine says that ended so.
pub(super) fn cut_short() -> Failure {
    Failure::new(
        Exit::Unknown,
        "could not write the engine's end: its journal's server does not answer",
    )
    .hint("nothing is lost: the next engine looks at what was under way")
}

impl Engine {
    /// Says that this engine is still there; fails when another one has the lease by now: nothing
    /// may be begun under an epoch that is over.
    pub(super) async fn keep_lease(&mut self, lines: &mut Vec<Line>) -> Result<(), Failure> {
        let Some(server) = &self.config.journal else { return Ok(()) };
        let now = self.clock.ticks();
        if self.lease.answered.is_none_or(|at| now.saturating_sub(at) >= EVERY) {
            self.books.renew().await.map_err(journal)?;
            self.lease.answered(self.clock.ticks(), now);
        }
        if let Some(away) = self.lease.away.take() {
            let text = format!(
                "the journal {} did not answer for {} s: nothing was begun meanwhile, and nothing \
                 is lost",
                server.shown(),
                away.as_secs()
            );
            lines.push(Line::from(Event::Trouble { text: SafeText::new(&text) }));
        }
        Ok(())
    }
}
