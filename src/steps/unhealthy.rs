//! Why a version that was gone to did not become healthy: the words of S-70 and S-72, and what a look
//! from outside says of the reasons that are likely.

use std::time::Duration;

use crate::adapters::{Error, Kind};
use crate::model::ids::Color;

use super::StepCx;

/// How long each look for the reason may take.
const LOOK: Duration = Duration::from_secs(10);

/// The last error of a wait for `color` that is over, `looked` how long and how often, with who has
/// the port, whether the database is ready, and whether the configuration can be read. No answer in
/// time is told from a refusal (S-72).
pub(super) async fn explained(cx: &StepCx, color: &Color, looked: &str, error: Error) -> Error {
    let mut why = Vec::new();
    if error.kind == Kind::TimedOut {
        why.push("[ERROR] Health check timeout".to_owned());
    }
    why.push(error.message);
    let clock = &cx.look.clock;
    let asked = clock.timeout(LOOK, cx.look.workload.diagnose(color)).await;
    why.extend(asked.unwrap_or_default().iter().map(ToString::to_string));
    if let Some(database) = &cx.look.database {
        why.push(match clock.timeout(LOOK, database.identity()).await {
            Ok(Ok(_)) => format!("the database {} answers", database.name()),
            Ok(Err(error)) => error.message,
            Err(_) => Error::timed_out(format!("ask {}", database.name()), LOOK).message,
        });
    }
    let why = why.join("; ");
    let message = format!("[ERROR] Services did not become healthy in time: {looked}; {why}");
    Error::new(error.kind, message)
}
