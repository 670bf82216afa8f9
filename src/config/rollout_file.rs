//! A Rollout of Argo as it lies in a repository (M-07): its probes become checks, and the thresholds
//! that it carries where Argo does not look for them become a rule.

use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;

use crate::adapters::http::Target;
use crate::adapters::secret::Secret;
use crate::checks::http_response::{Settings, Statuses};
use crate::checks::threshold::Thresholds;
use crate::checks::{CheckKind, CheckSpec};
use crate::model::reading::Policy;
use crate::model::rule::{Action, Condition, Confirm, Rule};
use crate::model::signal::Role;

use super::alerts::Imported;
use super::rules::plain;
use super::take::{Item, Table};

const SECOND: Duration = Duration::from_secs(1);
/// The probes of a container, and what their checks are called.
const PROBES: [(&str, &str); 3] =
    [("livenessProbe", "live"), ("readinessProbe", "ready"), ("startupProbe", "started")];

/// Takes what is of use out of a Rollout; its pods' probes are asked below `base`.
pub(super) fn rollout(table: &mut Table<'_>, base: Option<&Secret>, all: &mut Imported) {
    let name = table.table("metadata").and_then(|mut metadata| metadata.text("name"));
    let name = name.unwrap_or_else(|| "rollout".to_owned());
    let id: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let Some(mut spec) = table.table("spec") else { return };
    policy(&mut spec, (&name, &id), all);
    let pod = spec.table("template").and_then(|mut template| template.table("spec"));
    let containers = pod.map(|mut pod| pod.list("containers")).unwrap_or_default();
    for (number, item) in containers.iter().enumerate() {
        let Some(mut container) = item.table() else { continue };
        for (key, word) in PROBES {
            // The first container is the rollout's own; the others are beside it.
            let called = match container.text("name").filter(|_| number > 0) {
                Some(beside) => format!("{id}_{beside}_{word}"),
                None => format!("{id}_{word}"),
            };
            if let Some(probe) = container.take(key)
                && let Some(spec) = check(&probe, (&called, &name, word), base)
            {
                all.checks.push(spec);
            }
        }
    }
}

/// The check of one probe; nothing for one that runs a command or opens a port in the pod.
fn check(
    item: &Item<'_>,
    (id, service, word): (&str, &str, &str),
    base: Option<&Secret>,
) -> Option<CheckSpec> {
    let mut probe = item.table()?;
    let Some(mut http) = probe.table("httpGet") else {
        item.desk.note(format!("{} asks inside the pod: no check is made of it", item.path));
        return None;
    };
    let path = http.text("path").unwrap_or_else(|| "/".to_owned());
    let mut seconds = |key: &str, usual: u32| SECOND * probe.count(key, 1, 86_400).unwrap_or(usual);
    // What Kubernetes takes where nothing is said.
    let (interval, timeout) = (seconds("periodSeconds", 10), seconds("timeoutSeconds", 1));
    let fail_after = probe.count("failureThreshold", 1, 64).unwrap_or(3);
    let ok_after = probe.count("successThreshold", 1, 64).unwrap_or(1);
    let url = base.map(|base| format!("{}{path}", base.reveal().trim_end_matches('/')));
    let target = url.as_deref().and_then(|url| Target::parse(url).ok());
    if target.is_none() {
        item.desk.note(format!(
            "check {id} stays unknown: say where {service} answers, as rule_files: [{{file: …, \
             probes_url: http://…}}]"
        ));
    }
    let kind = match (url, target) {
        (Some(url), Some(target)) => CheckKind::HttpResponse(Settings {
            url: Secret::plain(&url),
            target,
            headers: Vec::new(),
            method: Method::GET,
            body: Bytes::new(),
            // What the kubelet takes for success.
            expected: Statuses(vec![(200, 399)]),
            thresholds: Thresholds::default(),
            expect: Vec::new(),
            requests: 1,
        }),
        _ => CheckKind::Unaddressed { kind: "http_response" },
    };
    let live = matches!(kind, CheckKind::HttpResponse(_));
    Some(CheckSpec {
        id: id.into(),
        name: format!("{service} is {word} (probe)"),
        interval,
        fast_interval: interval.min(SECOND * 5),
        timeout,
        policy: Policy {
            fail_after,
            ok_after,
            fail_window: None,
            stale_after: (SECOND * 30).max(interval * 2 + timeout),
        },
        role: Role {
            service: service.to_owned(),
            critical: true,
            counts_requests: false,
            database: false,
            corruption: false,
        },
        live,
        phases: Vec::new(),
        enabled: true,
        attempts: 1,
        clear: None,
        kind,
    })
}

/// The rule of `strategy.canary.rollbackPolicy`.
fn policy(spec: &mut Table<'_>, (name, id): (&str, &str), all: &mut Imported) {
    let desk = spec.desk;
    let policy = spec.table("strategy").and_then(|mut strategy| strategy.table("canary"));
    let Some(mut policy) = policy.and_then(|mut canary| canary.table("rollbackPolicy")) else {
        desk.note(format!("{name} holds no rollbackPolicy: no rule is made of it"));
        return;
    };
    desk.note(format!(
        "{name}: rollbackPolicy is no field of Argo Rollouts, which ignores it; here it is a rule"
    ));
    let failures = policy.count("failureThreshold", 1, 64).unwrap_or(3);
    let rate = policy.take("errorRateThreshold").and_then(|item| item.number());
    let Some(rate) = rate else {
        desk.note(format!("{name}: without errorRateThreshold there is nothing to watch for"));
        return;
    };
    let Ok(condition) = Condition::parse(&format!("error_rate('*', 5) > {rate}")) else { return };
    all.rules.push(Rule {
        name: format!("{name}: rollbackPolicy"),
        priority: 1,
        confirm: Confirm { times: failures, of: failures },
        ..plain(&format!("{id}_rollback_policy"), condition, Action::Rollback)
    });
}
