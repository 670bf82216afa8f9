//! The success criteria as measured, and the watch window: what counted, what it says so far.

use std::time::Duration;

use crate::model::criteria::Passed;
use crate::model::figures::Reached;
use crate::model::incident::{Run, Watch};
use crate::model::live::LiveWatch;
use crate::model::watch::Verdict;
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row};
use crate::tui::words;

use super::Content;

/// The role of a verdict.
pub fn role(verdict: Verdict) -> Role {
    match verdict {
        Verdict::Stable => Role::Ok,
        Verdict::Worse | Verdict::NoEffect => Role::Fail,
        Verdict::CannotTell => Role::Unknown,
    }
}

/// The pane.
pub fn content(view: &View<'_>, width: usize) -> Content {
    let Some(run) = &view.world.situation.run else {
        return Content {
            title: "Watch".to_owned(),
            rows: vec![Row::of(Role::Muted, "nothing to watch: no run yet")],
            ..Content::default()
        };
    };
    let mut rows = Vec::new();
    let live = view.world.live.as_ref().and_then(|live| live.watch.as_ref());
    rows.extend(super::held(view, width));
    let mut title = "Validate".to_owned();
    let mut remark = String::new();
    if let Some(watch) = &run.watch {
        let window = live.map_or(watch.window, |live| live.window);
        title = format!("Watch {}", words::short(window));
        remark = match watch.verdict {
            Some(verdict) => format!("verdict {}", verdict.words()),
            None => "stale time extends it".to_owned(),
        };
        rows.extend(window_rows(view, watch, live, width));
    }
    for state in run.running() {
        let title = run.plan.face_of(&state.id).map(|face| face.title.to_string());
        let since = state.started_at.map(|at| words::short(words::since(at, view.now)));
        let text = format!(
            "beside it: {} ({})",
            title.unwrap_or_else(|| state.id.to_string()),
            since.unwrap_or_default()
        );
        rows.push(Row::of(Role::Muted, text));
    }
    rows.extend(criteria(view, run, width));
    Content { title, remark, rows, ..Content::default() }
}

fn window_rows(view: &View<'_>, watch: &Watch, live: Option<&LiveWatch>, width: usize) -> Vec<Row> {
    if let Some(verdict) = watch.verdict {
        let mut rows = vec![Row::of(Role::Base, "Verdict: ").put(role(verdict), verdict.words())];
        for line in widgets::wrap(watch.why.as_str(), width) {
            rows.push(Row::of(Role::Base, line));
        }
        return rows;
    }
    let Some(live) = live else {
        let since = words::short(words::since(watch.opened_at, view.now));
        let text = format!("open for {since}; no numbers from the engine yet");
        return vec![Row::of(Role::Unknown, text)];
    };
    let part = live.counted.as_secs_f64() / live.window.as_secs_f64().max(1.0);
    let cells = 20.min(width.saturating_sub(30)).max(4);
    let mut rows = vec![Row::of(Role::Progress, widgets::bar(part, cells, view.glyphs())).put(
        Role::Base,
        format!(" {} of {} counted", words::clock(live.counted), words::clock(live.window)),
    )];
    let blind = blind(view, watch, live);
    if blind > Duration::from_secs(5) {
        let text = format!("{} did not count: no fresh data then", words::short(blind));
        rows.push(Row::of(Role::Stale, text));
    }
    rows.push(
        Row::of(Role::Base, "Verdict so far: ").put(role(live.verdict), live.verdict.words()),
    );
    let number = |value: Option<f64>, unit: &str| {
        value.map_or_else(|| "not known".to_owned(), |value| format!("{value:.1} {unit}"))
    };
    let seconds = |value: Option<f64>| {
        value.map_or_else(|| "not known".to_owned(), |value| Reached::Seconds(value).words())
    };
    rows.push(
        Row::of(Role::Muted, "                ")
            .pad(Role::Muted, "before", 12)
            .put(Role::Muted, "since the switch"),
    );
    rows.push(
        Row::of(Role::Base, "error rate      ")
            .pad(Role::Base, &number(live.before, "%"), 12)
            .put(Role::Base, number(live.now, "%")),
    );
    rows.push(
        Row::of(Role::Base, "95th percentile ")
            .pad(Role::Muted, "-", 12)
            .put(Role::Base, seconds(live.p95)),
    );
    if !live.failing.is_empty() {
        let names: Vec<&str> =
            live.failing.iter().map(crate::model::ids::CheckId::as_str).collect();
        rows.push(Row::of(Role::Fail, format!("still failing: {}", names.join(", "))));
    }
    rows
}

/// Time of the open window that did not count.
fn blind(view: &View<'_>, watch: &Watch, live: &LiveWatch) -> Duration {
    let at = view.world.live.as_ref().map_or(view.now, |live| live.at);
    words::since(watch.opened_at, at).saturating_sub(live.counted)
}

fn criteria(view: &View<'_>, run: &Run, width: usize) -> Vec<Row> {
    if run.criteria.is_empty() {
        return vec![Row::of(
            Role::Muted,
            "the success criteria are measured when the steps are through",
        )];
    }
    let glyphs = view.glyphs();
    // What does not hold is read first.
    let mut list: Vec<_> = run.criteria.iter().collect();
    list.sort_by_key(|criterion| match criterion.answer {
        Passed::No => 0,
        Passed::Unknown => 1,
        Passed::Yes => 2,
    });
    list.into_iter()
        .map(|criterion| {
            let (role, word) = match criterion.answer {
                Passed::Yes => (Role::Ok, format!("{} pass", glyphs.ok)),
                Passed::No => (Role::Fail, format!("{} FAIL", glyphs.fail)),
                Passed::Unknown => (Role::Unknown, format!("{} UNKN", glyphs.unknown)),
            };
            let name = width.saturating_sub(8) * 55 / 100;
            Row::of(role, word)
                .put(Role::Base, " ")
                .pad(Role::Base, criterion.name.as_str(), name)
                .put(Role::Base, " ")
                .put(Role::Base, criterion.measured.as_str())
        })
        .collect()
}
