//! Is it us? Our own line, told from the targets: witnesses, and checks that turn all at once.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::bearing::Bearing;
use super::ids::{CheckId, Time};
use super::reading::{Status, Track};

/// Why our own line is in doubt. While it is, nothing starts by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineDoubt {
    /// Since when.
    pub since: Time,
    /// What was seen.
    pub why: SafeText,
    /// Every witness fails: it is our line. Otherwise it only looks like it.
    pub proven: bool,
}

/// Hosts that must turn together before our own line is suspected.
const HOSTS: usize = 3;

/// Without a witness: at least 80 % of the remote checks, on three hosts or more, began to fail
/// within one interval of each other.
pub fn mass_flip(
    tracks: &BTreeMap<CheckId, Track>,
    bearings: &BTreeMap<CheckId, Bearing>,
) -> Option<SafeText> {
    let remote: Vec<(&Bearing, &Track)> = bearings
        .iter()
        .filter(|(_, bearing)| bearing.host.is_some())
        .filter_map(|(id, bearing)| Some((bearing, tracks.get(id)?)))
        .collect();
    let flipped = |(bearing, track): &(&Bearing, &Track)| {
        let began = track.bad_since.filter(|_| track.own() == Status::Fail)?;
        Some((bearing.host.clone()?, bearing.interval, began))
    };
    let fell: Vec<_> = remote.iter().filter_map(flipped).collect();
    let hosts: BTreeSet<&str> = fell.iter().map(|(host, ..)| host.as_str()).collect();
    if hosts.len() < HOSTS || fell.len() * 5 < remote.len() * 4 {
        return None;
    }
    let first = fell.iter().map(|(.., began)| *began).min()?;
    let last = fell.iter().map(|(.., began)| *began).max()?;
    let interval = fell.iter().map(|(_, interval, _)| *interval).max()?;
    let within = (last - first).to_std().unwrap_or_default();
    (within <= interval).then(|| {
        SafeText::new(&format!(
            "{} of {} remote checks on {} hosts began to fail within {} s",
            fell.len(),
            remote.len(),
            hosts.len(),
            within.as_secs().max(1)
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::bearing::Dimension;
    use super::super::reading::WhyClass;
    use super::super::sample::*;
    use super::*;

    fn bearing(host: &str) -> Bearing {
        Bearing {
            dimension: Dimension::Api,
            depends_on: Vec::new(),
            host: Some(host.to_owned()),
            interval: Duration::from_secs(5),
            unknown_after: Duration::from_secs(30),
        }
    }

    /// Checks `a` to `e`, each on its own host; those in `fall` fail from their second on.
    fn flip(fall: &[(&str, i64)]) -> Option<SafeText> {
        let mut board = Board::default();
        let mut bearings = BTreeMap::new();
        for id in ["a", "b", "c", "d", "e"] {
            board = board.check(id, role(id));
            bearings.insert(id.into(), bearing(&format!("host-{id}")));
        }
        for second in 0..30 {
            for id in ["a", "b", "c", "d", "e"] {
                let falls = fall.iter().any(|(other, from)| *other == id && second >= *from);
                let finding = if falls { bad(WhyClass::TimedOut, "timeout") } else { good() };
                board.take(reading(id, second, finding));
            }
        }
        mass_flip(&board.tracks, &bearings)
    }

    #[test]
    fn four_of_five_hosts_that_fall_together_ask_whether_it_is_us() {
        let doubt = flip(&[("a", 10), ("b", 11), ("c", 12), ("d", 14)]);
        assert!(doubt.unwrap().as_str().starts_with("4 of 5 remote checks on 4 hosts"));
    }

    #[test]
    fn hosts_that_fall_one_after_the_other_or_too_few_are_really_down() {
        assert_eq!(flip(&[("a", 2), ("b", 8), ("c", 14), ("d", 20)]), None);
        assert_eq!(flip(&[("a", 10), ("b", 10), ("c", 10)]), None);
        assert_eq!(flip(&[]), None);
    }
}
