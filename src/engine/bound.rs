//! What a plan is bound to, and whether it still is that (G19): looked at again right before each
//! step that changes anything, because an engine may have come back with another configuration, a
//! folder may be another one by now, and a target may have been started anew by somebody else.

use std::collections::BTreeMap;

use crate::adapters::{Error, Kind};
use crate::config::{Config, Traffic};
use crate::model::ids::Color;
use crate::model::plan::{PlanCore, StepSpec};

use super::stack::Stack;

/// Steps after which the target is another process by the plan's own doing.
const RENEWS: [&str; 2] = ["deploy_workload", "start_workload"];

/// What the configuration alone says of the target; part of the plan's identities.
pub fn configured(config: &Config) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    if let Some(Traffic::Proxy { control_url, .. }) = &config.traffic {
        found.insert("traffic control".to_owned(), control_url.clone());
    }
    if let Some(Traffic::Service(service)) = &config.traffic {
        let moves = format!("service {} by {}", service.name, service.selector_key);
        found.insert("traffic control".to_owned(), moves);
    }
    if let Some(fence) = &config.fence {
        // A link in the way is part of what it is.
        let real = fence.parent().and_then(|folder| folder.canonicalize().ok());
        let name = fence.file_name().unwrap_or_default();
        let real = real.map_or_else(|| fence.clone(), |folder| folder.join(name));
        found.insert("fence".to_owned(), real.display().to_string());
    }
    for (color, at) in &config.colors {
        found.insert(format!("address of {color}"), at.url.clone());
    }
    found
}

/// What a step's plan is bound to, and where to look whether it still is.
pub struct Bound {
    plan: BTreeMap<String, String>,
    /// The colour that traffic goes to, where that must still be the process that was planned for.
    target: Option<Color>,
    now: BTreeMap<String, String>,
    stack: Stack,
}

impl Bound {
    /// What `step` of the plan is bound to.
    pub fn of(core: &PlanCore, step: &StepSpec, config: &Config, stack: &Stack) -> Self {
        let does = |spec: &StepSpec, kinds: &[&str]| {
            let action = spec.action.as_object();
            action
                .and_then(|all| all.keys().next())
                .is_some_and(|kind| kinds.contains(&kind.as_str()))
        };
        let renewed = core.steps.iter().any(|spec| does(spec, &RENEWS));
        // Only what is gone to is named in the plan: an undo step goes elsewhere.
        let forward = core.steps.iter().any(|spec| spec.id == step.id);
        let to = step.action.pointer("/switch_traffic/to").and_then(serde_json::Value::as_str);
        let target = to.filter(|_| forward && !renewed).map(Color::from);
        let mut now = configured(config);
        now.insert("traffic".to_owned(), stack.public_url.clone());
        Self { plan: core.identities.clone(), target, now, stack: stack.clone() }
    }

    /// An error that names the first identity that is not the planned one. A plan of a program
    /// that did not know an identity is not held to it.
    pub async fn still(&self) -> Result<(), Error> {
        for (name, now) in &self.now {
            self.same(name, now)?;
        }
        if self.plan.contains_key("platform") {
            let now = self.stack.workload.identity().await?;
            // What lies in it may change by our own steps; where it is may not.
            let place = |identity: &str| {
                identity.rsplit_once('@').map_or(identity, |(place, _)| place).to_owned()
            };
            let planned = self.plan.get("platform").map(|planned| place(planned));
            differ("platform", planned.as_deref(), &place(&now))?;
        }
        if let Some(color) = self.target.as_ref().filter(|to| self.plan.contains_key(to.as_str())) {
            let now = self.stack.workload.look(color).await?.identity;
            self.same(color.as_str(), &now)?;
        }
        Ok(())
    }

    fn same(&self, name: &str, now: &str) -> Result<(), Error> {
        differ(name, self.plan.get(name).map(String::as_str), now)
    }
}

fn differ(name: &str, planned: Option<&str>, now: &str) -> Result<(), Error> {
    match planned {
        Some(planned) if planned != now => Err(Error::new(
            Kind::Rejected,
            format!(
                "the plan was made for another target: {name} was {planned}, it is {now}; nothing \
                 was changed by this step; stop (STOP) and make a new plan, or put it back and \
                 try again"
            ),
        )),
        Some(_) | None => Ok(()),
    }
}
