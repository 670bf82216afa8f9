//! One file per subcommand. Text and JSON come from the same situation.

mod assess;
mod attach;
mod check;
pub mod demo;
mod hidden;
mod history;
mod look;
mod plan;
mod ps;
mod rollback;
mod session;
mod status;
mod validate;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::adapters::process::Program;
use crate::clock::Clock;
use crate::config::Environment;
use crate::failure::{Exit, Failure};

/// Back out a bad deploy, and survive doing so.
#[derive(Parser, Debug)]
#[command(name = "backout", version, about, disable_help_subcommand = true)]
struct Arguments {
    /// The configuration [default: `$BACKOUT_CONFIG`, ./backout.yaml, /etc/backout/backout.yaml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One JSON document instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    screen: attach::Screen,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Look once with every check; exit 0 ok, 1 warning, 2 critical, 3 unknown
    Check(check::Check),
    /// Say how bad it is, what the decision tree says, and which level is suggested
    Assess,
    /// List what can be gone back to
    Targets,
    /// Show the plan of a level: steps, undo, data, preflight; changes nothing
    Plan(plan::PlanArguments),
    /// Roll back
    Rollback(rollback::Rollback),
    /// Open the console on a running engine
    Attach(attach::AttachArguments),
    /// Run the validation checks of a rolled-back environment
    Validate(validate::Validate),
    /// Say where things stand
    Status,
    /// List past rollbacks
    History,
    /// Stop the run that is open
    Abort(status::AbortArguments),
    /// List the engines of this user
    Ps,
    /// Check or show the configuration
    Config {
        #[command(subcommand)]
        what: look::ConfigCommand,
    },
    /// The embedded stack: a bad deploy to try everything on
    Demo(demo::DemoArguments),
    #[command(name = "__keep", hide = true)]
    Keep(hidden::EngineArguments),
    #[command(name = "__engine", hide = true)]
    Engine(hidden::EngineArguments),
    #[command(name = "__step", hide = true)]
    Step { slot: PathBuf },
    #[command(name = "__demo", hide = true)]
    DemoRole {
        role: String,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
}

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

async fn dispatch(arguments: Arguments) -> Result<ExitCode, Failure> {
    let world = World {
        program: Program::this(),
        clock: Clock::real(),
        environment: Environment::read(),
        config: arguments.config,
        json: arguments.json,
    };
    let out = &mut std::io::stdout();
    let Some(command) = arguments.command else {
        return look::or_console(&world, &arguments.screen, out).await.map(code);
    };
    let exit = match command {
        Command::Check(check) => check::run(&world, &check, out).await,
        Command::Assess => assess::run(&world, out).await,
        Command::Targets => plan::targets(&world, out).await,
        Command::Plan(plan) => plan::run(&world, &plan, out).await,
        Command::Rollback(rollback) => Box::pin(rollback::run(&world, &rollback, out)).await,
        Command::Attach(attach) => attach::run(&world, &attach, &arguments.screen).await,
        Command::Validate(validate) => validate::run(&world, &validate, out).await,
        Command::Status => status::run(&world, out).await,
        Command::History => history::run(&world, out),
        Command::Abort(abort) => status::abort(&world, &abort, out).await,
        Command::Ps => ps::run(&world, out).await,
        Command::Config { what } => look::config(&world, &what, out),
        Command::Demo(arguments_of_demo) => {
            demo::demo(&world, arguments_of_demo, &arguments.screen, out).await
        }
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
