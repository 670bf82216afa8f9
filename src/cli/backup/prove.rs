//! `backout backup verify`: reads points through, and restores them for a test.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use serde::Serialize;

use crate::evidence::archive::Damage;
use crate::evidence::points::{self, Point};
use crate::failure::{Exit, Failure};
use crate::model::ids::PointId;
use crate::model::tables::grouped;

use super::teller::Teller;
use super::{Store, World, failed, say, session};

/// What a look at one point found.
#[derive(Serialize)]
struct Found {
    id: PointId,
    whole: bool,
    /// Whether a manifest was there to hold it against.
    proven: bool,
    files: usize,
    wrong: Vec<Damage>,
    /// The next older point that is whole, where this one is not.
    instead: Option<PointId>,
    /// Rows by table, when it was restored.
    restored: Option<BTreeMap<String, u64>>,
}

pub(super) async fn verify(
    world: &World,
    store: &Store,
    id: Option<&str>,
    restore_test: bool,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let all = store.points()?;
    let chosen = match id {
        Some(id) => vec![points::find(&store.folder, id).map_err(failed)?],
        None => all.clone(),
    };
    let mut found = Vec::new();
    for point in &chosen {
        let one = look(world, store, (point, &all), restore_test).await?;
        if !world.json {
            say(out, &shown(&one, restore_test));
        }
        found.push(one);
    }
    if world.json {
        session::json(out, &found);
    } else if chosen.is_empty() {
        say(out, &format!("no restore points in {}\n", store.folder.display()));
    }
    let whole = found.iter().all(|one| one.whole);
    Ok(if whole { Exit::Ok } else { Exit::Critical })
}

async fn look(
    world: &World,
    store: &Store,
    (point, all): (&Point, &[Point]),
    restore_test: bool,
) -> Result<Found, Failure> {
    let teller = Teller::of(world);
    let told = |done, all| teller.say(&format!("reading {}", point.id), done, all);
    let mut found = Found {
        id: point.id.clone(),
        whole: false,
        proven: point.manifest.is_some(),
        files: 0,
        wrong: Vec::new(),
        instead: None,
        restored: None,
    };
    match points::verify(point, store.key.as_ref(), &told) {
        Err(wrong) => found.wrong = wrong,
        Ok(verified) => {
            found.files = verified.names().count();
            if restore_test {
                let scratch =
                    store.place.config.state_dir.join(format!("trial-{}", std::process::id()));
                let database =
                    crate::adapters::sqlite::SqliteDatabase::new(scratch.join("database"));
                let says = |what: &str, done, all| teller.say(what, done, all);
                let trial = points::try_restore(Arc::new(verified), &scratch, &database, &says)
                    .await
                    .map_err(failed)?;
                let rows = trial.tables.into_iter().map(|table| (table.name, table.rows));
                found.restored = Some(rows.collect());
                found.wrong = trial.wrong;
                if found.wrong.is_empty() {
                    points::record_test(point, world.clock.now()).map_err(failed)?;
                }
            }
        }
    }
    found.whole = found.wrong.is_empty();
    if !found.whole {
        let instead = points::next_older_good(all, point, store.key.as_ref(), &|_, _| {});
        found.instead = instead.map(|verified| verified.point.id);
    }
    Ok(found)
}

fn shown(found: &Found, restore_test: bool) -> String {
    let mut text = if !found.whole {
        format!("✗ {}: REFUSED\n", found.id)
    } else if found.proven {
        format!("✓ {}: {} files, every byte as the manifest says\n", found.id, found.files)
    } else {
        let id = &found.id;
        format!("? {id}: {} files can be read; made by hand: not proven\n", found.files)
    };
    for damage in &found.wrong {
        text.extend(["    ", &damage.to_string(), "\n"]);
    }
    if let Some(rows) = &found.restored {
        let counts: Vec<String> =
            rows.iter().map(|(table, rows)| format!("{table} {}", grouped(*rows))).collect();
        text.extend(["    restored for a test: ", &counts.join(", "), "\n"]);
    }
    match &found.instead {
        Some(id) => text.extend(["    the next older that is whole: ", id.as_str(), "\n"]),
        None if !found.whole => text.push_str("    no older one is whole\n"),
        None => {}
    }
    if restore_test && found.whole {
        text.push_str("    the scratch place is removed again\n");
    }
    text
}
