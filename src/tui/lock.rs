//! Whether anyone holds the engine's lock, asked without touching it: taking it, even for a
//! moment, could turn an engine away that is just starting. The other way to ask, `F_OFD_GETLK`,
//! does not see the locks of `flock`.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

/// `/proc/locks` comes page by page, and goes on by counting: when an earlier lock is given back
/// between two pages, a line is left out. A lock that is held may therefore be missing from one
/// reading; it is free when several in a row, a moment apart, do not have it.
const READINGS: usize = 4;
/// Between two readings; short, as the caller waits.
const APART: Duration = Duration::from_millis(3);

/// Whether the lock of this state folder is free; unknown counts as held.
pub fn is_free(state: &Path) -> bool {
    let Ok(file) = std::fs::metadata(state.join("engine.lock")) else {
        return true;
    };
    is_free_by(file.ino(), || std::fs::read_to_string("/proc/locks").ok())
}

fn is_free_by(inode: u64, mut read: impl FnMut() -> Option<String>) -> bool {
    (0..READINGS).all(|reading| {
        if reading > 0 {
            std::thread::sleep(APART);
        }
        read().is_some_and(|locks| !holds(&locks, inode))
    })
}

/// `1: FLOCK  ADVISORY  WRITE 4711 fd:00:1234567 0 EOF`: is there a line for this inode?
fn holds(locks: &str, inode: u64) -> bool {
    let inode = inode.to_string();
    locks.lines().any(|line| {
        line.contains("FLOCK")
            && line
                .split_whitespace()
                .filter_map(|word| {
                    word.rsplit(':').next().filter(|_| word.matches(':').count() == 2)
                })
                .any(|last| last == inode)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_found_by_its_inode() {
        let locks = "1: POSIX  ADVISORY  WRITE 9 fd:00:77 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 4711 fd:00:1234567 0 EOF\n";
        assert!(holds(locks, 1_234_567));
        assert!(!holds(locks, 77), "another kind of lock");
        assert!(!holds(locks, 4_711), "a pid is no inode");
    }

    #[test]
    fn a_reading_that_leaves_the_line_out_does_not_make_the_lock_free() {
        let held = "2: FLOCK  ADVISORY  WRITE 4711 fd:00:77 0 EOF\n";
        let other = "1: FLOCK  ADVISORY  WRITE 9 fd:00:5 0 EOF\n";
        for at in 0..READINGS {
            let mut reading = 0;
            let mut torn = || {
                reading += 1;
                Some(if reading == at + 1 { held } else { other }.to_owned())
            };
            assert!(!is_free_by(77, &mut torn), "seen in reading {at} only");
        }
        assert!(is_free_by(77, || Some(other.to_owned())));
        assert!(!is_free_by(77, || None), "what cannot be read counts as held");
    }

    #[test]
    fn a_lock_that_is_held_here_is_not_free() {
        let folder = tempfile::tempdir().unwrap();
        assert!(is_free(folder.path()));
        let file = std::fs::File::create(folder.path().join("engine.lock")).unwrap();
        assert!(is_free(folder.path()));
        file.try_lock().unwrap();
        assert!(!is_free(folder.path()));
    }
}
