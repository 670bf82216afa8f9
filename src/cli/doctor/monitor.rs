//! Whether the engine that watches is heard, and which variables of the documents are set.

use chrono::Duration;

use crate::config::Config;
use crate::journal::{Reader, Samples};

use super::super::World;
use super::Line;

/// The variables of 001:312-339, all of them read from the environment alone.
pub(super) const VARIABLES: [&str; 13] = [
    "DATABASE_URL",
    "REDIS_URL",
    "DOCKER_HOST",
    "KUBECONFIG",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "S3_BACKUP_BUCKET",
    "SLACK_WEBHOOK_URL",
    "EMAIL_SMTP_HOST",
    "EMAIL_SMTP_USER",
    "EMAIL_SMTP_PASSWORD",
    "GITHUB_TOKEN",
    "GITHUB_REPO",
];

/// A heartbeat that is older is a dead one.
const SILENT: Duration = Duration::seconds(10);

/// The engine's heartbeat, with its age and what to do (P-36).
pub(super) async fn heartbeat(world: &World, config: &Config) -> Line {
    let (name, start) = ("monitor", "start it: systemctl start backout, or backout monitor");
    let Ok(mut reader) = Reader::open(&config.state_dir).await else {
        return Line::note(1, name, "none has run here yet", start);
    };
    let situation = reader.situation().await.unwrap_or_default();
    let live = match Samples::read(&config.state_dir).await {
        Ok(mut samples) => samples.live().await.ok().flatten(),
        Err(_) => None,
    };
    let Some(engine) = situation.engine else {
        return Line::note(1, name, "none has run here yet", start);
    };
    if engine.stopped {
        return Line::note(1, name, &format!("it ended, pid {}", engine.pid), start);
    }
    let age = live.map(|live| world.clock.now() - live.at);
    let (pid, host) = (engine.pid, &engine.host);
    match age {
        Some(age) if age <= SILENT => {
            Line::well(1, name, &format!("pid {pid} on {host}, heard {} s ago", age.num_seconds()))
        }
        Some(age) => {
            let text = format!("pid {pid} on {host} was last heard {} s ago", age.num_seconds());
            Line::missing(1, name, &text, "start it again: systemctl restart backout")
        }
        None => {
            let text = format!("pid {pid} on {host} has said nothing");
            Line::missing(1, name, &text, "start it again: systemctl restart backout")
        }
    }
}

/// Whether each variable is set; never what to.
pub(super) fn variables(world: &World) -> Vec<(&'static str, bool)> {
    VARIABLES.iter().map(|name| (*name, world.environment.get(name).is_some())).collect()
}
