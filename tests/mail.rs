//! Mail over TLS, from the first byte and by STARTTLS, and the documents' own words for messages.

use std::time::Duration;

use backout::adapters::messenger::email::{Email, Safety, address};
use backout::adapters::messenger::{Again, Letter, Messenger as _, Stage};
use backout::adapters::secret::Secret;
use backout::clock::Clock;
use backout::model::severity::Severity;

use super::notify::sinks::{Http, Line, Smtp};
use super::people::add;
use super::support::Stack;

const AUTHORITY: &[u8] = include_bytes!("tls/ca.pem");

fn email(port: u16, safety: Safety, trusted: bool) -> Email {
    Email {
        host: "127.0.0.1".to_owned(),
        port,
        safety,
        trust: trusted.then(|| AUTHORITY.to_vec()),
        login: Some(("backout".to_owned(), Secret::new("geheim-4711"))),
        from: address("backout@example.org").unwrap(),
        to: vec![address("ops@example.org").unwrap()],
    }
}

fn letter(clock: &Clock) -> Letter {
    Letter {
        id: "k7qd-12".to_owned(),
        thread: "k7qd/INC-0142".to_owned(),
        stage: Stage::Open,
        event: "start",
        severity: Severity::Critical,
        at: clock.now(),
        environment: "shop".to_owned(),
        host: "bastion".to_owned(),
        headline: "Emergency rollback started for shop".to_owned(),
        details: vec!["run: 142-k7qd-1".to_owned()],
        document: None,
        facts: serde_json::json!({}),
    }
}

#[tokio::test]
async fn mail_goes_over_tls_or_not_at_all() {
    let clock = Clock::real();
    for (safety, line) in [(Safety::StartTls, Line::StartTls), (Safety::Tls, Line::Tls)] {
        let smtp = Smtp::with(line);
        let said = email(smtp.port, safety, true).send(&letter(&clock), &clock).await.unwrap();
        assert!(said.as_str().contains("took it"), "{said}");
        let [mail] = smtp.got().try_into().unwrap();
        assert!(mail.safe && mail.login, "{mail:?}");
        assert_eq!(mail.header("Subject"), Some("Emergency rollback started for shop"));
        // A certificate of somebody whom nobody trusts: nothing is sent, not even the password.
        let lost = email(smtp.port, safety, false).send(&letter(&clock), &clock).await.unwrap_err();
        assert_eq!(lost.again, Again::Soon, "{lost:?}");
        assert!(!lost.error.message.contains("geheim"), "{lost:?}");
        assert_eq!(smtp.got().len(), 1);
    }
    // A server that offers no TLS gets nothing.
    let smtp = Smtp::new();
    let lost = email(smtp.port, Safety::StartTls, true).send(&letter(&clock), &clock).await;
    assert!(lost.unwrap_err().error.message.contains("could not mail"));
    clock.sleep(Duration::from_millis(50)).await;
    assert!(smtp.got().is_empty());
}

const TEMPLATES: &str = "notification_templates:\n  rollback_triggered:\n    title: \"🚨 Automatic Rollback \
    Triggered\"\n    message: \"Health monitoring initiated rollback of {environment} to {to}\"\n  \
    health_alert:\n    title: \"⚠️ Health Alert\"\n    message: \"rule '{rule_name}' triggered for \
    deployment {deployment_id}\"\n  system_overload:\n    title: \"🔥 System Resource Alert\"\n    \
    message: \"System resources are critically high - immediate attention required\"\n  rollback_completed:\n    title: Over\n    message: \"{incident} is over\"\n";

#[test]
fn the_templates_of_the_documents_are_used_and_one_that_cannot_be_filled_in_still_sends() {
    let (slack, smtp) = (Http::new(), Smtp::with(Line::StartTls));
    let stack = Stack::up(None);
    std::fs::write(stack.dir().join("ca.pem"), AUTHORITY).unwrap();
    let receivers = format!(
        "{TEMPLATES}notifications:\n  receivers:\n    ops: {{slack: {{url: '{}'}}}}\n    mail: \
         {{document: plain, email: {{host: 127.0.0.1, port: {}, tls: starttls, ca_file: ca.pem, user: \
         backout, password: geheim-4711, from: b@example.org, to: ops@example.org}}}}\n",
        slack.url("/services/T0"),
        smtp.port
    );
    add(&stack, &receivers);
    let said = stack.run(&["notify", "test"]);
    assert_eq!(said.code, 0, "{said:?}");
    let line = slack.got()[0].body["text"].as_str().unwrap().to_owned();
    let begin = "🚨 Automatic Rollback Triggered: Health monitoring initiated rollback of demo to ";
    assert!(line.starts_with(begin), "{line}");
    let mail = &smtp.got()[0];
    assert!(mail.safe && mail.login, "{mail:?}");
    let said = stack.run(&["notify", "test", "ops", "--event", "alert"]);
    assert_eq!(said.code, 0, "{said:?}");
    let line = slack.got()[1].body["text"].as_str().unwrap().to_owned();
    assert!(line.starts_with("⚠️ Health Alert: rule 'TEST' triggered for deployment "), "{line}");
    // The example is of no incident: our own line goes out, and says why.
    let said = stack.run(&["notify", "test", "ops", "--event", "end"]);
    assert_eq!(said.code, 0, "{said:?}");
    let line = slack.got()[2].body.to_string();
    assert!(line.contains("rollback completed for TEST"), "{line}");
    assert!(line.contains("{incident} is not known"), "{line}");
    let text = std::fs::read_to_string(stack.config()).unwrap();
    std::fs::write(stack.config(), text.replace("{rule_name}", "{rule_nmae}")).unwrap();
    let said = stack.run(&["notify", "test"]);
    assert_eq!(said.code, 78, "{said:?}");
    assert!(said.err.contains("did you mean {rule_name}?"), "{said:?}");
}
