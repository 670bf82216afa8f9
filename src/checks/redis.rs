//! `redis`: PING, and where asked for a field of INFO, the length of a list or a number.

use std::time::{Duration, Instant};

use crate::adapters::Error;
use crate::adapters::redis::{Line, Reply, Server};
use crate::adapters::tcp::Trace;
use crate::clock::Clock;
use crate::model::reading::{Finding, Reason, WhyClass};
use crate::text::{SafeText, fit};

use super::seen::Seen;
use super::threshold::Thresholds;

/// Settings of this kind.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it is, and as whom to ask.
    pub server: Server,
    /// What is judged.
    pub ask: Ask,
    /// Thresholds on what is judged.
    pub thresholds: Thresholds,
}

/// What is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// How long the answer to PING takes, in milliseconds.
    Ping,
    /// A field of INFO, such as `connected_clients`.
    Info(String),
    /// The length of the list of this name: jobs that wait.
    Length(String),
    /// The number that is kept under this name.
    Value(String),
}

/// A look that ended early: what was seen then.
type Early = Box<Seen>;

impl Settings {
    /// Where it looks, and at what.
    pub fn target(&self) -> String {
        let place = format!("redis {}/{}", self.server.place(), self.server.database);
        match &self.ask {
            Ask::Ping => place,
            Ask::Info(name) => format!("{place} info {name}"),
            Ask::Length(name) => format!("{place} length of {name}"),
            Ask::Value(name) => format!("{place} {name}"),
        }
    }

    /// Looks once, within `limit`.
    pub async fn probe(&self, limit: Duration, clock: &Clock) -> Seen {
        let mut trace = Trace::default();
        let ended = clock.timeout(limit, self.look(&mut trace)).await;
        let seen = match ended {
            Ok(Ok(seen)) => seen,
            Ok(Err(early)) => *early,
            Err(_) => {
                let what = format!("ask redis at {} ({})", self.server.place(), trace.stage);
                Seen::of_error(&Error::timed_out(what, limit))
            }
        };
        seen.with_phases(trace.phases)
    }

    async fn look(&self, trace: &mut Trace) -> Result<Seen, Early> {
        let error = |error: Error| Box::new(Seen::of_error(&error));
        let mut line = self.server.open(trace).await.map_err(error)?;
        if let Some(password) = &self.server.password {
            let words: Vec<&str> = ["AUTH"]
                .into_iter()
                .chain(self.server.user.as_deref())
                .chain([password.reveal()])
                .collect();
            said(&mut line, &words).await?;
        }
        if self.server.database > 0 {
            said(&mut line, &["SELECT", &self.server.database.to_string()]).await?;
        }
        let begun = Instant::now();
        let pong = said(&mut line, &["PING"]).await?;
        let took = begun.elapsed();
        trace.phases.first_byte = Some(took);
        if pong != Reply::Text(b"PONG".to_vec()) {
            let text = "PING was not answered by PONG";
            return Err(Box::new(Seen::bad(WhyClass::Content, "no PONG", text)));
        }
        let seen = self.value(&mut line, took).await?;
        Ok(Seen { latencies: vec![took], ..seen })
    }

    async fn value(&self, line: &mut Line, took: Duration) -> Result<Seen, Early> {
        let (value, unit) = match &self.ask {
            Ask::Ping => {
                let ms = (took.as_secs_f64() * 10_000.0).round() / 10.0;
                return Ok(Seen::new(self.judge(ms, "ms"), "PONG").with_value(ms, "ms"));
            }
            Ask::Info(name) => {
                let reply = said(line, &["INFO"]).await?;
                (number(&field(&reply, name), name)?, "")
            }
            Ask::Length(name) => {
                let reply = said(line, &["LLEN", name]).await?;
                (number(&reply, name)?, "entries")
            }
            Ask::Value(name) => {
                let reply = said(line, &["GET", name]).await?;
                (number(&reply, name)?, "")
            }
        };
        let note = format!("{value} {unit}");
        Ok(Seen::new(self.judge(value, unit), note.trim_end()).with_value(value, unit))
    }

    fn judge(&self, value: f64, unit: &str) -> Finding {
        if self.thresholds.any() { self.thresholds.judge(value, unit) } else { Finding::Good }
    }
}

/// Asks; a no, and silence, end the look.
async fn said(line: &mut Line, words: &[&str]) -> Result<Reply, Early> {
    match line.ask(words).await {
        Ok(Reply::No(why)) => Err(Box::new(refused(&why))),
        Ok(reply @ (Reply::Text(_) | Reply::Integer(_) | Reply::Null)) => Ok(reply),
        Err(error) => Err(Box::new(Seen::of_error(&error))),
    }
}

/// What a no means: we may not, we ask for the wrong thing, or it is not well.
fn refused(why: &str) -> Seen {
    let why = fit(SafeText::new(why).as_str(), 200);
    let begins = |words: &[&str]| words.iter().any(|word| why.starts_with(word));
    if begins(&["NOAUTH", "WRONGPASS", "NOPERM", "DENIED", "ERR invalid password", "ERR AUTH"])
        || why.contains("AUTH, but no password is set")
    {
        Seen::unknown(Reason::NoPermission, &why)
    } else if begins(&["WRONGTYPE", "ERR unknown command", "ERR DB index", "ERR invalid DB"]) {
        Seen::unknown(Reason::BadConfig, &why)
    } else {
        let note = why.split(' ').next().unwrap_or_default().to_owned();
        Seen::bad(WhyClass::Rejected, &note, &why)
    }
}

/// The line `name:value` of INFO.
fn field(info: &Reply, name: &str) -> Reply {
    let Reply::Text(text) = info else {
        return Reply::Null;
    };
    let text = String::from_utf8_lossy(text);
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.map_or(Reply::Null, |value| Reply::Text(value.trim().as_bytes().to_vec()))
}

fn number(reply: &Reply, name: &str) -> Result<f64, Early> {
    let unknown = |reason: Reason, why: String| Box::new(Seen::unknown(reason, &why));
    match reply {
        #[expect(clippy::cast_precision_loss, reason = "a count for a threshold")]
        Reply::Integer(number) => Ok(*number as f64),
        Reply::Text(text) => {
            let text = SafeText::from_bytes(text);
            let number = text.as_str().parse::<f64>().ok().filter(|number| number.is_finite());
            number.ok_or_else(|| {
                let text = fit(text.as_str(), 40);
                unknown(Reason::Parse, format!("{name} is {text:?}, not a number"))
            })
        }
        Reply::Null => Err(unknown(Reason::NoData, format!("there is no {name}"))),
        Reply::No(why) => Err(Box::new(refused(why))),
    }
}

#[cfg(test)]
mod tests;
