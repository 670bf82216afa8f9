//! How it ended: outcome, the history line, what is still open, what was left behind.

use crate::model::criteria::{self, Passed};
use crate::model::entry::{Outcome, Standing};
use crate::model::incident::Run;
use crate::model::watch::Verdict;
use crate::report::checklist;
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row};
use crate::tui::words;

use super::Content;

/// The pane.
pub fn content(view: &View<'_>, width: usize) -> Content {
    let situation = &view.world.situation;
    let mut rows = Vec::new();
    match &situation.run {
        None => rows.push(Row::of(Role::Muted, "nothing to report: no run in this incident")),
        Some(run) => rows.extend(outcome(run, width)),
    }
    if situation.leftovers.is_empty() {
        rows.push(Row::of(Role::Base, "Left over: nothing"));
    } else {
        let count = words::count(situation.leftovers.len(), "thing");
        let open = crate::model::leftover::open(situation).count();
        let keeps = match open {
            0 => "all handed over".to_owned(),
            _ => ":release or :hand-over before closing".to_owned(),
        };
        rows.push(Row::of(Role::Warn, format!("Left over: {count}; {keeps}")));
        for leftover in &situation.leftovers {
            rows.extend(super::left_over(leftover, view, width));
        }
    }
    for card in situation.bundles.iter().rev().take(3) {
        let role = if card.made && !card.partial { Role::Base } else { Role::Warn };
        let text = format!("Kept {}: {}", card.at.format("%H:%M:%SZ"), card.words());
        let lines = widgets::wrap(&text, width.saturating_sub(2));
        rows.extend(lines.into_iter().map(|line| Row::of(role, line)));
        if card.made {
            rows.push(Row::of(
                Role::Muted,
                format!("  {}  sha256 {}", card.path, card.sha256.short()),
            ));
        }
    }
    match &situation.incident {
        Some(incident) => {
            let open = words::clock(words::since(incident.began(), view.now));
            rows.push(Row::of(
                Role::Base,
                format!("The incident is open for {open}: {}", incident.why),
            ));
        }
        None if situation.last_incident > 0 => {
            rows.push(Row::of(Role::Base, "The incident is closed"));
        }
        None => {}
    }
    rows.extend(follow_up(view, width));
    Content {
        title: "Report".to_owned(),
        remark: format!(
            "{} earlier",
            words::count(situation.history.len().saturating_sub(1), "run")
        ),
        rows,
        ..Content::default()
    }
}

/// What is to be done after a rollback, window by window; a line an item.
fn follow_up(view: &View<'_>, width: usize) -> Vec<Row> {
    let lines = checklist::lines(&view.world.situation, view.now);
    if lines.is_empty() {
        return Vec::new();
    }
    let done = lines.iter().filter(|line| line.done.is_some()).count();
    let all = lines.len();
    let mut rows =
        vec![Row::of(Role::Base, format!("Checklist: {done} of {all} done; :tick ITEM WHAT"))];
    let mut window = "";
    for line in &lines {
        if line.window != window {
            window = &line.window;
            rows.push(Row::of(Role::Muted, format!("  {window}")));
        }
        let (role, mark) = match (&line.done, line.late) {
            (Some(_), _) => (Role::Ok, "x"),
            (None, true) => (Role::Warn, " "),
            (None, false) => (Role::Base, " "),
        };
        let after = match (&line.done, line.late) {
            (Some(tick), _) => format!("  {} {}: {}", tick.by, words::hour(tick.at), tick.note),
            (None, true) => "  LATE".to_owned(),
            (None, false) => String::new(),
        };
        let text = format!("  [{mark}] {:>2} {}{after}", line.number, line.title);
        rows.push(Row::of(role, crate::text::fit(&text, width)));
    }
    rows
}

fn outcome(run: &Run, width: usize) -> Vec<Row> {
    let core = &run.plan.core;
    let Some(ended) = &run.ended else {
        return vec![Row::of(
            Role::Muted,
            format!("run {} is still {}", run.id, run.state().label()),
        )];
    };
    let role = match ended.outcome {
        Outcome::Done => Role::Ok,
        Outcome::Undone => Role::Warn,
        Outcome::Failed | Outcome::Aborted => Role::Fail,
        Outcome::Unknown => Role::Unknown,
    };
    let mut rows = vec![
        Row::of(Role::Base, format!("Run {} of level {}: ", run.id, core.level))
            .put(role, ended.outcome.words().to_uppercase())
            .put(
                Role::Base,
                format!(
                    "  {} -> {} in {} of {}",
                    core.from,
                    core.to,
                    words::short(ended.took),
                    words::short(core.level.rto())
                ),
            ),
    ];
    if let Some((verdict, why)) =
        run.watch.as_ref().and_then(|watch| Some((watch.verdict?, &watch.why)))
    {
        rows.push(
            Row::of(Role::Base, "Verdict: ")
                .put(super::watch::role(verdict), verdict.words())
                .put(Role::Muted, format!("  {why}")),
        );
    }
    let met = run.criteria.iter().filter(|one| one.answer == Passed::Yes).count();
    if !run.criteria.is_empty() {
        let role = match criteria::all(&run.criteria) {
            Passed::Yes => Role::Ok,
            Passed::No => Role::Fail,
            Passed::Unknown => Role::Unknown,
        };
        rows.push(
            Row::of(Role::Base, "Criteria: ")
                .put(role, format!("{met} of {} hold", run.criteria.len())),
        );
    }
    // The end of a watched run is its verdict, which stands above already.
    let judged = run.watch.as_ref().and_then(|watch| watch.verdict).map(Verdict::words);
    let said = judged.is_some_and(|verdict| ended.why.as_str().starts_with(verdict));
    for line in widgets::wrap(ended.why.as_str(), width.saturating_sub(6)) {
        if !line.is_empty() && !said {
            rows.push(Row::of(Role::Info, format!("Why: {line}")));
        }
    }
    for (step, standing) in run.measured() {
        let role = match standing {
            Standing::Done => Role::Ok,
            Standing::NotDone => Role::Base,
            Standing::Partly(_) => Role::Warn,
            Standing::CannotTell(_) => Role::Unknown,
        };
        let title = run.plan.face_of(&step.id).map(|face| face.title.as_str());
        rows.push(
            Row::of(Role::Muted, format!("Now: {}: ", title.unwrap_or(step.id.as_str())))
                .put(role, standing.words()),
        );
    }
    rows.push(Row::of(Role::Base, "History line:"));
    for line in widgets::wrap(&ended.history, width.saturating_sub(2)) {
        rows.push(Row::of(Role::Muted, format!("  {line}")));
    }
    rows.push(Row::of(Role::Base, format!("Approved by {}: {}", run.by, run.reason)));
    rows
}
