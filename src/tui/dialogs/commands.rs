//! Commands with arguments, typed whole after `:`. What is missing is said while it is typed; Enter
//! gives a whole one. What stands on a single key is not here.

use crate::model::entry::Command;
use crate::model::hold::HoldPart;
use crate::model::ids::{CheckId, PointId, Time};
use crate::model::severity::Severity;
use crate::model::times;
use crate::text::SafeText;
use crate::tui::world::World;

mod going;
mod left;
mod says;
#[cfg(test)]
mod tests;
mod verb;

use going::{of_type, to, undo};
use left::{hand_over, release, tick};
pub use says::says;
pub use verb::Verb;

/// Whole lines that begin as the typed one does.
pub fn completions(line: &str, world: &World) -> Vec<String> {
    let Some((verb, rest)) = Verb::of(line) else { return Vec::new() };
    let typed = rest.to_lowercase();
    verb.choices(world)
        .into_iter()
        .filter(|choice| choice.to_lowercase().starts_with(&typed))
        .map(|choice| format!("{} {choice}{}", verb.name(), verb.after()))
        .filter(|whole| whole.trim_end() != line.trim())
        .collect()
}

/// The command that a line is; what it is short of when it is not whole. Nothing when it begins
/// with none.
pub fn read(line: &str, world: &World, now: Time) -> Option<Result<Command, String>> {
    let (verb, rest) = Verb::of(line)?;
    Some(match verb {
        Verb::Since => since(rest, now),
        Verb::Mute => mute(rest, world, now),
        Verb::Unmute => unmute(rest, world),
        Verb::Maintenance => maintenance(rest, world, now),
        Verb::Set => set(rest, world, now),
        Verb::Unset => unset(rest, world),
        Verb::Pin => pin(rest, world),
        Verb::Unpin => known(verb, rest, world).map(|id| Command::Unpin { point: PointId(id) }),
        Verb::Undo => undo(rest, world),
        Verb::To => to(rest, now),
        Verb::Type => of_type(rest),
        Verb::Release => release(rest, world),
        Verb::HandOver => hand_over(rest, world),
        Verb::Severity => severity(rest, world),
        Verb::Unhold => unhold(rest, world),
        Verb::Tick => tick(rest, world),
        Verb::Informed => match rest.trim() {
            "" => Err("say who was told, and what".to_owned()),
            note => Ok(Command::Inform { note: SafeText::new(note) }),
        },
        Verb::Ack => ack(rest, world),
        Verb::Freeze => freeze(rest, now),
        Verb::Thaw => reason(rest).map(|reason| Command::Freeze { until: None, reason }),
        Verb::Lock => lock(rest, now),
        Verb::Unlock => unlock(rest),
    })
}

type Read = Result<Command, String>;

/// The first word, and the rest.
fn word(rest: &str) -> (&str, &str) {
    let rest = rest.trim();
    rest.split_once(' ').map_or((rest, ""), |(first, rest)| (first, rest.trim()))
}

fn reason(rest: &str) -> Result<SafeText, String> {
    match rest.trim() {
        "" => Err("say why: it stands in the timeline".to_owned()),
        why => Ok(SafeText::new(why)),
    }
}

fn ends(text: &str, now: Time) -> Result<Time, String> {
    if text.is_empty() {
        return Err("say for how long: 30m, 2h".to_owned());
    }
    let wrong = || format!("{text} is no span of time: 30m, 2h");
    times::after(text, now).filter(|at| *at > now).ok_or_else(wrong)
}

/// The first argument, when it is one that is known, and the rest.
fn first<'a>(verb: Verb, rest: &'a str, world: &World) -> Result<(String, &'a str), String> {
    let choices = verb.choices(world);
    // Names of several words come whole from completion.
    let whole = choices.iter().filter(|choice| {
        let begins = rest.get(..choice.len()).is_some_and(|text| text.eq_ignore_ascii_case(choice));
        begins
            && rest.get(choice.len()..).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    });
    if let Some(choice) = whole.max_by_key(|choice| choice.len()) {
        return Ok((choice.clone(), rest.get(choice.len()..).unwrap_or_default().trim()));
    }
    let (name, _) = word(rest);
    let list = || match choices.iter().take(4).cloned().collect::<Vec<_>>().join(", ") {
        list if list.is_empty() => "there is none".to_owned(),
        list if choices.len() > 4 => format!("{list}, …"),
        list => list,
    };
    if name.is_empty() {
        return Err(format!("{}: which? {}", verb.form(), list()));
    }
    Err(match crate::config::did_you_mean(name, choices.iter().map(String::as_str)) {
        Some(meant) => format!("{name} is not known; did you mean {meant}?"),
        None => format!("{name} is not known: {}", list()),
    })
}

/// An argument that must be known, and nothing after it.
fn known(verb: Verb, rest: &str, world: &World) -> Result<String, String> {
    match first(verb, rest, world)? {
        (name, "") => Ok(name),
        (_, more) => Err(format!("{} takes no more: {more}", verb.form())),
    }
}

fn since(rest: &str, now: Time) -> Read {
    let (at, why) = word(rest);
    if at.is_empty() {
        return Err("say when: -14m, 23:54 (UTC), or 2026-11-21T23:54:00Z".to_owned());
    }
    let moment = times::moment(at, now).filter(|moment| *moment <= now);
    let at = moment.ok_or_else(|| format!("{at} is no moment that has been: -14m, 23:54"))?;
    Ok(Command::Since { at, reason: reason(why)? })
}

fn mute(rest: &str, world: &World, now: Time) -> Read {
    let (name, rest) = first(Verb::Mute, rest, world)?;
    let (span, why) = word(rest);
    let until = ends(span, now)?;
    Ok(Command::Mute { name: SafeText::new(&name), until, reason: reason(why)? })
}

fn unmute(rest: &str, world: &World) -> Read {
    known(Verb::Unmute, rest, world).map(|name| Command::Unmute { name: SafeText::new(&name) })
}

fn maintenance(rest: &str, world: &World, now: Time) -> Read {
    let (span, why) = word(rest);
    if span.eq_ignore_ascii_case("end") {
        return unmute("all", world).map_err(|_| "there is no maintenance to end".to_owned());
    }
    let until = ends(span, now)?;
    Ok(Command::Mute { name: SafeText::new("all"), until, reason: reason(why)? })
}

fn set(rest: &str, world: &World, now: Time) -> Read {
    let (check, mut rest) = first(Verb::Set, rest, world)?;
    let mut values = Vec::new();
    loop {
        let (pair, more) = word(rest);
        match pair.split_once('=') {
            Some((key, value)) => values.push((key.to_owned(), value.to_owned())),
            None => break,
        }
        rest = more;
    }
    if values.is_empty() {
        return Err(format!("say what of {check}: timeout=30s"));
    }
    let (span, why) = word(rest);
    let until = ends(span, now)?;
    let check = CheckId::from(check.as_str());
    Ok(Command::Override { check, set: values, until, reason: reason(why)? })
}

fn unset(rest: &str, world: &World) -> Read {
    let check = known(Verb::Unset, rest, world)?;
    Ok(Command::Unset { check: CheckId::from(check.as_str()) })
}

fn pin(rest: &str, world: &World) -> Read {
    let (id, why) = first(Verb::Pin, rest, world)?;
    Ok(Command::Pin { point: PointId(id), reason: reason(why)? })
}

fn severity(rest: &str, world: &World) -> Read {
    let (class, why) = first(Verb::Severity, rest, world)?;
    let class = match class.as_str() {
        "critical" => Some(Severity::Critical),
        "high" => Some(Severity::High),
        "medium" => Some(Severity::Medium),
        "low" => Some(Severity::Low),
        "none" => Some(Severity::None),
        _ => None,
    };
    let known = world.situation.assessment.as_ref();
    let assessment = known.ok_or("nothing is assessed yet: wait for the first look")?.number;
    Ok(Command::Overrule { class, assessment, reason: reason(why)? })
}

fn unhold(rest: &str, world: &World) -> Read {
    let parts: Vec<HoldPart> = world.situation.holds.keys().copied().collect();
    if parts.is_empty() {
        return Err("nothing is held".to_owned());
    }
    Ok(Command::Unhold { parts, reason: reason(rest)? })
}

fn ack(rest: &str, world: &World) -> Read {
    let name = known(Verb::Ack, rest, world)?;
    let name = if name == "all" { "" } else { &name };
    Ok(Command::Acknowledge { thread: SafeText::new(name) })
}

fn freeze(rest: &str, now: Time) -> Read {
    let (span, why) = word(rest);
    let until = Some(ends(span, now)?);
    Ok(Command::Freeze { until, reason: reason(why)? })
}

fn lock(rest: &str, now: Time) -> Read {
    let (span, why) = word(rest);
    let until = ends(span, now)?;
    Ok(Command::Lock { until, reason: reason(why)?, force: false })
}

fn unlock(rest: &str) -> Read {
    let (first, why) = word(rest);
    let emergency = first.eq_ignore_ascii_case("emergency");
    let why = if emergency { why } else { rest };
    Ok(Command::Unlock { emergency, reason: reason(why)?, force: false })
}
