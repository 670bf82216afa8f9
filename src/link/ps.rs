//! Which engines of this user run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::model::ids::{Epoch, Seq};
use crate::text::SafeText;

use super::Error;
use super::address::shared_folders;
use super::client::Client;
use super::message::{ClientKind, Hello, Welcome};
use super::socket::{socket_folder, state_mark};

/// How long one engine may take to say who it is.
const LIMIT: Duration = Duration::from_millis(300);
/// The most sockets that are looked at.
const MOST: usize = 256;

/// What was found in the socket folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Engines that answered, by socket.
    pub running: Vec<Running>,
    /// Sockets that somebody listens on without answering in 300 ms, with what was seen.
    pub silent: Vec<(PathBuf, SafeText)>,
}

/// One running engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its socket.
    pub socket: PathBuf,
    /// Its state folder, where the system lets us know it.
    pub state: Option<PathBuf>,
    /// Its process id.
    pub pid: u32,
    /// Its version.
    pub version: SafeText,
    /// Its lease.
    pub epoch: Epoch,
    /// Its journal's last entry.
    pub seq: Seq,
}

/// Asks every engine of this user, and those shared with them, who it is. `name` is the user name that is claimed there.
pub async fn running(
    runtime_dir: Option<&Path>,
    uid: u32,
    name: &str,
    clock: &Clock,
) -> Result<Found, Error> {
    let mut found = found_in(&socket_folder(runtime_dir, uid)?, name, clock).await?;
    for folder in shared_folders() {
        let shared = found_in(&folder, name, clock).await?;
        found.running.extend(shared.running);
        found.silent.extend(shared.silent);
    }
    Ok(found)
}

async fn found_in(folder: &Path, name: &str, clock: &Clock) -> Result<Found, Error> {
    let mut asked = JoinSet::new();
    for socket in sockets(folder)? {
        let hello = Hello::new(ClientKind::Observer, name, None);
        let clock = clock.clone();
        asked.spawn(async move {
            let answer = Client::connect_within(&socket, hello, LIMIT, &clock).await;
            (socket, answer.map(|(_, welcome, _)| welcome))
        });
    }
    let mut found = Found::default();
    while let Some(answer) = asked.join_next().await {
        match answer {
            Ok((socket, Ok(welcome))) => found.running.push(described(socket, &welcome)),
            Ok((_, Err(Error::NotRunning { .. }))) | Err(_) => {}
            Ok((socket, Err(e))) => found.silent.push((socket, e.to_string().into())),
        }
    }
    found.running.sort_by(|a, b| a.socket.cmp(&b.socket));
    found.silent.sort();
    Ok(found)
}

fn sockets(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match folder.read_dir() {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("look into the folder", folder, e)),
    };
    Ok(entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "sock"))
        .take(MOST)
        .collect())
}

fn described(socket: PathBuf, welcome: &Welcome) -> Running {
    Running {
        state: state_of(&socket, welcome.pid),
        socket,
        pid: welcome.pid,
        version: SafeText::new(&welcome.version),
        epoch: welcome.epoch,
        seq: welcome.seq,
    }
}

/// An engine works in its state folder; the socket's name proves that it is that one.
fn state_of(socket: &Path, pid: u32) -> Option<PathBuf> {
    let folder = std::fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
    let mark = socket.file_stem()?.to_str()?;
    (state_mark(&folder) == mark).then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::server::{Head, Server, ServerEvent, Share};

    #[tokio::test]
    async fn living_engines_are_listed_dead_ones_not_and_silent_ones_apart() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("backout");
        let clock = Clock::real();
        let engine = |name: &str, seq| {
            let head = Head { epoch: 4, seq };
            Server::bind(&folder.join(name), Share::Alone, head, clock.clone()).unwrap()
        };
        let (_one, mut first) = engine("aaaaaaaaaaaa.sock", 7);
        // This process works in its own folder: an engine there is known by it.
        let here = std::env::current_dir().unwrap();
        let (_two, mut second) = engine(&format!("{}.sock", state_mark(&here)), 8);
        drop(std::os::unix::net::UnixListener::bind(folder.join("dead.sock")).unwrap());
        let _deaf = std::os::unix::net::UnixListener::bind(folder.join("deaf.sock")).unwrap();
        std::fs::write(folder.join("note.txt"), "").unwrap();

        // The 300 ms begin to run once both have answered and were left again.
        let asking = Clock::manual(chrono::DateTime::UNIX_EPOCH);
        let turning = async {
            for events in [&mut first, &mut second] {
                while !matches!(events.recv().await, Some(ServerEvent::Gone { .. })) {}
            }
            loop {
                asking.advance(LIMIT);
                tokio::task::yield_now().await;
            }
        };
        let all = clock.timeout(Duration::from_secs(10), async {
            tokio::select! {
                found = found_in(&folder, "sam", &asking) => found.unwrap(),
                () = turning => unreachable!(),
            }
        });
        let mut found = all.await.expect("within 10 s");
        found.running.sort_by_key(|running| running.seq);
        let [one, two] = &found.running[..] else {
            panic!("{found:?}");
        };
        assert_eq!((one.epoch, one.seq, one.pid), (4, 7, std::process::id()));
        assert_eq!(one.state, None);
        assert_eq!(two.state, Some(here));
        assert_eq!(found.silent.len(), 1, "{found:?}");
        assert!(found.silent[0].0.ends_with("deaf.sock"));
        assert!(found.silent[0].1.as_str().ends_with("no answer in 0.3 s"));
    }

    #[tokio::test]
    async fn without_a_folder_nothing_runs() {
        let dir = tempfile::tempdir().unwrap();
        let found = found_in(&dir.path().join("none"), "sam", &Clock::real()).await;
        assert_eq!(found.unwrap(), Found::default());
    }
}
