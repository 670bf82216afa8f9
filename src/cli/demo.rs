//! `backout demo`: the embedded stack.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use rustix::process::Signal;

use crate::adapters::process::Identity;
use crate::demo::{self, Color, Fault, Instance, Status};
use crate::failure::{Exit, Failure};
use crate::link;

use super::attach::{self, Screen};
use super::{World, say, session};

/// Where the stack lies if nobody says otherwise.
pub const DEFAULT_DIR: &str = "./backout-demo";

/// What to do with the embedded stack.
#[derive(Clone, Debug, Subcommand)]
pub enum DemoCommand {
    /// Start a stack with a fresh deploy of v2.5.0 in it, or start an ended one again
    Up {
        /// Folder of the stack
        #[arg(long, default_value = DEFAULT_DIR)]
        dir: PathBuf,
        /// What goes wrong with green: crash, errors:P, latency:MS, hang, db-down, bad-config, leak,
        /// table-dropped, corruption, bad-migration, bad-migration:broken-down, destructive-up
        #[arg(long)]
        fault: Option<Fault>,
    },
    /// Make something wrong with the version that has the traffic
    Break {
        /// crash, errors:P, latency:MS, hang, db-down, bad-config, leak, table-dropped, corruption
        fault: Fault,
        /// Folder of the stack
        #[arg(long, default_value = DEFAULT_DIR)]
        dir: PathBuf,
    },
    /// Remove every fault and start what crashed; rows that are lost or broken stay so
    Heal {
        /// Folder of the stack
        #[arg(long, default_value = DEFAULT_DIR)]
        dir: PathBuf,
    },
    /// Show which version has the traffic and how both are
    Status {
        /// Folder of the stack
        #[arg(long, default_value = DEFAULT_DIR)]
        dir: PathBuf,
    },
    /// End the stack's processes; its files stay
    Down {
        /// Folder of the stack
        #[arg(long, default_value = DEFAULT_DIR)]
        dir: PathBuf,
    },
}

/// `backout demo`: alone it starts a fresh stack with a bad deploy and opens the console.
#[derive(Args, Debug)]
pub(crate) struct DemoArguments {
    #[command(subcommand)]
    command: Option<DemoCommand>,
    /// Folder of the fresh stack [default: a new one under the temporary folder]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// What goes wrong: crash, errors:P, latency:MS, hang, db-down, bad-config, leak,
    /// table-dropped, corruption, bad-migration, bad-migration:broken-down, destructive-up
    #[arg(long, default_value = "errors:0.3")]
    fault: Fault,
}

/// Runs `backout demo …`.
pub(crate) async fn demo(
    world: &World,
    arguments: DemoArguments,
    screen: &Screen,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    match arguments.command {
        Some(command) => run(world, command, out).await,
        None => Box::pin(play(world, arguments, screen, out)).await,
    }
}

/// One of the stack's own processes.
pub(crate) async fn role(world: &World, role: &str, rest: &[String]) -> Result<ExitCode, Failure> {
    demo::role(role, rest, &world.clock).await.map(ExitCode::from)
}

/// A fresh stack, a bad deploy, the console; afterwards the stack is kept or ended.
async fn play(
    world: &World,
    arguments: DemoArguments,
    screen: &Screen,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let dir = arguments.dir.unwrap_or_else(|| {
        let stamp = world.clock.now().format("%Y%m%d-%H%M%S");
        std::env::temp_dir().join(format!("backout-demo-{stamp}-{}", std::process::id()))
    });
    say(out, &format!("starting a stack in {} …\n", dir.display()));
    let status = demo::up(&dir, Some(arguments.fault), &world.program, &world.clock).await?;
    say(out, &describe(&status));
    let world_of_demo = World { config: Some(dir.join("backout.yaml")), ..world.again() };
    let place = session::place(&world_of_demo)?;
    let ended = attach::open(&world_of_demo, &place, screen).await;
    if keep(out) {
        let file = dir.join("backout.yaml");
        say(out, &format!("kept; open it again with: backout --config {}\n", file.display()));
    } else {
        let count = down(world, &dir).await?;
        std::fs::remove_dir_all(&dir).ok();
        say(out, &format!("ended {count} processes and removed {}\n", dir.display()));
    }
    ended
}

/// How long the engine of a stack may take to end.
const END_LIMIT: Duration = Duration::from_secs(10);

/// Ends the engine that watches the stack in `dir`, and the stack; how many processes that were.
async fn down(world: &World, dir: &Path) -> Result<usize, Failure> {
    // First who watches: it would put on record that everything fails.
    let engine = end_engine(world, dir).await;
    Ok(demo::down(dir, &world.clock).await? + usize::from(engine))
}

/// An engine stays for a while where an incident is open; of a stack that ends nothing stays.
async fn end_engine(world: &World, dir: &Path) -> bool {
    let uid = rustix::process::geteuid().as_raw();
    let name = world.environment.user().unwrap_or("somebody");
    let runtime = world.environment.runtime_dir();
    let Ok(socket) = link::socket_path(&dir.join("state"), runtime.as_deref(), uid) else {
        return false;
    };
    let found = link::running(runtime.as_deref(), uid, name, &world.clock).await;
    let engines = found.map(|found| found.running).unwrap_or_default();
    let mut ours = engines.iter().filter(|engine| engine.socket == socket);
    let Some(engine) = ours.find_map(|engine| Identity::of(engine.pid)) else { return false };
    let gone = async {
        while engine.lives() {
            world.clock.sleep(Duration::from_millis(20)).await;
        }
    };
    engine.signal(Signal::TERM).is_ok() && world.clock.timeout(END_LIMIT, gone).await.is_ok()
}

/// Asks whether to keep the stack. The harmless answer is yes; without a terminal it is kept.
fn keep(out: &mut dyn Write) -> bool {
    if !std::io::stdin().is_terminal() {
        return true;
    }
    say(out, "keep the stack running? [Y/n] ");
    let mut typed = String::new();
    std::io::stdin().lock().read_line(&mut typed).ok();
    !matches!(typed.trim(), "n" | "N" | "no")
}

/// Runs one of them and writes what there is to say.
async fn run(world: &World, command: DemoCommand, out: &mut dyn Write) -> Result<Exit, Failure> {
    let (program, clock, json) = (&world.program, &world.clock, world.json);
    let text = match command {
        DemoCommand::Up { dir, fault } => {
            let status = demo::up(&dir, fault, program, clock).await?;
            let dir = dir.display();
            format!("{}look at it with `cd {dir}` and `backout`\n", describe(&status))
        }
        DemoCommand::Break { fault, dir } => {
            let color = demo::break_(&dir, fault, clock).await?;
            format!("{color} now has the fault {fault}\n")
        }
        DemoCommand::Heal { dir } => describe(&demo::heal(&dir, program, clock).await?),
        DemoCommand::Status { dir } => {
            let status = demo::status(&dir, clock).await?;
            if json { as_json(&status)? } else { describe(&status) }
        }
        DemoCommand::Down { dir } => {
            let ended = down(world, &dir).await?;
            format!("ended {ended} processes; the files stay in {}\n", shown(&dir))
        }
    };
    out.write_all(text.as_bytes())
        .map_err(|e| Failure::new(Exit::Unknown, format!("could not write the answer: {e}")))?;
    Ok(Exit::Ok)
}

fn shown(dir: &Path) -> String {
    dir.display().to_string()
}

fn as_json(status: &Status) -> Result<String, Failure> {
    serde_json::to_string(status)
        .map(|text| text + "\n")
        .map_err(|e| Failure::new(Exit::Unknown, format!("could not write the status: {e}")))
}

fn describe(status: &Status) -> String {
    let line = |color: Color, instance: &Instance| {
        let Instance { version, state, address, fault } = instance;
        let active = if status.active == color { "active" } else { "" };
        let fault = fault.map_or_else(String::new, |fault| format!("  fault {fault}"));
        let line = format!("{color:<6} {version}  {:<8} http://{address}  {active}", state.word());
        format!("{}{fault}\n", line.trim_end())
    };
    let rows: Vec<String> =
        status.tables.iter().map(|(table, rows)| format!("{table} {rows}")).collect();
    let mut data = String::new();
    if !rows.is_empty() {
        data = format!("rows   {}\n", rows.join(", "));
    }
    let damage = status.damage.iter();
    data.extend(damage.map(|line| format!("data   {line}: `demo heal` does not mend it\n")));
    format!(
        "{}{}proxy  http://{}  {} requests, {} failed\n{data}",
        line(Color::Blue, &status.blue),
        line(Color::Green, &status.green),
        status.public,
        status.requests,
        status.failed
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::demo::Health;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        command: DemoCommand,
    }

    fn instance(version: &str, state: Health, fault: Option<&str>) -> Instance {
        Instance {
            version: version.to_owned(),
            state,
            address: "127.0.0.1:10003".parse().unwrap(),
            fault: fault.map(|fault| fault.parse().unwrap()),
        }
    }

    #[test]
    fn the_status_is_a_table_for_people_and_json_for_scripts() {
        let status = Status {
            active: Color::Green,
            blue: instance("v2.4.9", Health::Up, None),
            green: instance("v2.5.0", Health::Failing, Some("errors:0.3")),
            public: "127.0.0.1:10001".parse().unwrap(),
            requests: 1234,
            failed: 56,
            tables: [("sessions".to_owned(), 612), ("users".to_owned(), 400)].into(),
            damage: vec!["60 rows point to users that are not there".to_owned()],
        };
        assert_eq!(
            describe(&status),
            "blue   v2.4.9  up       http://127.0.0.1:10003\n\
             green  v2.5.0  failing  http://127.0.0.1:10003  active  fault errors:0.3\n\
             proxy  http://127.0.0.1:10001  1234 requests, 56 failed\n\
             rows   sessions 612, users 400\n\
             data   60 rows point to users that are not there: `demo heal` does not mend it\n"
        );
        assert_eq!(
            as_json(&status).unwrap(),
            concat!(
                r#"{"active":"green","blue":{"version":"v2.4.9","state":"up","#,
                r#""address":"127.0.0.1:10003","fault":null},"green":{"version":"v2.5.0","#,
                r#""state":"failing","address":"127.0.0.1:10003","fault":"errors:0.3"},"#,
                r#""public":"127.0.0.1:10001","requests":1234,"failed":56,"#,
                r#""tables":{"sessions":612,"users":400},"#,
                r#""damage":["60 rows point to users that are not there"]}"#,
                "\n"
            )
        );
    }

    #[test]
    fn a_fault_that_does_not_exist_is_refused_on_the_command_line() {
        let refused = Line::try_parse_from(["demo", "break", "flood"]).unwrap_err();
        assert!(refused.to_string().contains("errors:P"), "{refused}");
        let up = Line::try_parse_from(["demo", "up"]).unwrap().command;
        assert!(
            matches!(up, DemoCommand::Up { dir, fault: None } if dir == Path::new(DEFAULT_DIR))
        );
    }

    #[tokio::test]
    async fn asking_for_a_stack_that_is_not_there_says_how_to_start_one() {
        let dir = tempfile::tempdir().unwrap();
        let world = World {
            program: crate::adapters::process::Program::this(),
            clock: crate::clock::Clock::real(),
            environment: crate::config::Environment::default(),
            config: None,
            json: true,
        };
        for command in [
            DemoCommand::Status { dir: dir.path().into() },
            DemoCommand::Down { dir: dir.path().into() },
            DemoCommand::Heal { dir: dir.path().into() },
            DemoCommand::Break { fault: Fault::Hang, dir: dir.path().into() },
        ] {
            let mut out = Vec::new();
            let refused = run(&world, command, &mut out).await.unwrap_err();
            assert_eq!(refused.exit, Exit::Unknown);
            assert!(refused.to_string().contains("backout demo up --dir"), "{refused}");
            assert!(out.is_empty());
        }
    }
}
