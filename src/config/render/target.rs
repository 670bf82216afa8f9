//! Where the application runs, and what moves its users.

use crate::adapters::secret::masked;

use super::super::{
    ComposeProject, Config, Database, FrontendSite, KubeNamespace, NginxFiles, Platform, Store,
    Traffic,
};
use super::{Page, path};

pub(super) fn target(page: &mut Page, config: &Config) {
    match &config.platform {
        Platform::None => page.line(0, "platform", "none"),
        Platform::Local { dir } => page.line(0, "platform.local.dir", &path(dir)),
        Platform::Compose(compose) => project(page, compose),
        Platform::Kubernetes(at) => namespace(page, at),
        Platform::Frontend(site) => frontend(page, site),
    }
    match &config.traffic {
        None => page.line(0, "traffic", "none"),
        Some(Traffic::Proxy { control_url, public_url }) => {
            page.line(0, "traffic.proxy.control_url", &masked(control_url));
            page.line(0, "traffic.proxy.public_url", &masked(public_url));
        }
        Some(Traffic::Fixed { public_url }) => {
            page.line(0, "traffic.public_url", &masked(public_url));
        }
        Some(Traffic::Nginx(files)) => nginx(page, files),
        Some(Traffic::Service(service)) => {
            page.line(0, "traffic.service.name", &service.name);
            page.line(0, "traffic.service.selector_key", &service.selector_key);
            page.line(0, "traffic.service.public_url", &masked(&service.public_url));
            page.line(0, "traffic.service.overlap", &service.overlap.to_string());
        }
    }
    for (color, address) in &config.colors {
        page.line(0, &format!("colors.{color}.url"), &masked(&address.url));
        if let Some(service) = &address.service {
            page.line(0, &format!("colors.{color}.service"), service);
        }
        if let Some(deployment) = &address.deployment {
            page.line(0, &format!("colors.{color}.deployment"), deployment);
        }
        for worker in &address.workers {
            page.line(0, &format!("colors.{color}.workers"), worker);
        }
    }
    match &config.database {
        None => page.line(0, "database", "none"),
        Some(Database::Sqlite { path: file, migrations }) => {
            page.line(0, "database.sqlite.path", &path(file));
            page.optional("database.sqlite.migrations", migrations.as_deref());
        }
        Some(Database::Postgres { url, service, migrations, wal_archive, repository }) => {
            page.line(0, "database.postgres.url", url.shown());
            page.line(0, "database.postgres.service", service.as_deref().unwrap_or("none"));
            page.optional("database.postgres.migrations", migrations.as_deref());
            page.optional("database.postgres.recovery.wal_archive", wal_archive.as_deref());
            if let Some(host) = repository {
                let at = "database.postgres.recovery.pgbackrest";
                page.line(0, &format!("{at}.stanza"), &host.stanza);
                page.line(0, &format!("{at}.data"), &path(&host.data));
                page.optional(&format!("{at}.config"), host.config.as_deref());
                page.line(0, &format!("{at}.stop"), &host.stop.join(" "));
                page.line(0, &format!("{at}.start"), &host.start.join(" "));
            }
        }
    }
}

fn namespace(page: &mut Page, at: &KubeNamespace) {
    let settings = &at.settings;
    page.optional("platform.kubernetes.kubeconfig", settings.kubeconfig.as_deref());
    let context = settings.context.as_deref().unwrap_or("the current one");
    page.line(0, "platform.kubernetes.context", context);
    page.line(0, "platform.kubernetes.namespace", &settings.namespace);
    page.line(0, "platform.kubernetes.lock", &at.lock);
    if let Some(one) = &at.workload {
        page.line(0, "platform.kubernetes.workload", &one.name.to_string());
        let canary = one.canary.as_ref().map(|canary| canary.by.to_string());
        page.line(0, "platform.kubernetes.canary", canary.as_deref().unwrap_or("-"));
    }
}

fn frontend(page: &mut Page, site: &FrontendSite) {
    let mut line = |name: &str, value: &str| {
        page.line(0, &format!("platform.frontend.{name}"), value);
    };
    match &site.store {
        Store::Folder(dir) => line("dir", &path(dir)),
        Store::S3(bucket) => {
            line("s3.bucket", &bucket.name);
            line("s3.endpoint", &masked(&bucket.endpoint));
            line("s3.region", &bucket.region);
        }
    }
    line("secret_key", if site.keys.is_some() { "***" } else { "none" });
    let (before, after) = &site.site.versions;
    line("versions", &format!("{before}{{version}}{after}"));
    line("current", &site.site.current);
    line("pointer", site.site.pointer.as_deref().unwrap_or("none"));
    line("manifest", &site.site.manifest);
    line("at_once", &site.site.at_once.to_string());
    line("registry_url", &masked(site.registry_url.as_deref().unwrap_or("none")));
    line("compatibility_url", &masked(site.compatibility_url.as_deref().unwrap_or("none")));
    for url in &site.health_check_urls {
        line("health_check_urls", &masked(url));
    }
    for name in &site.cloudfront {
        line("cdn.cloudfront", name);
    }
    for purge in &site.purge {
        line("cdn.purge", &masked(&purge.url));
    }
    line("cdn.paths", &site.paths.join(" "));
    if let Some(mobile) = &site.mobile {
        line("mobile.url", &masked(&mobile.url));
        line("mobile.platforms", &mobile.platforms.join(" "));
    }
}

pub(super) fn redis(page: &mut Page, config: &Config) {
    let Some(redis) = &config.redis else { return };
    page.line(0, "redis.server", &redis.server.place());
    page.line(0, "redis.service", redis.service.as_deref().unwrap_or("none"));
}

fn project(page: &mut Page, compose: &ComposeProject) {
    page.line(0, "platform.compose.project", &compose.project);
    page.line(0, "platform.compose.dir", &path(&compose.dir));
    for file in &compose.files {
        page.line(0, "platform.compose.files", &path(file));
    }
    page.line(0, "platform.compose.env_file", &path(&compose.env_file));
    let tag = compose.tag_variable.as_deref().unwrap_or("none");
    page.line(0, "platform.compose.tag_variable", tag);
    let engine = compose.engine.as_deref().unwrap_or("of the environment");
    page.line(0, "platform.compose.engine", engine);
    for (name, address) in &compose.hosts {
        page.line(0, &format!("platform.compose.hosts.{name}"), address);
    }
}

fn nginx(page: &mut Page, files: &NginxFiles) {
    page.line(0, "traffic.nginx.service", files.service.as_deref().unwrap_or("none"));
    page.line(0, "traffic.nginx.include", &path(&files.include));
    for (color, file) in &files.upstreams {
        page.line(0, &format!("traffic.nginx.upstreams.{color}"), &path(file));
    }
    page.optional("traffic.nginx.page_include", files.page_include.as_deref());
    page.optional("traffic.nginx.writers_include", files.writers_include.as_deref());
    page.line(0, "traffic.nginx.public_url", &masked(&files.public_url));
    let variable = files.active_variable.as_deref().unwrap_or("none");
    page.line(0, "traffic.nginx.active_variable", variable);
}
