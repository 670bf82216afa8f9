//! Messages and calls, with real servers on loopback: every receiver gets what the routes say and
//! nothing else, though the engine is killed; other systems call for a rollback and are heard once.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use backout::adapters::http::Target;
use backout::adapters::messenger::github::GitHub;
use backout::adapters::messenger::slack::Slack;
use backout::adapters::messenger::{Again, Letter, Messenger as _, Stage};
use backout::adapters::secret::Secret;
use backout::clock::Clock;
use backout::model::severity::Severity;
use serde_json::{Value, json};

use super::people::add;
use super::support::Stack;
use super::tools::{Running, free_port, tool};

pub(crate) mod sinks;

use sinks::{Got, Http, Smtp, github};

/// On a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_mins(4);

/// An engine that stays, ended when dropped.
struct Engine(Child);

impl Engine {
    fn start(stack: &Stack) -> Self {
        let (config, state) = (stack.config(), stack.state());
        let socket = stack.dir().join("e.sock");
        let child = stack.start(&[
            "__engine",
            "--config",
            config.to_str().unwrap(),
            "--state",
            state.to_str().unwrap(),
            "--socket",
            socket.to_str().unwrap(),
            "--linger",
            "console",
        ]);
        let engine = Self(child);
        stack.wait("the engine runs", PATIENCE, || {
            stack.state().join("journal.db").exists()
                && stack.situation().engine.is_some_and(|known| known.pid == engine.0.id())
        });
        engine
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The headlines that Slack got.
fn lines(slack: &Http) -> Vec<String> {
    slack.got().iter().map(|got| got.body["text"].as_str().unwrap().to_owned()).collect()
}

fn events(hook: &Http) -> Vec<String> {
    hook.got().iter().map(|got| got.body["event"].as_str().unwrap().to_owned()).collect()
}

/// Everybody who can be told, each with what they got.
struct Everybody {
    slack: Http,
    hook: Http,
    pager: Http,
    tracker: Http,
    issues: Arc<Mutex<Vec<Value>>>,
    smtp: Smtp,
}

impl Everybody {
    /// Slack is down at first; the webhook has a message before it says so.
    fn new() -> Self {
        let (tracker, issues) = github();
        Self {
            slack: Http::with(|_, before| {
                if before < 2 { (503, "later".to_owned()) } else { (200, "ok".to_owned()) }
            }),
            hook: Http::with(|_, _| {
                std::thread::sleep(Duration::from_millis(300));
                (200, "ok".to_owned())
            }),
            pager: Http::with(|_, _| (202, "{}".to_owned())),
            tracker,
            issues,
            smtp: Smtp::new(),
        }
    }

    fn configuration(&self) -> String {
        format!(
            r#"notifications:
  receivers:
    ops: {{slack: {{url: '{}'}}}}
    hook: {{webhook: {{url: '{}'}}}}
    pager: {{pagerduty: {{url: '{}', key: routing-key-4711}}}}
    tracker: {{github: {{url: '{}', repo: shop/api, token: token-4711}}}}
    mail: {{email: {{host: 127.0.0.1, port: {}, tls: none, from: backout@example.org, to: [ops@example.org, dana@example.org]}}}}
    customers: {{command: 'printf %s "$BACKOUT_DOCUMENT" > customers.txt', document: customer}}
  routes:
    - {{to: [ops, hook], continue: true}}
    - {{to: pager, events: incident, continue: true}}
    - {{to: [mail, tracker, customers], events: [end]}}
"#,
            self.slack.url("/services/T0/B0/x"),
            self.hook.url("/in"),
            self.pager.url("/v2/enqueue"),
            self.tracker.url(""),
            self.smtp.port,
        )
    }

    fn know_of_the_end(&self, stack: &Stack) -> bool {
        let completed = |line: &String| line.contains("rollback completed");
        lines(&self.slack).iter().any(completed)
            && !self.smtp.got().is_empty()
            && !self.issues.lock().unwrap().is_empty()
            && events(&self.hook).iter().any(|event| event == "end")
            && stack.dir().join("customers.txt").exists()
    }

    /// Twice at most may be said what was said when the engine died before it could write so.
    fn check_slack(&self) {
        let mut taken: Vec<String> = lines(&self.slack).split_off(2);
        taken.retain(|line| !line.contains("in demo is now"));
        assert!(taken.len() <= 5, "{taken:?}");
        taken.dedup();
        assert_eq!(taken.len(), 3, "{taken:?}");
        assert!(taken[0].starts_with("🚨 INC-0001 "), "{taken:?}");
        assert_eq!(taken[1], "🚨 Emergency rollback started for demo");
        assert_eq!(taken[2], "🚨 Emergency rollback completed for demo");
    }

    /// Where there is a key the receiver can tell: each is one message, and none is missing.
    fn check_hook(&self, stack: &Stack) {
        let notices = stack.situation().outbox.notices;
        let known: BTreeSet<String> = notices.into_iter().map(|notice| notice.key).collect();
        let key = |got: &Got| got.header("idempotency-key").unwrap().to_owned();
        let keys: Vec<String> = self.hook.got().iter().map(key).collect();
        let distinct: BTreeSet<String> = keys.iter().cloned().collect();
        assert_eq!(distinct, known, "{keys:?}");
        assert!(keys.len() <= distinct.len() + 2, "{keys:?}");
        for got in self.hook.got() {
            assert_eq!(got.body["id"].as_str(), got.header("idempotency-key"));
        }
    }

    fn check_pager(&self, journal: &str) {
        let paged = self.pager.got();
        let same = paged.iter().all(|one| one.body == paged[0].body);
        assert!(!paged.is_empty() && same, "{paged:?}");
        assert_eq!(paged[0].body["dedup_key"], json!(format!("{journal}/INC-0001")));
        assert_eq!(paged[0].body["event_action"], "trigger");
        assert_eq!(paged[0].body["routing_key"], "routing-key-4711");
    }

    fn check_mail(&self, journal: &str) {
        let mails = self.smtp.got();
        let named = |mail: &sinks::Mail| mail.header("Message-ID").unwrap().to_owned();
        let names: BTreeSet<String> = mails.iter().map(named).collect();
        assert_eq!(names.len(), 1, "{mails:?}");
        assert_eq!(mails[0].to, ["<ops@example.org>", "<dana@example.org>"]);
        // Which service it was is known where a check had failed before somebody acted.
        let subject = mails[0].header("Subject").unwrap();
        assert!(subject.starts_with("Production Rollback - "), "{mails:?}");
        let body = mails[0].text.split_once("\n\n").unwrap().1;
        assert!(body.starts_with("Severity: "), "{mails:?}");
        assert!(mails[0].text.contains("Status: Rollback completed successfully"), "{mails:?}");
        assert!(mails[0].header("Message-ID").unwrap().starts_with(&format!("<{journal}-")));
    }

    fn check_tracker(&self) {
        let issues = self.issues.lock().unwrap().clone();
        assert_eq!(issues.len(), 1, "{issues:?}");
        assert!(issues[0]["title"].as_str().unwrap().starts_with("Production Rollback: "));
        assert_eq!(issues[0]["labels"], json!(["incident", "production", "rollback"]));
        let body = issues[0]["body"].as_str().unwrap();
        assert!(body.contains("Issue detected") && body.contains("<!-- backout "), "{body}");
        let known = |got: &Got| got.header("authorization") == Some("Bearer token-4711");
        assert!(self.tracker.got().iter().all(known));
    }
}

#[test]
fn every_receiver_gets_what_the_routes_say_though_the_engine_is_killed_twice() {
    let all = Everybody::new();
    let stack = Stack::up(Some("errors:0.3"));
    add(&stack, &all.configuration());
    let mut run = stack.start(&["rollback", "--quick", "--reason", "errors after v2.5.0"]);
    for event in ["start", "end"] {
        stack.wait(event, PATIENCE, || events(&all.hook).iter().any(|known| known == event));
        stack.kill_engine();
    }
    assert!(run.wait().unwrap().success(), "{}", stack.log());
    stack.wait("everybody is told", PATIENCE, || all.know_of_the_end(&stack));
    let journal = stack.situation().journal;
    all.check_slack();
    all.check_hook(&stack);
    all.check_pager(journal.as_str());
    all.check_mail(journal.as_str());
    all.check_tracker();
    let customers = std::fs::read_to_string(stack.dir().join("customers.txt")).unwrap();
    let begin = "We experienced a brief service disruption between ";
    assert!(customers.starts_with(begin) && !customers.contains('['), "{customers}");
    // Nothing of the secrets is kept.
    for secret in ["routing-key-4711", "token-4711", "/services/T0"] {
        let entries = std::fs::read(stack.state().join("journal.db")).unwrap();
        let found = entries.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found && !stack.log().contains(secret), "{secret} was kept");
    }
}

#[tokio::test]
async fn an_issue_is_opened_once_and_kept_up_to_date_and_a_receiver_says_when_to_come_back() {
    let (tracker, issues) = github();
    let clock = Clock::real();
    let letter = Letter {
        id: "k7qd-12".to_owned(),
        thread: "k7qd/INC-0142".to_owned(),
        stage: Stage::Open,
        event: "end",
        severity: Severity::High,
        at: clock.now(),
        environment: "shop".to_owned(),
        host: "bastion".to_owned(),
        headline: "🚨 Emergency rollback completed for shop".to_owned(),
        details: vec!["run: 142-k7qd-1".to_owned()],
        document: None,
        facts: json!({}),
    };
    let messenger = GitHub {
        target: Target::parse(&tracker.url("")).unwrap(),
        repository: "shop/api".to_owned(),
        token: Secret::new("geheim"),
    };
    let said = messenger.send(&letter, &clock).await.unwrap();
    assert_eq!(said.as_str(), "issue shop/api #1");
    let other = Letter { thread: "k7qd/INC-0143".to_owned(), ..letter.clone() };
    assert_eq!(messenger.send(&other, &clock).await.unwrap().as_str(), "issue shop/api #2");
    let more = Letter { details: vec!["verified".to_owned()], ..letter.clone() };
    assert_eq!(messenger.send(&more, &clock).await.unwrap().as_str(), "issue shop/api #1");
    let kept = issues.lock().unwrap().clone();
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(kept[0]["body"].as_str().unwrap().contains("verified"), "{kept:?}");

    let busy = Http::with(|_, _| (429, "slow down".to_owned()));
    let slack = Slack { target: Target::parse(&busy.url("/services/x")).unwrap() };
    let lost = slack.send(&letter, &clock).await.unwrap_err();
    assert_eq!(lost.again, Again::Soon);
    assert!(lost.error.message.contains("429") && !lost.error.message.contains("services"));
    let gone =
        Slack { target: Target::parse(&format!("http://127.0.0.1:{}/x", free_port())).unwrap() };
    assert_eq!(gone.send(&letter, &clock).await.unwrap_err().again, Again::Soon);
}

#[test]
fn calls_come_in_over_a_socket_of_this_user_without_a_token() {
    use std::os::unix::fs::PermissionsExt as _;
    let stack = Stack::up(None);
    add(&stack, "triggers: {listen: 'unix:calls.sock'}\n");
    let _engine = Engine::start(&stack);
    let socket = stack.dir().join("calls.sock");
    stack.wait("it listens", PATIENCE, || socket.exists());
    let mode = socket.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o660);
    let body = json!({ "name": "frontend", "message": "blank page", "kind": "cross_repository" });
    let body = body.to_string();
    let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    let head = format!(
        "POST /trigger HTTP/1.1\r\nhost: x\r\nconnection: close\r\nidempotency-key: web-12\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 202"), "{said}");
    let situation = stack.situation();
    let card = situation.triggers.last().unwrap();
    assert_eq!(card.call.kind.name(), "cross_repository");
    assert!(situation.incident.is_some());
}

/// Posts to the endpoint; status and body.
fn post(port: u16, path: &str, headers: &str, body: &Value) -> (u16, String) {
    // Whoever was started may not listen yet.
    let until = Instant::now() + PATIENCE;
    let mut stream = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < until, "{port}: {error}"),
        }
        std::thread::park_timeout(Duration::from_millis(20));
    };
    let body = body.to_string();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    let status = said.split(' ').nth(1).unwrap().parse().unwrap();
    (status, said.split_once("\r\n\r\n").unwrap().1.to_owned())
}

const TOKEN: &str = "authorization: Bearer geheim-4711\r\n";

#[test]
fn a_critical_alert_reaches_slack_and_mail_a_warning_slack_alone_and_its_end_whoever_heard() {
    let (slack, smtp, port) = (Http::new(), Smtp::new(), free_port());
    let stack = Stack::up(None);
    add(
        &stack,
        &format!(
            "notifications:\n  group_wait: 0s\n  receivers:\n    ops: {{slack: {{url: '{}'}}}}\n    \
             mail: {{email: {{host: 127.0.0.1, port: {}, tls: none, from: backout@example.org, to: \
             ops@example.org}}}}\ntriggers: {{listen: '127.0.0.1:{port}', token: geheim-4711, \
             per_minute: 8}}\n",
            slack.url("/x"),
            smtp.port,
        ),
    );
    let _engine = Engine::start(&stack);
    let call = |id: &str, name: &str, severity: &str, over: bool| {
        json!({ "id": id, "name": name, "severity": severity, "message": format!("{name} is bad"),
            "rollback": false, "over": over })
    };
    // Who does not know the token is not heard.
    assert_eq!(post(port, "/trigger", "", &call("1", "disk", "critical", false)).0, 401);
    let wrong = "authorization: Bearer geheim\r\n";
    assert_eq!(post(port, "/trigger", wrong, &call("1", "disk", "critical", false)).0, 401);
    assert_eq!(post(port, "/else", TOKEN, &json!({})).0, 404);
    let (status, why) = post(port, "/trigger", TOKEN, &json!({ "name": "x", "message": "y" }));
    assert_eq!(status, 400, "{why}");
    assert!(why.contains("no id"), "{why}");

    let (status, said) = post(port, "/trigger", TOKEN, &call("1", "disk", "critical", false));
    assert_eq!((status, said.contains("accepted")), (202, true), "{said}");
    // The same again is known already, and nobody hears of it twice.
    let (status, said) = post(port, "/trigger", TOKEN, &call("1", "disk", "critical", false));
    assert_eq!((status, said.contains("known already")), (202, true), "{said}");
    stack.wait("both are told", PATIENCE, || lines(&slack).len() == 1 && smtp.got().len() == 1);
    assert_eq!(lines(&slack), ["⚠️ CRITICAL disk: disk is bad"]);

    post(port, "/trigger", TOKEN, &call("2", "cpu", "warning", false));
    stack.wait("slack is told", PATIENCE, || lines(&slack).len() == 2);
    let acked = stack.run(&["ack", "alert disk"]);
    assert_eq!(acked.code, 0, "{acked:?}");
    assert!(acked.out.contains("tester looks after alert disk"), "{acked:?}");
    let again = stack.run(&["ack", "alert disk"]);
    assert_eq!(again.code, 10, "{again:?}");
    stack.wait("both know who", PATIENCE, || lines(&slack).len() == 3 && smtp.got().len() == 2);
    for (id, name) in [("3", "disk"), ("4", "cpu")] {
        post(port, "/trigger", TOKEN, &call(id, name, "critical", true));
    }
    stack.wait("its end is told", PATIENCE, || lines(&slack).len() == 5 && smtp.got().len() == 3);
    let text: Vec<String> = smtp.got().into_iter().map(|mail| mail.text).collect();
    assert!(text.iter().all(|text| !text.contains("cpu")), "{text:?}");

    // More than eight calls a minute find no room.
    let full = (5..20)
        .map(|id| post(port, "/trigger", TOKEN, &call(&id.to_string(), "a", "low", false)).0);
    assert!(full.into_iter().any(|status| status == 429));
    let shown = stack.run(&["notify", "show"]);
    assert!(shown.out.contains("trigger ") && shown.out.contains("by trigger http"), "{shown:?}");
    assert!(!stack.log().contains("geheim-4711"));
}

#[test]
fn a_receiver_that_says_no_is_given_up_out_loud_and_the_others_are_told() {
    let (slack, hook) = (Http::with(|_, _| (404, "no_service".to_owned())), Http::new());
    let stack = Stack::up(None);
    add(
        &stack,
        &format!(
            "notifications:\n  group_wait: 0s\n  receivers:\n    ops: {{slack: {{url: '{}'}}}}\n    \
             hook: {{webhook: {{url: '{}'}}}}\n",
            slack.url("/x"),
            hook.url("/"),
        ),
    );
    let _engine = Engine::start(&stack);
    let said = stack.run(&["trigger", "--name", "disk", "--message", "slow", "--alert"]);
    assert_eq!(said.code, 0, "{said:?}");
    stack.wait("it is given up", PATIENCE, || {
        hook.got().len() == 1 && stack.situation().outbox.given_up.len() == 1
    });
    assert_eq!(slack.got().len(), 1);
    let troubles = stack.situation().troubles;
    let told = troubles.iter().any(|one| {
        one.text.as_str().contains("404") && one.text.as_str().contains("tell them yourself")
    });
    assert!(told, "{troubles:?}");
}

#[test]
fn a_pipeline_calls_for_a_rollback_and_a_person_finds_the_plan_of_level_1() {
    let stack = Stack::up(Some("errors:0.3"));
    let call = [
        "trigger",
        "--external",
        "--name",
        "ci",
        "--message",
        "deploy of v2.5.0 failed",
        "--deployment-id",
        "ci#4711",
        "--reason",
        "error-rate",
        "--id",
        "job-7",
        "--json",
    ];
    let said = stack.run(&call);
    assert_eq!(said.code, 0, "{said:?}\n{}", stack.log());
    let document = said.json();
    assert_eq!(document["trigger"]["call"]["kind"], "external", "{document}");
    assert!(document["incident"].is_number() && document["plan"].is_string(), "{document}");
    // Nothing has moved: a call starts nothing by itself.
    assert_eq!(stack.status()["active"], "green");
    let again = stack.run(&call);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(stack.situation().triggers.len(), 1);
}

#[test]
fn a_call_may_start_level_1_where_the_configuration_says_so() {
    let port = free_port();
    let stack = Stack::up(Some("errors:0.3"));
    add(
        &stack,
        &format!("triggers: {{listen: '127.0.0.1:{port}', token: geheim-4711, start: true}}\n"),
    );
    let _engine = Engine::start(&stack);
    // What nobody has looked at yet would be in the plan's way.
    stack.wait("it is known how bad it is", PATIENCE, || {
        stack.situation().assessment.is_some_and(|known| known.severity >= Severity::Medium)
    });
    let deployment = json!({
        "deployment_status": { "id": 7, "state": "failure", "environment": "demo",
            "description": "health check failed" },
        "deployment": { "ref": "v2.5.0" }, "repository": { "full_name": "shop/api" },
    });
    let event = format!("{TOKEN}x-github-event: deployment_status\r\n");
    let (status, said) = post(port, "/github", &event, &deployment);
    assert_eq!(status, 202, "{said}");
    stack.wait("the run ends", PATIENCE, || {
        stack.situation().run.is_some_and(|run| run.ended.is_some())
    });
    let run = stack.situation().run.unwrap();
    assert_eq!(run.by.as_str(), "trigger github", "{run:?}");
    assert_eq!(run.ended.unwrap().outcome.words(), "done");
    assert_eq!(stack.status()["active"], "blue");
}

#[test]
fn a_test_message_arrives_and_is_shown_without_its_secrets() {
    let (slack, down) = (Http::new(), free_port());
    let stack = Stack::up(None);
    add(
        &stack,
        &format!(
            "notifications:\n  receivers:\n    ops: {{slack: {{url: '{}'}}}}\n    pager: {{pagerduty: \
             {{url: 'http://127.0.0.1:{down}/', key: routing-key-4711}}}}\n",
            slack.url("/services/T0"),
        ),
    );
    let shown = stack.run(&["notify", "test", "pager", "--render"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.out.contains("\"routing_key\": \"***\""), "{shown:?}");
    assert!(shown.out.contains("Emergency rollback started for TEST"), "{shown:?}");
    assert!(slack.got().is_empty());
    let said = stack.run(&["notify", "test"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("ops: told") && said.out.contains("pager: NOT told"), "{said:?}");
    assert_eq!(lines(&slack), ["🚨 Emergency rollback started for TEST"]);
}

#[test]
fn a_real_alertmanager_calls_for_a_rollback() {
    let Some(program) = tool("alertmanager", "prometheus-alertmanager") else { return };
    let port = free_port();
    let stack = Stack::up(None);
    add(&stack, &format!("triggers: {{listen: '127.0.0.1:{port}', token: geheim-4711}}\n"));
    let _engine = Engine::start(&stack);
    let manager = Running::start(&program, |dir, own| {
        let config = format!(
            "route: {{receiver: backout, group_wait: 0s, group_interval: 1s, group_by: [alertname]}}\n\
             receivers:\n  - name: backout\n    webhook_configs:\n      - url: \
             http://127.0.0.1:{port}/alertmanager\n        http_config: {{authorization: \
             {{credentials: geheim-4711}}}}\n"
        );
        std::fs::write(dir.join("alertmanager.yml"), config).unwrap();
        let dir = dir.display();
        vec![
            format!("--config.file={dir}/alertmanager.yml"),
            format!("--storage.path={dir}/data"),
            format!("--web.listen-address=127.0.0.1:{own}"),
            "--cluster.listen-address=".into(),
        ]
    });
    let alert = |name: &str, wants: &str| {
        json!([{ "labels": { "alertname": name, "severity": "critical", "rollback_trigger": wants },
            "annotations": { "summary": format!("{name} fires") } }])
    };
    // It takes a moment to listen.
    stack.wait("alertmanager takes alerts", PATIENCE, || {
        if TcpStream::connect(("127.0.0.1", manager.port)).is_err() {
            return false;
        }
        let json = "content-type: application/json\r\n";
        post(manager.port, "/api/v2/alerts", json, &alert("DiskFull", "false")).0 == 200
    });
    stack.wait("the alert is told", PATIENCE, || stack.situation().triggers.len() == 1);
    let situation = stack.situation();
    assert!(situation.incident.is_none(), "{:?}", situation.incident);
    assert!(situation.outbox.threads.contains_key("alert DiskFull"), "{:?}", situation.outbox);
    let json = "content-type: application/json\r\n";
    assert_eq!(post(manager.port, "/api/v2/alerts", json, &alert("HighErrorRate", "true")).0, 200);
    stack.wait("the incident is open", PATIENCE, || stack.situation().incident.is_some());
    let situation = stack.situation();
    let why = situation.incident.unwrap().why;
    assert!(why.as_str().contains("HighErrorRate fires"), "{why}\n{}", manager.log());
    let card = situation.triggers.last().unwrap();
    assert_eq!(card.by.as_str(), "trigger alertmanager");
    assert!(card.call.rollback);
}
