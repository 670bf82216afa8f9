//! A command, with the message in its environment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

use super::{Letter, Messenger, Undelivered};
use crate::adapters::{Error, Kind, process};
use crate::clock::Clock;
use crate::text::{SafeText, fit};

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(10);
/// What is kept of its output, in bytes.
const OUTPUT: u64 = 4 * 1024;

/// A line for `sh -c`.
#[derive(Clone, Debug)]
pub struct Command {
    /// It.
    pub line: String,
    /// Where it runs.
    pub dir: PathBuf,
}

fn variables(letter: &Letter) -> BTreeMap<&'static str, String> {
    let document = letter.document.as_ref();
    BTreeMap::from([
        ("BACKOUT_EVENT", letter.event.to_owned()),
        ("BACKOUT_ID", letter.id.clone()),
        ("BACKOUT_THREAD", letter.thread.clone()),
        ("BACKOUT_ACTION", letter.stage.name().to_owned()),
        ("BACKOUT_SEVERITY", letter.severity.label().to_owned()),
        ("BACKOUT_ENVIRONMENT", letter.environment.clone()),
        ("BACKOUT_TEXT", letter.headline.clone()),
        ("BACKOUT_DETAILS", letter.details.join("\n")),
        ("BACKOUT_DOCUMENT", document.map(|one| one.body.clone()).unwrap_or_default()),
    ])
}

#[async_trait]
impl Messenger for Command {
    async fn send(&self, letter: &Letter, clock: &Clock) -> Result<SafeText, Undelivered> {
        let variables = variables(letter);
        let ran =
            process::shell_with(&self.line, &variables, &self.dir, (LIMIT, OUTPUT), clock).await;
        let done = ran.map_err(Undelivered::soon)?;
        if done.code == Some(0) {
            return Ok("exit 0".into());
        }
        let errors = String::from_utf8_lossy(&done.stderr);
        let last = errors.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        let code = done.code.map_or_else(|| "a signal".to_owned(), |code| format!("exit {code}"));
        let why =
            format!("could not run {}: {code}: {}", fit(&self.line, 60), fit(last.trim(), 120));
        Err(Undelivered::soon(Error::new(Kind::Rejected, why.trim_end_matches([':', ' ']))))
    }

    fn rendered(&self, letter: &Letter) -> String {
        let lines = variables(letter).into_iter().map(|(name, value)| format!("{name}={value}"));
        format!("{}\n{}\n", self.line, lines.collect::<Vec<_>>().join("\n"))
    }

    fn shown(&self) -> String {
        format!("command {}", fit(&self.line, 60))
    }
}
