//! The environments that are configured on this machine, so that one can be chosen by its name.
//!
//! One file is one environment. Known are: the file in use and those that its `environments:`
//! names, the other configurations in its folder, and those in the configuration folders.

use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::file;
use super::node::{self, Node, Value};
use super::problem::did_you_mean;

/// Files of one folder that are looked at; more is no configuration folder.
const MOST: usize = 64;

/// An environment that is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// Its configuration.
    pub file: PathBuf,
}

/// Every environment that is configured beside `used`, sorted by name; two files may give the
/// same name. Files that cannot be read are left out: they are nobody's choice yet.
pub fn environments(used: Option<&Path>, environment: &Environment) -> Vec<Known> {
    let mut files: Vec<PathBuf> = Vec::new();
    if let Some(used) = used.and_then(|used| std::path::absolute(used).ok()) {
        let folder = used.parent().unwrap_or(Path::new("/"));
        files.extend(listed(&used).iter().map(|file| folder.join(file)));
        files.extend(folder_of(folder));
        files.push(used);
    }
    files.extend(folder_of(Path::new("/etc/backout")));
    let home = environment.config_home().map(|home| home.join("backout"));
    files.extend(home.iter().flat_map(|home| folder_of(home)));
    let mut known: Vec<Known> = Vec::new();
    for file in files {
        let file = file.canonicalize().unwrap_or(file);
        if known.iter().any(|other| other.file == file) {
            continue;
        }
        known.extend(name(&file).map(|name| Known { name, file }));
    }
    known.sort_by(|one, other| (&one.name, &one.file).cmp(&(&other.name, &other.file)));
    known
}

/// The configuration of the environment `name`; else a sentence that says what there is.
pub fn choose(name: &str, known: &[Known]) -> Result<PathBuf, String> {
    let named: Vec<&Known> = known.iter().filter(|one| one.name == name).collect();
    match named.as_slice() {
        [one] => Ok(one.file.clone()),
        [] => {
            let names: Vec<&str> = known.iter().map(|one| one.name.as_str()).collect();
            let hint = match did_you_mean(name, names.iter().copied()) {
                Some(meant) => format!("did you mean {meant}?"),
                None if names.is_empty() => "none is configured".to_owned(),
                None => format!("configured are {}", names.join(", ")),
            };
            Err(format!("no configuration is of an environment {name}; {hint}"))
        }
        several => {
            let files: Vec<String> =
                several.iter().map(|one| one.file.display().to_string()).collect();
            Err(format!(
                "{} configurations are of an environment {name}: {}; name one with --config",
                files.len(),
                files.join(", ")
            ))
        }
    }
}

/// The YAML files of a folder; none when it has more than a configuration folder would.
fn folder_of(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let yaml =
        |path: &PathBuf| path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    let mut files: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(yaml).take(MOST + 1).collect();
    if files.len() > MOST {
        files.clear();
    }
    files.sort();
    files
}

fn tree(path: &Path) -> Option<Vec<(node::Key, Node)>> {
    let contents = file::read(path, file::LIMIT).ok()?;
    let text = String::from_utf8(contents.bytes).ok()?;
    // Most YAML files are not ours: they are not even parsed.
    if !text.lines().any(|line| line.starts_with("environment:")) {
        return None;
    }
    match node::parse(path, &text, &mut Vec::new())?.value {
        Value::Map(entries) => Some(entries),
        Value::Scalar { .. } | Value::List(_) => None,
    }
}

fn value<'a>(entries: &'a [(node::Key, Node)], wanted: &str) -> Option<&'a Value> {
    entries.iter().find(|(key, _)| key.name == wanted).map(|(_, node)| &node.value)
}

/// The environment that a file configures, when it is a configuration.
fn name(path: &Path) -> Option<String> {
    let entries = tree(path)?;
    value(&entries, "health_checks")?;
    match value(&entries, "environment")? {
        Value::Scalar { text, .. } if !text.is_empty() => Some(text.clone()),
        Value::Scalar { .. } | Value::List(_) | Value::Map(_) => None,
    }
}

/// What a file's `environments:` names.
fn listed(path: &Path) -> Vec<String> {
    let entries = tree(path).unwrap_or_default();
    let Some(Value::List(nodes)) = value(&entries, "environments") else { return Vec::new() };
    let files = nodes.iter().filter_map(|node| match &node.value {
        Value::Scalar { text, .. } => Some(text.clone()),
        Value::List(_) | Value::Map(_) => None,
    });
    files.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        path.canonicalize().unwrap()
    }

    fn config(name: &str) -> String {
        format!("environment: {name}\nhealth_checks: []\n")
    }

    #[test]
    fn the_folder_and_the_list_are_known_and_other_files_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let staging = write(elsewhere.path(), "s.yaml", &config("staging"));
        let list = format!("environments: [{}]\n{}", staging.display(), config("prod"));
        let prod = write(dir.path(), "backout.yaml", &list);
        write(dir.path(), "compose.yaml", "services: {}\n");
        write(dir.path(), "other.yaml", "environment: no-checks\n");
        let eu = write(dir.path(), "eu.yml", &config("eu"));
        let home = elsewhere.path().to_str().unwrap();
        let known = environments(Some(&prod), &Environment::of([("HOME", home)]));
        let found: Vec<(&str, &Path)> =
            known.iter().map(|one| (one.name.as_str(), one.file.as_path())).collect();
        assert_eq!(found, [("eu", eu.as_path()), ("prod", &prod), ("staging", &staging)]);
        assert_eq!(choose("eu", &known), Ok(eu));
        assert!(choose("prdo", &known).unwrap_err().contains("did you mean prod?"));
        assert!(choose("moon", &known).unwrap_err().contains("eu, prod, staging"));
    }

    #[test]
    fn a_name_that_two_files_give_is_not_guessed() {
        let dir = tempfile::tempdir().unwrap();
        let one = write(dir.path(), "a.yaml", &config("prod"));
        write(dir.path(), "b.yaml", &config("prod"));
        let known = environments(Some(&one), &Environment::of([]));
        let told = choose("prod", &known).unwrap_err();
        assert!(told.contains("a.yaml") && told.contains("b.yaml"), "{told}");
    }
}
