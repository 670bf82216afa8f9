//! Ending a stack's processes. Its files stay.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use crate::adapters::Error;
use crate::adapters::process::Identity;
use crate::clock::Clock;
use crate::failure::Failure;

use super::children::living;
use super::layout::Layout;
use super::role::failure;
use super::status::existing;

/// How long a process may take to end by itself before it is killed.
const END_LIMIT: Duration = Duration::from_secs(5);
/// How long the system may take to end a killed process.
const KILL_LIMIT: Duration = Duration::from_secs(2);
/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Ends every process of the stack in `dir` and returns how many there were.
pub async fn down(dir: &Path, clock: &Clock) -> Result<usize, Failure> {
    let layout = Layout::new(dir);
    existing(&layout)?;
    end(&layout, clock).await.map_err(|e| failure(&e))
}

/// Ends one process by its name if it lives, and says whether it did.
pub async fn end_one(layout: &Layout, name: &str, clock: &Clock) -> Result<bool, Error> {
    let found: Vec<Identity> = living(layout, name).into_iter().collect();
    end_these(&found, clock).await?;
    Ok(!found.is_empty())
}

/// Asks processes to end, and kills those that do not.
async fn end_these(found: &[Identity], clock: &Clock) -> Result<(), Error> {
    for (signal, limit) in [(Signal::TERM, END_LIMIT), (Signal::KILL, KILL_LIMIT)] {
        for process in found {
            process.signal(signal)?;
        }
        let gone = async {
            while found.iter().any(Identity::lives) {
                clock.sleep(LOOK_EVERY).await;
            }
        };
        if clock.timeout(limit, gone).await.is_ok() {
            break;
        }
    }
    Ok(())
}

/// Ends the traffic, then the proxy, then the apps and their workers, so that nobody asks what no longer answers.
pub async fn end(layout: &Layout, clock: &Clock) -> Result<usize, Error> {
    let mut ended = 0;
    for names in [&["traffic"][..], &["proxy"], &["blue-worker", "green-worker", "blue", "green"]] {
        let found: Vec<Identity> = names.iter().filter_map(|name| living(layout, name)).collect();
        ended += found.len();
        end_these(&found, clock).await?;
    }
    Ok(ended)
}
