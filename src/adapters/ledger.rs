//! A file outside the process that gets one line for each change of the world that was carried
//! out. The oracle of crash tests: an effect that was doubled or lost shows here.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::SecondsFormat;

use crate::clock::Clock;

use super::Error;

/// The ledger's file and the time its lines carry.
#[derive(Clone, Debug)]
pub struct Ledger {
    path: PathBuf,
    clock: Clock,
}

impl Ledger {
    /// The ledger in `path`; the file is made by the first line.
    pub fn new(path: impl Into<PathBuf>, clock: Clock) -> Self {
        Self { path: path.into(), clock }
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends `<RFC 3339> <what> <effect key or ->` in one write, and syncs it.
    pub fn append(&self, what: &str, effect: &str) -> Result<(), Error> {
        let at = self.clock.now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let effect = if effect.is_empty() { "-" } else { effect };
        let line = format!("{at} {what} {effect}\n");
        File::options()
            .create(true)
            .append(true)
            .open(&self.path)
            .and_then(|mut file| {
                file.write_all(line.as_bytes())?;
                file.sync_data()
            })
            .map_err(|e| Error::io("append to", self.path.display(), &e))
    }

    /// All lines without their time: `switch green->blue run-1.switch.1`.
    pub fn lines(&self) -> Result<Vec<String>, Error> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(Error::io("read", self.path.display(), &e)),
        };
        Ok(text.lines().filter_map(|line| Some(line.split_once(' ')?.1.to_owned())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_many_writers_do_not_mix() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(dir.path().join("ledger.log"), Clock::real());
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let ledger = ledger.clone();
                scope.spawn(move || {
                    for line in 0..25 {
                        ledger.append(&format!("write {writer}"), &format!("{line}")).unwrap();
                    }
                });
            }
        });
        let lines = ledger.lines().unwrap();
        assert_eq!(lines.len(), 100);
        assert!(lines.iter().all(|line| line.split(' ').count() == 3));
    }

    #[test]
    fn an_effect_without_a_key_shows_a_dash() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(dir.path().join("ledger.log"), Clock::real());
        assert_eq!(ledger.lines().unwrap(), Vec::<String>::new());
        ledger.append("stop green", "").unwrap();
        assert_eq!(ledger.lines().unwrap(), ["stop green -"]);
    }
}
