//! What else goes wrong under a rollback: each ends with a true word and the next command, and
//! nothing is lost.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use backout::model::entry::Outcome;

use crate::guarantees::tell;

use super::private::Private;
use super::site::{Said, Site};
use super::stack::Stack;

const LEVEL_2: [&str; 6] = ["rollback", "--level", "2", "--auto-confirm", "--reason", "test"];

/// Says a case with what the program said of it, and checks that it said all of `words`.
fn says(case: &str, text: &str, words: &[&str]) {
    let line = text.lines().find(|line| line.contains(words[0]));
    let line = line.unwrap_or_else(|| panic!("{case}: no {:?} in {text}", words[0]));
    tell(&format!("{case}: {}", line.trim()));
    for word in words {
        assert!(text.contains(word), "{case}: no {word:?} in {text}");
    }
}

/// The program's answer; on a machine that does much else an engine may need more than one call.
fn asked(site: &Site<'_>, arguments: &[&str]) -> Said {
    let mut said = site.run(arguments);
    for _ in 0..5 {
        if !said.text.contains("the engine did not answer in") {
            break;
        }
        said = site.run(arguments);
    }
    said
}

fn until(what: &str, site: &Site<'_>, done: impl Fn(&Site<'_>) -> bool) {
    let until = Instant::now() + Duration::from_mins(6);
    while !done(site) {
        let run = || site.run(&["run"]).text;
        assert!(Instant::now() < until, "waited in vain: {what}: {}", run());
        std::thread::park_timeout(Duration::from_millis(300));
    }
}

/// Somebody who listens at a port in the stack's network.
fn listener(stack: &Stack, port: u16) -> Child {
    let program = "import socket, sys, time\ns = socket.socket()\n\
                   s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n\
                   s.bind(('127.0.0.1', int(sys.argv[1])))\ns.listen()\nprint('listens', flush=True)\n\
                   time.sleep(600)";
    let mut command = stack.place.command("python3");
    command.args(["-c", program, &port.to_string()]).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let mut said = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    assert_eq!(line.trim(), "listens");
    child
}

fn end(stack: &Stack, mut listener: Child) {
    // Its own number is that of whoever brought it into the network.
    let line = "kill $(ps -eo pid,args | awk '/time[.]sleep[(]600/ && !/awk/ {print $1}')";
    stack.place.command("sh").args(["-c", line]).output().unwrap();
    listener.kill().ok();
    listener.wait().unwrap();
}

#[test]
#[expect(clippy::too_many_lines, reason = "one stack for all of them: it takes longest to start")]
fn what_goes_wrong_ends_with_a_true_word_and_the_next_command() {
    let Some(engine) = Private::start(&[]) else { return };
    let place = engine.place.clone();
    // A small disk of its own under the database.
    let volume = |project: &str| {
        let name = format!("{project}_pg-data");
        let label = |what: &str, value: &str| format!("com.docker.compose.{what}={value}");
        let (first, second) = (label("project", project), label("volume", "pg-data"));
        place.docker(&["volume", "create", "--label", &first, "--label", &second, &name]);
        let at = place.docker(&["volume", "inspect", "-f", "{{.Mountpoint}}", &name]);
        place.said("mount", &["-t", "tmpfs", "-o", "size=220m", "tmpfs", &at]);
    };
    let stack = Stack::with(engine.place.clone(), "faults", 18_080, volume);
    stack.script("make-backup", &["--base"]);
    let site = Site::of(&stack);
    stack.script("break", &["errors"]);

    // The engine is away when a plan is asked for: no other level is offered, for none would do.
    let socket = stack.place.socket.as_ref().unwrap().display().to_string();
    site.change(&socket, "/nonexistent/docker.sock");
    for level in ["1", "2", "3"] {
        let said = site.run(&["plan", "--level", level]);
        assert_eq!(said.code, 10, "{}", said.text);
        let words = ["no container engine at /nonexistent/docker.sock", "systemctl start docker"];
        says("engine away", &said.text, &words);
        assert!(!said.text.contains("consider level"), "{}", said.text);
    }
    site.change("/nonexistent/docker.sock", &socket);

    // The disk under the database is full: said before anything is done.
    let postgres = stack.container("postgres");
    let fill = "dd if=/dev/zero of=/var/lib/postgresql/data/ballast bs=1M count=$(($(df -Pm \
                /var/lib/postgresql/data | awk 'END {print $4}') - 6)) 2>/dev/null";
    stack.docker(&["exec", &postgres, "sh", "-c", fill]);
    let said = site.run(&["plan", "--level", "3"]);
    says("disk full", &said.text, &["where the database lies: make room there", "MiB needed"]);
    let level_3 = ["rollback", "--level", "3", "--auto-confirm", "--accept-loss", "600"];
    let said = asked(&site, &level_3);
    assert_ne!(said.code, 0, "{}", said.text);
    assert!(said.text.contains("make room there"), "{}", said.text);
    assert_eq!(site.serves(), "green v2.5.0 105", "nothing was changed");
    stack.docker(&["exec", &postgres, "rm", "/var/lib/postgresql/data/ballast"]);

    // Somebody removed blue, and its name is another container's now.
    let blue = stack.container("app-blue");
    let name = stack.docker(&["inspect", "-f", "{{.Name}}", &blue]);
    let name = name.trim_start_matches('/');
    stack.docker(&["rm", "-f", &blue]);
    stack.docker(&["run", "-d", "--name", name, "--network", "none", "alpine", "sleep", "900"]);
    let said = site.run(&["plan", "--level", "1"]);
    assert_eq!(said.code, 10, "{}", said.text);
    says("name reused, level 1", &said.text, &["blue does not run", "plan --level 2"]);
    let said = asked(&site, &LEVEL_2);
    assert_ne!(said.code, 0, "{}", said.text);
    let words = ["another container has its name", "rename NAME NAME-other), then retry"];
    says("name reused, level 2", &said.text, &words);
    stack.docker(&["inspect", "-f", "{{.State.Running}}", name]);
    stack.docker(&["rename", name, "somebody-elses"]);

    // And its port is somebody's.
    let taken = listener(&stack, stack.port + 1);
    let retry = ["run", "retry", "--step", "deploy", "--reason", "the name is free"];
    site.run(&retry);
    until("the port is said", &site, |site| site.run(&["run"]).text.contains("is taken by"));
    let port = format!("port {} is taken by pid", stack.port + 1);
    let words = [port.as_str(), "(python3): end that, then retry", "backout run retry|skip|done"];
    says("port in use", &site.run(&["run"]).text, &words);
    end(&stack, taken);
    site.run(&retry);
    // On a machine that does much else a slow answer may speak against it: every step is through
    // then all the same, and a person has the last word.
    let ended = |site: &Site<'_>| {
        let run = site.situation().and_then(|situation| situation.run);
        run.is_some_and(|run| {
            let done = run.ended.is_some_and(|ended| ended.outcome == Outcome::Done);
            done || run.waiting.is_some_and(|waiting| waiting.step.is_none())
        })
    };
    until("level 2 ends", &site, ended);
    site.run(&["run", "abort", "STOP", "--reason", "every step is through"]);
    assert_eq!(site.serves(), "blue v2.4.9 104");
    assert_eq!(site.ask("SELECT count(*) FROM users"), "500");

    // The base backup of another server: refused with both numbers.
    let home = stack.dir.join("../backups").canonicalize().unwrap();
    let point = std::fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().file_name());
    let point = point.map(|name| name.to_string_lossy().into_owned());
    let point = point.filter(|name| name.starts_with("20")).max().unwrap();
    let aside = site.dir.path().join("aside");
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        let (from, to) = (from.to_str().unwrap(), to.to_str().unwrap());
        stack.place.said("cp", &["-a", from, to]);
    };
    copy(&home.join(&point), &aside);
    let at = stack.volume("pg-data");
    stack.docker(&["rm", "-f", &stack.container("postgres")]);
    stack.place.said("umount", &[at.to_str().unwrap()]);
    stack.script("stack-up", &["--fresh"]);
    copy(&aside, &home.join(&point));
    let archive = format!("    migrations: {}/migrations\n", stack.dir.display());
    let recovery = format!("{archive}    recovery: {{wal_archive: {}/wal}}\n", home.display());
    site.change(&archive, &recovery);
    // Logs of its own, so that only the server tells them apart.
    stack.script("make-backup", &["--base"]);
    let mut other = level_3.to_vec();
    other.extend(["--target", &point, "--to", "latest", "--reason", "another server"]);
    let said = asked(&site, &other);
    assert_ne!(said.code, 0, "{}", said.text);
    says("another server", &said.text, &["database system"]);
    if site.run(&["run", "abort", "UNDO", "--reason", "another server"]).code == 0 {
        let ended = |site: &Site<'_>| {
            let run = site.situation().and_then(|situation| situation.run);
            run.is_some_and(|run| run.ended.is_some())
        };
        until("nothing of it is left", &site, ended);
    }
    assert_eq!(site.ask("SELECT count(*) FROM users"), "500", "the live server stays");

    // The server itself is down: nobody can write to it, and that holds no recovery up.
    site.ask("INSERT INTO users(name, email) VALUES ('last', 'x')");
    site.ask("SELECT pg_switch_wal()");
    stack.docker(&["kill", &stack.container("postgres")]);
    let mut latest = level_3.to_vec();
    latest.extend(["--to", "latest", "--reason", "down"]);
    let said = asked(&site, &latest);
    says("server down", &said.text, &["nobody writes to it"]);
    assert_eq!(said.code, 0, "{}", said.text);
    assert_eq!(site.ask("SELECT count(*) FROM users WHERE name = 'last'"), "1");
}
