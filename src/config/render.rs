//! A configuration as `config show` prints it: every value resolved, every secret `***`.

use std::path::Path;
use std::time::Duration;

use crate::checks::{CheckKind, CheckSpec};
use crate::model::reading::FailWindow;
use crate::text::SafeText;

use super::spans::shown_span;
use super::{Config, LogFiles};

mod target;

use target::{redis, target};

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
    page.optional("restore_points_key.file", config.restore_points_key.as_deref());
    for file in &config.backup.files {
        page.line(0, "backup.files", &path(file));
    }
    page.optional("backup.data", config.backup.data.as_deref());
    if let Some(volume) = &config.backup.volume {
        page.line(0, "backup.data.volume", volume);
    }
    if let Some(location) = &config.backup.location {
        page.line(0, "backup.location", &location.words());
    }
    page.span("backup_retention", config.backup.keep_for);
    page.line(0, "backup.keep_count", &config.backup.keep_count.to_string());
    page.optional("deploys.file", config.deploys.as_deref());
    page.optional("fence.file", config.fence.as_deref());
    target(&mut page, config);
    redis(&mut page, config);
    page.line(0, "help_test.paths", &config.help_test.paths.join(" "));
    page.line(0, "help_test.requests", &config.help_test.requests.to_string());
    log_files(&mut page, &config.log_files);
    for source in &config.log_sources {
        page.line(0, &format!("log_sources.{}", source.source), &path(&source.path));
    }
    if let Some(logs) = &config.pod_logs {
        for one in &logs.sources {
            page.line(0, &format!("log_sources.{}.deployment", one.source), &one.deployment);
        }
        if logs.all {
            page.line(0, "log_sources.pods", "all");
        }
    }
    if let Some(logs) = &config.container_logs {
        for one in &logs.sources {
            page.line(0, &format!("log_sources.{}.container", one.source), &one.service);
        }
        if logs.all {
            page.line(0, "log_sources.containers", "all");
        }
    }
    people(&mut page, config);
    times(&mut page, config);
    page.optional("console.keys", config.console.keys.as_deref());
    page.line(0, "console.announce", config.console.announce.name());
    page.line(0, "console.mouse", &config.console.mouse.to_string());
    for file in &config.environments {
        page.line(0, "environments", &path(file));
    }
    rules(&mut page, config);
    page.line(0, "health_checks", &config.checks.len().to_string());
    for spec in &config.checks {
        check(&mut page, spec);
    }
    for (id, kept) in &config.judging.objectives {
        let window = shown_span(kept.window);
        let text = format!("{} % over {window}, from {} on", kept.percent, kept.min_volume);
        page.line(0, &format!("slo.{id}"), &text);
    }
    for (number, panes) in &config.console.presets {
        page.line(0, &format!("console.presets.{number}"), &panes.join(" "));
    }
    for note in &config.notes {
        page.line(0, "note", note);
    }
    page.0.join("\n") + "\n"
}

fn log_files(page: &mut Page, files: &LogFiles) {
    let named = [
        ("health_monitor", &files.health_monitor),
        ("rollback_execution", &files.rollback_execution),
        ("system", &files.system),
        ("integration", &files.integration),
        ("preserved", &files.preserved),
    ];
    for (name, file) in named {
        if let Some(file) = file {
            page.line(0, &format!("log_files.{name}"), &path(file));
        }
    }
    if let Some(performance) = &files.performance {
        page.line(0, "log_files.performance", &path(&performance.file));
        page.span("log_files.performance_interval", performance.every);
        page.line(0, "log_files.performance_alert", &performance.alert.to_string());
    }
}

fn people(page: &mut Page, config: &Config) {
    if let Some(share) = &config.share {
        page.line(0, "share.group", &format!("{} ({})", share.name, share.gid));
    }
    for (occasion, command) in config.hooks.all() {
        page.line(0, &format!("on.{occasion}"), command);
    }
    for (name, receiver) in &config.notifications.receivers {
        let text = format!("{} ({})", receiver.messenger.shown(), receiver.wants.name());
        page.line(0, &format!("notifications.receivers.{name}"), &text);
    }
    if let Some(triggers) = &config.triggers {
        page.line(0, "triggers.listen", &triggers.listen.shown());
    }
    if let Some(remote) = &config.evidence_remote {
        page.line(0, "evidence.remote", &path(remote));
    }
    for credential in &config.credentials {
        let until = credential
            .expires
            .map_or_else(|| "no expiry known".to_owned(), |at| format!("until {at}"));
        let text = format!("{} for {}: {until}", credential.name(), credential.used_by);
        page.line(0, "credential", &text);
    }
}

fn rules(page: &mut Page, config: &Config) {
    let rules = &config.rules;
    page.line(0, "rollback_enabled", &rules.rollback_enabled.to_string());
    page.line(0, "auto_rollback_enabled", &rules.automatic.to_string());
    page.line(0, "max_rollback_attempts", &rules.max_attempts.to_string());
    page.line(0, "log_preservation_enabled", &rules.preserve_logs.to_string());
    page.line(0, "monitoring_rules", &rules.list.len().to_string());
    for rule in &rules.list {
        page.line(1, &rule.id, &rule.condition.source);
        let does = format!(
            "{} {} level {}, priority {}",
            rule.mode.name(),
            rule.action.name(),
            rule.level,
            rule.priority
        );
        page.line(2, "does", &does);
        let (times, of) = (rule.confirm.times, rule.confirm.of);
        let lasting = shown_span(rule.lasting);
        page.line(2, "when", &format!("met {times} of {of} times, for {lasting}"));
        page.line(2, "cooldown", &shown_span(rule.cooldown));
        page.line(2, "veto", &shown_span(rule.veto));
        if let Some(unless) = &rule.unless {
            page.line(2, "unless", &unless.source);
        }
    }
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

fn times(page: &mut Page, config: &Config) {
    let rollback = &config.rollback;
    page.span("rollback.keep_failed_up", rollback.keep_failed_up);
    page.span("rollback.drain", rollback.drain);
    page.line(0, "rollback.gate_probes", &rollback.gate_probes.to_string());
    page.span("rollback.gate_every", rollback.gate_every);
    page.span("rollback.gate_wait", rollback.gate_wait);
    page.span("rollback.health_wait", rollback.health_wait);
    page.line(0, "cross_repo_coordination", &rollback.together.to_string());
    page.span("rollback.watch_window", rollback.watch_window);
    page.span("rollback.watch_every", rollback.watch_every);
    page.span("rollback.stop_grace", rollback.stop_grace);
    page.span("rollback.good_response", rollback.good_response);
    for (name, count) in [
        ("max_workers", rollback.max_workers),
        ("parallel_operations", rollback.parallel_operations),
        ("connection_pool_size", rollback.connection_pool_size),
    ] {
        page.line(0, &format!("rollback.{name}"), &count.to_string());
    }
    page.span("rollback.connection_timeout", rollback.connection_timeout);
    for (name, service) in &config.services {
        let options = &service.options;
        let text = format!(
            "{}, {} instances, {} at a time, {} between two batches, well within {}",
            service.strategy.name(),
            service.instances.len(),
            options.batch_size,
            shown_span(options.batch_delay),
            shown_span(options.validation)
        );
        page.line(0, &format!("services.{name}"), &text);
    }
    if !rollback.two_person.is_empty() {
        let levels: Vec<String> = rollback.two_person.iter().map(u8::to_string).collect();
        page.line(0, "rollback.two_person", &levels.join(", "));
    }
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
    if let Some(thresholds) = spec.kind.thresholds() {
        for (name, range) in [("warning", thresholds.warning), ("critical", thresholds.critical)] {
            if let Some(range) = range {
                page.line(2, name, &range.to_string());
            }
        }
    }
    if let Some(clear) = spec.clear {
        page.line(2, "alarm", &format!("stays until {clear}"));
    }
    if spec.attempts > 1 {
        page.line(2, "attempts", &spec.attempts.to_string());
    }
    let role = &spec.role;
    let mut counts = vec![if role.critical { "critical" } else { "not critical" }];
    counts.extend(role.counts_requests.then_some("counts requests"));
    counts.extend(role.database.then_some("database"));
    counts.extend(role.corruption.then_some("corruption marker"));
    counts.extend((!spec.enabled).then_some("off"));
    counts.extend((spec.enabled && !spec.live).then_some("not live"));
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
    let window = policy.fail_window.map_or_else(String::new, |window| match window {
        FailWindow::Of { failures, of } => format!(" or {failures} of {of}"),
        FailWindow::Within { failures, span } => {
            format!(" or {failures} within {}", shown_span(span))
        }
    });
    page.line(
        2,
        "fails",
        &format!("after {}{window} in a row, well after {}", policy.fail_after, policy.ok_after),
    );
}
