//! The tree with its answers, the severity with its clock, what changed, whether it would help.

use crate::model::deploys::ChangeState;
use crate::model::ids::Time;
use crate::model::plan::Level;
use crate::model::tree::{self, Answer, Answered, Assessment, Burst, Condition, Helps, Node};
use crate::text::{self, SafeText};
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::Row;
use crate::tui::words;

use super::Content;

/// The pane.
pub fn content(view: &View<'_>, width: usize) -> Content {
    let situation = &view.world.situation;
    if let Some(closed) = closed(view, width) {
        return closed;
    }
    let mut rows = super::locked(view, width);
    // In few rows the verdict line already says what changed and why.
    let roomy = view.ui.size.1 >= 32 || view.ui.zoom;
    let folded = |row: Row| if roomy { row.fold(width, 2) } else { vec![row] };
    match &situation.assessment {
        None => rows.push(Row::of(
            Role::Muted,
            format!(
                "not judged yet: {} of {} checks have answered",
                view.world.readings.len(),
                situation.checks.len()
            ),
        )),
        Some(assessment) => {
            rows.extend(nodes(view, assessment, width));
            rows.extend(folded(tree(assessment, view.now)));
            if roomy {
                rows.extend(because(assessment).into_iter().flat_map(folded));
            }
        }
    }
    let below = help(view).into_iter().chain(changed(view).filter(|_| roomy));
    rows.extend(below.chain([levels(view)]).flat_map(folded));
    let ask = situation
        .assessment
        .as_ref()
        .is_some_and(|assessment| assessment.path.iter().any(|step| step.asks));
    Content {
        title: "Decide".to_owned(),
        remark: match (&situation.assessment, ask) {
            (Some(_), true) => "a answers an open question".to_owned(),
            (Some(assessment), false) => format!("assessment {}", assessment.number),
            (None, _) => String::new(),
        },
        rows,
        ..Content::default()
    }
}

/// Once something runs the decision is made: what it rested on and who made it. The whole of it is
/// a zoom away.
fn closed(view: &View<'_>, width: usize) -> Option<Content> {
    let zoomed = view.ui.zoom && view.ui.focus == crate::tui::pane::PaneKind::Decide;
    let run = view.world.situation.open_run().filter(|_| !zoomed)?;
    let assessment = view.world.situation.assessment.as_ref();
    let mut rows = Vec::new();
    if let Some(node) = assessment.and_then(Assessment::decided_by) {
        let (role, text) = node_text(view, node);
        rows.push(Row::of(role, text));
    }
    // What is judged by now is not what was decided on: it is shown only while it says something.
    let severity = assessment.map(|assessment| assessment.severity);
    let severity = severity.filter(|severity| *severity > crate::model::severity::Severity::None);
    let severity = severity.map_or_else(String::new, |one| format!("{} now.  ", one.label()));
    let text = format!("{severity}L{} by {}: {}", run.plan.core.level, run.by, run.reason);
    rows.extend(
        crate::tui::widgets::wrap(&text, width).into_iter().map(|line| Row::of(Role::Base, line)),
    );
    let key = view.keymap.shown(crate::tui::action::Action::Zoom);
    Some(Content {
        title: format!("Decide (closed {})", words::hour(run.started_at)),
        remark: key.map_or_else(String::new, |key| format!("{key} opens")),
        rows,
        ..Content::default()
    })
}

/// Two questions a row where they fit.
fn nodes(view: &View<'_>, assessment: &Assessment, width: usize) -> Vec<Row> {
    let columns = if width >= 72 { 2 } else { 1 };
    let each = width / columns;
    assessment
        .path
        .chunks(columns)
        .map(|pair| {
            pair.iter().fold(Row::new(), |row, node| {
                let (role, text) = node_text(view, node);
                row.pad(role, &text, each.saturating_sub(1)).put(Role::Base, " ")
            })
        })
        .collect()
}

fn node_text(view: &View<'_>, node: &Answered) -> (Role, String) {
    let role = match node.answer {
        Answer::Yes => Role::Fail,
        Answer::Unknown => Role::Unknown,
        Answer::No => Role::Base,
    };
    let mut text = format!("{} {} {}", node.node, node.question, node.answer.words());
    if node.asks {
        let key = view.keymap.shown(crate::tui::action::Action::Answer);
        text = format!("{text} ({})", key.map_or_else(String::new, |key| key.to_string()));
    }
    match (&node.by, evidence(view, node)) {
        (Some(by), _) => {
            let at = view.world.situation.said.get(&node.node).map(|said| said.at);
            let at = at.map(hour_minute).unwrap_or_default();
            text = format!("{text} ({by} {at})");
        }
        (None, Some(evidence)) => text = format!("{text} {evidence}"),
        (None, None) => {
            if let Some(reason) = node.reason {
                text = format!("{text} {}", reason.words());
            }
        }
    }
    if let Some(measured) = node.against {
        text = format!("{text} but measured {}", measured.words());
    }
    (role, text)
}

/// What a node rests on: the numbers of this moment where the engine has said them, else those of
/// the moment when the answer last changed.
fn evidence<'a>(view: &View<'a>, node: &'a Answered) -> Option<&'a SafeText> {
    let signal = tree::built_in().into_iter().find_map(|known| match known {
        Node::Ask {
            id, when: Condition::Above { signal, .. } | Condition::Up { signal }, ..
        } if id == node.node => Some(signal),
        Node::Ask { .. } | Node::Verdict { .. } => None,
    });
    let live = signal.and_then(|signal| view.world.live.as_ref()?.signals.get(&signal));
    live.and_then(|signal| signal.evidence.first()).or_else(|| node.evidence.first())
}

fn hour_minute(at: Time) -> String {
    at.format("%H:%M").to_string()
}

fn tree(assessment: &Assessment, now: Time) -> Row {
    let role = if assessment.severity >= crate::model::severity::Severity::High {
        Role::Fail
    } else {
        Role::Base
    };
    let mut row = Row::of(Role::Base, "Tree: ").put(role, assessment.verdict.words());
    if let Some(node) = assessment.decided_by() {
        row = row.put(Role::Muted, format!(" (rule {})", node.node));
    }
    row = row.put(Role::Base, "  ").put(role, assessment.severity.label());
    row = match assessment.deadline {
        Some(deadline) if deadline > now => {
            let left = words::since(now, deadline);
            row.put(Role::Warn, format!(", {} left for a fix", words::clock(left)))
        }
        Some(_) => row.put(Role::Fail, ", no time left for a fix"),
        None => row,
    };
    if assessment.could_be > assessment.severity {
        row = row.put(Role::Unknown, format!(", could be {}", assessment.could_be.label()));
    }
    row
}

fn because(assessment: &Assessment) -> Vec<Row> {
    let lines = assessment.because.iter().take(3);
    lines.map(|line| Row::of(Role::Muted, format!("  because {line}"))).collect()
}

fn burst(side: &Burst) -> String {
    let speed = side.p95.map(words::took).map_or_else(String::new, |p95| format!(", p95 {p95}"));
    format!("{} {} answers {}/{}{speed}", side.color, side.version, side.answered, side.asked)
}

fn help(view: &View<'_>) -> Option<Row> {
    let test = view.world.situation.help.as_ref()?;
    let (role, word) = match test.says() {
        Helps::Yes => (Role::Ok, "yes"),
        Helps::No => (Role::Fail, "NO"),
        Helps::NoTarget => (Role::Unknown, "nothing live to go back to"),
        Helps::NotProven => (Role::Unknown, "not proven"),
    };
    let mut text = burst(&test.failing);
    if let Some(target) = &test.target {
        text = format!("{}; {text}", burst(target));
    }
    if let Some(shared) = &test.shared_failing {
        text = format!("{shared} fails for both; {text}");
    }
    let age = words::age(words::since(test.at, view.now));
    Some(
        Row::of(Role::Base, "Would it help? ")
            .put(role, word)
            .put(Role::Muted, format!(": {text}, {age} ago")),
    )
}

fn changed(view: &View<'_>) -> Option<Row> {
    let situation = &view.world.situation;
    let change = situation.running_deploy().or_else(|| situation.changes.first())?;
    let bad = situation
        .incident
        .as_ref()
        .map(crate::model::incident::Incident::began)
        .filter(|opened| *opened >= change.at);
    let when = match bad {
        _ if change.state == ChangeState::Running => {
            format!("running {}", words::short(words::since(change.at, view.now)))
        }
        Some(opened) => {
            format!("{} before the incident", words::short(words::since(change.at, opened)))
        }
        None => format!("{} ago", words::age(words::since(change.at, view.now))),
    };
    let head = match change.state {
        ChangeState::Running => "Deploy: ",
        ChangeState::Done | ChangeState::Noticed => "Changed: ",
        ChangeState::Failed => "Deploy FAILED: ",
    };
    let who = match (change.state, change.reference.is_empty()) {
        (ChangeState::Noticed, _) => "noticed, nobody reported it".to_owned(),
        (ChangeState::Running | ChangeState::Done | ChangeState::Failed, false) => {
            format!("by {} ({})", change.by, change.reference)
        }
        (ChangeState::Running | ChangeState::Done | ChangeState::Failed, true) => {
            format!("by {}", change.by)
        }
    };
    Some(
        Row::of(Role::Base, head)
            .put(Role::Warn, change.version.as_str())
            .put(Role::Muted, format!(" {who}, {when}")),
    )
}

fn levels(view: &View<'_>) -> Row {
    let mut row = Row::new();
    for level in [Level::Switch, Level::Full, Level::PointInTime] {
        let text = match view.world.card(level) {
            None => format!("L{level} not judged"),
            Some(card) => match card.estimate {
                Some(estimate) => {
                    format!("L{level} {} {}", card.standing.words(), words::short(estimate))
                }
                None => format!("L{level} {}", card.standing.words()),
            },
        };
        let gap = if text::width(&row.text()) > 0 { " | " } else { "" };
        row = row.put(Role::Muted, gap).put(Role::Base, text);
    }
    row.put(
        Role::Muted,
        format!(" | left over {}", crate::model::leftover::open(&view.world.situation).count()),
    )
}
