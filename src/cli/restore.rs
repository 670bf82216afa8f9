//! `backout restore beside`: a restore point's database beside the live one, to copy a table or a
//! column back by hand (design 24). Nothing of the live data is changed.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::adapters::Error;
use crate::adapters::database::Database;
use crate::config::Config;
use crate::engine::stack;
use crate::evidence::manifest::Key;
use crate::evidence::points;
use crate::failure::{Exit, Failure};
use crate::model::entry::Command;
use crate::text::SafeText;

use super::session::{self, Need, Session};
use super::{World, say};

#[derive(Subcommand, Debug)]
pub(crate) enum RestoreCommand {
    /// Restore a point's database beside the live one, and say how to copy a table back from it
    Beside(Beside),
}

#[derive(Args, Debug)]
pub(crate) struct Beside {
    /// The restore point
    #[arg(long, value_name = "ID")]
    point: String,
    /// The table that is wanted back
    #[arg(long, required_unless_present = "remove")]
    table: Option<String>,
    /// One column of it; without it, the rows that are missing
    #[arg(long, requires = "table")]
    column: Option<String>,
    /// Do it: it takes the room of a second database
    #[arg(long)]
    yes: bool,
    /// Remove the copy again
    #[arg(long, conflicts_with_all = ["table", "column"])]
    remove: bool,
}

pub(crate) async fn run(
    world: &World,
    what: &RestoreCommand,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let RestoreCommand::Beside(asked) = what;
    let place = session::place(world)?;
    let database = stack::database(&place.config, &world.clock).ok_or_else(|| {
        Failure::new(Exit::Blocked, "no database is configured").hint("name one under database:")
    })?;
    let name = name_of(&asked.point);
    if !asked.yes {
        let verb = if asked.remove { "remove" } else { "restore" };
        let message = format!("would {verb} {} beside it", database.beside(&name).name());
        return Err(Failure::new(Exit::NotConfirmed, message).hint("add --yes"));
    }
    let mut session = Session::open(world, Need::Change).await?;
    let mut nowhere = std::io::sink();
    let told: &mut dyn Write = if world.json { &mut nowhere } else { &mut *out };
    let done = if asked.remove {
        removed(database.as_ref(), &name).await
    } else {
        restored(&place.config, &database, asked, &name, told).await
    };
    let (note, sql) = match done {
        Ok(done) => done,
        Err(failure) => {
            session.close().await;
            return Err(failure);
        }
    };
    session.send(Command::Note { text: SafeText::new(&note) }).await?;
    session.close().await;
    if world.json {
        let copy = database.beside(&name).name();
        session::json(out, &json!({"copy": copy, "note": note, "sql": sql}));
        return Ok(Exit::Ok);
    }
    say(out, &format!("{note}\n"));
    if !sql.is_empty() {
        let (point, live) = (&asked.point, database.name());
        say(out, &format!("\nTo copy it back, read this and run it on {live}:\n\n"));
        say(out, &format!("{}\n\n", sql.join("\n")));
        say(
            out,
            &format!(
                "Then remove the copy: backout restore beside --point {point} --remove --yes\n"
            ),
        );
    }
    Ok(Exit::Ok)
}

/// Of the copy, whatever the point is called.
fn name_of(point: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("point_{}", point.chars().map(plain).collect::<String>())
}

type Done = Result<(String, Vec<String>), Failure>;

async fn removed(database: &dyn Database, name: &str) -> Done {
    database.remove_beside(name).await.map_err(failed)?;
    Ok((format!("removed {}", database.beside(name).name()), Vec::new()))
}

async fn restored(
    config: &Config,
    database: &Arc<dyn Database>,
    asked: &Beside,
    name: &str,
    out: &mut dyn Write,
) -> Done {
    let folder = config.restore_points.clone();
    let folder =
        folder.ok_or_else(|| Failure::new(Exit::Blocked, "restore_points is not configured"))?;
    say(out, &format!("reading {} through\n", asked.point));
    let dump = verified(folder, asked.point.clone(), config.restore_points_key.clone()).await?;
    say(out, "restoring it beside\n");
    let effect = format!("restore-beside.{}", asked.point);
    database.restore_beside(&dump, name, &effect, &|_, _| {}).await.map_err(failed)?;
    let (table, column) = (asked.table.as_deref().unwrap_or_default(), asked.column.as_deref());
    let sql = match database.copy_back(name, table, column).await {
        Ok(sql) => sql,
        Err(error) => {
            // Nobody asked for a copy that does not hold what is wanted.
            database.remove_beside(name).await.map_err(failed)?;
            return Err(failed(error));
        }
    };
    let copy = database.beside(name).name();
    let what = column.map_or_else(|| table.to_owned(), |column| format!("{table}.{column}"));
    let note = format!("{} is restored beside as {copy}, to copy {what} back", asked.point);
    Ok((note, sql))
}

async fn verified(folder: PathBuf, id: String, key: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let read = move || {
        let key = key.as_deref().map(Key::read).transpose().map_err(failed)?;
        let point = points::find(&folder, &id).map_err(failed)?;
        points::verify(&point, key.as_ref(), &|_, _| {}).map_err(|damage| {
            let why = format!("restore point {id} is refused: {}", points::words(&damage));
            Failure::new(Exit::Blocked, why).hint("choose another: backout targets")
        })?;
        Ok(point.path.join(points::DATABASE))
    };
    let read = tokio::task::spawn_blocking(read).await;
    read.unwrap_or_else(|error| Err(Failure::new(Exit::Unknown, error.to_string())))
}

fn failed(error: Error) -> Failure {
    Failure::new(Exit::Blocked, error.message).hint("nothing of the live data was changed")
}
