//! `log_sources`: files that are followed, and containers of the platform's Compose project.

use std::path::PathBuf;

use crate::adapters::kube::KubeSettings;

use super::container_kind::engine_of;
use super::kube_target;
use super::take::{Item, Table};
use super::target::{self, ComposeProject, Platform};

/// A log to tail.
#[derive(Clone, Debug, PartialEq)]
pub struct LogSource {
    /// The name shown before each line.
    pub source: String,
    /// The file.
    pub path: PathBuf,
}

/// The containers whose output is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerLogs {
    /// The engine's address; without one, the local socket.
    pub engine: Option<String>,
    /// The hosts of the project and their engines' addresses, which then count instead; a source is
    /// `api@a` there.
    pub hosts: Vec<(String, String)>,
    /// Their Compose project.
    pub project: String,
    /// Sources and their Compose services.
    pub sources: Vec<ContainerSource>,
    /// Every other service of the project too, under its own name.
    pub all: bool,
}

/// The pods whose output is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodLogs {
    /// Their cluster and namespace.
    pub cluster: KubeSettings,
    /// Sources and their deployments.
    pub sources: Vec<PodSource>,
    /// Every other deployment of the namespace too, under its own name.
    pub all: bool,
}

/// A log that the pods of a deployment write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSource {
    /// The name shown before each line.
    pub source: String,
    /// The deployment.
    pub deployment: String,
}

/// Everything that is followed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Followed {
    pub(super) files: Vec<LogSource>,
    pub(super) containers: Option<ContainerLogs>,
    pub(super) pods: Option<PodLogs>,
}

/// A log that the containers of a service write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerSource {
    /// The name shown before each line.
    pub source: String,
    /// The service.
    pub service: String,
}

/// `log_sources: [{source: …, path: …}, {source: …, container: …}, {containers: all}]`, and in a
/// cluster `{source: …, deployment: …}` and `{pods: all}`; `{documents: all}` are the documents' files.
pub(super) fn log_sources(root: &mut Table<'_>, platform: &Platform) -> Followed {
    let mut files: Vec<LogSource> = Vec::new();
    let mut logs: Option<ContainerLogs> = None;
    let mut pods: Option<PodLogs> = None;
    for item in root.list("log_sources") {
        let Some(mut table) = item.table() else {
            continue;
        };
        if table.has("containers") {
            let all = table
                .take("containers")
                .filter(|item| every(item, "write containers: all, or container: with a service"));
            if let Some(found) = all.and_then(|item| project(&table, &item, platform)) {
                logs.get_or_insert(found).all = true;
            }
            table.finish();
            continue;
        }
        if table.has("documents") {
            let hint = "write documents: all";
            if table.take("documents").is_some_and(|item| every(&item, hint)) {
                files.extend(DOCUMENTS.map(|path| LogSource {
                    source: path.trim_start_matches('/').replace('/', "."),
                    path: path.into(),
                }));
            }
            table.finish();
            continue;
        }
        if table.has("pods") {
            let all = table
                .take("pods")
                .filter(|item| every(item, "write pods: all, or deployment: with one"));
            if let Some(found) = all.and_then(|item| namespace(&item, platform)) {
                pods.get_or_insert(found).all = true;
            }
            table.finish();
            continue;
        }
        let known: Vec<&str> = files
            .iter()
            .map(|known| known.source.as_str())
            .chain(logs.iter().flat_map(|logs| logs.sources.iter().map(|s| s.source.as_str())))
            .chain(pods.iter().flat_map(|pods| pods.sources.iter().map(|s| s.source.as_str())))
            .collect();
        let name = table.need("source").and_then(|item| source_name(&item, &known));
        if let Some(item) = table.take("deployment") {
            let deployment = kube_target::label(&item);
            let found = namespace(&item, platform);
            table.finish();
            if let (Some(source), Some(deployment), Some(found)) = (name, deployment, found) {
                pods.get_or_insert(found).sources.push(PodSource { source, deployment });
            }
            continue;
        }
        let container = table.take("container");
        let path = if container.is_some() { None } else { table.need("path") };
        let path = path.and_then(|item| item.path());
        let service = container.as_ref().and_then(target::name);
        let found = container.and_then(|item| project(&table, &item, platform));
        table.finish();
        let Some(source) = name else { continue };
        if let Some(path) = path {
            files.push(LogSource { source, path });
        } else if let (Some(service), Some(found)) = (service, found) {
            logs.get_or_insert(found).sources.push(ContainerSource { source, service });
        }
    }
    Followed { files, containers: logs, pods }
}

/// The files that the documents tail and preserve (000:918-944); one that is not there is shown as
/// absent.
const DOCUMENTS: [&str; 14] = [
    "/var/log/pratiko-integration.log",
    "/var/log/pratiko-rollback/rollback_execution.log",
    "/var/log/pratiko-rollback/health_monitor.log",
    "/var/log/pratiko-rollback/system.log",
    "/var/log/nginx/access.log",
    "/var/log/nginx/error.log",
    "/var/log/postgresql/postgresql-12-main.log",
    "/var/log/redis/redis-server.log",
    "/opt/pratiko/backend/logs/app.log",
    "/opt/pratiko/backend/logs/error.log",
    "/opt/pratiko/frontend/logs/deploy.log",
    "/var/log/syslog",
    "/var/log/kern.log",
    "/var/log/auth.log",
];

/// No pods yet, of the platform's namespace.
fn namespace(item: &Item<'_>, platform: &Platform) -> Option<PodLogs> {
    let Platform::Kubernetes(at) = platform else {
        item.wrong_with(
            "needs the namespace that the pods are in",
            "add platform: {kubernetes: {namespace: NAME}}",
        );
        return None;
    };
    Some(PodLogs { cluster: at.settings.clone(), sources: Vec::new(), all: false })
}

fn every(item: &Item<'_>, hint: &str) -> bool {
    let all = item.text().is_some_and(|word| word == "all");
    if !all {
        item.wrong_with("is not known", hint);
    }
    all
}

/// No containers yet, of the platform's project.
fn project(table: &Table<'_>, item: &Item<'_>, platform: &Platform) -> Option<ContainerLogs> {
    let compose: &ComposeProject = match platform {
        Platform::Compose(compose) => compose,
        Platform::None
        | Platform::Local { .. }
        | Platform::Kubernetes(_)
        | Platform::Frontend(_) => {
            item.wrong_with(
                "needs the project that the containers are of",
                "add platform: {compose: {project: NAME, dir: …}}",
            );
            return None;
        }
    };
    let engine = engine_of(table, Some(compose));
    let project = compose.project.clone();
    let hosts = compose.hosts.clone();
    Some(ContainerLogs { engine, hosts, project, sources: Vec::new(), all: false })
}

fn source_name(item: &Item<'_>, known: &[&str]) -> Option<String> {
    let text = item.text()?;
    if text.len() > 64 || text.contains(|c: char| c == '/' || c.is_control()) {
        item.wrong(&format!("{text:?} is not a name"));
        return None;
    }
    if known.contains(&text.as_str()) {
        let message = format!("{text:?} is the name of another source");
        item.wrong_with(&message, "give each its own");
        return None;
    }
    Some(text)
}
