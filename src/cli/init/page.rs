//! The text of a configuration, from facts. Every guess says what it rests on.

use std::fmt::Write as _;
use std::path::Path;

use crate::adapters::docker::Container;
use crate::text::SafeText;

use super::checks;
use super::facts::{Facts, is_variable};
use super::guess::{self, Part, Side, Switch};

/// What is guessed once and used in several sections.
pub(super) struct Guessed<'a> {
    pub(super) facts: &'a Facts,
    pub(super) sides: Vec<Side>,
    pub(super) entrance: Option<(&'a Container, String)>,
    pub(super) switch: Option<Switch>,
}

/// The text of `backout.yaml`.
pub(super) fn text(facts: &Facts) -> String {
    let sides = guess::sides(facts);
    let entrance = guess::entrance(facts);
    let nginx = entrance.as_ref().filter(|(one, _)| guess::part(one) == Part::Nginx);
    let switch = nginx.and_then(|(one, _)| guess::switch(facts, &one.service, &sides));
    let all = Guessed { facts, sides, entrance, switch };
    let mut page = Page(String::new());
    head(&mut page, &all);
    backup(&mut page, &all);
    platform(&mut page, &all);
    traffic(&mut page, &all);
    database(&mut page, &all);
    redis(&mut page, &all);
    logs(&mut page, &all);
    checks::checks(&mut page, &all);
    page.0
}

/// Lines of YAML.
#[derive(Default)]
pub(super) struct Page(pub(super) String);

impl Page {
    /// A line with what it rests on.
    pub(super) fn line(&mut self, line: &str, from: &str) {
        if from.is_empty() {
            writeln!(self.0, "{line}").ok();
        } else {
            writeln!(self.0, "{line}  # guessed from {}", plain(from)).ok();
        }
    }

    /// A comment of its own.
    pub(super) fn say(&mut self, text: &str) {
        writeln!(self.0, "# {}", plain(text)).ok();
    }

    pub(super) fn gap(&mut self) {
        self.0.push('\n');
    }
}

/// Foreign text in a comment: one line, no control characters.
fn plain(text: &str) -> String {
    SafeText::new(text).as_str().replace(['\n', '\r'], " ")
}

/// A text as a value of YAML. `$` is written so that it is no variable.
pub(super) fn value(text: &str) -> String {
    raw(&text.replace("${", "$${"))
}

/// As [`value`], with variables.
pub(super) fn raw(text: &str) -> String {
    let simple = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_./-".contains(c));
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    if simple && !words.contains(&text.to_lowercase().as_str()) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                write!(quoted, "\\u{:04x}", u32::from(c)).ok();
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

pub(super) fn path(path: &Path) -> String {
    value(&path.to_string_lossy())
}

fn head(page: &mut Page, all: &Guessed<'_>) {
    let facts = all.facts;
    let project = &facts.project;
    page.say(&format!("Written by `backout init --from-compose {project}` from what ran then."));
    page.say("Look it over: every guess says what it rests on. Then: backout config check, backout check,");
    page.say("backout doctor, backout plan --level 1.");
    page.gap();
    page.line(&format!("environment: {}", raw(project)), "the project's name");
    let prod = project.contains("prod") || facts.dir.to_string_lossy().contains("prod");
    if prod {
        page.line("production: true", "\"prod\" in the name of the project or its folder");
    } else {
        page.line("# production: true   # where users depend on it", "");
    }
}

fn backup(page: &mut Page, all: &Guessed<'_>) {
    let facts = all.facts;
    if let Some((folder, count)) = &facts.points {
        let found = match count {
            0 => "a folder of that name; no restore point lies in it yet".to_owned(),
            1 => "one folder there whose name is a time".to_owned(),
            count => format!("{count} folders there whose names are times"),
        };
        page.line(&format!("restore_points: {}", path(folder)), &found);
    } else {
        let line = format!("# restore_points: {}", path(&facts.dir.join("backups")));
        page.line(&format!("{line}   # make it: levels 2 and 3 go back to points in it"), "");
    }
    let mut files: Vec<&Path> = facts.files.iter().map(std::path::PathBuf::as_path).collect();
    files.extend(facts.env_file.iter().map(|(path, _)| path.as_path()));
    files.extend(all.switch.iter().map(|switch| switch.by.as_path()));
    page.line("backup:", "");
    page.line("  files:", "the project's labels and what is mounted into the proxy");
    for file in files {
        page.line(&format!("    - {}", path(file)), "");
    }
    let services = all.sides.iter().map(|side| side.service.as_str());
    let mounts = services.filter_map(|name| facts.services.iter().find(|one| one.service == name));
    let mut volumes: Vec<(&str, &Path, &str)> = mounts
        .flat_map(|one| one.mounts.iter().map(move |mount| (one, mount)))
        .filter(|(_, mount)| mount.kind == "volume" && mount.writable)
        .filter_map(|(one, mount)| {
            Some((mount.volume.as_deref()?, mount.source.as_path(), one.service.as_str()))
        })
        .collect();
    volumes.sort_by_key(|(volume, ..)| *volume);
    volumes.dedup_by_key(|(volume, ..)| *volume);
    for (at, (volume, folder, service)) in volumes.into_iter().enumerate() {
        let entry = format!("data: {{volume: {}, folder: {}}}", raw(volume), path(folder));
        if at == 0 {
            page.line(&format!("  {entry}"), &format!("the mounts of {service}"));
        } else {
            page.line(
                &format!("  # {entry}   # another volume of {service}: one is backed up"),
                "",
            );
        }
    }
}

fn platform(page: &mut Page, all: &Guessed<'_>) {
    let facts = all.facts;
    page.gap();
    page.line("platform:", "");
    page.line("  compose:", "the labels of the containers");
    page.line(&format!("    project: {}", raw(&facts.project)), "");
    page.line(&format!("    dir: {}", path(&facts.dir)), "");
    let usual = [facts.dir.join("docker-compose.yml")];
    if facts.files != usual && !facts.files.is_empty() {
        let files: Vec<String> = facts.files.iter().map(|file| path(file)).collect();
        page.line(&format!("    files: [{}]", files.join(", ")), "");
    }
    if let Some((file, _)) = &facts.env_file
        && *file != facts.dir.join(".env")
    {
        page.line(&format!("    env_file: {}", path(file)), "");
    }
    if let Some(engine) = &facts.engine {
        page.line(&format!("    engine: {}", value(engine)), "DOCKER_HOST");
    }
    let described = all.sides.iter().filter_map(|side| facts.described.get(&side.service));
    let mut images = described.map(|one| one.image.as_str());
    if let Some((image, tag)) = images.find_map(|image| Some((image, guess::tag_variable(image)?)))
    {
        page.line(&format!("    tag_variable: {tag}"), &format!("image: {image}"));
    }
    if all.sides.is_empty() {
        page.say(
            "No service was found that is the program itself: colors: says which, with its url.",
        );
        return;
    }
    page.line("colors:", "");
    for side in &all.sides {
        let workers = if side.workers.is_empty() {
            String::new()
        } else {
            format!(", workers: [{}]", list(&side.workers))
        };
        let (url, service) = (raw(&side.url), raw(&side.service));
        let line = format!("  {}: {{url: {url}, service: {service}{workers}}}", raw(&side.color));
        let from = if side.own {
            "its published port".to_owned()
        } else {
            format!("the proxy: {} publishes no port of its own, give it one", side.service)
        };
        page.line(&line, &from);
    }
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| raw(name)).collect::<Vec<_>>().join(", ")
}

fn traffic(page: &mut Page, all: &Guessed<'_>) {
    let Some((one, url)) = &all.entrance else { return };
    let service = &one.service;
    let Some(switch) = &all.switch else {
        page.say(&format!(
            "traffic: {service} lets users in at {url}; no included file was found that says to \
             which side, so nothing switches it."
        ));
        return;
    };
    let missing: Vec<&Side> =
        all.sides.iter().filter(|side| !switch.upstreams.contains_key(&side.color)).collect();
    let whole = missing.is_empty();
    let mark = if whole { "" } else { "# " };
    for side in missing {
        page.say(&format!(
            "traffic: no file beside {} sends to {} alone; write one and take the marks away.",
            switch.include.display(),
            side.service
        ));
    }
    page.line(&format!("{mark}traffic:"), "");
    page.line(&format!("{mark}  nginx:"), "its image and its published port");
    page.line(&format!("{mark}    service: {}", raw(service)), "");
    let from = format!("the include in {}", switch.by.display());
    page.line(&format!("{mark}    include: {}", path(&switch.include)), &from);
    page.line(&format!("{mark}    upstreams:"), "files beside it that name one side each");
    for (color, file) in &switch.upstreams {
        page.line(&format!("{mark}      {}: {}", raw(color), path(file)), "");
    }
    let names = all.facts.env_file.iter().flat_map(|(_, names)| names);
    let mut active = names.filter(|name| {
        ["ACTIVE", "ACTIVE_COLOR", "ACTIVE_COLOUR", "ACTIVE_ENV", "LIVE_COLOR"]
            .contains(&name.as_str())
    });
    if let Some(name) = active.next() {
        page.line(&format!("{mark}    active_variable: {name}"), "the names in the env file");
    }
    page.line(&format!("{mark}    public_url: {}", value(url)), "its published port");
}

/// The address of a `PostgreSQL` service, and whether its password is in it.
pub(super) fn postgres_url(all: &Guessed<'_>, one: &Container) -> Option<(String, bool, bool)> {
    let described = all.facts.described.get(&one.service).cloned().unwrap_or_default();
    let known = |name: &str| {
        all.facts.env_file.iter().any(|(_, names)| names.iter().any(|known| known == name))
    };
    let said = |name: &str| described.environment.get(name).map(String::as_str);
    let open = |name: &str| said(name).and_then(|text| placed(text, &known));
    let user = open("POSTGRES_USER").unwrap_or_else(|| "postgres".to_owned());
    let name = open("POSTGRES_DB").unwrap_or_else(|| user.clone());
    // Only a variable: a password that the file holds openly is not written again.
    let password = said("POSTGRES_PASSWORD").and_then(variable).filter(|name| known(name));
    let (host, port, published) = match guess::address(one, &[5432]) {
        Some((host, port)) => (host, port, true),
        None => (
            one.networks.values().map(|net| net.address.clone()).find(|a| !a.is_empty())?,
            5432,
            false,
        ),
    };
    let login = password.map_or_else(String::new, |name| format!(":${{{name}}}"));
    let url = format!("postgresql://{user}{login}@{host}:{port}/{name}");
    Some((url, password.is_some(), published))
}

/// `${NAME}`, `${NAME:-default}` or `$NAME`: the variable.
fn variable(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('$')?;
    let inner = match rest.strip_prefix('{') {
        Some(inner) => inner.strip_suffix('}')?,
        None => rest,
    };
    let name = inner.split([':', '-', '?', '+']).next()?;
    is_variable(name).then_some(name)
}

/// A text that is no secret: as it stands, as a variable that is known, or its default.
fn placed(text: &str, known: &impl Fn(&str) -> bool) -> Option<String> {
    let good = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    match variable(text) {
        Some(name) if known(name) => Some(format!("${{{name}}}")),
        Some(_) => {
            let (_, default) = text.trim_end_matches('}').split_once('-')?;
            default.chars().all(good).then(|| default.to_owned())
        }
        None if text.contains('$') => None,
        None => text.chars().all(good).then(|| text.to_owned()),
    }
}

fn database(page: &mut Page, all: &Guessed<'_>) {
    for one in guess::all(all.facts, Part::Store) {
        let image = &one.image;
        page.say(&format!("{}: {image} is watched as a container only.", one.service));
    }
    for (at, one) in guess::all(all.facts, Part::Postgres).enumerate() {
        let Some((url, password, published)) = postgres_url(all, one) else { continue };
        let service = raw(&one.service);
        if at > 0 {
            page.say(&format!("database: {service} is another PostgreSQL; one is known here."));
            continue;
        }
        page.line("database:", "");
        page.line("  postgres:", "its image");
        let from = if published {
            "its published port and POSTGRES_… of the project"
        } else {
            "its address in the project's network today; publish it on 127.0.0.1 so that it stays"
        };
        page.line(&format!("    url: {}", raw(&url)), from);
        if !password {
            page.line("    # no variable of the env file is its password: put it into one, then user:${NAME}@", "");
        }
        page.line(&format!("    service: {service}"), "");
        if let Some(folder) = &all.facts.migrations {
            page.line(&format!("    migrations: {}", path(folder)), "the SQL files in it");
        }
    }
}

/// The first Redis: its keys are in every point, and level 3 brings them back.
fn redis(page: &mut Page, all: &Guessed<'_>) {
    let mut found = guess::all(all.facts, Part::Redis);
    let Some(one) = found.next() else { return };
    let service = raw(&one.service);
    for other in found {
        page.say(&format!("redis: {} is another Redis; one is known here.", other.service));
    }
    let Some((host, port)) = guess::address(one, &[6379]) else {
        page.say(&format!(
            "redis: {service} publishes no port; publish it on 127.0.0.1, and its keys are in every point."
        ));
        return;
    };
    let Some(login) = redis_login(all, one) else {
        page.say(&format!(
            "redis: {service} wants a password, and no variable of the env file is it: put it into \
             one, then url: redis://:${{NAME}}@{host}:{port} and service: {service}"
        ));
        return;
    };
    page.line("redis:", "its image");
    page.line(&format!("  url: \"redis://{login}{host}:{port}\""), "its published port");
    page.line(&format!("  service: {service}"), "");
}

/// The password of a Redis as a variable before its address; empty where it wants none, nothing
/// where it stands openly in the files: it is not written again.
fn redis_login(all: &Guessed<'_>, one: &Container) -> Option<String> {
    let described = all.facts.described.get(&one.service);
    let said = described.and_then(|said| {
        let mut words = said.command.iter().map(|word| word.trim_matches(['"', '\'']));
        let after = words.by_ref().find(|word| *word == "--requirepass").and_then(|_| words.next());
        let set = said.environment.get("REDIS_PASSWORD").map(String::as_str);
        after.or(set).map(str::to_owned)
    });
    let Some(said) = said else { return Some(String::new()) };
    let known = |name: &str| {
        all.facts.env_file.iter().any(|(_, names)| names.iter().any(|known| known == name))
    };
    variable(&said).filter(|name| known(name)).map(|name| format!(":${{{name}}}@"))
}

fn logs(page: &mut Page, all: &Guessed<'_>) {
    page.gap();
    page.line("log_sources:", "");
    for side in &all.sides {
        let (color, service) = (raw(&side.color), raw(&side.service));
        page.line(&format!("  - {{source: {color}, container: {service}}}"), "");
    }
    page.line("  - {containers: all}", "");
}
