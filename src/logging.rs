//! Where backout's own diagnostics go: the engine's log file, or the console's F12 pane.

use std::io::Write;
use std::os::fd::AsFd as _;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The most bytes of a log file; what is older goes to one beside it, of which there is one.
const MOST: u64 = 1024 * 1024;

/// Standard error which, where it is a file, never grows for ever.
#[derive(Clone, Copy, Debug)]
struct Bounded;

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut errors = std::io::stderr().lock();
        let written = errors.write(bytes)?;
        bound(errors.as_fd());
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().lock().flush()
    }
}

/// Moves a long log file's content aside. The file itself stays: the keeper holds it too, and both
/// append.
fn bound(errors: std::os::fd::BorrowedFd<'_>) {
    let Ok(known) = rustix::fs::fstat(errors) else { return };
    let file = rustix::fs::FileType::from_raw_mode(known.st_mode);
    if !file.is_file() || u64::try_from(known.st_size).is_ok_and(|size| size <= MOST) {
        return;
    }
    let number = std::os::fd::AsRawFd::as_raw_fd(&errors);
    let here = format!("/proc/self/fd/{number}");
    let Ok(path) = std::fs::read_link(&here) else { return };
    // Losing old diagnostics is better than filling the disk of the one who needs it.
    std::fs::copy(&here, path.with_extension("log.old")).ok();
    rustix::fs::ftruncate(errors, 0).ok();
}

/// Writes diagnostics to standard error, which the keeper has pointed at the engine's log file.
pub fn to_stderr() {
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| Bounded);
    // A second set-up in one process (tests) keeps the first.
    tracing_subscriber::registry().with(LevelFilter::INFO).with(lines).try_init().ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_file_is_set_aside_and_goes_on_in_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine.log");
        let open = || std::fs::File::options().create(true).append(true).open(&path).unwrap();
        let (mut engine, mut keeper) = (open(), open());
        bound(engine.as_fd());
        engine.write_all(&vec![b'x'; 1024 * 1024]).unwrap();
        bound(engine.as_fd());
        assert_eq!(path.metadata().unwrap().len(), MOST);
        engine.write_all(b"one more\n").unwrap();
        bound(engine.as_fd());
        keeper.write_all(b"keeper\n").unwrap();
        engine.write_all(b"engine\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "keeper\nengine\n");
        let old = std::fs::read_to_string(dir.path().join("engine.log.old")).unwrap();
        assert!(old.ends_with("one more\n"));
    }
}
