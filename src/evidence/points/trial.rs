//! Restores a point into a scratch place, looks whether all of it came, and removes it again
//! (P-50): the only proof that a point can be restored.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use crate::adapters::Error;
use crate::adapters::database::Database;
use crate::model::tables::TableFacts;

use super::super::archive::{Damage, Expected, Job, Limits, Refusal, unpack};
use super::super::pace::beside;
use super::{DATA, DATABASE, Says, Verified};

/// What a trial restore brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trial {
    /// Files of the data.
    pub files: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// The tables with what they hold.
    pub tables: Vec<TableFacts>,
    /// What is not as the manifest says, or not sound.
    pub wrong: Vec<Damage>,
}

/// Restores `verified` into the folder `scratch`, which is made and removed again, and its database
/// into `database`, which lies in it. Nothing outside of `scratch` is written.
///
/// Fails when the scratch place cannot hold it; what the point lacks is in the answer.
pub async fn try_restore(
    verified: Arc<Verified>,
    scratch: &Path,
    database: &dyn Database,
    says: Says<'_>,
) -> Result<Trial, Error> {
    let failed = |e: io::Error| Error::io("restore into", scratch.display(), &e);
    if scratch.exists() {
        fs::remove_dir_all(scratch).map_err(failed)?;
    }
    DirBuilder::new().recursive(true).mode(0o700).create(scratch).map_err(failed)?;
    let tried = restore(verified, scratch, database, says).await;
    let removed = fs::remove_dir_all(scratch).map_err(failed);
    let trial = tried?;
    removed.map(|()| trial)
}

async fn restore(
    verified: Arc<Verified>,
    scratch: &Path,
    database: &dyn Database,
    says: Says<'_>,
) -> Result<Trial, Error> {
    let mut trial = Trial::default();
    if verified.open(DATA)?.is_some() {
        let (held, into) = (Arc::clone(&verified), scratch.join("data"));
        let told = |done, all| says("data", done, all);
        let unpacked = beside(move |told| Ok(data(&held, &into, told)), &told).await?;
        match unpacked {
            Ok((files, bytes)) => (trial.files, trial.bytes) = (files, bytes),
            Err(Refusal::Damaged(damage)) => trial.wrong.extend(damage),
            Err(Refusal::Failed(error)) => return Err(error),
        }
    }
    if let Some(dump) = verified.dump() {
        let told = |done, all| says("database", done, all);
        if let Err(error) = database.restore_beside(&dump, "trial", "trial", &told).await {
            trial.wrong.push(Damage::new(DATABASE, &error.message));
        } else {
            let restored = database.beside("trial");
            trial.tables = restored.tables().await?;
            let problems = restored.problems().await?;
            let problems = problems.iter().map(|why| Damage::new(DATABASE, why.as_str()));
            trial.wrong.extend(problems);
            let then = verified.manifest.as_ref().map_or(&[][..], |m| &m.tables);
            trial.wrong.extend(differences(then, &trial.tables));
        }
    }
    if let Err(changed) = verified.unchanged() {
        trial.wrong.extend(changed);
    }
    Ok(trial)
}

fn data(
    verified: &Verified,
    into: &Path,
    told: crate::adapters::database::Told<'_>,
) -> Result<(usize, u64), Refusal> {
    let archive = verified.open(DATA).map_err(Refusal::Failed)?;
    let Some(archive) = archive else { return Ok((0, 0)) };
    let job = Job {
        archive: &archive,
        name: DATA,
        into,
        expected: verified.manifest.as_ref().map(Expected::of),
        limits: Limits::default(),
        sync: false,
    };
    unpack(&job, told).map(|done| (done.entries.len(), done.bytes))
}

/// Where the tables are not exactly what they were.
fn differences(then: &[TableFacts], now: &[TableFacts]) -> Vec<Damage> {
    let gone = then.iter().filter_map(|old| {
        let Some(new) = now.iter().find(|table| table.name == old.name) else {
            return Some(format!("table {} is missing", old.name));
        };
        (new != old).then(|| {
            format!("table {} has {} rows, {} in the manifest", old.name, new.rows, old.rows)
        })
    });
    gone.map(|why| Damage::new(DATABASE, &why)).collect()
}
