//! The server as the application's database: what a plain one answers, and what only its files,
//! its logs and its volumes can.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::SubsecRound as _;

use crate::adapters::beside::{BESIDE, blocking};
use crate::adapters::database::{
    Applied, BASE, Database, Limits, REPOSITORY, Recovery, Script, Told,
};
use crate::adapters::postgres::literal;
use crate::adapters::postgres::wal::Label;
use crate::adapters::postgres::wal::base::Control;
use crate::adapters::process::quoted;
use crate::adapters::{Error, Kind};
use crate::model::activity::Activity;
use crate::model::ids::Time;
use crate::model::tables::TableFacts;
use crate::model::until::Zone;
use crate::model::window::Window;
use crate::text::SafeText;

use super::PostgresCluster;
use super::copy::ClusterCopy;
use super::seat::{Seat, Server};

#[async_trait]
impl Database for PostgresCluster {
    fn called(&self, effect: &str) -> Option<Arc<dyn Database>> {
        let (place, plain) = (self.place.called(effect), self.plain.with_sessions_called(effect));
        Some(Arc::new(Self { place, plain, ..self.clone() }))
    }

    async fn end_sessions(&self) -> Result<Vec<SafeText>, Error> {
        self.plain.end_sessions().await
    }

    async fn identity(&self) -> Result<String, Error> {
        match self.plain.identity().await {
            Ok(identity) => Ok(identity),
            // A server that is down still says in its files who it is.
            Err(error) => {
                let Ok((_, store)) = self.live().await else { return Err(error) };
                let control = Control::of(&store.data()).map_err(|_| error)?;
                Ok(format!("postgres:{}/{}", control.system, self.place.database))
            }
        }
    }

    fn name(&self) -> String {
        self.plain.name()
    }

    async fn ledger(&self) -> Result<Vec<Applied>, Error> {
        self.plain.ledger().await
    }

    async fn revisions(&self) -> Result<BTreeMap<String, String>, Error> {
        self.plain.revisions().await
    }

    async fn zone(&self, at: Time) -> Result<Option<Zone>, Error> {
        let (live, _) = self.live().await?;
        // Asked where nobody sets another zone for the connection.
        let sql = format!(
            "SELECT current_setting('TimeZone'), extract(timezone FROM to_timestamp({}))::int",
            at.timestamp()
        );
        let rows = self.psql(&live.id, &sql).await?;
        let zone = rows.into_iter().next().and_then(|row| {
            let mut columns = row.into_iter();
            let name = SafeText::new(&columns.next()?);
            Some(Zone { name, shift: columns.next()?.parse().ok()? })
        });
        Ok(zone)
    }

    async fn activity(&self) -> Result<Option<Activity>, Error> {
        self.plain.activity().await
    }

    async fn operations(&self) -> Result<Vec<SafeText>, Error> {
        self.plain.operations().await
    }

    fn url(&self) -> String {
        self.plain.url()
    }

    fn can_hold_writers(&self) -> bool {
        self.plain.can_hold_writers()
    }

    async fn writers_held(&self) -> Result<bool, Error> {
        self.plain.writers_held().await
    }

    /// What is recovered up to a moment after the hold has it, too: it is lifted on what is live
    /// then.
    async fn hold_writers(&self, held: bool) -> Result<(), Error> {
        self.plain.hold_writers(held).await
    }

    fn hold_writers_by_hand(&self, held: bool) -> String {
        self.plain.hold_writers_by_hand(held)
    }

    async fn tables(&self) -> Result<Vec<TableFacts>, Error> {
        self.plain.tables().await
    }

    async fn problems(&self) -> Result<Vec<SafeText>, Error> {
        self.plain.problems().await
    }

    async fn size(&self) -> Result<u64, Error> {
        self.plain.size().await
    }

    async fn table_sizes(&self) -> Result<Vec<(String, u64)>, Error> {
        self.plain.table_sizes().await
    }

    async fn dump(&self, into: &Path, told: Told<'_>) -> Result<Vec<TableFacts>, Error> {
        self.plain.dump(into, told).await
    }

    async fn run_script(
        &self,
        script: &Script,
        limits: Limits,
        effect: &str,
    ) -> Result<SafeText, Error> {
        self.plain.run_script(script, limits, effect).await
    }

    async fn has_effect(&self, effect: &str) -> Result<bool, Error> {
        self.plain.has_effect(effect).await
    }

    async fn restore_beside(
        &self,
        dump: &Path,
        name: &str,
        effect: &str,
        told: Told<'_>,
    ) -> Result<(), Error> {
        self.plain.restore_beside(dump, name, effect, told).await
    }

    fn beside(&self, name: &str) -> Arc<dyn Database> {
        Arc::new(ClusterCopy::new(self.clone(), name, self.plain.beside(name)))
    }

    async fn exists(&self) -> Result<bool, Error> {
        self.plain.exists().await
    }

    async fn only_here(
        &self,
        name: &str,
        into: Option<&Path>,
    ) -> Result<Vec<(String, u64)>, Error> {
        let (_, store) = self.live().await?;
        if !store.holds(name) {
            return self.plain.only_here(name, into).await;
        }
        self.plain.only_against(&self.on_copy(name).await?, into).await
    }

    async fn swap(&self, name: &str, keep: &str) -> Result<SafeText, Error> {
        let (_, store) = self.live().await?;
        if store.holds_of_run(name) {
            self.swapped(name, keep).await
        } else {
            self.plain.swap(name, keep).await
        }
    }

    async fn remove_beside(&self, name: &str) -> Result<(), Error> {
        self.removed(name).await?;
        match self.plain.remove_beside(name).await {
            // A server that is down has no copy that could be removed now.
            Err(error) if matches!(error.kind, Kind::Refused | Kind::Reset) => Ok(()),
            removed => removed,
        }
    }

    async fn copy_back(
        &self,
        name: &str,
        table: &str,
        column: Option<&str>,
    ) -> Result<Vec<String>, Error> {
        let (_, store) = self.live().await?;
        if store.holds(name) {
            return Ok(vec![self.copy_command(name, table).await]);
        }
        self.plain.copy_back(name, table, column).await
    }

    fn restore_by_hand(&self, dump: &Path, name: &str, keep: &str) -> Vec<String> {
        if dump.file_name().is_some_and(|file| file == self.base_name()) {
            return self.recover_by_hand(dump, name, keep);
        }
        self.plain.restore_by_hand(dump, name, keep)
    }

    async fn copy_cold(&self, into: &Path) -> Result<Vec<String>, Error> {
        self.copied_cold(into).await
    }

    fn remove_by_hand(&self, name: &str) -> String {
        if !self.store.get().is_some_and(|store| store.holds_of_run(name)) {
            return self.plain.remove_by_hand(name);
        }
        let container = quoted(&self.copy_id(name));
        if let Seat::Host(_) = &self.seat {
            return format!("pg_ctl -D {container} stop; rm -r {container}");
        }
        let volumes = format!("docker volume ls -q -f label={BESIDE}={}", quoted(name));
        format!("docker rm -f {container}; docker volume rm $({volumes})")
    }

    fn place_of(&self, name: &str) -> Option<PathBuf> {
        self.store.get().map(|store| store.beside(name))
    }

    async fn copy_command(&self, name: &str, table: &str) -> String {
        match self.live().await {
            Ok((_, store)) if store.holds(name) && matches!(self.seat, Seat::Host(_)) => {
                let copy = self.copy_place(name).await.map(|copy| copy.open_url());
                let from = quoted(&copy.unwrap_or_else(|_| "URL-OF-THE-COPY".to_owned()));
                let into = quoted(&self.place.open_url());
                let table = quoted(table);
                format!(
                    "pg_dump -d {from} --data-only -t {table} | psql -v ON_ERROR_STOP=1 -d {into}"
                )
            }
            Ok((live, store)) if store.holds(name) => {
                let tool = |container: &str, rest: &str| {
                    let (user, database) = (quoted(&self.place.user), quoted(&self.place.database));
                    format!("docker exec -i {container} {rest} -U {user} -d {database}")
                };
                let from = tool(&quoted(&self.copy_id(name)), "pg_dump");
                let into = tool(&quoted(&live.name), "psql -v ON_ERROR_STOP=1");
                format!("{from} --data-only -t {} | {into}", quoted(table))
            }
            Ok(_) | Err(_) => self.plain.copy_command(name, table).await,
        }
    }

    fn script_by_hand(&self, script: &Path) -> String {
        self.plain.script_by_hand(script)
    }

    fn dump_by_hand(&self) -> String {
        self.plain.dump_by_hand()
    }

    fn drop_by_hand(&self, table: &str) -> String {
        self.plain.drop_by_hand(table)
    }

    async fn window(&self, base: &Path) -> Result<Option<Window>, Error> {
        if !base.exists() {
            return Ok(None);
        }
        let (live, store) = self.live().await?;
        if let Seat::Host(host) = &self.seat {
            let (_, mut window) = self.reach_here(host, (&live, &store), base, None).await?;
            self.grown(&live, &mut window).await;
            return Ok(Some(window));
        }
        let (path, known) = (base.to_owned(), base.metadata().and_then(|found| found.modified()));
        let label = blocking(move || Label::read(&path)).await?;
        let finished = known.ok().map(Time::from);
        let mut window = self.reach((&live, &store), label, (None, finished), None).await?;
        self.grown(&live, &mut window).await;
        Ok(Some(window))
    }

    async fn recover_beside(
        &self,
        order: &Recovery<'_>,
        told: Told<'_>,
    ) -> Result<SafeText, Error> {
        self.recovered(order, told).await
    }

    fn base_name(&self) -> &'static str {
        match &self.seat {
            Seat::Engine(..) => BASE,
            Seat::Host(_) => REPOSITORY,
        }
    }

    async fn base_backup(&self, into: &Path, told: Told<'_>) -> Result<Option<SafeText>, Error> {
        self.backed_up(into, told).await.map(Some)
    }

    async fn name_point(&self, name: &str) -> Result<Option<SafeText>, Error> {
        let (live, _) = self.live().await?;
        let sql = format!("SELECT pg_create_restore_point({})", literal(name).trim());
        let lsn = self.ask(&live.id, &sql).await?;
        Ok(Some(SafeText::new(&format!("restore point {name} at {lsn}"))))
    }
}

impl PostgresCluster {
    /// Only a server that answers, and whose logs reach the archive, gives out its last one.
    async fn grown(&self, live: &Server, window: &mut Window) {
        let sql = "SELECT current_setting('archive_mode') <> 'off' AND (last_failed_time IS NULL \
                   OR coalesce(last_archived_time > last_failed_time, false)) \
                   FROM pg_stat_archiver";
        let archives = live.up && self.ask(&live.id, sql).await.is_ok_and(|said| said == "t");
        if window.gaps.is_empty() && archives {
            window.grows = true;
            window.until = self.clock.now().trunc_subsecs(3);
        }
    }
}
