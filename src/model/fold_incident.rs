//! The fold of incidents and of plans on the table.

use crate::text::SafeText;

use super::checklist::Tick;
use super::entry::{Entry, Event};
use super::ids::Time;
use super::incident::Incident;
use super::situation::{OpenPlan, RefusedPlan, Situation};
use super::tree::{Answer, BREACH};

impl Situation {
    pub(super) fn incident_event(&mut self, event: &Event, at: Time) {
        if let Event::IncidentOpened { incident, why } = event {
            let (id, why_opened) = (*incident, why.clone());
            self.incident = Some(Incident {
                id,
                opened_at: at,
                began: None,
                why: why_opened,
                runs: 0,
                informed: None,
            });
            self.last_incident = id;
            // The plan on the table stays: it may be the very reason why this was opened.
            self.run = None;
            self.deadline_passed = false;
            self.moment(at, &format!("incident opened: {why}"));
        }
        if let Event::IncidentClosed { why } = event {
            self.incident = None;
            self.plan = None;
            // What was found out about this one says nothing about the next.
            // Only a person ends a breach (S-53).
            self.said.retain(|node, said| node.as_str() == BREACH && said.answer == Answer::Yes);
            self.overrule = None;
            self.rules.proposal = None;
            self.help = None;
            self.refused = None;
            self.moment(at, &format!("incident closed: {why}"));
        }
    }

    /// Folds in that those whose data it is were told. The last word counts.
    pub(super) fn informed(&mut self, note: &SafeText, entry: &Entry) {
        let by = entry.author.name.clone();
        self.moment(entry.at, &format!("{by}: stakeholders informed: {note}"));
        if let Some(incident) = &mut self.incident {
            incident.informed = Some(Tick { by, at: entry.at, note: note.clone() });
        }
    }

    pub(super) fn plan_event(&mut self, event: &Event, at: Time) {
        if let Event::PlanMade { plan, by, preflight } = event {
            let digest = plan.digest();
            self.moment(at, &format!("plan {} made for {by}", digest.short()));
            self.refused = None;
            self.plan = Some(OpenPlan {
                digest,
                plan: (**plan).clone(),
                by: by.clone(),
                preflight: preflight.clone(),
            });
        }
        if let Event::PlanRefused { level, why, offer } = event {
            self.moment(at, &format!("level {level} refused: {why}"));
            self.refused = Some(RefusedPlan { at, level: *level, why: why.clone(), offer: *offer });
            self.plan = None;
        }
        if let Event::PreflightChanged { plan, preflight } = event
            && let Some(open) = self.plan.as_mut().filter(|open| &open.digest == plan)
        {
            open.preflight.clone_from(preflight);
        }
    }
}
