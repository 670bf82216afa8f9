//! `tcp`: whether a connection can be opened.

use std::time::Duration;

use crate::adapters::Error;
use crate::adapters::tcp::{Trace, connect};
use crate::clock::Clock;

use super::seen::Seen;

/// Settings of this kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Settings {
    /// Reads `host:port` or `tcp://host:port`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let place = text.strip_prefix("tcp://").unwrap_or(text);
        let wrong = || format!("{place:?} is not host:port");
        let (host, port) = place.rsplit_once(':').ok_or_else(wrong)?;
        let host = host.trim_matches(['[', ']']);
        let port: u16 = port.parse().map_err(|_| wrong())?;
        if host.is_empty() || port == 0 || host.contains(['/', '@', ' ']) {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port })
    }

    /// `host:port`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Looks once, within `limit`.
    pub async fn probe(&self, limit: Duration, clock: &Clock) -> Seen {
        let mut trace = Trace::default();
        let work = connect(&self.host, self.port, &mut trace);
        let ended = clock.timeout(limit, work).await;
        let seen = match ended {
            Ok(Ok(_)) => {
                let took = trace.phases.connect.unwrap_or_default().as_secs_f64() * 1000.0;
                Seen {
                    latencies: trace.phases.connect.into_iter().collect(),
                    ..Seen::good("open").with_value(took, "ms")
                }
            }
            Ok(Err(error)) => Seen::of_error(&error),
            Err(_) => {
                let what = format!("connect to {} ({})", self.place(), trace.stage);
                Seen::of_error(&Error::timed_out(what, limit))
            }
        };
        seen.with_phases(trace.phases)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixture::{Server, cx, free_port, spec};
    use crate::checks::{CheckKind, probe};
    use crate::model::reading::{Finding, WhyClass};

    #[test]
    fn places_are_read_in_every_form() {
        for (text, host, port) in [
            ("tcp://127.0.0.1:5432", "127.0.0.1", 5432),
            ("db:1", "db", 1),
            ("tcp://[::1]:80", "::1", 80),
        ] {
            let settings = Settings::parse(text).unwrap();
            assert_eq!((settings.host.as_str(), settings.port), (host, port));
        }
        for text in ["db", "db:0", "db:99999", ":80", "tcp://db:80/x", "u@db:80"] {
            assert!(Settings::parse(text).is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn an_open_port_is_good_and_a_closed_one_refused() {
        let server = Server::says("").await;
        let look = |port| async move {
            let settings = Settings { host: "127.0.0.1".into(), port };
            probe(&spec(CheckKind::Tcp(settings), Duration::from_secs(2)), &cx()).await
        };
        let open = look(server.port).await;
        assert_eq!((open.finding, open.note.as_str()), (Finding::Good, "open"));
        let closed = look(free_port().await).await;
        assert!(matches!(&closed.finding, Finding::Bad { why } if why.class == WhyClass::Refused));
        assert_eq!(closed.note.as_str(), "refused");
    }
}
