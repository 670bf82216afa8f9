//! What follows from the rules that are met: at most one rollback, each at most once in its
//! cooldown, and nothing at all where something speaks against it.

use std::collections::BTreeMap;

use crate::model::entry::Outcome;
use crate::model::ids::Time;
use crate::model::plan::{Level, LevelStanding};
use crate::model::severity::Severity;
use crate::model::situation::Situation;
use crate::model::tree::{Helps, TreeVerdict};
use crate::text::{SafeText, fit};

use super::book::{Fired, RuleCard, RuleState};
use super::{Action, Evaluation, Mode, Rule, Verdict, is_author};

/// What is decided by beside the rules.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts")]
pub struct Ground<'a> {
    /// Everything the journal says.
    pub situation: &'a Situation,
    /// `rollback_enabled`: without it a rollback only alerts (P-16).
    pub rollback_enabled: bool,
    /// `auto_rollback_enabled`: without it a rollback is only proposed (P-82).
    pub automatic: bool,
    /// Failed automatic rollbacks of one deployment, at most (P-82).
    pub max_attempts: u32,
    /// Whether it can be asked if a rollback would help.
    pub asks_help: bool,
    /// Whether somebody who may start things is there.
    pub led: bool,
    /// The moment.
    pub now: Time,
}

/// What follows from a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// It acts, or would.
    Fire(Box<Fired>),
    /// It does not, and why.
    Hold(String, SafeText),
    /// Nothing holds it any more.
    Free(String),
}

/// Decides. `met` are the rules that hold, with what that rests on; `unless` those whose exception
/// is met or not known. Rules come by priority, then in the order of the file.
pub fn decide(
    rules: &[Rule],
    met: &BTreeMap<String, Evaluation>,
    unless: &BTreeMap<String, Evaluation>,
    ground: &Ground<'_>,
) -> Vec<Decision> {
    let mut ordered: Vec<&Rule> = rules.iter().collect();
    ordered.sort_by_key(|rule| rule.priority);
    let book = &ground.situation.rules;
    let mut rollback = book.proposal.is_some();
    let mut decided = Vec::new();
    for rule in ordered {
        let card = book.cards.get(&rule.id);
        let held = card.and_then(|card| card.held.as_ref());
        let Some(judged) = met.get(&rule.id) else {
            if held.is_some() {
                decided.push(Decision::Free(rule.id.clone()));
            }
            continue;
        };
        if let Some(at) = card.and_then(|card| card.fired_at)
            && is_within(at, rule.cooldown, ground.now)
        {
            continue;
        }
        let against = excepted(unless.get(&rule.id));
        // A rehearsal neither takes another rule's turn nor waits for one.
        let goes_back =
            rule.action == Action::Rollback && ground.rollback_enabled && rule.mode != Mode::DryRun;
        let against = against.or_else(|| against_all(rule, goes_back && rollback, ground));
        let against = against.or_else(|| settling(rule, card, ground));
        if let Some(why) = against {
            let why = SafeText::new(&fit(&why, 200));
            if held != Some(&why) {
                decided.push(Decision::Hold(rule.id.clone(), why));
            }
            continue;
        }
        rollback |= goes_back;
        decided.push(Decision::Fire(Box::new(fired(rule, judged, ground))));
    }
    decided
}

fn is_within(at: Time, span: std::time::Duration, now: Time) -> bool {
    // A wall clock that was set back must not let a rule act again at once.
    (now - at).to_std().unwrap_or_default() < span
}

fn excepted(unless: Option<&Evaluation>) -> Option<String> {
    match unless.map(|judged| &judged.verdict) {
        Some(Verdict::Met) => Some("its exception (unless) is met".to_owned()),
        Some(Verdict::Unknown(why)) => Some(format!("its exception (unless) is unknown: {why}")),
        Some(Verdict::Broken(why)) => Some(format!("its exception (unless) is broken: {why}")),
        Some(Verdict::NotMet) | None => None,
    }
}

/// Why nothing may come of a rule now, not even a proposal.
fn against_all(rule: &Rule, another: bool, ground: &Ground<'_>) -> Option<String> {
    let situation = ground.situation;
    if rule.action != Action::Rollback || !ground.rollback_enabled {
        return None;
    }
    if another {
        return Some("another rule acts already".to_owned());
    }
    if let Some(why) = forbids(situation) {
        return Some(why);
    }
    if let Some(run) = situation.open_run() {
        return Some(format!("run {} is open", run.id));
    }
    if ground.led && situation.plan.as_ref().is_some_and(|open| !is_author(&open.by)) {
        return Some("a person has a plan on the table".to_owned());
    }
    let deployed = situation.changes.first().map(|change| change.ended_at.unwrap_or(change.at));
    if let Some(span) = rule.only_within
        && deployed.is_none_or(|at| !is_within(at, span, ground.now))
    {
        return Some(format!("no deploy in the last {} min", span.as_secs() / 60));
    }
    if let Some(why) = attempts(situation, ground.max_attempts) {
        return Some(why);
    }
    if let Some(past) =
        automatic(situation).find(|past| is_within(past.ended.at, rule.cooldown, ground.now))
    {
        // Whatever rule it was: no ping-pong.
        return Some(format!("{} rolled back a moment ago ({})", past.by, past.run));
    }
    match situation.help.as_ref().map(|help| (help, help.says())) {
        Some((help, Helps::No)) if rule.level == Level::Switch => {
            let shared = help.shared_failing.as_ref().map(|why| format!(": {why}"));
            Some(format!("a rollback would not help{}", shared.unwrap_or_default()))
        }
        _ => None,
    }
}

/// What forbids that anything starts by itself, whatever the rule.
pub fn forbids(situation: &Situation) -> Option<String> {
    if let Some(freeze) = &situation.rules.frozen {
        return Some(format!("{} froze the rules: {}", freeze.by, freeze.reason));
    }
    if let Some(doubt) = situation.automatic_held() {
        return Some(format!("our own line is in doubt: {}", doubt.why));
    }
    let isolate = situation.assessment.as_ref().map(|known| known.verdict);
    if situation.breach().is_some() || isolate == Some(TreeVerdict::Isolate) {
        return Some("a breach: preserve and isolate, nothing starts".to_owned());
    }
    None
}

/// The past rollbacks that a rule started.
fn automatic(situation: &Situation) -> impl Iterator<Item = &crate::model::situation::PastRun> {
    situation.history.iter().filter(|past| is_author(&past.by))
}

/// Whether automatic rollbacks of what runs now have failed too often (P-82).
fn attempts(situation: &Situation, most: u32) -> Option<String> {
    let version = situation.changes.first().map(|change| &change.version);
    let failed = automatic(situation)
        .take_while(|past| past.ended.outcome != Outcome::Done)
        .filter(|past| {
            let about = past.trigger.as_ref().map(|trigger| &trigger.version);
            version.is_none() || about == version || version == Some(&past.from)
        })
        .count();
    (u32::try_from(failed).unwrap_or(u32::MAX) >= most).then(|| {
        format!("{failed} automatic rollbacks failed, at most {most} are tried: a person decides")
    })
}

/// What a rule does now: as configured, or less where something speaks against it.
fn fired(rule: &Rule, judged: &Evaluation, ground: &Ground<'_>) -> Fired {
    let (action, mut mode) = (rule.action, rule.mode);
    let mut less = None;
    if action == Action::Rollback && mode == Mode::Enforce {
        less = only_proposes(rule, ground);
        if less.is_some() {
            mode = Mode::Propose;
        }
    }
    let action = if action == Action::Rollback && !ground.rollback_enabled {
        less = Some("rollback_enabled is false".to_owned());
        Action::Alert
    } else {
        action
    };
    let starts = action == Action::Rollback && mode == Mode::Enforce;
    let starts_at = starts.then(|| {
        let veto = ground.now + chrono::Duration::from_std(rule.veto).unwrap_or_default();
        let clock = clock(rule, ground.situation);
        clock.map_or(veto, |clock| clock.max(veto))
    });
    let evidence: Vec<_> = judged.evidence.clone();
    let because: Vec<String> = evidence
        .iter()
        .filter(|one| one.text.as_str() != rule.condition.source)
        .take(2)
        .map(super::Shown::words)
        .collect();
    let because = because.join("; ");
    let text = rule.text.as_deref().unwrap_or(because.as_str());
    Fired {
        rule: rule.id.clone(),
        action,
        mode,
        level: rule.level,
        starts_at,
        severity: rule.severity,
        text: SafeText::new(&fit(&format!("{}: {text}", rule.name), 300)),
        less: less.map(|why| SafeText::new(&fit(&why, 200))),
        evidence,
    }
}

/// How long what is not known yet is waited for, before a rule that may act only proposes.
const SETTLES: std::time::Duration = std::time::Duration::from_secs(30);

/// What a rule that may act waits for: severity, level and help test follow the first readings by
/// some seconds.
fn settling(rule: &Rule, card: Option<&RuleCard>, ground: &Ground<'_>) -> Option<String> {
    let acts = rule.action == Action::Rollback && rule.mode == Mode::Enforce;
    if !acts || !ground.rollback_enabled || never_acts(rule, ground).is_some() {
        return None;
    }
    let met = card.filter(|card| card.state == RuleState::Met);
    let young = met.is_none_or(|card| is_within(card.since, SETTLES, ground.now));
    not_now(ground).filter(|_| young)
}

/// Why a rule that may act only proposes.
fn only_proposes(rule: &Rule, ground: &Ground<'_>) -> Option<String> {
    never_acts(rule, ground).or_else(|| not_now(ground))
}

/// Why a rule never acts by itself, as configured.
fn never_acts(rule: &Rule, ground: &Ground<'_>) -> Option<String> {
    if !ground.automatic {
        return Some("auto_rollback_enabled is false".to_owned());
    }
    if rule.level != Level::Switch {
        return Some("levels 2 and 3 are started by people".to_owned());
    }
    None
}

/// What does not let a rule act by itself now.
fn not_now(ground: &Ground<'_>) -> Option<String> {
    let situation = ground.situation;
    let severity = situation.assessment.as_ref().map_or(Severity::None, |known| known.severity);
    if severity < Severity::High {
        return Some(format!("severity is {}", severity.label()));
    }
    let card = situation.levels.iter().find(|card| card.level == Level::Switch);
    match card.map(|card| card.standing) {
        Some(LevelStanding::Ready) => {}
        Some(LevelStanding::NotProven | LevelStanding::Blocked) | None => {
            let why = card.map_or_else(SafeText::default, |card| card.why.clone());
            let word = card.map_or("not looked at", |card| card.standing.words());
            return Some(format!("level 1 is {word}: {why}"));
        }
    }
    let helps = situation.help.as_ref().map(crate::model::tree::HelpTest::says);
    match helps {
        Some(Helps::Yes) => None,
        None if !ground.asks_help => None,
        Some(Helps::No | Helps::NoTarget | Helps::NotProven) | None => {
            Some("it is not proven that a rollback would help".to_owned())
        }
    }
}

/// When the severity lets a rule act by itself: at once on CRITICAL, when its clock has run out on
/// HIGH.
pub fn clock(rule: &Rule, situation: &Situation) -> Option<Time> {
    let known = situation.assessment.as_ref()?;
    let waits = rule.wait_for_clock && known.severity == Severity::High;
    known.deadline.filter(|_| waits && !situation.deadline_passed)
}
