//! The looks themselves. Each asks within a limit and changes nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::adapters::Kind;
use crate::adapters::docker::{DockerHost, DockerTools, ExecInput, ExecOutput};
use crate::adapters::process::Bounded;
use crate::config::{ComposeProject, Config, Platform, Traffic};
use crate::engine::stack;
use crate::evidence::points::{self, Point};
use crate::text::{SafeText, fit};

use super::super::World;
use super::{Line, cluster, data};

/// How long a tool may take to say its version, or nginx to read its files.
pub(super) const LIMIT: Duration = Duration::from_secs(20);
/// What they may say.
const SAID: u64 = 64 * 1024;

pub(in crate::cli) async fn all(world: &World, config: &Config) -> Vec<Line> {
    let mut lines = Vec::new();
    let engine = match &config.platform {
        Platform::Compose(project) => compose(world, (config, project), &mut lines).await,
        Platform::Local { dir } => {
            lines.push(folder("platform", dir));
            None
        }
        Platform::Frontend(_) => {
            lines.push(site(world, config).await);
            None
        }
        Platform::Kubernetes(_) => {
            cluster::all(world, config, &mut lines).await;
            None
        }
        Platform::None => {
            let help = "add platform:, or write a first file: backout init --from-compose";
            lines.push(Line::missing(1, "platform", "none is configured", help));
            None
        }
    };
    match cluster::service(world, config).await {
        Some(line) => lines.push(line),
        None => lines.push(traffic(world, config, engine.as_ref()).await),
    }
    lines.extend(data::all(world, config, engine.as_ref()).await);
    lines.extend(restore_points(config, engine.as_ref()).await);
    lines
}

/// Whether the object storage of a frontend answers, and what users get of it.
async fn site(world: &World, config: &Config) -> Line {
    let name = "object storage";
    let Some(front) = stack::front(config, &world.clock) else {
        return Line::missing(1, name, "its settings give no address", "see platform.frontend");
    };
    let looked = tokio::try_join!(front.site.live(), front.site.versions());
    match looked {
        Ok((live, versions)) => {
            let live = live.unwrap_or_else(|| "nothing".into());
            let (place, kept) = (front.site.place(), versions.len());
            Line::well(1, name, &format!("{place}: {live} is served, {kept} versions are kept"))
        }
        Err(error) => Line::missing(1, name, &error.message, ""),
    }
}

fn folder(name: &str, dir: &Path) -> Line {
    let shown = dir.display().to_string();
    if dir.is_dir() {
        Line::well(1, name, &shown)
    } else {
        Line::missing(1, name, &format!("{shown} is no folder"), "name the right one")
    }
}

/// The engine, the project's containers, and the tool that made them. The engine, if it answers.
async fn compose(
    world: &World,
    (config, project): (&Config, &ComposeProject),
    lines: &mut Vec<Line>,
) -> Option<DockerHost> {
    let name = "container engine";
    let docker = DockerHost::connect(project.engine.as_deref(), world.clock.clone());
    let answered = match &docker {
        Ok(docker) => docker.daemon().await,
        Err(error) => Err(error.clone()),
    };
    let docker = match (docker, answered) {
        (Ok(docker), Ok(daemon)) => {
            let text =
                format!("{} on {} answers at {}", daemon.version, daemon.name, docker.shown());
            lines.push(Line::well(1, name, &text));
            docker
        }
        (_, Err(error)) | (Err(error), _) => {
            lines.push(Line::missing(1, name, &error.message, ""));
            return None;
        }
    };
    match docker.of_project(&project.project, None).await {
        Ok(found) if found.is_empty() => {
            let text = format!("project {} has no container", project.project);
            let help = "look how it is called: docker ps; or start it";
            lines.push(Line::missing(1, "containers", &text, help));
        }
        Ok(found) => {
            let up = found.iter().filter(|one| one.is_up()).count();
            let text = format!("{} of project {}, {up} up", found.len(), project.project);
            lines.push(Line::well(1, "containers", &text));
            for (color, at) in &config.colors {
                let Some(service) = &at.service else { continue };
                if !found.iter().any(|one| &one.service == service) {
                    let text = format!("no container runs {service}");
                    let help = "make it without starting it: docker compose create";
                    lines.push(Line::missing(1, &format!("colour {color}"), &text, help));
                }
            }
        }
        Err(error) => lines.push(Line::missing(1, "containers", &error.message, "")),
    }
    if let Some(found) = stack::project(config, &world.program, &world.clock) {
        lines.push(match found.tool_found().await {
            Ok(tool) => Line::well(1, "compose tool", &tool),
            Err(error) => {
                let help = "install the one that made the containers: another recreates them all";
                Line::missing(1, "compose tool", &error.message, help)
            }
        });
    }
    for file in project.files.iter().filter(|file| !file.is_file()) {
        let text = format!("{} is not there", file.display());
        lines.push(Line::missing(1, "compose file", &text, "name it under platform.compose.files"));
    }
    Some(docker)
}

async fn traffic(world: &World, config: &Config, engine: Option<&DockerHost>) -> Line {
    let name = "traffic";
    let files = match &config.traffic {
        None => {
            let help = "add traffic: with the file that nginx includes";
            return Line::missing(1, name, "nothing is configured that switches it", help);
        }
        Some(Traffic::Proxy { control_url, .. }) => return Line::well(1, name, control_url),
        Some(Traffic::Service(service)) => return Line::well(1, name, &service.name),
        Some(Traffic::Fixed { public_url }) => return Line::well(1, name, public_url),
        Some(Traffic::Nginx(files)) => files,
    };
    let all = std::iter::once(&files.include).chain(files.upstreams.values());
    if let Some(gone) = all.into_iter().find(|file| !file.is_file()) {
        let text = format!("{} is not there", gone.display());
        return Line::missing(1, name, &text, "name it under traffic.nginx, or write it");
    }
    let argv = ["nginx", "-t"].map(str::to_owned);
    let said = match (&files.service, &config.platform, engine) {
        (Some(service), Platform::Compose(project), Some(docker)) => {
            inside(docker, &project.project, service, &argv).await
        }
        (Some(service), _, _) => {
            let text =
                format!("{service} could not be asked: the container engine does not answer");
            return Line::missing(1, name, &text, "");
        }
        (None, _, _) => outside(world, &argv).await,
    };
    match said {
        Ok(_) => Line::well(1, name, "nginx -t accepts its files"),
        Err(why) => Line::missing(1, name, &why, "nginx would refuse the switch: repair it first"),
    }
}

/// Runs a command in a service's container: what it said, or why it did not do it.
pub(super) async fn inside(
    docker: &DockerHost,
    project: &str,
    service: &str,
    argv: &[String],
) -> Result<String, String> {
    let tools = DockerTools::new(docker.clone(), project, service);
    let streams = (ExecInput::Nothing, ExecOutput::Kept(SAID));
    match tools.run(argv, &BTreeMap::new(), streams, LIMIT).await {
        Ok(done) if done.code == 0 => Ok(first(&done.stdout)),
        Ok(done) => Err(format!("{} says {}", argv.join(" "), fit(done.stderr.as_str(), 300))),
        Err(error) => Err(error.message),
    }
}

pub(super) async fn outside(world: &World, argv: &[String]) -> Result<String, String> {
    let dir = Path::new("/");
    let bounded = Bounded { argv, env: None, dir, limit: LIMIT, bytes: SAID };
    match bounded.run(&world.clock).await {
        Ok(done) if done.code == Some(0) => Ok(first(&done.stdout)),
        Ok(done) => Err(format!("{} says {}", argv.join(" "), first(&done.stderr))),
        Err(error) => Err(error.message),
    }
}

fn first(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    fit(SafeText::new(text.trim().lines().next().unwrap_or_default()).as_str(), 300)
}

async fn restore_points(config: &Config, engine: Option<&DockerHost>) -> Vec<Line> {
    let name = "restore points";
    let Some(dir) = &config.restore_points else {
        let help = "add restore_points: with a folder";
        return vec![Line::missing(2, name, "no folder is configured", help)];
    };
    let all = match points::list(dir) {
        Ok(all) => all,
        Err(error) => return vec![Line::missing(2, name, &error.message, "")],
    };
    let usable: Vec<&Point> = all.iter().filter(|point| point.broken.is_none()).collect();
    let Some(newest) = usable.first() else {
        let text = format!("none of {} in {} can be used", all.len(), dir.display());
        return vec![Line::missing(2, name, &text, "take one: backout backup now")];
    };
    let text =
        format!("{} of {} can be used, the newest is {}", usable.len(), all.len(), newest.id);
    let mut lines = vec![Line::well(2, name, &text)];
    if let Some(docker) = engine {
        lines.push(images(docker, newest).await);
    }
    lines.push(base_backup(dir, &usable));
    lines
}

/// Whether what the newest point was made of can be started without a registry.
async fn images(docker: &DockerHost, point: &Point) -> Line {
    let name = format!("images of {}", point.id);
    let mut gone = Vec::new();
    for image in &point.images {
        match docker.image(image.as_str()).await {
            Ok(_) => {}
            Err(error) if error.kind == Kind::NotFound => gone.push(image.as_str()),
            Err(error) => return Line::missing(2, &name, &error.message, ""),
        }
    }
    if gone.is_empty() {
        return Line::well(2, &name, &format!("{} are here", point.images.len()));
    }
    let help = format!("bring it here: docker pull {}", gone.first().unwrap_or(&""));
    Line::missing(2, &name, &format!("{} not here", gone.join(", ")), &help)
}

/// A base backup and the WAL after it, without which level 3 goes back to a point's own moment.
fn base_backup(dir: &Path, usable: &[&Point]) -> Line {
    let name = "any moment between points";
    if let Some(point) = usable.iter().find(|point| point.path.join("pgbackrest.json").is_file()) {
        let text = format!("{} names a backup of pgBackRest's repository", point.id);
        return Line::well(3, name, &text);
    }
    let based = usable.iter().find(|point| point.path.join("base.tar.gz").is_file());
    let archive = dir.join("wal");
    let kept = std::fs::read_dir(&archive).into_iter().flatten().flatten().count();
    let own = |point: &&Point| point.path.join("transaction_logs.tar.gz").is_file();
    match based {
        None => {
            let help =
                "level 3 restores a point's own moment; take a base backup with pg_basebackup";
            Line::note(3, name, "no point holds a base backup", help)
        }
        Some(point) if kept == 0 && !own(point) => {
            let text = format!("{} holds a base backup, and no WAL is kept after it", point.id);
            Line::note(3, name, &text, "set archive_mode and archive_command")
        }
        Some(point) => {
            let text = format!("{} holds a base backup; {kept} files of WAL are kept", point.id);
            Line::well(3, name, &text)
        }
    }
}
