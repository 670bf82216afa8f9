//! Whether all of a project is well, and why a service of it does not come up.

use std::path::Path;

use crate::adapters::docker::Container;
use crate::adapters::process::quoted;
use crate::adapters::{Error, Kind, port};
use crate::model::ids::Color;
use crate::text::{SafeText, fit};

use super::Compose;

/// How much is read of the end of what a tool said, in bytes.
const TAIL: usize = 8 * 1024;
/// The last words of the old tool, which say nothing.
const EMPTY_WORDS: &str = "Encountered errors while bringing up the project";

impl Compose {
    /// The containers that run while `color` serves, and that all of them are well. Those of other
    /// colours are kept stopped, and one that ended well by itself had nothing more to do.
    pub(super) async fn all_well(&self, color: &Color) -> Result<SafeText, Error> {
        let others: Vec<&String> = self
            .settings
            .services
            .iter()
            .filter(|(other, _)| *other != color)
            .flat_map(|(other, service)| {
                std::iter::once(service).chain(self.worker_services(other))
            })
            .collect();
        let own: Vec<&String> = self.settings.services.get(color).into_iter().collect();
        let all = self.docker.of_project(&self.settings.project, None).await?;
        let (mut running, mut healthy, mut wrong) = (0, 0, Vec::new());
        for one in all {
            if others.contains(&&one.service) && !own.contains(&&one.service) {
                continue;
            }
            let over = !one.running && !one.restarting && one.exit_code == Some(0);
            if over && matches!(one.restart_policy.as_str(), "" | "no" | "on-failure") {
                continue;
            }
            let state = one.health.as_deref();
            if !one.is_up() || one.loops(self.clock.now()) || state == Some("unhealthy") {
                wrong.push(said(&one));
                continue;
            }
            running += 1;
            healthy += usize::from(state == Some("healthy"));
        }
        if wrong.is_empty() {
            let text = format!("{running} containers run, {healthy} say that they are healthy");
            return Ok(SafeText::new(&text));
        }
        let message = format!("could not see every container well: {}", wrong.join(", "));
        Err(Error::new(Kind::Rejected, message))
    }

    /// Every container of the project, with what it is doing.
    pub(super) async fn all_parts(&self) -> Result<Vec<SafeText>, Error> {
        let all = self.docker.of_project(&self.settings.project, None).await?;
        let line = |one: &Container| {
            let well = if one.health.as_deref() == Some("healthy") { ", healthy" } else { "" };
            SafeText::new(&format!("{}{well}: {}", said(one), one.image))
        };
        Ok(all.iter().map(line).collect())
    }

    /// What a look from outside tells of a colour that does not come up (S-70): its container, who
    /// has its port, whether its compose files can be read, and whether it reaches the database.
    pub(super) async fn reasons(&self, color: &Color) -> Vec<SafeText> {
        let Ok(service) = self.service(color) else { return Vec::new() };
        let mut all: Vec<String> = Vec::new();
        match self.found(service).await {
            Ok(Some(container)) => {
                all.push(said(&container));
                all.extend(self.taken_ports(&container).await);
            }
            Ok(None) => all.push(format!("no container runs {service}")),
            Err(error) => all.push(error.message),
        }
        all.push(match self.maker(None).await {
            Ok(tool) => match self.check_files(&tool).await {
                Ok(()) => "the compose files are read without a mistake".to_owned(),
                Err(error) => error.message,
            },
            Err(error) => error.message,
        });
        all.extend(self.database_reached(color).await);
        all.iter().map(|text| SafeText::new(text)).collect()
    }

    /// Who has the ports that a container publishes: itself, nobody, or somebody else.
    async fn taken_ports(&self, container: &Container) -> Vec<String> {
        let mut all = Vec::new();
        if container.running {
            let own = container.ports.iter().map(|one| one.port.to_string());
            let own: std::collections::BTreeSet<String> = own.collect();
            let own: Vec<String> = own.into_iter().collect();
            let ports = if own.is_empty() { "none".to_owned() } else { own.join(", ") };
            return vec![format!("it has its own ports: {ports}")];
        }
        for published in &container.ports {
            if let Some(owner) = self.owner(published.port).await {
                let (port, docker) = (published.port, self.docker_command());
                let name = quoted(&container.name);
                let how = format!("end that, then: {docker} start {name}");
                all.push(format!("port {port} is taken by {owner}: {how}"));
            }
        }
        all
    }

    /// Who has a port: a container, by its name, or a process of this host.
    async fn owner(&self, port: u16) -> Option<String> {
        let publishing = self.docker.publishing(port).await.ok().flatten();
        publishing.map(|name| format!("container {name}")).or_else(|| port::listener(port))
    }

    /// What can be done about the reason that an engine or a tool gave, where it is a known one.
    pub(super) async fn way_on(&self, said: &str, container: Option<&Container>) -> String {
        let docker = self.docker_command();
        if said.contains("address already in use") || said.contains("port is already allocated") {
            let ports = container.map(|one| one.ports.as_slice()).unwrap_or_default();
            for published in ports {
                if let Some(owner) = self.owner(published.port).await {
                    let port = published.port;
                    return format!("; port {port} is taken by {owner}: end that, then retry");
                }
            }
            return "; see who has the port (ss -ltnp), end that, then retry".to_owned();
        }
        if said.contains("is already in use by container") {
            return format!(
                "; another container has its name: look at it ({docker} ps -a), give it another \
                 one ({docker} rename NAME NAME-other), then retry"
            );
        }
        if said.contains("no space left on device") || said.contains("No space left on device") {
            return format!(
                "; make room: {docker} system df shows what the engine keeps, backout backup \
                 prune --dry-run what may go here; then retry"
            );
        }
        String::new()
    }
}

/// A container in one clause.
pub(super) fn said(one: &Container) -> String {
    let state = match (one.health.as_deref(), one.exit_code) {
        _ if one.restarting || one.running && one.restart_count > 0 => {
            format!("starts again and again ({} times)", one.restart_count)
        }
        (Some("unhealthy"), _) if one.running => "runs and says that it is unhealthy".to_owned(),
        _ if one.running => "runs".to_owned(),
        (_, Some(code)) => format!("ended with {code}"),
        (_, None) => "does not run".to_owned(),
    };
    format!("{} {state}", SafeText::new(&one.service))
}

/// The line of a tool's output that says why it failed.
pub(super) fn telling(slot: &Path) -> SafeText {
    let bytes = std::fs::read(slot.join("output")).unwrap_or_default();
    let tail = bytes.get(bytes.len().saturating_sub(TAIL)..).unwrap_or_default();
    let text = String::from_utf8_lossy(tail);
    let lines = || text.split(['\n', '\r']).map(str::trim);
    let fine = |line: &&str| !line.is_empty() && !line.contains(EMPTY_WORDS);
    let error = lines().rev().find(|line| fine(line) && line.to_lowercase().contains("error"));
    let found = error.or_else(|| lines().rev().find(fine)).unwrap_or_default();
    SafeText::new(&fit(SafeText::new(found).as_str(), 400))
}
