//! `services:` with their instances and how one of them is brought back, `targets:` of document 001
//! (P-09, P-12, P-13), and which versions work with each other (P-81).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::strategy::{self, Strategy};
use crate::steps::Command;

use super::take::{Item, Table};
use super::{did_you_mean, target};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

/// The services of a configuration, by name.
pub type Services = BTreeMap<String, Service>;

/// One service.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// What it needs: it goes back before them.
    pub depends_on: Vec<String>,
    /// Its instances, each with the address that says whether it is well.
    pub instances: BTreeMap<String, Option<String>>,
    /// What brings one back: `$instance` and `$version` stand for it.
    pub roll_back: Option<Command>,
    /// Where it goes without a word of a person.
    pub to: Option<String>,
    /// Its versions, and the oldest of other services that each works with.
    pub works_with: BTreeMap<String, BTreeMap<String, String>>,
    /// How it is brought back.
    pub strategy: Strategy,
    /// The rest of that.
    pub options: Options,
}

/// How a strategy is carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Where a switch is looked at beside its own gate.
    pub health_check_url: Option<String>,
    /// How long a version may take to be well (001: 300 s).
    pub validation: Duration,
    /// Whether the failed version is kept; it always is, and `false` is said to mean nothing.
    pub preserve_failed: bool,
    /// Instances at a time (001: 2; `ROLLBACK_BATCH_SIZE` wins).
    pub batch_size: usize,
    /// Time between two batches (001: 30 s).
    pub batch_delay: Duration,
    /// Time between two looks (001: 10 s).
    pub health_check_interval: Duration,
}

impl Options {
    fn new(batch_size: usize) -> Self {
        Self {
            health_check_url: None,
            validation: SECOND * 300,
            preserve_failed: true,
            batch_size,
            batch_delay: SECOND * 30,
            health_check_interval: SECOND * 10,
        }
    }

    /// Takes those that `table` says.
    fn take(&mut self, table: &mut Table<'_>) {
        if table.has("health_check_url") {
            self.health_check_url = target::url(table, "health_check_url");
        }
        // The documents write the number alone.
        let validation = if table.has("validation_timeout") {
            table.count("validation_timeout", 1, 86_400).map(|n| SECOND * n)
        } else {
            table.span("validation", SECOND, DAY)
        };
        self.validation = validation.unwrap_or(self.validation);
        if let Some(kept) = table.truth("preserve_failed_environment") {
            self.preserve_failed = kept;
        }
        if let Some(size) = table.count("batch_size", 1, 1000) {
            self.batch_size = size as usize;
        }
        let delay = table.span("batch_delay", Duration::ZERO, DAY);
        self.batch_delay = delay.unwrap_or(self.batch_delay);
        let every = match table.take("health_check_interval") {
            None => None,
            Some(item) => item.number().and_then(|n| Duration::try_from_secs_f64(n).ok()),
        };
        self.health_check_interval =
            every.unwrap_or(self.health_check_interval).clamp(Duration::from_millis(100), DAY);
    }
}

/// `services: {backend: {…}}` and `targets: […]`, whose strategy and options win. `batch_size` is
/// that of the environment, where it says one.
pub(super) fn services(root: &mut Table<'_>, batch_size: Option<usize>, name: &str) -> Services {
    let mut found = BTreeMap::new();
    if let Some(mut table) = root.table("services") {
        let names = table.names();
        for name in names {
            let Some(item) = table.take(&name) else { continue };
            if let Some(inner) = item.table() {
                found.insert(name, service(inner, batch_size.unwrap_or(2)));
            }
        }
        known(&table, &found);
        table.finish();
    }
    for item in root.list("targets") {
        if let Some(table) = item.table() {
            one_target(table, &mut found, (batch_size, name));
        }
    }
    if let Some(size) = batch_size {
        for service in found.values_mut() {
            service.options.batch_size = size;
        }
    }
    found
}

fn service(mut table: Table<'_>, batch_size: usize) -> Service {
    let depends_on = table.list("depends_on").iter().filter_map(Item::text).collect();
    let instances = table.take("instances").map(|item| instances(&item)).unwrap_or_default();
    let roll_back = table.take("roll_back").and_then(|item| command(&item));
    let to = table.text("to");
    let mut works_with = BTreeMap::new();
    if let Some(mut versions) = table.table("works_with") {
        let names = versions.names();
        for version in names {
            let Some(mut least) = versions.table(&version) else { continue };
            let others = least.names();
            let each = others.into_iter().filter_map(|other| {
                let oldest = least.text(&other)?;
                Some((other, oldest))
            });
            let each = each.collect();
            least.finish();
            works_with.insert(version, each);
        }
        versions.finish();
    }
    let chosen = table.take("strategy").and_then(|item| strategy(&item));
    let mut options = Options::new(batch_size);
    options.take(&mut table);
    table.finish();
    let strategy = chosen.unwrap_or(Strategy::Rolling);
    Service { depends_on, instances, roll_back, to, works_with, strategy, options }
}

/// `[one, two]`, or each with the address that says whether it is well.
fn instances(item: &Item<'_>) -> BTreeMap<String, Option<String>> {
    let good = |item: &Item<'_>, name: &str| {
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
        let good = plain && (1..=63).contains(&name.len());
        if !good {
            let message = format!("{name:?} is not a name of an instance");
            item.wrong_with(&message, "use letters, digits, _ and -");
        }
        good
    };
    if !item.is_map() {
        let names = item.list().unwrap_or_default();
        let named = names.iter().filter_map(|item| item.text().filter(|name| good(item, name)));
        return named.map(|name| (name, None)).collect();
    }
    let mut found = BTreeMap::new();
    let Some(mut all) = item.table() else { return found };
    let names = all.names();
    for name in names {
        let url = target::url(&mut all, &name);
        if good(item, &name) {
            found.insert(name, url);
        }
    }
    all.finish();
    found
}

fn strategy(item: &Item<'_>) -> Option<Strategy> {
    let word = item.text()?;
    let found = Strategy::named(&word);
    if found.is_none() {
        let names = Strategy::ALL.map(Strategy::name).join(", ");
        item.wrong_with(&format!("{word:?} is not a strategy"), format!("say one of {names}"));
    }
    found
}

/// `{argv: [...], probe_argv: [...], cwd: …, env: {…}, budget_seconds: 60, hazard: reversible}`.
fn command(item: &Item<'_>) -> Option<Command> {
    let mut table = item.table()?;
    let words = |table: &mut Table<'_>, key: &str| -> Vec<String> {
        table.list(key).iter().filter_map(Item::word).collect()
    };
    let argv = words(&mut table, "argv");
    let probe = words(&mut table, "probe_argv");
    let cwd = table.path("cwd");
    let budget_seconds = table.count("budget_seconds", 1, 86_400).map_or(300, u64::from);
    let mut env = BTreeMap::new();
    if let Some(mut variables) = table.table("env") {
        let names = variables.names();
        for name in names {
            let value = variables.take(&name).and_then(|item| item.word());
            env.extend(value.map(|value| (name, value)));
        }
        variables.finish();
    }
    table.finish();
    if argv.is_empty() {
        item.wrong_with("says no argv", "write argv: [/path/of/a/program, $instance, $version]");
        return None;
    }
    Some(Command {
        argv,
        probe_argv: (!probe.is_empty()).then_some(probe),
        cwd,
        env,
        budget_seconds,
        grace_seconds: 10,
        hazard: crate::model::plan::Hazard::Reversible,
    })
}

/// What only holds of the services together: each that is needed is there, and none needs itself.
fn known(table: &Table<'_>, found: &Services) {
    let problem = |name: &str, key: &str, message: &str, hint: Option<String>| {
        table.desk.problem(table.at, &format!("services.{name}.{key}"), message, hint);
    };
    for (name, service) in found {
        for other in &service.depends_on {
            if !found.contains_key(other) {
                let meant = did_you_mean(other, found.keys().map(String::as_str));
                let hint = meant.map(|meant| format!("did you mean {meant}?"));
                problem(name, "depends_on", &format!("{other:?} is not a service"), hint);
            }
        }
    }
    let graph = found.iter().map(|(name, service)| {
        let known = service.depends_on.iter().filter(|other| found.contains_key(*other));
        (name.as_str(), known.map(String::as_str).collect())
    });
    if let Err(round) = strategy::order(&graph.collect()) {
        let name = round.first().cloned().unwrap_or_default();
        let message = format!("depends on itself: {}", round.join(" -> "));
        problem(&name, "depends_on", &message, Some("take one of them out".to_owned()));
    }
}

/// `{service: …, environment: …, strategy: …, options: {…}}`: one of another environment is not for
/// this file, one of a service that is not described here is noted.
fn one_target(mut table: Table<'_>, found: &mut Services, (batch, here): (Option<usize>, &str)) {
    let service = table.need("service").and_then(|item| item.text());
    let environment = table.text("environment");
    let chosen = table.take("strategy").and_then(|item| strategy(&item));
    let known = service.as_ref().and_then(|name| found.get_mut(name));
    let mut options = match &known {
        Some(known) => known.options.clone(),
        None => Options::new(batch.unwrap_or(2)),
    };
    if let Some(mut inner) = table.table("options") {
        options.take(&mut inner);
        // What a migration and the frontend are told is said in their own sections.
        inner.later(&[
            "target_migration",
            "preserve_data",
            "snapshot_tables",
            "backup_location",
            "platforms",
            "cdn_invalidation",
            "app_store_rollback",
            "health_check_urls",
        ]);
        inner.finish();
    }
    let desk = table.desk;
    table.finish();
    let Some(service) = service else { return };
    if environment.as_ref().is_some_and(|named| named != here) {
        let named = environment.unwrap_or_default();
        desk.note(format!("targets: {service} of {named} is not of this environment"));
        return;
    }
    match known {
        Some(known) => {
            known.strategy = chosen.unwrap_or(known.strategy);
            known.options = options;
        }
        None => desk.note(format!("targets: {service} is not described under services")),
    }
}
