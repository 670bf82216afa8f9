//! `backout validate --base-url URL`: the endpoints of document 004 below an address, from anywhere
//! and without a configuration (M-19); with `--performance` how long they take (M-20).

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use hyper::Method;
use hyper::body::Bytes;
use serde::Deserialize;

use crate::adapters::http::Target;
use crate::adapters::secret::Secret;
use crate::checks::http_response::{Settings, Statuses};
use crate::checks::threshold::Thresholds;
use crate::failure::{Exit, Failure};
use crate::model::criteria::{self, Criterion, Passed};
use crate::model::figures::{Figures, Reached};
use crate::model::ids::CheckId;
use crate::model::reading::{Finding, Reading};
use crate::report;
use crate::text::SafeText;

use super::{World, say};

/// What is asked where nobody names other places.
const ENDPOINTS: &str = include_str!("../../assets/endpoints.yaml");
/// How long one request may take (M-19).
const LIMIT: Duration = Duration::from_secs(30);
/// The limits of average, 95th percentile and maximum, in seconds (M-20).
const LIMITS: [(&str, f64); 3] = [("Average", 0.5), ("P95", 1.0), ("Max", 2.0)];

#[derive(Args, Debug, Default)]
pub(crate) struct At {
    /// Asks the documented endpoints below this address, without a configuration
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// With --base-url: how long they take, in several requests each
    #[arg(long, requires = "base_url")]
    performance: bool,
    /// With --performance: requests for each endpoint
    #[arg(long, requires = "performance", value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    requests: u32,
    /// With --base-url: other endpoints, as a YAML list of name, path, accepts and timed
    #[arg(long, requires = "base_url", value_name = "FILE")]
    endpoints: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Endpoint {
    name: String,
    path: String,
    accepts: String,
    #[serde(default)]
    timed: bool,
}

impl At {
    /// Whether an address was given.
    pub(crate) fn asked(&self) -> bool {
        self.base_url.is_some()
    }

    /// Looks, where an address was given; how it ended.
    pub(crate) async fn run(
        &self,
        world: &World,
        out: &mut dyn Write,
    ) -> Option<Result<Exit, Failure>> {
        let base = self.base_url.as_ref()?;
        Some(self.look(base, world, out).await)
    }

    async fn look(&self, base: &str, world: &World, out: &mut dyn Write) -> Result<Exit, Failure> {
        let endpoints = endpoints(self.endpoints.as_deref())?;
        let good = if self.performance {
            let mut all = Vec::new();
            for endpoint in endpoints.iter().filter(|one| one.timed) {
                say(out, &format!("\nChecking {}...\n", endpoint.path));
                let reading = ask(base, endpoint, self.requests, world).await?;
                let lines = timed(&reading);
                say(out, &report::endpoints::timed(&lines));
                all.extend(lines);
            }
            say(out, &report::endpoints::overall(&all));
            criteria::all(&all)
        } else {
            let mut lines = Vec::new();
            for endpoint in &endpoints {
                let reading = ask(base, endpoint, 1, world).await?;
                lines.push(judged(endpoint, &reading));
            }
            say(out, &report::endpoints::answers(&lines));
            criteria::all(&lines)
        };
        Ok(if good == Passed::Yes { Exit::Ok } else { Exit::Warning })
    }
}

fn endpoints(file: Option<&Path>) -> Result<Vec<Endpoint>, Failure> {
    let (name, text) = match file {
        None => ("the endpoints".to_owned(), ENDPOINTS.to_owned()),
        Some(file) => {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(file).map_err(|error| {
                Failure::new(Exit::Usage, format!("could not read {name}: {error}"))
            })?;
            (name, text)
        }
    };
    crate::yaml::one(&text)
        .map_err(|why| Failure::new(Exit::Usage, format!("could not read {name}: {why}")))
}

async fn ask(base: &str, one: &Endpoint, requests: u32, world: &World) -> Result<Reading, Failure> {
    let wrong = |what: &str, why: String| Failure::new(Exit::Usage, format!("{what} {why}"));
    let url = format!("{}/{}", base.trim_end_matches('/'), one.path.trim_start_matches('/'));
    let target = Target::parse(&url).map_err(|why| wrong("the address", why))?;
    let expected = Statuses::parse(&one.accepts).map_err(|why| wrong(&one.path, why))?;
    let settings = Settings {
        url: Secret::plain(url),
        target,
        headers: Vec::new(),
        method: Method::GET,
        body: Bytes::new(),
        expected,
        thresholds: Thresholds::default(),
        expect: Vec::new(),
        requests,
    };
    let (at, began) = (world.clock.now(), Instant::now());
    let seen = settings.probe(LIMIT * requests.min(4), &world.clock).await;
    Ok(seen.reading(CheckId(one.path.clone()), at, began.elapsed()))
}

/// `Health endpoint: ✅ /health 200`.
fn judged(one: &Endpoint, reading: &Reading) -> Criterion {
    let (answer, words) = match &reading.finding {
        Finding::Good => (Passed::Yes, reading.note.to_string()),
        Finding::Warn { why } | Finding::Bad { why } => (Passed::No, why.text.to_string()),
        Finding::Unknown { reason } => (Passed::Unknown, reason.words().to_owned()),
    };
    Criterion {
        name: SafeText::new(&one.name),
        answer,
        measured: SafeText::new(&format!("{} {words}", one.path)),
    }
}

/// Average, 95th percentile by nearest rank and maximum, each against its limit, and the errors
/// apart: a request that was not answered is longer than every limit (W-59).
fn timed(reading: &Reading) -> Vec<Criterion> {
    let figures = Figures::of(std::iter::once(reading)).unwrap_or_default();
    let line = |(name, limit): (&str, f64), time: Option<Reached>| Criterion {
        name: SafeText::new(name),
        answer: match time {
            None => Passed::Unknown,
            Some(time) if time.within(limit) => Passed::Yes,
            Some(_) => Passed::No,
        },
        measured: SafeText::new(&format!(
            "{} (threshold: {limit:.1}s)",
            time.map_or_else(|| "not known".to_owned(), seconds)
        )),
    };
    let [average, p95, max] = LIMITS;
    let errors = Criterion {
        name: "Errors".into(),
        answer: if figures.requests > 0 && figures.errors == 0 { Passed::Yes } else { Passed::No },
        measured: SafeText::new(&format!("{} of {} requests", figures.errors, figures.requests)),
    };
    vec![line(average, figures.avg), line(p95, figures.p95), line(max, figures.max), errors]
}

fn seconds(time: Reached) -> String {
    match time {
        Reached::Seconds(seconds) => format!("{seconds:.3}s"),
        Reached::Never => "failed".to_owned(),
    }
}
