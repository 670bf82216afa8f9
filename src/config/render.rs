//! A configuration as `config show` prints it: every value resolved, every secret `***`.

use std::path::Path;
use std::time::Duration;

use crate::adapters::secret::masked;
use crate::checks::{CheckKind, CheckSpec};
use crate::text::SafeText;

use super::spans::shown_span;
use super::{Config, Database, Platform, Traffic};

/// The configuration as text, one value a line, notes at the end.
pub fn render(config: &Config) -> String {
    let mut page = Page(Vec::new());
    page.line(0, "file", &path(&config.file));
    page.line(0, "digest", &config.digest.short());
    page.line(0, "environment", &config.environment);
    page.line(0, "production", &config.production.to_string());
    page.line(0, "state_dir", &path(&config.state_dir));
    page.line(0, "history_log", &path(&config.history_log));
    page.optional("restore_points", config.restore_points.as_deref());
    page.optional("deploys.file", config.deploys.as_deref());
    page.optional("fence.file", config.fence.as_deref());
    target(&mut page, config);
    page.line(0, "help_test.paths", &config.help_test.paths.join(" "));
    page.line(0, "help_test.requests", &config.help_test.requests.to_string());
    for source in &config.log_sources {
        page.line(0, &format!("log_sources.{}", source.source), &path(&source.path));
    }
    times(&mut page, config);
    page.line(0, "health_checks", &config.checks.len().to_string());
    for spec in &config.checks {
        check(&mut page, spec);
    }
    for note in &config.notes {
        page.line(0, "note", note);
    }
    page.0.join("\n") + "\n"
}

struct Page(Vec<String>);

impl Page {
    fn line(&mut self, depth: usize, name: &str, value: &str) {
        let value = SafeText::new(value);
        self.0.push(format!("{:width$}{name}: {value}", "", width = depth * 2));
    }

    fn optional(&mut self, name: &str, value: Option<&Path>) {
        match value {
            Some(value) => self.line(0, name, &path(value)),
            None => self.line(0, name, "none"),
        }
    }

    fn span(&mut self, name: &str, span: Duration) {
        self.line(0, name, &shown_span(span));
    }
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

fn target(page: &mut Page, config: &Config) {
    match &config.platform {
        Platform::None => page.line(0, "platform", "none"),
        Platform::Local { dir } => page.line(0, "platform.local.dir", &path(dir)),
    }
    match &config.traffic {
        None => page.line(0, "traffic", "none"),
        Some(Traffic::Proxy { control_url, public_url }) => {
            page.line(0, "traffic.proxy.control_url", &masked(control_url));
            page.line(0, "traffic.proxy.public_url", &masked(public_url));
        }
    }
    for (color, address) in &config.colors {
        page.line(0, &format!("colors.{color}.url"), &masked(&address.url));
    }
    match &config.database {
        None => page.line(0, "database", "none"),
        Some(Database::Sqlite { path: file, migrations }) => {
            page.line(0, "database.sqlite.path", &path(file));
            page.optional("database.sqlite.migrations", migrations.as_deref());
        }
    }
}

fn times(page: &mut Page, config: &Config) {
    let rollback = &config.rollback;
    page.span("rollback.keep_failed_up", rollback.keep_failed_up);
    page.span("rollback.drain", rollback.drain);
    page.line(0, "rollback.gate_probes", &rollback.gate_probes.to_string());
    page.span("rollback.gate_every", rollback.gate_every);
    page.span("rollback.watch_window", rollback.watch_window);
    page.span("rollback.watch_every", rollback.watch_every);
    page.span("rollback.stop_grace", rollback.stop_grace);
    page.line(0, "rollback.max_workers", &rollback.max_workers.to_string());
    page.span("windows.span", config.windows.span);
    page.span("windows.sustain", config.windows.sustain);
    page.line(0, "windows.min_samples", &config.windows.min_samples.to_string());
    page.span("metrics_retention", config.retention);
}

fn check(page: &mut Page, spec: &CheckSpec) {
    page.line(1, spec.id.as_str(), &spec.name);
    page.line(2, spec.kind.name(), &spec.kind.target());
    if let CheckKind::HttpResponse(http) = &spec.kind {
        page.line(2, "expected_status", &http.expected.shown());
        page.line(2, "samples_per_run", &http.requests.to_string());
        for (name, value) in &http.headers {
            page.line(2, &format!("header {name}"), value.shown());
        }
        for line in &http.expect {
            page.line(2, "expect", line.text());
        }
    }
    let role = &spec.role;
    let mut counts = vec![if role.critical { "critical" } else { "not critical" }];
    counts.extend(role.counts_requests.then_some("counts requests"));
    counts.extend(role.database.then_some("database"));
    counts.extend(role.corruption.then_some("corruption marker"));
    counts.extend((!spec.live).then_some("not live"));
    page.line(2, "service", &format!("{} ({})", role.service, counts.join(", ")));
    page.line(
        2,
        "every",
        &format!(
            "{}, {} while things change, at most {}, stale after {}",
            shown_span(spec.interval),
            shown_span(spec.fast_interval),
            shown_span(spec.timeout),
            shown_span(spec.policy.stale_after)
        ),
    );
    let policy = &spec.policy;
    let window = policy
        .fail_window
        .map_or_else(String::new, |(failures, of)| format!(" or {failures} of {of}"));
    page.line(
        2,
        "fails",
        &format!("after {}{window} in a row, well after {}", policy.fail_after, policy.ok_after),
    );
}
