//! The lease of a journal on a server: a row with the time at which it runs out, by the server's clock.

use std::path::Path;

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::model::ids::Epoch;

use super::super::super::Error;
use super::super::super::chain::damaged;
use super::super::super::folder::Lease;
use super::super::super::place::Place;
use super::PostgresStore;
use super::words::{LEASE, literal};

/// This writer, as the lease names it.
#[derive(Clone, Debug)]
pub(super) struct Holder {
    pub(super) id: String,
    pub(super) epoch: Epoch,
}

impl PostgresStore {
    /// Whether an engine ever took the lease: there is a journal then, if an empty one.
    pub(in super::super::super) async fn was_begun(&mut self) -> Result<bool, Error> {
        let query = "SELECT max(epoch) FROM backout.lease";
        Ok(self
            .scalar("read the lease of the journal", query)
            .await?
            .is_some_and(|epoch| epoch > 0))
    }

    /// The epoch of the lease, where this one has it.
    pub(in super::super::super) fn epoch(&self) -> Option<Epoch> {
        self.holder.as_ref().map(|holder| holder.epoch)
    }

    /// Takes the lease when nobody has it, its holder's time is over, or its holder was the engine of
    /// this very state folder, of which the kernel says that it is gone. Its epoch is above every
    /// epoch in the journal.
    pub(super) async fn take(&mut self, id: &str) -> Result<(), Error> {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let (host, pid) = (literal(host.trim()), std::process::id());
        // Of two that ask at once the second waits for the first, and finds it taken. A question
        // that is asked again because its answer was lost finds its own name.
        let query = format!(
            "UPDATE backout.lease SET holder = '{id}', host = {host}, pid = {pid}, \
             epoch = greatest(epoch, (SELECT coalesce(max(epoch), 0) FROM backout.entries)) + 1, \
             taken = clock_timestamp(), expires = clock_timestamp() + interval '{LEASE} s' \
             WHERE expires <= clock_timestamp() OR holder = '{id}' RETURNING epoch"
        );
        let taken = self.ask("take the lease of the journal", &query).await?;
        if let Some(row) = taken.first() {
            let epoch = row.try_get::<i64, _>(0).map_err(self.refused("take the lease"))?;
            self.holder = Some(Holder { id: id.to_owned(), epoch: epoch.cast_unsigned() });
            return Ok(());
        }
        Err(match self.holder_now(None).await? {
            Some(held) => held,
            None => damaged(0, "its lease could neither be taken nor is it held"),
        })
    }

    /// Who holds the lease at this moment, except the engine called `but`.
    async fn holder_now(&mut self, but: Option<&str>) -> Result<Option<Error>, Error> {
        let but = literal(but.unwrap_or_default());
        let query = format!(
            "SELECT host, pid, to_char(taken AT TIME ZONE 'UTC', 'HH24:MI:SS\"Z\"'), epoch \
             FROM backout.lease WHERE expires > clock_timestamp() AND holder <> {but}"
        );
        let held = self.ask("read the lease of the journal", &query).await?;
        let text = |row: &PgRow, at: usize| row.try_get::<String, _>(at).unwrap_or_default();
        let number = |row: &PgRow, at: usize| row.try_get::<i64, _>(at).unwrap_or_default();
        Ok(held.first().map(|row| Error::HeldElsewhere {
            host: text(row, 0),
            pid: number(row, 1),
            since: text(row, 2),
            epoch: number(row, 3).cast_unsigned(),
            server: self.server.shown().to_owned(),
        }))
    }

    /// Who holds the lease, when that is not an engine of the folder `state`.
    pub(in super::super::super) async fn held_but_by(
        &mut self,
        state: &Path,
    ) -> Result<Option<Error>, Error> {
        self.holder_now(Lease::name_in(state).as_deref()).await
    }

    /// Says that this one is still there; whether the lease is still its own.
    pub(super) async fn say_here(&mut self) -> Result<bool, Error> {
        let Some(holder) = self.holder.clone() else { return Ok(false) };
        let query = format!(
            "UPDATE backout.lease SET expires = clock_timestamp() + interval '{LEASE} s' \
             WHERE holder = '{}' AND epoch = {} RETURNING epoch",
            holder.id, holder.epoch
        );
        Ok(!self.ask("renew the lease of the journal", &query).await?.is_empty())
    }

    /// Gives the lease back, where this one has it.
    pub(super) async fn give_back(&mut self) -> Result<(), Error> {
        let Some(holder) = self.holder.take() else { return Ok(()) };
        let query = format!(
            "UPDATE backout.lease SET expires = '-infinity' WHERE holder = '{}' AND epoch = {}",
            holder.id, holder.epoch
        );
        self.ask("give the lease of the journal back", &query).await.map(drop)
    }
}

/// Who holds the lease of the journal at `place`, when that is not an engine of its state folder;
/// nothing where the journal is a file.
pub(in super::super::super) async fn held_elsewhere(place: &Place) -> Result<Option<Error>, Error> {
    let Some(server) = &place.server else { return Ok(None) };
    PostgresStore::open_read(server).await?.held_but_by(&place.state).await
}
