//! Stops the bleeding: maintenance page, writers off, workers and cron off (design 21). Seconds,
//! and reversible; what it needs to be lifted is the same settings.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, Kind, fault};
use crate::model::entry::Standing;
use crate::model::hold::HoldPart;
use crate::model::ids::Color;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::{LookCx, Step, StepCx, ended_now};

/// How long it may take until a look shows it.
const LIMIT: Duration = Duration::from_secs(20);
/// Time between two looks.
const EVERY: Duration = Duration::from_millis(50);

/// `part` is held until it is lifted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// What.
    pub part: HoldPart,
    /// How long a worker may take to end by itself before it is killed, in seconds.
    #[serde(default = "ten")]
    pub grace_seconds: u64,
    /// Whether a database that nobody reaches counts as one that nobody writes to: what it would
    /// lose is restored anyway, and waiting for it would hold up the restore.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unless_down: bool,
}

fn ten() -> u64 {
    10
}

/// Which workers of these colours run, of how many: by the platform's word.
pub(super) async fn workers(
    cx: &LookCx,
    colors: impl IntoIterator<Item = &Color>,
) -> Result<Vec<(Color, bool)>, Error> {
    let mut found = Vec::new();
    for color in colors {
        for worker in cx.workload.workers(color).await? {
            found.push((color.clone(), worker.running));
        }
    }
    Ok(found)
}

/// Done when none of `found` differs from `running`, not done when all do.
pub(super) fn all_are(found: &[(Color, bool)], running: bool) -> Standing {
    let wrong: Vec<&Color> =
        found.iter().filter(|(_, runs)| *runs != running).map(|(color, _)| color).collect();
    match wrong.len() {
        0 => Standing::Done,
        all if all == found.len() => Standing::NotDone,
        some => Standing::Partly(SafeText::new(&format!(
            "{some} of {} workers {}: {}",
            found.len(),
            if running { "do not run" } else { "still run" },
            wrong.iter().map(|color| color.as_str()).collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// Where the proxy says it stands: `held`, or the opposite.
pub(super) async fn at_proxy(cx: &LookCx, part: HoldPart, held: bool) -> Standing {
    match cx.traffic.look().await {
        Ok(state) => match state.held {
            None => Standing::CannotTell(SafeText::new(CANNOT)),
            Some(parts) if parts.contains(&part) == held => Standing::Done,
            Some(_) => Standing::NotDone,
        },
        Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
    }
}

const CANNOT: &str = "this proxy does not say what it holds";

/// Looks until `standing` is done, for a moment: a target needs time to follow.
pub(super) async fn until_done<F: Future<Output = Standing>>(
    cx: &StepCx,
    standing: impl Fn() -> F,
) -> Result<(), Error> {
    let mut last = Standing::CannotTell("no look has answered".into());
    let looks = async {
        loop {
            last = standing().await;
            if last == Standing::Done {
                return Ok(());
            }
            cx.wait(EVERY).await?;
        }
    };
    if let Ok(done) = cx.look.clock.timeout(LIMIT, looks).await {
        return done;
    }
    let what = match last {
        Standing::Partly(what) | Standing::CannotTell(what) => what,
        Standing::Done | Standing::NotDone => "it is as before".into(),
    };
    let limit = LIMIT.as_secs();
    let message = format!("could not see the change within {limit} s: {what}");
    Err(Error::new(Kind::TimedOut, message))
}

/// Tells the proxy; an order without an answer may have been carried out, only a look can tell.
pub(super) async fn order(cx: &StepCx, part: HoldPart, held: bool) -> Result<(), Error> {
    match cx.look.traffic.hold(part, held, &cx.look.effect).await {
        Err(error) if !matches!(error.kind, Kind::TimedOut | Kind::Reset) => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

impl Hold {
    /// What the database says of its writers, where it is one that can turn them away: traffic does
    /// not say that it did not answer.
    async fn database_says(&self, cx: &LookCx) -> Standing {
        let database = cx.database.as_ref().filter(|database| database.can_hold_writers());
        let Some(database) = database.filter(|_| self.part == HoldPart::Writers) else {
            return Standing::NotDone;
        };
        match database.writers_held().await {
            Ok(true) => Standing::Done,
            Ok(false) => Standing::NotDone,
            Err(error) if self.unless_down && error.kind == Kind::Refused => Standing::Done,
            Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
        }
    }

    /// Why nobody can write, where that is so without a hold: the database answers nobody. One that
    /// is slow is no such.
    async fn nobody_writes(&self, cx: &LookCx) -> Option<Error> {
        let database = cx.database.as_ref()?;
        if !self.unless_down || self.part != HoldPart::Writers || !database.can_hold_writers() {
            return None;
        }
        let error = database.writers_held().await.err()?;
        (error.kind == Kind::Refused).then_some(error)
    }
}

#[async_trait]
impl Step for Hold {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("hold {}", self.part.words()))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        match self.part {
            HoldPart::Page | HoldPart::Writers => {
                vec![SafeText::new(&cx.traffic.hold_by_hand(self.part, true))]
            }
            HoldPart::Consumers => cx
                .addresses
                .keys()
                .flat_map(|color| cx.workload.workers_by_hand(color, false))
                .map(|line| SafeText::new(&line))
                .collect(),
        }
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        match self.standing(cx).await {
            Standing::Done if self.nobody_writes(cx).await.is_some() => {
                "nobody writes: the database answers nobody".into()
            }
            Standing::Done => "held already".into(),
            Standing::NotDone => SafeText::new(&format!("free -> held: {}", self.part.cost())),
            Standing::Partly(what) | Standing::CannotTell(what) => what,
        }
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        match self.part {
            HoldPart::Page | HoldPart::Writers => match at_proxy(cx, self.part, true).await {
                Standing::NotDone => self.database_says(cx).await,
                found @ (Standing::Done | Standing::Partly(_) | Standing::CannotTell(_)) => found,
            },
            HoldPart::Consumers => match workers(cx, cx.addresses.keys()).await {
                Ok(found) => all_are(&found, false),
                Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
            },
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        fault::at_step("B4", cx.step.as_str());
        let mut notes = BTreeSet::new();
        match self.part {
            HoldPart::Page | HoldPart::Writers => {
                let ordered = order(cx, self.part, true).await;
                let down = if ordered.is_err() { self.nobody_writes(&cx.look).await } else { None };
                if let Some(down) = down {
                    let text = format!(
                        "the database answers nobody, so nobody writes to it: {down}. Were it \
                         started meanwhile, its writers would not be held"
                    );
                    return Ok(SafeText::new(&text));
                }
                ordered?;
            }
            HoldPart::Consumers => {
                let grace = Duration::from_secs(self.grace_seconds);
                for color in cx.look.addresses.keys() {
                    let note = cx.look.workload.stop_workers(color, grace, &cx.look.effect).await?;
                    notes.insert(format!("{color}: {note}"));
                }
            }
        }
        fault::at_step("B6", cx.step.as_str());
        until_done(cx, || self.standing(&cx.look)).await?;
        fault::at_step("B7", cx.step.as_str());
        Ok(SafeText::new(&notes.into_iter().collect::<Vec<_>>().join("; ")))
    }
}
