//! The built-in procedures as text: what the documents look at, in the order that counts, and nothing
//! that the hazards forbid.

/// Rows of the troubleshooting document whose evidence is a page: it is there, in the order that
/// counts, every change has its danger, and what the hazards forbid is in none of them.
#[test]
fn the_pages_of_the_documents_are_there_and_none_does_what_the_hazards_forbid() {
    use backout::model::guide::Guide;
    let all = backout::config::guides::load(None).unwrap();
    let of = |row: &str| -> &Guide {
        let found = all.iter().find(|guide| guide.rows.iter().any(|known| known == row));
        found.unwrap_or_else(|| panic!("no procedure for {row}"))
    };
    for row in ["P-46", "P-47", "P-48", "P-49", "P-50", "P-52", "P-53", "P-54", "P-58", "P-59"] {
        of(row);
    }
    for row in ["P-65", "P-66", "P-67", "P-68", "P-69", "P-70", "P-73", "P-75", "P-77", "P-88"] {
        of(row);
    }
    let at = |guide: &Guide, wanted: &str| -> usize {
        let holds = |step: &backout::model::guide::GuideStep| {
            step.act.line().is_some_and(|line| line.contains(wanted))
        };
        let found = guide.steps.iter().position(holds);
        found.unwrap_or_else(|| panic!("{}: no {wanted}", guide.id))
    };
    // P-46: database, engine and cluster, what the environment says, and the lock.
    let start = of("P-46");
    for wanted in ["db activity", "docker info", "kubectl auth can-i", "DATABASE_URL", "lock check"]
    {
        at(start, wanted);
    }
    // P-50: a test restore into a place of its own.
    at(of("P-50"), "backup verify");
    // P-58, P-70: the point first, writers off, the database by level 3, then start in order.
    let system = of("P-58");
    assert_eq!(system.id, of("P-70").id);
    let order = ["backup now", "hold writers", "rollback --level 3", "systemctl start", "validate"];
    let order: Vec<usize> = order.iter().map(|wanted| at(system, wanted)).collect();
    assert!(order.is_sorted(), "{order:?}");
    let starts = system.steps[at(system, "systemctl start")].act.line().unwrap();
    assert!(starts.contains("postgresql redis-server nginx pratiko-backend pratiko-frontend"));
    assert!(starts.contains("is-active"), "it waits for each: {starts}");
    // P-59: nobody writes, a copy, and the restore beside.
    let data = of("P-59");
    let order =
        ["hold writers", "db activity", "backup now", "rollback --level 3", "unhold writers"];
    let order: Vec<usize> = order.iter().map(|wanted| at(data, wanted)).collect();
    assert!(order.is_sorted(), "{order:?}");
    // P-73: the eight outputs.
    let info = of("P-73");
    for wanted in
        ["uname", "uptime", "df -h", "free", "systemctl status", "tail -n 100", "/version"]
    {
        at(info, wanted);
    }
    at(info, "grep -E \"ERROR|CRITICAL\" engine.log | tail -n 20");
    // P-78: five places; P-87: six practices, the sheet by hand, the post-mortem.
    assert_eq!(of("P-78").steps.len(), 5);
    let practices = of("P-87");
    assert_eq!(practices.steps.len(), 7);
    for wanted in ["backup now", "drill --environment", "compare", "report postmortem", "validate"]
    {
        at(practices, wanted);
    }
    at(practices, "plan --break-glass");
    nothing_forbidden(&all);
}

/// What the hazards forbid is in no line that runs, and every change says its danger.
fn nothing_forbidden(all: &[backout::model::guide::Guide]) {
    use backout::model::guide::Act;
    let forbidden = [
        "chmod 666",
        "pkill",
        "FLUSHALL",
        "dropdb",
        "8.8.8.8",
        "sed -i",
        "GRANT ALL",
        "dd if=",
        "fsck",
        "valgrind",
        "trickle",
        "--raw >",
        "docker tag",
        "kill -9",
        "git checkout",
        "MemoryLimit",
    ];
    for guide in all {
        for step in &guide.steps {
            let line = step.act.line().unwrap_or_default();
            for word in forbidden {
                assert!(!line.contains(word), "{}: {word}", guide.id);
            }
            if let Act::Change(_) = step.act {
                assert!(!step.danger.is_empty() && !step.expect.is_empty(), "{}", guide.id);
            }
        }
    }
}

/// The procedures of the documents in their correct form: what each runs, in which order, and what
/// none of them ever does (W-05, W-07, W-09, W-15 to W-17).
#[test]
#[expect(clippy::too_many_lines, reason = "a table of words")]
fn the_procedures_of_the_documents_hold_what_their_rows_ask_and_no_hazard() {
    let all = backout::config::guides::load(None).unwrap();
    let of = |id: &str| {
        let guide = all.iter().find(|guide| guide.id == id).unwrap();
        let step = |step: &backout::model::guide::GuideStep| {
            let text: Vec<&str> = step.text.iter().map(backout::text::SafeText::as_str).collect();
            let line = step.act.line().unwrap_or_default();
            format!("{} {} {line} {}", step.title, text.join(" "), step.expect)
        };
        guide.steps.iter().map(step).collect::<Vec<_>>().join("\n")
    };
    for (id, words) in [
        (
            "validation-checklist",
            &[
                "docker ps",
                "overall_ready",
                "db activity",
                "marker",
                "5xx",
                "95th percentile is below 1 second",
                "validate --thorough",
                "300 s",
            ][..],
        ),
        (
            "complete-outage",
            &[
                "docker info",
                "df -hP",
                "systemctl restart docker",
                "recorded as healthy",
                "rollback --level 1",
                "infrastructure team",
            ],
        ),
        (
            "database-corruption",
            &["hold writers page", "backup now", "rollback --level 3", "database administrator"],
        ),
        (
            "security-breach",
            &[
                "breach report",
                "docker logs",
                "sha256sum",
                "docker commit",
                "network disconnect",
                "cut off",
                "off this host",
                "security incident response plan",
                "DO NOT RESTART",
                "breach release",
            ],
        ),
        (
            "rollback-failed",
            &[
                "docker ps --all",
                "--tail 200",
                "docker stats",
                "df -hP",
                "export",
                "rollback --level 2",
                "rollback --list",
                "two versions older",
                "rollback --level 3 --target",
                "senior operations",
            ],
        ),
        (
            "network-issues",
            &[
                "docker network ls",
                "ss -Hltn",
                "nginx -t",
                "nginx -t && docker exec",
                "nginx -s reload",
                "DOCKER-USER",
            ],
        ),
        (
            "analyze-failure",
            &[
                "backout analyze a pattern that began",
                "backout compare",
                "report incident",
                "backout analyze --risky --from STABLE --to FAILED",
                "Code, configuration, database migrations, dependencies, infrastructure",
            ],
        ),
        (
            "permanent-fix",
            &[
                "fix/rollback-issue-N",
                "deploy-staging.yml -f image_tag=",
                "tests/test_runner.py --comprehensive",
                "backout monitor --duration 7200",
                "regression test",
                "gh pr create",
                "gh pr merge --squash",
                "ROLLBACK_PROCEDURES.md",
                "KNOWN_ISSUES.md",
                "docs: Update rollback procedures based on",
            ],
        ),
        (
            "recovery-by-hand",
            &[
                "backout status",
                "backout run retry",
                "--strategy database-migration",
                "By its digest",
                "--strategy immediate",
                "the manifest last, then the edge",
                "--strategy frontend",
                "--break-glass",
                "backout validate",
            ],
        ),
        ("disk-full", &["df -hP", "system df", "backup list", "backup prune --dry-run"]),
    ] {
        let text = of(id);
        let mut rest = text.as_str();
        for word in words {
            let (_, after) =
                rest.split_once(word).unwrap_or_else(|| panic!("{id}: {word}: {text}"));
            rest = after;
        }
    }
    for guide in &all {
        for line in guide.steps.iter().filter_map(|step| step.act.line()) {
            for bad in [
                "prune -af",
                "prune --all",
                "--volumes",
                "volume rm",
                "network prune",
                "docker rm ",
                "compose down",
                "iptables -A INPUT",
                "chmod 666",
                "FLUSHALL",
                "DROP DATABASE",
                "pkill",
                "v2.4.9",
            ] {
                assert!(!line.contains(bad), "{}: {bad}: {line}", guide.id);
            }
        }
    }
}

/// What the documents look at is in the look of a page, by words of the line that is run.
#[test]
fn each_page_looks_at_what_its_row_names() {
    let all = backout::config::guides::load(None).unwrap();
    let looks = |row: &str| {
        let pages = all.iter().filter(|page| page.rows.iter().any(|one| one == row));
        let steps = pages.flat_map(|page| &page.steps);
        let lines = steps.filter_map(|step| match &step.act {
            backout::model::guide::Act::Look(line) => Some(line.as_str()),
            _ => None,
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    for (row, words) in [
        ("P-31", ["docker info", "kubectl auth can-i", "docker.sock", "DATABASE_URL"].as_slice()),
        ("P-33", &["current_user", "has_database_privilege", "backout plan", "backout doctor"]),
        ("P-34", &["manifest.json", "app.js", "style.css", "backout plan"]),
        ("P-43", &["systemctl list-units", "backout db activity", "backout validate"]),
        ("P-51", &["manifest.json", "curl -sSI", "backout plan", "backout doctor"]),
        ("P-55", &["app.js", "style.css", "manifest.json", "getent ahosts"]),
    ] {
        let looks = looks(row);
        for word in words {
            assert!(looks.contains(word), "{row}: no look at {word}: {looks}");
        }
    }
}
