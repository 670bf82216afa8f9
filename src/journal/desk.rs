//! What engineers on other hosts and the engine say to each other over a journal on a server: commands
//! and their answers, who is there, and what is true only now. Who asked is what the server says.

use sqlx::Row as _;

use crate::model::ids::{Digest, Seq};

use super::Error;
use super::place::Place;
use super::store::postgres::{PostgresStore, literal};

/// What is older than this when an engine finds it is not carried out, in seconds: whoever asked has
/// gone on, and the world too.
const FRESH: u32 = 60;

/// A command that somebody put there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its id, made by the client.
    pub id: String,
    /// The role that asked, as the server attests.
    pub author: String,
    /// From where, as claimed.
    pub client: String,
    /// The command, as JSON.
    pub body: String,
    /// Whether it was asked just now.
    pub fresh: bool,
}

/// Who said lately that they are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// The role, as the server attests.
    pub author: String,
    /// From where, as claimed.
    pub client: String,
    /// `console`, `cli` or `observer`; the last one for every role that may not ask anything.
    pub kind: String,
    /// The version of their program.
    pub version: String,
}

/// A number for a role, which no user of a host has.
pub fn number_of(role: &str) -> u32 {
    let digest = Digest::of(role.as_bytes()).0;
    let number = digest.get(..8).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    number.unwrap_or(u32::MAX) | 0x8000_0000
}

/// The place where commands are put and taken.
#[derive(Debug)]
pub struct CommandDesk(PostgresStore);

impl CommandDesk {
    /// Opens it; nothing where the journal is a file.
    pub async fn open(place: &Place) -> Result<Option<Self>, Error> {
        match &place.server {
            Some(server) => Ok(Some(Self(PostgresStore::open_read(server).await?))),
            None => Ok(None),
        }
    }

    /// Puts a command there; one with the same id stays as it was.
    pub async fn put(&mut self, id: &str, client: &str, body: &str) -> Result<(), Error> {
        let (id, client, body) = (literal(id), literal(client), literal(body));
        let query = format!(
            "INSERT INTO backout.commands (id, client, body) VALUES ({id}, {client}, {body}) \
             ON CONFLICT (id) DO NOTHING"
        );
        self.0.ask("ask the engine", &query).await.map(drop)
    }

    /// What became of a command, as JSON; nothing while it waits.
    pub async fn answer(&mut self, id: &str) -> Result<Option<String>, Error> {
        let query = format!("SELECT answer FROM backout.commands WHERE id = {}", literal(id));
        let rows = self.0.ask("read the engine's answer", &query).await?;
        let read = rows.first().map(|row| row.try_get::<Option<String>, _>(0)).transpose();
        Ok(read.map_err(self.0.refused("read the engine's answer"))?.flatten())
    }

    /// Commands without an answer, the oldest first.
    pub async fn waiting(&mut self) -> Result<Vec<Asked>, Error> {
        let query = format!(
            "SELECT id, author::text, client, body, \
             sent_at > clock_timestamp() - interval '{FRESH} s' FROM backout.commands \
             WHERE answer IS NULL ORDER BY number LIMIT 32"
        );
        let rows = self.0.ask("read commands", &query).await?;
        let read = |row: &sqlx::postgres::PgRow| -> Result<Asked, sqlx::Error> {
            Ok(Asked {
                id: row.try_get(0)?,
                author: row.try_get(1)?,
                client: row.try_get(2)?,
                body: row.try_get(3)?,
                fresh: row.try_get(4)?,
            })
        };
        let refused = self.0.refused("read commands");
        rows.iter().map(|row| read(row).map_err(&refused)).collect()
    }

    /// Says what became of a command; the first word stands.
    pub async fn say(&mut self, id: &str, answer: &str) -> Result<(), Error> {
        let query = format!(
            "UPDATE backout.commands SET answer = {}, answered_at = clock_timestamp() \
             WHERE id = {} AND answer IS NULL",
            literal(answer),
            literal(id)
        );
        self.0.ask("answer a command", &query).await.map(drop)
    }

    /// The role under which this one asks.
    pub async fn role(&mut self) -> Result<String, Error> {
        let rows = self.0.ask("read whose role this is", "SELECT session_user::text").await?;
        let read = rows.first().map(|row| row.try_get::<String, _>(0)).transpose();
        Ok(read.map_err(self.0.refused("read whose role this is"))?.unwrap_or_default())
    }

    /// Says that this client is there, or leaves.
    pub async fn attend(&mut self, one: &Present, here: bool) -> Result<(), Error> {
        let Present { client, kind, version, .. } = one;
        let (client, kind, version) = (literal(client), literal(kind), literal(version));
        let query = format!(
            "INSERT INTO backout.presence (client, kind, version, here) \
             VALUES ({client}, {kind}, {version}, {here}) ON CONFLICT (author, client) \
             DO UPDATE SET kind = excluded.kind, version = excluded.version, here = excluded.here"
        );
        self.0.ask("say who is there", &query).await.map(drop)
    }

    /// Who is there, of all that were heard in the last `seconds`.
    pub async fn present(&mut self, seconds: u32) -> Result<Vec<Present>, Error> {
        let query = format!(
            "SELECT author::text, client, kind, version FROM backout.presence \
             WHERE here AND seen > clock_timestamp() - interval '{seconds} s' \
             ORDER BY seen DESC LIMIT 64"
        );
        let rows = self.0.ask("read who is there", &query).await?;
        let read = |row: &sqlx::postgres::PgRow| -> Result<Present, sqlx::Error> {
            Ok(Present {
                author: row.try_get(0)?,
                client: row.try_get(1)?,
                kind: row.try_get(2)?,
                version: row.try_get(3)?,
            })
        };
        let refused = self.0.refused("read who is there");
        rows.iter().map(|row| read(row).map_err(&refused)).collect()
    }

    /// Forgets who was there long ago.
    pub async fn forget(&mut self) -> Result<(), Error> {
        let query =
            "DELETE FROM backout.presence WHERE seen < clock_timestamp() - interval '1 day'";
        self.0.ask("forget who was there", query).await.map(drop)
    }

    /// Shows other hosts what is true only now.
    pub async fn show(&mut self, live: &str) -> Result<(), Error> {
        let query = format!(
            "INSERT INTO backout.live (body) VALUES ({}) ON CONFLICT (one) \
             DO UPDATE SET number = live.number + 1, body = excluded.body",
            literal(live)
        );
        self.0.ask("show what is now", &query).await.map(drop)
    }

    /// What the engine shows, with its number; nothing when that is `known`.
    pub async fn shown(&mut self, known: i64) -> Result<Option<(i64, String)>, Error> {
        let query = format!("SELECT number, body FROM backout.live WHERE number <> {known}");
        let rows = self.0.ask("read what is now", &query).await?;
        let read = |row: &sqlx::postgres::PgRow| Ok((row.try_get(0)?, row.try_get(1)?));
        rows.first().map(read).transpose().map_err(self.0.refused("read what is now"))
    }

    /// Whether an engine that is not of this host's state folder has the lease.
    pub async fn is_held_elsewhere(&mut self, place: &Place) -> Result<bool, Error> {
        Ok(self.0.held_but_by(&place.state).await?.is_some())
    }

    /// The number of the last entry.
    pub async fn head(&mut self) -> Result<Seq, Error> {
        let query = "SELECT coalesce(max(seq), 0) FROM backout.entries";
        Ok(self.0.scalar("read the journal", query).await?.unwrap_or_default().cast_unsigned())
    }
}
