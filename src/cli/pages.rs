//! Shell completions and the manual page, made from the arguments themselves.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::failure::{Exit, Failure};

use super::{Arguments, say};

/// Writes the completions of a shell.
pub(crate) fn completions(shell: Shell, out: &mut dyn Write) -> Exit {
    let mut text = Vec::new();
    // Some shells would offer the hidden subcommands too: they are left out beforehand.
    let whole = Arguments::command();
    let mut shown = clap::Command::new("backout")
        .args(whole.get_arguments().cloned())
        .subcommands(whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned());
    clap_complete::generate(shell, &mut shown, "backout", &mut text);
    say(out, &String::from_utf8_lossy(&text));
    Exit::Ok
}

/// Writes the dashboard for Grafana.
pub(crate) fn dashboard(out: &mut dyn Write) -> Exit {
    say(out, include_str!("../../assets/grafana.json"));
    Exit::Ok
}

/// Writes the manual page, with a section for each subcommand.
pub(crate) fn man(out: &mut dyn Write) -> Result<Exit, Failure> {
    let unwritten =
        |error: std::io::Error| Failure::new(Exit::Unknown, format!("could not write: {error}"));
    let mut text = Vec::new();
    let mut whole = Arguments::command();
    whole.build();
    clap_mangen::Man::new(whole.clone()).render(&mut text).map_err(unwritten)?;
    for command in whole.get_subcommands().filter(|command| !command.is_hide_set()) {
        let page = clap_mangen::Man::new(command.clone());
        let name = command.get_name();
        let mut part = Vec::new();
        page.render_synopsis_section(&mut part).map_err(unwritten)?;
        page.render_description_section(&mut part).map_err(unwritten)?;
        page.render_options_section(&mut part).map_err(unwritten)?;
        let part = String::from_utf8_lossy(&part)
            .replace(".SH SYNOPSIS", &format!(".SH BACKOUT {}", name.to_uppercase()))
            .replace(".SH DESCRIPTION", ".PP")
            .replace(".SH OPTIONS", ".PP");
        text.extend(part.into_bytes());
    }
    say(out, &String::from_utf8_lossy(&text));
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_gets_completions_that_know_the_subcommands_and_hide_the_hidden() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut text = Vec::new();
            completions(shell, &mut text);
            let text = String::from_utf8(text).unwrap();
            assert!(text.contains("rollback") && text.contains("targets"), "{shell}");
            assert!(!text.contains("__engine"), "{shell}");
        }
    }

    #[test]
    fn the_manual_page_has_a_section_for_every_subcommand() {
        let mut text = Vec::new();
        man(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with(".ie \\n(.g .ds Aq"), "{}", text.lines().next().unwrap());
        for section in [".SH BACKOUT ROLLBACK", ".SH BACKOUT CHECK", ".SH BACKOUT DEMO"] {
            assert!(text.contains(section), "{section}");
        }
        assert!(!text.contains("__engine"));
    }
}
