//! `backout theme`: what there is, what it looks like, and whether it can be read.

use std::fmt::Write as _;
use std::io::Write;

use clap::Subcommand;

use crate::failure::{Exit, Failure};
use crate::tui::theme::{self, Depth, Role, Sheet, Themes};

use super::{World, attach, say};

#[derive(Subcommand, Debug)]
pub(crate) enum ThemeCommand {
    /// List the built-in themes and your own
    List,
    /// Show every role of a theme as it looks here
    Show {
        /// A theme, or a file
        name: String,
    },
    /// Check contrast and whether states can be told apart; exit 0 or 78
    Lint {
        /// A theme, or a file; otherwise all
        name: Option<String>,
    },
}

pub(crate) fn run(
    world: &World,
    what: &ThemeCommand,
    screen: &attach::Screen,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let themes = Themes { folders: attach::themes(world) };
    match what {
        ThemeCommand::List => {
            list(world, &themes, out);
            Ok(Exit::Ok)
        }
        ThemeCommand::Show { name } => {
            let sheet = sheet(&themes, name)?;
            say(out, &shown(&sheet, screen.depth_of_lines(&world.environment))?);
            Ok(Exit::Ok)
        }
        ThemeCommand::Lint { name } => Ok(lint(world, &themes, name.as_deref(), out)),
    }
}

fn wrong(why: String) -> Failure {
    Failure::new(Exit::Config, why).hint("list what there is: backout theme list")
}

fn sheet(themes: &Themes, name: &str) -> Result<Sheet, Failure> {
    themes.sheet(name).map_err(wrong)
}

fn list(world: &World, themes: &Themes, out: &mut dyn Write) {
    let known = themes.list();
    if world.json {
        let rows: Vec<_> = known
            .iter()
            .map(|(name, from)| serde_json::json!({"name": name, "from": from}))
            .collect();
        say(out, &format!("{}\n", serde_json::Value::from(rows)));
        return;
    }
    let mut text = String::new();
    for (name, from) in known {
        let depths = match themes.sheet(&name) {
            Ok(sheet) => words(&sheet.depths),
            Err(_) => "cannot be read; backout theme lint says why".to_owned(),
        };
        let _written = writeln!(text, "{name:<14} {depths:<18} {from}");
    }
    say(out, &text);
}

fn words(depths: &[Depth]) -> String {
    depths.iter().map(|depth| depth.words()).collect::<Vec<_>>().join(" ")
}

fn lint(world: &World, themes: &Themes, name: Option<&str>, out: &mut dyn Write) -> Exit {
    let names: Vec<String> = match name {
        Some(name) => vec![name.to_owned()],
        None => themes.list().into_iter().map(|(name, _)| name).collect(),
    };
    let mut problems = 0;
    let mut text = String::new();
    let mut rows = Vec::new();
    for name in names {
        // One file that cannot be read must not hide what is wrong with the others.
        let found: Vec<String> = match themes.sheet(&name).and_then(|sheet| theme::lint(&sheet)) {
            Ok(found) => found
                .into_iter()
                .map(|one| format!("{} (depth {})", one.text, one.depth.words()))
                .collect(),
            Err(why) => vec![why],
        };
        problems += found.len();
        rows.push(serde_json::json!({"name": name, "problems": found}));
        if found.is_empty() {
            let _written = writeln!(text, "{name}: no problem");
        }
        for one in found {
            let _written = writeln!(text, "{name}: {one}");
        }
    }
    if world.json {
        text = format!("{}\n", serde_json::Value::from(rows));
    }
    say(out, &text);
    if problems == 0 { Exit::Ok } else { Exit::Config }
}

/// Every role in its own look, with its contrast where that is known.
fn shown(sheet: &Sheet, depth: Depth) -> Result<String, Failure> {
    let theme = sheet.theme(depth).map_err(wrong)?;
    let mut text = format!(
        "{} ({}), made for {}; this terminal: {}\n",
        sheet.name,
        sheet.from,
        words(&sheet.depths),
        depth.words()
    );
    for role in Role::ALL {
        let look = theme.describe(role);
        let sample = theme.paint(role, &format!(" {:<9} x FAIL 503 ", role.name()), depth);
        let _written = writeln!(text, "{sample}  {look}");
    }
    Ok(text)
}
