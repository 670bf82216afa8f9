//! `backout rollback --dry-run`: the whole plan with its commands, made by looking alone. No engine
//! is started and nothing is written, not even a line of the journal (P-39).

use std::io::Write;

use crate::failure::{Exit, Failure};
use crate::model::situation::Situation;

use super::plan::{self, PlanArguments};
use super::{World, say, session};

/// What a rollback is said to be about, beside its level and its target (P-39).
pub(super) struct About<'a> {
    pub(super) deployment: Option<&'a str>,
    pub(super) services: &'a [String],
    pub(super) reason: Option<&'a str>,
}

/// What stands against what was said; empty when all of it fits.
pub(super) fn doubts(about: &About<'_>, known: Option<&Situation>) -> Vec<String> {
    let mut doubts = Vec::new();
    let changes = known.map(|known| known.changes.as_slice()).unwrap_or_default();
    if let Some(named) = about.deployment {
        let is = |text: &crate::text::SafeText| text.as_str() == named;
        match changes.iter().position(|change| is(&change.reference) || is(&change.version)) {
            Some(0) => {}
            Some(_) => doubts.push(format!("deploy {named} is not the last one")),
            None => doubts.push(format!("no deploy {named} is on record")),
        }
    }
    let services: Vec<&str> = known
        .map(|known| known.judging.declared.values().map(|one| one.service.as_str()).collect())
        .unwrap_or_default();
    for named in about.services {
        if !services.contains(&named.as_str()) {
            doubts.push(format!("no check looks at a service {named}"));
        }
    }
    doubts
}

/// Prints the plan; what was said of it and does not fit is told, and keeps nothing from being read.
pub(super) async fn run(
    world: &World,
    about: &About<'_>,
    (level, target): (&str, Option<&str>),
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let exit = plan::run(world, &PlanArguments::whole(level, target), out).await?;
    if world.json {
        return Ok(exit);
    }
    let known = match session::place(world) {
        Ok(place) => plan::past(&place.journal).await,
        Err(_) => None,
    };
    let mut text = String::from("\nDry run: nothing was changed, nothing was written.\n");
    if !about.services.is_empty() {
        let named = about.services.join(", ");
        text.extend([format!("Services: {named}; a level moves the whole environment.\n")]);
    }
    text.extend(doubts(about, known.as_ref()).into_iter().map(|doubt| format!("Note: {doubt}.\n")));
    text.extend(
        about.reason.map(|reason| format!("Reason: {}\n", crate::text::SafeText::new(reason))),
    );
    say(out, &text);
    Ok(exit)
}
