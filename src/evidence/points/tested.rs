//! When a restore of a point was last tried: a backup that nobody restored is a hope.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::adapters::Error;
use crate::model::ids::{Digest, Time};

use super::super::index::write_whole;
use super::super::manifest::MANIFEST;
use super::Point;

/// Beside the manifest: when the point was last restored for a test.
const TESTED: &str = "tested.json";

#[derive(Serialize, Deserialize)]
struct Tested {
    at: Time,
    manifest: Option<Digest>,
}

/// When the point in `path` was last restored for a test, where that was of what lies there now.
pub(super) fn tested(path: &Path) -> Option<Time> {
    let tested: Tested = serde_json::from_slice(&fs::read(path.join(TESTED)).ok()?).ok()?;
    let now = fs::read(path.join(MANIFEST)).ok().map(|bytes| Digest::of(&bytes));
    (tested.manifest == now).then_some(tested.at)
}

/// Puts on record that `point` was restored for a test at `at` and found whole.
pub fn record_test(point: &Point, at: Time) -> Result<(), Error> {
    use std::io::Write as _;
    let tested = Tested { at, manifest: point.digest.clone() };
    let bytes = serde_json::to_vec(&tested).unwrap_or_default();
    write_whole(&point.path.join(TESTED), |file| file.write_all(&bytes))
}
