//! Calls an address of the application, such as the one that pauses its ingestion (M-02). Nothing
//! of the call is known when its answer is lost: only a second address can say whether it took.
//! Or only asks one, until it answers as expected: a 503 of what was turned off (M-04), an alert
//! that fires (M-01).

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adapters::{Error, Kind, control, fault};
use crate::model::entry::Standing;
use crate::model::plan::{Class, Hazard};
use crate::text::{SafeText, fit};

use super::{LookCx, Step, StepCx, ended_now, proof};

/// How long the call may take.
const LIMIT: Duration = Duration::from_secs(15);
/// Time between two looks.
const EVERY: Duration = Duration::from_millis(500);
/// How long a look may take.
const LOOK: Duration = Duration::from_secs(4);

/// The address was called, and answered as it should.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpCall {
    /// What it does, for people: `pause the ingestion`.
    pub name: SafeText,
    /// The address that is sent a POST.
    pub url: String,
    /// It is only asked (GET), again and again, until it answers so. Nothing changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_seconds: Option<u64>,
    /// One of these alerts must be firing in what it answers: alerts as Prometheus
    /// (`/api/v1/alerts`) or Alertmanager (`/api/v2/alerts`) list them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<String>,
    /// What is sent, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Answers that mean it took.
    #[serde(default = "fine")]
    pub accept: Vec<u16>,
    /// Where a look can tell whether it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<HttpProbe>,
}

/// An address whose answer tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpProbe {
    /// The address.
    pub url: String,
    /// Where in its JSON, as a pointer: `/state`.
    pub at: String,
    /// What stands there when the call took.
    pub says: Value,
}

/// The names of the alerts that fire, as Prometheus or Alertmanager list them.
fn firing(answer: &Value) -> Vec<&str> {
    let listed = answer.pointer("/data/alerts").unwrap_or(answer).as_array();
    let fires = |one: &&Value| {
        let state = one.pointer("/status/state").or_else(|| one.get("state"));
        state.and_then(Value::as_str).is_some_and(|state| matches!(state, "active" | "firing"))
    };
    let all = listed.into_iter().flatten().filter(fires);
    all.filter_map(|one| one.pointer("/labels/alertname")?.as_str()).collect()
}

impl HttpCall {
    /// The command by which a person would make the call.
    pub fn command(&self) -> String {
        let body = self
            .body
            .as_ref()
            .map(|body| format!(" -H 'Content-Type: application/json' -d '{body}'"));
        format!("curl -sS --fail -X POST{} {}", body.unwrap_or_default(), self.url)
    }

    /// What it answers when asked: as expected, or why not.
    async fn asked(&self, cx: &LookCx) -> Result<Result<String, String>, Error> {
        let reply = control::get(&self.url, LOOK, &cx.clock).await?;
        let said = format!("{} answers {}", self.url, reply.status);
        if !self.accept.contains(&reply.status) {
            return Ok(Err(format!("{said}, expected {}", self.expected())));
        }
        if self.alerts.is_empty() {
            return Ok(Ok(said));
        }
        let Some(answer) = reply.json() else { return Ok(Err(format!("{said}, and no JSON"))) };
        let firing = firing(&answer);
        let ours: Vec<&str> =
            firing.into_iter().filter(|name| self.alerts.iter().any(|one| one == name)).collect();
        Ok(match ours.as_slice() {
            [] => Err(format!("none of {} is firing", self.alerts.join(", "))),
            ours => Ok(format!("{} firing", ours.join(", "))),
        })
    }

    fn expected(&self) -> String {
        let all: Vec<String> = self.accept.iter().map(ToString::to_string).collect();
        all.join(" or ")
    }

    async fn until_so(&self, cx: &StepCx, within: Duration) -> Result<SafeText, Error> {
        let mut last = String::new();
        let waiting = async {
            loop {
                match self.asked(&cx.look).await {
                    Ok(Ok(said)) => return Ok(SafeText::new(&said)),
                    Ok(Err(why)) => last = why,
                    Err(error) => last = error.message,
                }
                cx.tell(&last, None);
                cx.wait(EVERY).await?;
            }
        };
        if let Ok(ended) = cx.look.clock.timeout(within, waiting).await {
            return ended;
        }
        let message =
            format!("could not see that {}: not within {} s: {last}", self.name, within.as_secs());
        Err(Error::new(Kind::TimedOut, message))
    }
}

fn fine() -> Vec<u16> {
    vec![200, 201, 202, 204]
}

#[async_trait]
impl Step for HttpCall {
    fn title(&self) -> SafeText {
        self.name.clone()
    }

    fn class(&self) -> Class {
        match (self.until_seconds, &self.probe) {
            (Some(_), _) => Class::Converge,
            (None, Some(_)) => Class::Probed,
            (None, None) => Class::Opaque,
        }
    }

    fn hazard(&self) -> Hazard {
        if self.until_seconds.is_some() { Hazard::Looks } else { Hazard::Reversible }
    }

    fn by_hand(&self, _cx: &LookCx) -> Vec<SafeText> {
        if self.until_seconds.is_some() {
            return vec![SafeText::new(&format!("curl -sS -i {}", self.url))];
        }
        vec![SafeText::new(&self.command())]
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        if self.until_seconds.is_some() {
            return SafeText::new(&match self.asked(cx).await {
                Ok(Ok(said)) => said,
                Ok(Err(why)) => format!("not yet: {why}"),
                Err(error) => format!("not yet: {}", error.message),
            });
        }
        let before = match (&self.probe, self.standing(cx).await) {
            (None, _) => "no address tells whether it took".to_owned(),
            (Some(_), Standing::Done) => "it is so already".to_owned(),
            (Some(_), Standing::NotDone) => "it is not so yet".to_owned(),
            (Some(_), Standing::Partly(why) | Standing::CannotTell(why)) => why.to_string(),
        };
        SafeText::new(&format!("POST {}; {before}", self.url))
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        if self.until_seconds.is_some() {
            return match self.asked(cx).await {
                Ok(Ok(_)) => Standing::Done,
                Ok(Err(_)) => Standing::NotDone,
                Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
            };
        }
        let Some(probe) = &self.probe else {
            return if proof::is_there(&cx.slot) {
                Standing::Done
            } else {
                Standing::CannotTell("no address tells whether the call took".into())
            };
        };
        let said = match control::get(&probe.url, LOOK, &cx.clock).await {
            Ok(reply) if reply.is_success() => reply.json(),
            Ok(reply) => {
                let text = format!("{} answers {}", probe.url, reply.status);
                return Standing::CannotTell(SafeText::new(&text));
            }
            Err(error) => return Standing::CannotTell(SafeText::new(&error.message)),
        };
        match said.as_ref().and_then(|said| said.pointer(&probe.at)) {
            Some(found) if *found == probe.says => Standing::Done,
            Some(_) => Standing::NotDone,
            None => {
                let text = format!("{} says nothing at {}", probe.url, probe.at);
                Standing::CannotTell(SafeText::new(&text))
            }
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        if let Some(seconds) = self.until_seconds {
            return self.until_so(cx, Duration::from_secs(seconds)).await;
        }
        fault::at_step("B4", cx.step.as_str());
        let body = self.body.clone().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        let reply = control::post(&self.url, &body, LIMIT, &cx.look.clock).await?;
        if !self.accept.contains(&reply.status) {
            let said = fit(SafeText::from_bytes(&reply.body).as_str(), 160);
            let message =
                format!("could not {}: {} answers {}: {said}", self.name, self.url, reply.status);
            return Err(Error::new(Kind::Rejected, message));
        }
        proof::leave(&cx.look.slot)?;
        fault::at_step("B6", cx.step.as_str());
        Ok(SafeText::new(&format!("{} answered {}", self.url, reply.status)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn alerts_are_read_as_both_list_them_and_one_that_pends_does_not_fire() {
        let prometheus = json!({"status": "success", "data": {"alerts": [
            {"labels": {"alertname": "A"}, "state": "firing"},
            {"labels": {"alertname": "B"}, "state": "pending"}]}});
        let manager = json!([
            {"labels": {"alertname": "A"}, "status": {"state": "active"}},
            {"labels": {"alertname": "B"}, "status": {"state": "suppressed"}}]);
        for answer in [prometheus, manager] {
            assert_eq!(firing(&answer), ["A"]);
        }
    }
}
