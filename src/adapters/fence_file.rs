//! A fence in a file beside the target: who works on it now, for every journal to see.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use rustix::fs::FlockOperation;

use crate::clock::Clock;
use crate::model::ids::RunId;

use super::{Error, Fence, FenceTake, Kind};

/// How long another one may be in the middle of taking or releasing.
const TURN_LIMIT: Duration = Duration::from_secs(5);
/// How often our turn is tried.
const TURN_EVERY: Duration = Duration::from_millis(5);

/// The fence kept in one JSON file. Beside it lies `<file>.turn`, locked by whoever reads and
/// changes it, so that two takers cannot both find it free.
#[derive(Clone, Debug)]
pub struct FenceFile {
    path: PathBuf,
    clock: Clock,
}

impl FenceFile {
    /// The fence in `path`.
    pub fn new(path: impl Into<PathBuf>, clock: Clock) -> Self {
        Self { path: path.into(), clock }
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(ending);
        self.path.with_file_name(name)
    }

    /// Waits for our turn; it lasts as long as the file is open, and the kernel ends it with us.
    async fn turn(&self) -> Result<File, Error> {
        let path = self.beside(".turn");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o660)
            .open(&path)
            .map_err(|e| Error::io("open", path.display(), &e))?;
        let locked = self.clock.timeout(TURN_LIMIT, async {
            loop {
                match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                    Ok(()) => return Ok(()),
                    Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {
                        self.clock.sleep(TURN_EVERY).await;
                    }
                    Err(errno) => return Err(Error::io("lock", path.display(), &errno.into())),
                }
            }
        });
        match locked.await {
            Ok(done) => done.map(|()| file),
            Err(_) => Err(Error::timed_out(format!("lock {}", path.display()), TURN_LIMIT)),
        }
    }

    fn read(&self) -> Result<Option<FenceTake>, Error> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io("read fence", self.path.display(), &e)),
        };
        // A fence that cannot be read is held by somebody: it never counts as free.
        serde_json::from_slice(&bytes).map(Some).map_err(|e| {
            Error::new(
                Kind::Rejected,
                format!(
                    "could not read fence {}: {e}; find out who works on the target, then remove the file",
                    self.path.display()
                ),
            )
        })
    }

    /// Writes the whole of it beside, then puts it in place: at first without overwriting, so that
    /// even one who takes no turns is not lost.
    fn write(&self, take: &FenceTake, fresh: bool) -> Result<(), Error> {
        let beside = self.beside(".new");
        let failed = |e: std::io::Error| Error::io("write fence", self.path.display(), &e);
        let bytes = serde_json::to_vec_pretty(take).map_err(|e| failed(e.into()))?;
        remove(&beside).map_err(failed)?;
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o640)
            .open(&beside)
            .map_err(failed)?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed)?;
        if fresh {
            let linked = fs::hard_link(&beside, &self.path);
            remove(&beside).map_err(failed)?;
            linked.map_err(failed)?;
        } else {
            fs::rename(&beside, &self.path).map_err(failed)?;
        }
        sync_folder(&self.path).map_err(failed)
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Why `take` may not have the fence that `held` has, if it may not.
pub(super) fn refusal(held: &FenceTake, take: &FenceTake, place: &str) -> Option<Error> {
    let who = format!(
        "run {} of {} on {} since {}",
        held.run,
        held.name,
        held.host,
        held.since.format("%Y-%m-%d %H:%M:%S UTC")
    );
    if held.journal != take.journal {
        return Some(Error::new(
            Kind::Held,
            format!(
                "could not take the fence: held by {who}; attach there, or have it released ({place})"
            ),
        ));
    }
    (held.epoch > take.epoch).then(|| {
        Error::new(
            Kind::Held,
            format!(
                "could not take the fence: a newer engine of this journal has it (epoch {} after our {}, {who})",
                held.epoch, take.epoch
            ),
        )
    })
}

#[async_trait]
impl Fence for FenceFile {
    async fn take(&self, take: &FenceTake) -> Result<(), Error> {
        let _turn = self.turn().await?;
        let held = self.read()?;
        let place = self.path.display().to_string();
        if let Some(no) = held.as_ref().and_then(|held| refusal(held, take, &place)) {
            return Err(no);
        }
        if held.as_ref() == Some(take) {
            return Ok(());
        }
        self.write(take, held.is_none())
    }

    async fn holder(&self) -> Result<Option<FenceTake>, Error> {
        self.read()
    }

    async fn release(&self, run: &RunId) -> Result<(), Error> {
        let _turn = self.turn().await?;
        if self.read()?.is_none_or(|held| held.run != *run) {
            return Ok(());
        }
        remove(&self.path)
            .and_then(|()| sync_folder(&self.path))
            .map_err(|e| Error::io("release fence", self.path.display(), &e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{TimeZone, Utc};

    fn take(journal: &str, epoch: u64) -> FenceTake {
        FenceTake {
            run: format!("142-{journal}-1").as_str().into(),
            journal: journal.into(),
            epoch,
            name: "dana".into(),
            host: "bastion".into(),
            since: Utc.with_ymd_and_hms(2026, 11, 22, 1, 2, 3).unwrap(),
        }
    }

    fn fence(dir: &tempfile::TempDir) -> FenceFile {
        FenceFile::new(dir.path().join("fence.json"), Clock::real())
    }

    #[tokio::test]
    async fn another_journal_is_refused_with_run_person_host_and_since() {
        let dir = tempfile::tempdir().unwrap();
        fence(&dir).take(&take("k7qd", 3)).await.unwrap();
        let error = fence(&dir).take(&take("zzzz", 9)).await.unwrap_err();
        assert_eq!(error.kind, Kind::Held);
        assert!(
            error.message.starts_with(
                "could not take the fence: held by run 142-k7qd-1 of dana on bastion since 2026-11-22 01:02:03 UTC"
            ),
            "{error}"
        );
        assert_eq!(fence(&dir).holder().await.unwrap(), Some(take("k7qd", 3)));
    }

    #[tokio::test]
    async fn the_same_journal_takes_it_again_under_a_higher_epoch_and_never_a_lower_one() {
        let dir = tempfile::tempdir().unwrap();
        fence(&dir).take(&take("k7qd", 3)).await.unwrap();
        fence(&dir).take(&take("k7qd", 3)).await.unwrap();
        fence(&dir).take(&take("k7qd", 4)).await.unwrap();
        let error = fence(&dir).take(&take("k7qd", 3)).await.unwrap_err();
        assert_eq!(error.kind, Kind::Held, "{error}");
        assert_eq!(fence(&dir).holder().await.unwrap().unwrap().epoch, 4);
    }

    #[tokio::test]
    async fn only_ones_own_is_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let fence = fence(&dir);
        fence.release(&"142-k7qd-1".into()).await.unwrap();
        fence.take(&take("k7qd", 1)).await.unwrap();
        fence.release(&"142-zzzz-1".into()).await.unwrap();
        assert!(fence.holder().await.unwrap().is_some());
        fence.release(&"142-k7qd-1".into()).await.unwrap();
        assert_eq!(fence.holder().await.unwrap(), None);
        fence.take(&take("zzzz", 1)).await.unwrap();
    }

    #[tokio::test]
    async fn a_fence_that_cannot_be_read_is_not_free() {
        let dir = tempfile::tempdir().unwrap();
        for damage in ["", "{\"run\":", "[]"] {
            fs::write(dir.path().join("fence.json"), damage).unwrap();
            let error = fence(&dir).take(&take("k7qd", 1)).await.unwrap_err();
            assert_eq!(error.kind, Kind::Rejected, "{error}");
            assert!(fence(&dir).release(&"142-k7qd-1".into()).await.is_err());
        }
    }

    #[tokio::test]
    async fn what_a_killed_taker_left_half_written_is_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("fence.json.new"), "{\"run\":").unwrap();
        fence(&dir).take(&take("k7qd", 1)).await.unwrap();
        assert_eq!(fence(&dir).holder().await.unwrap(), Some(take("k7qd", 1)));
    }

    #[test]
    fn of_twenty_takers_at_once_one_wins_each_round() {
        let dir = tempfile::tempdir().unwrap();
        for round in 0..100 {
            let start = std::sync::Barrier::new(20);
            let won: usize = std::thread::scope(|scope| {
                let takers: Vec<_> = (0..20)
                    .map(|taker| {
                        let (start, fence) = (&start, fence(&dir));
                        scope.spawn(move || {
                            let runtime = tokio::runtime::Builder::new_current_thread()
                                .enable_time()
                                .build()
                                .unwrap();
                            start.wait();
                            match runtime.block_on(fence.take(&take(&format!("j{taker}"), 1))) {
                                Ok(()) => 1,
                                Err(error) => {
                                    assert_eq!(error.kind, Kind::Held, "{error}");
                                    0
                                }
                            }
                        })
                    })
                    .collect();
                takers.into_iter().map(|taker| taker.join().unwrap()).sum()
            });
            assert_eq!(won, 1, "round {round}");
            fs::remove_file(dir.path().join("fence.json")).unwrap();
        }
    }
}
