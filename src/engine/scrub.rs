//! Keeps secrets out of the journal: what people type, what checks and tools answered.

use std::sync::Arc;

use serde_json::Value;

use crate::model::entry::{Body, Event};
use crate::model::reading::{Finding, Reading};
use crate::redact::{Book, Redactor};
use crate::text::SafeText;

/// The redactor and its numbers, for the life of an engine.
pub(super) struct Scrub {
    redactor: Arc<Redactor>,
    book: Book,
}

impl Scrub {
    pub(super) fn new(redactor: Arc<Redactor>) -> Self {
        Self { redactor, book: Book::new("j") }
    }

    /// The same text without its secrets.
    pub(super) fn text(&mut self, text: &str) -> Option<String> {
        let mut clean = if self.redactor.is_clean(text.as_bytes()) {
            text.to_owned()
        } else {
            self.redactor.text(text, &mut self.book)
        };
        // Who cuts a text to its width may cut a secret in two.
        if let Some(at) = self.redactor.half(&clean) {
            clean.truncate(at);
            clean.push_str("‹redacted:known›");
        }
        drop(self.book.take_found());
        Some(clean).filter(|clean| clean != text)
    }

    /// The same reading without the secrets in what was seen.
    pub(super) fn reading(&mut self, reading: &mut Reading) {
        let seen = match &mut reading.finding {
            Finding::Warn { why } | Finding::Bad { why } => Some(why),
            Finding::Good | Finding::Unknown { .. } => None,
        };
        let texts = [&mut reading.note].into_iter().chain(seen.map(|why| &mut why.text));
        for text in texts.chain(&mut reading.facts) {
            if let Some(clean) = self.text(text.as_str()) {
                *text = SafeText::new(&clean);
            }
        }
    }

    /// The same entry without the secrets in its texts.
    ///
    /// A plan stays as it was approved: its digest is of every byte. What is carried along was
    /// written without them before.
    pub(super) fn body(&mut self, body: Body) -> Body {
        if let Body::Event(event) = &body
            && matches!(**event, Event::PlanMade { .. } | Event::Carried { .. })
        {
            return body;
        }
        let Ok(bytes) = serde_json::to_vec(&body) else { return body };
        // Words of tools may be cut; all else is whole.
        let cut = matches!(&body, Body::Event(event)
            if matches!(**event, Event::HookRan { .. } | Event::StepEnded { .. } | Event::GuideEnded { .. }));
        if !cut && self.redactor.is_clean(&bytes) {
            return body;
        }
        let Ok(mut value) = serde_json::from_slice(&bytes) else { return body };
        if !self.leaves(&mut value) {
            return body;
        }
        match serde_json::from_value::<Body>(value) {
            Ok(clean @ (Body::Command(..) | Body::Event(_))) => clean,
            // What cannot be read back is not what was meant; this cannot be, and is told.
            Ok(Body::Newer { .. }) | Err(_) => {
                tracing::error!("could not take secrets out of an entry: it is written as it is");
                body
            }
        }
    }

    fn leaves(&mut self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => match self.text(text) {
                Some(clean) => {
                    *text = clean;
                    true
                }
                None => false,
            },
            Value::Array(list) => {
                list.iter_mut().filter_map(|one| self.leaves(one).then_some(())).count() > 0
            }
            Value::Object(map) => {
                map.values_mut().filter_map(|one| self.leaves(one).then_some(())).count() > 0
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entry::Command;
    use crate::model::sample::level_one;

    fn scrub() -> Scrub {
        Scrub::new(Arc::new(Redactor::new(["hunter2hunter2"])))
    }

    #[test]
    fn what_people_type_is_written_without_secrets() {
        let text = "tried password=opensesame and hunter2hunter2".into();
        let body = scrub().body(Body::Command("c".into(), Command::Note { text }));
        let text = "tried password=‹redacted:password#j1› and ‹redacted:known#j2›".into();
        assert_eq!(body, Body::Command("c".into(), Command::Note { text }));
    }

    #[test]
    fn half_a_secret_at_the_end_of_what_was_cut_is_taken_out_too() {
        for text in ["it says hunter2hun…", "it says hunter2hun", "it says hunter2h ..."] {
            assert_eq!(scrub().text(text).unwrap(), "it says ‹redacted:known›");
        }
        assert_eq!(scrub().text("it says hunter"), None);
    }

    #[test]
    fn a_plan_stays_as_it_was_approved() {
        let mut plan = level_one();
        plan.core.environment = "hunter2hunter2".into();
        let by = "alice".into();
        let event = Event::PlanMade { plan: Box::new(plan), by, preflight: Vec::new() };
        let body = Body::Event(Box::new(event));
        assert_eq!(scrub().body(body.clone()), body);
    }
}
