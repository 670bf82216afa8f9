//! Whether the application can reach its database: asked from where the application is, since this
//! host may reach what a container cannot (S-72).

use std::time::Duration;

use crate::adapters::Kind;
use crate::adapters::docker::{Container, Exec, ExecInput, ExecOutput};
use crate::adapters::process::quoted;
use crate::model::ids::Color;
use crate::text::fit;

use super::Compose;

/// How long the look inside may take.
const LIMIT: Duration = Duration::from_secs(8);
/// A connection and nothing more, with whatever the image has for it.
const LOOK: &str = r#"if command -v python3 >/dev/null; then
exec python3 -c 'import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 4)' "$1" "$2"
fi
if command -v nc >/dev/null; then exec nc -z -w 4 "$1" "$2"; fi
if command -v bash >/dev/null; then exec timeout 4 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2"; fi
exit 127"#;
/// The exit code where the image has nothing to look with.
const NO_TOOL: i64 = 127;
/// Exit codes above this one are the signal that ended it, as when its container ends.
const KILLED: i64 = 128;
/// Where a database listens inside its container when it publishes nothing.
const PORT: &str = "5432";

impl Compose {
    /// Whether `color` reaches the service of the database over the network of the project: a
    /// clause, or nothing where the database is no service of it.
    pub(super) async fn database_reached(&self, color: &Color) -> Option<String> {
        let service = self.settings.database.as_deref()?;
        let database = match self.found(service).await {
            Ok(Some(one)) if one.is_up() => one,
            Ok(Some(one)) => return Some(super::diagnose::said(&one)),
            Ok(None) => return Some(format!("no container runs {service}")),
            Err(error) => return Some(error.message),
        };
        let own = self.found(self.service(color).ok()?).await.ok().flatten()?;
        let shared = |one: &Container| {
            one.networks.keys().find(|name| database.networks.contains_key(*name)).cloned()
        };
        let Some(network) = shared(&own) else {
            let docker = self.docker_command();
            let network = database.networks.keys().next().cloned().unwrap_or_default();
            return Some(format!(
                "{} and {service} share no network: {docker} network connect {} {}",
                own.service,
                quoted(&network),
                quoted(&own.name)
            ));
        };
        let inside = database.ports.iter().find_map(|port| port.inside.strip_suffix("/tcp"));
        let port = inside.unwrap_or(PORT);
        if own.is_up()
            && let Some(said) = self.reached(&own, service, port).await
        {
            return Some(said);
        }
        // It is down, or went down while it was asked: another one of its network looks instead.
        let Some(other) = self.neighbour(&database, (&own, &network)).await else {
            return Some(format!("nobody runs in {network} who could reach for {service}"));
        };
        let said = self.reached(&other, service, port).await;
        Some(said.unwrap_or_else(|| {
            format!(
                "whether {service}:{port} can be reached is not known: {} ended, too",
                other.service
            )
        }))
    }

    /// Another container of the project than `own` that runs in `network`.
    async fn neighbour(
        &self,
        database: &Container,
        (own, network): (&Container, &str),
    ) -> Option<Container> {
        let all = self.docker.of_project(&self.settings.project, None).await.ok()?;
        let mut there =
            all.into_iter().filter(|one| one.is_up() && one.id != database.id && one.id != own.id);
        there.find(|one| one.networks.contains_key(network))
    }

    /// Nothing where the asker ended meanwhile: that says nothing of the way.
    async fn reached(&self, asker: &Container, service: &str, port: &str) -> Option<String> {
        let argv = ["sh", "-c", LOOK, "sh", service, port].map(str::to_owned);
        let exec = Exec {
            argv: &argv,
            env: &[],
            user: None,
            input: ExecInput::Nothing,
            output: ExecOutput::Kept(1024),
            limit: LIMIT,
        };
        let (place, from) = (format!("{service}:{port}"), &asker.service);
        Some(match self.docker.exec(&asker.id, &exec).await {
            Ok(done) if done.code > KILLED => return None,
            Err(error) if matches!(error.kind, Kind::Rejected | Kind::NotFound) => return None,
            Ok(done) if done.code == 0 => format!("{place} is reached from {from}"),
            Ok(done) if done.code == NO_TOOL => {
                format!("whether {from} reaches {place} is not known: its image has no tool for it")
            }
            Ok(done) => {
                // Line ends are shown as what they are: the last line says why.
                let said = done.stderr.as_str().rsplit("\\x0a").next().unwrap_or_default();
                format!("{place} is NOT reached from {from}: {}", fit(said, 200))
            }
            Err(error) => error.message,
        })
    }
}
