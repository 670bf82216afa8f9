//! Whether anyone holds the engine's lock, asked without touching it: taking it, even for a
//! moment, could turn an engine away that is just starting.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Whether the lock of this state folder is free; unknown counts as held.
pub fn is_free(state: &Path) -> bool {
    let Ok(file) = std::fs::metadata(state.join("engine.lock")) else {
        return true;
    };
    let Ok(locks) = std::fs::read_to_string("/proc/locks") else {
        return false;
    };
    !holds(&locks, file.ino())
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
    fn a_lock_that_is_held_here_is_not_free() {
        let folder = tempfile::tempdir().unwrap();
        assert!(is_free(folder.path()));
        let file = std::fs::File::create(folder.path().join("engine.lock")).unwrap();
        assert!(is_free(folder.path()));
        file.try_lock().unwrap();
        assert!(!is_free(folder.path()));
    }
}
