//! `http_response`: one or several requests, judged by status and content. They look; only a check
//! that says `method: POST` writes, what may be written again and again.
//!
//! A fresh connection per look; the requests of a burst share it. A burst is bad when half of its
//! requests fail and a warning when fewer do: how many is what the error rate is for.

use std::time::{Duration, Instant};

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::HeaderName;

use crate::adapters::Error;
use crate::adapters::http::{self, Answer, Call, Line, Target};
use crate::adapters::secret::Secret;
use crate::adapters::tcp::Trace;
use crate::clock::Clock;
use crate::model::ids::Time;
use crate::model::reading::{Finding, WhyClass};

use super::expect::Expectation;
use super::seen::{Seen, bad, class_of, warn};
use super::threshold::Thresholds;

/// Settings of this kind.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address for people.
    pub url: Secret,
    /// The address, taken apart.
    pub target: Target,
    /// Headers to send.
    pub headers: Vec<(HeaderName, Secret)>,
    /// GET, or POST for a check that writes.
    pub method: Method,
    /// What is sent with POST.
    pub body: Bytes,
    /// Which statuses are good.
    pub expected: Statuses,
    /// Thresholds on the status code (W-44).
    pub thresholds: Thresholds,
    /// What the answer has to hold.
    pub expect: Vec<Expectation>,
    /// Requests per look (`samples_per_run`).
    pub requests: u32,
}

/// Status codes that are good: single ones and ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses(pub Vec<(u16, u16)>);

impl Statuses {
    /// Reads `200`, `2xx`, `200-204`, or several with commas between.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts: Result<Vec<_>, _> = text.split(',').map(|part| one(part.trim())).collect();
        parts.map(Self)
    }

    /// Whether `status` is one of them.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|(low, high)| (*low..=*high).contains(&status))
    }

    /// As people write them.
    pub fn shown(&self) -> String {
        let parts: Vec<String> = self
            .0
            .iter()
            .map(|(low, high)| match (low % 100, high % 100) {
                _ if low == high => low.to_string(),
                (0, 99) if low / 100 == high / 100 => format!("{}xx", low / 100),
                _ => format!("{low}-{high}"),
            })
            .collect();
        parts.join(",")
    }
}

fn one(part: &str) -> Result<(u16, u16), String> {
    let code = |text: &str| {
        let code: Option<u16> = text.parse().ok();
        code.filter(|code| (100..=599).contains(code))
            .ok_or_else(|| format!("{text:?} is not a status such as 200, 2xx or 200-204"))
    };
    let hundred = part
        .strip_suffix("xx")
        .or_else(|| part.strip_suffix("XX"))
        .and_then(|digit| digit.parse::<u16>().ok())
        .filter(|digit| (1..=5).contains(digit));
    if let Some(digit) = hundred {
        return Ok((digit * 100, digit * 100 + 99));
    }
    match part.split_once('-') {
        Some((low, high)) => {
            let (low, high) = (code(low.trim())?, code(high.trim())?);
            if low > high {
                return Err(format!("{part:?} begins above its end"));
            }
            Ok((low, high))
        }
        None => code(part).map(|code| (code, code)),
    }
}

/// What is made of one request.
struct Judged {
    finding: Finding,
    note: String,
}

/// The requests of a look so far.
#[derive(Default)]
struct Burst {
    asked: u32,
    failed: u32,
    latencies: Vec<Duration>,
    /// The last warning, and the last failure: what the look says when it is not good.
    warned: Option<Judged>,
    wrong: Option<Judged>,
    good: String,
}

impl Settings {
    /// Looks once, within `limit`.
    pub async fn probe(&self, limit: Duration, clock: &Clock) -> Seen {
        let mut trace = Trace::default();
        let mut burst = Burst::default();
        let mut began = Instant::now();
        let work = self.requests(&mut burst, (&mut trace, clock.now()), &mut began);
        let ended = match clock.timeout(limit, work).await {
            Ok(ended) => ended,
            Err(_) if burst.asked > 0 && began.elapsed() * 2 < limit => Ok(()),
            Err(_) => Err(http::late(&self.target, &trace, limit)),
        };
        if let Err(error) = ended {
            match class_of(&error) {
                Err(_) if burst.asked == 0 => {
                    return Seen::of_error(&error).with_phases(trace.phases);
                }
                // Our own fault in the middle of a burst: what was answered until then counts.
                Err(_) => {}
                Ok((class, note)) => {
                    // The requests behind one that hangs would have hung too: leaving them out
                    // would make an outage look like one failure among many good answers.
                    burst.failed += self.requests.saturating_sub(burst.asked);
                    burst.asked = self.requests;
                    burst.wrong =
                        Some(Judged { finding: bad(class, &error.message), note: note.to_owned() });
                }
            }
        }
        burst.seen().with_phases(trace.phases)
    }

    async fn requests(
        &self,
        burst: &mut Burst,
        (trace, now): (&mut Trace, Time),
        began: &mut Instant,
    ) -> Result<(), Error> {
        let call = Call {
            method: self.method.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
        };
        let mut open: Option<Line> = None;
        while burst.asked < self.requests {
            *began = Instant::now();
            let mut line = match open.take().filter(Line::reusable) {
                Some(line) => line,
                None => Line::open(&self.target, trace).await?,
            };
            let result = line.ask(&self.target, &call, trace).await;
            let took = began.elapsed();
            match result {
                Ok(answer) => {
                    burst.count(self.judge(&answer, now), took);
                    open = Some(line);
                }
                Err(error) => match class_of(&error) {
                    Ok((class, note)) => {
                        let finding = bad(class, &error.message);
                        let note = note.to_owned();
                        burst.count(Judged { finding, note }, took);
                    }
                    Err(_) => return Err(error),
                },
            }
        }
        Ok(())
    }

    /// Judges one answer: the status first, then what it holds. A status that was asked for by
    /// name is good even above the threshold (M-04: 503 while switched off).
    fn judge(&self, answer: &Answer, now: Time) -> Judged {
        let status = answer.status;
        let note = status.to_string();
        if !self.expected.contains(status) {
            let mut text = format!("{status}, expected {}", self.expected.shown());
            if let Some(place) = answer.headers.get("location") {
                let place = String::from_utf8_lossy(place.as_bytes());
                text = format!("{text}; redirects to {place} are not followed");
            }
            let warned =
                matches!(self.thresholds.judge(f64::from(status), ""), Finding::Warn { .. });
            let finding =
                if warned { warn(WhyClass::Status, &text) } else { bad(WhyClass::Status, &text) };
            return Judged { finding, note };
        }
        for expectation in &self.expect {
            if let Err(why) = expectation.check(answer, now) {
                return Judged {
                    finding: bad(WhyClass::Content, &why),
                    note: format!("{status}, content"),
                };
            }
        }
        Judged { finding: Finding::Good, note }
    }
}

impl Burst {
    fn count(&mut self, judged: Judged, took: Duration) {
        self.asked += 1;
        match judged.finding {
            Finding::Good => {
                self.latencies.push(took);
                self.good = judged.note;
            }
            Finding::Warn { .. } => {
                self.latencies.push(took);
                self.warned = Some(judged);
            }
            Finding::Bad { .. } | Finding::Unknown { .. } => {
                self.failed += 1;
                self.wrong = Some(judged);
            }
        }
    }

    fn seen(self) -> Seen {
        let (failed, asked) = (self.failed, self.asked);
        let p95 = p95(&self.latencies, asked);
        let counted = |note: &str| {
            if asked > 1 { format!("{failed} of {asked}: {note}") } else { note.to_owned() }
        };
        let seen = match (self.wrong, self.warned) {
            (Some(wrong), _) => {
                let note = counted(&wrong.note);
                match wrong.finding {
                    // Fewer than half: a part of the users feels it, the check as a whole lives.
                    Finding::Bad { why } if failed * 2 < asked => {
                        Seen::new(warn(why.class, &counted(why.text.as_str())), &note)
                    }
                    Finding::Bad { why } => {
                        Seen::new(bad(why.class, &counted(why.text.as_str())), &note)
                    }
                    other @ (Finding::Good | Finding::Warn { .. } | Finding::Unknown { .. }) => {
                        Seen::new(other, &note)
                    }
                }
            }
            (None, Some(warned)) => Seen::new(warned.finding, &warned.note),
            (None, None) => Seen::good(&self.good),
        };
        Seen {
            value: p95,
            unit: "ms",
            failed_of: (failed, asked),
            latencies: self.latencies,
            ..seen
        }
    }
}

/// The 95th percentile in milliseconds by nearest rank; none when that request failed.
fn p95(latencies: &[Duration], asked: u32) -> Option<f64> {
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    let rank = (asked as usize * 95).div_ceil(100).max(1);
    sorted.get(rank - 1).map(|took| took.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests;
