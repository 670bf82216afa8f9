//! `backout plan` and `backout targets`: what would happen, and what can be gone back to.

use std::io::Write;
use std::time::Duration;

use clap::Args;

use crate::engine::planner::{self, Facts};
use crate::engine::stack::Stack;
use crate::engine::{answer, observe};
use crate::failure::{Exit, Failure};
use crate::model::ids::PointId;
use crate::model::plan::Level;
use crate::model::situation::OpenPlan;
use crate::report::{self, documents};

use super::session::{self, Need, Session};
use super::{World, say};

#[derive(Args, Debug)]
pub(crate) struct PlanArguments {
    /// 1 quick switch, 2 full rollback, 3 point-in-time recovery
    #[arg(long, default_value = "1")]
    pub(crate) level: String,
    /// A restore point or version; without one, the last good
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// Only say whether it could start; exit 0 or 10
    #[arg(long)]
    check: bool,
    /// Print the exact commands for doing it by hand
    #[arg(long)]
    commands: bool,
}

/// The level with that number, or a usage error.
pub(crate) fn level(text: &str) -> Result<Level, Failure> {
    let number = text.parse().ok();
    number.and_then(Level::from_number).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("there is no level {text}")).hint("say 1, 2 or 3")
    })
}

pub(crate) async fn run(
    world: &World,
    arguments: &PlanArguments,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let place = session::place(world)?;
    let level = level(&arguments.level)?;
    let stack = Stack::of(&place.config, &world.program, &world.clock);
    let history = past(&place.config.state_dir).await;
    let facts = Facts {
        level,
        target: arguments.target.as_deref().map(PointId::from),
        points: observe::points(&place.config, stack.as_ref(), &world.clock).await,
        journal: history.as_ref().map(|known| known.journal.clone()).unwrap_or_default(),
        history: history.map(|known| known.history).unwrap_or_default(),
    };
    let made = planner::plan(&place.config, stack.as_ref(), &facts, &world.clock).await;
    let (plan, preflight) = made.map_err(|no| {
        let failure =
            Failure::new(Exit::Blocked, format!("could not plan level {level}: {}", no.why));
        match no.offer {
            Some(offer) => {
                failure.hint(format!("consider level {offer}: backout plan --level {offer}"))
            }
            None => failure.hint("look at what can be gone back to: backout targets"),
        }
    })?;
    let open = OpenPlan { digest: plan.digest(), plan, by: "you".into(), preflight };
    if world.json {
        session::json(out, &documents::plan(&open));
    } else {
        say(out, &report::text::plan(&open, arguments.commands));
    }
    match answer::blocked(&open) {
        Err(no) if arguments.check => Err(Failure::new(Exit::Blocked, no.why).hint(no.hint)),
        Ok(()) | Err(_) => Ok(Exit::Ok),
    }
}

/// What the journal knows, when there is one.
async fn past(state: &std::path::Path) -> Option<crate::model::situation::Situation> {
    let mut reader = crate::journal::Reader::open(state).await.ok()?;
    reader.situation().await.ok()
}

pub(crate) async fn targets(world: &World, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut session = Session::open(world, Need::Look).await?;
    session
        .wait_for(Duration::from_secs(10), |session| !session.situation.points.is_empty())
        .await?;
    let points = &session.situation.points;
    if world.json {
        session::json(out, &documents::targets(points));
    } else {
        say(out, &report::text::targets(points));
    }
    session.close().await;
    Ok(Exit::Ok)
}
