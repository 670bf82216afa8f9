//! Prometheus' HTTP API: instant queries (`/api/v1/query`, stable since its version 2).

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Error;
use super::http::{self, Call, Target};
use super::secret::Secret;
use crate::clock::Clock;
use crate::model::ids::Time;
use crate::text::{SafeText, fit};

/// Where it is, and what to send along.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its address for people.
    pub url: Secret,
    /// Its address, taken apart; the API is below it.
    pub target: Target,
    /// Headers to send: `authorization`.
    pub headers: Vec<(HeaderName, Secret)>,
}

/// What a query gave.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// One value a series; a scalar is one without labels.
    pub series: Vec<Series>,
    /// What the server warns of: a part of the data may be missing.
    pub warnings: Vec<SafeText>,
}

/// The value of one series.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its labels as `name="value"`, cut.
    pub labels: SafeText,
    /// The value; may be infinite or not a number.
    pub value: f64,
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub enum No {
    /// It was not reached, or broke off.
    Silent(Error),
    /// It does not let us.
    Denied(String),
    /// It asks us to slow down.
    Throttled(String),
    /// The query is wrong.
    Query(String),
    /// The query could not be carried out on the data as they are.
    Data(String),
    /// What came back is not its API.
    Unreadable(String),
    /// More series than are read.
    TooMuch(String),
}

#[derive(Deserialize)]
struct Body<'a> {
    status: String,
    #[serde(borrow)]
    data: Option<Data<'a>>,
    #[serde(rename = "errorType", default)]
    kind: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(rename = "resultType")]
    kind: String,
    #[serde(borrow)]
    result: &'a RawValue,
}

#[derive(Deserialize)]
struct Sample {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    value: Option<(f64, String)>,
}

impl Server {
    /// Evaluates `query` at the time `at`, within `limit`. Sent as a form: a query in a URL loses
    /// its braces and plus signs on the way (W-14).
    pub async fn query(
        &self,
        query: &Secret,
        at: Time,
        limit: Duration,
        clock: &Clock,
    ) -> Result<Answer, No> {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of this century")]
        let at = at.timestamp_millis() as f64 / 1000.0;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("query", query.reveal())
            .append_pair("time", &format!("{at:.3}"))
            .append_pair("timeout", &format!("{}ms", limit.as_millis()))
            .finish();
        let mut headers = self.headers.clone();
        let kind = Secret::plain("application/x-www-form-urlencoded");
        headers.push((CONTENT_TYPE, kind));
        let call = Call { method: Method::POST, headers, body: Bytes::from(form) };
        let (result, _) =
            http::once(&self.target.below("/api/v1/query"), &call, limit, clock).await;
        let answer = result.map_err(No::Silent)?;
        if !answer.whole && answer.status == 200 {
            let text = format!("more than {} KiB of series", http::BODY / 1024);
            return Err(No::TooMuch(text));
        }
        read(answer.status, &answer.body)
    }
}

/// Reads the API's envelope. The statuses are those of its documentation: 400 for a wrong query,
/// 422 for one that cannot be carried out, 503 for one that took too long.
fn read(status: u16, bytes: &[u8]) -> Result<Answer, No> {
    let body: Option<Body<'_>> = serde_json::from_slice(bytes).ok();
    let said = match &body {
        Some(body) if !body.error.is_empty() => format!("{status}: {}: {}", body.kind, body.error),
        Some(_) | None => format!("it answers {status}"),
    };
    let said = fit(SafeText::new(&said).as_str(), 300);
    match (status, body) {
        (401 | 403, _) => Err(No::Denied(said)),
        (429, _) => Err(No::Throttled(said)),
        (_, Some(body)) if body.status == "success" => values(body),
        (_, Some(body)) if body.kind == "bad_data" => Err(No::Query(said)),
        (_, Some(body)) if body.status == "error" => Err(No::Data(said)),
        (502..=504, _) => Err(No::Data(said)),
        (200, _) => Err(No::Unreadable("the answer is not that of Prometheus' API".into())),
        (_, _) => Err(No::Unreadable(said)),
    }
}

fn values(body: Body<'_>) -> Result<Answer, No> {
    let warnings = body.warnings.iter().map(|one| SafeText::new(&fit(one, 300))).collect();
    let unreadable = |e: serde_json::Error| No::Unreadable(format!("could not read it: {e}"));
    let number = |text: &str| {
        let number = text.parse::<f64>();
        number.map_err(|_| No::Unreadable(format!("{text:?} is not a value")))
    };
    let Some(data) = body.data else {
        return Err(No::Unreadable("the answer holds no data".into()));
    };
    let series = match data.kind.as_str() {
        "scalar" => {
            let (_, value): (f64, String) =
                serde_json::from_str(data.result.get()).map_err(unreadable)?;
            vec![Series { labels: SafeText::default(), value: number(&value)? }]
        }
        "vector" => {
            let samples: Vec<Sample> =
                serde_json::from_str(data.result.get()).map_err(unreadable)?;
            let mut series = Vec::new();
            for sample in samples {
                let Some((_, value)) = &sample.value else {
                    return Err(No::Query("it gives histograms, not numbers".into()));
                };
                series.push(Series { labels: labels(&sample.metric), value: number(value)? });
            }
            series
        }
        other => {
            let other = SafeText::new(&fit(other, 40));
            return Err(No::Query(format!("it gives a {other}, not a value of one moment")));
        }
    };
    Ok(Answer { series, warnings })
}

fn labels(metric: &BTreeMap<String, String>) -> SafeText {
    let pairs: Vec<String> =
        metric.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    SafeText::new(&fit(&pairs.join(","), 200))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(status: u16, text: &str) -> Result<Answer, No> {
        read(status, text.as_bytes())
    }

    #[test]
    fn vectors_scalars_and_strange_numbers_are_read() {
        let answer = read_text(
            200,
            r#"{"status":"success","warnings":["a store is gone"],"data":{"resultType":"vector",
               "result":[{"metric":{"job":"api"},"value":[1763769600.1,"0.25"]},
               {"metric":{},"value":[1,"NaN"]},{"metric":{},"value":[1,"+Inf"]}]}}"#,
        )
        .unwrap();
        assert_eq!(answer.series.first().map(|one| one.value), Some(0.25));
        assert_eq!(answer.series[0].labels.as_str(), "job=\"api\"");
        assert!(answer.series[1].value.is_nan() && answer.series[2].value.is_infinite());
        assert_eq!(answer.warnings[0].as_str(), "a store is gone");
        let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"3"]}}"#;
        let answer = read_text(200, scalar).unwrap();
        assert_eq!(answer.series.first().map(|one| one.value), Some(3.0));
    }

    #[test]
    fn every_kind_of_no_is_told_apart() {
        let error =
            |kind: &str| format!(r#"{{"status":"error","errorType":"{kind}","error":"x"}}"#);
        assert!(matches!(read_text(400, &error("bad_data")), Err(No::Query(_))));
        assert!(matches!(read_text(422, &error("execution")), Err(No::Data(_))));
        assert!(matches!(read_text(503, &error("timeout")), Err(No::Data(_))));
        assert!(matches!(read_text(401, "who?"), Err(No::Denied(_))));
        assert!(matches!(read_text(429, ""), Err(No::Throttled(_))));
        assert!(matches!(read_text(502, "<html>"), Err(No::Data(_))));
        assert!(matches!(read_text(200, "<html>"), Err(No::Unreadable(_))));
        assert!(matches!(read_text(404, "nothing here"), Err(No::Unreadable(_))));
        let matrix = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
        assert!(matches!(read_text(200, matrix), Err(No::Query(_))));
        let odd = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"x\u001b"]}}"#;
        assert!(matches!(read_text(200, odd), Err(No::Unreadable(_))));
    }
}
