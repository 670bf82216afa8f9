//! `backout brief`, `note`, `lead`: what one person tells the next.

use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::failure::{Exit, Failure};
use crate::journal::{Reader, Samples};
use crate::model::entry::Command;
use crate::model::situation::{Lead, Situation};
use crate::report;
use crate::text::SafeText;

use super::session::{self, Need, Session, journal};
use super::{World, say};

/// Twelve lines from the journal for whoever comes in the middle of it; starts nothing.
pub(crate) async fn brief(world: &World, out: &mut dyn Write) -> Result<Exit, Failure> {
    let place = session::place_to_attach(world)?;
    let state = &place.config.state_dir;
    let mut reader = Reader::open(&place.journal).await.map_err(|error| {
        Failure::new(Exit::Unknown, error.to_string()).hint("look once: backout check")
    })?;
    let situation = reader.situation().await.map_err(journal)?;
    let (mut live, mut readings) = (None, std::collections::BTreeMap::new());
    // Without the samples the lines have no numbers, but they are there.
    if let Ok(mut samples) = Samples::read(state).await {
        live = samples.live().await.unwrap_or_default();
        readings = samples.latest().await.unwrap_or_default();
    }
    let lines = report::brief::brief(&situation, live.as_ref(), &readings, world.clock.now());
    if world.json {
        session::json(out, &serde_json::json!({ "brief": lines }));
    } else {
        say(out, &format!("{}\n", lines.join("\n")));
    }
    Ok(Exit::Ok)
}

#[derive(Args, Debug)]
pub(crate) struct NoteArguments {
    /// The note
    #[arg(required = true)]
    text: Vec<String>,
}

/// Writes a note into the timeline.
pub(crate) async fn note(
    world: &World,
    arguments: &NoteArguments,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let text = arguments.text.join(" ");
    let mut session = Session::open(world, Need::Watching).await?;
    session.send(Command::Note { text: SafeText::new(text.trim()) }).await?;
    session.close().await;
    say(out, "noted\n");
    Ok(Exit::Ok)
}

#[derive(Subcommand, Debug)]
pub(crate) enum LeadCommand {
    /// Say who leads and who asks to
    Show,
    /// Take the lead from a lead whose line has been gone for 30 s, or ask a living one
    Take {
        /// Why; everyone reads it
        #[arg(long)]
        reason: String,
    },
    /// Give the lead to the one who asked last
    Hand {
        /// What they should know
        #[arg(long)]
        note: String,
    },
}

/// Who may start things.
pub(crate) async fn lead(
    world: &World,
    command: Option<&LeadCommand>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    match command {
        None | Some(LeadCommand::Show) => show(world, out).await,
        Some(LeadCommand::Take { reason }) => take(world, reason, out).await,
        Some(LeadCommand::Hand { note }) => hand(world, note, out).await,
    }
}

async fn show(world: &World, out: &mut dyn Write) -> Result<Exit, Failure> {
    let place = session::place_to_attach(world)?;
    let mut reader = Reader::open(&place.journal).await.map_err(journal)?;
    let situation = reader.situation().await.map_err(journal)?;
    if world.json {
        let document = serde_json::json!({
            "lead": situation.lead, "asked": situation.lead_asked,
        });
        session::json(out, &document);
        return Ok(Exit::Ok);
    }
    let mut text = situation.lead.as_ref().map_or_else(|| "nobody leads\n".to_owned(), who);
    for ask in &situation.lead_asked {
        let at = ask.at.format("%H:%M:%SZ");
        text.extend([format!("{} asks for the lead since {at}: {}\n", ask.who.name, ask.reason)]);
    }
    say(out, &text);
    Ok(Exit::Ok)
}

/// `alice (uid 1000) leads in term 3`, and since when their line is gone.
fn who(lead: &Lead) -> String {
    let gone = lead.lost_at.map_or_else(String::new, |at| {
        format!("; their line is gone since {}", at.format("%H:%M:%SZ"))
    });
    format!("{} (uid {}) leads in term {}{gone}\n", lead.who.name, lead.who.uid, lead.term)
}

async fn take(world: &World, reason: &str, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut session = Session::open(world, Need::Running).await?;
    let before = term(&session.situation);
    session.send(Command::TakeLead { reason: SafeText::new(reason) }).await?;
    session
        .wait_for(Duration::from_secs(2), |session| {
            term(&session.situation) != before || !session.situation.lead_asked.is_empty()
        })
        .await?;
    let taken = term(&session.situation) != before;
    if taken {
        say(out, &session.situation.lead.as_ref().map(who).unwrap_or_default());
        say(out, "you lead: open the console within 30 s to keep it, backout attach\n");
        session.close().await;
        return Ok(Exit::Ok);
    }
    let name = session.situation.lead.as_ref().map(|lead| lead.who.name.clone());
    let name = name.unwrap_or_default();
    say(out, &format!("{name} is attached and was asked; waiting for them, Ctrl-C leaves\n"));
    // Who is asked needs time to read; who asks must stay attached to be given it.
    let given = session.wait_for(ANSWERED, |session| term(&session.situation) != before).await?;
    let text = session.situation.lead.as_ref().map(who).unwrap_or_default();
    session.close().await;
    if given {
        say(out, &text);
        return Ok(Exit::Ok);
    }
    Err(Failure::new(
        Exit::Held,
        format!("{name} did not answer in {} min", ANSWERED.as_secs() / 60),
    )
    .hint("stopping is open to everyone: backout abort"))
}

/// How long a living lead may take to answer.
const ANSWERED: Duration = Duration::from_mins(5);

async fn hand(world: &World, note: &str, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut session = Session::open(world, Need::Running).await?;
    let Some(ask) = session.situation.lead_asked.last().cloned() else {
        return Err(Failure::new(Exit::Blocked, "nobody asks for the lead")
            .hint("they ask with T in their console, or: backout lead take --reason WHY"));
    };
    let (uid, name) = (ask.who.uid, ask.who.name.clone());
    session.send(Command::HandLead { uid, name: name.clone(), note: SafeText::new(note) }).await?;
    session.close().await;
    say(out, &format!("{name} leads now\n"));
    Ok(Exit::Ok)
}

fn term(situation: &Situation) -> u64 {
    situation.lead.as_ref().map_or(0, |lead| lead.term)
}
