//! Watches by rules: judges them when readings came, writes what follows, and goes on with what a
//! rule began as a person would.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Config;
use crate::model::entry::Event;
use crate::model::ids::{CheckId, Time};
use crate::model::rule::book::{Fired, RuleFace, RuleState};
use crate::model::rule::decide::{Decision, Ground, decide};
use crate::model::rule::proceed::{self, Around, Proceed, proceed};
use crate::model::rule::pulse::Pulse;
use crate::model::rule::{self, Action, Evaluation, Mode, Rule, Seen, Snapshot, Verdict};
use crate::model::severity::Severity;
use crate::model::slo::{self, Standing, Tallies};
use crate::text::{SafeText, fit};

use super::books::Line;
use super::criteria;
use super::run::Engine;

/// Rules are judged when readings came, and at least this often: time passes for them too.
const JUDGED: chrono::Duration = chrono::Duration::seconds(1);
/// A rule that cannot be judged for so long is told once.
const BLIND: chrono::Duration = chrono::Duration::minutes(5);
/// Rules in one entry: an entry is at most 64 KiB.
const PART: usize = 40;

/// What the engine keeps for the rules, beside the journal.
#[derive(Default)]
pub(super) struct Watch {
    kinds: BTreeMap<CheckId, String>,
    pulses: BTreeMap<String, Pulse>,
    met: BTreeMap<String, Evaluation>,
    unless: BTreeMap<String, Evaluation>,
    judged_at: Option<Time>,
    pub(super) dirty: bool,
    /// Whether a plan for a rule is being made.
    pub(super) planning: bool,
    /// The proposal whose logs were asked to be preserved, and when.
    preserved: Option<(Time, Time)>,
    blind: BTreeSet<String>,
    /// What was counted for the objectives.
    pub(super) slos: Tallies,
}

impl Watch {
    pub(super) fn new(config: &Config, slos: Tallies) -> Self {
        let kinds = config.checks.iter();
        let kinds = kinds.map(|spec| (spec.id.clone(), spec.kind.name().to_owned())).collect();
        Self { kinds, dirty: true, slos, ..Self::default() }
    }
}

impl Watch {
    /// Where the objectives stand.
    pub(super) fn standings(&self, now: Time) -> Vec<Standing> {
        let slos = self.slos.iter();
        slos.map(|(id, (objective, tally))| slo::standing(id, objective, tally, now)).collect()
    }
}

impl Engine {
    /// Says which rules there are, when the journal knows others.
    pub(super) fn declare_rules(&self, lines: &mut Vec<Line>) {
        let faces: Vec<RuleFace> = self.config.rules.list.iter().map(face).collect();
        if faces == self.books.situation.rules.rules {
            return;
        }
        let mut first = true;
        for part in faces.chunks(PART) {
            lines.push(Line::from(Event::RulesDeclared { rules: part.to_vec(), first }));
            first = false;
        }
        if first {
            lines.push(Line::from(Event::RulesDeclared { rules: Vec::new(), first }));
        }
    }

    /// The rule that is met and stands for the worst severity.
    pub(super) fn raised_by_rule(&self) -> Option<(&str, Severity)> {
        let met =
            self.config.rules.list.iter().filter(|rule| self.rules.met.contains_key(&rule.id));
        let met = met.filter_map(|rule| Some((rule.id.as_str(), rule.severity?)));
        met.max_by_key(|(_, severity)| *severity)
    }

    /// Judges every rule on one frozen moment, and writes what follows from those that are met.
    pub(super) fn judge_rules(&mut self, lines: &mut Vec<Line>) {
        let now = self.clock.now();
        let frozen = self.books.situation.frozen().map(|freeze| freeze.until);
        if frozen.is_some_and(|until| until <= now) {
            lines.push(Line::from(Event::FreezeEnded));
        }
        let due = self.rules.judged_at.is_none_or(|at| (now - at).abs() >= JUDGED);
        let none = self.config.rules.list.is_empty() || !self.start.watches;
        if none || (!due && !self.rules.dirty) {
            return;
        }
        self.rules.dirty = false;
        self.rules.judged_at = Some(now);
        let judged = self.evaluate_rules(now);
        self.rules.met.clear();
        self.rules.unless.clear();
        for (rule, (judged, unless)) in self.config.rules.list.iter().zip(judged) {
            let pulse = self.rules.pulses.entry(rule.id.clone()).or_default();
            let state = pulse.take(rule, &judged, now);
            let card = self.books.situation.rules.cards.get(&rule.id);
            if let Some(state) = state
                && card.is_none_or(|card| !alike(&card.state, &state))
            {
                let evidence = judged.evidence.clone();
                lines.push(Line::from(Event::RuleChanged {
                    rule: rule.id.clone(),
                    state,
                    evidence,
                }));
            }
            if pulse.holds() && judged.verdict == Verdict::Met {
                self.rules.met.insert(rule.id.clone(), judged);
            }
            if let Some(unless) = unless {
                self.rules.unless.insert(rule.id.clone(), unless);
            }
        }
        self.tell_blind_rules(now, lines);
        self.follow_rules(now, lines);
    }

    fn evaluate_rules(&self, now: Time) -> Vec<(Evaluation, Option<Evaluation>)> {
        let situation = &self.books.situation;
        let run = situation.run.as_ref().filter(|run| run.abort.is_none());
        let floor = run.filter(|run| run.watch.is_some()).map(criteria::switched_at);
        let deployed = situation.changes.first().map(|one| one.ended_at.unwrap_or(one.at));
        let snapshot = Snapshot::new(Seen {
            roles: self.desk.all_roles(),
            kinds: &self.rules.kinds,
            tracks: &self.tracks,
            recent: &self.recent,
            slos: &self.rules.slos,
            left_out: self.desk.left_out(),
            floor,
            min_samples: self.config.windows.min_samples,
            deployed,
            severity: situation.assessment.as_ref().map(|known| known.severity),
            now,
        });
        let one = |rule: &Rule| {
            let unless = rule.unless.as_ref().map(|unless| unless.evaluate(&snapshot));
            (rule.condition.evaluate(&snapshot), unless)
        };
        self.config.rules.list.iter().map(one).collect()
    }

    /// Says once that a rule cannot be judged: nobody watches for that then.
    fn tell_blind_rules(&mut self, now: Time, lines: &mut Vec<Line>) {
        let mut blind = BTreeSet::new();
        for (id, card) in &self.books.situation.rules.cards {
            let RuleState::Unknown(why) = &card.state else { continue };
            if now - card.since < BLIND {
                continue;
            }
            blind.insert(id.clone());
            if !self.rules.blind.contains(id) {
                let text =
                    format!("rule {id} cannot be judged: {why}; to do: {}", why.reason.fix());
                lines.push(Line::from(Event::Trouble { text: SafeText::new(&text) }));
            }
        }
        self.rules.blind = blind;
    }

    /// What the model decides, as lines.
    fn follow_rules(&mut self, now: Time, lines: &mut Vec<Line>) {
        let rules = &self.config.rules;
        let asks_help = self.stack.is_some()
            && self.config.help_test.requests > 0
            && !self.config.help_test.paths.is_empty();
        let ground = Ground {
            situation: &self.books.situation,
            rollback_enabled: rules.rollback_enabled,
            automatic: rules.automatic,
            max_attempts: rules.max_attempts,
            asks_help,
            led: self.lead_is_alive(),
            now,
        };
        let mut preserve = None;
        for decision in decide(&rules.list, &self.rules.met, &self.rules.unless, &ground) {
            let line = match decision {
                Decision::Hold(rule, why) => Event::RuleHeld { rule, why: Some(why) },
                Decision::Free(rule) => Event::RuleHeld { rule, why: None },
                Decision::Fire(fired) => {
                    let keeps = fired.action == Action::PreserveLogs && fired.mode != Mode::DryRun;
                    if keeps {
                        preserve = Some(rule::author(&fired.rule));
                    }
                    Event::RuleFired(Box::new(self.told(*fired)))
                }
            };
            lines.push(Line::from(line));
        }
        if let Some(by) = preserve {
            self.export_asked(true, by);
        }
    }

    /// What an alert of Prometheus says, with its value and labels.
    fn told(&self, fired: Fired) -> Fired {
        let rule = self.config.rules.list.iter().find(|rule| rule.id == fired.rule);
        let Some((rule, text)) = rule.and_then(|rule| Some((rule, rule.text.as_ref()?))) else {
            return fired;
        };
        let query = rule.query.as_ref();
        let reading = query.and_then(|id| self.recent.newest_first(id).next());
        let text = format!("{}: {}", rule.name, rule::text::filled(text, reading));
        Fired { text: SafeText::new(&fit(&text, 300)), ..fired }
    }

    /// Goes on with what a rule wants to do: logs, plan, countdown, start.
    pub(super) fn follow_proposal(&mut self, lines: &mut Vec<Line>) {
        let Some(proposal) = self.books.situation.rules.proposal.clone() else { return };
        if self.ending.is_some() || !self.start.watches {
            return;
        }
        let id = &proposal.fired.rule;
        let by = rule::author(id);
        let now = self.clock.now();
        if self.rules.preserved.is_none_or(|(of, _)| of != proposal.at) {
            self.rules.preserved = Some((proposal.at, now));
            if self.config.rules.preserve_logs {
                self.export_asked(true, by.clone());
            }
        }
        let rule = self.config.rules.list.iter().find(|rule| &rule.id == id);
        // Counted from when this engine asked for them: a restart begins anew.
        let young = self.rules.preserved.is_some_and(|(_, at)| now - at < proceed::PRESERVE);
        let around = Around {
            holds: self.rules.pulses.get(id).and_then(Pulse::told),
            preserving: self.bundling.busy() && young,
            planning: self.rules.planning,
            now,
        };
        match proceed(rule, &self.books.situation, around) {
            Proceed::Nothing | Proceed::Wait(_) => {}
            Proceed::Stuck(why) => self.say_stuck(id, &why, lines),
            Proceed::Plan(level) => {
                self.rules.planning = true;
                self.begin_plan(by, level, None);
            }
            Proceed::Start(digest) => {
                let reason = proceed::reason(&self.books.situation);
                self.start_run(&digest, by, (reason, None), lines);
            }
            Proceed::Withdraw(why) => {
                let why = SafeText::new(&fit(&why, 200));
                lines.push(Line::from(Event::ProposalWithdrawn { rule: id.clone(), why }));
            }
        }
    }

    fn say_stuck(&self, id: &str, why: &str, lines: &mut Vec<Line>) {
        let why = SafeText::new(&fit(why, 200));
        let card = self.books.situation.rules.cards.get(id);
        if card.is_some_and(|card| card.held.as_ref() != Some(&why)) {
            lines.push(Line::from(Event::RuleHeld { rule: id.to_owned(), why: Some(why) }));
        }
    }
}

/// Whether two states say the same; of what is not known, the reason counts and not the check.
fn alike(one: &RuleState, other: &RuleState) -> bool {
    match (one, other) {
        (RuleState::Unknown(one), RuleState::Unknown(other)) => one.reason == other.reason,
        (RuleState::Broken(_), RuleState::Broken(_)) => true,
        (one, other) => one == other,
    }
}

fn face(rule: &Rule) -> RuleFace {
    RuleFace {
        id: rule.id.clone(),
        name: SafeText::new(&fit(&rule.name, 100)),
        action: rule.action,
        mode: rule.mode,
        priority: rule.priority,
        condition: SafeText::new(&fit(&rule.condition.source, 400)),
    }
}
