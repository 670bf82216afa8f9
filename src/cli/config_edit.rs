//! `backout config edit`: a change of the configuration is checked and shown before it counts (P-32).
//! One value of one check, not every equal number in the file (W-37).

use std::io::{BufRead as _, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::adapters::process;
use crate::adapters::replace::replace;
use crate::engine::config_diff::{Side, diff};
use crate::failure::{Exit, Failure};

use super::place::file_of;
use super::{World, say, session};

#[derive(Args, Debug)]
pub(crate) struct Edit {
    /// Take the new text from this file instead of from $VISUAL or $EDITOR
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Write it without asking; the difference is shown all the same
    #[arg(long)]
    yes: bool,
}

/// Runs `backout config edit`; exit 0 written or unchanged, 11 not wanted, 78 with mistakes in it.
pub(super) fn run(world: &World, asked: &Edit, out: &mut dyn Write) -> Result<Exit, Failure> {
    let terminal = std::io::stdin().is_terminal();
    if !terminal && !asked.yes {
        return Err(Failure::new(Exit::Usage, "nobody is there to be asked").hint(
            "with --yes it is written without asking: backout config edit --from FILE --yes",
        ));
    }
    let file = file_of(world)?;
    let before = read(&file)?;
    // Beside the file: paths in it are relative to its folder.
    let copy = beside(&file, &format!("edit-{}", std::process::id()));
    let text = asked.from.as_deref().map(read).transpose()?;
    write(&copy, text.as_ref().unwrap_or(&before))?;
    let wanted = wanted(world, asked, (&file, &copy, &before), out);
    let written = wanted.and_then(|wanted| {
        if let Some(after) = wanted {
            return put(&file, &before, &after, out);
        }
        say(out, &format!("nothing was changed in {}\n", file.display()));
        Ok(())
    });
    // What somebody has written is not lost with what went wrong.
    match written {
        Ok(()) => {
            std::fs::remove_file(&copy).ok();
            Ok(Exit::Ok)
        }
        Err(failure) => {
            say(out, &format!("what you wrote is kept in {}\n", copy.display()));
            Err(failure)
        }
    }
}

/// What the file shall hold, once it has no mistake and a person has seen the difference; nothing
/// where it is the same.
fn wanted(
    world: &World,
    asked: &Edit,
    (file, copy, before): (&Path, &Path, &String),
    out: &mut dyn Write,
) -> Result<Option<String>, Failure> {
    loop {
        if asked.from.is_none() {
            edit(world, copy)?;
        }
        let after = read(copy)?;
        if after == *before {
            return Ok(None);
        }
        if let Err(failure) = session::load(world, copy) {
            let again = asked.from.is_none() && std::io::stdin().is_terminal();
            if again && agreed(&format!("{failure}\nedit it again?"), out) {
                continue;
            }
            return Err(failure.hint("the file that counts was not touched"));
        }
        let name = file.display().to_string();
        let (old, new) =
            (Side { called: "now", text: before }, Side { called: "new", text: &after });
        for line in diff(&name, old, new) {
            say(out, &format!("{line}\n"));
        }
        if asked.yes || agreed("write it?", out) {
            return Ok(Some(after));
        }
        return Err(Failure::new(Exit::NotConfirmed, "not confirmed: nothing was changed"));
    }
}

fn edit(world: &World, copy: &Path) -> Result<(), Failure> {
    let named = ["VISUAL", "EDITOR"].into_iter().find_map(|name| world.environment.get(name));
    process::edit(named.unwrap_or("vi"), copy).map_err(|error| {
        Failure::new(Exit::Unknown, error.message)
            .hint("name another editor: EDITOR=nano backout config edit")
    })
}

fn agreed(question: &str, out: &mut dyn Write) -> bool {
    say(out, &format!("{question} [y/N] "));
    let mut typed = String::new();
    let read = std::io::stdin().lock().read_line(&mut typed);
    read.is_ok() && matches!(typed.trim(), "y" | "Y" | "yes")
}

/// Puts the new text in place, and the old one beside it.
fn put(file: &Path, before: &String, after: &str, out: &mut dyn Write) -> Result<(), Failure> {
    if read(file)? != *before {
        let message = format!("could not write {}: somebody changed it meanwhile", file.display());
        return Err(Failure::new(Exit::Blocked, message).hint("look at it, then edit again"));
    }
    let kept = beside(file, "before");
    let failed = |error: crate::adapters::Error| Failure::new(Exit::Unknown, error.to_string());
    write(&kept, before)?;
    replace(file, after.as_bytes()).map_err(failed)?;
    say(
        out,
        &format!(
            "written: {}; as it was: {}\nan engine that runs reads it with: systemctl reload backout\n",
            file.display(),
            kept.display()
        ),
    );
    Ok(())
}

/// `backout.yaml` → `.backout.yaml.WORD`.
fn beside(file: &Path, word: &str) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!(".{name}.{word}"))
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| {
        Failure::new(Exit::Config, format!("could not read {}: {error}", file.display()))
    })
}

/// Only for its owner: a configuration may hold what is nobody else's business.
fn write(file: &Path, text: &str) -> Result<(), Failure> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let open =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file);
    open.and_then(|mut open| open.write_all(text.as_bytes())).map_err(|error| {
        Failure::new(Exit::Unknown, format!("could not write {}: {error}", file.display()))
    })
}
