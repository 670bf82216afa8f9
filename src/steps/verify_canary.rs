//! Proves by requests that a canary gets none of the traffic (M-09): so many answers in a row, none
//! of them the canary's. Its object alone says what was asked for, not what users meet.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adapters::{Error, Kind, control, fault};
use crate::model::entry::Standing;
use crate::model::plan::{Class, Hazard};
use crate::text::{SafeText, fit};

use super::seen::join;
use super::{LookCx, Step, StepCx, ended_now, proof};

/// How long one request may take.
const ANSWER: Duration = Duration::from_secs(5);
/// Rest after an answer that was not wanted.
const EVERY: Duration = Duration::from_millis(200);

/// So many answers of the public address in a row are not of `version`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyCanary {
    /// The version that must answer no more.
    pub version: SafeText,
    /// How many answers (M-09: 100).
    pub requests: u32,
    /// What is asked.
    pub path: String,
    /// When to give up, in seconds (M-09 waits 30 s).
    pub within_seconds: u64,
}

impl VerifyCanary {
    /// One answer: the version it is of.
    async fn ask(&self, cx: &LookCx) -> Result<SafeText, Error> {
        let url = join(&cx.public_url, &self.path);
        let reply = control::get(&url, ANSWER, &cx.clock).await?;
        if !reply.is_success() {
            let message = format!("could not tell who serves: {url} answers {}", reply.status);
            return Err(Error::new(Kind::Rejected, message));
        }
        let said = reply.json();
        let version = said.as_ref().and_then(|body| body.get("version")).and_then(Value::as_str);
        version.map(|version| SafeText::new(&fit(version, 40))).ok_or_else(|| {
            let message = format!(
                "could not tell who serves: the answer of {url} names no version, so nobody knows \
                 whether it is the canary's"
            );
            Error::new(Kind::NotFound, message)
        })
    }

    async fn until_none(&self, cx: &StepCx, last: &mut String) -> Result<SafeText, Error> {
        let mut good = 0;
        while good < self.requests {
            if *cx.cancel.borrow() {
                return Err(ended_now());
            }
            match self.ask(&cx.look).await {
                Ok(version) if version != self.version => {
                    good += 1;
                    cx.tell(
                        &format!("{version} answers"),
                        Some((good.into(), self.requests.into())),
                    );
                    continue;
                }
                Ok(version) => {
                    *last = format!("request {} was answered by {version}", good + 1);
                }
                // Asking again would not make it say more.
                Err(error) if error.kind == Kind::NotFound => return Err(error),
                Err(error) => *last = error.message,
            }
            good = 0;
            cx.tell(last, None);
            cx.wait(EVERY).await?;
        }
        let text = format!("0 of {good} answers were of {}", self.version);
        Ok(SafeText::new(&text))
    }
}

#[async_trait]
impl Step for VerifyCanary {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("no request reaches {} any more", self.version))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Looks
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let (url, requests) = (join(&cx.public_url, &self.path), self.requests);
        let line =
            format!("for i in $(seq {requests}); do curl -sS {url}; echo; done | sort | uniq -c");
        vec![SafeText::new(&line)]
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        match self.ask(cx).await {
            Ok(version) => SafeText::new(&format!("{version} answers now")),
            Err(error) => SafeText::new(&error.message),
        }
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        if !proof::is_there(&cx.slot) {
            return Standing::NotDone;
        }
        match self.ask(cx).await {
            Ok(version) if version == self.version => {
                Standing::Partly(SafeText::new(&format!("{version} answers again")))
            }
            Ok(_) => Standing::Done,
            Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        let within = Duration::from_secs(self.within_seconds);
        let mut last = String::new();
        let waited = cx.look.clock.timeout(within, self.until_none(cx, &mut last)).await;
        let Ok(seen) = waited else {
            let seconds = within.as_secs();
            let message = format!(
                "could not see {} answers in a row without the canary in {seconds} s: {last}",
                self.requests
            );
            return Err(Error::new(Kind::TimedOut, message));
        };
        let said = seen?;
        fault::at_step("B5", cx.step.as_str());
        proof::leave(&cx.look.slot)?;
        Ok(said)
    }
}
