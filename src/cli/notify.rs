//! `backout notify` and `ack`: who is told what, whether it arrives, and who looks after it.

use std::io::Write;

use clap::{Args, Subcommand};

use crate::config::{Config, Receiver};
use crate::engine::notify::letter;
use crate::failure::{Exit, Failure};
use crate::journal::Reader;
use crate::model::entry::Command;
use crate::model::notice::{Occasion, escalated};
use crate::model::situation::Situation;
use crate::report::notice::{sample, words};
use crate::text::SafeText;

use super::session::{self, Need, Session};
use super::{World, say};

#[derive(Subcommand, Debug)]
pub(crate) enum NotifyCommand {
    /// Who is told what, who is called when nobody answers, and what is announced now
    Show,
    /// Send a message that says that it is a test; exit 0 when every receiver took it
    Test(TestArguments),
}

#[derive(Args, Debug)]
pub(crate) struct TestArguments {
    /// Only this one
    receiver: Option<String>,
    /// Only show what would be sent, secrets left out
    #[arg(long)]
    render: bool,
    /// As if this had happened: incident, start, failure, end, waiting, alert, resolved
    #[arg(long, default_value = "start")]
    event: String,
}

#[derive(Args, Debug)]
pub(crate) struct AckArguments {
    /// What, such as INC-0142; everything that is announced, without it
    thread: Option<String>,
}

pub(crate) async fn run(
    world: &World,
    what: Option<&NotifyCommand>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    match what {
        None | Some(NotifyCommand::Show) => show(world, out).await,
        Some(NotifyCommand::Test(asked)) => test(world, asked, out).await,
    }
}

async fn show(world: &World, out: &mut dyn Write) -> Result<Exit, Failure> {
    let place = session::place_to_attach(world)?;
    let mut situation = Situation::default();
    // Before the first look there is no journal, and nothing is announced.
    if let Ok(mut reader) = Reader::open(&place.config.state_dir).await {
        situation = reader.situation().await.map_err(session::journal)?;
    }
    let known = &place.config.notifications;
    if world.json {
        let receivers = known.receivers.iter().map(|(name, one)| {
            serde_json::json!({
                "name": name, "way": one.messenger.shown(), "document": one.wants.name(),
            })
        });
        let ladder = known.policy.ladder.iter().map(|rung| {
            serde_json::json!({
                "after_seconds": rung.after.as_secs(), "to": rung.to, "who": rung.who,
                "when": rung.when,
            })
        });
        let document = serde_json::json!({
            "receivers": receivers.collect::<Vec<_>>(),
            "escalation": ladder.collect::<Vec<_>>(),
            "announced": situation.outbox.threads,
            "given_up": situation.outbox.given_up,
            "triggers": situation.triggers,
        });
        session::json(out, &document);
        return Ok(Exit::Ok);
    }
    say(out, &page(&place.config, &situation, world));
    Ok(Exit::Ok)
}

fn page(config: &Config, situation: &Situation, world: &World) -> String {
    let known = &config.notifications;
    let mut lines = Vec::new();
    if known.receivers.is_empty() {
        lines.push("nobody is told: add notifications: {receivers: …}".to_owned());
    }
    for (name, one) in &known.receivers {
        lines.push(format!("{name}: {} ({})", one.messenger.shown(), one.wants.name()));
    }
    for route in &known.policy.routes {
        let events: Vec<&str> = route.occasions.iter().map(|one| one.name()).collect();
        let events = if events.is_empty() { "everything".to_owned() } else { events.join(", ") };
        let class = route.severity.label();
        lines.push(format!("  {events} from {class} on -> {}", route.to.join(", ")));
    }
    for (at, rung) in (1..).zip(&known.policy.ladder) {
        let minutes = rung.after.as_secs() / 60;
        let to = if rung.to.is_empty() { "by hand".to_owned() } else { rung.to.join(", ") };
        lines.push(format!(
            "escalation {at}: after {minutes} min {} ({to}) {}",
            rung.who, rung.when
        ));
    }
    for (name, place) in &config.links {
        lines.push(format!("{name}: {place}"));
    }
    for reason in escalated(situation, world.clock.now()) {
        lines.push(format!("ESCALATE: {reason}"));
    }
    for (name, thread) in situation.outbox.open() {
        let told: Vec<&str> = thread.told.keys().map(String::as_str).collect();
        let told = if told.is_empty() { "nobody yet".to_owned() } else { told.join(", ") };
        let after = match &thread.acknowledged {
            Some((who, at)) => format!("{who} looks after it since {}", at.format("%H:%M:%SZ")),
            None => "nobody looks after it: backout ack".to_owned(),
        };
        lines.push(format!(
            "announced {name} {}: {}; told: {told}; {after}",
            thread.severity.label(),
            thread.text
        ));
    }
    for end in &situation.outbox.given_up {
        lines.push(format!("NOT told: {} of {}: {}", end.receiver, end.thread, end.note));
    }
    for card in situation.triggers.iter().rev().take(4) {
        let at = card.at.format("%Y-%m-%d %H:%M:%SZ");
        lines.push(format!("trigger {at} by {}: {}", card.by, card.call.line()));
    }
    lines.join("\n") + "\n"
}

async fn test(world: &World, asked: &TestArguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let config = session::place(world)?.config;
    let Some(occasion) = Occasion::ALL.into_iter().find(|one| one.name() == asked.event) else {
        let known = Occasion::ALL.map(Occasion::name).join(", ");
        return Err(Failure::new(Exit::Usage, format!("{:?} is no event", asked.event))
            .hint(format!("it is one of {known}")));
    };
    let known = &config.notifications.receivers;
    let wanted: Vec<(&String, &Receiver)> = match &asked.receiver {
        None => known.iter().collect(),
        Some(name) => known.iter().filter(|(one, _)| *one == name).collect(),
    };
    if wanted.is_empty() {
        let names: Vec<&str> = known.keys().map(String::as_str).collect();
        let hint = if names.is_empty() {
            "add notifications: {receivers: …} to the configuration".to_owned()
        } else {
            format!("known are {}", names.join(", "))
        };
        let named = asked.receiver.as_deref().unwrap_or("any receiver");
        return Err(Failure::new(Exit::Config, format!("could not find {named}")).hint(hint));
    }
    let mut failed = false;
    for (name, receiver) in wanted {
        let now = world.clock.now();
        let place = (config.environment.as_str(), config.production);
        let (situation, due) = sample(place, occasion, name, now);
        let said = words(&situation, &due, &config.notifications.templates, ("test", now));
        let mut letter = letter(&due, said, ("test", "test"), now);
        letter.environment.clone_from(&config.environment);
        letter.details.push("TEST: nothing happened, and nothing needs to be done".to_owned());
        if asked.render {
            let rendered = receiver.messenger.rendered(&letter);
            say(out, &format!("{name}: {}\n{rendered}\n", receiver.messenger.shown()));
            continue;
        }
        match receiver.messenger.send(&letter, &world.clock).await {
            Ok(note) => say(out, &format!("{name}: told: {note}\n")),
            Err(lost) => {
                failed = true;
                say(out, &format!("{name}: NOT told: {}\n", SafeText::new(&lost.error.message)));
            }
        }
    }
    Ok(if failed { Exit::Warning } else { Exit::Ok })
}

/// Says that this person looks after what was announced: it is not repeated, and nobody further
/// is called.
pub(crate) async fn ack(
    world: &World,
    asked: &AckArguments,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut session = Session::open(world, Need::Change).await?;
    let thread = SafeText::new(asked.thread.as_deref().unwrap_or_default());
    session.send(Command::Acknowledge { thread }).await?;
    session.refresh().await?;
    let mut text = String::new();
    for (name, thread) in session.situation.outbox.open() {
        if let Some((who, _)) = &thread.acknowledged {
            text.extend([format!("{who} looks after {name}: {}\n", thread.text)]);
        }
    }
    session.close().await;
    say(out, &text);
    Ok(Exit::Ok)
}
