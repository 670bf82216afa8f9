//! Playbooks: the data a plan is made from. Built in, as YAML beside the program's sources.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::adapters::Error;
use crate::model::ids::StepId;
use crate::model::plan::{OnFailure, StepSpec};
use crate::steps::StepKind;
use crate::text::SafeText;

const TWO_COLOR: &str = include_str!("../../assets/playbooks/two_color.yaml");

/// What the levels are on a platform, before the live facts are filled in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// Its name.
    pub name: String,
    /// The level it is for.
    pub level: u8,
    /// The level's form on this platform.
    pub form: String,
    steps: Vec<PlayStep>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlayStep {
    id: String,
    #[serde(rename = "do")]
    action: Value,
    #[serde(default)]
    needs: Vec<String>,
    budget: String,
    #[serde(default)]
    beside_watch: bool,
    #[serde(default)]
    go_on_after_failure: bool,
    #[serde(default)]
    undo: Option<Box<Self>>,
}

/// A playbook with the facts filled in.
#[derive(Clone, Debug)]
pub struct Filled {
    /// Forward steps and their titles.
    pub steps: Vec<(StepSpec, SafeText)>,
    /// Undo steps and their titles.
    pub undo: Vec<(StepSpec, SafeText)>,
}

impl Playbook {
    /// The built-in playbook for two versions side by side.
    pub fn two_color() -> Result<Self, Error> {
        Self::parse(TWO_COLOR)
    }

    /// Reads a playbook.
    pub fn parse(text: &str) -> Result<Self, Error> {
        serde_yaml::from_str(text)
            .map_err(|error| wrong(format!("could not read the playbook: {error}")))
    }

    /// Fills in `$names`; an unknown one, or a step that no kind knows, is an error.
    pub fn fill(&self, facts: &BTreeMap<&str, Value>) -> Result<Filled, Error> {
        let mut filled = Filled { steps: Vec::new(), undo: Vec::new() };
        for step in &self.steps {
            let undo = match &step.undo {
                Some(undo) => {
                    let (spec, title) = fill_step(undo, None, facts)?;
                    let id = spec.id.clone();
                    filled.undo.push((spec, title));
                    Some(id)
                }
                None => None,
            };
            filled.steps.push(fill_step(step, undo, facts)?);
        }
        let known = |need: &StepId| filled.steps.iter().any(|(spec, _)| &spec.id == need);
        match filled.steps.iter().flat_map(|(spec, _)| &spec.needs).find(|need| !known(need)) {
            Some(need) => Err(wrong(format!("playbook {}: no step {need} to need", self.name))),
            None => Ok(filled),
        }
    }
}

fn fill_step(
    step: &PlayStep,
    undo: Option<StepId>,
    facts: &BTreeMap<&str, Value>,
) -> Result<(StepSpec, SafeText), Error> {
    let action = fill_value(&step.action, facts)?;
    let kind = StepKind::from_action(&action)?;
    let title = kind.as_step().title();
    let spec = StepSpec {
        id: StepId(step.id.clone()),
        class: kind.as_step().class(),
        hazard: kind.as_step().hazard(),
        action,
        needs: step.needs.iter().cloned().map(StepId).collect(),
        budget: duration(&step.budget)?,
        on_failure: if step.go_on_after_failure { OnFailure::GoOn } else { OnFailure::Wait },
        expect_down: Vec::new(),
        undo,
        beside_watch: step.beside_watch,
    };
    Ok((spec, title))
}

fn fill_value(value: &Value, facts: &BTreeMap<&str, Value>) -> Result<Value, Error> {
    Ok(match value {
        Value::String(text) => fill_text(text, facts)?,
        Value::Array(list) => {
            Value::Array(list.iter().map(|item| fill_value(item, facts)).collect::<Result<_, _>>()?)
        }
        Value::Object(map) => {
            let filled =
                map.iter().map(|(key, value)| Ok((key.clone(), fill_value(value, facts)?)));
            Value::Object(filled.collect::<Result<_, Error>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    })
}

/// A text that is one name becomes the fact itself, number or text; names inside become text.
fn fill_text(text: &str, facts: &BTreeMap<&str, Value>) -> Result<Value, Error> {
    let unknown = |name: &str| wrong(format!("playbook: no fact ${name}"));
    if let Some(name) = text.strip_prefix('$')
        && name.chars().all(is_name)
    {
        return facts.get(name).cloned().ok_or_else(|| unknown(name));
    }
    let mut parts = text.split('$');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c| !is_name(c)).unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        match facts.get(name).ok_or_else(|| unknown(name))? {
            Value::String(fact) => filled.push_str(fact),
            fact => filled.push_str(&fact.to_string()),
        }
        filled.push_str(rest);
    }
    Ok(Value::String(filled))
}

fn is_name(c: char) -> bool {
    c.is_ascii_lowercase() || c == '_'
}

fn duration(text: &str) -> Result<Duration, Error> {
    let bad = || wrong(format!("playbook: {text} is no duration such as 30s or 2m"));
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let number: u64 = number.parse().map_err(|_| bad())?;
    match unit {
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_mins(number)),
        _ => Err(bad()),
    }
}

fn wrong(message: String) -> Error {
    Error::new(crate::adapters::Kind::Local, message)
}
