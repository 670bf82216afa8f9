//! `backout ps`: the engines of this user.

use std::io::Write;

use crate::failure::{Exit, Failure};
use crate::link;

use super::session;
use super::{World, say};

pub(crate) async fn run(world: &World, out: &mut dyn Write) -> Result<Exit, Failure> {
    let uid = rustix::process::geteuid().as_raw();
    let runtime = world.environment.runtime_dir();
    let name = world.environment.user().unwrap_or("somebody");
    let found = link::running(runtime.as_deref(), uid, name, &world.clock)
        .await
        .map_err(|error| Failure::new(Exit::Unknown, error.to_string()))?;
    if world.json {
        let list: Vec<serde_json::Value> = found
            .running
            .iter()
            .map(|engine| {
                serde_json::json!({
                    "socket": engine.socket, "state": engine.state, "pid": engine.pid,
                    "version": engine.version, "epoch": engine.epoch, "seq": engine.seq,
                })
            })
            .collect();
        session::json(out, &serde_json::Value::Array(list));
        return Ok(Exit::Ok);
    }
    for engine in &found.running {
        let place = engine.state.as_ref().unwrap_or(&engine.socket).display();
        let line = format!(
            "{:<8} v{:<8} epoch {:<4} seq {:<8} {place}\n",
            engine.pid, engine.version, engine.epoch, engine.seq,
        );
        say(out, &line);
    }
    for (socket, why) in &found.silent {
        say(out, &format!("?        no answer: {why}  {}\n", socket.display()));
    }
    if found.running.is_empty() && found.silent.is_empty() {
        say(out, "no engine runs\n");
    }
    Ok(Exit::Ok)
}
