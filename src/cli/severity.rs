//! `backout severity`: a person's word on how bad it is.

use std::io::Write;

use clap::{Args, ValueEnum};

use crate::failure::{Exit, Failure};
use crate::model::entry::Command;
use crate::model::severity::Severity;

use super::session::{Need, Session};
use super::{World, say};

#[derive(Args, Debug)]
pub(crate) struct Say {
    /// The class, or `measured` to take a word back
    #[arg(value_enum)]
    class: Class,
    /// Why: it stands in the timeline
    #[arg(long)]
    reason: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Class {
    None,
    Low,
    Medium,
    High,
    Critical,
    Measured,
}

impl Class {
    fn severity(self) -> Option<Severity> {
        match self {
            Self::None => Some(Severity::None),
            Self::Low => Some(Severity::Low),
            Self::Medium => Some(Severity::Medium),
            Self::High => Some(Severity::High),
            Self::Critical => Some(Severity::Critical),
            Self::Measured => None,
        }
    }
}

/// Sends the word to the running engine and says what counts now.
pub(crate) async fn run(world: &World, said: &Say, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut session = Session::open(world, Need::Running).await?;
    let assessment = session.situation.assessment.as_ref().map_or(0, |known| known.number);
    let command = Command::Overrule {
        class: said.class.severity(),
        assessment,
        reason: said.reason.as_str().into(),
    };
    session.send(command).await?;
    let limit = std::time::Duration::from_secs(5);
    session
        .wait_for(limit, |session| {
            session.situation.assessment.as_ref().is_some_and(|known| known.number > assessment)
        })
        .await?;
    let known = session.situation.assessment.as_ref();
    let class = known.map_or("not known", |known| known.severity.label());
    let why = known.and_then(|known| known.because.first()).map(ToString::to_string);
    say(out, &format!("severity {class}  {}\n", why.unwrap_or_default()));
    session.close().await;
    Ok(Exit::Ok)
}
