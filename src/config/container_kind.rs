//! The settings of checks that ask a container engine, and of logs that come from one.

use std::path::Path;

use crate::checks::container::{self, Measure, Which};

use super::host_kinds::ResourceDefaults;
use super::kinds::thresholds;
use super::kube_target::KubeNamespace;
use super::take::{Item, Table};
use super::target::{self, ComposeProject, Platform};

/// What checks leave out and the rest of the file says.
pub(super) struct Defaults<'a> {
    /// Thresholds of resources.
    pub(super) resources: &'a ResourceDefaults,
    /// The project that the program is.
    pub(super) compose: Option<&'a ComposeProject>,
    /// The namespace that the program is in.
    pub(super) kubernetes: Option<&'a KubeNamespace>,
    /// Where everything is kept.
    pub(super) state_dir: &'a Path,
}

impl<'a> Defaults<'a> {
    pub(super) fn new(
        resources: &'a ResourceDefaults,
        platform: &'a Platform,
        state_dir: &'a Path,
    ) -> Self {
        let compose = match platform {
            Platform::Compose(compose) => Some(compose),
            Platform::None
            | Platform::Local { .. }
            | Platform::Kubernetes(_)
            | Platform::Frontend(_) => None,
        };
        let kubernetes = match platform {
            Platform::Kubernetes(at) => Some(at),
            Platform::None
            | Platform::Local { .. }
            | Platform::Compose(_)
            | Platform::Frontend(_) => None,
        };
        Self { resources, compose, kubernetes, state_dir }
    }
}

/// The Compose service `container`, or `service` where that is what the check counts for too; else
/// the container `name`. And what is measured.
pub(super) fn container(
    table: &mut Table<'_>,
    defaults: &Defaults<'_>,
) -> Option<container::Settings> {
    let service = ["container", "service"].into_iter().find(|key| table.has(key));
    let service = service.and_then(|key| table.take(key));
    let project = table.take("project");
    let engine = table.take("engine").and_then(|item| target::engine(&item));
    let measure = table.take("measure").and_then(|item| {
        let words =
            [("restarts", Measure::Restarts), ("memory", Measure::Memory), ("cpu", Measure::Cpu)];
        item.one_of("a measure", &words)
    });
    let thresholds = thresholds(table);
    let which = match service {
        Some(item) => {
            let service = target::name(&item)?;
            let project = match project {
                Some(item) => target::name(&item)?,
                None => known_project(&item, defaults)?,
            };
            Which::Service { project, service }
        }
        None => Which::Name(named(table)?),
    };
    let engine = engine.or_else(|| engine_of(table, defaults.compose));
    let measure = measure.unwrap_or(Measure::Restarts);
    Some(container::Settings { which, engine, measure, thresholds })
}

fn known_project(item: &Item<'_>, defaults: &Defaults<'_>) -> Option<String> {
    let known = defaults.compose.map(|compose| compose.project.clone());
    if known.is_none() {
        item.wrong_with(
            "is a Compose service, and its project is not known",
            "add project: NAME, or platform: {compose: {project: NAME, dir: …}}",
        );
    }
    known
}

fn named(table: &mut Table<'_>) -> Option<String> {
    if !table.has("name") {
        let hint = "add container: with a Compose service, or name: with a container".to_owned();
        table.desk.problem(table.at, &table.path, "names no container", Some(hint));
        return None;
    }
    target::name(&table.take("name")?)
}

/// The project's engine, else that of the environment; nothing is the local socket.
pub(super) fn engine_of(table: &Table<'_>, compose: Option<&ComposeProject>) -> Option<String> {
    let own = compose.and_then(|compose| compose.engine.clone());
    let local = |address: &&str| address.starts_with("unix:///");
    own.or_else(|| table.desk.environment.get("DOCKER_HOST").filter(local).map(str::to_owned))
}
