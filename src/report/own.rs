//! Documents by somebody's own templates: `{places}` instead of brackets. What the journal does not
//! know stays as `[place]`, and what is filled in is never read as a template again.

use super::chronicle::Chronicle;
use super::facts::{Facts, moment};
use super::fill::markdown;
use super::paper::{Kind, Paper};

impl Paper {
    /// The document of that kind, its text by the template `own` where there is one.
    pub fn by(own: Option<&str>, kind: Kind, chronicle: &Chronicle) -> Self {
        let built_in = Self::of(kind, chronicle);
        let Some(own) = own else { return built_in };
        let body = filled(own, Facts { chronicle }, built_in.markdown);
        Self { body, ..built_in }
    }
}

fn filled(template: &str, facts: Facts<'_>, as_markdown: bool) -> String {
    let (mut text, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once('{') {
        let Some((place, after)) = after.split_once('}') else { break };
        text.push_str(before);
        match value(place, facts, as_markdown) {
            Some(value) => text.push_str(&value),
            None => text.extend(["[", place, "]"]),
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

/// What is known of a place; a list is a line an item.
fn value(place: &str, facts: Facts<'_>, as_markdown: bool) -> Option<String> {
    let times = facts.chronicle.times();
    let safe = |text: String| if as_markdown { markdown(&text) } else { text };
    let list = |lines: Vec<String>| {
        let lines: Vec<String> =
            lines.into_iter().map(|line| format!("- {}", safe(line))).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    };
    let moments = || facts.chronicle.moments.iter();
    match place {
        "actions" => return list(facts.actions()),
        "timeline" => {
            return list(moments().map(|one| format!("{} {}", moment(one.at), one.text)).collect());
        }
        _ => {}
    }
    let text = match place {
        "completed" => times.completed.map(moment),
        "contact" => facts.contact(),
        "data_loss" => facts.data_loss(),
        "detected" => Some(moment(times.detected)),
        "downtime" => facts.downtime(),
        "due" => facts.due(),
        "duration" => facts.duration(),
        "environment" => facts.environment(),
        "incident" => Some(facts.name()),
        "initiated" => times.initiated.map(moment),
        "level" => facts.level(),
        "resolution" => facts.resolution(),
        "services" => facts.services(),
        "severity" => facts.severity(),
        "status" => facts.status(),
        "summary" => facts.summary(),
        "title" => facts.title(),
        "verified" => times.verified.map(moment),
        "version" => facts.version(),
        _ => None,
    };
    text.map(safe)
}
