//! `backout guide`: the guided procedures, read and done step by step (all rows of class B).

use std::fmt::Write as _;
use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::config::guides;
use crate::failure::{Exit, Failure};
use crate::journal::Reader;
use crate::model::entry::Command;
use crate::model::guide::{Act, Deed, Guide, GuideEnd, GuideStep};
use crate::model::ids::Time;
use crate::model::situation::Situation;
use crate::text::SafeText;

use super::session::{self, Need, Session, journal};
use super::{World, say};

/// A step may take five minutes; a little more until it is said.
const LIMIT: Duration = Duration::from_secs(310);

#[derive(Args, Debug)]
pub(crate) struct GuideArguments {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand, Debug)]
enum What {
    /// All procedures, or those that a word fits: backout guide list disk
    List {
        /// What people call the trouble
        words: Vec<String>,
    },
    /// One procedure, with what became of its steps
    Show {
        /// Its name
        name: String,
    },
    /// Run a step, or all steps that only look; exit 0 ok, 2 not as expected, 3 not known
    Run {
        /// Its name
        name: String,
        /// The step
        step: Option<u8>,
        /// Run it although it changes something
        #[arg(long, requires = "step")]
        change: bool,
    },
    /// A step was done by a person
    Done {
        /// Its name
        name: String,
        /// The step
        step: u8,
        /// What was done, or found
        #[arg(long)]
        note: String,
    },
}

pub(crate) async fn run(
    world: &World,
    asked: &GuideArguments,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (all, only) = load(world)?;
    match &asked.what {
        None => list(world, (&all, only), &[], out).await,
        Some(What::List { words }) => list(world, (&all, only), words, out).await,
        Some(What::Show { name }) => show(world, found(&all, name)?, out).await,
        Some(What::Run { name, step, change }) => {
            Box::pin(run_steps(world, found(&all, name)?, (*step, *change), out)).await
        }
        Some(What::Done { name, step, note }) => {
            let guide = found(&all, name)?;
            numbered(guide, *step)?;
            let mut session = Session::open(world, Need::Look).await?;
            let deed = Deed::Done { note: SafeText::new(note) };
            let sent = session.send(command(guide, *step, deed)).await;
            session.close().await;
            sent?;
            say(out, &format!("step {step} of {name}: done\n"));
            Ok(Exit::Ok)
        }
    }
}

/// Those of the configuration, when it can be read; the built-in ones are there without it, and then
/// it is said that they are all.
fn load(world: &World) -> Result<(Vec<Guide>, Option<String>), Failure> {
    let (own, only) = match session::place(world) {
        Ok(place) => (place.config.guides, None),
        Err(failure) => (None, Some(failure.message)),
    };
    let all =
        guides::load(own.as_deref()).map_err(|error| Failure::new(Exit::Config, error.message))?;
    Ok((all, only))
}

fn found<'a>(all: &'a [Guide], name: &str) -> Result<&'a Guide, Failure> {
    all.iter().find(|guide| guide.id == name).ok_or_else(|| {
        let meant = crate::config::did_you_mean(name, all.iter().map(|guide| guide.id.as_str()));
        let hint = meant.map(|meant| format!("did you mean {meant}?"));
        Failure::new(Exit::Usage, format!("there is no procedure {name}"))
            .hint(hint.unwrap_or_else(|| "all of them: backout guide".to_owned()))
    })
}

fn numbered(guide: &Guide, step: u8) -> Result<&GuideStep, Failure> {
    guide.step(step).ok_or_else(|| {
        let count = guide.steps.len();
        Failure::new(Exit::Usage, format!("{} has the steps 1 to {count}, not {step}", guide.id))
            .hint(format!("look at it: backout guide show {}", guide.id))
    })
}

/// What the journal knows; nothing where there is none.
async fn known(world: &World) -> Result<Situation, Failure> {
    // Without a configuration a procedure can be read all the same.
    if let Ok(place) = session::place_to_attach(world)
        && let Ok(mut reader) = Reader::open(&place.journal).await
    {
        return reader.situation().await.map_err(journal);
    }
    Ok(Situation::default())
}

async fn list(
    world: &World,
    (all, only): (&[Guide], Option<String>),
    words: &[String],
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let now = world.clock.now();
    let known = known(world).await?;
    let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let fits = |guide: &&Guide| {
        let text = format!("{} {} {}", guide.id, guide.title, guide.words.join(" "));
        words.iter().all(|word| text.to_lowercase().contains(word))
    };
    let fitting: Vec<&Guide> = all.iter().filter(fits).collect();
    if world.json {
        let one = |guide: &&Guide| {
            json!({
                "name": guide.id, "title": guide.title, "rows": guide.rows, "words": guide.words,
                "platforms": guide.platforms, "version": guide.version,
                "reviewed": guide.reviewed, "overdue_days": guide.overdue(now),
                "steps": guide.steps.len(), "every_days": guide.every_days,
                "overdue_steps": guide.overdue_steps(&known, now),
            })
        };
        session::json(out, &fitting.iter().map(one).collect::<Vec<_>>());
        return Ok(Exit::Ok);
    }
    if fitting.is_empty() {
        let why = format!("no procedure is about {}", words.join(" "));
        return Err(Failure::new(Exit::Usage, why).hint("all of them: backout guide"));
    }
    let mut text = String::new();
    let width = fitting.iter().map(|guide| guide.id.len()).max().unwrap_or(0);
    for guide in fitting {
        let mark = if guide.overdue(now).is_some() { "  REVIEW OVERDUE" } else { "" };
        let late = match guide.overdue_steps(&known, now) {
            0 => String::new(),
            late => format!("  {late} of {} OVERDUE", guide.steps.len()),
        };
        writeln!(text, "{:<width$}  {}{mark}{late}", guide.id, guide.title).ok();
    }
    if let Some(why) = only {
        writeln!(text, "\nonly the built-in ones: {why}").ok();
    }
    say(out, &text);
    Ok(Exit::Ok)
}

async fn show(world: &World, guide: &Guide, out: &mut dyn Write) -> Result<Exit, Failure> {
    say(out, &text(guide, &known(world).await?, world.clock.now()));
    Ok(Exit::Ok)
}

/// The whole of it for people.
fn text(guide: &Guide, situation: &Situation, now: Time) -> String {
    let mut text = format!("{}\n{}\n", guide.title, guide.standing(now));
    for line in &guide.intro {
        writeln!(text, "\n{line}").ok();
    }
    for (number, step) in (1_u8..).zip(&guide.steps) {
        let kind = match step.act {
            Act::Hand => "by hand",
            Act::Look(_) => "looks",
            Act::Change(_) => "CHANGES something",
            Act::Command(_) => "a command of its own",
        };
        writeln!(text, "\n{number}. {} ({kind})", step.title).ok();
        for line in &step.text {
            writeln!(text, "   {line}").ok();
        }
        for line in step.act.line().into_iter().flat_map(str::lines) {
            writeln!(text, "   $ {line}").ok();
        }
        for (name, said) in [("expect", &step.expect), ("DANGER", &step.danger)] {
            if !said.is_empty() {
                writeln!(text, "   {name}: {said}").ok();
            }
        }
        if let Some(mark) = situation.guided(&guide.id, number) {
            let word = mark.end.as_ref().map_or("runs", GuideEnd::word);
            let why = mark.end.as_ref().map_or("", GuideEnd::why);
            let at = mark.at.format("%Y-%m-%d %H:%M:%SZ");
            writeln!(text, "   -> {word} ({}, {at}) {why}", mark.by).ok();
        }
        if let Some(due) = guide.due(situation, number, now) {
            writeln!(text, "   {due}").ok();
        }
    }
    text
}

fn command(guide: &Guide, step: u8, deed: Deed) -> Command {
    let (name, digest) = (SafeText::new(&guide.id), guide.digest.clone());
    Command::Guide { guide: name, step, digest, deed }
}

/// Runs one step, or every one that only looks, and says how each ended.
async fn run_steps(
    world: &World,
    guide: &Guide,
    (step, change): (Option<u8>, bool),
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let steps: Vec<u8> = match step {
        Some(step) => {
            let known = numbered(guide, step)?;
            can_run(guide, step, &known.act, change)?;
            vec![step]
        }
        None => (1..)
            .zip(&guide.steps)
            .filter_map(|(number, step)| matches!(step.act, Act::Look(_)).then_some(number))
            .collect(),
    };
    let need = if change { Need::Change } else { Need::Look };
    let mut session = Session::open(world, need).await?;
    let mut worst = Exit::Ok;
    for number in steps {
        let deed = if change { Deed::Change } else { Deed::Look };
        let one = run_one(&mut session, guide, (number, deed), out).await;
        worst = match one {
            Ok(exit) if exit as u8 > worst as u8 => exit,
            Ok(_) => worst,
            Err(failure) => {
                session.close().await;
                return Err(failure);
            }
        };
    }
    session.close().await;
    Ok(worst)
}

fn can_run(guide: &Guide, step: u8, act: &Act, change: bool) -> Result<(), Failure> {
    let name = &guide.id;
    let (why, hint) = match (act, change) {
        (Act::Look(_), false) | (Act::Change(_), true) => return Ok(()),
        (Act::Look(_), true) => (
            format!("step {step} of {name} only looks"),
            format!("backout guide run {name} {step}"),
        ),
        (Act::Change(line), false) => (
            format!("step {step} of {name} changes something: {line}"),
            format!("read its DANGER, then: backout guide run {name} {step} --change"),
        ),
        (Act::Hand | Act::Command(_), _) => (
            format!("step {step} of {name} is done by a person"),
            format!("do it, then: backout guide done {name} {step} --note WHAT"),
        ),
    };
    Err(Failure::new(Exit::Usage, why).hint(hint))
}

async fn run_one(
    session: &mut Session,
    guide: &Guide,
    (step, deed): (u8, Deed),
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let title = guide.step(step).map(|step| step.title.to_string()).unwrap_or_default();
    session.send(command(guide, step, deed)).await?;
    let over = |session: &Session| {
        session.situation.guided(&guide.id, step).is_some_and(|mark| mark.end.is_some())
    };
    if !session.wait_for(LIMIT, over).await? {
        say(out, &format!("{step} {title}: unknown: it has not ended\n"));
        return Ok(Exit::Unknown);
    }
    let Some(mark) = session.situation.guided(&guide.id, step) else { return Ok(Exit::Unknown) };
    let Some(end) = &mark.end else { return Ok(Exit::Unknown) };
    let why = if end.why().is_empty() { String::new() } else { format!(": {}", end.why()) };
    let mut text = format!("{step} {title}: {}{why}\n", end.word());
    for line in &mark.tail {
        writeln!(text, "    {line}").ok();
    }
    say(out, &text);
    Ok(match end {
        GuideEnd::Good | GuideEnd::ByHand(_) => Exit::Ok,
        GuideEnd::Bad(_) => Exit::Critical,
        GuideEnd::Unknown(_) => Exit::Unknown,
    })
}
