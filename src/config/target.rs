//! Where the program runs, what moves its traffic, its sides and its database: `platform`,
//! `traffic`, `colors`, `database`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::adapters::docker::{FORMS, is_address};
use crate::adapters::postgres::cluster::HostPlace;
use crate::adapters::secret::Secret;
use crate::model::ids::Color;

use super::choice::choice;
use super::kinds::address;
use super::kube_target::{self, KubeNamespace, KubeService};
use super::postgres::postgres;
use super::site_target::{self, FrontendSite};
use super::take::{Item, Table};
use super::unused;

/// Where the program runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Platform {
    /// Nothing is known: looking only.
    None,
    /// Plain processes of one folder.
    Local {
        /// The folder with one subfolder per colour.
        dir: PathBuf,
    },
    /// Containers of one Compose project.
    Compose(ComposeProject),
    /// A namespace of a Kubernetes cluster.
    Kubernetes(KubeNamespace),
    /// A frontend in object storage.
    Frontend(Box<FrontendSite>),
}

/// A project of Docker Compose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComposeProject {
    /// Its name, as its containers carry it in a label.
    pub project: String,
    /// Its folder: relative paths in its files begin there.
    pub dir: PathBuf,
    /// Its files.
    pub files: Vec<PathBuf>,
    /// The file of its variables.
    pub env_file: PathBuf,
    /// The variable that names the version to run; none where the files name it.
    pub tag_variable: Option<String>,
    /// The engine's address; else that of the environment, else the local socket. Where there are
    /// several hosts it is the first one's, which also has what is there once.
    pub engine: Option<String>,
    /// The hosts that its coloured services run on, each with its engine's address; none where
    /// there is only one.
    pub hosts: Vec<(String, String)>,
}

/// What moves traffic.
#[derive(Clone, Debug, PartialEq)]
pub enum Traffic {
    /// A proxy with a control port.
    Proxy {
        /// Its control address.
        control_url: String,
        /// Where users come in.
        public_url: String,
    },
    /// nginx with an included file that names the upstream.
    Nginx(NginxFiles),
    /// A service of the cluster whose selector names the colour.
    Service(KubeService),
    /// Nothing: one workload serves at one address, and is changed in place.
    Fixed {
        /// Where users come in.
        public_url: String,
    },
}

/// The files by which nginx is told where traffic goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxFiles {
    /// The Compose service that it is; none where it runs on this host.
    pub service: Option<String>,
    /// The included file.
    pub include: PathBuf,
    /// What the included file is for each colour.
    pub upstreams: BTreeMap<Color, PathBuf>,
    /// A file included in the server, empty but while the maintenance page is held.
    pub page_include: Option<PathBuf>,
    /// A file included in the server, empty but while writers are held.
    pub writers_include: Option<PathBuf>,
    /// Where users come in.
    pub public_url: String,
    /// The variable of the project's file that names the active colour.
    pub active_variable: Option<String>,
}

impl Traffic {
    /// Where users come in.
    pub fn public_url(&self) -> &str {
        match self {
            Self::Proxy { public_url, .. } | Self::Fixed { public_url } => public_url,
            Self::Nginx(files) => &files.public_url,
            Self::Service(service) => &service.public_url,
        }
    }
}

/// One side of a two-colour deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct ColorAddress {
    /// Its own address, past the proxy (W-21).
    pub url: String,
    /// Its Compose service.
    pub service: Option<String>,
    /// Its Kubernetes deployment.
    pub deployment: Option<String>,
    /// The Compose services or deployments that work behind the traffic.
    pub workers: Vec<String>,
}

/// The database of the program.
#[derive(Clone, Debug, PartialEq)]
pub enum Database {
    /// One file of `SQLite`.
    Sqlite {
        /// It.
        path: PathBuf,
        /// Up scripts; down scripts are in `rollback/` below.
        migrations: Option<PathBuf>,
    },
    /// A database of a `PostgreSQL` server.
    Postgres {
        /// `postgresql://user:password@host:port/name`.
        url: Secret,
        /// The Compose service in whose container its tools run; none where they are on this host.
        service: Option<String>,
        /// As above.
        migrations: Option<PathBuf>,
        /// The folder where the server's logs are archived, as this host has it: with it the whole
        /// server can be brought back to a moment.
        wal_archive: Option<PathBuf>,
        /// The server on this host and the repository of `pgBackRest` that has its base backups
        /// and logs: with it, too, the whole server can be brought back to a moment.
        repository: Option<HostPlace>,
    },
}

impl Database {
    /// The folder of the migrations.
    pub fn migrations(&self) -> Option<&Path> {
        match self {
            Self::Sqlite { migrations, .. } | Self::Postgres { migrations, .. } => {
                migrations.as_deref()
            }
        }
    }
}

/// `platform: {local: {dir: .}}`, `platform: {compose: {project: NAME, dir: …}}`,
/// `platform: {kubernetes: {namespace: NAME, …}}` or `platform: {frontend: {s3: …, …}}`.
pub(super) fn platform(root: &mut Table<'_>) -> Platform {
    let known = ["local", "compose", "kubernetes", "frontend"];
    let Some((name, item)) = choice(root, "platform", &known, &unused::PLATFORMS) else {
        return Platform::None;
    };
    let Some(mut table) = item.table() else {
        return Platform::None;
    };
    if name == "compose" {
        return compose(table).map_or(Platform::None, Platform::Compose);
    }
    if name == "kubernetes" {
        return kube_target::platform(table).map_or(Platform::None, Platform::Kubernetes);
    }
    if name == "frontend" {
        let site = site_target::platform(table);
        return site.map_or(Platform::None, |site| Platform::Frontend(Box::new(site)));
    }
    let dir = table.need("dir").and_then(|item| item.path());
    table.finish();
    dir.map_or(Platform::None, |dir| Platform::Local { dir })
}

fn compose(mut table: Table<'_>) -> Option<ComposeProject> {
    let project = table.need("project").and_then(|item| name(&item));
    let dir = table.need("dir").and_then(|item| item.path());
    let files = table.take("files").and_then(|item| item.one_or_list()).unwrap_or_default();
    let files: Vec<PathBuf> = files.iter().filter_map(Item::path).collect();
    let env_file = table.path("env_file");
    let tag_variable = table.take("tag_variable").and_then(|item| variable(&item));
    let hosts = super::hosts::hosts(&mut table);
    let engine = match (table.take("engine"), hosts.first()) {
        (Some(item), Some(_)) => {
            item.wrong_with("stands beside hosts", "write it as the first of the hosts");
            None
        }
        (Some(item), None) => engine(&item),
        (None, first) => first.map(|(_, address)| address.clone()),
    };
    table.finish();
    let dir = dir?;
    Some(ComposeProject {
        project: project?,
        files: if files.is_empty() { vec![dir.join("docker-compose.yml")] } else { files },
        env_file: env_file.unwrap_or_else(|| dir.join(".env")),
        dir,
        tag_variable,
        engine,
        hosts,
    })
}

/// A name as Compose and engines take it.
pub(super) fn name(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    let good = text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    if !good {
        item.wrong_with(&format!("{text:?} is not a name"), "use letters, digits, _ . and -");
    }
    good.then_some(text)
}

/// The name of a variable.
fn variable(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    let good = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !good {
        item.wrong_with(&format!("{text:?} is not a variable's name"), "write it without $");
    }
    good.then_some(text)
}

/// The address of an engine: a local socket, or another host's.
pub(super) fn engine(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    // A bare path would be taken as well; in a file it is written out.
    if text.starts_with('/') || !is_address(&text) {
        let no = format!("{text:?} is not the address of an engine that can be used");
        item.wrong_with(&no, FORMS);
        return None;
    }
    Some(text)
}

/// `traffic: {proxy: {control_url: …, public_url: …}}` or `traffic: {nginx: {include: …, …}}`.
pub(super) fn traffic(root: &mut Table<'_>) -> Option<Traffic> {
    let known = ["proxy", "nginx", "service"];
    let (kind, item) = choice(root, "traffic", &known, &unused::TRAFFIC)?;
    let mut table = item.table()?;
    if kind == "nginx" {
        return nginx(table).map(Traffic::Nginx);
    }
    if kind == "service" {
        return kube_target::service(table).map(Traffic::Service);
    }
    let control_url = url(&mut table, "control_url");
    let public_url = url(&mut table, "public_url");
    table.finish();
    Some(Traffic::Proxy { control_url: control_url?, public_url: public_url? })
}

fn nginx(mut table: Table<'_>) -> Option<NginxFiles> {
    let service = table.take("service").and_then(|item| name(&item));
    let include = table.need("include").and_then(|item| item.path());
    let mut upstreams = BTreeMap::new();
    if let Some(mut files) = table.need("upstreams").and_then(|item| item.table()) {
        let names = files.names();
        for color in names {
            upstreams.extend(files.path(&color).map(|path| (Color(color), path)));
        }
        files.finish();
    }
    let page_include = table.path("page_include");
    let writers_include = table.path("writers_include");
    let public_url = url(&mut table, "public_url");
    let active_variable = table.take("active_variable").and_then(|item| variable(&item));
    table.finish();
    Some(NginxFiles {
        service,
        include: include?,
        upstreams,
        page_include,
        writers_include,
        public_url: public_url?,
        active_variable,
    })
}

/// `colors: {blue: {url: …, service: …}, green: {url: …, service: …}}`.
pub(super) fn colors(root: &mut Table<'_>) -> BTreeMap<Color, ColorAddress> {
    let mut colors = BTreeMap::new();
    let Some(mut table) = root.table("colors") else {
        return colors;
    };
    let names = table.names();
    for color_name in names {
        let Some(item) = table.take(&color_name) else {
            continue;
        };
        let good = !color_name.is_empty()
            && color_name.len() <= 32
            && color_name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if !good {
            let message = format!("{color_name:?} is not a name");
            item.wrong_with(&message, "use letters, digits, _ and -");
            continue;
        }
        let Some(mut color) = item.table() else {
            continue;
        };
        let found = url(&mut color, "url");
        let service = color.take("service").and_then(|item| name(&item));
        let deployment = color.take("deployment").and_then(|item| kube_target::label(&item));
        let workers = color.list("workers").iter().filter_map(name).collect();
        color.finish();
        let at = found.map(|url| ColorAddress { url, service, deployment, workers });
        colors.extend(at.map(|at| (Color(color_name), at)));
    }
    colors
}

/// `database: {sqlite: {path: …, migrations: …}}` or `database: {postgres: {url: …, …}}`.
pub(super) fn database(root: &mut Table<'_>) -> Option<Database> {
    let (kind, item) = choice(root, "database", &["sqlite", "postgres"], &unused::DATABASES)?;
    let mut table = item.table()?;
    if kind == "postgres" {
        return postgres(table);
    }
    let path = table.need("path").and_then(|item| item.path());
    let migrations = table.path("migrations");
    table.finish();
    Some(Database::Sqlite { path: path?, migrations })
}

/// What only holds of the sections together: a side of a Compose project is one of its services,
/// and every side has an upstream.
pub(super) fn together(
    root: &Table<'_>,
    (platform, traffic): (&Platform, Option<&Traffic>),
    colors: &BTreeMap<Color, ColorAddress>,
) {
    if matches!(traffic, Some(Traffic::Service(_))) && !matches!(platform, Platform::Kubernetes(_))
    {
        let hint = "add platform: {kubernetes: {namespace: NAME}}".to_owned();
        let message = "needs the cluster that the service is of";
        root.desk.problem(root.at, "traffic.service", message, Some(hint));
    }
    for (color, address) in colors {
        if matches!(platform, Platform::Kubernetes(_)) && address.deployment.is_none() {
            let path = format!("colors.{color}");
            let hint = "name its deployment, as kubectl get deployments shows it".to_owned();
            root.desk.problem(root.at, &path, "deployment is missing", Some(hint));
        }
        if matches!(platform, Platform::Compose(_)) && address.service.is_none() {
            let path = format!("colors.{color}");
            let hint = "name its Compose service, as docker compose ps shows it".to_owned();
            root.desk.problem(root.at, &path, "service is missing", Some(hint));
        }
        if let Some(Traffic::Nginx(files)) = traffic
            && !files.upstreams.contains_key(color)
        {
            let path = format!("traffic.nginx.upstreams.{color}");
            let hint = format!("name the file that {} becomes", files.include.display());
            root.desk.problem(root.at, &path, "is missing", Some(hint));
        }
    }
}

pub(super) fn url(table: &mut Table<'_>, key: &str) -> Option<String> {
    let item = table.need(key)?;
    let (url, _) = address(&item)?;
    Some(url.reveal().trim_end_matches('/').to_owned())
}
