//! A repository of `pgBackRest`: what it holds and reaches, and a base backup brought out of it
//! into a folder of its own. It is asked through its own tool, so that it may lie anywhere.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::adapters::process::quoted;
use crate::adapters::{Error, Kind};
use crate::clock::Clock;
use crate::model::ids::Time;
use crate::model::until::Until;
use crate::text::{SafeText, fit};

use super::host::HostPlace;
use crate::adapters::postgres::wal::{Archive, Label, Name, Segment};

mod stanza;

use stanza::Stanza;
pub(super) use stanza::{Backup, Reference};

/// How long a question to a repository may take: it may be far away.
const ASK: Duration = Duration::from_mins(5);
/// How long a backup or a restore may take.
const LONG: Duration = Duration::from_hours(12);

/// A base backup with the logs that can bring it forward.
pub(super) struct Held {
    pub(super) backup: Backup,
    pub(super) label: Label,
    pub(super) system: u64,
    pub(super) archive: Archive,
}

impl HostPlace {
    /// The words of a call of the tool.
    fn words(&self, rest: &[&str]) -> Vec<String> {
        let mut argv = vec!["pgbackrest".to_owned()];
        argv.extend(self.config.iter().map(|path| format!("--config={}", path.display())));
        argv.push(format!("--stanza={}", self.stanza));
        argv.extend(["--log-level-console=off", "--log-level-stderr=warn"].map(str::to_owned));
        argv.extend(rest.iter().map(|word| (*word).to_owned()));
        argv
    }

    /// How a server that replays fetches a log.
    pub(super) fn fetch_words(&self, data: &Path) -> String {
        let config = self.config.iter().map(|path| format!(" --config={}", path.display()));
        let config: String = config.collect();
        let (stanza, data) = (&self.stanza, data.display());
        format!("pgbackrest{config} --pg1-path={data} --stanza={stanza} archive-get %f \"%p\"")
    }

    /// Calls the tool; what it writes. `what` is `verb thing`.
    async fn backrest(
        &self,
        what: &str,
        rest: &[&str],
        limit: Duration,
        clock: &Clock,
    ) -> Result<Vec<u8>, Error> {
        let ended = self.run(&self.words(rest), limit, clock).await?;
        if ended.code == Some(0) {
            return Ok(ended.stdout);
        }
        let said = SafeText::from_bytes([ended.stderr, ended.stdout].concat().trim_ascii());
        let no = |kind, why: &str| Error::new(kind, format!("could not {what}: {why}"));
        let said = fit(&said.as_str().split_whitespace().collect::<Vec<_>>().join(" "), 400);
        Err(if ended.code == Some(127) || said.contains("failed to execute pgbackrest") {
            no(Kind::NotFound, "pgbackrest is not installed; apt-get install pgbackrest")
        } else if ended.code == Some(50) {
            no(Kind::Held, &format!("another pgBackRest holds the stanza's lock; wait: {said}"))
        } else {
            no(Kind::Rejected, &format!("pgBackRest said: {said}"))
        })
    }

    async fn read<T: DeserializeOwned>(
        &self,
        what: &str,
        rest: &[&str],
        clock: &Clock,
    ) -> Result<T, Error> {
        let answer = self.backrest(what, rest, ASK, clock).await?;
        serde_json::from_slice(&answer).map_err(|e| {
            let message = format!("could not {what}: the answer of pgBackRest cannot be read: {e}");
            Error::new(Kind::Rejected, message)
        })
    }

    /// The stanza with its backups, oldest first; a stanza that is not there, one without a backup
    /// and a repository that cannot be read each have a reason of their own.
    async fn stanza(&self, clock: &Clock) -> Result<Stanza, Error> {
        let what = format!("use the pgBackRest stanza {}", self.stanza);
        let all: Vec<Stanza> = self.read(&what, &["info", "--output=json"], clock).await?;
        let no = |kind, why: &str| Err(Error::new(kind, format!("could not {what}: {why}")));
        let Some(found) = all.into_iter().next() else {
            return no(Kind::NotFound, "it is in no repository");
        };
        let said = found.repo.iter().find(|repo| repo.status.code != 0);
        let said = said.map_or(&found.status.message, |repo| &repo.status.message);
        let said = SafeText::new(said);
        let said = said.as_str().split_whitespace().collect::<Vec<_>>().join(" ");
        match found.status.code {
            0 | 4 => Ok(found),
            1 | 3 => {
                let why = "it is in no repository; pgbackrest stanza-create makes it";
                no(Kind::NotFound, &format!("{why} ({said})"))
            }
            2 => no(Kind::NotFound, "it holds no backup; pgbackrest backup makes one"),
            _ => {
                let why = fit(&said, 400);
                no(Kind::Denied, &format!("its repository cannot be read: {why}"))
            }
        }
    }

    /// The base backup to bring forward from: the point's own, or a later one that was finished
    /// before the target. With it, the logs that the repository holds, where segments are `size`
    /// bytes.
    pub(super) async fn held(
        &self,
        point: &Reference,
        until: Option<&Until>,
        (size, clock): (u64, &Clock),
    ) -> Result<Held, Error> {
        let stanza = self.stanza(clock).await?;
        let no = |kind, why: String| {
            let message = format!("could not use the pgBackRest stanza {}: {why}", self.stanza);
            Error::new(kind, message)
        };
        if point.stanza != self.stanza {
            let why = format!("the restore point is of the stanza {}", point.stanza);
            return Err(no(Kind::Rejected, why));
        }
        let own = stanza.backup.iter().find(|one| one.label == point.backup).ok_or_else(|| {
            let why = format!("the point's backup {} is no longer in it", point.backup);
            no(Kind::NotFound, why)
        })?;
        let fine = |one: &&Backup| {
            let same = one.database == own.database && one.label >= own.label;
            same && one.error != Some(true) && until.is_some_and(|until| one.before(until))
        };
        let backup = stanza.backup.iter().rfind(fine).unwrap_or(own).clone();
        if backup.error == Some(true) {
            let why = format!("the backup {} has pages with wrong checksums", backup.label);
            return Err(no(Kind::Rejected, why));
        }
        let of = |db: &&stanza::Db| db.of == backup.database;
        let system = stanza.db.iter().find(of).map(|db| db.system).ok_or_else(|| {
            no(Kind::Rejected, format!("whose backup {} is cannot be told", backup.label))
        })?;
        let label = backup.begins().ok_or_else(|| {
            no(Kind::Rejected, format!("where backup {} begins is not said", backup.label))
        })?;
        let archive = stanza.archive.iter().find(|one| one.database == backup.database);
        let mut archive = match archive {
            Some(one) => self.archive(&one.id, (system, size), clock).await?,
            None => Archive { size, ..Archive::default() },
        };
        let known = label.finished.zip(label.stop);
        archive.finished.extend(known.map(|known| (label.start, known)));
        Ok(Held { backup, label, system, archive })
    }

    /// The logs under `id`, by their names.
    async fn archive(
        &self,
        id: &str,
        (system, size): (u64, u64),
        clock: &Clock,
    ) -> Result<Archive, Error> {
        #[derive(Deserialize)]
        struct Entry {
            #[serde(default)]
            time: i64,
        }
        let what = format!("list the logs of the pgBackRest stanza {}", self.stanza);
        let folder = format!("archive/{}/{id}", self.stanza);
        let call = ["repo-ls", "--recurse", "--output=json", &folder];
        let all: BTreeMap<String, Entry> = self.read(&what, &call, clock).await?;
        let mut archive = Archive { size, ..Archive::default() };
        for (path, entry) in all {
            let file = path.rsplit('/').next().unwrap_or(&path);
            // Behind a segment's name come its checksum and how it is packed.
            let plain = file.split_once('-').map_or(file, |(name, _)| name);
            match Name::parse(plain, size) {
                Some(Name::Segment(line, number)) => {
                    let at = Time::from_timestamp(entry.time, 0).unwrap_or_default();
                    archive.segments.insert((line, number), Segment { at, system, wrong: None });
                }
                Some(Name::History(line)) => {
                    let file = format!("{folder}/{path}");
                    let text = self.backrest(&what, &["repo-get", &file], ASK, clock).await?;
                    archive.history(line, &String::from_utf8_lossy(&text));
                }
                Some(Name::Backup | Name::Partial | Name::Packed) | None => {}
            }
        }
        Ok(archive)
    }

    /// Brings `backup` out into the fresh folder `data`, told to replay `until` there and to wait.
    pub(super) async fn restore(
        &self,
        backup: &Backup,
        data: &Path,
        (until, timeline): (&Until, u32),
        clock: &Clock,
    ) -> Result<(), Error> {
        let mut rest = vec![
            format!("--repo={}", backup.database.repo),
            format!("--set={}", backup.label),
            format!("--pg1-path={}", data.display()),
            format!("--target-timeline={timeline}"),
        ];
        rest.extend(target(until));
        rest.push("restore".to_owned());
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        self.backrest("restore from pgBackRest", &rest, LONG, clock).await.map(drop)
    }

    /// Makes a backup of what changed since the last one, has the repository verified, and names
    /// the backup in `into`.
    pub(super) async fn back_up(&self, into: &Path, clock: &Clock) -> Result<SafeText, Error> {
        self.backrest("take a backup with pgBackRest", &["backup"], LONG, clock).await?;
        let stanza = self.stanza(clock).await?;
        let newest = stanza.backup.last().ok_or_else(|| {
            let message = "could not take a backup with pgBackRest: none is there after it";
            Error::new(Kind::Rejected, message)
        })?;
        let what = "verify the pgBackRest repository";
        let call = ["verify", "--output=text", "--verbose"];
        let said = self.backrest(what, &call, LONG, clock).await?;
        let said = String::from_utf8_lossy(&said).into_owned();
        if let Some(why) = unsound(&said) {
            let message = format!("could not {what}: {why}; pgbackrest verify --verbose says more");
            return Err(Error::new(Kind::Rejected, message));
        }
        let (stanza, backup) = (self.stanza.clone(), newest.label.clone());
        Reference { stanza, backup }.write(into)?;
        let label = newest.begins().unwrap_or_default();
        Ok(SafeText::new(&format!(
            "pgBackRest holds backup {} and has verified it; it begins at {} on timeline {}",
            newest.label, label.start, label.timeline
        )))
    }

    /// What a person would type.
    pub(super) fn recover_by_hand(&self, point: &Path, name: &str, keep: &str) -> Vec<String> {
        let set = Reference::read(point).map_or_else(|_| "BACKUP".to_owned(), |one| one.backup);
        let data = crate::adapters::beside::with(&self.data, name);
        let kept = crate::adapters::beside::with(&self.data, keep);
        let shown = |path: &Path| quoted(&path.display().to_string());
        let (live, new, kept) = (shown(&self.data), shown(&data), shown(&kept));
        let line =
            |argv: &[String]| argv.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        let restore = self.words(&[
            &format!("--set={set}"),
            &format!("--pg1-path={}", data.display()),
            "--type=time",
            "--target=…",
            "restore",
        ]);
        vec![
            line(&restore),
            format!(
                "pg_ctl -D {new} -o '-p 54329 -c archive_mode=off' -l /tmp/recovered.log start; \
                 look into it; pg_ctl -D {new} promote; pg_ctl -D {new} stop"
            ),
            format!(
                "{}; mv {live} {kept} && mv {new} {live}; {}",
                line(&self.stop),
                line(&self.start)
            ),
        ]
    }
}

/// A target as the tool takes it.
fn target(until: &Until) -> Vec<String> {
    let (kind, target) = match until {
        Until::Time(at) => ("time", at.format("%Y-%m-%d %H:%M:%S%.6f+00").to_string()),
        Until::Name(name) => ("name", name.clone()),
        Until::Lsn(lsn) => ("lsn", lsn.to_string()),
        Until::Xid(xid) => ("xid", xid.to_string()),
        Until::Latest => return vec!["--type=default".to_owned()],
    };
    let waits = "--target-action=pause".to_owned();
    vec![format!("--type={kind}"), format!("--target={target}"), waits]
}

/// What `verify` says is wrong; it ends well in any case.
fn unsound(said: &str) -> Option<String> {
    let counts = |part: &str| part.rsplit(": ").next().is_some_and(|count| count.trim() != "0");
    let bad = |line: &&str| {
        let line = line.trim();
        let counted = ["missing: ", "checksum invalid: ", "size invalid: ", "other: "];
        let counted = counted.iter().any(|word| line.starts_with(word));
        line.starts_with("status: error")
            || line.contains("status: invalid")
            || counted && line.split(',').any(counts)
    };
    let all: Vec<&str> = said.lines().filter(bad).map(str::trim).collect();
    (!all.is_empty()).then(|| fit(SafeText::new(&all.join("; ")).as_str(), 300))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_verify_found_is_told_from_what_is_sound() {
        let sound = "stanza: main\nstatus: ok\n  archiveId: 15-1, total WAL checked: 20, total \
                     valid WAL: 20\n    missing: 0, checksum invalid: 0, size invalid: 0, other: 0\n  \
                     backup: 20261122-185350F, status: valid, total files checked: 964\n";
        assert_eq!(unsound(sound), None);
        let broken = sound.replace("status: ok", "status: error").replace("other: 0", "other: 10");
        let why = unsound(&broken).unwrap();
        assert!(why.contains("status: error") && why.contains("other: 10"), "{why}");
        assert!(unsound(&sound.replace("status: valid", "status: invalid")).is_some());
    }
}
