//! One file per subcommand. Text and JSON come from the same situation.

mod analyze;
mod approve;
mod arguments;
mod assess;
mod attach;
mod backup;
mod bench;
mod breach;
mod bundle;
mod check;
mod checklist;
mod choose;
mod config_edit;
mod database;
pub mod demo;
mod deploy;
mod doctor;
mod drill;
mod dry_run;
mod export;
mod follow;
mod guide;
mod hidden;
mod history;
mod hold;
mod init;
mod judge;
mod leftovers;
mod lock;
mod logs;
mod look;
mod monitor;
mod notify;
mod pages;
mod past;
mod people;
mod place;
mod plan;
mod preflight;
mod ps;
mod reach;
mod relay;
mod replay;
mod report;
mod restore;
mod rollback;
mod rules;
mod run;
mod session;
mod severity;
mod slo;
mod status;
mod theme;
mod trigger;
mod validate;
mod validate_at;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;

use crate::adapters::process::Program;
use crate::clock::Clock;
use crate::config::Environment;
use crate::failure::{Exit, Failure};

use arguments::{Arguments, Command};

/// What every subcommand gets.
pub struct World {
    program: Program,
    clock: Clock,
    environment: Environment,
    config: Option<PathBuf>,
    json: bool,
}

impl World {
    /// The same world, to change a part of it.
    fn again(&self) -> Self {
        Self {
            program: self.program.clone(),
            clock: self.clock.clone(),
            environment: self.environment.clone(),
            config: self.config.clone(),
            json: self.json,
        }
    }
}

/// Runs the command line and says how it ended. Failures are written to standard error.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let parsed = match Arguments::try_parse_from(arguments) {
        Ok(parsed) => parsed,
        Err(error) => {
            let asked = !error.use_stderr();
            error.print().ok();
            return code(if asked { Exit::Ok } else { Exit::Usage });
        }
    };
    // The shim and the keeper are small processes without a runtime of their own making.
    match &parsed.command {
        Some(Command::Step { slot }) => return hidden::step(slot),
        Some(Command::Keep(arguments)) => return hidden::keep(arguments),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => {
            let ended = runtime.block_on(dispatch(parsed));
            // A look that hangs in the background must not hold the answer back.
            runtime.shutdown_background();
            ended
        }
        Err(error) => Err(Failure::new(Exit::Unknown, format!("could not start: {error}"))),
    };
    ended.unwrap_or_else(|failure| {
        writeln!(std::io::stderr().lock(), "backout: {failure}").ok();
        code(failure.exit)
    })
}

fn code(exit: Exit) -> ExitCode {
    ExitCode::from(exit as u8)
}

/// The world of these arguments, with the configuration of the environment that they name.
fn world_of(arguments: &Arguments) -> Result<World, Failure> {
    let mut world = World {
        program: Program::this(),
        clock: Clock::real(),
        environment: Environment::read(),
        config: arguments.config.clone(),
        json: arguments.json,
    };
    // Endpoints below an address are asked without a configuration: their environment is a name.
    let bare = matches!(&arguments.command, Some(Command::Validate(asked)) if asked.is_bare());
    if let Some(name) = arguments.environment.as_ref().filter(|_| !bare) {
        world.config = Some(session::named(&world, name)?);
    }
    Ok(world)
}

async fn dispatch(arguments: Arguments) -> Result<ExitCode, Failure> {
    let world = world_of(&arguments)?;
    let out = &mut std::io::stdout();
    let Some(command) = arguments.command else {
        return look::or_console(&world, &arguments.screen, out).await.map(code);
    };
    let exit = match command {
        Command::Check(check) => check::run(&world, &check, out).await,
        Command::Assess(asked) => Box::pin(assess::run(&world, &asked, out)).await,
        Command::Breach { what } => breach::run(&world, &what, out).await,
        Command::Choose(asked) => choose::run(&world, &asked, out).await,
        Command::Approve(asked) => Box::pin(approve::run(&world, &asked, out)).await,
        Command::Severity(said) => severity::run(&world, &said, out).await,
        Command::Targets { what } => Box::pin(plan::targets_or_pin(&world, what, out)).await,
        Command::Deploy { what } => Box::pin(deploy::run(&world, what, out)).await,
        Command::Plan(plan) => plan::run(&world, &plan, out).await,
        Command::Rollback(rollback) => Box::pin(rollback::run(&world, &rollback, out)).await,
        Command::Restore { what } => Box::pin(restore::run(&world, &what, out)).await,
        Command::Drill(asked) => Box::pin(drill::run(&world, &asked, out)).await,
        Command::Attach(attach) => attach::run(&world, &attach, &arguments.screen).await,
        Command::Validate(validate) => validate::run(&world, &validate, out).await,
        Command::Monitor(asked) => Box::pin(monitor::run(&world, &asked, out)).await,
        Command::Rules { what } => Box::pin(rules::run(&world, what.as_ref(), out)).await,
        Command::Slo => slo::run(&world, out).await,
        Command::Status(asked) => status::run(&world, asked.deployment_id.as_deref(), out).await,
        Command::History(asked) => history::run(&world, &asked, out).await,
        Command::Guide(asked) => Box::pin(guide::run(&world, &asked, out)).await,
        Command::Checklist(asked) => checklist::run(&world, &asked, out).await,
        Command::Replay(asked) => {
            Box::pin(replay::run(&world, &asked, &arguments.screen, out)).await
        }
        Command::Report(asked) => report::run(&world, &asked, out).await,
        Command::Since(since) => judge::since(&world, &since, out).await,
        Command::Mute(mute) => judge::mute(&world, &mute, out).await,
        Command::Unmute(mute) => judge::unmute(&world, &mute, out).await,
        Command::Maintenance(asked) => judge::maintenance(&world, &asked, out).await,
        Command::Analyze(asked) => analyze::run(&world, &asked, out).await,
        Command::Compare => judge::compare(&world, out).await,
        Command::Backup { what } => Box::pin(backup::run(&world, &what, out)).await,
        Command::Db { what } => Box::pin(database::run(&world, &what, out)).await,
        Command::Run { what } => Box::pin(run::run(&world, what, out)).await,
        Command::Abort(abort) => status::abort(&world, &abort, out).await,
        Command::Stop(asked) => Box::pin(lock::stop(&world, &asked, out)).await,
        Command::Lock { what } => Box::pin(lock::run(&world, &what, out)).await,
        Command::Hold(hold) => Box::pin(hold::hold(&world, &hold, out)).await,
        Command::Unhold(unhold) => Box::pin(hold::unhold(&world, &unhold, out)).await,
        Command::Leftovers(arguments) => Box::pin(leftovers::run(&world, &arguments, out)).await,
        Command::Brief => people::brief(&world, out).await,
        Command::Export(asked) => Box::pin(export::run(&world, &asked, out)).await,
        Command::Bundle { what } => bundle::run(&world, &what, out),
        Command::Notify { what } => notify::run(&world, what.as_ref(), out).await,
        Command::Ack(asked) => notify::ack(&world, &asked, out).await,
        Command::Trigger(asked) => Box::pin(trigger::run(&world, &asked, out)).await,
        Command::Note(note) => people::note(&world, &note, out).await,
        Command::Lead { what } => people::lead(&world, what.as_ref(), out).await,
        Command::Ps => ps::run(&world, out).await,
        Command::Logs(logs) => logs::run(&world, &logs, &arguments.screen, out).await,
        Command::Init(asked) => Box::pin(init::run(&world, &asked, out)).await,
        Command::Preflight(asked) => Box::pin(preflight::run(&world, &asked, out)).await,
        Command::Doctor(asked) => Box::pin(doctor::run(&world, &asked, out)).await,
        Command::Config { what } => look::config(&world, &what, out),
        Command::Theme { what } => theme::run(&world, &what, &arguments.screen, out),
        Command::Demo(asked) => Box::pin(demo::demo(&world, asked, &arguments.screen, out)).await,
        Command::Completions { shell } => Ok(pages::completions(shell, out)),
        Command::Dashboard => Ok(pages::dashboard(out)),
        Command::Man => pages::man(out),
        Command::Bench { what } => bench::run(&world, &what, out).await,
        Command::Engine(arguments) => hidden::engine(&world, &arguments).await,
        Command::DemoRole { role, rest } => return demo::role(&world, &role, &rest).await,
        // Handled before the runtime was made.
        Command::Step { .. } | Command::Keep(_) => Ok(Exit::Usage),
    };
    exit.map(code)
}

/// Writes text to people or scripts; a closed pipe is no failure.
pub(crate) fn say(out: &mut dyn Write, text: &str) {
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::guide::Act;

    #[test]
    fn every_command_that_a_procedure_names_is_one() {
        for guide in crate::config::guides::load(None).unwrap() {
            let lines = guide.steps.iter().filter_map(|step| match &step.act {
                Act::Command(line) => Some(line),
                Act::Look(line) if line.starts_with("backout ") => Some(line),
                Act::Look(_) | Act::Change(_) | Act::Hand => None,
            });
            for line in lines {
                let words = line.split_whitespace();
                if let Err(error) = Arguments::try_parse_from(words) {
                    panic!("{}: {line}: {error}", guide.id);
                }
            }
        }
    }
}
