//! Hears that something happened on the journal's server, and where nothing can be heard says when to
//! look: a pooler in transaction mode lets nobody listen.

use std::time::Duration;

use sqlx::postgres::PgListener;

use super::place::{Place, Server};

/// Between two tries to listen.
const AGAIN: Duration = Duration::from_secs(10);

/// What is listened for.
#[derive(Clone, Copy, Debug)]
pub enum Channel {
    /// Commands, and people who come and go: what an engine waits for.
    Commands,
    /// Entries and answers: what a client waits for.
    News,
}

impl Channel {
    fn name(self) -> &'static str {
        match self {
            Self::Commands => "backout_commands",
            Self::News => "backout_news",
        }
    }
}

/// An ear at the journal's server.
pub struct Ear {
    server: Option<Server>,
    channel: Channel,
    listener: Option<PgListener>,
    /// Whether anything was ever heard on this line: then looking can be rare.
    works: bool,
    /// When listening was tried last, by the clock's ticks.
    tried: Option<Duration>,
}

impl Ear {
    /// An ear for the journal at `place`; it begins to listen with the first wait.
    pub fn at(place: &Place, channel: Channel) -> Self {
        Self { server: place.server.clone(), channel, listener: None, works: false, tried: None }
    }

    /// Waits until something was heard or it is time to look: after `quick` as long as nothing was
    /// ever heard, else after `slow`. May be dropped at any time.
    pub async fn wait(&mut self, quick: Duration, slow: Duration) {
        let Some(server) = self.server.clone() else { return std::future::pending().await };
        let clock = server.clock().clone();
        if self.listener.is_none()
            && self.tried.is_none_or(|at| clock.ticks().saturating_sub(at) > AGAIN)
        {
            self.tried = Some(clock.ticks());
            self.works = false;
            self.listener = server.listen(self.channel.name()).await.ok();
        }
        let limit = if self.works { slow } else { quick };
        let Some(listener) = &mut self.listener else { return clock.sleep(limit).await };
        match clock.timeout(limit, listener.try_recv()).await {
            Ok(Ok(Some(_))) => {
                self.works = true;
                // What else was said by now is looked at together.
                while listener.next_buffered().is_some() {}
            }
            Ok(Ok(None) | Err(_)) => {
                self.listener = None;
                self.works = false;
                clock.sleep(quick).await;
            }
            Err(_) => {}
        }
    }
}
