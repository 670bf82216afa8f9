//! A file's way to a configuration.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::ids::Digest;

use super::container_kind::Defaults;
use super::environment::Environment;
use super::node::{self, Node, Position, Value};
use super::problem::Problem;
use super::shape::Shapes;
use super::take::{Desk, Item, Table};
use super::{
    Config, Platform, alerts, backup, console, credentials, file, guides, health_checks,
    host_kinds, judging, kube_target, logs, notifications, people, postgres, procedures,
    project_file, rules, sections, target, telling, triggers, unused,
};

/// Reads `path`, with secrets and defaults from `environment`.
///
/// Fails with every problem found, in the order of the file.
pub fn load(path: &Path, environment: &Environment) -> Result<Config, Vec<Problem>> {
    let contents = file::read(path, file::LIMIT).map_err(|problem| vec![problem])?;
    let text = text(path, &contents.bytes).map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    let Some(root) = node::parse(path, text, &mut problems) else {
        if problems.is_empty() {
            problems.push(empty(path));
        }
        return Err(problems);
    };
    let desk = Desk::new(path, environment, problems);
    if let Some(mode) = &contents.loose {
        desk.note(format!("this file can be changed by others (mode {mode}): chmod go-w it"));
    }
    let digest = Digest::of(&contents.bytes);
    let file = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let config = config(&desk, &root, file, digest);
    let secrets = telling::secrets(environment, desk.secrets.take());
    desk.refuse_told(&secrets);
    let mut problems = desk.problems.take();
    problems.sort_by_key(|problem| (problem.line, problem.column));
    problems.dedup();
    match config {
        Some(config) if problems.is_empty() => {
            let (notes, credentials) = (desk.notes.take(), desk.credentials.take());
            Ok(Config { credentials, secrets, notes, ..config })
        }
        _ => Err(problems),
    }
}

/// The JSON schema of configurations (draft 2020-12): what is asked of a file while these are read.
/// What is wrong in them does not matter; what none of them holds has no type there.
pub fn schema(files: &[PathBuf], environment: &Environment) -> serde_json::Value {
    let mut shapes = Shapes::default();
    for path in files {
        let Ok(contents) = file::read(path, file::LIMIT) else { continue };
        let mut problems = Vec::new();
        let text = text(path, &contents.bytes).ok();
        let Some(root) = text.and_then(|text| node::parse(path, text, &mut problems)) else {
            continue;
        };
        let desk = Desk::new(path, environment, problems);
        config(&desk, &root, path.clone(), Digest::of(&contents.bytes));
        shapes.add(desk.shapes.take());
    }
    shapes.schema()
}

/// The bytes as text; what is not text is refused before the parser sees it.
fn text<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, Problem> {
    let binary = |at: usize, why: &str| {
        let before = bytes.get(..at).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').count();
        Problem::whole(path, format!("is not text: {why} on line {line}"))
    };
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        return Err(binary(at, "a zero byte"));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|e| binary(e.valid_up_to(), "a byte that is not UTF-8"))?;
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        return Err(empty(path));
    }
    Ok(text)
}

fn empty(path: &Path) -> Problem {
    Problem::whole(path, "is empty").hint("begin with environment: and health_checks:")
}

fn config(desk: &Desk<'_>, root: &Node, file: PathBuf, digest: Digest) -> Option<Config> {
    let whole = Item::whole(desk, root);
    let nothing = Node { at: Position::default(), value: Value::Map(Vec::new()) };
    match &root.value {
        Value::Map(_) => {
            let mut table = whole.table()?;
            if somebody_elses(&table) {
                return None;
            }
            let items = table.list("health_checks");
            Some(resolve(desk, table, items, file, digest))
        }
        // A bare list of checks, as the documents show them one kind at a time.
        Value::List(_) => {
            let items =
                Item { path: "health_checks".into(), place: "/health_checks".into(), ..whole }
                    .list()?;
            let table = Item::whole(desk, &nothing).table()?;
            Some(resolve(desk, table, items, file, digest))
        }
        Value::Scalar { .. } => {
            whole.wrong_with(
                "is one word, not a configuration",
                "begin with environment: and health_checks:",
            );
            None
        }
    }
}

/// Files that people have beside ours and name by mistake.
fn somebody_elses(table: &Table<'_>) -> bool {
    let kind = if table.has("apiVersion") && table.has("kind") {
        "a Kubernetes manifest"
    } else if table.has("jobs") && table.has("on") {
        "a GitHub Actions workflow"
    } else if table.has("services") && !table.has("health_checks") {
        "a Compose file"
    } else {
        return false;
    };
    let hint = "name the backout.yaml instead".to_owned();
    let message = format!("this is {kind}, not a configuration of backout");
    table.desk.problem(table.at, "", &message, Some(hint));
    true
}

#[expect(clippy::too_many_lines, reason = "one line for each part of a configuration")]
fn resolve(
    desk: &Desk<'_>,
    mut root: Table<'_>,
    items: Vec<Item<'_>>,
    file: PathBuf,
    digest: Digest,
) -> Config {
    let second = Duration::from_secs(1);
    let environment = environment_name(&mut root);
    let production = is_production(&mut root, &environment);
    let every = root.span("monitoring_interval", second, Duration::from_hours(24));
    let every = every.unwrap_or(second * 30);
    let retention = root.span("metrics_retention", second, Duration::from_hours(24 * 31));
    let state_dir = root.path("state_dir");
    let state_dir = state_dir.unwrap_or_else(|| desk.environment.state_home().join(&environment));
    let history_log = root.path("history_log");
    let resources = host_kinds::resource_defaults(&mut root);
    let platform = platform(desk, &mut root);
    let traffic = target::traffic(&mut root);
    let defaults = Defaults::new(&resources, &platform, &state_dir);
    let (mut checks, mut judging) = health_checks::checks(desk, items, every, &defaults);
    let imported = alerts::imported(&mut root, every);
    judging
        .bearings
        .extend(imported.checks.iter().map(|spec| (spec.id.clone(), judging::alone(spec))));
    checks.extend(imported.checks);
    let rules = rules::rules(&mut root, imported.rules);
    rules::note_names(desk, &rules, &checks, &judging.objectives);
    let windows = sections::windows(&mut root);
    health_checks::note_resolution(desk, &checks, &windows);
    judging::note_looks(desk, &checks, &windows);
    judging.witnesses = judging::witnesses(&mut root);
    judging.maintenance = judging::maintenance(&mut root, &checks);
    let hooks = people::hooks(&mut root);
    let colors = target::colors(&mut root);
    target::together(&root, (&platform, traffic.as_ref()), &colors);
    let followed = logs::log_sources(&mut root, &platform);
    let (traffic, colors) = kube_target::only_side(&root, &platform, (traffic, colors));
    let database = target::database(&mut root);
    let journal = postgres::journal(&mut root, database.as_ref());
    let redis = super::redis::redis(&mut root, &platform);
    let templates = super::templates::templates(&mut root);
    let services = super::services::services(&mut root, sections::batch_size(desk), &environment);
    let config = Config {
        redis,
        file,
        journal,
        digest,
        production,
        history_log: history_log.unwrap_or_else(|| state_dir.join("rollback_history.log")),
        state_dir,
        environment,
        restore_points: restore_points(desk, &mut root),
        restore_points_key: backup::key(&mut root),
        backup: backup::backup(&mut root),
        deploys: sections::file(&mut root, "deploys"),
        platform,
        traffic,
        colors,
        help_test: sections::help_test(&mut root),
        fence: sections::file(&mut root, "fence"),
        deployment_lock: sections::file(&mut root, "deployment_lock"),
        database,
        migration_tool: super::migrations::migrations(&mut root),
        proofs: super::proofs::proofs(&mut root),
        log_files: super::log_files::log_files(&mut root),
        log_sources: followed.files,
        container_logs: followed.containers,
        pod_logs: followed.pods,
        procedures: procedures::procedures(&mut root),
        services,
        drill: super::drill::drill(&mut root),
        guides: guides::folder(&mut root),
        rollback: sections::rollback(&mut root),
        share: people::share(&mut root),
        evidence_remote: people::evidence(&mut root),
        forwarded_agent: credentials::forwarded_agent(desk.environment, &checks, &hooks),
        hooks,
        notifications: notifications::notifications(desk, &mut root, &rules.list).with(&templates),
        triggers: triggers::triggers(&mut root),
        credentials: Vec::new(),
        secrets: Vec::new(),
        checks,
        windows,
        console: console::console(&mut root),
        links: console::links(&mut root),
        templates,
        environments: console::environments(&mut root),
        judging,
        rules,
        retention: retention.unwrap_or(Duration::from_hours(1)),
        notes: Vec::new(),
    };
    root.later(&unused::SECTIONS);
    root.finish();
    config
}

/// As it says itself; else by its name.
fn is_production(root: &mut Table<'_>, environment: &str) -> bool {
    root.truth("production").unwrap_or(matches!(environment, "production" | "prod"))
}

/// Where the program runs; a project's own file is a place for secrets from here on.
fn platform(desk: &Desk<'_>, root: &mut Table<'_>) -> Platform {
    let platform = target::platform(root);
    if let Platform::Compose(compose) = &platform {
        let read = || (compose.env_file.clone(), project_file::read(&compose.env_file));
        desk.project.get_or_init(read);
    }
    platform
}

/// The environment's name; it becomes the name of a folder.
fn environment_name(root: &mut Table<'_>) -> String {
    let Some(item) = root.take("environment") else {
        return "default".to_owned();
    };
    let Some(name) = item.text() else {
        return "default".to_owned();
    };
    let good = name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    if !good {
        item.wrong_with(
            &format!("{name:?} is not a name"),
            "use letters, digits, _ . and -, beginning with a letter or digit",
        );
    }
    name
}

/// `BACKUP_DIR` wins over the file (S-68).
fn restore_points(desk: &Desk<'_>, root: &mut Table<'_>) -> Option<PathBuf> {
    let configured = root.path("restore_points");
    let Some(named) = desk.environment.backup_dir() else {
        return configured;
    };
    desk.note(format!("restore_points {named} comes from BACKUP_DIR"));
    Some(desk.resolve(named))
}
