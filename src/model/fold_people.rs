//! The part of the fold that is about people: who leads, who asks to, who was told.

use super::entry::{Entry, Event};
use super::situation::{Lead, LeadAsk, Situation};

/// Requests for the lead that are kept.
const ASKED: usize = 8;
/// Occasions that are remembered as told.
const TOLD: usize = 64;

impl Situation {
    /// Folds in what happened among people; every other event is left to its own part.
    pub(super) fn people_event(&mut self, event: &Event, entry: &Entry) {
        let at = entry.at;
        if let Event::LeadTaken { who, term } = event {
            let before = self.lead.as_ref().map(|lead| lead.term);
            self.lead = Some(Lead { who: who.clone(), term: *term, lost_at: None });
            if before != Some(*term) {
                self.lead_asked.clear();
            }
            self.moment(at, &format!("{} leads", who.name));
        }
        if let Event::LeadAsked { who, reason } = event {
            self.lead_asked
                .retain(|other| (other.who.uid, &other.who.name) != (who.uid, &who.name));
            let ask = LeadAsk { at, who: who.clone(), reason: reason.clone() };
            super::fold::bounded(&mut self.lead_asked, ask, ASKED);
            let asked = self.lead.as_ref().map(|lead| lead.who.name.clone()).unwrap_or_default();
            self.moment(at, &format!("{asked} is asked to hand the lead to {}", who.name));
        }
        if matches!(event, Event::LeadLost)
            && let Some(lead) = &mut self.lead
        {
            lead.lost_at = Some(at);
        }
        if let Event::Notified(end) = event
            && !end.sent
        {
            self.moment(
                at,
                &format!("{} was not told of {}: {}", end.receiver, end.thread, end.note),
            );
        }
        if let Event::HookRan { about, note } = event {
            super::fold::bounded(&mut self.told, about.clone(), TOLD);
            let occasion = about.split(' ').next().unwrap_or_default();
            self.moment(at, &format!("told of {occasion}: {note}"));
        }
    }
}
