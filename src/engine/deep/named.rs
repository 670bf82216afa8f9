//! What a plan of level 2 or 3 fills its playbook with.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::adapters::Error;
use crate::adapters::database::BASE;
use crate::adapters::migrations::Migration;
use crate::evidence::points;
use crate::model::hold::HoldPart;
use crate::model::until::Until;

use super::super::{gone, planner};
use super::Ground;
use super::parts::{config_files, marker_beside, strip};

/// Whether a Redis is configured that can be restored beside the live one.
pub(super) fn can_swap(ground: &Ground<'_>) -> bool {
    ground.stack.cache.as_ref().is_some_and(|cache| cache.stays().is_none())
}

/// What the playbooks ask for.
pub(super) fn named<'a>(ground: &Ground<'_>) -> Result<BTreeMap<&'a str, Value>, Error> {
    let Ground { config, from, to, point, release, before, manifest, .. } = ground;
    let mut named = planner::placeholders(config, from, to);
    let down: Vec<Value> = ground.migrations.iter().map(Migration::facts).collect();
    let file = |name: &str| {
        let known = match manifest {
            Some((manifest, _)) => manifest.files.get(name).map(|file| file.sha256.clone()),
            None => ground.by_hand.get(name).cloned(),
        };
        Some((name.to_owned(), known?))
    };
    let tables = match manifest {
        Some((manifest, _)) => manifest.tables.clone(),
        None => ground.dumped.clone(),
    };
    let until = ground.logs.until.as_ref();
    let base = ground.stack.database.as_ref().map_or(BASE, |database| database.base_name());
    let dump = if until.is_some() { base } else { points::DATABASE };
    let (dump, archive) = (file(dump), file(points::DATA));
    let archive = archive.filter(|_| config.backup.data.is_some());
    let dump = dump.filter(|_| ground.stack.database.is_some());
    let redis = file(points::KEYS).filter(|_| can_swap(ground));
    let keys = manifest.as_ref().and_then(|(manifest, _)| manifest.keys.clone());
    let health = &config.rollback;
    named.extend([
        ("version", json!(release.version)),
        ("digest", json!(release.digest)),
        ("before_version", json!(before.version)),
        ("before_digest", json!(before.digest.clone().unwrap_or_default())),
        ("down", json!(down)),
        ("files", config_files(ground)?),
        ("tables", json!(tables)),
        (
            "gone",
            json!(gone::sentences(
                &ground.migrations,
                manifest.as_ref().map(|(manifest, _)| manifest)
            )),
        ),
        ("tools", json!(ground.tools)),
        ("marker", json!(config.proofs.marker)),
        ("moved_marker", json!(marker_beside(config))),
        ("smoke", json!(config.proofs.smoke)),
        ("point", json!(point.id)),
        ("manifest", json!(manifest.as_ref().map(|(_, digest)| digest))),
        ("until", json!(until)),
        ("later", json!(until.is_some())),
        ("lost_from", json!(until.and_then(Until::time).or(point.taken_at))),
        ("page", json!(ground.stack.traffic.can_hold(HoldPart::Page))),
        ("writers", json!(ground.stack.traffic.can_hold(HoldPart::Writers))),
        ("vault", json!(ground.stack.vault.is_some())),
        ("dump", json!(dump.is_some())),
        ("archive", json!(archive.is_some())),
        ("redis", json!(redis.is_some())),
        ("redis_keys", json!(keys)),
        ("redis_at", json!(point.taken_at.filter(|_| redis.is_some()))),
        ("data_files", json!(config.backup.data.as_ref().filter(|_| archive.is_some()))),
        ("data_dir", json!(config.backup.data)),
        ("strip", json!(strip(config))),
        ("health_seconds", json!(health.health_wait.as_secs())),
        ("health_every_seconds", json!(health.health_every.as_secs_f64())),
        ("health_budget", json!(format!("{}s", health.health_wait.as_secs() + 30))),
    ]);
    for (name, sha, found) in [
        ("dump_file", "dump_sha", dump),
        ("archive_file", "archive_sha", archive),
        ("redis_file", "redis_sha", redis),
    ] {
        let (file, digest) = found.unwrap_or_default();
        named.extend([(name, json!(file)), (sha, json!(digest))]);
    }
    Ok(named)
}
