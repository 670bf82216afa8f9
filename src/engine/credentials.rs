//! Whether the secrets in use outlive what is planned. Says where they come from, never what they
//! are.

use std::time::Duration;

use crate::config::{Config, Origin, modified};
use crate::model::ids::Time;
use crate::model::plan::{Level, Preflight, PreflightAnswer};
use crate::text::SafeText;

/// The preflight line about secrets, where the configuration uses any. One that ends within twice
/// the level's budget, or hangs on the agent of somebody's SSH session, is a warning at level 1
/// and blocks levels 2 and 3.
pub(super) fn line(config: &Config, level: Level, now: Time) -> Option<Preflight> {
    let span = level.rto() * 2;
    let needed = now + chrono::Duration::from_std(span).unwrap_or_default();
    let mut worries = Vec::new();
    for credential in &config.credentials {
        let name = credential.name();
        match credential.expires {
            Some(at) if at <= now => {
                worries.push(format!("{name} ended at {}", at.format("%H:%M:%SZ on %F")));
            }
            Some(at) if at <= needed => {
                let left = (at - now).to_std().unwrap_or_default();
                worries.push(format!(
                    "{name} ends in {}, the level may need {}",
                    clock(left),
                    clock(span)
                ));
            }
            Some(_) | None => {}
        }
        if let Origin::File(path) = &credential.origin
            && modified(path) != credential.written
        {
            worries.push(format!("{name} changed since this engine read it: restart the engine"));
        }
    }
    if let Some(user) = &config.forwarded_agent {
        worries.push(format!(
            "{user} uses the agent of the SSH session that started this: gone when the line drops"
        ));
    }
    let used = config.credentials.len();
    if worries.is_empty() && used == 0 {
        return None;
    }
    let (answer, text) = match (worries.is_empty(), level) {
        (true, _) => {
            let known = config.credentials.iter().filter(|one| one.expires.is_some()).count();
            let text =
                format!("{used} in use; {known} say when they end, none within {}", clock(span));
            (PreflightAnswer::Ok, text)
        }
        (false, Level::Switch) => (PreflightAnswer::Warn, worries.join("; ")),
        (false, Level::Full | Level::PointInTime) => (PreflightAnswer::Block, worries.join("; ")),
    };
    Some(Preflight { name: "credentials".into(), answer, text: SafeText::new(&text) })
}

fn clock(span: Duration) -> String {
    crate::model::verdict::clock(span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, load};

    /// A token that ends `seconds` after 1970, in a variable of that configuration.
    fn config(seconds: i64) -> (tempfile::TempDir, Config) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("backout.yaml");
        let text = "environment: shop\nstate_dir: state\nhealth_checks:\n  - {check_id: api, \
                    check_type: http_response, endpoint_url: 'http://h/', \
                    headers: {authorization: 'Bearer ${API_TOKEN}'}}\n";
        std::fs::write(&path, text).unwrap();
        let token = format!("eyJhbGciOiJub25lIn0.{}.x", base64(&format!("{{\"exp\":{seconds}}}")));
        let environment = Environment::of([("API_TOKEN", token.as_str())]);
        let config = load(&path, &environment).unwrap();
        (dir, config)
    }

    fn base64(text: &str) -> String {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut out = String::new();
        for part in text.as_bytes().chunks(3) {
            let three = [part[0], *part.get(1).unwrap_or(&0), *part.get(2).unwrap_or(&0)];
            let all = u32::from_be_bytes([0, three[0], three[1], three[2]]);
            for at in 0..=part.len() {
                let six = (all >> (18 - 6 * at)) & 63;
                out.push(char::from(LETTERS[six as usize]));
            }
        }
        out
    }

    fn at(seconds: i64) -> Time {
        chrono::DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn a_token_that_ends_within_twice_the_budget_warns_at_level_1_and_blocks_deeper() {
        let (_dir, config) = config(10_000);
        let in_time = line(&config, Level::Switch, at(10_000 - 601)).unwrap();
        assert_eq!(in_time.answer, PreflightAnswer::Ok, "{in_time:?}");
        let late = line(&config, Level::Switch, at(10_000 - 599)).unwrap();
        assert_eq!(late.answer, PreflightAnswer::Warn, "{late:?}");
        assert!(late.text.as_str().contains("${API_TOKEN} ends in"), "{late:?}");
        assert!(!late.text.as_str().contains("eyJ"), "{late:?}");
        let full = line(&config, Level::Full, at(10_000 - 599)).unwrap();
        assert_eq!(full.answer, PreflightAnswer::Block);
        let over = line(&config, Level::Switch, at(10_001)).unwrap();
        assert!(over.text.as_str().contains("ended at"), "{over:?}");
    }

    #[test]
    fn a_configuration_without_secrets_says_nothing_and_a_forwarded_agent_warns() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("backout.yaml");
        let check = "health_checks: [{check_id: up, check_type: custom, command: ssh db1 uptime}]";
        std::fs::write(&path, check).unwrap();
        let none = load(&path, &Environment::of([])).unwrap();
        assert_eq!(line(&none, Level::Switch, at(0)), None);
        let forwarded =
            Environment::of([("SSH_AUTH_SOCK", "/tmp/a"), ("SSH_CONNECTION", "1 2 3 4")]);
        let config = load(&path, &forwarded).unwrap();
        let found = line(&config, Level::Switch, at(0)).unwrap();
        assert_eq!(found.answer, PreflightAnswer::Warn);
        assert!(found.text.as_str().contains("check up"), "{found:?}");
        assert_eq!(
            line(&config, Level::PointInTime, at(0)).unwrap().answer,
            PreflightAnswer::Block
        );
    }

    #[test]
    fn a_secret_file_that_was_changed_after_it_was_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("backout.yaml");
        std::fs::write(dir.path().join("key"), "one\n").unwrap();
        let check = "health_checks: [{check_id: api, check_type: http_response, \
                     endpoint_url: 'http://h/', headers: {x-key: {file: key}}}]";
        std::fs::write(&path, check).unwrap();
        let config = load(&path, &Environment::of([])).unwrap();
        assert_eq!(line(&config, Level::Full, at(0)).unwrap().answer, PreflightAnswer::Ok);
        let later = config.credentials[0].written.unwrap() + Duration::from_secs(5);
        let file = std::fs::File::options().write(true).open(dir.path().join("key")).unwrap();
        file.set_modified(later).unwrap();
        let changed = line(&config, Level::Full, at(0)).unwrap();
        assert_eq!(changed.answer, PreflightAnswer::Block);
        assert!(changed.text.as_str().contains("changed since"), "{changed:?}");
    }
}
