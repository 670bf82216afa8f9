//! What a restore point holds beside the database, how long it is kept, and what signs it:
//! `backup`, `backup_retention_days`, `restore_points_key`.

use std::path::PathBuf;
use std::time::Duration;

use super::check::Table;
use super::node::Value;

const DAY: Duration = Duration::from_hours(24);

/// What a restore point holds beside the database, and how long it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Files of the configuration and the environment.
    pub files: Vec<PathBuf>,
    /// The folder of data, which becomes `data.tar.gz`.
    pub data: Option<PathBuf>,
    /// The Docker volume that the folder is, where it is one.
    pub volume: Option<String>,
    /// Whether `data` is only where Docker usually keeps that volume, because no folder was named
    /// and the engine was not asked.
    pub usual_place: bool,
    /// How long a point is kept (P-82: 30 days).
    pub keep_for: Duration,
    /// How many are kept however old they are.
    pub keep_count: u32,
}

/// `backup: {files: […], data: DIR, keep_count: 3}` and `backup_retention_days: 30`.
pub(super) fn backup(root: &mut Table<'_>) -> Backup {
    let days = root.count("backup_retention_days", 1, 3650).unwrap_or(30);
    let mut backup = Backup {
        files: Vec::new(),
        data: None,
        volume: None,
        usual_place: false,
        keep_for: DAY * days,
        keep_count: 3,
    };
    let Some(mut table) = root.table("backup") else {
        return backup;
    };
    backup.files = table.list("files").iter().filter_map(super::check::Item::path).collect();
    (backup.data, backup.volume, backup.usual_place) = data(&mut table);
    backup.keep_count = table.count("keep_count", 1, 10_000).unwrap_or(backup.keep_count);
    table.finish();
    backup
}

/// `data: DIR`, or `data: {volume: NAME}`, with the `folder` where that is not for the engine to
/// say; and whether the folder is only the usual one.
fn data(table: &mut Table<'_>) -> (Option<PathBuf>, Option<String>, bool) {
    let Some(item) = table.take("data") else { return (None, None, false) };
    if !matches!(item.node.value, Value::Map(_)) {
        return (item.path(), None, false);
    }
    let Some(mut table) = item.table() else { return (None, None, false) };
    let volume = table.need("volume").and_then(|item| {
        let text = item.text()?;
        let good = text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
        if !good {
            item.wrong_with(
                &format!("{text:?} is not a volume's name"),
                "write it as docker volume ls shows it",
            );
        }
        good.then_some(text)
    });
    let folder = table.path("folder");
    table.finish();
    let usual = volume
        .as_ref()
        .filter(|_| folder.is_none())
        .map(|volume| PathBuf::from("/var/lib/docker/volumes").join(volume).join("_data"));
    let is_usual = usual.is_some();
    (folder.or(usual), volume, is_usual)
}

/// `restore_points_key: {file: …}`: with it every point is signed, and one without is refused.
pub(super) fn key(root: &mut Table<'_>) -> Option<PathBuf> {
    let mut table = root.table("restore_points_key")?;
    let path = table.need("file").and_then(|item| item.path());
    table.finish();
    path
}
