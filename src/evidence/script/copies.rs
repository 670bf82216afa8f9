//! Counts the rows of a `pg_dump` script: `COPY table (…) FROM stdin;`, a line a row, `\.`.

use std::collections::BTreeMap;

use memchr::memchr;

/// How much of a line is looked at: the rest of a row is only data.
const KEPT: usize = 1024;

/// Reads a script part by part.
#[derive(Clone, Debug, Default)]
pub(super) struct Copies {
    /// Rows by table; a table of the schema `public` by its name alone.
    pub(super) rows: BTreeMap<String, u64>,
    /// Tables that it makes.
    pub(super) tables: u64,
    /// The beginning of the line that has not ended yet.
    line: Vec<u8>,
    /// The table whose rows are read, and how many there were.
    inside: Option<(String, u64)>,
}

impl Copies {
    pub(super) fn feed(&mut self, mut part: &[u8]) {
        while let Some(at) = memchr(b'\n', part) {
            let (head, rest) = part.split_at(at);
            self.keep(head);
            self.end_line();
            part = rest.get(1..).unwrap_or_default();
        }
        self.keep(part);
    }

    /// Whether the rows of a table have no end.
    pub(super) fn open(&self) -> bool {
        self.inside.is_some()
    }

    fn keep(&mut self, part: &[u8]) {
        let room = KEPT.saturating_sub(self.line.len());
        self.line.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
    }

    fn end_line(&mut self) {
        if let Some((table, rows)) = &mut self.inside {
            if self.line == b"\\." {
                *self.rows.entry(std::mem::take(table)).or_default() += *rows;
                self.inside = None;
            } else {
                *rows += 1;
            }
        } else if self.line.starts_with(b"COPY ") {
            let line = String::from_utf8_lossy(&self.line);
            if line.ends_with("FROM stdin;") || self.line.len() == KEPT {
                self.inside = Some((name(line.trim_start_matches("COPY ")), 0));
            }
        } else if self.line.starts_with(b"CREATE TABLE ") {
            self.tables += 1;
        }
        self.line.clear();
    }
}

/// `public.users (id, name) FROM stdin;` is of `users`, `"Odd ""one"""."t" (…` of `Odd "one".t`.
fn name(text: &str) -> String {
    let (mut name, mut quoted) = (String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.next_if_eq(&'"').is_some() => name.push('"'),
            '"' => quoted = !quoted,
            ' ' | '(' if !quoted => break,
            letter => name.push(letter),
        }
    }
    name.strip_prefix("public.").map(str::to_owned).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(text: &str, size: usize) -> Copies {
        let mut copies = Copies::default();
        text.as_bytes().chunks(size).for_each(|part| copies.feed(part));
        copies
    }

    #[test]
    fn rows_are_counted_by_table_however_the_text_is_cut() {
        let text = "CREATE TABLE public.users (\n    id integer\n);\n\
                    COPY public.users (id, name) FROM stdin;\n1\tann\n2\tCOPY x FROM stdin;\n\\.\n\
                    COPY \"Odd \"\"one\"\"\".t (id) FROM stdin;\n\\.\n";
        for size in [1, 7, 1000] {
            let copies = fed(text, size);
            assert_eq!(copies.rows["users"], 2, "cut by {size}");
            assert_eq!(copies.rows["Odd \"one\".t"], 0);
            assert_eq!(copies.tables, 1);
            assert!(!copies.open());
        }
    }

    #[test]
    fn rows_without_an_end_are_told() {
        assert!(fed("COPY public.users (id) FROM stdin;\n1\n2", 5).open());
    }
}
