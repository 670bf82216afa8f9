//! What a restore point holds beside the database, how long it is kept, and what signs it:
//! `backup`, `backup_retention_days`, `restore_points_key`.

use std::path::PathBuf;
use std::time::Duration;

use crate::adapters::http::Target;
use crate::adapters::objects::AwsKeys;

use super::site_target::{self, Bucket, Store};
use super::take::{Desk, Item, Table};

const DAY: Duration = Duration::from_hours(24);

/// What a restore point holds beside the database, and how long it is kept.
#[derive(Clone, Debug, PartialEq)]
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
    /// Where a safety backup is copied to off this host (P-14, P-19).
    pub location: Option<Location>,
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
        location: None,
        keep_for: DAY * days,
        keep_count: 3,
    };
    let Some(mut table) = root.table("backup") else {
        backup.location = of_environment(root.desk);
        return backup;
    };
    backup.files = table.list("files").iter().filter_map(super::take::Item::path).collect();
    (backup.data, backup.volume, backup.usual_place) = data(&mut table);
    backup.keep_count = table.count("keep_count", 1, 10_000).unwrap_or(backup.keep_count);
    backup.location = match table.take("location") {
        Some(item) => location(&item),
        None => of_environment(table.desk),
    };
    table.finish();
    backup
}

/// Where copies of backups go.
#[derive(Clone, Debug, PartialEq)]
pub struct Location {
    /// The bucket or the folder.
    pub store: Store,
    /// Before the name of what is copied: empty, or it ends with a slash.
    pub prefix: String,
    /// Who copies; none where anybody may.
    pub keys: Option<AwsKeys>,
}

impl Location {
    /// As it is written in the configuration.
    pub fn words(&self) -> String {
        match &self.store {
            Store::Folder(dir) => dir.display().to_string(),
            Store::S3(bucket) => format!("s3://{}/{}", bucket.name, self.prefix),
        }
    }
}

/// `s3://bucket/prefix/`, or a folder. The service is AWS's own in `AWS_REGION`, else what
/// `AWS_ENDPOINT_URL` names; its keys are those of the environment.
fn location(item: &Item<'_>) -> Option<Location> {
    let text = item.text()?;
    if !text.contains("://") {
        let store = Store::Folder(item.path()?);
        return Some(Location { store, prefix: String::new(), keys: None });
    }
    let found = in_bucket(item.desk, &text);
    if found.is_none() {
        let hint = "write s3://BUCKET/PREFIX/, or the path of a folder";
        item.wrong_with(&format!("{text:?} is no place for copies"), hint);
    }
    found
}

/// `S3_BACKUP_BUCKET`, below the prefix that document 001 uses.
fn of_environment(desk: &Desk<'_>) -> Option<Location> {
    let bucket = desk.environment.get("S3_BACKUP_BUCKET")?;
    in_bucket(desk, &format!("s3://{bucket}/rollback/"))
}

fn in_bucket(desk: &Desk<'_>, address: &str) -> Option<Location> {
    let (name, prefix) = address
        .strip_prefix("s3://")?
        .split_once('/')
        .unwrap_or_else(|| (address.trim_start_matches("s3://"), ""));
    let good = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if name.is_empty()
        || !name.chars().all(good)
        || prefix.contains("//")
        || prefix.starts_with('/')
    {
        return None;
    }
    let slash = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
    let of = |name: &str| desk.environment.get(name).map(str::to_owned);
    let region = of("AWS_REGION").unwrap_or_else(|| site_target::REGION.to_owned());
    let endpoint = of("AWS_ENDPOINT_URL").filter(|url| Target::parse(url).is_ok());
    let endpoint = endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
    Some(Location {
        store: Store::S3(Bucket { name: name.to_owned(), endpoint, region }),
        prefix: format!("{prefix}{slash}"),
        keys: site_target::keys(desk, None, None),
    })
}

/// `data: DIR`, or `data: {volume: NAME}`, with the `folder` where that is not for the engine to
/// say; and whether the folder is only the usual one.
fn data(table: &mut Table<'_>) -> (Option<PathBuf>, Option<String>, bool) {
    let Some(item) = table.take("data") else { return (None, None, false) };
    if !item.is_map() {
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
