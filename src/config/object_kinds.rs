//! The settings of checks of something that lies there or does not: a file, an object of a bucket,
//! what another program said last.

use std::path::Path;
use std::time::Duration;

use crate::adapters::http::Target;
use crate::checks::file::Limits;
use crate::checks::{file, push, s3_object};

use super::kinds::thresholds;
use super::site_target::bucket;
use super::take::Table;

/// `path`, and what is expected of it.
pub(super) fn file(table: &mut Table<'_>) -> Option<file::Settings> {
    let path = table.need("path").and_then(|item| item.path());
    let (present, limits) = (present(table, "a file"), limits(table));
    Some(file::Settings { path: path?, present, limits })
}

/// `bucket`, `key`, and what is expected of it; keys from the file, else the environment.
pub(super) fn s3_object(table: &mut Table<'_>) -> Option<s3_object::Settings> {
    let at = bucket(table);
    let key = table.need("key").and_then(|item| {
        let key = item.text()?;
        if key.is_empty() || key.starts_with('/') || key.ends_with('/') {
            let hint = "write it like backups/newest.dump";
            item.wrong_with(&format!("{key:?} is not the name of an object"), hint);
            return None;
        }
        Some(key)
    });
    let (present, limits) = (present(table, "an object"), limits(table));
    let (bucket, keys) = at?;
    Some(s3_object::Settings {
        endpoint: Target::parse(&bucket.endpoint).ok()?,
        region: bucket.region,
        keys,
        bucket: bucket.name,
        key: key?,
        present,
        limits,
    })
}

/// `max_age`, and thresholds on the value that is posted. Where it is kept when something is.
pub(super) fn push(table: &mut Table<'_>, state_dir: &Path) -> Option<push::Settings> {
    let max_age = longest(table);
    if max_age.is_none() && !table.has("max_age") {
        let hint = "max_age: 25h for a job of every night".to_owned();
        let message = "max_age is missing: from when on is its silence a failure?";
        table.desk.problem(table.at, &table.path, message, Some(hint));
    }
    let thresholds = thresholds(table);
    Some(push::Settings { dir: state_dir.join("posted"), max_age: max_age?, thresholds })
}

/// `max_age`: how old it may be.
fn longest(table: &mut Table<'_>) -> Option<Duration> {
    table.span("max_age", Duration::from_secs(1), Duration::from_hours(24 * 366))
}

/// `expect`: whether it has to be there.
fn present(table: &mut Table<'_>, what: &str) -> bool {
    let mut present = true;
    let words = table.take("expect").and_then(|item| item.one_or_list());
    for item in words.unwrap_or_default() {
        match item.text().as_deref() {
            Some("absent") => present = false,
            Some("exists" | "present") => present = true,
            Some(other) => item.wrong_with(
                &format!("{other:?} is not expected of {what}"),
                "write exists or absent; max_age_seconds, min_bytes and max_bytes say more",
            ),
            None => {}
        }
    }
    present
}

/// `max_age`, `min_bytes`, `max_bytes` and thresholds on the bytes.
fn limits(table: &mut Table<'_>) -> Limits {
    let max_age = longest(table);
    let (min_bytes, max_bytes) = (bytes(table, "min_bytes"), bytes(table, "max_bytes"));
    Limits { max_age, min_bytes, max_bytes, thresholds: thresholds(table) }
}

fn bytes(table: &mut Table<'_>, key: &str) -> Option<u64> {
    let item = table.take(key)?;
    let text = item.scalar()?;
    let bytes = text.parse().ok();
    if bytes.is_none() {
        item.wrong(&format!("{text:?} is not a number of bytes"));
    }
    bytes
}
