//! The fold of what rules did: states, what was proposed, who was told.

use super::entry::{Author, Event};
use super::fold::bounded;
use super::ids::Time;
use super::rule::book::{ALERTS, Alert, Fired, Freeze, Proposal, RuleCard, RuleState};
use super::rule::{Action, Mode, Shown};
use super::situation::Situation;
use crate::text::SafeText;

impl Situation {
    /// Whether nothing starts by rules, and who said so.
    pub fn frozen(&self) -> Option<&Freeze> {
        self.rules.frozen.as_ref()
    }

    pub(super) fn rule_event(&mut self, event: &Event, at: Time) {
        if let Event::RulesDeclared { rules, first } = event {
            if *first {
                self.rules.rules.clear();
            }
            self.rules.rules.extend(rules.iter().cloned());
            let known = &self.rules.rules;
            self.rules.cards.retain(|id, _| known.iter().any(|rule| &rule.id == id));
        }
        if let Event::RuleChanged { rule, state, evidence } = event {
            self.rule_changed(rule, state, evidence, at);
        }
        if let Event::RuleFired(fired) = event {
            self.rule_fired(fired, at);
        }
        if let Event::RuleHeld { rule, why } = event {
            if let Some(why) = why {
                self.moment(at, &format!("rule {rule} is met and held: {why}"));
            }
            if let Some(card) = self.rules.cards.get_mut(rule) {
                card.held.clone_from(why);
            }
        }
        if let Event::ProposalWithdrawn { rule, why } = event {
            self.rules.proposal.take_if(|proposal| &proposal.fired.rule == rule);
            self.moment(at, &format!("rule {rule} does not act: {why}"));
        }
        if let Event::FreezeEnded = event {
            self.rules.frozen = None;
            self.moment(at, "rules are no longer frozen: its time is over");
        }
        if let Event::ConfigurationRead { note, .. } = event {
            self.moment(at, note.as_str());
        }
    }

    fn rule_changed(&mut self, rule: &str, state: &RuleState, evidence: &[Shown], at: Time) {
        let before = self.rules.cards.remove(rule);
        let said = match state {
            RuleState::Met => {
                let because = evidence.first().map(Shown::words).unwrap_or_default();
                Some(format!("rule {rule} is met: {because}"))
            }
            RuleState::Broken(why) => Some(format!("rule {rule} is broken: {why}")),
            RuleState::Quiet | RuleState::Pending | RuleState::Unknown(_) => None,
        };
        if let Some(said) = said {
            self.moment(at, &said);
        }
        let quiet = *state == RuleState::Quiet;
        if quiet {
            for alert in self.rules.alerts.iter_mut().filter(|alert| alert.rule == rule) {
                alert.resolved_at.get_or_insert(at);
            }
        }
        let card = RuleCard {
            state: state.clone(),
            since: at,
            evidence: evidence.to_vec(),
            fired_at: before.as_ref().and_then(|card| card.fired_at),
            raised: before.as_ref().map_or(0, |card| if quiet { 0 } else { card.raised }),
            held: before.and_then(|card| card.held),
        };
        self.rules.cards.insert(rule.to_owned(), card);
    }

    fn rule_fired(&mut self, fired: &Fired, at: Time) {
        let least = if fired.action == Action::Escalate { 2 } else { 1 };
        let mut level = least;
        if let Some(card) = self.rules.cards.get_mut(&fired.rule) {
            card.fired_at = Some(at);
            card.held = None;
            card.raised = (card.raised + 1).clamp(least, 3);
            level = card.raised;
        }
        let (rule, text) = (&fired.rule, &fired.text);
        let said = match (fired.action, fired.mode) {
            (Action::Rollback, Mode::DryRun) => {
                format!("rule {rule} would roll back (dry run): {text}")
            }
            (_, Mode::DryRun) => format!("rule {rule} would act (dry run): {text}"),
            (Action::Rollback, Mode::Enforce) => {
                let starts = fired
                    .starts_at
                    .map_or(String::new(), |at| at.format(" at %H:%M:%SZ").to_string());
                format!("rule {rule} rolls back{starts} unless somebody vetoes: {text}")
            }
            (Action::Rollback, Mode::Propose) => {
                format!("rule {rule} proposes level {}: {text}", fired.level)
            }
            (Action::Alert, _) => format!("ALERT {level} of 3, rule {rule}: {text}"),
            (Action::Escalate, _) => format!("ESCALATED, {level} of 3, rule {rule}: {text}"),
            (Action::PreserveLogs, _) => format!("rule {rule} preserves the logs: {text}"),
        };
        self.moment(at, &said);
        if fired.mode == Mode::DryRun {
            return;
        }
        if fired.action == Action::Rollback {
            self.rules.proposal = Some(Proposal { at, fired: fired.clone() });
        }
        let alert = Alert {
            at,
            rule: rule.clone(),
            action: fired.action,
            level,
            severity: fired.severity,
            text: text.clone(),
            resolved_at: None,
        };
        bounded(&mut self.rules.alerts, alert, ALERTS);
    }

    pub(super) fn vetoed(&mut self, rule: &str, who: &Author, reason: &SafeText, at: Time) {
        if let Some(proposal) = self.rules.proposal.take_if(|one| one.fired.rule == rule) {
            // What it made is not wanted either.
            let own = super::rule::author(&proposal.fired.rule);
            self.plan.take_if(|open| open.by == own);
        }
        self.moment(at, &format!("{} vetoes rule {rule}: {reason}", who.name));
    }

    pub(super) fn freeze(
        &mut self,
        until: Option<Time>,
        who: &Author,
        reason: &SafeText,
        at: Time,
    ) {
        let by = who.name.clone();
        let said = match until {
            Some(until) => {
                format!("{by} freezes the rules until {}: {reason}", until.format("%H:%MZ"))
            }
            None => format!("{by} ends the freeze of the rules: {reason}"),
        };
        self.moment(at, &said);
        self.rules.frozen =
            until.map(|until| Freeze { by, reason: reason.clone(), since: at, until });
    }
}
