//! `backout replay`: a past incident in the same console. Reads a journal; no engine, no command.

use std::io::{IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::failure::{Exit, Failure};
use crate::journal::Samples;
use crate::link::{Linger, Pair};
use crate::model::ids::{Time, incident_name};
use crate::report::chronicle::Chronicle;
use crate::report::facts::moment;
use crate::tui;
use crate::tui::replay::Tape;

use super::past::{self, Past};
use super::{World, attach, say};

#[derive(Args, Debug)]
pub(crate) struct ReplayArguments {
    /// The incident, as 142 or INC-0142; without it, the last one
    incident: Option<String>,
    /// How many times as fast as it was
    #[arg(long, value_name = "N", default_value = "10", value_parser = speed)]
    speed: f64,
    /// The state folder of a journal, also one that was copied: with all its files journal.*
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

fn speed(text: &str) -> Result<f64, String> {
    let number: f64 = text.trim_start_matches('x').parse().map_err(|_| "a number, such as 10")?;
    if (0.1..=10_000.0).contains(&number) { Ok(number) } else { Err("0.1 to 10000".to_owned()) }
}

pub(crate) async fn run(
    world: &World,
    asked: &ReplayArguments,
    screen: &attach::Screen,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let at = past::folder(world, asked.state.as_deref())?;
    let wanted = asked.incident.as_deref().map(past::number).transpose()?;
    let past = past::read(at, wanted).await?;
    let environment = &world.environment;
    let terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    if screen.lines_only(environment) || !terminal {
        say(out, &lines(&past));
        return Ok(Exit::Ok);
    }
    let tape = tape(&past, asked.speed).await;
    let state = past.state;
    let at_state = crate::journal::Place::from(&state);
    let attach = tui::Attach {
        pair: Pair {
            program: world.program.clone(),
            config: state.join("backout.yaml"),
            socket: state.join("none.sock"),
            state,
            linger: Linger::Cli,
        },
        journal: at_state,
        clock: world.clock.clone(),
        read_only: true,
        plain: false,
        look: screen.look(world),
        name: environment.user().unwrap_or("somebody").to_owned(),
        uid: super::session::own_uid(),
        ssh: None,
        keys: None,
        habits: tui::app::Habits { tmux: environment.tmux(), ..tui::app::Habits::default() },
        environments: Vec::new(),
        guides: std::sync::Arc::default(),
        ladder: Vec::new(),
        links: Vec::new(),
    };
    let goodbye = tui::replayed(attach, tape).await?;
    say(out, &format!("{goodbye}"));
    Ok(Exit::Ok)
}

async fn tape(past: &Past, speed: f64) -> Tape {
    let (mut readings, mut counting) = (Vec::new(), Vec::new());
    // Samples are disposable: without them there are no curves, and the story is the same.
    if let Ok((all, counts)) = samples(&past.state, past).await {
        (readings, counting) = (all, counts);
    }
    Tape { incident: past.incident, entries: past.entries.clone(), readings, counting, speed }
}

type Sampled = (Vec<crate::model::reading::Reading>, Vec<crate::model::ids::CheckId>);

/// The readings from half an hour before the first entry to the last one.
async fn samples(state: &Path, past: &Past) -> Result<Sampled, crate::journal::Error> {
    let mut samples = Samples::read(state).await?;
    let at = |entry: Option<&crate::model::entry::Entry>| entry.map_or(Time::UNIX_EPOCH, |e| e.at);
    let (first, last) = (at(past.entries.first()), at(past.entries.last()));
    let mut readings = samples.since(first - chrono::Duration::minutes(30)).await?;
    readings.retain(|reading| reading.at <= last);
    let live = samples.live().await?;
    Ok((readings, live.map(|live| live.counting).unwrap_or_default()))
}

/// Where nothing can be drawn: what happened, at once.
fn lines(past: &Past) -> String {
    let mut text = format!("{}\n", incident_name(past.incident));
    if let Some(chronicle) = Chronicle::of(past.incident, &past.entries) {
        let told = chronicle.moments.iter();
        text.extend(told.map(|one| format!("{}  {}\n", moment(one.at), one.text)));
    }
    text
}
