//! A physical base backup of the live server, and a copy of its files as they lie.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::adapters::beside::blocking;
use crate::adapters::database::Told;
use crate::adapters::docker::{Exec, ExecInput, ExecOutput};
use crate::adapters::{Error, Kind};
use crate::text::{SafeText, fit};

use super::PostgresCluster;
use super::seat::Seat;
use crate::adapters::postgres::wal::Base;
use crate::adapters::postgres::wal::base::opened;

/// How long a base backup may take.
const LONG: Duration = Duration::from_hours(12);
/// The most that one may be, in bytes.
const MOST: u64 = 1 << 50;

impl PostgresCluster {
    /// Writes a base backup with the logs that it needs to the fresh file `into`, and reads it
    /// through against its own manifest; what it is. Nothing is left of one that is not whole.
    pub(super) async fn backed_up(&self, into: &Path, told: Told<'_>) -> Result<SafeText, Error> {
        if let Seat::Host(host) = &self.seat {
            told(0, 0);
            return host.back_up(into, &self.clock).await;
        }
        let (live, _) = self.live().await?;
        let raw = into.with_extension("raw");
        let made = self.made_base(&live.id, &raw, into, told).await;
        fs::remove_file(&raw).ok();
        if made.is_err() {
            fs::remove_file(into).ok();
        }
        made
    }

    async fn made_base(
        &self,
        live: &str,
        raw: &Path,
        into: &Path,
        told: Told<'_>,
    ) -> Result<SafeText, Error> {
        let name = into.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let argv: Vec<String> = [
            "pg_basebackup",
            "-w",
            "-U",
            &self.place.user,
            "-D",
            "-",
            "-Ft",
            "-X",
            "fetch",
            "--checkpoint=fast",
            "--label",
            name.trim_start_matches('.'),
        ]
        .map(str::to_owned)
        .to_vec();
        let password = self.place.password.iter();
        let env: Vec<(String, String)> =
            password.map(|word| ("PGPASSWORD".to_owned(), word.reveal().to_owned())).collect();
        let exec = Exec {
            argv: &argv,
            env: &env,
            user: None,
            input: ExecInput::Nothing,
            output: ExecOutput::File(raw.to_owned(), MOST),
            limit: LONG,
        };
        told(0, 0);
        let (docker, _) = self.engine()?;
        let ended = docker.exec(live, &exec).await?;
        if ended.code != 0 {
            let said = fit(ended.stderr.as_str().trim(), 300);
            let message = format!("could not take a base backup: pg_basebackup said: {said}");
            return Err(Error::new(Kind::Rejected, message));
        }
        let (from, to) = (raw.to_owned(), into.to_owned());
        let base = blocking(move || {
            packed(&from, &to)?;
            Base::read(&to, &|_| {})
        })
        .await?;
        told(base.bytes, base.bytes);
        let Some(files) = base.checked else {
            let message = "could not take a base backup: it has no manifest to be checked against";
            return Err(Error::new(Kind::Rejected, message));
        };
        let label = &base.label;
        Ok(SafeText::new(&format!(
            "{files} files are as the manifest says; it begins at {} on timeline {} of database \
             system {}",
            label.start, label.timeline, base.system
        )))
    }

    /// Copies the server's files into `into`: only of one that is down, for the files of one that
    /// lives are no whole state.
    pub(super) async fn copied_cold(&self, into: &Path) -> Result<Vec<String>, Error> {
        let (live, store) = self.live().await?;
        if live.running {
            let message = "could not copy the server's files as they lie: it runs; stop it first";
            return Err(Error::new(Kind::Rejected, message));
        }
        let (data, to) = (store.data(), into.join("pgdata.tar.gz"));
        blocking(move || {
            let io = |e: std::io::Error| Error::io("copy", data.display(), &e);
            let file = fresh(&to)?;
            let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::fast()));
            archive.follow_symlinks(false);
            archive.append_dir_all("pgdata", &data).map_err(io)?;
            let file = archive.into_inner().and_then(GzEncoder::finish).map_err(io)?;
            file.sync_all().map_err(io)?;
            Ok(vec!["pgdata.tar.gz".to_owned()])
        })
        .await
    }
}

fn fresh(path: &Path) -> Result<File, Error> {
    let mut options = File::options();
    let file = options.write(true).create_new(true).mode(0o640).open(path);
    file.map_err(|e| Error::io("write", path.display(), &e))
}

fn packed(raw: &Path, into: &Path) -> Result<(), Error> {
    let io = |e: std::io::Error| Error::io("write", into.display(), &e);
    let mut from = opened(raw)?;
    let mut to = BufWriter::new(GzEncoder::new(fresh(into)?, Compression::fast()));
    std::io::copy(&mut from, &mut to).map_err(io)?;
    to.flush().map_err(io)?;
    let encoder = to.into_inner().map_err(|e| io(e.into_error()))?;
    encoder.finish().and_then(|file| file.sync_all()).map_err(io)
}
