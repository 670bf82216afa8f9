//! `assess`: severity, tree and levels.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::ids::{CheckId, Time};
use crate::model::live::Live;
use crate::model::plan::{Level, LevelCard};
use crate::model::reading::{Reading, Reason};
use crate::model::severity::Severity;
use crate::model::situation::Situation;
use crate::model::tree::{Answer, Answered, HelpTest, Helps, TreeVerdict};
use crate::text::SafeText;

/// `assess --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Assess {
    /// Now.
    pub timestamp: Time,
    /// `none`, `low`, `medium`, `high` or `critical`.
    pub severity: Severity,
    /// The worst class that what is unknown could make of it.
    pub could_be: Severity,
    /// `roll_back`, `isolate`, `monitor` or `open`.
    pub verdict: TreeVerdict,
    /// 1, 2, 3 or null.
    pub suggests: Option<u8>,
    /// When the time for a forward fix runs out.
    pub deadline: Option<Time>,
    /// What made the class.
    pub because: Vec<SafeText>,
    /// The questions in order, each with its evidence.
    pub path: Vec<PathStep>,
    /// Whether going back would help: `yes`, `no`, `no_target`, `not_proven`, or null.
    pub helps: Option<Helps>,
    /// How the levels stand.
    pub levels: Vec<LevelLine>,
    /// The two rows of the verdict line.
    pub sentence: [String; 2],
}

/// One question of the tree.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PathStep {
    /// Its number.
    pub node: String,
    /// Its words.
    pub question: String,
    /// `yes`, `no` or `unknown`.
    pub answer: Answer,
    /// `signal`, or the name of the person.
    pub by: String,
    /// The number that was measured.
    pub value: Option<f64>,
    /// Why it is unknown.
    pub reason: Option<Reason>,
    /// What the signal says, where a person said otherwise.
    pub against: Option<Answer>,
    /// What the answer rests on.
    pub evidence: Vec<SafeText>,
    /// Whether the walk came through here.
    pub on_path: bool,
}

/// One level.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LevelLine {
    /// 1, 2 or 3.
    pub level: u8,
    /// `ready`, `blocked` or `not proven`.
    pub standing: &'static str,
    /// Why.
    pub why: SafeText,
    /// Estimated seconds.
    pub estimate_seconds: Option<u64>,
    /// The objective in seconds (S-01).
    pub rto_seconds: u64,
    /// What data it changes or loses.
    pub data: SafeText,
}

fn level_line(card: &LevelCard) -> LevelLine {
    LevelLine {
        level: card.level.number(),
        standing: card.standing.words(),
        why: card.why.clone(),
        estimate_seconds: card.estimate.map(|span| span.as_secs()),
        rto_seconds: card.level.rto().as_secs(),
        data: card.data.clone(),
    }
}

fn path_step(step: &Answered) -> PathStep {
    PathStep {
        node: step.node.0.clone(),
        question: step.question.clone(),
        answer: step.answer,
        by: step.by.as_ref().map_or_else(|| "signal".to_owned(), |by| by.as_str().to_owned()),
        value: step.value,
        reason: step.reason,
        against: step.against,
        evidence: step.evidence.clone(),
        on_path: step.on_path,
    }
}

/// The document of `assess`; nothing before the first assessment.
pub fn assess(
    situation: &Situation,
    live: Option<&Live>,
    readings: &BTreeMap<CheckId, Reading>,
    now: Time,
) -> Option<Assess> {
    let assessment = situation.assessment.as_ref()?;
    let lines = crate::model::verdict::lines(situation, live, readings, now);
    Some(Assess {
        timestamp: now,
        severity: assessment.severity,
        could_be: assessment.could_be,
        verdict: assessment.verdict,
        suggests: assessment.suggests.map(Level::number),
        deadline: assessment.deadline,
        because: assessment.because.clone(),
        path: assessment.path.iter().map(path_step).collect(),
        helps: situation.help.as_ref().map(HelpTest::says),
        levels: situation.levels.iter().map(level_line).collect(),
        sentence: [lines.what, lines.next],
    })
}
