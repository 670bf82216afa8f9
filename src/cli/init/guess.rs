//! What the services of a project are: sides of the program, proxy, databases.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::adapters::docker::Container;
use crate::evidence::points::repository_of;

use super::facts::{Facts, Mounted};

/// What a service is, by its image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Nginx,
    Proxy,
    Postgres,
    Redis,
    /// Something else that people do not write themselves.
    Store,
    App,
}

/// A side of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Side {
    pub(super) color: String,
    pub(super) service: String,
    pub(super) url: String,
    /// Whether the address is its own, and not that of the proxy before it.
    pub(super) own: bool,
    /// Services of the same image that publish nothing.
    pub(super) workers: Vec<String>,
}

/// How nginx is told where traffic goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Switch {
    pub(super) include: PathBuf,
    /// Where it is included.
    pub(super) by: PathBuf,
    /// By colour.
    pub(super) upstreams: BTreeMap<String, PathBuf>,
}

pub(super) fn part(container: &Container) -> Part {
    let repository = repository_of(&container.image);
    let name = repository.rsplit('/').next().unwrap_or(repository);
    let is = |names: &[&str]| names.contains(&name);
    if is(&["nginx", "nginx-unprivileged", "openresty"]) {
        Part::Nginx
    } else if is(&["haproxy", "traefik", "caddy", "envoy", "httpd", "nginx-proxy", "varnish"]) {
        Part::Proxy
    } else if is(&["postgres", "postgresql", "postgis", "timescaledb", "pgvector"]) {
        Part::Postgres
    } else if is(&["redis", "valkey", "redis-stack-server", "keydb"]) {
        Part::Redis
    } else if is(&[
        "mysql",
        "mariadb",
        "mongo",
        "memcached",
        "rabbitmq",
        "nats",
        "kafka",
        "zookeeper",
        "elasticsearch",
        "opensearch",
        "neo4j",
        "minio",
        "clickhouse-server",
        "adminer",
        "pgadmin4",
        "phpmyadmin",
        "mailhog",
        "prometheus",
        "grafana",
        "certbot",
        "watchtower",
        "nginx-prometheus-exporter",
        "node-exporter",
    ]) {
        Part::Store
    } else {
        Part::App
    }
}

/// The services that are `what`.
pub(super) fn all(facts: &Facts, what: Part) -> impl Iterator<Item = &Container> {
    facts.services.iter().filter(move |one| part(one) == what)
}

/// A container that did what it was for and ended.
pub(super) fn is_finished(one: &Container) -> bool {
    let stays = matches!(one.restart_policy.as_str(), "always" | "unless-stopped");
    !one.running && one.exit_code == Some(0) && !stays && one.finished_at.is_some()
}

/// Where the host reaches a published port of the container: the one of `inside` where there are
/// several.
pub(super) fn address(one: &Container, inside: &[u16]) -> Option<(String, u16)> {
    let tcp = || one.ports.iter().filter(|port| port.inside.ends_with("/tcp"));
    let of = |number: &u16| tcp().find(move |port| port.inside == format!("{number}/tcp"));
    let port = inside.iter().find_map(of).or_else(|| tcp().next())?;
    let host = match port.address.as_str() {
        "" | "0.0.0.0" | "::" => "127.0.0.1".to_owned(),
        six if six.contains(':') => format!("[{six}]"),
        four => four.to_owned(),
    };
    Some((host, port.port))
}

/// Ports inside that speak HTTP, the likeliest first.
pub(super) const WEB: [u16; 10] = [80, 8080, 8000, 3000, 5000, 8081, 8888, 9000, 4000, 443];

/// Its published HTTP port.
pub(super) fn url(one: &Container) -> Option<String> {
    let (host, port) = address(one, &WEB)?;
    let secure = one.ports.iter().any(|p| p.port == port && p.inside == "443/tcp");
    let scheme = if secure { "https" } else { "http" };
    Some(format!("{scheme}://{host}:{port}"))
}

/// The service by which users come in: nginx before others that publish.
pub(super) fn entrance(facts: &Facts) -> Option<(&Container, String)> {
    let mut proxies = all(facts, Part::Nginx).chain(all(facts, Part::Proxy));
    proxies.find_map(|one| Some((one, url(one)?)))
}

/// The sides of the program: two services that differ by colour, else two of one image that both
/// publish, else one.
pub(super) fn sides(facts: &Facts) -> Vec<Side> {
    let apps: Vec<&Container> = all(facts, Part::App).filter(|one| !is_finished(one)).collect();
    let sides = pair(&apps).unwrap_or_else(|| of_one_image(facts, &apps));
    let single = sides.len() == 1;
    let public = entrance(facts).map(|(_, url)| url);
    let is_side = |one: &Container| sides.iter().any(|side| side.id == one.id);
    let alike =
        |one: &Container| sides.iter().any(|side| image_of(facts, side) == image_of(facts, one));
    let named: BTreeSet<&str> = sides.iter().filter_map(|one| color_in(&one.service)).collect();
    let colored = named.len() == sides.len();
    let side = |one: &&Container| {
        let color = color_in(&one.service).filter(|_| colored);
        let color = color.map_or_else(|| as_color(&one.service), str::to_owned);
        let workers = apps.iter().filter(|worker| {
            let mine = single || color_in(&worker.service) == Some(color.as_str());
            mine && !is_side(worker) && url(worker).is_none() && alike(worker)
        });
        let workers = workers.map(|worker| worker.service.clone()).collect();
        let (own, url) = match url(one) {
            Some(url) => (true, url),
            None => (false, public.clone()?),
        };
        Some(Side { color, service: one.service.clone(), url, own, workers })
    };
    sides.iter().filter_map(side).collect()
}

/// `app-blue` and `app-green`, both with a port of their own.
fn pair<'a>(apps: &[&'a Container]) -> Option<Vec<&'a Container>> {
    let open = || apps.iter().copied().filter(|one| url(one).is_some());
    open().find_map(|blue| {
        let other = blue.service.to_lowercase().replace("blue", "green");
        let green = open().find(|one| one.service.to_lowercase() == other)?;
        (green.id != blue.id).then(|| vec![blue, green])
    })
}

fn of_one_image<'a>(facts: &Facts, apps: &[&'a Container]) -> Vec<&'a Container> {
    let mut groups: BTreeMap<&str, Vec<&'a Container>> = BTreeMap::new();
    for one in apps {
        groups.entry(image_of(facts, one)).or_default().push(one);
    }
    let Some(group) = groups.into_values().max_by_key(|group| rank(facts, group)) else {
        return Vec::new();
    };
    let open: Vec<&Container> = group.iter().copied().filter(|one| url(one).is_some()).collect();
    if open.len() == 2 {
        return open;
    }
    // One that nobody reaches but through the proxy is the one that the proxy names.
    let named = group.iter().copied().find(|one| is_named(facts, &one.service));
    let first = group.iter().copied().next();
    open.into_iter().next().or(named).or(first).into_iter().collect()
}

/// The more it looks like what the project is for, the greater.
fn rank(facts: &Facts, group: &[&Container]) -> (bool, bool, usize) {
    let open = group.iter().filter(|one| url(one).is_some()).count();
    let named = group.iter().any(|one| is_named(facts, &one.service));
    (named, open > 0, usize::from(open == 2) + group.len().min(2))
}

/// What is the same for services of one image. Compose names the images that it builds after
/// their services: these are known by what they are made of.
fn image_of<'a>(facts: &Facts, one: &'a Container) -> &'a str {
    let repository = repository_of(&one.image);
    let (project, service) = (&facts.project, &one.service);
    let built = ["_", "-"].iter().any(|mark| repository == format!("{project}{mark}{service}"));
    if built || repository.starts_with("sha256") { one.image_id.as_str() } else { repository }
}

/// A service's name as that of a side.
fn as_color(service: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    service.chars().map(safe).take(32).collect()
}

fn color_in(service: &str) -> Option<&'static str> {
    ["blue", "green"].into_iter().find(|color| service.to_lowercase().contains(color))
}

/// Whether a proxy's configuration names the service.
fn is_named(facts: &Facts, service: &str) -> bool {
    facts.mounted.iter().any(|file| names(&file.text, service))
}

/// Whether the configuration sends requests to `service`: a word that ends at a port or mark.
fn names(text: &str, service: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    code(text).any(|line| {
        let sends = ["server ", "proxy_pass ", "set ", "fastcgi_pass ", "uwsgi_pass "];
        sends.iter().any(|key| line.contains(key)) && line.split(|c| !word(c)).any(|w| w == service)
    })
}

/// The lines of a configuration without its comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| line.split('#').next().unwrap_or_default().trim())
}

/// The file that is included and names a side, and the files that it becomes.
pub(super) fn switch(facts: &Facts, nginx: &str, sides: &[Side]) -> Option<Switch> {
    let files: Vec<&Mounted> = facts.mounted.iter().filter(|file| file.service == nginx).collect();
    let (include, by) = files.iter().find_map(|by| {
        let included = includes(&by.text).find_map(|path| {
            let at = Path::new("/etc/nginx").join(path);
            files.iter().find(|file| file.inside == at)
        })?;
        let switches = sides.iter().any(|side| names(&included.text, &side.service));
        switches.then_some((*included, *by))
    })?;
    let only = |file: &Mounted, side: &Side| {
        sides.iter().all(|one| names(&file.text, &one.service) == (one == side))
    };
    let beside =
        |file: &&&Mounted| file.host != include.host && file.host.parent() == include.host.parent();
    let upstreams = sides.iter().filter_map(|side| {
        let mut fit: Vec<&Mounted> =
            files.iter().filter(beside).copied().filter(|file| only(file, side)).collect();
        fit.sort_by_key(|file| {
            let name = file.host.file_name().unwrap_or_default().to_string_lossy().into_owned();
            !name.contains(side.color.as_str())
        });
        Some((side.color.clone(), fit.first()?.host.clone()))
    });
    let upstreams = upstreams.collect();
    Some(Switch { include: include.host.clone(), by: by.host.clone(), upstreams })
}

/// What it includes by exact names.
fn includes(text: &str) -> impl Iterator<Item = &str> {
    code(text).filter_map(|line| {
        let rest = line.strip_prefix("include ")?;
        let path = rest.split(';').next()?.trim();
        (!path.contains('*') && !path.is_empty()).then_some(path)
    })
}

/// The variable in the tag of an image text: `IMAGE_TAG` of `shop:${IMAGE_TAG:-v1}`.
pub(super) fn tag_variable(image: &str) -> Option<&str> {
    let (_, inner) = image.split_once(":${")?;
    let (inner, after) = inner.split_once('}')?;
    let name = inner.split([':', '-', '?', '+']).next()?;
    (after.is_empty() && super::facts::is_variable(name)).then_some(name)
}
