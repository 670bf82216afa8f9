//! The line to the engine: found, lost, found again; and a pair started where none is.

use std::time::Duration;

use crate::link::{self, Client, Down};
use crate::model::ids::Time;
use crate::tui::lock;
use crate::tui::words;
use crate::tui::world::LinkState;

use super::Feed;

/// A lock that is free for so long has no engine behind it.
const ORPHANED_AFTER: Duration = Duration::from_secs(2);
/// Between two tries to start a pair.
const START_AGAIN: Duration = Duration::from_secs(5);

impl Feed {
    pub(super) fn lose(&mut self) {
        tracing::warn!("the line to the engine is gone");
        self.line = None;
        self.told = None;
        self.clients.send_replace(None);
        self.lost = Some(self.clock.now());
        self.free = None;
    }

    pub(super) async fn connect(&mut self) {
        let socket = link::address(&self.pair.state, &self.pair.socket);
        let connected = Client::connect(&socket, self.hello.clone(), &self.clock).await;
        if let Ok((client, welcome, line)) = connected {
            self.greeted = Some((welcome.pid, welcome.epoch));
            self.world.link.state = LinkState::Live;
            self.world.link.foreign = welcome.read_only.then(|| welcome.version.clone());
            self.line = Some(line);
            self.lost = None;
            self.free = None;
            self.clients.send_replace(Some(client));
            return;
        }
        let now = self.clock.now();
        let lost = *self.lost.get_or_insert(now);
        if lock::is_free(&self.pair.state) {
            self.free.get_or_insert(now);
        } else {
            self.free = None;
        }
        let orphaned = self.free.filter(|free| words::since(*free, now) >= ORPHANED_AFTER);
        self.world.link.state = match orphaned {
            Some(since) => LinkState::Orphaned {
                since,
                command: Down::read(&self.pair.state).map(|down| down.command.to_string()),
            },
            None if self.world.situation.seq == 0 => LinkState::Connecting,
            None => LinkState::Lost { since: lost },
        };
        self.start(orphaned.is_some(), now).await;
    }

    /// Starts a pair where none is, unless a keeper gave up: then a person decides.
    async fn start(&mut self, orphaned: bool, now: Time) {
        let due = self.started.is_none_or(|at| words::since(at, now) >= START_AGAIN);
        if orphaned && due && !self.observer && Down::read(&self.pair.state).is_none() {
            self.started = Some(now);
            // A failure shows as ORPHANED, which is what it is.
            link::ensure(&self.pair, &self.clock).await.ok();
        }
    }
}
