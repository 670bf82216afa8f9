//! The parts of what goes back: configuration, data, schema, and what no script brings back.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::adapters::Error;
use crate::config::Config;
use crate::evidence::points;
use crate::model::ids::Digest;
use crate::model::keys;
use crate::model::plan::{Level, Move, Way};
use crate::text::SafeText;

use super::super::config_diff::{self, Side};
use super::super::gone::Gone;
use super::super::stack;
use super::Ground;

/// The corruption marker where it lies outside the folder that is swapped whole: it speaks of the
/// data that is put away, and goes with it.
pub(super) fn marker_beside(config: &Config) -> Option<&PathBuf> {
    let data = config.backup.data.as_deref();
    let marker = config.proofs.marker.as_ref()?;
    (!data.is_some_and(|data| marker.starts_with(data))).then_some(marker)
}

/// The configuration files that the point holds.
pub(super) fn config_files(ground: &Ground<'_>) -> Result<Value, Error> {
    let mut files = Vec::new();
    for path in &ground.config.backup.files {
        let from = ground.folder.join(inside(ground.config, path));
        if from.exists() {
            let text = read(&from)?;
            let sha256 = Digest::of(&text);
            files.push(json!({"path": path, "from": from, "sha256": sha256}));
        }
    }
    Ok(json!(files))
}

/// What a restore of the configuration would change; bytes that are no text are only counted as
/// changed, by the moves.
pub(super) fn differences(ground: &Ground<'_>) -> Vec<SafeText> {
    let mut all = Vec::new();
    for path in &ground.config.backup.files {
        let name = inside(ground.config, path);
        let text = |path: &Path| std::fs::read_to_string(path).ok();
        let (now, then) = (text(path), text(&ground.folder.join(&name)));
        if let (now, Some(then)) = (now.unwrap_or_default(), then) {
            let now = Side { called: "now", text: &now };
            let then = Side { called: "at the point", text: &then };
            all.extend(config_diff::diff(&name.display().to_string(), now, then));
        }
    }
    all
}

/// The path that a file has inside a restore point.
pub(super) fn inside(config: &Config, path: &Path) -> PathBuf {
    PathBuf::from(points::inside(&stack::saved(config).base, path))
}

/// Leading folders of the archive above the data itself.
pub(super) fn strip(config: &Config) -> usize {
    let data = config.backup.data.as_deref();
    data.map_or(0, |data| inside(config, data).components().count())
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|e| Error::io("read", path.display(), &e))
}

/// The four parts of S-16, or the five of S-30, and what no script brings back.
pub(super) fn moves(ground: &Ground<'_>, serving: &SafeText) -> Vec<Move> {
    let Ground { config, facts, point, .. } = ground;
    let deep = facts.level == Level::PointInTime;
    let row = |item: &str, from: &str, to: &str, way: Way| Move {
        item: item.into(),
        from: SafeText::new(from),
        to: SafeText::new(to),
        way,
    };
    let taken = point.taken_at.map(|at| at.format("%Y-%m-%d %H:%M:%SZ").to_string());
    let taken = taken.unwrap_or_else(|| "a time that is not known".to_owned());
    let then = point.schema.map_or_else(|| "?".to_owned(), |schema| schema.to_string());
    let now = ground.migrations.first().map_or(then.clone(), |one| one.version.to_string());
    let schema = match (deep, ground.migrations.is_empty()) {
        (true, _) => row("schema", "as it is", &then, Way::Back),
        (false, true) => row("schema", &then, &then, Way::Stays),
        (false, false) => {
            let kinds: Vec<String> = ground
                .migrations
                .iter()
                .map(|one| format!("{} {}", one.version, one.nature))
                .collect();
            row("schema", &format!("{now} ({})", kinds.join(", ")), &then, Way::Back)
        }
    };
    let changed = |path: &&PathBuf| {
        let from = ground.folder.join(inside(config, path));
        from.exists() && std::fs::read(&from).ok() != std::fs::read(path).ok()
    };
    let files = |wanted: fn(&str) -> bool| {
        let names = config.backup.files.iter().filter(changed).map(|path| inside(config, path));
        let names = names.map(|path| path.display().to_string());
        names.filter(|name| wanted(name)).collect::<Vec<_>>().join(", ")
    };
    let part = |item: &str, names: String| {
        if names.is_empty() {
            row(item, "as at the point", "as at the point", Way::Stays)
        } else {
            row(item, &names, &format!("as at {taken}"), Way::Back)
        }
    };
    let tool = ground.tools.first().map(|tool| {
        let of = |name: &str| tool.get(name).and_then(Value::as_str).unwrap_or("?");
        row("schema", of("from_revision"), of("to_revision"), Way::Back)
    });
    let schema = tool.unwrap_or(schema);
    let mut all = vec![
        row("application", serving.as_str(), point.version.as_str(), Way::Back),
        schema,
        part("configuration files", files(|name| !is_env_name(name))),
        part("environment variables", files(is_env_name)),
    ];
    if deep {
        let held = ground.logs.until.as_ref().map(|until| until.words(ground.logs.zone.as_ref()));
        let held = held.unwrap_or_else(|| format!("as at {taken}"));
        all.push(row("data", "now", &held, Way::Back));
        let (from, to, way) = ground.logs.words();
        all.push(row("transaction logs", &from, &to, way));
        all.extend(redis(ground, &taken).map(|(to, way)| row("redis", "now", &to, way)));
    } else {
        all.push(row("data", "as it is", "as it is", Way::Stays));
        let redis = ground.stack.cache.as_ref();
        all.extend(redis.map(|_| row("redis", "as it is", "as it is", Way::Stays)));
        all.extend(ground.gone.iter().map(Gone::as_move));
    }
    all
}

/// What becomes of the keys of Redis at level 3: it has its own moment, that of the point.
fn redis(ground: &Ground<'_>, taken: &str) -> Option<(String, Way)> {
    let cache = ground.stack.cache.as_ref()?;
    if !ground.folder.join(points::KEYS).is_file() {
        return Some((format!("stays: the point holds no {}", points::KEYS), Way::Cannot));
    }
    let keys = ground.manifest.as_ref().and_then(|(manifest, _)| manifest.keys.as_ref());
    let keys = keys.map(|keys| format!(", {}", keys::words(&keys.after))).unwrap_or_default();
    Some(match cache.stays() {
        None => (format!("as at {taken}{keys}"), Way::Back),
        Some(why) => (format!("stays: {why}"), Way::Cannot),
    })
}

fn is_env_name(name: &str) -> bool {
    name.rsplit('/').next().is_some_and(|name| name.starts_with(".env"))
}
