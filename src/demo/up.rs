//! Starting a stack: a fresh one with the deploy in it, or one whose processes have ended.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Duration;

use crate::adapters::process::Program;
use crate::adapters::{Error, Kind};
use crate::clock::Clock;
use crate::failure::{Exit, Failure};

use super::children::{living, start_ready};
use super::configuration::write_configuration;
use super::deploy::deploy;
use super::disk::{write, write_json};
use super::down::end;
use super::fault::Fault;
use super::files::{OLD, write_all};
use super::layout::{DemoFile, Layout, NamedProcess, Ports, VERSION};
use super::proxy_control::Kept;
use super::restore_points;
use super::role::failure;
use super::status::{Status, status};
use super::trouble::{apply, clear, too_late};

/// Below the ports that the system gives to outgoing connections: one of these could take the port
/// of a stopped app.
const PORTS: std::ops::Range<u16> = 10_000..32_000;
/// When a running app has surely seen its fault.
const SEEN_AFTER: Duration = Duration::from_millis(150);
/// How often other ports are tried when somebody was faster.
const ATTEMPTS: usize = 3;
/// The processes of a stack in the order they are started.
const NAMES: [&str; 6] = ["blue", "blue-worker", "green", "green-worker", "proxy", "traffic"];
/// What a half-made stack consists of.
const OURS: [&str; 19] = [
    "blue",
    "blue-worker",
    "green",
    "green-worker",
    "proxy",
    "traffic",
    "data",
    "migrations",
    "config",
    "backups",
    "releases",
    ".env",
    "deploys.jsonl",
    "ledger.log",
    "proxy.log",
    "traffic.log",
    "written.jsonl",
    "traffic.json",
    "backout.yaml",
];

/// Starts the stack in `dir`, makes `fault` happen to the deployed version, and returns what it looks like.
pub async fn up(
    dir: &Path,
    fault: Option<Fault>,
    program: &Program,
    clock: &Clock,
) -> Result<Status, Failure> {
    let layout = prepared(dir)?;
    let known = layout.demo().ok().filter(|demo| demo.complete);
    let with_deploy = fault.filter(|fault| fault.comes_with_the_deploy());
    if let (Some(_), Some(fault)) = (&known, with_deploy) {
        return Err(too_late(fault));
    }
    let started = match known {
        Some(demo) => restart(&layout, demo, program, clock).await,
        None => fresh(&layout, with_deploy, program, clock).await,
    };
    let faulty = match (started, fault) {
        (Ok(()), Some(fault)) if with_deploy.is_none() => break_active(&layout, fault, clock).await,
        (started, _) => started,
    };
    if let Err(error) = faulty {
        // The reason is what counts; what could not be ended shows in `status`.
        end(&layout, clock).await.ok();
        let dir = layout.dir().display();
        return Err(failure(&error)
            .hint(format!("read {dir}/*/output.log, then try again or choose another folder")));
    }
    status(layout.dir(), clock).await
}

/// Makes `fault` happen to the colour with the traffic, which after a deploy is green.
async fn break_active(layout: &Layout, fault: Fault, clock: &Clock) -> Result<(), Error> {
    apply(layout, Kept::load(layout, clock.now()).active, fault).await?;
    clock.sleep(SEEN_AFTER).await;
    Ok(())
}

/// The folder, made if it is not there, with nothing in it or a stack of which nothing lives.
fn prepared(dir: &Path) -> Result<Layout, Failure> {
    let cannot = |why: String| {
        Failure::new(
            Exit::Unknown,
            format!("could not start a demo stack in {}: {why}", dir.display()),
        )
    };
    let made = fs::create_dir_all(dir).and_then(|()| dir.canonicalize());
    let layout = Layout::new(made.map_err(|e| cannot(e.to_string()))?);
    let shown = dir.display();
    if layout.demo().is_err() {
        let mut found = fs::read_dir(layout.dir()).map_err(|e| cannot(e.to_string()))?;
        if found.next().is_some() {
            return Err(cannot("the folder holds other files".to_owned())
                .hint("choose an empty folder with `--dir DIR`"));
        }
    }
    if let Some(name) = NAMES.iter().find(|name| living(&layout, name).is_some()) {
        return Err(cannot(format!("a stack already runs there ({name} lives)"))
            .hint(format!("see it with `backout demo status --dir {shown}`"))
            .hint(format!("end it with `backout demo down --dir {shown}`")));
    }
    Ok(layout)
}

/// Makes a stack, again with other ports if one of them was taken meanwhile.
async fn fresh(
    layout: &Layout,
    fault: Option<Fault>,
    program: &Program,
    clock: &Clock,
) -> Result<(), Error> {
    let mut made = Ok(());
    for _ in 0..ATTEMPTS {
        for name in OURS {
            let path = layout.at(name);
            let removed =
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            // What is not there need not go; what cannot go fails when it is written.
            removed.ok();
        }
        made = make(layout, fault, program, clock).await;
        match &made {
            Err(e) if e.kind == Kind::Held => end(layout, clock).await?,
            Ok(()) | Err(_) => break,
        };
    }
    made
}

async fn make(
    layout: &Layout,
    fault: Option<Fault>,
    program: &Program,
    clock: &Clock,
) -> Result<(), Error> {
    let ports = free_ports()?;
    let mut demo = DemoFile { layout: VERSION, complete: false, ports, processes: Vec::new() };
    write_json(&layout.at("demo.json"), &demo)?;
    write_all(layout, fault, clock).await?;
    for name in ["blue", "blue-worker", "proxy", "traffic"] {
        start_ready(layout, name, program, clock).await?;
    }
    restore_points::take(layout, OLD, clock.now()).await?;
    deploy(layout, fault, program, clock).await?;
    write_configuration(layout, ports)?;
    complete(layout, &mut demo)
}

/// Starts the processes of a finished stack again, on the same ports where they are still free.
async fn restart(
    layout: &Layout,
    mut demo: DemoFile,
    program: &Program,
    clock: &Clock,
) -> Result<(), Error> {
    clear(layout)?;
    let old = demo.ports;
    if [old.public, old.control, old.blue, old.green].into_iter().any(|port| !is_free(port)) {
        demo.ports = free_ports()?;
        move_configuration(layout, old, demo.ports)?;
    }
    write_json(&layout.at("demo.json"), &demo)?;
    for name in NAMES {
        start_ready(layout, name, program, clock).await?;
    }
    complete(layout, &mut demo)
}

fn complete(layout: &Layout, demo: &mut DemoFile) -> Result<(), Error> {
    demo.complete = true;
    demo.processes = NAMES
        .iter()
        .filter_map(|name| {
            let identity = living(layout, name)?;
            Some(NamedProcess { name: (*name).to_owned(), identity })
        })
        .collect();
    write_json(&layout.at("demo.json"), demo)
}

/// Puts the new ports into `backout.yaml` and leaves the rest of it as people made it.
fn move_configuration(layout: &Layout, old: Ports, new: Ports) -> Result<(), Error> {
    let path = layout.at("backout.yaml");
    let mut text = fs::read_to_string(&path).map_err(|e| Error::io("read", path.display(), &e))?;
    let moves = [
        (old.public, new.public),
        (old.control, new.control),
        (old.blue, new.blue),
        (old.green, new.green),
    ];
    // In two passes, for a new port may be one of the old.
    for (at, (old, _)) in moves.iter().enumerate() {
        text = text.replace(&format!("127.0.0.1:{old}"), &format!("127.0.0.1:<{at}>"));
    }
    for (at, (_, new)) in moves.iter().enumerate() {
        text = text.replace(&format!("127.0.0.1:<{at}>"), &format!("127.0.0.1:{new}"));
    }
    write(&path, text.as_bytes())
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Four free ports, all held until the last is found.
fn free_ports() -> Result<Ports, Error> {
    let mut held = Vec::new();
    for _ in 0..1000 {
        let random = getrandom::u32().map_err(|error| {
            Error::new(Kind::Local, format!("could not choose ports: no random numbers: {error}"))
        })?;
        let span = u32::from(PORTS.end - PORTS.start);
        let port = PORTS.start + u16::try_from(random % span).unwrap_or(0);
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push((port, listener));
        }
        if let [(public, _), (control, _), (blue, _), (green, _)] = held.as_slice() {
            let (public, control, blue, green) = (*public, *control, *blue, *green);
            return Ok(Ports { public, control, blue, green });
        }
    }
    Err(Error::new(Kind::Local, "could not find four free loopback ports"))
}

#[cfg(test)]
mod tests {
    use super::super::stage::Stage;
    use super::*;

    #[test]
    fn a_folder_with_other_files_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("thesis.txt"), b"years of work").unwrap();
        let refused = prepared(dir.path()).unwrap_err();
        assert!(refused.message.ends_with(": the folder holds other files"), "{refused}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(prepared(&dir.path().join("new/folder")).is_ok());
    }

    #[tokio::test]
    async fn a_stack_with_a_living_process_is_not_started_again() {
        let stage = Stage::full().await;
        assert!(prepared(stage.dir.path()).is_ok());
        super::super::children::announce(&stage.layout, "proxy", None, vec![]).unwrap();
        let refused = prepared(stage.dir.path()).unwrap_err();
        let message = "a stack already runs there (proxy lives)";
        assert!(refused.message.ends_with(message), "{refused}");
        assert_eq!(refused.hints.len(), 2);
    }

    #[test]
    fn moved_ports_keep_what_people_wrote_into_the_configuration() {
        let stage = Stage::bare();
        let old = Ports { public: 10_001, control: 10_002, blue: 10_003, green: 10_004 };
        let new = Ports { public: 10_002, control: 10_001, blue: 10_005, green: 10_004 };
        write_configuration(&stage.layout, old).unwrap();
        let mine = "\n# my own check at port 10003\n";
        let text = stage.read("backout.yaml") + mine;
        write(&stage.layout.at("backout.yaml"), text.as_bytes()).unwrap();
        move_configuration(&stage.layout, old, new).unwrap();
        let expected = super::super::configuration::text(new) + mine;
        assert_eq!(stage.read("backout.yaml"), expected);
    }

    #[test]
    fn the_ports_are_four_different_ones_below_those_of_outgoing_connections() {
        let Ports { public, control, blue, green } = free_ports().unwrap();
        let found = std::collections::HashSet::from([public, control, blue, green]);
        assert_eq!(found.len(), 4);
        assert!(found.iter().all(|port| PORTS.contains(port)));
    }
}
