//! `backout init --from-compose` or `--from-kube`: a first configuration, written from what runs.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::adapters::docker::{Container, DockerHost};
use crate::adapters::http::{self, Call, Target};
use crate::clock::Clock;
use crate::failure::{Exit, Failure};
use crate::text::SafeText;

use self::facts::{Answered, Facts};
use super::{World, say};

mod checks;
mod facts;
mod guess;
mod kube;
mod page;

/// The file that is written unless another one is named.
const FILE: &str = "backout.yaml";
/// The example files, by the names that document 001 gives them.
const EXAMPLES: [(&str, &str); 2] = [
    ("health_monitor_config.yaml", include_str!("../../config/health_monitor_config.yaml.example")),
    ("rollback_config.yaml", include_str!("../../config/rollback_config.yaml.example")),
];
/// How long a service may take to answer.
const ASK: Duration = Duration::from_secs(2);
/// What is asked of a service.
const PATHS: [&str; 4] = ["/health", "/healthz", "/status", "/"];

/// Which project or namespace, and where the text goes.
#[derive(Args, Debug)]
#[command(group(clap::ArgGroup::new("from").required(true).args(["from_compose", "from_kube", "examples"])))]
pub(crate) struct Init {
    /// From the containers of this Compose project; without a name, the one that there is
    #[arg(long, value_name = "PROJECT", num_args = 0..=1, default_missing_value = "")]
    from_compose: Option<String>,
    /// From this namespace of the cluster that the kubeconfig names; without a name, its own
    #[arg(long, value_name = "NAMESPACE", num_args = 0..=1, default_missing_value = "")]
    from_kube: Option<String>,
    /// The context of the kubeconfig, with --from-kube
    #[arg(long, value_name = "CONTEXT", requires = "from_kube")]
    context: Option<String>,
    /// The two example files of the documents, to be edited: the monitor's and the rollback's
    #[arg(long, conflicts_with_all = ["output", "print"])]
    examples: bool,
    /// The file to write [default: backout.yaml]; one that is there is left as it is
    #[arg(short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show the text, write nothing
    #[arg(long, conflicts_with = "output")]
    print: bool,
}

/// Runs `backout init`.
pub(crate) async fn run(world: &World, asked: &Init, out: &mut dyn Write) -> Result<Exit, Failure> {
    if asked.examples {
        return examples(out);
    }
    let file = asked.output.clone().unwrap_or_else(|| PathBuf::from(FILE));
    if !asked.print {
        // Known before the engine is asked anything.
        refuse_if_there(&file)?;
    }
    let text = match (&asked.from_kube, &asked.from_compose) {
        (Some(namespace), _) => kube::text(world, namespace, asked.context.as_deref()).await?,
        (None, project) => compose(world, project.clone().unwrap_or_default()).await?,
    };
    if asked.print {
        say(out, &text);
        return Ok(Exit::Ok);
    }
    write(&file, &text)?;
    say(out, &format!("wrote {}: look it over, then\n", file.display()));
    for next in ["config check", "check", "doctor", "plan --level 1"] {
        say(out, &format!("  backout --config {} {next}\n", file.display()));
    }
    Ok(Exit::Ok)
}

/// Writes both example files, or neither: one that is there is left as it is (P-02).
fn examples(out: &mut dyn Write) -> Result<Exit, Failure> {
    let files = EXAMPLES.map(|(name, text)| (Path::new(name), text));
    for (file, _) in files {
        refuse_if_there(file)?;
    }
    for (file, text) in files {
        write(file, text)?;
        say(out, &format!("wrote {}: edit it, then\n", file.display()));
        say(out, &format!("  backout --config {} config check\n", file.display()));
    }
    Ok(Exit::Ok)
}

/// The text from the containers of a project.
async fn compose(world: &World, named: String) -> Result<String, Failure> {
    let named_engine = engine(world);
    let engine = named_engine.as_deref();
    let docker = DockerHost::connect(engine, world.clock.clone()).map_err(away)?;
    let named = Some(named).filter(|name| !name.is_empty());
    let project = project(&docker, named).await?;
    let containers = Box::pin(docker.of_project(&project, None)).await.map_err(away)?;
    if containers.is_empty() {
        return Err(nothing(&docker, &project).await);
    }
    let facts = gather(project, engine, containers, &world.clock).await;
    Ok(page::text(&facts))
}

/// The engine that Docker's own variables name: one that listens with TLS has its certificates in
/// `DOCKER_CERT_PATH`.
fn engine(world: &World) -> Option<String> {
    let at = world.environment.get("DOCKER_HOST").filter(|at| !at.trim().is_empty())?;
    let certificates = world.environment.get("DOCKER_CERT_PATH");
    match (at.strip_prefix("tcp://"), certificates) {
        (Some(place), Some(folder)) => Some(format!("tls://{place}{folder}")),
        _ => Some(at.to_owned()),
    }
}

fn away(error: crate::adapters::Error) -> Failure {
    Failure::new(Exit::Unknown, error.message)
        .hint("a Podman socket or a rootless engine or one of another host (ssh://HOST) is named by DOCKER_HOST")
}

fn refuse_if_there(file: &Path) -> Result<(), Failure> {
    if file.symlink_metadata().is_err() {
        return Ok(());
    }
    let message =
        format!("could not write {}: it is there already, and is left as it is", file.display());
    Err(Failure::new(Exit::Blocked, message)
        .hint("name another file with -o FILE, or look at the text with --print"))
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let mut options = std::fs::File::options();
    let opened = options.write(true).create_new(true).mode(0o640).open(file);
    let written = opened.and_then(|mut made| {
        made.write_all(text.as_bytes())?;
        made.sync_all()
    });
    match written {
        Ok(()) => Ok(()),
        Err(why) if why.kind() == std::io::ErrorKind::AlreadyExists => refuse_if_there(file),
        Err(why) => {
            let message = format!("could not write {}: {why}", file.display());
            Err(Failure::new(Exit::Unknown, message))
        }
    }
}

/// The named project, or the only one.
async fn project(docker: &DockerHost, named: Option<String>) -> Result<String, Failure> {
    if let Some(named) = named {
        return Ok(named);
    }
    let mut known = docker.projects().await.map_err(away)?;
    match (known.pop_first(), known.is_empty()) {
        (Some((only, _)), true) => Ok(only),
        (None, _) => Err(Failure::new(
            Exit::Unknown,
            "could not find a Compose project: no container has its label",
        )
        .hint("start it: docker compose up -d")),
        (Some(first), false) => {
            known.extend([first]);
            let message = "could not choose a Compose project: there are several";
            let failure = Failure::new(Exit::Usage, message);
            Err(known.into_iter().fold(failure, |failure, (name, count)| {
                let name = SafeText::new(&name);
                failure.hint(format!("backout init --from-compose {name}   ({count} containers)"))
            }))
        }
    }
}

async fn nothing(docker: &DockerHost, project: &str) -> Failure {
    let known = docker.projects().await.unwrap_or_default();
    let names: Vec<&str> = known.keys().map(String::as_str).collect();
    let project = SafeText::new(project);
    let message =
        format!("could not find the Compose project {project}: no container has its label");
    let failure = Failure::new(Exit::Unknown, message);
    match names.as_slice() {
        [] => failure.hint("start it: docker compose up -d"),
        names => failure.hint(format!("there are {}", SafeText::new(&names.join(", ")))),
    }
}

async fn gather(
    project: String,
    engine: Option<&str>,
    containers: Vec<Container>,
    clock: &Clock,
) -> Facts {
    let mut services: Vec<Container> = Vec::new();
    for one in containers.into_iter().filter(|one| is_name(&one.service)) {
        match services.iter_mut().find(|known| known.service == one.service) {
            Some(known) if !known.running && one.running => *known = one,
            Some(_) => {}
            None => services.push(one),
        }
    }
    let dir = services.iter().find_map(|one| one.working_dir.clone()).unwrap_or_default();
    // An old tool labels its files as they were named on its command line.
    let files = services.iter().map(|one| &one.config_files).find(|files| !files.is_empty());
    let files: Vec<PathBuf> = files.into_iter().flatten().map(|file| dir.join(file)).collect();
    let texts: Vec<String> = files.iter().filter_map(|file| facts::small_text(file)).collect();
    let env_file = services.iter().find_map(|one| {
        one.labels.get("com.docker.compose.project.environment_file").map(PathBuf::from)
    });
    let env_file = env_file.unwrap_or_else(|| dir.join(".env"));
    let names = facts::small_text(&env_file).map(|text| facts::names(&text));
    let proxies = services.iter().filter(|one| guess::part(one) == guess::Part::Nginx);
    let mounted = proxies.flat_map(facts::mounted).collect();
    let mut facts = Facts {
        project,
        engine: engine.map(str::to_owned),
        described: facts::described(&texts),
        files,
        env_file: names.map(|names| (env_file, names)),
        mounted,
        points: facts::points(&dir),
        migrations: facts::migrations(&dir),
        dir,
        services,
        ..Facts::default()
    };
    for one in &facts.services {
        let asks =
            matches!(guess::part(one), guess::Part::App | guess::Part::Nginx | guess::Part::Proxy);
        let Some(url) = guess::url(one).filter(|_| asks && one.running) else { continue };
        let found = answers(&url, clock).await;
        if !found.is_empty() {
            facts.answers.insert(one.service.clone(), found);
        }
    }
    facts
}

/// Whether a configuration takes it as a service's name.
fn is_name(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

/// What is answered at an address; one that is silent is not asked twice.
async fn answers(url: &str, clock: &Clock) -> Vec<Answered> {
    let Ok(target) = Target::parse(url) else { return Vec::new() };
    let mut found = Vec::new();
    for path in PATHS {
        let (answer, _) = http::once(&target.at(path), &Call::get(), ASK, clock).await;
        let Ok(answer) = answer else { return found };
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        found.push(Answered {
            path,
            status: answer.status,
            says_ready: body.get("overall_ready").is_some_and(serde_json::Value::is_boolean),
            environment: body.get("environment").and_then(|v| v.as_str()).map(str::to_owned),
        });
    }
    found
}

#[cfg(test)]
mod tests;
