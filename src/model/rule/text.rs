//! Prometheus' placeholders in what an alert says (M-22): the value and the labels of the first
//! series that the query gave.

use crate::model::reading::Reading;
use crate::text::SafeText;

/// `text` with `{{ $value }}` and `{{ $labels.x }}` filled in; what is not known is `?`.
pub fn filled(text: &str, reading: Option<&Reading>) -> String {
    let facts = reading.map(|reading| reading.facts.as_slice()).unwrap_or_default();
    let series = facts.iter().map(SafeText::as_str).find(|fact| fact.starts_with('{'));
    let (labels, value) = series.and_then(|series| series.rsplit_once("} ")).unwrap_or(("", "?"));
    let mut rest = text;
    let mut filled = String::new();
    while let Some((before, behind)) = rest.split_once("{{") {
        filled.push_str(before);
        let Some((inside, behind)) = behind.split_once("}}") else {
            filled.push_str("{{");
            rest = behind;
            continue;
        };
        match inside.trim() {
            "$value" => filled.push_str(value),
            other => match other.strip_prefix("$labels.") {
                Some(name) => filled.push_str(label(labels, name.trim()).unwrap_or("?")),
                None => filled.push('?'),
            },
        }
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    let begin = format!("{name}=\"");
    let places = labels.match_indices(&begin);
    let mut values = places.filter_map(|(at, _)| {
        let before = labels.get(..at)?.chars().next_back();
        let value = labels.get(at + begin.len()..)?;
        matches!(before, Some('{' | ',')).then_some(value)
    });
    let (value, _) = values.next()?.split_once('"')?;
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::{good, reading};

    #[test]
    fn value_and_labels_of_the_first_series_are_filled_in() {
        let mut seen = reading("ServiceDown", 0, good());
        seen.facts = vec!["query: up == 0".into(), r#"{instance="a:1",job="api"} 0"#.into()];
        let text =
            "Service {{ $labels.instance }} is down ({{$value}}, {{ $labels.x }}, {{ humanize }})";
        assert_eq!(filled(text, Some(&seen)), "Service a:1 is down (0, ?, ?)");
        assert_eq!(filled("value {{ $value }} {{", None), "value ? {{");
    }
}
