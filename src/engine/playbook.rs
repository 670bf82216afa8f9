//! Playbooks: the data a plan is made from. Built in, as YAML beside the program's sources.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::adapters::Error;
use crate::model::ids::{CheckId, StepId};
use crate::model::plan::{OnFailure, StepSpec};
use crate::steps::StepKind;
use crate::text::SafeText;

const TWO_COLOR: &str = include_str!("../../assets/playbooks/two_color.yaml");
const FULL: &str = include_str!("../../assets/playbooks/full.yaml");
const POINT_IN_TIME: &str = include_str!("../../assets/playbooks/point_in_time.yaml");
const REDEPLOY: &str = include_str!("../../assets/playbooks/redeploy.yaml");
const KUBERNETES: &str = include_str!("../../assets/playbooks/kubernetes.yaml");
const CANARY: &str = include_str!("../../assets/playbooks/canary.yaml");
const FRONTEND: &str = include_str!("../../assets/playbooks/frontend.yaml");
const IN_PLACE: &str = include_str!("../../assets/playbooks/redeploy_in_place.yaml");

/// The fact under which nothing is filled in: a `$` of a person's own script is the script's.
pub(super) const VERBATIM: &str = "$";

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
    /// The built-in playbook whose steps follow when these are through.
    #[serde(default)]
    then: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of a playbook")]
struct PlayStep {
    id: String,
    #[serde(rename = "do")]
    action: Value,
    #[serde(default)]
    needs: Vec<String>,
    budget: String,
    /// Only where this fact is known and says something.
    #[serde(default)]
    when: Option<String>,
    /// Once for each item of this list, whose fields are facts of that step.
    #[serde(default)]
    each: Option<String>,
    #[serde(default)]
    only_swap: bool,
    #[serde(default)]
    only_beside: bool,
    #[serde(default)]
    beside_watch: bool,
    #[serde(default)]
    go_on_after_failure: bool,
    /// Checks that it takes down on purpose while it runs.
    #[serde(default)]
    expect_down: Vec<CheckId>,
    /// Statuses that are right at these checks while what it did is in force (W-65).
    #[serde(default)]
    expected_status: BTreeMap<CheckId, Value>,
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

    /// The built-in playbook for a version that is started again on the colour without traffic.
    pub fn redeploy() -> Result<Self, Error> {
        Self::parse(REDEPLOY)
    }

    /// The built-in playbook for a version that replaces the one that serves.
    pub fn redeploy_in_place() -> Result<Self, Error> {
        Self::parse(IN_PLACE)
    }

    /// The built-in playbook for one workload of a cluster, whose rollout is undone.
    pub fn kubernetes() -> Result<Self, Error> {
        Self::parse(KUBERNETES)
    }

    /// The built-in playbook for a canary that gets no more of the traffic.
    pub fn canary() -> Result<Self, Error> {
        Self::parse(CANARY)
    }

    /// The built-in playbook for a frontend in object storage.
    pub fn frontend() -> Result<Self, Error> {
        Self::parse(FRONTEND)
    }

    /// The built-in playbook of level 2.
    pub fn full() -> Result<Self, Error> {
        Self::parse(FULL)
    }

    /// The built-in playbook of level 3.
    pub fn point_in_time() -> Result<Self, Error> {
        Self::parse(POINT_IN_TIME)
    }

    /// A playbook that was read already.
    pub fn of(value: Value) -> Result<Self, Error> {
        Self::deserialize(value)
            .map_err(|error| wrong(format!("could not read the procedure: {error}")))
    }

    /// Reads a playbook, and the one that it says follows.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut read: Self = crate::yaml::one(text)
            .map_err(|why| wrong(format!("could not read the playbook: {why}")))?;
        let rest = match read.then.take().as_deref() {
            None => return Ok(read),
            Some("two_color") => Self::two_color()?,
            Some(other) => {
                return Err(wrong(format!("playbook {}: no playbook {other}", read.name)));
            }
        };
        let last = read.steps.last().map(|step| step.id.clone());
        for mut step in rest.steps {
            // What was done before is not done again; what needs it finds it by its name.
            if read.steps.iter().any(|known| known.id == step.id) {
                continue;
            }
            if step.needs.is_empty() {
                step.needs.extend(last.clone());
            }
            read.steps.push(step);
        }
        Ok(read)
    }

    /// Fills in `$names`; an unknown one, or a step that no kind knows, is an error. A step that is
    /// left out hands what needs it on to what it needs itself.
    pub fn fill(&self, facts: &BTreeMap<&str, Value>) -> Result<Filled, Error> {
        let mut filled = Filled { steps: Vec::new(), undo: Vec::new() };
        let mut stands_for: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for step in &self.steps {
            let mut needs = Vec::new();
            for need in &step.needs {
                let Some(ids) = stands_for.get(need.as_str()) else {
                    return Err(wrong(format!("playbook {}: no step {need} to need", self.name)));
                };
                needs.extend(
                    ids.iter().filter(|id| !needs.contains(*id)).cloned().collect::<Vec<_>>(),
                );
            }
            for item in items(step, facts) {
                let mut known = facts.clone();
                known.extend(
                    item.iter().flat_map(|item| item.iter().map(|(k, v)| (k.as_str(), v.clone()))),
                );
                let one = PlayStep { needs, ..step.clone() };
                needs = vec![filled.add(&one, &known)?];
            }
            stands_for.insert(&step.id, needs);
        }
        Ok(filled)
    }
}

/// How often a step is there, each time with the facts of its own item.
fn items<'a>(
    step: &PlayStep,
    facts: &'a BTreeMap<&str, Value>,
) -> Vec<Option<&'a serde_json::Map<String, Value>>> {
    let says = |name: &String| match facts.get(name.as_str()) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Bool(true) | Value::Number(_) | Value::String(_) | Value::Object(_)) => true,
    };
    if !step.when.as_ref().is_none_or(says) {
        return Vec::new();
    }
    match &step.each {
        None => vec![None],
        Some(name) => {
            let list = facts.get(name.as_str()).and_then(Value::as_array);
            list.into_iter().flatten().map(|item| item.as_object()).collect()
        }
    }
}

impl Filled {
    /// Adds a step and its undo, and returns the step's name.
    fn add(&mut self, step: &PlayStep, facts: &BTreeMap<&str, Value>) -> Result<String, Error> {
        let undo = match &step.undo {
            Some(undo) => {
                let (mut spec, title) = fill_step(undo, None, facts)?;
                let again = step.expected_status.keys().map(|check| (check.clone(), None));
                spec.expected_status.extend(again);
                let id = spec.id.clone();
                self.undo.push((spec, title));
                Some(id)
            }
            None => None,
        };
        let (spec, title) = fill_step(step, undo, facts)?;
        let id = spec.id.0.clone();
        self.steps.push((spec, title));
        Ok(id)
    }
}

fn fill_step(
    step: &PlayStep,
    undo: Option<StepId>,
    facts: &BTreeMap<&str, Value>,
) -> Result<(StepSpec, SafeText), Error> {
    let action = fill_value(&step.action, facts)?;
    let text = |text: &str| match fill_text(text, facts)? {
        Value::String(text) => Ok(text),
        other => Ok::<_, Error>(other.to_string()),
    };
    let kind = StepKind::from_action(&action)?;
    let title = kind.as_step().title();
    let spec = StepSpec {
        id: StepId(text(&step.id)?),
        class: kind.as_step().class(),
        hazard: kind.as_step().hazard(),
        action,
        needs: step.needs.iter().cloned().map(StepId).collect(),
        budget: duration(&text(&step.budget)?)?,
        on_failure: if step.go_on_after_failure { OnFailure::GoOn } else { OnFailure::Wait },
        expect_down: step.expect_down.clone(),
        expected_status: step
            .expected_status
            .iter()
            .map(|(check, status)| (check.clone(), Some(one_word(status))))
            .collect(),
        undo,
        beside_watch: step.beside_watch,
        asks: kind.as_step().asks(),
        only_swap: step.only_swap,
        only_beside: step.only_beside,
    };
    Ok((spec, title))
}

/// A step of no playbook: its title, class and hazard come from its kind.
pub(super) fn step(
    id: &str,
    action: Value,
    needs: Option<&StepId>,
    budget: Duration,
) -> Result<(StepSpec, SafeText), Error> {
    let play = PlayStep {
        id: id.to_owned(),
        action,
        needs: needs.iter().map(ToString::to_string).collect(),
        budget: format!("{}s", budget.as_secs()),
        when: None,
        each: None,
        only_swap: false,
        only_beside: false,
        beside_watch: false,
        go_on_after_failure: false,
        expect_down: Vec::new(),
        expected_status: BTreeMap::new(),
        undo: None,
    };
    fill_step(&play, None, &BTreeMap::from([(VERBATIM, Value::Null)]))
}

/// `503` or `"2xx"`, as people write it.
fn one_word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
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
    if facts.contains_key(VERBATIM) {
        return Ok(Value::String(text.to_owned()));
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Every fact that level 3 asks for, with a Redis or without.
    fn facts(redis: bool) -> BTreeMap<&'static str, Value> {
        let text =
            ["from", "to", "point", "version", "digest", "data_dir", "dump_file", "dump_sha"];
        let more = ["archive_file", "archive_sha", "redis_file", "redis_sha", "before_version"];
        let seconds = ["stop_grace_seconds", "health_seconds", "health_every_seconds", "strip"];
        let null = ["manifest", "until", "redis_keys", "data_files", "marker", "moved_marker"];
        let holds = ["dump", "archive", "page", "writers", "files"];
        let mut facts: BTreeMap<&'static str, Value> = BTreeMap::new();
        facts.extend(text.into_iter().chain(more).map(|name| (name, json!("x"))));
        facts.extend(seconds.map(|name| (name, json!(1))));
        facts.extend(null.map(|name| (name, Value::Null)));
        facts.extend(holds.map(|name| (name, json!(false))));
        facts.extend([
            ("before_digest", json!("")),
            ("health_budget", json!("30s")),
            ("later", json!(false)),
            ("smoke", json!([])),
            ("tables", json!([])),
            ("lost_from", json!("2026-11-22T02:50:50Z")),
            ("redis", json!(redis)),
            ("redis_at", json!("2026-11-22T02:50:50Z")),
        ]);
        facts
    }

    #[test]
    fn level_3_restores_redis_before_the_choice_and_swaps_it_after_only_where_there_is_one() {
        let ids = |redis: bool| -> Vec<String> {
            let filled = Playbook::point_in_time().unwrap().fill(&facts(redis)).unwrap();
            filled.steps.iter().map(|(spec, _)| spec.id.0.clone()).collect()
        };
        let (with, without) = (ids(true), ids(false));
        let at = |id: &str| with.iter().position(|one| one == id).unwrap();
        assert!(at("restore_cache") < at("choose") && at("choose") < at("swap_cache"));
        assert!(at("stop") < at("swap_cache") && at("swap_cache") < at("deploy"));
        let rest: Vec<_> = with.iter().filter(|id| !id.ends_with("_cache")).cloned().collect();
        assert_eq!(rest, without);
    }
}
