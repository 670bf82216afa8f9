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

/// How many tables are named where all cannot be.
const NAMED: usize = 10;

/// The tables by their size (in bytes), each with its rows now and then (S-38):
/// `users 1,204 kB 412 rows (400 at the point)`. Nothing where no size is known.
pub fn by_size(then: &[TableFacts], now: &[TableFacts], sizes: &[(String, u64)]) -> Option<String> {
    let size = |table: &TableFacts| sizes.iter().find(|(name, _)| *name == table.name);
    let mut known: Vec<(u64, &TableFacts)> =
        now.iter().filter_map(|table| Some((size(table)?.1, table))).collect();
    known.sort_by_key(|(bytes, table)| (std::cmp::Reverse(*bytes), table.name.as_str()));
    let line = |(bytes, table): &(u64, &TableFacts)| {
        let old = then.iter().find(|old| old.name == table.name);
        let old =
            old.map_or_else(String::new, |old| format!(" ({} at the point)", grouped(old.rows)));
        let (kb, rows) = (grouped(bytes.div_ceil(1000)), grouped(table.rows));
        format!("{} {kb} kB {rows} rows{old}", table.name)
    };
    let lines: Vec<String> = known.iter().take(NAMED).map(line).collect();
    let more = known.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!(", and {more} smaller") };
    (!lines.is_empty()).then(|| format!("by size: {}{more}", lines.join(", ")))
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
    fn tables_are_listed_largest_first_with_their_rows_then_and_now() {
        let then = [table("users", 400, &[]), table("sessions", 600, &[])];
        let now = [table("new", 1, &[]), table("sessions", 600, &[]), table("users", 412, &[])];
        let sizes = [("sessions", 8192), ("users", 1_203_114), ("new", 4096)];
        let sizes = sizes.map(|(name, bytes)| (name.to_owned(), bytes));
        assert_eq!(
            by_size(&then, &now, &sizes).unwrap(),
            "by size: users 1,204 kB 412 rows (400 at the point), sessions 9 kB 600 rows (600 at \
             the point), new 5 kB 1 rows"
        );
        assert_eq!(by_size(&then, &now, &[]), None);
        let many: Vec<TableFacts> = (0..12).map(|n| table(&format!("t{n:02}"), n, &[])).collect();
        let sizes: Vec<_> = many.iter().map(|table| (table.name.clone(), 1)).collect();
        assert!(by_size(&[], &many, &sizes).unwrap().ends_with("t09 1 kB 9 rows, and 2 smaller"));
    }

    #[test]
    fn numbers_are_read_in_threes() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_203_114, "1,203,114")] {
            assert_eq!(grouped(number), text);
        }
    }
}
