//! `backout history`: past rollbacks (P-30, S-74).

use std::io::Write;

use crate::failure::{Exit, Failure};
use crate::report::documents;
use crate::report::history::History;

use super::session;
use super::{World, say};

pub(crate) fn run(world: &World, out: &mut dyn Write) -> Result<Exit, Failure> {
    let place = session::place(world)?;
    let file = &place.config.history_log;
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            let why = format!("could not read {}: {error}", file.display());
            return Err(Failure::new(Exit::Unknown, why));
        }
    };
    let history = History::parse(&text);
    if world.json {
        session::json(out, &documents::history(&history));
    } else {
        say(out, &text);
        say(out, &history.report());
    }
    Ok(Exit::Ok)
}
