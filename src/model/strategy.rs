//! How a service is brought back (P-05), and what a person asks for: which services, how, to which
//! version. A target of that form begins with `services:`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How a target names services: `services:backend,frontend;rolling;2.4.9`.
pub const SERVICES: &str = "services:";

/// How a rollback is carried out (001:90-101).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Traffic moves to the other of two versions; one that is not well takes it back by itself.
    BlueGreen,
    /// Batch after batch; an unhealthy one halts what follows.
    Rolling,
    /// All instances at once, in one step.
    Immediate,
    /// A canary gets no more of the traffic.
    Canary,
    /// Migrations go back: level 2.
    DatabaseMigration,
    /// The assets of an earlier version are served again.
    Frontend,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::BlueGreen,
        Self::Rolling,
        Self::Immediate,
        Self::Canary,
        Self::DatabaseMigration,
        Self::Frontend,
    ];

    /// `blue-green`, `rolling` …
    pub fn name(self) -> &'static str {
        match self {
            Self::BlueGreen => "blue-green",
            Self::Rolling => "rolling",
            Self::Immediate => "immediate",
            Self::Canary => "canary",
            Self::DatabaseMigration => "database-migration",
            Self::Frontend => "frontend",
        }
    }

    /// The one of that name; the documents' `blue_green` and `BLUE_GREEN` are names, too.
    pub fn named(word: &str) -> Option<Self> {
        let word = word.to_lowercase().replace('_', "-");
        Self::ALL.into_iter().find(|one| one.name() == word)
    }
}

/// What a person asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Which services; none named means all.
    pub names: Vec<String>,
    /// How, where not as each is configured.
    pub strategy: Option<Strategy>,
    /// To which version: `2.4.9` for all, or `backend=2.4.9,frontend=3.0.0`.
    pub to: String,
}

impl Asked {
    /// What a target asks for; nothing where it is one of another form.
    pub fn of(target: &str) -> Option<Self> {
        let mut parts = target.strip_prefix(SERVICES)?.splitn(3, ';');
        let names = parts.next().unwrap_or_default().split(',').filter(|name| !name.is_empty());
        let names = names.map(str::to_owned).collect();
        let strategy = Strategy::named(parts.next().unwrap_or_default());
        Some(Self { names, strategy, to: parts.next().unwrap_or_default().to_owned() })
    }

    /// As a target.
    pub fn target(&self) -> String {
        let strategy = self.strategy.map(Strategy::name).unwrap_or_default();
        format!("{SERVICES}{};{strategy};{}", self.names.join(","), self.to)
    }

    /// The version that is asked for `service`.
    pub fn version(&self, service: &str) -> Option<&str> {
        let mut all = self.to.split(',').filter(|part| !part.is_empty());
        all.find_map(|part| match part.split_once('=') {
            Some((name, version)) => (name == service).then_some(version),
            None => Some(part),
        })
    }
}

/// Whether version `one` is older than `other`, number by number: 2.10.0 is not older than 2.9.1. A
/// part that is no number counts by its letters.
pub fn is_older(one: &str, other: &str) -> bool {
    let parts = |text: &str| -> Vec<(u64, String)> {
        let text = text.trim_start_matches('v').to_owned();
        let part = |part: &str| {
            let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            let (number, rest) = part.split_at(end);
            (number.parse().unwrap_or_default(), rest.to_owned())
        };
        text.split('.').map(part).collect()
    };
    let (mut one, mut other) = (parts(one), parts(other));
    let length = one.len().max(other.len());
    one.resize(length, (0, String::new()));
    other.resize(length, (0, String::new()));
    one < other
}

/// Services in the order in which they go back: who depends on others goes first (reverse
/// deployment order, P-06). The way round is the error where one depends on itself.
pub fn order(depends_on: &BTreeMap<&str, Vec<&str>>) -> Result<Vec<String>, Vec<String>> {
    let mut left: BTreeMap<&str, Vec<&str>> = depends_on.clone();
    let mut order = Vec::new();
    while !left.is_empty() {
        let free = left.keys().find(|name| !left.values().any(|needs| needs.contains(name)));
        let Some(free) = free.copied() else { return Err(way_round(&left)) };
        left.remove(free);
        order.push(free.to_owned());
    }
    Ok(order)
}

/// `a -> b -> a`, of a graph in which somebody depends on each.
fn way_round(graph: &BTreeMap<&str, Vec<&str>>) -> Vec<String> {
    let mut way: Vec<&str> = graph.keys().take(1).copied().collect();
    while let Some(last) = way.last() {
        // Backwards: each is needed by one that is left.
        let Some((before, _)) = graph.iter().find(|(_, needs)| needs.contains(last)) else { break };
        if let Some(at) = way.iter().position(|known| known == before) {
            let mut round: Vec<String> = way.split_off(at).into_iter().map(str::to_owned).collect();
            round.push((*before).to_owned());
            round.reverse();
            return round;
        }
        way.push(before);
    }
    way.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strategy_is_known_by_each_of_its_names() {
        for word in ["blue_green", "BLUE_GREEN", "blue-green"] {
            assert_eq!(Strategy::named(word), Some(Strategy::BlueGreen));
        }
        assert_eq!(Strategy::named("sideways"), None);
        for one in Strategy::ALL {
            assert_eq!(Strategy::named(one.name()), Some(one));
        }
    }

    #[test]
    fn what_is_asked_is_a_target_and_back() {
        let asked = Asked {
            names: vec!["backend".into(), "frontend".into()],
            strategy: Some(Strategy::Rolling),
            to: "backend=2.4.9,3.0.0".into(),
        };
        assert_eq!(Asked::of(&asked.target()), Some(asked.clone()));
        assert_eq!(asked.version("backend"), Some("2.4.9"));
        assert_eq!(asked.version("frontend"), Some("3.0.0"));
        assert_eq!(Asked::of("live-blue"), None);
        assert_eq!(Asked::of("services:;;").unwrap(), Asked::default());
    }

    #[test]
    fn versions_are_compared_number_by_number() {
        assert!(is_older("2.4.9", "2.5.0") && is_older("2.9.1", "v2.10.0"));
        assert!(!is_older("2.5.0", "2.5") && !is_older("2.10.0", "2.9.1"));
        assert!(is_older("1.0", "1.0.1"));
    }

    #[test]
    fn who_depends_on_others_goes_first_and_a_way_round_is_told() {
        let graph = |edges: &[(&'static str, &[&'static str])]| -> BTreeMap<&str, Vec<&str>> {
            edges.iter().map(|(name, needs)| (*name, needs.to_vec())).collect()
        };
        let chain = graph(&[("api", &["db"]), ("db", &[]), ("web", &["api"])]);
        assert_eq!(order(&chain).unwrap(), ["web", "api", "db"]);
        let round = graph(&[("api", &["db"]), ("db", &["cache"]), ("cache", &["api"])]);
        let told = order(&round).unwrap_err();
        assert_eq!((told.len(), told.first()), (4, told.last()));
    }
}
