//! A bundle of every file of a folder, for measuring from outside: read, redacted, hashed, packed.

use std::io::Write;
use std::path::Path;

use crate::adapters::Error;
use crate::evidence::bundle::{
    Automatic, Floor, From, Item, Limits, Manifest, Order, Trigger, make,
};
use crate::failure::{Exit, Failure};
use crate::redact::Redactor;

use super::super::{World, say};

pub(super) fn run(
    world: &World,
    (folder, file): (&Path, &Path),
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let failed = |error: Error| Failure::new(Exit::Unknown, error.message);
    let entries = std::fs::read_dir(folder);
    let entries = entries.map_err(|e| failed(Error::io("read", folder.display(), &e)))?;
    let items: Vec<Item> = entries
        .flatten()
        .map(|entry| Item {
            path: format!("logs/{}", entry.file_name().to_string_lossy()),
            kind: "log",
            from: From::File(entry.path()),
        })
        .collect();
    let now = || world.clock.now();
    let order = Order {
        folder: file.parent().unwrap_or(folder),
        file: Some(file),
        about: Manifest::begun(Trigger::Asked, now()),
        limits: Limits::none(),
        floor: Floor { bytes: 0, percent: 0 },
        automatic: Automatic::No,
        now: &now,
        cancel: &|| false,
    };
    let made = make(order, items, &Redactor::default()).map_err(failed)?;
    say(out, &format!("{} {}\n", made.sha256, made.path.display()));
    Ok(Exit::Ok)
}
