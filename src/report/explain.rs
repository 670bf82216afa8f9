//! `check --explain`: each check with what its last look rests on.

use std::collections::BTreeMap;

use crate::model::ids::{CheckId, Time};
use crate::model::reading::{Finding, Reading};
use crate::model::situation::Situation;

use super::documents;

/// Each check with its value, its phases, and its facts: the query as it was sent, earlier
/// attempts, addresses. Worst first, as in the table.
pub fn checks(situation: &Situation, readings: &BTreeMap<CheckId, Reading>, now: Time) -> String {
    let mut lines = Vec::new();
    for one in documents::lines(situation, readings, None, now) {
        lines.push(format!("{}: {}", one.check, one.note));
        let Some(reading) = readings.get(&one.check).filter(|_| !one.off) else { continue };
        let why = match &reading.finding {
            Finding::Warn { why } | Finding::Bad { why } => Some(why.text.as_str()),
            Finding::Unknown { reason } => Some(reason.words()),
            Finding::Good => None,
        };
        lines.extend(why.map(|why| format!("  why: {why}")));
        if let Some(value) = reading.value {
            lines.push(format!("  value: {value} {}", reading.unit).trim_end().to_owned());
        }
        let phases = reading.phases;
        let named = [
            ("resolve", phases.resolve),
            ("connect", phases.connect),
            ("tls", phases.tls),
            ("first byte", phases.first_byte),
        ];
        for (name, took) in named {
            let ms = |took: std::time::Duration| took.as_secs_f64() * 1000.0;
            lines.extend(took.map(|took| format!("  {name}: {:.1} ms", ms(took))));
        }
        lines.extend(reading.facts.iter().map(|fact| format!("  {fact}")));
    }
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::reading::{Reason, Status};
    use crate::model::sample;
    use crate::model::situation::CheckCard;
    use crate::report::documents::{Health, check};
    use crate::report::text;

    fn card(status: Status, reason: Option<Reason>) -> CheckCard {
        let critical = reason.is_none();
        CheckCard { status, reason, since: sample::at(0), note: "note".into(), critical }
    }

    #[test]
    fn a_check_that_is_off_is_shown_as_off_and_counts_for_nothing() {
        let mut situation = Situation::default();
        situation.checks.insert("api".into(), card(Status::Ok, None));
        let off = card(Status::Unknown, Some(Reason::Skipped));
        situation.checks.insert("old".into(), off);
        assert_eq!(Health::of(&situation), Health::Healthy);
        let (readings, now) = (BTreeMap::new(), sample::at(9));
        let table = text::checks(&situation, &readings, None, now);
        assert!(table.contains("- off  old"), "{table}");
        let document = check(&situation, &readings, &BTreeMap::new(), None, ("current", now));
        assert!(document.system_healthy && document.warnings.is_empty());
        assert!(document.checks.iter().any(|line| line.off && line.check.as_str() == "old"));
        // With nothing else to look at, nothing is known.
        situation.checks.remove(&CheckId::from("api"));
        assert_eq!(Health::of(&situation), Health::Unknown);
    }

    #[test]
    fn what_a_look_rests_on_is_said() {
        let mut situation = Situation::default();
        situation.checks.insert("rate".into(), card(Status::Fail, None));
        let reading = Reading {
            value: Some(12.5),
            unit: "percent".into(),
            facts: vec!["query: up".into()],
            ..sample::reading("rate", 1, sample::good())
        };
        let readings = BTreeMap::from([(CheckId::from("rate"), reading)]);
        let text = checks(&situation, &readings, sample::at(9));
        assert_eq!(text, "rate: note\n  value: 12.5 percent\n  query: up\n");
        let document =
            check(&situation, &readings, &BTreeMap::new(), None, ("current", sample::at(9)));
        let line = &document.checks[0];
        assert_eq!((line.unit.as_str(), line.facts[0].as_str()), ("percent", "query: up"));
    }
}
