//! Looking at a version over HTTP: does the right one answer, and is it ready?

use std::time::Duration;

use serde_json::Value;

use crate::adapters::{Error, Kind, control, fault};
use crate::clock::Clock;
use crate::model::ids::Color;
use crate::text::{SafeText, fit};

use super::{StepCx, proof};

/// How long one look may take.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// What is to be seen (W-21: the colour itself must answer, not whoever is behind the address).
pub(super) struct Wanted<'a> {
    /// The whole address.
    pub(super) url: String,
    /// What `environment` must say.
    pub(super) color: &'a Color,
    /// Whether `overall_ready` must be true.
    pub(super) ready: bool,
}

/// How often and how long it is looked.
pub(super) struct Row {
    /// Good looks in a row.
    pub(super) probes: u32,
    /// Time between two looks.
    pub(super) every: Duration,
    /// When to give up.
    pub(super) within: Duration,
}

/// An address and a path as one.
pub(super) fn join(address: &str, path: &str) -> String {
    format!("{}/{}", address.trim_end_matches('/'), path.trim_start_matches('/'))
}

impl Wanted<'_> {
    /// Looks once: the version that answered, or why it is not what is wanted.
    pub(super) async fn see(&self, clock: &Clock) -> Result<SafeText, Error> {
        let reply = control::get(&self.url, LOOK_LIMIT, clock).await?;
        if !reply.is_success() {
            return Err(self.no(&format!("it answers {}", reply.status)));
        }
        let said = reply.json().ok_or_else(|| self.no("its answer is not JSON"))?;
        let environment = said.get("environment").and_then(Value::as_str);
        if environment != Some(self.color.as_str()) {
            let found = fit(SafeText::new(environment.unwrap_or("nothing")).as_str(), 40);
            return Err(self.no(&format!("environment is {found}, wanted {}", self.color)));
        }
        // Only the value true counts: the text "true" is what a broken template says.
        if self.ready && said.get("overall_ready") != Some(&Value::Bool(true)) {
            return Err(self.no("overall_ready is not true"));
        }
        let version = said.get("version").and_then(Value::as_str);
        Ok(SafeText::new(&fit(SafeText::new(version.unwrap_or("no version")).as_str(), 40)))
    }

    fn no(&self, why: &str) -> Error {
        let message = format!("could not see {} at {}: {why}", self.color, self.url);
        Error::new(Kind::Rejected, message)
    }

    /// Looks until it was good so often in a row as asked, and leaves the mark.
    pub(super) async fn see_in_a_row(&self, cx: &StepCx, row: &Row) -> Result<SafeText, Error> {
        let mut last: Option<Error> = None;
        let looks = self.look_on(cx, row, &mut last);
        let probes = row.probes.max(1);
        let Ok(seen) = cx.look.clock.timeout(row.within, looks).await else {
            let limit = format!(
                "not good {probes} times in a row within {:.0} s",
                row.within.as_secs_f64()
            );
            return Err(match last {
                Some(error) => Error::new(error.kind, format!("{error}; {limit}")),
                None => self.no(&limit),
            });
        };
        let version = seen?;
        proof::leave(&cx.look.slot)?;
        let text = format!("{} {version}, {probes} of {probes} good", self.color);
        Ok(SafeText::new(&text))
    }

    async fn look_on(
        &self,
        cx: &StepCx,
        row: &Row,
        last: &mut Option<Error>,
    ) -> Result<SafeText, Error> {
        let probes = row.probes.max(1);
        let mut good = 0;
        loop {
            if *cx.cancel.borrow() {
                return Err(super::ended_now());
            }
            let seen = self.see(&cx.look.clock).await;
            fault::at_step("B5", cx.step.as_str());
            match seen {
                Ok(version) => {
                    good += 1;
                    let all = u64::from(probes);
                    cx.tell(&format!("{} {version} answers", self.color), Some((good, all)));
                    if good >= all {
                        return Ok(version);
                    }
                }
                Err(error) => {
                    good = 0;
                    cx.tell(&error.message, Some((0, u64::from(probes))));
                    *last = Some(error);
                }
            }
            cx.wait(row.every).await?;
        }
    }
}
