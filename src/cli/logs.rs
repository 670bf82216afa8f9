//! `backout logs FILE…`: the log pane on plain files, without an engine or a configuration.

use std::io::{BufRead as _, BufReader, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::failure::{Exit, Failure};
use crate::journal::spool::{Find, Place, Query};
use crate::report::log_analysis::Analysis;
use crate::text::SafeText;
use crate::tui::logs::ask::{Choice, Layer, Since};
use crate::tui::logs::{lines, viewer};
use crate::tui::state::Least;
use crate::tui::terminal::Terminal;

use super::World;
use super::attach::Screen;

/// What `logs` is told.
#[derive(Args, Debug)]
pub(crate) struct LogsArguments {
    /// The files; several are merged by the times in their lines
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only the last minutes: 1m, 15m, 2h
    #[arg(long, value_name = "TIME", value_parser = minutes)]
    since: Option<u16>,
    /// Only lines at least so bad
    #[arg(long, value_enum, default_value = "all")]
    severity: Severity,
    /// Only lines with this text, or with a regular expression after ~; -text leaves out
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    grep: Vec<String>,
    /// Look for this text, or a regular expression after ~, in the whole file
    #[arg(long, value_name = "TEXT")]
    find: Option<String>,
    /// With --find and without a screen: so many lines before and after each as well
    #[arg(long, value_name = "N", default_value = "0", requires = "find")]
    around: usize,
    /// Without a screen: only so many of the last lines
    #[arg(long, value_name = "N")]
    last: Option<usize>,
    /// Say what the files tell of rollbacks: errors, how many, how they ended, what was slow
    #[arg(long, conflicts_with_all = ["follow", "last", "find"])]
    analyze: bool,
    /// Without a screen: go on with what is written
    #[arg(long)]
    follow: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Severity {
    All,
    Warn,
    Error,
}

fn minutes(text: &str) -> Result<u16, String> {
    let wrong = || format!("{text} is no time: write 5m or 2h");
    let split = text.len().saturating_sub(1);
    let (number, unit) = text.split_at_checked(split).ok_or_else(wrong)?;
    let number: u16 = number.parse().map_err(|_| wrong())?;
    match unit {
        "m" => Ok(number),
        "h" => number.checked_mul(60).ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

/// Opens the screen, or writes lines where there is none.
pub(crate) async fn run(
    world: &World,
    arguments: &LogsArguments,
    screen: &Screen,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    if arguments.analyze {
        return Ok(analyzed(world, &arguments.files, out));
    }
    let stack = arguments.grep.iter().filter_map(|text| Layer::typed(text)).collect();
    let choice = Choice {
        least: match arguments.severity {
            Severity::All => Least::All,
            Severity::Warn => Least::Warn,
            Severity::Error => Least::Error,
        },
        since: arguments.since.map_or(Since::Tail, Since::Minutes),
        stack,
        ..Choice::default()
    };
    let whole = choice == Choice::default() && arguments.last.is_none() && !arguments.follow;
    let usage = |why: String| Failure::new(Exit::Usage, why);
    let query = choice.query(&[], world.clock.now()).map_err(usage)?;
    if let Some(word) = &arguments.find {
        Find::typed(word).map_err(usage)?;
    }
    let lines_only = screen.lines_only(&world.environment);
    if !lines_only && Terminal::is_there() {
        let open = viewer::Open {
            paths: arguments.files.clone(),
            choice,
            find: arguments.find.clone(),
            look: screen.drawn(world)?,
            near: world.environment.ssh_connection().is_none(),
            clock: world.clock.clone(),
        };
        return viewer::open(open).await.map(|()| Exit::Ok);
    }
    let find = arguments.find.as_deref().map(Find::typed).transpose().map_err(usage)?;
    if let ([file], Some(find), true) = (&*arguments.files, &find, whole) {
        let found = lines::found(file, find.clone(), arguments.around, &world.clock, out).await;
        let why = |why| format!("could not search {}: {why}", file.display());
        let failed = |error| Failure::new(Exit::Unknown, why(error));
        let count = found.map_err(failed)?;
        return Ok(if count > 0 { Exit::Ok } else { Exit::Warning });
    }
    if arguments.around > 0 {
        let why = "--around is for one file, with --find and nothing else";
        return Err(Failure::new(Exit::Usage, why)
            .hint("without it: backout logs FILE, then / finds and shows what is around"));
    }
    let wanted = lines::Wanted {
        paths: arguments.files.clone(),
        query: Query { find, place: Place::Follow, ..query },
        last: arguments.last,
        follow: arguments.follow,
    };
    let written = lines::write(wanted, world.clock.clone(), out).await;
    written.map_err(|why| Failure::new(Exit::Unknown, why.to_string()))?;
    Ok(Exit::Ok)
}

/// The queries of the documents on these files (P-63). A file that cannot be read is said; with one
/// that can it is no failure.
fn analyzed(world: &World, files: &[PathBuf], out: &mut dyn Write) -> Exit {
    let mut analysis = Analysis::new(world.clock.now());
    let mut read = false;
    for path in files {
        let name = SafeText::new(&path.display().to_string());
        match std::fs::File::open(path) {
            Ok(file) => {
                read = true;
                for line in BufReader::new(file).split(b'\n').map_while(Result::ok) {
                    analysis.take(name.as_str(), &SafeText::from_bytes(&line));
                }
            }
            Err(why) => analysis.absent.push(SafeText::new(&format!("{name}: {why}"))),
        }
    }
    if world.json {
        super::session::json(out, &analysis);
    } else {
        super::say(out, &analysis.text());
    }
    if read { Exit::Ok } else { Exit::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_minutes_or_hours() {
        assert_eq!(minutes("5m"), Ok(5));
        assert_eq!(minutes("2h"), Ok(120));
        for wrong in ["", "5", "m", "5s", "2000h", "ü"] {
            assert!(minutes(wrong).is_err(), "{wrong}");
        }
    }
}
