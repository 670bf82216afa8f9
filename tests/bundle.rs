//! What is kept of an incident, and that no secret is in it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use backout::evidence::bundle::Entries;
use backout::model::bundle::{BundleCard, Occasion};

use super::support::Stack;

/// Waits for the bundle that is made beside the run.
fn bundle(stack: &Stack, occasion: Occasion) -> BundleCard {
    let mut found = None;
    stack.wait("a bundle", Duration::from_mins(1), || {
        let situation = stack.situation();
        found = situation.bundles.into_iter().rfind(|card| card.occasion == occasion);
        found.is_some()
    });
    found.unwrap()
}

fn files(bundle: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut entries = Entries::open(bundle).unwrap();
    let mut files = BTreeMap::new();
    while let Some(entry) = entries.next_file().unwrap() {
        files.insert(entry.path, entry.bytes);
    }
    files
}

#[test]
fn a_rollback_leaves_two_bundles_that_verify_and_hold_what_was_logged_before() {
    let stack = Stack::up(Some("errors:0.3"));
    let text = std::fs::read_to_string(stack.config()).unwrap();
    let laid_out = stack.dir().join("preserved-logs");
    let text = format!("{text}\nlog_files: {{preserved: {}}}\n", laid_out.display());
    std::fs::write(stack.config(), text).unwrap();
    let mut log =
        std::fs::File::options().append(true).open(stack.dir().join("green/app.log")).unwrap();
    writeln!(log, "the last line before, password=hunter2hunter2").unwrap();
    let done = stack.run(&["rollback", "--quick", "--reason", "test"]);
    assert_eq!(done.code, 0, "{done:?}\n{}", stack.log());
    let ended = bundle(&stack, Occasion::Ended);
    let before = bundle(&stack, Occasion::Preserved);
    for card in [&before, &ended] {
        assert!(card.made && !card.partial, "{card:?}");
        let path = card.path.as_str();
        let verified = stack.run(&["bundle", "verify", path]);
        assert_eq!(verified.code, 0, "{verified:?}");
        assert!(verified.out.contains(&card.sha256.0), "{verified:?}");
        let files = files(Path::new(path));
        let text = |name: &str| String::from_utf8_lossy(&files[name]).into_owned();
        for log in ["logs/green.log", "spool/green.log", "preserved/logs/green.log"] {
            let text = text(log);
            let line = text.lines().find(|line| line.contains("the last line before"));
            let line = line.unwrap_or_else(|| panic!("not in {log}"));
            assert!(line.contains("password=‹redacted:password#"), "{log}: {line}");
        }
        assert!(
            text("timeline.jsonl")
                .lines()
                .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
        );
        assert!(text("timeline.jsonl").contains("run_started"));
        assert!(text("plan/break-glass.txt").contains("switch"), "{:?}", files.keys());
        for name in [
            "plan/plan.json",
            "config/effective.txt",
            "checks/api.jsonl",
            "report.md",
            "state/processes.txt",
            "state/disks.txt",
            "README.txt",
            "REDACTIONS.json",
            "SHA256SUMS",
            "MANIFEST.json",
        ] {
            assert!(files.contains_key(name), "{name} of {:?}", files.keys());
        }
    }
    let manifest: serde_json::Value =
        serde_json::from_slice(&files(Path::new(ended.path.as_str()))["MANIFEST.json"]).unwrap();
    assert_eq!(manifest["previous"]["sha256"], before.sha256.0);
    assert_eq!(manifest["incident"], "INC-0001");
    // P-41: the same as files in the folder of the deployment, each with its hash.
    for card in [&before, &ended] {
        let path = Path::new(card.path.as_str());
        let name = path.file_name().unwrap().to_string_lossy().replace(".tar.zst", "");
        let folder = laid_out.join("ci_4711").join(name);
        let mut sums = std::process::Command::new("sha256sum");
        let sums =
            sums.args(["--quiet", "-c", "SHA256SUMS"]).current_dir(&folder).output().unwrap();
        assert!(sums.status.success(), "{}: {sums:?}", folder.display());
        for (name, bytes) in files(path) {
            assert_eq!(std::fs::read(folder.join(&name)).unwrap(), bytes, "{name}");
        }
    }
    let status = stack.run(&["status"]);
    assert!(status.out.contains("Kept: bundle incident-0001-"), "{status:?}");
    let status = stack.run(&["status", "--json"]).json();
    assert_eq!(status["bundles"][1]["sha256"], ended.sha256.0);
}

#[test]
fn export_makes_a_bundle_with_and_without_an_engine() {
    let stack = Stack::up(None);
    assert_eq!(stack.run(&["check"]).code, 0);
    let alone = stack.run(&["export", "--json"]);
    assert_eq!(alone.code, 0, "{alone:?}");
    let file = alone.json()["file"].as_str().unwrap().to_owned();
    assert!(file.contains("/state/bundles/incident-none-"), "{file}");
    let preview = stack.run(&["export", "--preview"]);
    assert!(preview.out.contains("nothing was written"), "{preview:?}");
    let shown = stack.run(&["bundle", "show", &file]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.out.contains("logs/green.log"), "{shown:?}");
    let log = stack.run(&["bundle", "show", &file, "state/uname.txt"]);
    assert!(log.out.starts_with("Linux "), "{log:?}");
    let scanned = stack.run(&["bundle", "scan", &file]);
    assert_eq!(scanned.code, 0, "{scanned:?}");
    std::fs::remove_file(stack.dir().join("blue-worker/worker.log")).ok();
    let elsewhere = stack.dir().join("own.tar.zst");
    let elsewhere = elsewhere.to_str().unwrap();
    let said = stack.run(&["export", "--to", elsewhere]);
    assert_eq!(said.code, 0, "an absent log is no failure: {said:?}");
    assert!(said.out.contains("absent"), "{said:?}");
    let again = stack.run(&["export", "--to", elsewhere]);
    assert_eq!(again.code, 3, "{again:?}");
    std::fs::write(elsewhere, b"broken").unwrap();
    assert_eq!(stack.run(&["bundle", "verify", elsewhere]).code, 3);

    let mut monitor = stack.start(&["attach"]);
    monitor.kill().ok();
    monitor.wait().unwrap();
}

#[test]
fn a_killed_export_leaves_what_can_be_recovered() {
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("logs");
    std::fs::create_dir(&logs).unwrap();
    let line = "2026-11-22T01:00:00Z INFO a line of the app that says status=200 and more\n";
    std::fs::write(logs.join("app.log"), line.repeat(250_000)).unwrap();
    for round in 0..4_u64 {
        let to = dir.path().join(format!("incident-{round}-x.tar.zst"));
        let mut export = std::process::Command::new(env!("CARGO_BIN_EXE_backout"))
            .args(["export", "--whole", "--from"])
            .arg(&logs)
            .arg("--to")
            .arg(&to)
            .env_clear()
            .env("HOME", dir.path())
            .current_dir(dir.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let partial = PathBuf::from(format!("{}.partial", to.display()));
        // Killed once so much of it is written.
        let enough = 60_000 * round + 1;
        while partial.metadata().map_or(0, |meta| meta.len()) < enough
            && export.try_wait().unwrap().is_none()
        {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        export.kill().ok();
        export.wait().unwrap();
        if to.exists() {
            continue;
        }
        let run = |arguments: &[&str]| {
            std::process::Command::new(env!("CARGO_BIN_EXE_backout"))
                .args(arguments)
                .env_clear()
                .env("HOME", dir.path())
                .current_dir(dir.path())
                .output()
                .unwrap()
        };
        let recovered = run(&["bundle", "recover", partial.to_str().unwrap()]);
        assert_eq!(recovered.status.code(), Some(1), "{recovered:?}");
        let verified = run(&["bundle", "verify", to.to_str().unwrap()]);
        assert_eq!(verified.status.code(), Some(1), "{verified:?}");
        assert!(files(&to).len() > 2, "round {round}");
    }
}

/// Twelve kinds of secrets; each has all that makes its forms differ.
const KINDS: [&str; 12] = [
    "CANARY-header-q7/w+x\"1'a",
    "CANARY-query-r8/v+y\"2'b",
    "CANARY-variable-s9/u+z\"3'c",
    "CANARY-file-t1/t+a\"4'd",
    "CANARY-credential-u2/s+b\"5'e",
    "CANARY-url-v3/r+c\"6'f",
    "CANARY-password-w4/q+d\"7'g",
    "CANARY-token-x5/p+e\"8'h",
    "CANARY-secret-y6/o+f\"9'i",
    "CANARY-apikey-z7/n+g\"1'j",
    "CANARY-webhook-a8/m+h\"2'k",
    "CANARY-dsn-b9/l+i\"3'l",
];

/// Raw, base64, percent-encoded, for JSON, for a shell.
fn encodings(secret: &str) -> [String; 5] {
    let percent: String = secret
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect();
    let json = serde_json::to_string(secret).unwrap();
    [
        secret.to_owned(),
        base64(secret.as_bytes()),
        percent,
        json[1..json.len() - 1].to_owned(),
        format!("'{}'", secret.replace('\'', "'\\''")),
    ]
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for part in bytes.chunks(3) {
        let three = [part[0], *part.get(1).unwrap_or(&0), *part.get(2).unwrap_or(&0)];
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for place in 0..=part.len() {
            out.push(char::from(LETTERS[(bits >> (18 - 6 * place)) as usize & 63]));
        }
    }
    out
}

/// What must be nowhere: enough of each form that it can be no other text.
fn needles() -> Vec<String> {
    let all = KINDS.iter().flat_map(|secret| encodings(secret));
    let mut all: Vec<String> = all.map(|form| form.trim_matches('\'').to_owned()).collect();
    // The letters of base64 behind which other text may stand, and the telling middle of the rest.
    for form in &mut all {
        form.truncate(form.len() - 2);
    }
    all
}

/// Answers every request with the canaries.
fn server(body: String) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = [0; 4096];
            if stream.read(&mut head).is_err() {
                continue;
            }
            let line = body.lines().next().unwrap_or_default();
            write!(
                stream,
                "HTTP/1.1 500 {line}\r\nX-Say: {line}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            )
            .ok();
        }
    });
    port
}

/// The stack with all canaries where secrets come from and where they come out.
fn armed() -> (Stack, BTreeMap<String, String>) {
    let stack = Stack::up(Some("errors:0.3"));
    let forms = KINDS.iter().flat_map(|secret| encodings(secret));
    let lines: Vec<String> = forms.map(|form| format!("the tool says {form} here\n")).collect();
    let lines = lines.concat();
    let port = server(lines.clone());
    let dir = stack.dir();
    std::fs::write(dir.join("canaries.txt"), &lines).unwrap();
    std::fs::write(dir.join("kept.secret"), KINDS[3]).unwrap();
    std::fs::create_dir(dir.join("credentials")).unwrap();
    std::fs::write(dir.join("credentials/one"), KINDS[4]).unwrap();
    let checks = format!(
        "\n  - check_id: canary_tool\n    service: app\n    check_type: custom\n    command: 'cat canaries.txt >&2; tail -n 3 canaries.txt; exit 2'\n    interval_seconds: 1\n    timeout_seconds: 2\n    critical: false\n  - check_id: canary_http\n    service: app\n    check_type: http_response\n    endpoint_url: 'http://127.0.0.1:{port}/x?token=${{CANARY_1}}'\n    headers: {{authorization: 'Bearer ${{CANARY_0}}', x-one: {{file: kept.secret}}, x-two: {{credential: one}}}}\n    expected_status: 200\n    expect: [\"json .status == \\\"fine\\\"\"]\n    interval_seconds: 1\n    timeout_seconds: 2\n    critical: false\n\non: {{done: ['cat canaries.txt >&2; tail -n 1 canaries.txt; exit 3']}}\n"
    );
    let text = std::fs::read_to_string(stack.config()).unwrap();
    std::fs::write(stack.config(), text + &checks).unwrap();
    let mut log = std::fs::File::options().append(true).open(dir.join("green/app.log")).unwrap();
    log.write_all(lines.as_bytes()).unwrap();
    let names = [
        "CANARY_0",
        "CANARY_1",
        "MY_SECRET",
        "",
        "",
        "",
        "DB_PASSWORD",
        "GITHUB_TOKEN",
        "CLIENT_SECRET",
        "STRIPE_API_KEY",
        "SLACK_WEBHOOK_URL",
        "REDIS_PASSWORD",
    ];
    let mut variables: BTreeMap<String, String> = names
        .iter()
        .zip(KINDS)
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| ((*name).to_owned(), value.to_owned()))
        .collect();
    let percent = |kind: usize| encodings(KINDS[kind])[2].clone();
    variables.insert("CANARY_1".to_owned(), percent(1));
    variables.insert("QUERY_TOKEN".to_owned(), KINDS[1].to_owned());
    variables.insert("DATABASE_URL".to_owned(), format!("postgres://app:{}@db/x", percent(5)));
    let credentials = dir.join("credentials").display().to_string();
    variables.insert("CREDENTIALS_DIRECTORY".to_owned(), credentials);
    (stack, variables)
}

#[test]
fn sixty_canaries_are_in_nothing_that_is_kept_or_said() {
    let (stack, variables) = armed();
    let needles = needles();
    assert_eq!(needles.len(), 60);
    let mut said = Vec::new();
    let arguments: String = std::fs::read_to_string(stack.dir().join("canaries.txt")).unwrap();
    let note = format!("they said {}", arguments.lines().collect::<Vec<_>>().join(" "));
    let mut seen_arguments = Vec::new();
    let config = stack.config();
    for words in [
        vec!["check"],
        vec!["config", "show"],
        vec!["config", "check"],
        vec!["assess"],
        vec!["rollback", "--quick", "--reason", "test"],
        vec!["status", "--json"],
        vec!["brief"],
        vec!["history"],
        vec!["export", "--json"],
    ] {
        let mut command = stack.command(&words);
        command.envs(&variables).stdout(std::process::Stdio::piped());
        let child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let reader = std::thread::spawn(move || child.wait_with_output().unwrap());
        while !reader.is_finished() {
            seen_arguments.extend(cmdlines(&config, pid));
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let output = reader.join().unwrap();
        assert_ne!(output.status.code(), Some(78), "{output:?}");
        said.push((format!("{words:?} out"), output.stdout));
        said.push((format!("{words:?} err"), output.stderr));
    }
    // What a person types comes in by an argument of their own; what is kept of it is clean.
    let mut command = stack.command(&["note", &note]);
    command.envs(&variables).output().unwrap();
    bundle(&stack, Occasion::Ended);
    let mut command = stack.command(&["brief"]);
    said.push(("brief".to_owned(), command.envs(&variables).output().unwrap().stdout));
    stack.wait("the engine to end", Duration::from_secs(30), || {
        !stack.state().join("journal.db-wal").exists()
    });

    let mut kept = said;
    let mut bundles = 0;
    for file in all(&stack.state()) {
        let name = file.display().to_string();
        if name.ends_with(".tar.zst") {
            bundles += 1;
            kept.extend(
                files(&file).into_iter().map(|(path, bytes)| (format!("{name}:{path}"), bytes)),
            );
        } else {
            // A running engine may take a file away meanwhile.
            kept.extend(std::fs::read(&file).ok().map(|bytes| (name, bytes)));
        }
    }
    kept.push(("arguments".to_owned(), seen_arguments.join("\n").into_bytes()));
    assert!(bundles >= 2, "only {bundles} bundles");
    let redacted = kept
        .iter()
        .filter(|(_, bytes)| memchr::memmem::find(bytes, "‹redacted:known#".as_bytes()).is_some());
    assert!(redacted.count() >= 5, "the canaries were not where they should be found");
    let mut hits = Vec::new();
    for (name, bytes) in &kept {
        for needle in &needles {
            if memchr::memmem::find(bytes, needle.as_bytes()).is_some() {
                hits.push(format!("{needle} in {name}"));
            }
        }
    }
    assert!(hits.is_empty(), "{} hits in {} places:\n{}", hits.len(), kept.len(), hits.join("\n"));
}

/// The arguments of every process of ours.
fn cmdlines(config: &Path, pid: u32) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(bytes) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let own = entry.file_name().to_str().is_some_and(|name| name == pid.to_string());
        if own || text.contains(config.to_str().unwrap()) {
            found.push(text);
        }
    }
    found
}

fn all(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            found.extend(all(&entry.path()));
        } else if entry.file_type().unwrap().is_file() {
            found.push(entry.path());
        }
    }
    found
}
