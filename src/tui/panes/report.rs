//! How it ended: outcome, the history line, what is still open, what was left behind.

use crate::model::criteria::{self, Passed};
use crate::model::entry::Outcome;
use crate::model::incident::Run;
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
        rows.push(Row::of(Role::Warn, format!("Left over: {count}, each with its undo")));
        for leftover in &situation.leftovers {
            rows.push(
                Row::of(Role::Base, format!("  {}", leftover.name))
                    .put(Role::Muted, format!(" ({}): {}", leftover.owner, leftover.undo)),
            );
        }
    }
    match &situation.incident {
        Some(incident) => {
            let open = words::clock(words::since(incident.opened_at, view.now));
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
    for line in widgets::wrap(ended.why.as_str(), width.saturating_sub(6)) {
        if !line.is_empty() {
            rows.push(Row::of(Role::Info, format!("Why: {line}")));
        }
    }
    rows.push(Row::of(Role::Base, "History line:"));
    for line in widgets::wrap(&ended.history, width.saturating_sub(2)) {
        rows.push(Row::of(Role::Muted, format!("  {line}")));
    }
    rows.push(Row::of(Role::Base, format!("Approved by {}: {}", run.by, run.reason)));
    rows
}
