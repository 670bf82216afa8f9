//! `journal` and `database: {postgres: …}`: a database on a server, and how that server is brought
//! back to a moment.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::adapters::postgres::PostgresPlace;
use crate::adapters::postgres::cluster::HostPlace;

use super::take::{Item, Table, Variable};
use super::target::{Database, name};

/// Where the database is, where nothing else is written.
static DATABASE_URL: LazyLock<Variable> = LazyLock::new(|| Variable::new("DATABASE_URL"));

/// Where the Debian packages keep the files of servers, by version and name.
const DEBIAN: &str = "/var/lib/postgresql";

/// `journal: postgres://user@host:5432/name`, for teams with several bastions. It must not be what a
/// rollback takes back, or the record of the rollback would go back too.
pub(super) fn journal(root: &mut Table<'_>, database: Option<&Database>) -> Option<PostgresPlace> {
    let item = root.take("journal")?;
    let url = item.secret()?;
    item.note_open_password(&url);
    let place = match PostgresPlace::parse(url.reveal()) {
        Ok(place) => place,
        Err(why) => {
            let message = format!("{:?} cannot hold a journal: {why}", url.shown());
            item.wrong_with(&message, "write postgres://user@host:5432/name");
            return None;
        }
    };
    if let Some(Database::Postgres { url, wal_archive, repository, .. }) = database
        && let Ok(target) = PostgresPlace::parse(url.reveal())
        && (&target.host, target.port) == (&place.host, place.port)
        && (target.database == place.database || wal_archive.is_some() || repository.is_some())
    {
        item.wrong_with(
            "is in the database that a rollback takes back: the journal would go back with it",
            "name a database of another server, or leave it out: the state folder has one",
        );
        return None;
    }
    Some(place)
}

pub(super) fn postgres(mut table: Table<'_>) -> Option<Database> {
    let item = table.address("url", &DATABASE_URL);
    let service = table.take("service").and_then(|item| name(&item));
    let migrations = table.path("migrations");
    let (wal_archive, repository) =
        table.take("recovery").map_or((None, None), |item| recovery(&item, service.is_some()));
    table.finish();
    let item = item?;
    let url = item.secret()?;
    item.note_open_password(&url);
    if !["postgresql://", "postgres://"].iter().any(|scheme| url.reveal().starts_with(scheme)) {
        item.wrong_with(
            &format!("{:?} is not the address of a PostgreSQL database", url.shown()),
            "write postgresql://user@host:5432/name",
        );
        return None;
    }
    Some(Database::Postgres { url, service, migrations, wal_archive, repository })
}

/// `recovery: {wal_archive: …}` of a server in a container, or `recovery: {pgbackrest: …}` of one
/// on this host.
fn recovery(item: &Item<'_>, in_container: bool) -> (Option<PathBuf>, Option<HostPlace>) {
    let Some(mut recovery) = item.table() else { return (None, None) };
    if let Some(repository) = recovery.take("pgbackrest") {
        if in_container {
            let hint = "leave service out, or name the folder of its logs (wal_archive)";
            repository.wrong_with("works on a server of this host only", hint);
        }
        let found = repository.table().and_then(pgbackrest);
        recovery.finish();
        return (None, found);
    }
    if !in_container {
        let hint = "name the Compose service that the server is (service: postgres), or the \
                    repository of the server on this host (pgbackrest: {stanza: …, data: …})";
        item.wrong_with("works on a server in a container only", hint);
    }
    let archive = recovery.need("wal_archive").and_then(|item| item.path());
    recovery.finish();
    (archive, None)
}

/// `pgbackrest: {stanza: main, data: /var/lib/postgresql/15/main}`.
fn pgbackrest(mut table: Table<'_>) -> Option<HostPlace> {
    let stanza = table.need("stanza").and_then(|item| name(&item));
    let data = table.need("data").and_then(|item| item.path());
    let config = table.path("config");
    let words = |table: &mut Table<'_>, key: &str| -> Vec<String> {
        table.list(key).iter().filter_map(Item::word).collect()
    };
    let (stop, start) = (words(&mut table, "stop"), words(&mut table, "start"));
    let own = data.as_deref().and_then(debian);
    if own.is_none() && (stop.is_empty() || start.is_empty()) && data.is_some() {
        let message = "how the server is stopped and started is not known";
        let hint = "add stop: [systemctl, stop, NAME] and start: [systemctl, start, NAME]";
        table.desk.problem(table.at, &table.path, message, Some(hint.to_owned()));
    }
    table.finish();
    let (own_stop, own_start) = own.unwrap_or_default();
    let or = |given: Vec<String>, own| if given.is_empty() { own } else { given };
    let (stop, start) = (or(stop, own_stop), or(start, own_start));
    Some(HostPlace { stanza: stanza?, config, data: data?, stop, start })
}

/// How a server of the Debian packages is stopped and started, by where its files lie.
fn debian(data: &Path) -> Option<(Vec<String>, Vec<String>)> {
    let place = data.strip_prefix(DEBIAN).ok()?.to_str()?;
    let (version, name) = place.split_once('/').filter(|(_, name)| !name.contains('/'))?;
    let words = |rest: &[&str]| {
        let all = ["pg_ctlcluster", version, name].into_iter().chain(rest.iter().copied());
        all.map(str::to_owned).collect::<Vec<_>>()
    };
    Some((words(&["stop", "-m", "fast"]), words(&["start"])))
}
