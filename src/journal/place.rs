//! Where a journal is: the state folder, and the server where its entries lie on one.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgPoolOptions};

use crate::clock::Clock;

/// How long coming to the server may take.
const CONNECT: Duration = Duration::from_secs(5);

/// Where a journal is.
#[derive(Clone, Debug)]
pub struct Place {
    /// The state folder of this host: lease, ballast and, without a server, the journal itself.
    pub(super) state: PathBuf,
    /// Where the entries lie, when they are on a server.
    pub(super) server: Option<Server>,
}

impl Place {
    /// The journal in the state folder, or on the server where there is one.
    pub fn new(state: impl Into<PathBuf>, server: Option<Server>) -> Self {
        Self { state: state.into(), server }
    }

    /// The state folder.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Whether a writer that was opened here waits for a server that is away.
    pub fn is_away(&self) -> bool {
        self.server.as_ref().is_some_and(|server| server.away.load(Ordering::Relaxed))
    }

    /// Whether other hosts see this journal too.
    pub fn is_shared(&self) -> bool {
        self.server.is_some()
    }
}

impl From<&Path> for Place {
    fn from(state: &Path) -> Self {
        Self::new(state, None)
    }
}

impl From<&PathBuf> for Place {
    fn from(state: &PathBuf) -> Self {
        Self::new(state, None)
    }
}

impl From<&Self> for Place {
    fn from(place: &Self) -> Self {
        place.clone()
    }
}

/// A database of `PostgreSQL` that holds a journal.
#[derive(Clone)]
pub struct Server {
    options: Box<PgConnectOptions>,
    shown: String,
    clock: Clock,
    /// Whether the writer waits for it.
    away: Arc<AtomicBool>,
}

impl std::fmt::Debug for Server {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Server").field(&self.shown).finish()
    }
}

impl Server {
    /// The database at `url`, which may hold a password, and what it is called in messages, which
    /// must not. Where there is no password the password file is asked.
    ///
    /// Fails with why the address cannot be used, without its password.
    pub fn new(url: &str, shown: impl Into<String>, clock: Clock) -> Result<Self, String> {
        let shown = shown.into();
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| format!("could not use the address of {shown}: it is not one"))?
            .application_name("backout")
            // A pooler in transaction mode knows neither this nor a prepared statement.
            .extra_float_digits(None)
            .statement_cache_capacity(0)
            .disable_statement_logging();
        Ok(Self { options: Box::new(options), shown, clock, away: Arc::default() })
    }

    /// What it is called: `database on host:port`.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Says whether the writer waits for it.
    pub(super) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    pub(super) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let open = Box::pin(self.options.connect());
        self.clock.timeout(CONNECT, open).await.unwrap_or_else(|_| Err(timed_out()))
    }

    /// A line of its own on which the server says when something happened.
    pub(super) async fn listen(&self, channel: &str) -> Result<PgListener, sqlx::Error> {
        let lines = PgPoolOptions::new().max_connections(1).acquire_timeout(CONNECT);
        let lines = lines.connect_lazy_with((*self.options).clone());
        let open = Box::pin(async {
            let mut listener = PgListener::connect_with(&lines).await?;
            listener.ignore_pool_close_event(true);
            listener.eager_reconnect(false);
            listener.listen(channel).await?;
            Ok(listener)
        });
        self.clock.timeout(CONNECT, open).await.unwrap_or_else(|_| Err(timed_out()))
    }
}

/// What a question that got no answer in time ends with; it is taken for a line that is gone.
pub(super) fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time"))
}
