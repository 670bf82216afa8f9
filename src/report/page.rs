//! A document as one HTML page that needs nothing else: no script, no file, no font from outside,
//! light or dark as the reader has it.

use crate::model::entry::Outcome;
use crate::model::ids::{Time, incident_name};
use crate::model::severity::Severity;
use crate::text::SafeText;

use super::chronicle::Chronicle;
use super::facts::{class, lasted, moment};
use super::paper::Paper;
use super::series::Series;

mod chart;
mod prose;

pub use prose::escape;

use chart::{Chart, Marker};

const STYLE: &str = include_str!("../../assets/templates/page.css");

/// What is on a page beside the document itself: nothing of it is for customers.
#[derive(Clone, Copy, Debug)]
pub struct Beside<'a> {
    /// The incident.
    pub chronicle: &'a Chronicle,
    /// What the curves are drawn from; nothing when no samples were kept.
    pub series: Option<&'a Series>,
    /// Whether the whole timeline stands below the document.
    pub timeline: bool,
}

/// The page; `made` is when, and by which program.
pub fn page(paper: &Paper, beside: Option<Beside<'_>>, made: (Time, &str)) -> String {
    let title = escape(&paper.title);
    let mut body = String::new();
    if let Some(beside) = beside {
        body.extend([environment(beside.chronicle)]);
    }
    body.extend([format!("<h1>{title}</h1>\n")]);
    if let Some(beside) = beside {
        body.extend([chips(beside.chronicle), times(beside.chronicle)]);
    }
    if let Some(Beside { chronicle, series, .. }) = beside {
        body.extend([charts(chronicle, series)]);
    }
    body.extend([format!("<article class=\"card\">\n{}</article>\n", prose::prose(paper))]);
    if let Some(beside) = beside.filter(|beside| beside.timeline) {
        body.extend([timeline(beside.chronicle)]);
    }
    let journal = beside.map(|beside| &beside.chronicle.last).map_or_else(String::new, |last| {
        format!(", from journal {} up to entry {}", escape(last.journal.as_str()), last.seq)
    });
    let (at, version) = (moment(made.0), escape(made.1));
    body.extend([format!("<footer>Made by backout {version} at {at}{journal}.</footer>\n")]);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n\
         </body>\n</html>\n"
    )
}

fn environment(chronicle: &Chronicle) -> String {
    let kind = if chronicle.last.production() { "Production" } else { "Not production" };
    let name = escape(chronicle.last.environment());
    format!("<p class=\"env\">{kind} &middot; {name}</p>\n")
}

/// A word that is coloured by what it means.
fn chip(class: &str, text: &str) -> String {
    format!("<li class=\"{class}\">{}</li>", escape(text))
}

fn chips(chronicle: &Chronicle) -> String {
    let mut chips = vec![chip("", &incident_name(chronicle.incident))];
    let severity = chronicle.worst.0;
    let colour = match severity {
        Severity::Critical | Severity::High => "bad",
        Severity::Medium => "warn",
        Severity::Low | Severity::None => "info",
    };
    chips.extend(class(severity).map(|words| chip(colour, words)));
    match chronicle.run() {
        None => chips.push(chip("warn", "No rollback")),
        Some(run) => {
            let core = &run.plan.core;
            chips.push(chip("info", &format!("Level {}, {}", core.level, core.level.words())));
            chips.push(chip("", &format!("{} to {}", core.from, core.to)));
            let (colour, words) = match run.ended.as_ref().map(|ended| ended.outcome) {
                None => ("warn", "Not over"),
                Some(Outcome::Done) => ("good", "Rollback done"),
                Some(Outcome::Failed) => ("bad", "Rollback failed"),
                Some(Outcome::Aborted) => ("warn", "Rollback aborted"),
                Some(Outcome::Undone) => ("warn", "Rollback taken back"),
                Some(Outcome::Unknown) => ("bad", "Outcome unknown"),
            };
            chips.push(chip(colour, words));
        }
    }
    let open = if chronicle.closed.is_some() { "Closed" } else { "Open" };
    chips.push(chip("", open));
    format!("<ul class=\"chips\">{}</ul>\n", chips.concat())
}

/// The four times side by side, each with how long after the detection it was.
fn times(chronicle: &Chronicle) -> String {
    let times = chronicle.times();
    let cell = |name: &str, at: Option<Time>| {
        let said = at.map_or_else(
            || "<dd class=\"none\">not yet<small>&nbsp;</small></dd>".to_owned(),
            |at| {
                let after = (at - times.detected).to_std().unwrap_or_default();
                let after = if at == times.detected {
                    at.format("%Y-%m-%d UTC").to_string()
                } else {
                    format!("after {}", lasted(after))
                };
                let clock = at.format("%H:%M:%S");
                format!("<dd>{clock}<small>{after}</small></dd>")
            },
        );
        format!("<div><dt>{name}</dt>{said}</div>")
    };
    let cells = [
        cell("Detected", Some(times.detected)),
        cell("Rollback initiated", times.initiated),
        cell("Rollback completed", times.completed),
        cell("Verified healthy", times.verified),
    ];
    format!("<dl class=\"times\">{}</dl>\n", cells.concat())
}

fn charts(chronicle: &Chronicle, series: Option<&Series>) -> String {
    let Some(series) = series.filter(|series| !series.points.is_empty()) else {
        return "<section class=\"card\"><p class=\"none\">No curves: no samples of this time were \
                kept.</p></section>\n"
            .to_owned();
    };
    let markers = markers(chronicle);
    let errors = Chart {
        name: "Error rate",
        what: "failed requests, percent",
        class: "errors",
        series,
        value: |point| Some(point.errors),
        scale: chart::percent,
        limit: Some((10.0, "10 % (HIGH)")),
        markers: &markers,
    };
    let latency = Chart {
        name: "Latency",
        what: "95th percentile of answered requests",
        class: "latency",
        value: |point| point.p95,
        scale: chart::seconds,
        limit: Some((5.0, "5 s (HIGH)")),
        ..errors
    };
    format!("<section class=\"card\">\n{}{}</section>\n", errors.figure(), latency.figure())
}

/// What happened, as lines through the curves.
fn markers(chronicle: &Chronicle) -> Vec<Marker> {
    let times = chronicle.times();
    let mark = |at: Option<Time>, class, name: &str| {
        at.map(|at| Marker { at, class, name: name.to_owned() })
    };
    let mut all: Vec<Marker> = chronicle
        .changes
        .iter()
        .map(|change| Marker {
            at: change.ended_at.unwrap_or(change.at),
            class: "deploy",
            name: format!("deploy {}", change.version),
        })
        .collect();
    all.extend(mark(Some(times.detected), "detected", "detected"));
    all.extend(mark(times.initiated, "rollback", "rollback"));
    all.extend(mark(times.completed, "good", "completed"));
    all.extend(mark(times.verified, "good", "validated"));
    all.sort_by_key(|marker| marker.at);
    all
}

fn timeline(chronicle: &Chronicle) -> String {
    let mut day = None;
    let rows: Vec<String> = chronicle
        .moments
        .iter()
        .map(|one| {
            let new = day != Some(one.at.date_naive());
            day = Some(one.at.date_naive());
            let head = if new {
                format!("<tr><td><b>{}</b></td><td></td></tr>\n", one.at.format("%Y-%m-%d"))
            } else {
                String::new()
            };
            let text: &SafeText = &one.text;
            let clock = one.at.format("%H:%M:%S");
            format!("{head}<tr><td>{clock}</td><td>{}</td></tr>\n", escape(text.as_str()))
        })
        .collect();
    format!(
        "<section class=\"card\">\n<h2>Everything that happened (UTC)</h2>\n<table>\n{}</table>\n</section>\n",
        rows.concat()
    )
}
