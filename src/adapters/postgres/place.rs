//! Where a database of `PostgreSQL` is, and as whom to ask.

use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use crate::adapters::secret::Secret;

/// What an address may hold as it is.
const OPEN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// How to speak to a server: host, user, database, and how the line is secured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresPlace {
    /// The host; the folder of its socket where it begins with `/`.
    pub host: String,
    /// The port.
    pub port: u16,
    /// As whom.
    pub user: String,
    /// The password; without one the password file of this user is asked.
    pub password: Option<Secret>,
    /// The database.
    pub database: String,
    /// `sslmode` as it was written: `prefer` where it was not.
    pub ssl: String,
    /// `sslrootcert`: whom to trust, where the public authorities are not meant.
    pub root: Option<String>,
    /// What our sessions there are called (`application_name`).
    pub session: String,
    /// How long coming to it may take.
    pub connect: std::time::Duration,
}

/// What begins the name of every session of ours.
const OURS: &str = "backout";

impl PostgresPlace {
    /// Reads `postgres://user:password@host:port/database?sslmode=…`. A socket is named by its
    /// folder: `postgres://user@%2Fvar%2Frun%2Fpostgresql/database`, or `?host=/var/run/…`.
    ///
    /// What is wrong with an address is said without its password.
    pub fn parse(url: &str) -> Result<Self, String> {
        let rest = ["postgres://", "postgresql://"].iter().find_map(|way| url.strip_prefix(way));
        let rest = rest.ok_or("it does not begin with postgres://")?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (server, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, server) = server.rsplit_once('@').unwrap_or(("", server));
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (login, None),
        };
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (server, None),
        };
        let mut place = Self {
            host: decoded(host)?,
            port: 5432,
            user: decoded(user)?,
            password: password.map(decoded).transpose()?.map(Secret::new),
            database: decoded(database)?,
            ssl: "prefer".to_owned(),
            root: None,
            session: OURS.to_owned(),
            connect: super::CONNECT,
        };
        let port_of = |text: &str| text.parse().map_err(|_| format!("{text:?} is no port"));
        if let Some(port) = port.filter(|port| !port.is_empty()) {
            place.port = port_of(port)?;
        }
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
            match &*key {
                "host" => place.host = value,
                "port" => place.port = port_of(&value)?,
                "user" => place.user = value,
                "password" => place.password = Some(Secret::new(value)),
                "dbname" => place.database = value,
                "sslmode" => place.ssl = value,
                "sslrootcert" => place.root = Some(value),
                "application_name" | "connect_timeout" => {}
                other => return Err(format!("{other} is not known in an address of PostgreSQL")),
            }
        }
        let modes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
        if !modes.contains(&place.ssl.as_str()) {
            return Err(format!("sslmode {:?} is none of {}", place.ssl, modes.join(", ")));
        }
        for (what, text) in
            [("host", &place.host), ("user", &place.user), ("database", &place.database)]
        {
            if text.is_empty() || text.contains('\0') {
                return Err(format!("it names no {what}"));
            }
        }
        Ok(place)
    }

    /// The same server, another database.
    #[must_use]
    pub fn at(&self, database: &str) -> Self {
        Self { database: database.to_owned(), ..self.clone() }
    }

    /// The same with sessions that are called after `effect`.
    #[must_use]
    pub fn called(&self, effect: &str) -> Self {
        Self { session: super::fitting(&format!("{OURS} {effect}")), ..self.clone() }
    }

    /// `database on host:port`, for messages.
    pub fn shown(&self) -> String {
        format!("{} on {}:{}", self.database, self.host, self.port)
    }

    /// Its address with the password.
    pub fn url(&self) -> Secret {
        let open = self.open_url();
        match &self.password {
            None => Secret::plain(open),
            Some(password) => {
                let (user, rest) = open.split_once('@').unwrap_or((&open, ""));
                let password = encoded(password.reveal());
                Secret::plain(format!("{user}:{password}@{rest}"))
            }
        }
    }

    /// Its address without a password, for a person's command.
    pub fn open_url(&self) -> String {
        let host = if self.host.contains(':') && !self.host.starts_with(['/', '[']) {
            format!("[{}]", self.host)
        } else if self.host.starts_with('[') {
            self.host.clone()
        } else {
            encoded(&self.host)
        };
        let (user, database) = (encoded(&self.user), encoded(&self.database));
        let mut url = format!("postgres://{user}@{host}:{}/{database}", self.port);
        let mut sign = '?';
        if self.ssl != "prefer" {
            url.extend([&format!("{sign}sslmode={}", self.ssl)].map(String::as_str));
            sign = '&';
        }
        if let Some(root) = &self.root {
            url.extend([&format!("{sign}sslrootcert={}", encoded(root))].map(String::as_str));
        }
        url
    }

    /// What the driver needs. Where there is no password, the password file is asked.
    pub(super) fn options(&self) -> Result<PgConnectOptions, sqlx::Error> {
        let mut url = self.url().reveal().to_owned();
        if !url.contains("sslmode=") {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str("sslmode=prefer");
        }
        let options = PgConnectOptions::from_str(&url)?;
        Ok(options
            .application_name(&self.session)
            .statement_cache_capacity(0)
            .disable_statement_logging())
    }

    /// What the client's own tools read from their environment: nothing of it is an argument.
    pub fn environment(&self, database: &str) -> Vec<(&'static str, String)> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let mut all = vec![
            ("PGHOST", host),
            ("PGPORT", self.port.to_string()),
            ("PGUSER", self.user.clone()),
            ("PGDATABASE", database.to_owned()),
            ("PGSSLMODE", self.ssl.clone()),
            ("PGAPPNAME", self.session.clone()),
            ("PGCONNECT_TIMEOUT", "10".to_owned()),
            ("PGCLIENTENCODING", "UTF8".to_owned()),
            ("LC_ALL", "C.UTF-8".to_owned()),
        ];
        all.extend(self.password.iter().map(|word| ("PGPASSWORD", word.reveal().to_owned())));
        all.extend(self.root.iter().map(|root| ("PGSSLROOTCERT", root.clone())));
        all
    }
}

fn decoded(text: &str) -> Result<String, String> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| "it is not UTF-8")?;
    Ok(text.into_owned())
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, OPEN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written_and_its_password_is_not_shown() {
        let place = PostgresPlace::parse("postgresql://us%40er:p%2Fw@h:6/d%20b?sslmode=require");
        let place = place.unwrap();
        assert_eq!((place.user.as_str(), place.database.as_str()), ("us@er", "d b"));
        assert_eq!((place.host.as_str(), place.port), ("h", 6));
        assert_eq!(place.password.as_ref().unwrap().reveal(), "p/w");
        let again = PostgresPlace::parse(place.url().reveal()).unwrap();
        assert_eq!(again, place);
        assert!(!format!("{place:?} {} {}", place.open_url(), place.shown()).contains("p/w"));
        assert!(!format!("{place:?}{:?}", place.url()).contains("p%2Fw"));
        for socket in ["postgres://u@%2Ftmp%2Fx:7/d", "postgres://u@/d?host=/tmp/x&port=7"] {
            let place = PostgresPlace::parse(socket).unwrap();
            assert_eq!((place.host.as_str(), place.port), ("/tmp/x", 7));
            assert_eq!(PostgresPlace::parse(place.url().reveal()).unwrap(), place);
        }
        let six = PostgresPlace::parse("postgres://u@[::1]:5433/d").unwrap();
        assert_eq!((six.host.as_str(), six.port), ("[::1]", 5433));
        assert_eq!(PostgresPlace::parse(six.url().reveal()).unwrap(), six);
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said_without_its_password() {
        for url in [
            "mysql://u:geheim@h/d",
            "postgres://u:geheim@h",
            "postgres://u:geheim@h:port/d",
            "postgres://:geheim@h/d",
            "postgres://u:geheim@h/d?sslmode=maybe",
            "postgres://u:geheim@h/d?target_session_attrs=any",
        ] {
            let why = PostgresPlace::parse(url).unwrap_err();
            assert!(!why.contains("geheim"), "{why}");
        }
    }
}
