//! The schema's history: versions 101 to 105 with their way up and down (S-27), and the rows that
//! the stack begins with.

use super::fault::{DownScript, Fault};

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// What `schema_migrations` records.
    pub version: i64,
    /// The words in the file names.
    pub name: &'static str,
    up: &'static str,
    down: &'static str,
}

impl Migration {
    /// The script that applies it.
    pub fn up(&self) -> String {
        let Self { version, name, up, .. } = self;
        format!(
            "-- Migration {} -> {version}\n-- File: migrations/{version}_{name}_up.sql\n\nBEGIN;\n\n\
             {up}\n\n-- Update schema version\nINSERT INTO schema_migrations (version, applied_at)\n\
             VALUES ({version}, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'));\n\nCOMMIT;\n",
            version - 1
        )
    }

    /// The script that takes it back.
    pub fn down(&self) -> String {
        let Self { version, name, down, .. } = self;
        format!(
            "-- Migration {version} -> {} rollback script\n\
             -- File: migrations/rollback/{version}_{name}_down.sql\n\nBEGIN;\n\n{down}\n\n\
             -- Update schema version\nDELETE FROM schema_migrations WHERE version = {version};\n\n\
             COMMIT;\n",
            version - 1
        )
    }
}

/// The migration that the deploy of v2.5.0 brings.
pub const PREFERENCES: Migration = Migration {
    version: 105,
    name: "add_user_preferences",
    up: "-- New columns\nALTER TABLE users ADD COLUMN preferences TEXT NOT NULL DEFAULT '{}';",
    down: "-- Remove new columns\nALTER TABLE users DROP COLUMN preferences;",
};

/// 105 with a constraint that nobody's preferences meet: reading goes on, every write is refused.
const REFUSING: Migration = Migration {
    up: "-- New columns\nALTER TABLE users ADD COLUMN preferences TEXT NOT NULL DEFAULT '{}';\n\n\
         -- Everybody begins with a theme\n\
         UPDATE users SET preferences = json_object('theme', iif(id % 2, 'dark', 'light'));\n\n\
         -- Who writes has a locale\n\
         CREATE TRIGGER sessions_need_locale BEFORE INSERT ON sessions\n\
         WHEN (SELECT json_extract(preferences, '$.locale') FROM users WHERE id = NEW.user_id) IS NULL\n\
         BEGIN\n    SELECT RAISE(ABORT, 'the user has no locale in their preferences');\nEND;\n\n\
         CREATE TRIGGER documents_need_locale BEFORE INSERT ON documents\n\
         WHEN (SELECT json_extract(preferences, '$.locale') FROM users WHERE id = NEW.user_id) IS NULL\n\
         BEGIN\n    SELECT RAISE(ABORT, 'the user has no locale in their preferences');\nEND;",
    down: "-- Remove what refuses\nDROP TRIGGER documents_need_locale;\n\
           DROP TRIGGER sessions_need_locale;\n\n\
           -- Remove new columns\nALTER TABLE users DROP COLUMN preferences;",
    ..PREFERENCES
};

/// The same with a slip in the middle of its way down.
const REFUSING_FOR_GOOD: Migration = Migration {
    down: "-- Remove what refuses\nDROP TRIGGER documents_need_locale;\n\
           DROP TRIGER sessions_need_locale;\n\n\
           -- Remove new columns\nALTER TABLE users DROP COLUMN preferences;",
    ..REFUSING
};

/// 105 that also drops a column with the values of all users. Its way down brings back the column.
const DROPPING: Migration = Migration {
    up: "-- New columns\nALTER TABLE users ADD COLUMN preferences TEXT NOT NULL DEFAULT '{}';\n\n\
         -- No longer needed\nALTER TABLE users DROP COLUMN phone;",
    down: "-- Bring back the old column\nALTER TABLE users ADD COLUMN phone TEXT;\n\n\
           -- Remove new columns\nALTER TABLE users DROP COLUMN preferences;",
    ..PREFERENCES
};

/// The migration that the deploy of v2.5.0 brings where that deploy has this fault.
pub fn deployed(fault: Option<Fault>) -> Migration {
    match fault {
        Some(Fault::BadMigration(DownScript::Whole)) => REFUSING,
        Some(Fault::BadMigration(DownScript::Broken)) => REFUSING_FOR_GOOD,
        Some(Fault::DestructiveUp) => DROPPING,
        Some(
            Fault::Crash
            | Fault::Errors(_)
            | Fault::Latency(_)
            | Fault::Hang
            | Fault::DbDown
            | Fault::BadConfig
            | Fault::Leak
            | Fault::TableDropped
            | Fault::Corruption,
        )
        | None => PREFERENCES,
    }
}

/// Everything before, oldest first.
pub const BEFORE: [Migration; 4] = [
    Migration {
        version: 101,
        name: "create_users",
        up: "CREATE TABLE IF NOT EXISTS schema_migrations (\n    version INTEGER PRIMARY KEY,\n    \
             applied_at TEXT NOT NULL\n);\n\nCREATE TABLE users (\n    id INTEGER PRIMARY KEY,\n    \
             name TEXT NOT NULL,\n    email TEXT NOT NULL UNIQUE,\n    phone TEXT,\n    created_at TEXT NOT NULL\n);",
        down: "DROP TABLE users;",
    },
    Migration {
        version: 102,
        name: "create_sessions_and_game_state",
        up: "CREATE TABLE sessions (\n    id INTEGER PRIMARY KEY,\n    \
             user_id INTEGER NOT NULL REFERENCES users (id),\n    started_at TEXT NOT NULL\n);\n\n\
             CREATE TABLE game_state (\n    id INTEGER PRIMARY KEY,\n    \
             user_id INTEGER NOT NULL REFERENCES users (id),\n    state TEXT NOT NULL\n);",
        down: "DROP TABLE game_state;\nDROP TABLE sessions;",
    },
    Migration {
        version: 103,
        name: "create_documents",
        up: "CREATE TABLE documents (\n    id INTEGER PRIMARY KEY,\n    \
             user_id INTEGER NOT NULL REFERENCES users (id),\n    title TEXT NOT NULL,\n    \
             body TEXT NOT NULL\n);",
        down: "DROP TABLE documents;",
    },
    Migration {
        version: 104,
        name: "index_documents_by_user",
        up: "CREATE INDEX documents_by_user ON documents (user_id);",
        down: "DROP INDEX documents_by_user;",
    },
];

/// 400 users, 600 sessions, 200 game states and 300 documents.
pub const ROWS: &str = "
BEGIN;
WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 400)
INSERT INTO users (id, name, email, phone, created_at)
SELECT i, 'User ' || i, 'user' || i || '@example.com', printf('+49 30 555 %04d', i),
       strftime('%Y-%m-%dT%H:%M:%SZ', '2026-01-01', '+' || i || ' hours') FROM n;
WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 600)
INSERT INTO sessions (id, user_id, started_at)
SELECT i, i % 400 + 1,
       strftime('%Y-%m-%dT%H:%M:%SZ', '2026-06-01', '+' || i || ' minutes') FROM n;
WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 200)
INSERT INTO game_state (id, user_id, state)
SELECT i, i * 2, json_object('level', i % 12, 'score', i * 31 % 1000) FROM n;
WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO documents (id, user_id, title, body)
SELECT i, i % 400 + 1, 'Document ' || i, 'It''s the text of document ' || i FROM n;
COMMIT;
";
