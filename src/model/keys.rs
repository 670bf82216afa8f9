//! What a Redis holds at a moment, counted by its keys, and how two moments differ. A key that
//! expires may go at any time: only keys that do not expire are held to a number.

use serde::{Deserialize, Serialize};

use super::tables::grouped;

/// What one numbered database of a Redis held at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFacts {
    /// Its number.
    pub database: u32,
    /// Its keys.
    pub keys: u64,
    /// How many of them expire.
    #[serde(default)]
    pub expiring: u64,
}

impl KeyFacts {
    /// Keys that stay until somebody deletes them.
    pub fn lasting(&self) -> u64 {
        self.keys.saturating_sub(self.expiring)
    }
}

/// The counts around the moment of a dump: what it holds lies between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// Before it was begun.
    pub before: Vec<KeyFacts>,
    /// After it was through.
    pub after: Vec<KeyFacts>,
}

/// The lasting keys of one database; none where it is not there.
fn lasting(facts: &[KeyFacts], database: u32) -> u64 {
    facts.iter().find(|one| one.database == database).map_or(0, KeyFacts::lasting)
}

impl Keys {
    /// One moment as it was counted, with nothing written meanwhile.
    pub fn exactly(facts: &[KeyFacts]) -> Self {
        Self { before: facts.to_vec(), after: facts.to_vec() }
    }

    /// What `found` does not hold as it should, a line a database; nothing where it is all there.
    pub fn wrong(&self, found: &[KeyFacts]) -> Vec<String> {
        let all = self.before.iter().chain(&self.after).chain(found);
        let mut numbers: Vec<u32> = all.map(|one| one.database).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut wrong = Vec::new();
        for database in numbers {
            let (one, other) = (lasting(&self.before, database), lasting(&self.after, database));
            let (least, most) = (one.min(other), one.max(other));
            let now = lasting(found, database);
            if (least..=most).contains(&now) {
                continue;
            }
            let wanted = if least == most {
                grouped(least)
            } else {
                format!("{} to {}", grouped(least), grouped(most))
            };
            wrong.push(format!(
                "database {database} holds {} keys that do not expire, not {wanted}",
                grouped(now)
            ));
        }
        wrong
    }
}

/// `1,204 keys, 41 of them expire`; databases are told where there are several.
pub fn words(facts: &[KeyFacts]) -> String {
    let keys: u64 = facts.iter().map(|one| one.keys).sum();
    let expiring: u64 = facts.iter().map(|one| one.expiring).sum();
    let mut text = format!("{} keys", grouped(keys));
    if facts.iter().filter(|one| one.keys > 0).count() > 1 {
        text.extend([" in ", &facts.len().to_string(), " databases"]);
    }
    if expiring > 0 {
        text.extend([", ", &grouped(expiring), " of them expire"]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(database: u32, keys: u64, expiring: u64) -> KeyFacts {
        KeyFacts { database, keys, expiring }
    }

    #[test]
    fn keys_that_stay_are_held_to_their_number_and_those_that_expire_are_not() {
        let then = Keys::exactly(&[facts(0, 100, 40), facts(3, 7, 0)]);
        assert!(then.wrong(&[facts(0, 61, 1), facts(3, 7, 0)]).is_empty());
        assert_eq!(
            then.wrong(&[facts(0, 59, 0)]),
            [
                "database 0 holds 59 keys that do not expire, not 60",
                "database 3 holds 0 keys that do not expire, not 7"
            ]
        );
        assert_eq!(
            then.wrong(&[facts(0, 60, 0), facts(3, 7, 0), facts(5, 1, 0)]),
            ["database 5 holds 1 keys that do not expire, not 0"]
        );
    }

    #[test]
    fn what_was_written_during_a_dump_may_be_in_it_or_not() {
        let then = Keys { before: vec![facts(0, 10, 0)], after: vec![facts(0, 1_012, 0)] };
        for keys in [10, 500, 1_012] {
            assert!(then.wrong(&[facts(0, keys, 0)]).is_empty());
        }
        assert_eq!(
            then.wrong(&[facts(0, 9, 0)]),
            ["database 0 holds 9 keys that do not expire, not 10 to 1,012"]
        );
    }

    #[test]
    fn they_are_said_in_words() {
        assert_eq!(words(&[]), "0 keys");
        assert_eq!(words(&[facts(0, 1_204, 41)]), "1,204 keys, 41 of them expire");
        assert_eq!(words(&[facts(0, 4, 0), facts(1, 2, 0)]), "6 keys in 2 databases");
    }
}
