//! What tables hold at a moment, and how two moments differ: counts only, never a row.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What one table held at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFacts {
    /// Its name, as the database spells it.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// The greatest key, where the key is one whole number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_id: Option<i64>,
    /// How many rows have a value in each column.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, u64>,
}

/// What is there less than it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// A whole table, with the rows that it had.
    Table {
        /// Which.
        table: String,
        /// Its rows then.
        rows: u64,
    },
    /// Rows of a table.
    Rows {
        /// Which.
        table: String,
        /// Its rows then and now.
        then: u64,
        /// Now.
        now: u64,
    },
    /// Values of a column, or the column itself.
    Values {
        /// Which table.
        table: String,
        /// Which column.
        column: String,
        /// Values then.
        then: u64,
        /// Values now; nothing when the column is gone.
        now: Option<u64>,
    },
}

impl Missing {
    /// `table sessions is missing (600 rows)`, `users.phone holds 0 of 412,883 values`.
    pub fn words(&self) -> String {
        match self {
            Self::Table { table, rows } => {
                format!("table {table} is missing ({} rows)", grouped(*rows))
            }
            Self::Rows { table, then, now } => {
                format!("{table} holds {} of {} rows", grouped(*now), grouped(*then))
            }
            Self::Values { table, column, then, now: Some(now) } => {
                format!("{table}.{column} holds {} of {} values", grouped(*now), grouped(*then))
            }
            Self::Values { table, column, then, now: None } => {
                format!("column {table}.{column} is missing ({} values)", grouped(*then))
            }
        }
    }
}

/// What `now` holds less of than `then`: tables, rows, values. More of anything is no loss.
pub fn missing(then: &[TableFacts], now: &[TableFacts]) -> Vec<Missing> {
    let mut found = Vec::new();
    for old in then {
        let Some(new) = now.iter().find(|table| table.name == old.name) else {
            found.push(Missing::Table { table: old.name.clone(), rows: old.rows });
            continue;
        };
        if new.rows < old.rows {
            found.push(Missing::Rows { table: old.name.clone(), then: old.rows, now: new.rows });
        }
        for (column, values) in &old.values {
            let held = new.values.get(column).copied();
            // Fewer rows already say that there are fewer values.
            let fewer = held.is_none_or(|held| held < *values && new.rows >= old.rows);
            if fewer && (*values > 0 || held.is_none()) {
                found.push(Missing::Values {
                    table: old.name.clone(),
                    column: column.clone(),
                    then: *values,
                    now: held,
                });
            }
        }
    }
    found
}

/// A number in groups of three: `412,883`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, rows: u64, values: &[(&str, u64)]) -> TableFacts {
        let values = values.iter().map(|(column, held)| ((*column).to_owned(), *held)).collect();
        TableFacts { name: name.to_owned(), rows, max_id: None, values }
    }

    #[test]
    fn what_is_missing_is_named_and_what_was_added_is_no_loss() {
        let then = [
            table("sessions", 600, &[]),
            table("users", 412_883, &[("id", 412_883), ("phone", 412_883), ("note", 0)]),
            table("orders", 10, &[("id", 10)]),
        ];
        let now = [
            table("users", 412_900, &[("id", 412_900), ("phone", 0), ("extra", 3)]),
            table("orders", 7, &[("id", 7)]),
        ];
        let words: Vec<String> = missing(&then, &now).iter().map(Missing::words).collect();
        assert_eq!(
            words,
            [
                "table sessions is missing (600 rows)",
                "column users.note is missing (0 values)",
                "users.phone holds 0 of 412,883 values",
                "orders holds 7 of 10 rows",
            ]
        );
        assert!(missing(&now, &now).is_empty());
    }

    #[test]
    fn numbers_are_read_in_threes() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_203_114, "1,203,114")] {
            assert_eq!(grouped(number), text);
        }
    }
}
