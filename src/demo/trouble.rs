//! Making something wrong with a stack, and right again.

use std::fs;
use std::path::Path;

use crate::adapters::process::Program;
use crate::adapters::{Error, Kind};
use crate::clock::Clock;
use crate::failure::{Exit, Failure};

use super::children::{living, start_ready};
use super::damage;
use super::disk::write_json;
use super::down::end_one;
use super::fault::{Fault, FaultFile};
use super::fault_switch::fault_of;
use super::files::{break_settings, mend_settings};
use super::layout::{Color, Layout};
use super::proxy_control::Kept;
use super::role::failure;
use super::status::{Status, existing, status};

/// Makes `fault` happen to the colour that has the traffic, and returns which one that is.
/// Faults of the database add to those of the app.
pub async fn break_(dir: &Path, fault: Fault, clock: &Clock) -> Result<Color, Failure> {
    let layout = Layout::new(dir);
    existing(&layout)?;
    if fault.comes_with_the_deploy() {
        return Err(too_late(fault));
    }
    let color = Kept::load(&layout, clock.now()).active;
    if living(&layout, color.word()).is_none() {
        let dir = layout.dir().display();
        return Err(Failure::new(
            Exit::Unknown,
            format!("could not break {color}: it does not run"),
        )
        .hint(format!("start it with `backout demo heal --dir {dir}`")));
    }
    apply(&layout, color, fault).await.map_err(|e| failure(&e))?;
    Ok(color)
}

/// Why a stack that runs cannot get this fault.
pub fn too_late(fault: Fault) -> Failure {
    Failure::new(
        Exit::Usage,
        format!("could not make {fault}: it is part of a deploy, and this stack has had its own"),
    )
    .hint(format!("start a new one: backout demo up --dir NEW --fault {fault}"))
}

/// Makes `fault` happen to `color`. What is wrong with the data is not noted with the colour: it
/// shows by itself, and does not end with it.
pub async fn apply(layout: &Layout, color: Color, fault: Fault) -> Result<(), Error> {
    match fault {
        Fault::DbDown => {
            let (from, to) = (layout.database(), layout.database_off());
            if from.exists() {
                fs::rename(&from, &to).map_err(|e| Error::io("take away", from.display(), &e))?;
            }
        }
        Fault::BadConfig => break_settings(layout, color)?,
        Fault::TableDropped => return damage::drop_sessions(layout).await,
        Fault::Corruption => return damage::corrupt(layout).await,
        Fault::BadMigration(_) | Fault::DestructiveUp => {
            let why = format!("could not make {fault}: it is part of a deploy");
            return Err(Error::new(Kind::Rejected, why));
        }
        Fault::Crash | Fault::Errors(_) | Fault::Latency(_) | Fault::Hang | Fault::Leak => {}
    }
    write_json(&layout.of(color, "fault.json"), &FaultFile { fault })
}

/// Removes every fault of the processes and starts what crashed; what was stopped on purpose stays
/// stopped. Lost and broken rows stay so, and the status says it.
pub async fn heal(dir: &Path, program: &Program, clock: &Clock) -> Result<Status, Failure> {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let layout = Layout::new(dir);
    existing(&layout)?;
    let leaking = |color: &Color| fault_of(&layout.of(*color, "fault.json")) == Some(Fault::Leak);
    let leaking: Vec<Color> = Color::ALL.into_iter().filter(leaking).collect();
    clear(&layout).map_err(|e| failure(&e))?;
    for color in leaking {
        // Only a new process gives back what the old one took.
        let name = color.word();
        if end_one(&layout, name, clock).await.map_err(|e| failure(&e))? {
            start_ready(&layout, name, program, clock).await.map_err(|e| failure(&e))?;
        }
    }
    for name in ["blue", "blue-worker", "green", "green-worker", "proxy", "traffic"] {
        if living(&layout, name).is_none() && !stopped(&layout, name) {
            let started = start_ready(&layout, name, program, clock).await;
            started.map_err(|e| failure(&e))?;
        }
    }
    status(layout.dir(), clock).await
}

/// Removes every fault.
pub fn clear(layout: &Layout) -> Result<(), Error> {
    let (database, off) = (layout.database(), layout.database_off());
    if off.exists() && !database.exists() {
        fs::rename(&off, &database).map_err(|e| Error::io("put back", database.display(), &e))?;
    }
    for color in Color::ALL {
        mend_settings(layout, color)?;
        let path = layout.of(color, "fault.json");
        if path.exists() {
            fs::remove_file(&path).map_err(|e| Error::io("remove", path.display(), &e))?;
        }
    }
    Ok(())
}

/// Whether the last that the ledger knows of an app is that it stopped by itself when told to.
pub fn stopped(layout: &Layout, name: &str) -> bool {
    let ledger = fs::read_to_string(layout.at("ledger.log")).unwrap_or_default();
    let (start, stop) = (format!(" start {name} "), format!(" stop {name} "));
    let mut lines = ledger.lines().rev();
    let last = lines.find(|line| line.contains(&start) || line.contains(&stop));
    last.is_some_and(|line| line.contains(&stop))
}

#[cfg(test)]
mod tests {
    use super::super::stage::Stage;
    use super::*;

    #[test]
    fn who_stopped_by_itself_is_told_from_who_crashed() {
        let stage = Stage::bare();
        for (line, green, blue) in [
            ("start blue -", false, false),
            ("start green -", false, false),
            ("stop green -", true, false),
            ("switch green->blue run-1.switch.1", true, false),
            ("start green -", false, false),
            ("stop blue -", false, true),
        ] {
            let (what, effect) = line.rsplit_once(' ').unwrap();
            stage.layout.ledger(stage.clock.now(), what, effect).unwrap();
            let seen = (stopped(&stage.layout, "green"), stopped(&stage.layout, "blue"));
            assert_eq!(seen, (green, blue), "{line}");
        }
        assert!(!stopped(&stage.layout, "proxy"));
    }

    #[tokio::test]
    async fn nothing_is_broken_where_no_stack_is() {
        let stage = Stage::bare();
        let refused = break_(stage.dir.path(), Fault::Hang, &stage.clock).await.unwrap_err();
        assert!(refused.message.starts_with("could not find a demo stack in "), "{refused}");
        assert!(refused.hints[0].contains("backout demo up --dir "), "{refused}");
    }

    #[tokio::test]
    async fn a_colour_that_does_not_run_is_not_broken() {
        let stage = Stage::full().await;
        let refused = break_(stage.dir.path(), Fault::DbDown, &stage.clock).await.unwrap_err();
        assert_eq!(refused.message, "could not break blue: it does not run");
        assert!(stage.layout.database().exists());
    }

    #[tokio::test]
    async fn a_fault_of_a_deploy_is_not_made_on_a_stack_that_has_had_its_own() {
        let stage = Stage::full().await;
        for word in ["bad-migration", "bad-migration:broken-down", "destructive-up"] {
            let fault: Fault = word.parse().unwrap();
            let refused = break_(stage.dir.path(), fault, &stage.clock).await.unwrap_err();
            let expected = format!("backout demo up --dir NEW --fault {word}");
            assert!(refused.hints[0].ends_with(&expected), "{refused}");
        }
        assert_eq!(damage::data(&stage.layout).await.damage, Vec::<String>::new());
    }

    #[tokio::test]
    async fn bad_settings_are_mended_to_the_byte() {
        let stage = Stage::full().await;
        let read = || [stage.read(".env"), stage.read("green/.env"), stage.read("blue/.env")];
        let before = read();
        apply(&stage.layout, Color::Green, Fault::BadConfig).await.unwrap();
        let broken = read();
        assert!(broken[0] != before[0] && broken[1] != before[1] && broken[2] == before[2]);
        clear(&stage.layout).unwrap();
        assert_eq!(read(), before);
    }
}
