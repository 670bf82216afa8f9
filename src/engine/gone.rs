//! What the deploy took away for good: no down script brings it back (design 24).

use std::collections::BTreeMap;

use crate::adapters::migrations::{How, Migration, Taken};
use crate::evidence::manifest::Manifest;
use crate::model::plan::{Move, Way};
use crate::model::tables::{Missing, TableFacts, grouped, missing};
use crate::text::SafeText;

/// One thing that does not come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gone {
    /// The table.
    pub table: String,
    /// The column; nothing when it is the whole table.
    pub column: Option<String>,
    /// `users.phone (412,883 values, dropped 02:50:58)`.
    pub words: String,
    /// Whether the values are there all the same: made anew, and as many.
    pub made_anew: bool,
}

impl Gone {
    /// `users.phone`, `sessions`.
    pub(super) fn name(&self) -> String {
        match &self.column {
            Some(column) => format!("{}.{column}", self.table),
            None => self.table.clone(),
        }
    }

    /// How it stands on the plan.
    pub(super) fn as_move(&self) -> Move {
        let (from, to, way) = if self.made_anew {
            ("made anew by the deploy", "as many values as at the point", Way::Stays)
        } else {
            ("gone since the point", "does NOT come back", Way::Cannot)
        };
        Move { item: SafeText::new(&self.words), from: from.into(), to: to.into(), way }
    }

    /// The command that brings it beside, to be copied back by hand.
    pub(super) fn beside(&self, point: &str) -> String {
        crate::model::beside::command(point, &self.table, self.column.as_deref())
    }
}

/// What the up scripts took of what the point holds, newest first. `live` is what the database
/// holds now, where that was counted.
pub(super) fn gone(
    migrations: &[Migration],
    manifest: Option<&Manifest>,
    live: Option<&[TableFacts]>,
) -> Vec<Gone> {
    let then = manifest.map(|manifest| manifest.tables.as_slice());
    let mut all: Vec<Gone> = Vec::new();
    for (migration, taken) in
        migrations.iter().flat_map(|one| one.taken.iter().map(move |taken| (one, taken)))
    {
        let Some(found) = of_statement(migration, taken, then, live) else { continue };
        if !all.iter().any(|known| known.name() == found.name()) {
            all.push(found);
        }
    }
    let (Some(then), Some(live)) = (then, live) else { return all };
    for lost in missing(then, live) {
        let (table, column, words) = match &lost {
            Missing::Table { table, rows } => {
                (table, None, format!("{table} ({} rows, table missing)", grouped(*rows)))
            }
            Missing::Values { table, column, then, now: None } if *then > 0 => (
                table,
                Some(column.clone()),
                format!("{table}.{column} ({} values, column missing)", grouped(*then)),
            ),
            // Fewer rows or values may be what people did.
            Missing::Rows { .. } | Missing::Values { .. } => continue,
        };
        let found = Gone { table: table.clone(), column, words, made_anew: false };
        let known = |known: &Gone| known.name() == found.name() || known.name() == found.table;
        if !all.iter().any(known) {
            all.push(found);
        }
    }
    all
}

fn of_statement(
    migration: &Migration,
    taken: &Taken,
    then: Option<&[TableFacts]>,
    live: Option<&[TableFacts]>,
) -> Option<Gone> {
    let (table, column) = (&taken.what.table, &taken.what.column);
    let same = |facts: &&TableFacts| facts.name.eq_ignore_ascii_case(table);
    let held = |facts: &TableFacts| match column {
        Some(column) => facts.values.get(column).copied(),
        None => Some(facts.rows),
    };
    // What the point does not hold was made since, and is nobody's loss.
    let before = match then {
        Some(then) => Some(then.iter().find(same).and_then(held).filter(|held| *held > 0)?),
        None => None,
    };
    let now = live.and_then(|live| live.iter().find(same)).and_then(held);
    let kind = if column.is_some() { "values" } else { "rows" };
    let count = before.map_or_else(String::new, |count| format!("{} {kind}, ", grouped(count)));
    let at = migration.at.map_or_else(
        || format!("by {}", migration.version),
        |at| at.format("%H:%M:%S").to_string(),
    );
    let name = column.as_ref().map_or_else(|| table.clone(), |column| format!("{table}.{column}"));
    let made_anew =
        taken.how == How::Dropped && before.zip(now).is_some_and(|(then, now)| now >= then);
    Some(Gone {
        table: table.clone(),
        column: column.clone(),
        words: format!("{name} ({count}{} {at})", taken.how.words()),
        made_anew,
    })
}

/// What the validation says of each, by its name: from the scripts alone, so that a plan stays the
/// same while rows come and go.
pub(super) fn sentences(
    migrations: &[Migration],
    manifest: Option<&Manifest>,
) -> BTreeMap<String, String> {
    let found = gone(migrations, manifest, None);
    found.into_iter().map(|gone| (gone.name(), gone.words)).collect()
}

/// `users.phone (412,883 values, dropped 02:50:58) does NOT come back`, or that nothing is lost.
pub(super) fn data_words(gone: &[Gone]) -> String {
    let lost: Vec<&str> =
        gone.iter().filter(|gone| !gone.made_anew).map(|gone| gone.words.as_str()).collect();
    match lost.as_slice() {
        [] => "no row is lost; what down scripts drop is saved first".to_owned(),
        [one] => format!("{one} does NOT come back; nothing else is lost"),
        many => format!("{} do NOT come back; nothing else is lost", many.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::database::Column;
    use crate::adapters::migrations::Nature;

    fn migration(taken: Vec<Taken>) -> Migration {
        Migration {
            version: 105,
            at: "2026-11-22T02:50:58Z".parse().ok(),
            down: None,
            up: None,
            nature: Nature::Destructive,
            drops: Vec::new(),
            taken,
            refused: Vec::new(),
            unclear: Vec::new(),
            back: Vec::new(),
        }
    }

    fn taken(column: Option<&str>, how: How) -> Taken {
        let column = column.map(str::to_owned);
        Taken { what: Column { table: "users".into(), column }, how }
    }

    fn table(name: &str, rows: u64, values: &[(&str, u64)]) -> TableFacts {
        let values = values.iter().map(|(column, held)| ((*column).to_owned(), *held)).collect();
        TableFacts { name: name.to_owned(), rows, max_id: None, values }
    }

    fn point() -> Manifest {
        let users = table("users", 412_900, &[("id", 412_900), ("phone", 412_883), ("note", 0)]);
        Manifest { tables: vec![table("sessions", 600, &[]), users], ..Manifest::default() }
    }

    #[test]
    fn what_an_up_script_dropped_is_said_with_its_values_and_the_time() {
        let migrations = [migration(vec![taken(Some("phone"), How::Dropped)])];
        let live = [table("sessions", 700, &[]), table("users", 412_901, &[("id", 412_901)])];
        let found = gone(&migrations, Some(&point()), Some(&live));
        let words: Vec<&str> = found.iter().map(|gone| gone.words.as_str()).collect();
        assert_eq!(words, ["users.phone (412,883 values, dropped 02:50:58)"]);
        assert_eq!(found[0].as_move().way, Way::Cannot);
        assert_eq!(
            data_words(&found),
            "users.phone (412,883 values, dropped 02:50:58) does NOT come back; nothing else is lost"
        );
        assert_eq!(sentences(&migrations, Some(&point()))["users.phone"], words[0]);
    }

    #[test]
    fn a_column_without_values_or_made_since_the_point_is_nobodys_loss() {
        let migrations = [migration(vec![
            taken(Some("note"), How::Dropped),
            taken(Some("fresh"), How::Dropped),
            taken(Some("fresh"), How::Rewritten),
        ])];
        assert_eq!(gone(&migrations, Some(&point()), None), []);
    }

    #[test]
    fn a_table_that_was_made_anew_with_all_its_rows_is_not_called_lost() {
        let migrations = [migration(vec![taken(None, How::Dropped)])];
        let full = point().tables;
        let found = gone(&migrations, Some(&point()), Some(&full));
        assert!(found[0].made_anew, "{found:?}");
        assert!(data_words(&found).starts_with("no row is lost"));
        let found = gone(&migrations, Some(&point()), Some(&[table("sessions", 600, &[])]));
        assert!(!found[0].made_anew, "{found:?}");
    }

    #[test]
    fn a_table_that_is_missing_without_any_script_is_said_too() {
        let live = [point().tables[1].clone()];
        let found = gone(&[], Some(&point()), Some(&live));
        assert_eq!(found[0].words, "sessions (600 rows, table missing)");
        assert_eq!(
            found[0].beside("20260101-000000"),
            "backout restore beside --point 20260101-000000 --table sessions --yes"
        );
    }
}
