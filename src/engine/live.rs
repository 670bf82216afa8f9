//! What the engine says of this moment: numbers that are true only now, and so are not journaled.

use crate::model::ids::Time;
use crate::model::live::{ClientCard, Live, LiveStep, LiveWatch};

use super::run::Engine;

impl Engine {
    /// The numbers of this moment.
    pub(super) fn live(&mut self, now: Time) -> Live {
        let comparison = self.compared(now);
        let looks = self.tracks.iter();
        let looks = looks.filter_map(|(id, track)| Some((id.clone(), track.looks?))).collect();
        let steps = self.live.iter().map(|(id, live)| {
            let told = live.told.borrow().clone();
            (id.clone(), LiveStep { text: told.text, part: told.part, left: told.left })
        });
        let clients = self.clients.iter().map(|(id, client)| ClientCard {
            name: client.author.name.clone(),
            uid: client.author.uid,
            lead: self.lead == Some(*id),
            read_only: client.read_only,
        });
        let run = self.books.situation.open_run();
        let watch =
            run.and_then(|run| Some((run, self.watched(run)?))).map(|(run, progress)| LiveWatch {
                counted: progress.counted,
                window: run.plan.core.watch,
                before: progress.before,
                now: progress.now,
                p95: progress.p95.filter(|seconds| seconds.is_finite()),
                failing: progress.failing,
                verdict: progress.verdict,
            });
        Live {
            // The heartbeat is held against other people's clocks.
            at: now + self.clock.drift(),
            signals: self.signals.clone(),
            steps: steps.collect(),
            watch,
            clients: clients.collect(),
            face: self.face.clone(),
            dropped: self.tail.lost(),
            counting: {
                let counting = self.roles.iter().filter(|(_, role)| role.counts_requests);
                counting.map(|(id, _)| id.clone()).collect()
            },
            can_hold: self.holding.can.clone(),
            looked_at: self.looked_at,
            looks,
            comparison,
            slos: self.rules.standings(now),
            bundle: self.bundling.preview.clone(),
            database: self.activity.last(),
        }
    }
}
