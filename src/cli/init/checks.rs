//! The checks of a configuration, from facts.

use std::collections::BTreeSet;

use super::facts::Answered;
use super::guess::{self, Part, Side};
use super::page::{Guessed, Page, path, postgres_url, raw, value};

pub(super) fn checks(page: &mut Page, all: &Guessed<'_>) {
    page.gap();
    let answers = |service: &str| all.facts.answers.get(service).map_or(&[][..], Vec::as_slice);
    let own: Vec<&Side> = all.sides.iter().filter(|side| side.own).collect();
    let first = own.first().map(|side| answers(&side.service)).unwrap_or_default();
    let entrance = all.entrance.as_ref().map(|(one, _)| answers(&one.service)).unwrap_or_default();
    let asked = if first.is_empty() { entrance } else { first };
    if let Some(good) = good(asked) {
        let line = format!("help_test: {{paths: [{}], requests: 20}}", value(good.path));
        page.line(&line, "what it answered");
        page.gap();
    }
    page.line("health_checks:", "");
    let mut names = Names::default();
    users(page, all, &mut names);
    for side in own {
        direct(page, (side, answers(&side.service)), all.sides.len() > 1, &mut names);
    }
    containers(page, all, &mut names);
    stores(page, all, &mut names);
    let entry = Entry::new(&names.give("disk"), "host", "Space on the disk", "system_resource");
    let dir = format!("    path: {}", path(&all.facts.dir));
    entry.write(page, &["    resource: disk", &dir], (30, 2), "");
}

/// The answer that a check asks for: the path made for it before others.
fn good(answers: &[Answered]) -> Option<&Answered> {
    let ok = |one: &&Answered| (200..300).contains(&one.status);
    let made = answers.iter().filter(ok).find(|one| one.path != "/" && one.path != "/status");
    let moved = || answers.iter().find(|one| one.path == "/" && (300..400).contains(&one.status));
    made.or_else(|| answers.iter().find(ok)).or_else(moved)
}

/// What is expected of it, where that is not 200.
fn status(answer: &Answered) -> Option<String> {
    (answer.status != 200).then(|| format!("    expected_status: {}", answer.status))
}

/// Names that are in use.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl Names {
    /// A name of a check like `wanted`, given once.
    fn give(&mut self, wanted: &str) -> String {
        let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let base: String = wanted.chars().map(safe).collect();
        let numbered = (2..).map(|number| format!("{base}_{number}"));
        let free = std::iter::once(base.clone()).chain(numbered).find(|n| !self.0.contains(n));
        let name = free.unwrap_or(base);
        self.0.insert(name.clone());
        name
    }
}

/// An entry of `health_checks`.
struct Entry([String; 4]);

impl Entry {
    fn new(id: &str, service: &str, name: &str, kind: &str) -> Self {
        Self([
            format!("  - check_id: {}", raw(id)),
            format!("    service: {}", raw(service)),
            format!("    name: {}", value(name)),
            format!("    check_type: {kind}"),
        ])
    }

    /// With lines of its own, interval and timeout in seconds, and what it rests on.
    fn write(&self, page: &mut Page, lines: &[&str], (every, timeout): (u32, u32), from: &str) {
        for (at, line) in self.0.iter().enumerate() {
            page.line(line, if at == 0 { from } else { "" });
        }
        for line in lines {
            page.line(line, "");
        }
        page.line(&format!("    interval: {every}s"), "");
        page.line(&format!("    timeout: {timeout}s"), "");
    }
}

/// Checks where users come in: through the proxy, else at the one side itself.
fn users(page: &mut Page, all: &Guessed<'_>, names: &mut Names) {
    let (service, url) = match (&all.entrance, all.sides.as_slice()) {
        (Some((one, url)), _) => (&one.service, url),
        (None, [side]) => (&side.service, &side.url),
        (None, _) => return,
    };
    let answers = all.facts.answers.get(service).map_or(&[][..], Vec::as_slice);
    if let Some(answer) = good(answers) {
        let url = format!("    endpoint_url: {}", value(&format!("{url}{}", answer.path)));
        let entry = Entry::new(&names.give("users"), "app", "Users get answers", "http_response");
        let status = status(answer);
        let mut lines = vec![&*url, "    samples_per_run: 5"];
        lines.extend(status.as_deref());
        entry.write(page, &lines, (5, 4), "what it answered at its published port");
    }
    if let Some(answer) = answers.iter().find(|one| one.says_ready) {
        let url = format!("    endpoint_url: {}", value(&format!("{url}{}", answer.path)));
        let ready = "Everything the app needs is ready";
        let entry = Entry::new(&names.give("status"), "app", ready, "http_response");
        let lines = [&*url, "    expect: [\"json .overall_ready == true\"]"];
        entry.write(page, &lines, (5, 4), "what it answered at its published port");
    }
    if let Some((one, _)) = &all.entrance
        && let Some((host, port)) = guess::address(one, &guess::WEB)
    {
        let id = names.give(&format!("{}_port", one.service));
        let name = format!("{} accepts connections", one.service);
        let url = format!("    endpoint_url: \"tcp://{host}:{port}\"");
        Entry::new(&id, &one.service, &name, "tcp").write(
            page,
            &[&url],
            (5, 2),
            "its published port",
        );
    }
}

/// A side at its own address: asked before a switch, and live where there is no other side.
fn direct(page: &mut Page, (side, answers): (&Side, &[Answered]), paired: bool, names: &mut Names) {
    let ready = answers.iter().find(|one| one.says_ready);
    let Some(answer) = ready.or_else(|| good(answers)).filter(|_| paired) else { return };
    let id = names.give(&format!("{}_direct", side.color));
    let name = format!("{} at its own address", side.service);
    let url = format!("    endpoint_url: {}", value(&format!("{}{}", side.url, answer.path)));
    let mut expected = Vec::new();
    if answer.environment.as_deref() == Some(side.color.as_str()) {
        expected.push(format!("'json .environment == \"{}\"'", side.color));
    }
    if answer.says_ready {
        expected.push("\"json .overall_ready == true\"".to_owned());
    }
    let expect = format!("    expect: [{}]", expected.join(", "));
    let status = status(answer);
    let mut lines = vec![url.as_str()];
    lines.extend(status.as_deref());
    if !expected.is_empty() {
        lines.push(&expect);
    }
    lines.extend(["    critical: false", "    role: [preflight]"]);
    let entry = Entry::new(&id, "app", &name, "http_response");
    entry.write(page, &lines, (5, 4), "what it answered at its own port");
}

fn containers(page: &mut Page, all: &Guessed<'_>, names: &mut Names) {
    let paired = all.sides.len() > 1;
    for one in &all.facts.services {
        if guess::is_finished(one) {
            page.say(&format!("{} did what it is for and ended: no check.", one.service));
            continue;
        }
        let id = names.give(&format!("{}_container", one.service));
        let name = format!("{} runs", one.service);
        let of_a_side =
            |side: &Side| side.service == one.service || side.workers.contains(&one.service);
        let rests = paired && all.sides.iter().any(of_a_side);
        // One of two sides may rest: that is no alarm.
        let lines: &[&str] = if rests { &["    critical: false"] } else { &[] };
        Entry::new(&id, &one.service, &name, "container").write(page, lines, (10, 5), "");
    }
}

/// What keeps data, where it can be asked.
fn stores(page: &mut Page, all: &Guessed<'_>, names: &mut Names) {
    for one in guess::all(all.facts, Part::Postgres).filter(|one| one.running) {
        let Some((url, ..)) = postgres_url(all, one) else { continue };
        let id = names.give(&format!("{}_query", one.service));
        let name = format!("{} answers queries", one.service);
        let url = format!("    endpoint_url: {}", raw(&url));
        let lines = [&*url, "    query: \"SELECT 1\""];
        Entry::new(&id, &one.service, &name, "database_connection").write(
            page,
            &lines,
            (10, 5),
            "its image",
        );
    }
    for one in guess::all(all.facts, Part::Redis) {
        let Some((host, port)) = guess::address(one, &[6379]) else { continue };
        let id = names.give(&format!("{}_ping", one.service));
        let name = format!("{} answers", one.service);
        let url = format!("    endpoint_url: \"redis://{host}:{port}/0\"");
        Entry::new(&id, &one.service, &name, "redis").write(
            page,
            &[&url],
            (10, 2),
            "its image and published port",
        );
    }
    for one in guess::all(all.facts, Part::Store) {
        let Some((host, port)) = guess::address(one, &[]) else { continue };
        let id = names.give(&format!("{}_port", one.service));
        let name = format!("{} accepts connections", one.service);
        let url = format!("    endpoint_url: \"tcp://{host}:{port}\"");
        Entry::new(&id, &one.service, &name, "tcp").write(
            page,
            &[&url],
            (10, 2),
            "its published port",
        );
    }
}
