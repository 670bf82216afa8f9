//! Which secrets the configuration uses, where they come from, and until when they hold. Never
//! what they are.

use std::path::{Path, PathBuf};

use crate::checks::{CheckKind, CheckSpec};
use crate::model::ids::Time;

use super::Hooks;
use super::environment::Environment;
use super::take::{Desk, Item};

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A variable of the environment.
    Variable(String),
    /// A file, also one that systemd keeps as a credential.
    File(PathBuf),
}

/// A secret that the configuration uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Where it is used: `health_checks[2].headers.authorization`.
    pub used_by: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Until when it holds, where it says so itself (the `exp` of a JSON web token, RFC 7519
    /// section 4.1.4).
    pub expires: Option<Time>,
    /// When its file was written, as it was read.
    pub written: Option<std::time::SystemTime>,
}

impl Credential {
    /// What a person reads: `${API_TOKEN}`, `/run/secrets/key`.
    pub fn name(&self) -> String {
        match &self.origin {
            Origin::Variable(name) => format!("${{{name}}}"),
            Origin::File(path) => path.display().to_string(),
        }
    }
}

impl Desk<'_> {
    /// Notes that `item` uses the secret `value`.
    pub(super) fn used(&self, item: &Item<'_>, origin: Origin, value: &str) {
        let written = match &origin {
            Origin::Variable(_) => None,
            Origin::File(path) => modified(path),
        };
        let expires = expiry(value);
        let credential = Credential { used_by: item.path.clone(), origin, expires, written };
        let mut credentials = self.credentials.borrow_mut();
        if !credentials.contains(&credential) {
            credentials.push(credential);
        }
    }
}

/// When a file was written last.
pub fn modified(path: &Path) -> Option<std::time::SystemTime> {
    path.metadata().ok()?.modified().ok()
}

/// What hangs on the agent that an SSH session forwards, where the configuration uses one and
/// this process was started in such a session: it is gone when the line drops.
pub(super) fn forwarded_agent(
    environment: &Environment,
    checks: &[CheckSpec],
    hooks: &Hooks,
) -> Option<String> {
    environment.get("SSH_AUTH_SOCK")?;
    environment.ssh_connection()?;
    if environment.get("DOCKER_HOST").is_some_and(|host| host.starts_with("ssh://")) {
        return Some("DOCKER_HOST".to_owned());
    }
    let commands = checks.iter().filter_map(|spec| match &spec.kind {
        CheckKind::Custom(settings) => Some((format!("check {}", spec.id), &settings.command)),
        _ => None,
    });
    let hooks = hooks.all().map(|(name, command)| (format!("on.{name}"), command));
    commands.chain(hooks).find(|(_, command)| uses_agent(command)).map(|(name, _)| name)
}

/// Whether a command line calls a program that asks an SSH agent.
fn uses_agent(command: &str) -> bool {
    const PROGRAMS: [&str; 6] = ["ssh", "scp", "sftp", "rsync", "git", "ansible"];
    command
        .split(|c: char| !(c.is_ascii_alphanumeric() || "-_./".contains(c)))
        .filter_map(|word| word.rsplit('/').next())
        .any(|word| PROGRAMS.contains(&word))
}

/// The `exp` of a JSON web token anywhere in `value` (a header says `Bearer <token>`).
fn expiry(value: &str) -> Option<Time> {
    let token = value.split_whitespace().find(|word| word.starts_with("eyJ"))?;
    let body = decoded(token.split('.').nth(1)?)?;
    let claims: serde_json::Value = serde_json::from_slice(&body).ok()?;
    let seconds = claims.get("exp")?;
    #[expect(clippy::cast_possible_truncation, reason = "a NumericDate may have a fraction")]
    let seconds = seconds.as_i64().or_else(|| seconds.as_f64().map(|exact| exact as i64))?;
    chrono::DateTime::from_timestamp(seconds, 0)
}

/// Base64 with the alphabet for addresses, without padding (RFC 4648 section 5).
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut held) = (0_u32, 0_u32);
    for c in text.trim_end_matches('=').bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            _ => return None,
        };
        bits = ((bits << 6) | u32::from(value)) & 0xFFFF;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xFF).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `{"alg":"none"}` and `{"sub":"x","exp":1795312800}`.
    const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4IiwiZXhwIjoxNzk1MzEyODAwfQ.";

    #[test]
    fn a_web_token_says_itself_when_it_ends() {
        let known = chrono::DateTime::from_timestamp(1_795_312_800, 0);
        assert_eq!(expiry(TOKEN), known);
        assert_eq!(expiry(&format!("Bearer {TOKEN}")), known);
        for other in ["", "hunter2", "eyJ", "eyJ.eyJ.eyJ", "eyJhbGciOiJub25lIn0.!!.x"] {
            assert_eq!(expiry(other), None, "{other}");
        }
    }

    #[test]
    fn only_commands_that_ask_an_agent_count() {
        for line in ["ssh db1 uptime", "cd x && /usr/bin/rsync a b", "git pull|cat"] {
            assert!(uses_agent(line), "{line}");
        }
        for line in ["curl http://h/sshd", "df -P .", "cat /etc/ssh_config"] {
            assert!(!uses_agent(line), "{line}");
        }
    }
}
