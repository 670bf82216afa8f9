//! What is lost by going back to a point, as far as counts tell it beforehand, and the words for
//! bringing one table or column beside instead.

use super::ids::Time;
use super::tables::{TableFacts, grouped};

/// Tables of migration tools: a row there is no one's data.
const LEDGERS: [&str; 3] = ["schema_migrations", "alembic_version", "django_migrations"];

/// The command that restores the dump of `point` beside the live data and says how a table or a
/// column is copied back.
pub fn command(point: &str, table: &str, column: Option<&str>) -> String {
    let table = word(table);
    let column = column.map_or_else(String::new, |column| format!(" --column {}", word(column)));
    format!("backout restore beside --point {point} --table {table}{column} --yes")
}

/// A name as a shell reads it back.
fn word(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if !name.is_empty() && name.chars().all(plain) {
        return name.to_owned();
    }
    format!("'{}'", name.replace('\'', "'\\''"))
}

/// `3 minutes and about 12 rows (sessions 10, users 2)`: what a restore of a point of `taken_at`
/// loses, by how many rows each table has more than then. Changed rows are not counted by this.
pub fn loss_words(
    taken_at: Option<Time>,
    now: Time,
    then: &[TableFacts],
    live: Option<&[TableFacts]>,
) -> String {
    let minutes = taken_at.map_or_else(
        || "an unknown time".to_owned(),
        |at| {
            let minutes = u64::try_from((now - at).num_seconds()).unwrap_or(0).div_ceil(60);
            format!("{} {}", grouped(minutes), if minutes == 1 { "minute" } else { "minutes" })
        },
    );
    let Some(live) = live.filter(|_| !then.is_empty()) else {
        return format!("{minutes} of data, rows not counted");
    };
    let data = live.iter().filter(|table| !LEDGERS.contains(&table.name.as_str()));
    let more = data.filter_map(|table| {
        let before = then.iter().find(|old| old.name == table.name).map_or(0, |old| old.rows);
        table.rows.checked_sub(before).filter(|more| *more > 0).map(|more| (&table.name, more))
    });
    let more: Vec<(&String, u64)> = more.collect();
    let all: u64 = more.iter().map(|(_, more)| more).sum();
    let tables: Vec<String> =
        more.iter().map(|(name, more)| format!("{name} {}", grouped(*more))).collect();
    let tables =
        if tables.is_empty() { String::new() } else { format!(" ({})", tables.join(", ")) };
    let rows = if all == 1 { "row" } else { "rows" };
    format!("{minutes} of data, about {} {rows}{tables}", grouped(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, rows: u64) -> TableFacts {
        TableFacts { name: name.to_owned(), rows, ..TableFacts::default() }
    }

    #[test]
    fn a_loss_is_said_in_minutes_and_in_rows_per_table() {
        let at = |text: &str| text.parse::<Time>().unwrap();
        let (taken, now) = (at("2026-11-22T02:00:00Z"), at("2026-11-22T02:02:01Z"));
        let then = [table("users", 400), table("sessions", 600), table("gone", 5)];
        let live = [
            table("users", 400),
            table("sessions", 1_640),
            table("fresh", 2),
            table("schema_migrations", 9),
        ];
        assert_eq!(
            loss_words(Some(taken), now, &then, Some(&live)),
            "3 minutes of data, about 1,042 rows (sessions 1,040, fresh 2)"
        );
        assert_eq!(loss_words(None, now, &then, None), "an unknown time of data, rows not counted");
    }

    #[test]
    fn a_command_reads_back_whatever_a_table_is_called() {
        assert_eq!(
            command("p", "a;rm -rf '$HOME'", Some("phone")),
            "backout restore beside --point p --table 'a;rm -rf '\\''$HOME'\\''' --column phone --yes"
        );
    }
}
