//! `tls_cert`: the certificate of a server: how many days it is good for, whether it is for this
//! name, and whether its chain leads to somebody who is trusted.

use std::time::Duration;

use crate::adapters::Error;
use crate::adapters::tcp::{Trace, connect};
use crate::adapters::tls::{Trust, days_left, examine};
use crate::clock::Clock;
use crate::model::reading::{Reason, WhyClass};

use super::seen::Seen;
use super::threshold::Thresholds;

/// Settings of this kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The name that the certificate has to be for; the host's by default.
    pub name: String,
    /// Whom to trust; those that browsers trust by default.
    pub trust: Option<Trust>,
    /// Thresholds on the days that are left, `direction: below`.
    pub thresholds: Thresholds,
}

impl Settings {
    /// `host:port`, and the name where it is another.
    pub fn target(&self) -> String {
        let place = self.place();
        if self.name == self.host { place } else { format!("{place} as {}", self.name) }
    }

    fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Looks once, within `limit`: a handshake, and nothing after it.
    pub async fn probe(&self, limit: Duration, clock: &Clock) -> Seen {
        let mut trace = Trace::default();
        let ended = clock.timeout(limit, self.look(clock, &mut trace)).await;
        let seen = match ended {
            Ok(Ok(seen)) => seen,
            Ok(Err(error)) => Seen::of_error(&error),
            Err(_) => {
                let what = format!("see the certificate of {} ({})", self.place(), trace.stage);
                Seen::of_error(&Error::timed_out(what, limit))
            }
        };
        seen.with_phases(trace.phases)
    }

    async fn look(&self, clock: &Clock, trace: &mut Trace) -> Result<Seen, Error> {
        let trust = self.trust.clone().map_or_else(Trust::browsers, Ok)?;
        let stream = connect(&self.host, self.port, trace).await?;
        let (now, place) = (clock.now(), self.place());
        let found = examine(&trust, (&self.name, &place), now, stream, trace).await?;
        let Some(certificate) = found.certificate else {
            return Ok(match found.verdict {
                Err((note, why)) => Seen::bad(WhyClass::Tls, note, &why),
                Ok(()) => Seen::unknown(Reason::Parse, "could not read the certificate"),
            });
        };
        let days = days_left(certificate.not_after, now);
        let note = format!("{days} days left");
        let seen = match found.verdict {
            Ok(()) => Seen::new(self.thresholds.judge(days, "days"), &note),
            Err((words, why)) => Seen::bad(WhyClass::Tls, words, &format!("{place}: {why}")),
        };
        let (from, until) = (certificate.not_before, certificate.not_after);
        Ok(seen
            .with_value(days, "days")
            .with_fact(&format!("subject: {}", certificate.subject))
            .with_fact(&format!("issuer: {}", certificate.issuer))
            .with_fact(&format!("valid: {} to {}", from.to_rfc3339(), until.to_rfc3339()))
            .with_fact(&format!("certificates sent: {}", found.sent)))
    }
}

#[cfg(test)]
mod tests;
