use super::*;
use crate::text::SafeText;

fn judged(script: &str) -> Judged {
    classify::script(&statements(script).unwrap())
}

fn nature(script: &str) -> Nature {
    judged(script).nature
}

fn names(taken: &[Taken]) -> Vec<String> {
    let name = |taken: &Taken| {
        let Column { table, column } = &taken.what;
        let column = column.as_ref().map_or_else(String::new, |column| format!(".{column}"));
        format!("{table}{column} {}", taken.how.words())
    };
    taken.iter().map(name).collect()
}

#[test]
fn what_an_old_program_does_not_notice_is_additive() {
    for script in [
        "ALTER TABLE users ADD COLUMN preferences TEXT DEFAULT '{}'",
        "ALTER TABLE users ADD COLUMN preferences TEXT NOT NULL DEFAULT '{}'",
        "ALTER TABLE users ADD nick TEXT",
        "CREATE TABLE audit (id INTEGER PRIMARY KEY, what TEXT)",
        "BEGIN; CREATE INDEX by_name ON users (name); COMMIT;",
        "BEGIN TRANSACTION; CREATE VIEW named AS SELECT name FROM users; END;",
        "INSERT INTO schema_migrations (version, applied_at) VALUES (105, datetime('now'))",
        "CREATE UNIQUE INDEX one ON schema_migrations (version)",
        "PRAGMA foreign_keys = OFF",
        "SELECT 1",
    ] {
        assert_eq!(judged(script), Judged::default(), "{script}");
    }
}

#[test]
fn every_other_statement_has_its_kind() {
    for (script, wanted) in [
        ("INSERT INTO kinds (name) VALUES ('a')", Nature::DataOnly),
        ("UPDATE users SET email = NULL", Nature::DataOnly),
        ("ALTER TABLE users ADD COLUMN age INTEGER NOT NULL", Nature::Rewriting),
        ("ALTER TABLE users ADD COLUMN tag TEXT UNIQUE", Nature::Rewriting),
        ("ALTER TABLE users RENAME TO people", Nature::Rewriting),
        ("ALTER TABLE users RENAME COLUMN name TO title", Nature::Rewriting),
        ("ALTER TABLE users ALTER COLUMN age TYPE bigint", Nature::Rewriting),
        ("CREATE UNIQUE INDEX one_name ON users (name)", Nature::Rewriting),
        ("DROP INDEX by_name", Nature::Rewriting),
        ("CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM u; END", Nature::Rewriting),
        ("ALTER TABLE users DROP COLUMN email", Nature::Destructive),
        ("ALTER TABLE users DROP email", Nature::Destructive),
        ("drop table if exists sessions", Nature::Destructive),
        ("DELETE FROM sessions WHERE id < 5", Nature::Destructive),
        ("TRUNCATE sessions", Nature::Destructive),
        ("CREATE INDEX CONCURRENTLY by_name ON users (name)", Nature::NonTransactional),
        ("VACUUM", Nature::NonTransactional),
        ("DO $$ gibberish $$", Nature::Destructive),
        ("SELECT pg_terminate_backend(1)", Nature::Destructive),
        ("THIS IS NOT SQL", Nature::Destructive),
    ] {
        assert_eq!(nature(script), wanted, "{script}");
    }
    assert_eq!(judged("THIS IS NOT SQL").unclear, ["THIS IS NOT SQL"]);
}

#[test]
fn what_goes_away_is_named_whatever_the_way_it_is_written() {
    let script = "ALTER TABLE \"users\" DROP COLUMN \"phone\";
        alter table main.users\n\tdrop /* x */ column [fax]; -- DROP TABLE users;
        DROP TABLE IF EXISTS `old``one`, sessions;
        UPDATE users SET email = lower(email), name = 'x' WHERE id > 3;
        DELETE FROM game_state; DELETE FROM schema_migrations WHERE version = 105;
        INSERT OR REPLACE INTO kinds VALUES (1);
        INSERT INTO notes VALUES ('DROP TABLE users; ALTER TABLE users DROP COLUMN a');";
    assert_eq!(
        names(&judged(script).taken),
        [
            "users.phone dropped",
            "users.fax dropped",
            "old`one dropped",
            "sessions dropped",
            "users.email rewritten",
            "users.name rewritten",
            "game_state rows removed",
            "kinds rewritten",
        ]
    );
}

#[test]
fn what_a_script_has_made_itself_is_nobodys_loss() {
    let script = "ALTER TABLE users ADD COLUMN full_name TEXT;
        UPDATE users SET full_name = name;
        CREATE TABLE part (a INT); DELETE FROM part; DROP TABLE part;
        ALTER TABLE users DROP COLUMN name;";
    assert_eq!(names(&judged(script).taken), ["users.name dropped"]);
}

#[test]
fn what_cannot_be_one_transaction_or_reaches_outside_is_refused_with_the_words_why() {
    for (script, why) in [
        ("BEGIN; DROP TABLE a; COMMIT; DROP TABLE b; COMMIT;", "in the middle"),
        ("DROP TABLE a; ROLLBACK; DROP TABLE b", "in the middle"),
        ("DROP TABLE a; SAVEPOINT s; DROP TABLE b", "in the middle"),
        ("\\! rm -rf /;", "client program"),
        ("SELECT 1 \\! rm -rf /", "client program"),
        ("\\copy users from program 'id';", "client program"),
        (".shell rm -rf /", "client program"),
        ("COPY users TO PROGRAM 'cat > /tmp/x'", "starts a program"),
        ("COPY users FROM '/etc/passwd'", "beside the database"),
        ("CREATE EXTENSION plpython3u", "superuser"),
        ("DROP DATABASE app", "more than a migration"),
        ("DROP SCHEMA public CASCADE", "more than a migration"),
        ("CREATE DATABASE app", "whole database"),
        ("ATTACH DATABASE '/etc/shadow' AS x", "another database"),
        ("DETACH x", "another database"),
        ("VACUUM INTO '/tmp/x'", "inside a transaction"),
        ("CREATE INDEX CONCURRENTLY i ON a (b)", "inside a transaction"),
        ("SET synchronous_commit = off", "synchronous_commit"),
        ("SET statement_timeout = 0", "statement_timeout"),
        ("PRAGMA journal_mode = OFF", "keeps its data"),
        ("PRAGMA writable_schema = ON", "keeps its data"),
    ] {
        let found = judged(script);
        assert!(found.refused.iter().any(|refused| refused.contains(why)), "{script}: {found:?}");
        assert!(found.nature > Nature::Rewriting, "{script}");
    }
    assert!(judged("INSERT INTO t VALUES ('a\\b')").refused.is_empty());
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(folder.0.path().join("rollback")).unwrap();
        folder
    }

    fn with(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        std::fs::write(self.0.path().join(name), text).unwrap();
        self
    }

    fn read(&self, checksum: Option<&str>) -> Result<Migration, Error> {
        let checksum = checksum.map(SafeText::new);
        read(self.0.path(), &Applied { version: 105, checksum, at: None })
    }
}

const UP: &str = "BEGIN; ALTER TABLE users DROP COLUMN phone; COMMIT;";
const DOWN: &str = "BEGIN; ALTER TABLE users ADD COLUMN phone TEXT; DROP TABLE audit; COMMIT;";

#[test]
fn a_migration_is_read_with_what_it_took_and_what_its_way_back_takes() {
    let folder = Folder::new().with("105_x_up.sql", UP).with("rollback/105_x_down.sql", DOWN);
    let folder = folder.with("1050_other_up.sql", "DROP TABLE users;");
    let found = folder.read(Some(&Digest::of(UP.as_bytes()).0)).unwrap();
    assert_eq!(
        (found.nature, names(&found.taken)),
        (Nature::Destructive, vec!["users.phone dropped".into()])
    );
    assert_eq!(found.drops, [Column { table: "audit".into(), column: None }]);
    assert_eq!((found.refused, found.unclear), (Vec::new(), Vec::new()));
    let padded = Folder::new().with("00105_x_up.sql", UP).read(None).unwrap();
    assert!(padded.up.is_some() && padded.down.is_none());
}

#[test]
fn two_files_of_one_version_are_refused_by_their_names() {
    let folder = Folder::new().with("105_a_up.sql", UP).with("105_b_up.sql", UP);
    let refused = folder.read(None).unwrap_err();
    assert!(refused.message.contains("105_a_up.sql and 105_b_up.sql"), "{refused}");
}

#[test]
fn a_script_that_was_edited_after_it_was_applied_has_no_way_back() {
    let folder = Folder::new().with("105_x_up.sql", UP).with("rollback/105_x_down.sql", DOWN);
    let found = folder.read(Some(&Digest::of(b"another").0)).unwrap();
    assert!(found.refused[0].contains("edited after it was applied"), "{found:?}");
    let unknown = folder.read(Some("d41d8cd98f00b204e9800998ecf8427e")).unwrap();
    assert!(unknown.refused.is_empty(), "a checksum of another kind says nothing");
}

#[test]
fn a_windows_file_with_a_byte_order_mark_is_the_same_script() {
    let dos = format!("\u{feff}{}", DOWN.replace("; ", ";\r\n"));
    let folder = Folder::new().with("105_x_up.sql", UP).with("rollback/105_x_down.sql", dos);
    let found = folder.read(None).unwrap();
    assert_eq!(found.refused, Vec::<String>::new());
    assert_eq!(found.back.first().map(String::as_str), Some("BEGIN"));
    assert_eq!(found.drops, [Column { table: "audit".into(), column: None }]);
}

#[test]
fn a_script_of_100_mib_is_refused_unread_and_bytes_that_are_no_text_too() {
    let folder = Folder::new().with("105_x_up.sql", UP).with("rollback/105_x_down.sql", DOWN);
    let path = folder.0.path().join("rollback/105_x_down.sql");
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(100 * 1024 * 1024).unwrap();
    let found = folder.read(None).unwrap();
    assert!(found.refused[0].contains("104,857,600 bytes are too many"), "{found:?}");
    let folder = folder.with("rollback/105_x_down.sql", b"\xff\xfeDROP TABLE a");
    let found = folder.read(None).unwrap();
    assert!(found.refused[0].contains("not UTF-8"), "{found:?}");
}

#[test]
fn an_up_script_that_is_missing_or_cannot_be_read_is_never_called_additive() {
    let found = Folder::new().with("rollback/105_x_down.sql", DOWN).read(None).unwrap();
    assert_eq!(found.nature, Nature::Destructive);
    assert_eq!(found.unclear, ["the up script of 105 is missing"]);
    let found = Folder::new().with("105_x_up.sql", "SELECT 'never closed").read(None).unwrap();
    assert_eq!(found.nature, Nature::Destructive);
    assert!(found.unclear[0].contains("ends inside a string"), "{found:?}");
}

#[test]
fn only_what_an_old_program_may_notice_is_told_of_a_row_of_scripts() {
    let folder = Folder::new()
        .with("104_a_up.sql", "DROP TABLE a;")
        .with("105_b_up.sql", "CREATE TABLE c (a INT);")
        .with("107_c_up.sql", "ALTER TABLE c DROP COLUMN a;");
    let applied = |version| Applied { version, checksum: None, at: None };
    let ledger = [applied(104), applied(105), applied(107)];
    let found = noticed(folder.0.path(), &ledger, 104).unwrap();
    assert_eq!(found, ["ALTER TABLE c DROP COLUMN a"]);
    let refused = noticed(folder.0.path(), &[applied(106)], 104).unwrap_err();
    assert!(refused.message.contains("106 is missing"), "{refused}");
}
