//! What is known of a Compose project that runs: gathered once, so that guessing is pure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::adapters::docker::Container;
use crate::evidence::points;

/// What is known of a project.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) project: String,
    /// The engine's address where it is not the usual one.
    pub(super) engine: Option<String>,
    /// The folder of the project.
    pub(super) dir: PathBuf,
    pub(super) files: Vec<PathBuf>,
    /// What the files say of each service.
    pub(super) described: BTreeMap<String, Described>,
    /// The file of the project's variables, and their names: never a value.
    pub(super) env_file: Option<(PathBuf, Vec<String>)>,
    /// By service, one container each.
    pub(super) services: Vec<Container>,
    /// Files that are mounted into a proxy, by its service.
    pub(super) mounted: Vec<Mounted>,
    /// A folder for restore points, and how many lie in it.
    pub(super) points: Option<(PathBuf, usize)>,
    pub(super) migrations: Option<PathBuf>,
    /// What a service answered at its own port.
    pub(super) answers: BTreeMap<String, Vec<Answered>>,
}

/// What Compose files say of a service, variables as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) image: String,
    pub(super) environment: BTreeMap<String, String>,
    /// The words of its command.
    pub(super) command: Vec<String>,
}

/// A file of the host that a container sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mounted {
    pub(super) service: String,
    pub(super) host: PathBuf,
    pub(super) inside: PathBuf,
    pub(super) text: String,
}

/// An answer to GET.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) path: &'static str,
    pub(super) status: u16,
    /// It says `overall_ready`.
    pub(super) says_ready: bool,
    /// What it says its `environment` is.
    pub(super) environment: Option<String>,
}

/// Files of a proxy's configuration that are read at most, and bytes of each.
const MOUNTED: usize = 200;
const BYTES: u64 = 64 * 1024;

/// What the Compose files say; later files change what earlier ones said. One that cannot be read
/// says nothing.
pub(super) fn described(texts: &[String]) -> BTreeMap<String, Described> {
    let mut all: BTreeMap<String, Described> = BTreeMap::new();
    for text in texts {
        let Ok(root) = crate::yaml::one::<Value>(text) else { continue };
        let Some(services) = root.get("services").and_then(Value::as_object) else { continue };
        for (name, service) in services {
            let one = all.entry(name.to_owned()).or_default();
            if let Some(image) = service.get("image").and_then(Value::as_str) {
                image.clone_into(&mut one.image);
            }
            one.environment.extend(environment(service));
            let words = service.get("command").map(command);
            one.command = words.unwrap_or_else(|| std::mem::take(&mut one.command));
        }
    }
    all
}

/// `environment:` as a map or as a list of `NAME=value`.
fn environment(service: &Value) -> BTreeMap<String, String> {
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    match service.get("environment") {
        Some(Value::Object(map)) => {
            map.iter().filter_map(|(name, value)| Some((name.clone(), scalar(value)?))).collect()
        }
        Some(Value::Array(lines)) => lines
            .iter()
            .filter_map(|line| line.as_str()?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        _ => BTreeMap::new(),
    }
}

/// `command:` as a text or as a list of words.
fn command(said: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match (said.as_array(), said.as_str()) {
        (Some(words), _) => words.iter().filter_map(text).collect(),
        (None, Some(line)) => line.split_whitespace().map(str::to_owned).collect(),
        (None, None) => Vec::new(),
    }
}

/// The names of an env file's variables.
pub(super) fn names(text: &str) -> Vec<String> {
    crate::config::variables(text).into_keys().filter(|name| is_variable(name)).collect()
}

/// Whether it can be the name of a variable.
pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The text files that are bind-mounted into a container, one level deep.
pub(super) fn mounted(container: &Container) -> Vec<Mounted> {
    let mut found = Vec::new();
    for mount in container.mounts.iter().filter(|mount| mount.kind == "bind") {
        let mut files = vec![(mount.source.clone(), mount.destination.clone())];
        for depth in 0..2 {
            let folders: Vec<(PathBuf, PathBuf)> =
                files.iter().filter(|(host, _)| host.is_dir()).cloned().collect();
            files.retain(|(host, _)| host.is_file());
            for (host, inside) in folders {
                let entries = std::fs::read_dir(&host).into_iter().flatten().flatten();
                let entries = entries.take(MOUNTED).map(|entry| entry.file_name());
                files.extend(entries.map(|name| (host.join(&name), inside.join(&name))));
            }
            if depth == 1 {
                files.retain(|(host, _)| host.is_file());
            }
        }
        files.sort();
        for (host, inside) in files.into_iter().take(MOUNTED) {
            if let Some(text) = small_text(&host) {
                found.push(Mounted { service: container.service.clone(), host, inside, text });
            }
        }
    }
    found
}

/// The text of a file that is no larger than a configuration.
pub(super) fn small_text(path: &Path) -> Option<String> {
    let meta = std::fs::metadata(path).ok()?;
    let small = meta.is_file() && meta.len() <= BYTES;
    small.then(|| std::fs::read_to_string(path).ok()).flatten()
}

/// A folder named `backups` in the project's folder or beside it: one with restore points first.
pub(super) fn points(dir: &Path) -> Option<(PathBuf, usize)> {
    let near = [Some(dir), dir.parent()].into_iter().flatten().map(|dir| dir.join("backups"));
    let mut found: Vec<(PathBuf, usize)> = near
        .filter(|folder| folder.is_dir())
        .map(|folder| {
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten().take(10_000);
            let named = |entry: &std::fs::DirEntry| {
                points::time_of(&entry.file_name().to_string_lossy()).is_some()
            };
            let count = entries.filter(|entry| entry.path().is_dir() && named(entry)).count();
            // A link in the project's folder is where it leads to.
            (folder.canonicalize().unwrap_or(folder), count)
        })
        .collect();
    found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    found.into_iter().next()
}

/// A folder of SQL scripts in the project's folder.
pub(super) fn migrations(dir: &Path) -> Option<PathBuf> {
    let near = ["migrations", "db/migrations", "database/migrations", "sql/migrations"];
    near.into_iter().map(|name| dir.join(name)).find(|folder| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(1_000);
        entries.map(|entry| entry.path()).any(|path| path.extension().is_some_and(|e| e == "sql"))
    })
}
