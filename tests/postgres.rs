//! A database of a real server: looked at, dumped, taken back, restored beside and swapped.

mod checks;
pub(crate) mod cluster;
mod data;
mod migrations;
mod repository;
mod swaps;

use backout::adapters::database::Database;
use backout::model::tables::TableFacts;

use cluster::Bench;

/// The application's tables at schema 105.
const SCHEMA: &str = "
    CREATE TABLE schema_migrations (version bigint PRIMARY KEY, checksum text,
        applied_at timestamptz NOT NULL);
    INSERT INTO schema_migrations VALUES (104, 'a', '2026-11-22 01:00:00Z'),
        (105, 'b', '2026-11-22 02:50:58Z');
    CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, preferences jsonb, age int,
        twice int GENERATED ALWAYS AS (age * 2) STORED);
    INSERT INTO users (name, preferences) VALUES (E'A''s\\n-- name; \\\\ ü', '{\"a\": 1}'), ('B', NULL);
    CREATE TABLE pairs (a text, b bytea, c json, PRIMARY KEY (a, b));
    INSERT INTO pairs VALUES ('x', '\\x00ff27', '{\"k\": \"\\\\.\"}');
    CREATE SCHEMA side;
    CREATE TABLE side.visits (user_id int REFERENCES users (id), at date NOT NULL)
        PARTITION BY RANGE (at);
    CREATE TABLE side.visits_1 PARTITION OF side.visits FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    INSERT INTO side.visits VALUES (1, '2026-02-02'), (NULL, '2026-03-03');
    CREATE VIEW named AS SELECT name FROM users;
    CREATE FUNCTION grown() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.age := 7; RETURN NEW; END $$;
    CREATE TRIGGER grown BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION grown();
    CREATE INDEX by_name ON users (name);";

/// A database with these tables.
async fn filled() -> Option<Bench> {
    let bench = Bench::new().await?;
    bench.run(&bench.name, SCHEMA).await;
    Some(bench)
}

fn quiet(_: u64, _: u64) {}

async fn tables(database: &dyn Database) -> Vec<TableFacts> {
    database.tables().await.unwrap()
}
