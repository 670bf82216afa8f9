//! The text of a configuration, from what runs in a namespace.

use super::super::page::{Page, path, raw, value};
use super::Facts;
use super::guess::{self, Main, Switch};
use crate::adapters::kube::Object;

/// The text of `backout.yaml`.
pub(super) fn text(facts: &Facts) -> String {
    let mut page = Page::default();
    let switches = guess::switches(facts);
    let main = guess::main(facts).filter(|_| switches.is_empty());
    head(&mut page, facts);
    platform(&mut page, facts, main.as_ref());
    match switches.first() {
        Some(switch) => {
            sides(&mut page, facts, switch);
            traffic(&mut page, facts, switch);
            for other in
                switches.iter().skip(1).filter(|one| one.service.uid() != switch.service.uid())
            {
                if guess::own_of(switch, other) {
                    continue;
                }
                let (name, key) = (other.service.name(), &other.key);
                page.say(&format!(
                    "service {name} tells deployments apart too, by its label {key}."
                ));
            }
        }
        None if main.is_some() => {}
        None => alone(&mut page, facts),
    }
    logs(&mut page, switches.first());
    let users = match (switches.first(), &main) {
        (Some(switch), _) => {
            let active = switch.colors.get(&switch.active).copied();
            Some((switch.service, active))
        }
        (None, Some(main)) => Some((main.service, Some(main.workload))),
        (None, None) => None,
    };
    checks(&mut page, facts, switches.first(), users);
    page.0
}

fn head(page: &mut Page, facts: &Facts) {
    let namespace = &facts.settings.namespace;
    page.say(&format!("Written by `backout init --from-kube {namespace}` from what ran then."));
    page.say("Look it over: every guess says what it rests on. Then: backout config check, backout check,");
    page.say("backout doctor, backout plan --level 1.");
    for missing in &facts.missing {
        page.say(missing);
    }
    page.gap();
    page.line(&format!("environment: {}", raw(namespace)), "the namespace's name");
    if namespace.contains("prod") {
        page.line("production: true", "\"prod\" in the name of the namespace");
    } else {
        page.line("# production: true   # where users depend on it", "");
    }
}

fn platform(page: &mut Page, facts: &Facts, main: Option<&Main<'_>>) {
    let settings = &facts.settings;
    page.gap();
    page.say(
        "config/kubernetes-role.yaml gives the user of the kubeconfig what is needed, and no more.",
    );
    page.line("platform:", "");
    page.line("  kubernetes:", "");
    page.line(&format!("    namespace: {}", raw(&settings.namespace)), "");
    match &settings.kubeconfig {
        Some(file) => {
            page.line(
                &format!("    kubeconfig: {}", path(file)),
                "KUBECONFIG, else ~/.kube/config",
            );
        }
        None => page.say("  no kubeconfig: the token that the cluster gives its pods is used."),
    }
    match &settings.context {
        Some(context) => page.line(&format!("    context: {}", value(context)), ""),
        None => page.line("    # context: NAME   # the current one, whoever changes it", ""),
    }
    let Some(main) = main else { return };
    page.say("  no service sends users to one of several deployments by a label, so level 1 is an");
    page.say("  undo of the rollout of one workload:");
    page.line(&format!("    {}: {}", main.key, raw(main.workload.name())), main.from);
    let (url, from) = guess::reached(facts, main.service);
    page.line(&format!("    public_url: {}", value(&url)), from);
    let others = facts.deployments.iter().filter(|one| one.uid() != main.workload.uid());
    let others: Vec<&str> = others.map(Object::name).collect();
    if !others.is_empty() {
        page.say(&format!("  beside it run {}: each has its own rollouts.", others.join(", ")));
    }
}

fn sides(page: &mut Page, facts: &Facts, switch: &Switch<'_>) {
    page.gap();
    let from = format!("the label {} of their pods", switch.key);
    page.line("colors:", &from);
    for (color, deployment) in &switch.colors {
        let (url, from) = if let Some(service) = guess::own(facts, switch, color) {
            guess::address(facts, service)
        } else {
            let (url, _) = guess::address(facts, switch.service);
            (url, "nothing: no service has this colour alone, make one so that it can be verified")
        };
        page.line(&format!("  {}:", raw(color)), "");
        page.line(&format!("    url: {}", value(&url)), from);
        page.line(&format!("    deployment: {}", raw(deployment.name())), "");
    }
}

fn traffic(page: &mut Page, facts: &Facts, switch: &Switch<'_>) {
    page.gap();
    let (url, from) = guess::reached(facts, switch.service);
    page.line("traffic:", "");
    page.line("  service:", "");
    let name = format!("    name: {}", raw(switch.service.name()));
    page.line(&name, &format!("its selector, which is at {} now", switch.active));
    page.line(&format!("    selector_key: {}", raw(&switch.key)), "");
    page.line(&format!("    public_url: {}", value(&url)), from);
}

/// No service leads to any workload: nothing can be switched, and no request proves an undo.
fn alone(page: &mut Page, facts: &Facts) {
    page.gap();
    page.say(
        "colors and traffic: no service leads to a deployment or stateful set, so there is no switch",
    );
    page.say(
        "and nothing to ask after an undo. Give the pods of two deployments version: blue and",
    );
    page.say("version: green, and a service that selects one of them:");
    if let Some(one) = facts.deployments.first() {
        let name = raw(one.name());
        page.line(&format!("# colors: {{blue: {{url: …, deployment: {name}}}, green: {{…}}}}"), "");
    }
    page.line(
        "# traffic: {service: {name: NAME-active, selector_key: version, public_url: …}}",
        "",
    );
}

fn logs(page: &mut Page, switch: Option<&Switch<'_>>) {
    page.gap();
    page.line("log_sources:", "");
    for (color, deployment) in switch.iter().flat_map(|switch| &switch.colors) {
        let (color, name) = (raw(color), raw(deployment.name()));
        page.line(&format!("  - {{source: {color}, deployment: {name}}}"), "");
    }
    page.line("  - {pods: all}", "");
}

fn checks(
    page: &mut Page,
    facts: &Facts,
    switch: Option<&Switch<'_>>,
    users: Option<(&Object, Option<&Object>)>,
) {
    page.gap();
    page.line("health_checks:", "");
    if let Some((service, workload)) = users {
        let (url, _) = guess::reached(facts, service);
        let found = workload.and_then(guess::path);
        let from = if found.is_some() { "the probe of its pods" } else { "" };
        let url = value(&format!("{url}{}", found.unwrap_or("/")));
        entry(
            page,
            ("users", "app", "Users get answers", "http_response"),
            &[(&format!("endpoint_url: {url}"), from), ("samples_per_run: 5", "")],
        );
        let name = raw(service.name());
        entry(
            page,
            ("behind_service", "app", "Somebody is behind the service", "kubernetes"),
            &[(&format!("endpoints: {name}"), "")],
        );
    }
    for one in &facts.deployments {
        // One of two colours may rest: that is no alarm.
        let side =
            switch.is_some_and(|switch| switch.colors.values().any(|c| c.uid() == one.uid()));
        workload(page, "deployment", one.name(), side);
    }
    for one in &facts.stateful_sets {
        workload(page, "stateful_set", one.name(), false);
    }
}

fn workload(page: &mut Page, key: &str, name: &str, rests: bool) {
    let id: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let named = format!("{key}: {}", raw(name));
    let mut lines = vec![(named.as_str(), "")];
    if rests {
        lines.push(("critical: false", ""));
    }
    let title = format!("{name} has its pods");
    entry(page, (&format!("{id}_{key}"), name, &title, "kubernetes"), &lines);
}

fn entry(
    page: &mut Page,
    (id, service, name, kind): (&str, &str, &str, &str),
    lines: &[(&str, &str)],
) {
    page.line(&format!("  - check_id: {}", raw(id)), "");
    page.line(&format!("    service: {}", raw(service)), "");
    page.line(&format!("    name: {}", value(name)), "");
    page.line(&format!("    check_type: {kind}"), "");
    for (line, from) in lines {
        page.line(&format!("    {line}"), from);
    }
    page.line("    interval: 5s", "");
    page.line("    timeout: 4s", "");
}
