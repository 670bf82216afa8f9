//! Where migration tools keep what is applied, and the commands that take it back (M-10, P-40).

use serde::{Deserialize, Serialize};

/// A tool that is asked to take migrations back, by its own command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tool {
    /// Alembic, for `SQLAlchemy`.
    Alembic,
    /// The migrations of Django.
    Django,
}

/// One way of keeping what is applied.
pub trait Ledger: Send + Sync {
    /// The table by which it is recognised.
    fn table(&self) -> &'static str;
    /// A query of two columns of text: what the revision is of, and the revision.
    fn heads(&self) -> &'static str;
    /// The same for a server of `PostgreSQL`.
    fn heads_on_a_server(&self) -> &'static str {
        self.heads()
    }
}

/// Alembic's table has one row per branch; none when nothing is applied.
#[derive(Debug)]
pub struct Alembic;

impl Ledger for Alembic {
    fn table(&self) -> &'static str {
        "alembic_version"
    }

    fn heads(&self) -> &'static str {
        "SELECT 'alembic', coalesce(group_concat(version_num, ','), 'base') FROM \
         (SELECT version_num FROM alembic_version ORDER BY version_num)"
    }

    fn heads_on_a_server(&self) -> &'static str {
        "SELECT 'alembic', coalesce(string_agg(version_num, ',' ORDER BY version_num), 'base') \
         FROM alembic_version"
    }
}

/// Django's table has every applied migration of every app.
#[derive(Debug)]
pub struct Django;

impl Ledger for Django {
    fn table(&self) -> &'static str {
        "django_migrations"
    }

    fn heads(&self) -> &'static str {
        "SELECT 'django.' || app, name FROM django_migrations \
         WHERE id IN (SELECT max(id) FROM django_migrations GROUP BY app)"
    }

    fn heads_on_a_server(&self) -> &'static str {
        "SELECT 'django.' || app, name::text FROM django_migrations \
         WHERE id IN (SELECT max(id) FROM django_migrations GROUP BY app)"
    }
}

/// Plain SQL files, with whole numbers.
#[derive(Debug)]
pub struct Plain;

impl Ledger for Plain {
    fn table(&self) -> &'static str {
        "schema_migrations"
    }

    fn heads(&self) -> &'static str {
        "SELECT 'sql', CAST(max(version) AS TEXT) FROM schema_migrations"
    }

    fn heads_on_a_server(&self) -> &'static str {
        // Tools that keep the version as text still count in whole numbers.
        "SELECT 'sql', max(version::text::numeric)::text FROM schema_migrations"
    }
}

/// Every ledger that is recognised.
pub const ALL: [&dyn Ledger; 3] = [&Plain, &Alembic, &Django];

impl Tool {
    /// What its revision is called: `alembic`, `django.shop`.
    pub fn key(self, app: Option<&str>) -> String {
        match self {
            Self::Alembic => "alembic".to_owned(),
            Self::Django => format!("django.{}", app.unwrap_or_default()),
        }
    }

    /// What its revision is when nothing is applied.
    pub fn nothing(self) -> &'static str {
        match self {
            Self::Alembic => "base",
            Self::Django => "zero",
        }
    }

    /// The command when none is configured.
    pub fn command(self) -> Vec<String> {
        match self {
            Self::Alembic => vec!["alembic".to_owned()],
            Self::Django => vec!["python".to_owned(), "manage.py".to_owned()],
        }
    }

    /// What is added to the command to come to a revision; the address of the database is never
    /// among it (W-57).
    pub fn arguments(self, app: Option<&str>, to: &str, up: bool) -> Vec<String> {
        let words = match (self, up) {
            (Self::Alembic, false) => vec!["downgrade", to],
            (Self::Alembic, true) => vec!["upgrade", to],
            (Self::Django, _) => vec!["migrate", "--no-input", app.unwrap_or_default(), to],
        };
        words.into_iter().map(str::to_owned).collect()
    }
}
