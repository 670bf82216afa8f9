//! A folder of migrations as SQL files: `105_name_up.sql`, and `rollback/105_name_down.sql`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::model::ids::{Digest, Time};
use crate::model::tables::grouped;

use super::database::{Applied, Column};
use super::sqlite::split::statements;
use super::{Error, Kind};

pub mod classify;
mod statement;

pub use classify::{How, Judged, Nature, Taken};

/// The longest script that is read, in bytes: a longer one is nobody's migration of a schema, and
/// reading it would take the memory that the rollback needs.
pub const LONGEST: u64 = 16 * 1024 * 1024;

/// One applied migration and its scripts.
#[derive(Clone, Debug)]
pub struct Migration {
    /// Its number.
    pub version: i64,
    /// When it was applied, where the ledger says so.
    pub at: Option<Time>,
    /// Its down script and what it was when it was read; nothing where there is none.
    pub down: Option<(PathBuf, Digest)>,
    /// Its up script.
    pub up: Option<(PathBuf, Digest)>,
    /// What kind of change the up script made; destructive where there is none to read.
    pub nature: Nature,
    /// What its down script takes away, and what is therefore saved first.
    pub drops: Vec<Column>,
    /// What its up script took away: no down script brings that back (design 24).
    pub taken: Vec<Taken>,
    /// Why its down script is not run, each in words.
    pub refused: Vec<String>,
    /// What nobody can say of it, each in words.
    pub unclear: Vec<String>,
    /// The statements of its down script.
    pub back: Vec<String>,
}

impl Migration {
    /// What a playbook asks for.
    pub fn facts(&self) -> Value {
        let of = |script: &Option<(PathBuf, Digest)>| script.clone().unwrap_or_default();
        let ((script, digest), (up, up_digest)) = (of(&self.down), of(&self.up));
        json!({
            "version": self.version, "script": script, "digest": digest, "rescue": self.drops,
            "up": up, "up_digest": up_digest,
        })
    }
}

/// A script as it was read.
struct Read {
    path: PathBuf,
    digest: Digest,
    /// What it does, or why nobody can say.
    found: Result<(Vec<String>, Judged), String>,
}

/// Reads the scripts of an applied migration and says what they do. Fails where a version has two
/// scripts of one kind, or one cannot be read at all.
pub fn read(folder: &Path, applied: &Applied) -> Result<Migration, Error> {
    let version = applied.version;
    let up = script(folder, version, "_up.sql")?;
    let down = script(&folder.join("rollback"), version, "_down.sql")?;
    let mut migration = Migration {
        version,
        at: applied.at,
        nature: Nature::Destructive,
        down: down.as_ref().map(|read| (read.path.clone(), read.digest.clone())),
        up: up.as_ref().map(|read| (read.path.clone(), read.digest.clone())),
        drops: Vec::new(),
        taken: Vec::new(),
        refused: Vec::new(),
        unclear: Vec::new(),
        back: Vec::new(),
    };
    match up.map(|read| (file_name(&read.path), read.digest, read.found)) {
        None => migration.unclear.push(format!("the up script of {version} is missing")),
        Some((name, digest, found)) => {
            match found {
                Ok((_, judged)) => {
                    migration.nature = judged.nature;
                    migration.taken = judged.taken;
                    let unclear = judged.unclear.iter();
                    migration.unclear.extend(unclear.map(|what| format!("{name}: {what}")));
                }
                Err(why) => migration.unclear.push(format!("{name}: {why}")),
            }
            migration.refused.extend(edited(&name, applied, &digest));
        }
    }
    if let Some((name, found)) = down.map(|read| (file_name(&read.path), read.found)) {
        match found {
            Ok((all, judged)) => {
                for taken in judged.taken {
                    if !migration.drops.contains(&taken.what) {
                        migration.drops.push(taken.what);
                    }
                }
                let refused = judged.refused.iter();
                migration.refused.extend(refused.map(|why| format!("{name}: {why}")));
                let unclear = judged.unclear.iter();
                migration.unclear.extend(unclear.map(|what| format!("{name}: {what}")));
                migration.back = all;
            }
            Err(why) => migration.refused.push(format!("{name}: {why}")),
        }
    }
    Ok(migration)
}

/// What one up script does that an old program may notice, for each of `ledger` after `then`:
/// shortened statements, none when all only add.
pub fn noticed(folder: &Path, ledger: &[Applied], then: i64) -> Result<Vec<String>, Error> {
    let mut all = Vec::new();
    for applied in ledger.iter().filter(|applied| applied.version > then) {
        let version = applied.version;
        let read = script(folder, version, "_up.sql")?.ok_or_else(|| {
            Error::new(Kind::NotFound, format!("the up script of {version} is missing"))
        })?;
        let (_, judged) = read.found.map_err(|why| {
            Error::new(Kind::Rejected, format!("could not read {}: {why}", read.path.display()))
        })?;
        all.extend(judged.notable);
    }
    Ok(all)
}

/// A script that is not what was applied has a down script that nobody can trust.
fn edited(name: &str, applied: &Applied, now: &Digest) -> Option<String> {
    let then = applied.checksum.as_ref()?.as_str().to_lowercase();
    let then = then.strip_prefix("sha256:").unwrap_or(&then);
    if then.len() != 64 || !then.chars().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let same = now.0.to_lowercase() == then;
    let (then, now) = (then.get(..12).unwrap_or_default(), now.0.get(..12).unwrap_or_default());
    (!same)
        .then(|| format!("{name} was edited after it was applied: {then} in the ledger, {now} now"))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn script(folder: &Path, version: i64, end: &str) -> Result<Option<Read>, Error> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io("read", folder.display(), &e)),
    };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = file_name(path);
            let number = name.split_once('_').and_then(|(number, _)| number.parse().ok());
            number == Some(version) && name.ends_with(end)
        })
        .collect();
    match found.as_slice() {
        [] => Ok(None),
        [_] => read_one(found.remove(0)).map(Some),
        _ => {
            found.sort();
            let names: Vec<String> = found.iter().map(|path| file_name(path)).collect();
            let message = format!(
                "could not choose the script of {version}: {} are both of it",
                names.join(" and ")
            );
            Err(Error::new(Kind::Rejected, message))
        }
    }
}

fn read_one(path: PathBuf) -> Result<Read, Error> {
    let io = |e: &std::io::Error| Error::io("read", path.display(), e);
    let length = path.metadata().map_err(|e| io(&e))?.len();
    if length > LONGEST {
        let most = grouped(LONGEST);
        let why = format!(
            "{} bytes are too many to read before it runs, {most} at most",
            grouped(length)
        );
        return Ok(Read { path, digest: Digest::default(), found: Err(why) });
    }
    let bytes = std::fs::read(&path).map_err(|e| io(&e))?;
    let digest = Digest::of(&bytes);
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned());
    let found = text.and_then(|text| statements(&text)).map(|all| {
        let judged = classify::script(&all);
        (all, judged)
    });
    Ok(Read { path, digest, found })
}

#[cfg(test)]
mod tests;
