//! Which feature rows are done, by what, and which tests show it: the one list, and the table made of it.
//!
//! `cargo test row_S_46` runs the tests of a row. In a run of everything those tests run by
//! themselves; here only that each of them exists and is not left out.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;
use std::sync::OnceLock;

mod medical_kg;
mod pratiko;
mod spacetime;

/// A row of the feature list.
pub(crate) struct Row {
    /// Its name in a test, such as `row_S_46`.
    name: &'static str,
    /// What it is, in few words.
    what: &'static str,
    /// The command, key or setting by which a user has it.
    by: &'static str,
    /// The tests that show it: `console::flow::…` of this program, `src/model/….rs::…` of the library.
    tests: &'static [&'static str],
}

impl Row {
    fn id(&self) -> String {
        self.name.trim_start_matches("row_").replace('_', "-")
    }

    /// That the row's tests are there; and, when this row was asked for by name, that they pass.
    pub(crate) fn hold(&self) {
        assert!(!self.tests.is_empty(), "{} names no test", self.id());
        let (mut here, mut there) = (Vec::new(), Vec::new());
        for test in self.tests {
            if let Some((file, name)) = test.split_once(".rs::") {
                let path = format!("{}/{file}.rs", env!("CARGO_MANIFEST_DIR"));
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                assert!(text.contains(&format!("fn {name}(")), "{}: no {test}", self.id());
                there.push(name);
            } else {
                assert!(listed().contains(*test), "{}: no {test}, or it is ignored", self.id());
                here.push(*test);
            }
        }
        if !std::env::args().any(|argument| argument.contains("row_")) {
            return;
        }
        if !here.is_empty() {
            let program = std::env::current_exe().unwrap();
            let done = Command::new(program).arg("--exact").args(&here).status().unwrap();
            assert!(done.success(), "{}: {here:?}", self.id());
        }
        for name in there {
            let done = Command::new(env!("CARGO")).args(["test", "--lib", "--", name]).status();
            assert!(done.unwrap().success(), "{}: {name}", self.id());
        }
    }
}

/// The tests of this program that run by default.
fn listed() -> &'static BTreeSet<String> {
    static LISTED: OnceLock<BTreeSet<String>> = OnceLock::new();
    let ask = |more: &[&str]| {
        let program = std::env::current_exe().unwrap();
        let output = Command::new(program).arg("--list").args(more).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let name = |line: &str| line.strip_suffix(": test").map(str::to_owned);
        text.lines().filter_map(name).collect::<BTreeSet<_>>()
    };
    LISTED.get_or_init(|| &ask(&[]) - &ask(&["--ignored"]))
}

/// Declares rows: `row_S_46 "what" by "how" in ["test", …];`
macro_rules! rows {
    ($($name:ident $what:literal by $by:literal in [$($test:literal),* $(,)?];)*) => {
        pub(super) const ROWS: &[$crate::rows::Row] = &[$($crate::rows::Row {
            name: stringify!($name),
            what: $what,
            by: $by,
            tests: &[$($test),*],
        }),*];
        $(#[test]
        #[expect(non_snake_case, reason = "the name of a row")]
        fn $name() {
            let row = ROWS.iter().find(|row| row.name == stringify!($name)).unwrap();
            row.hold();
        })*
    };
}
use rows;

/// How many rows each document has.
const COUNTS: [(&str, usize); 3] = [("S", 81), ("P", 88), ("M", 30)];

fn table() -> (String, usize) {
    let all = || spacetime::ROWS.iter().chain(pratiko::ROWS).chain(medical_kg::ROWS);
    let mut open = 0;
    let mut text = String::from("| Row | What | By | Shown by |\n| --- | --- | --- | --- |\n");
    for (document, count) in COUNTS {
        for number in 1..=count {
            let id = format!("{document}-{number:02}");
            let Some(row) = all().find(|row| row.id() == id) else {
                open += 1;
                writeln!(text, "| {id} | open | | |").unwrap();
                continue;
            };
            let by = row.by.replace('|', "\\|");
            let tests = row.tests.iter().map(|test| format!("`{test}`")).collect::<Vec<_>>();
            writeln!(text, "| {id} | {} | {by} | {} |", row.what, tests.join("<br>")).unwrap();
        }
    }
    (text, open)
}

/// `assets/coverage.md` is what the list says; it is written anew by `BACKOUT_WRITE_COVERAGE=1`.
#[test]
fn the_table_of_rows_is_what_the_list_says() {
    let (rows, open) = table();
    let total: usize = COUNTS.iter().map(|(_, count)| count).sum();
    let text = format!(
        "# What is covered\n\n{} of {total} rows of the documents (S: SpaceTime VR, P: PratikoAI, M: Medical_KG), \
         each with the tests that show it. `cargo test row_S_46` runs the tests of a row.\n\n{rows}",
        total - open
    );
    let path = format!("{}/assets/coverage.md", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("BACKOUT_WRITE_COVERAGE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "assets/coverage.md is old: run with BACKOUT_WRITE_COVERAGE=1");
}
