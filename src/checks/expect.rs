//! What an HTTP answer has to hold: `json .overall_ready == true`, `header x contains y`,
//! `body matches /re/`, `cert_days > 7`.

use regex::Regex;
use serde_json::Value;
use serde_json_path::JsonPath;

use crate::adapters::http::Answer;
use crate::adapters::tls::days_left;
use crate::model::ids::Time;
use crate::text::fit;

/// One line of `expect:`.
#[derive(Clone, Debug)]
pub struct Expectation {
    text: String,
    part: Part,
    test: Test,
}

#[derive(Clone, Debug)]
enum Part {
    Json(JsonPath),
    Header(String),
    Body,
    CertificateDays,
}

#[derive(Clone, Debug)]
enum Test {
    Exists,
    Equals(Value),
    Differs(Value),
    Compares(Order, f64),
    Contains(String),
    Lacks(String),
    Matches(Regex),
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Expectation {
    /// Reads one line, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (word, rest) = split(text);
        let (part, rest) = match word {
            "json" => {
                let (path, rest) = split(rest);
                let full = match path.strip_prefix('$') {
                    Some(_) => path.to_owned(),
                    None if path == "." => "$".to_owned(),
                    None => format!("${path}"),
                };
                let parsed = JsonPath::parse(&full)
                    .map_err(|_| format!("{path:?} is not a path such as .a.b[0]"))?;
                (Part::Json(parsed), rest)
            }
            "header" => {
                let (name, rest) = split(rest);
                if name.is_empty() {
                    return Err("names no header".into());
                }
                (Part::Header(name.to_lowercase()), rest)
            }
            "body" => (Part::Body, rest),
            "cert_days" => (Part::CertificateDays, rest),
            other => {
                return Err(format!(
                    "begins with {other:?}, not with json, header, body or cert_days"
                ));
            }
        };
        Ok(Self { text: text.trim().to_owned(), part, test: Test::parse(rest)? })
    }

    /// The line as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it needs the body.
    fn reads_body(&self) -> bool {
        match self.part {
            Part::Json(_) | Part::Body => true,
            Part::Header(_) | Part::CertificateDays => false,
        }
    }

    /// Whether `answer` holds it; if not, what it holds instead.
    pub fn check(&self, answer: &Answer, now: Time) -> Result<(), String> {
        if self.reads_body() {
            if let Some(coding) = answer.headers.get("content-encoding") {
                return Err(format!("the answer is encoded ({coding:?}) although not asked for"));
            }
            if !answer.whole {
                return Err(format!(
                    "the answer is longer than {} KiB",
                    crate::adapters::http::BODY / 1024
                ));
            }
        }
        let found = match &self.part {
            Part::Json(path) => {
                let whole: Value = serde_json::from_slice(&answer.body)
                    .map_err(|e| format!("the answer is not JSON: {e}"))?;
                let nodes = path.query(&whole).all();
                match nodes.as_slice() {
                    [] => None,
                    [one] => Some((*one).clone()),
                    several => return Err(format!("{}: {} values", self.text, several.len())),
                }
            }
            Part::Header(name) => answer
                .headers
                .get(name)
                .map(|value| Value::from(String::from_utf8_lossy(value.as_bytes()))),
            Part::Body => Some(Value::from(String::from_utf8_lossy(&answer.body))),
            Part::CertificateDays => {
                answer.certificate_until.map(|until| Value::from(days_left(until, now)))
            }
        };
        let Some(found) = found else {
            return Err(format!("{}: it is not there", self.text));
        };
        if self.test.holds(&found) {
            return Ok(());
        }
        match self.part {
            Part::Body => Err(format!("{}: it is not so", self.text)),
            Part::Json(_) | Part::Header(_) | Part::CertificateDays => {
                Err(format!("{}: it is {}", self.text, fit(&found.to_string(), 60)))
            }
        }
    }
}

impl Test {
    fn parse(text: &str) -> Result<Self, String> {
        let (word, rest) = split(text);
        let operand = || {
            if rest.is_empty() { Err(format!("has nothing after {word}")) } else { Ok(rest) }
        };
        let number = || {
            let number: Option<f64> = operand()?.parse().ok();
            number.filter(|n| n.is_finite()).ok_or_else(|| format!("{rest:?} is not a number"))
        };
        Ok(match word {
            "" | "exists" => Self::Exists,
            "==" => Self::Equals(literal(operand()?)),
            "!=" => Self::Differs(literal(operand()?)),
            "<" => Self::Compares(Order::Less, number()?),
            "<=" => Self::Compares(Order::LessOrEqual, number()?),
            ">" => Self::Compares(Order::Greater, number()?),
            ">=" => Self::Compares(Order::GreaterOrEqual, number()?),
            "contains" => Self::Contains(bare(operand()?)),
            "lacks" => Self::Lacks(bare(operand()?)),
            "matches" => {
                let pattern = operand()?;
                let inner = pattern
                    .strip_prefix('/')
                    .and_then(|rest| rest.strip_suffix('/'))
                    .unwrap_or(pattern);
                Self::Matches(Regex::new(inner).map_err(|e| {
                    let text = e.to_string();
                    let last =
                        text.lines().last().unwrap_or_default().trim_start_matches("error: ");
                    format!("{pattern:?} is not a pattern: {last}")
                })?)
            }
            other => {
                return Err(format!(
                    "{other:?} is none of == != < <= > >= contains lacks matches exists"
                ));
            }
        })
    }

    fn holds(&self, found: &Value) -> bool {
        let text = || match found {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match self {
            Self::Exists => true,
            Self::Equals(wanted) => same(found, wanted),
            Self::Differs(wanted) => !same(found, wanted),
            Self::Compares(order, limit) => number_of(found).is_some_and(|n| match order {
                Order::Less => n < *limit,
                Order::LessOrEqual => n <= *limit,
                Order::Greater => n > *limit,
                Order::GreaterOrEqual => n >= *limit,
            }),
            Self::Contains(part) => match found {
                Value::Array(items) => items.iter().any(|item| same(item, &literal(part))),
                _ => text().contains(part),
            },
            Self::Lacks(part) => !text().contains(part),
            Self::Matches(pattern) => pattern.is_match(&text()),
        }
    }
}

/// JSON where it is JSON, else the bare text; so `== ok` and `== "ok"` are the same, and `true`
/// is never `"true"`.
fn literal(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

/// The text without the quotes around it.
fn bare(text: &str) -> String {
    match literal(text) {
        Value::String(text) => text,
        _ => text.to_owned(),
    }
}

/// A header's number comes as text.
fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (one, other) => one == other,
    }
}

/// The first word and the rest of it.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    match text.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim()),
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderMap, HeaderValue};

    use super::*;
    use crate::clock::Clock;

    fn answer(body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("cache-control", HeaderValue::from_static("max-age=0, no-cache"));
        let now = Clock::real().now();
        let certificate_until = Some(now + chrono::Duration::days(30));
        let body = body.as_bytes().to_vec();
        Answer { status: 200, headers, body, whole: true, certificate_until }
    }

    fn holds(line: &str, body: &str) -> bool {
        Expectation::parse(line).unwrap().check(&answer(body), Clock::real().now()).is_ok()
    }

    #[test]
    fn lines_hold_or_do_not() {
        let body = r#"{"overall_ready":true,"status":"ok","n":3,"list":[{"a":1},{"a":2}]}"#;
        for line in [
            "json .overall_ready == true",
            "json $.overall_ready == true",
            "json .status == ok",
            "json .status == \"ok\"",
            "json .n >= 3",
            "json .n == 3.0",
            "json .list[1].a == 2",
            "json .status",
            "header Cache-Control contains no-cache",
            "header cache-control matches /max-age=\\d+/",
            "body contains \"overall_ready\"",
            "body lacks error",
            "cert_days > 7",
        ] {
            assert!(holds(line, body), "{line}");
        }
        for line in [
            "json .overall_ready == \"true\"",
            "json .overall_ready == false",
            "json .n > 3",
            "json .missing == 1",
            "json .missing != 1",
            "json .list[*].a == 1",
            "header x-none exists",
            "body contains absent",
            "cert_days > 31",
        ] {
            assert!(!holds(line, body), "{line}");
        }
    }

    #[test]
    fn true_as_text_is_not_true() {
        assert!(!holds("json .ready == true", r#"{"ready":"true"}"#));
    }

    #[test]
    fn what_it_holds_instead_is_said() {
        let line = Expectation::parse("json .overall_ready == true").unwrap();
        let now = Clock::real().now();
        assert_eq!(
            line.check(&answer(r#"{"overall_ready":false}"#), now).unwrap_err(),
            "json .overall_ready == true: it is false"
        );
        assert!(
            line.check(&answer("<html>"), now).unwrap_err().starts_with("the answer is not JSON")
        );
    }

    #[test]
    fn wrong_lines_are_refused() {
        for line in [
            "",
            "jsn .a == 1",
            "json a b c",
            "json .a ~ 1",
            "json .a ==",
            "json .a < x",
            "header",
            "body matches /(/",
        ] {
            assert!(Expectation::parse(line).is_err(), "{line}");
        }
    }
}
