//! `custom`: a command of `sh -c`, so pipes work; judged by exit code, printed number or the
//! monitoring plugins' rules (P-24).

use std::time::Duration;

use crate::adapters::Kind;
use crate::adapters::process::{Finished, shell};
use crate::model::reading::{Reason, WhyClass};
use crate::text::{SafeText, fit};

use super::seen::{Seen, bad, warn};
use super::{ProbeCx, threshold::Thresholds};

/// Settings of this kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The command line. What it says of `${…}` is the shell's.
    pub command: String,
    /// Thresholds on the number it prints.
    pub thresholds: Thresholds,
    /// Whether exit codes 0 to 3 and the text mean what they mean to the monitoring plugins.
    pub nagios: bool,
}

/// Bytes of each output stream that are kept.
const OUTPUT: u64 = 256 * 1024;

impl Settings {
    /// Looks once; the whole process group is killed when `limit` has passed.
    pub async fn probe(&self, limit: Duration, cx: &ProbeCx) -> Seen {
        match shell(&self.command, &cx.dir, limit, OUTPUT, &cx.clock).await {
            Ok(finished) if self.nagios => plugin(&finished),
            Ok(finished) => self.judge(&finished),
            Err(error) if error.kind == Kind::TimedOut => Seen::timed_out(limit),
            Err(error) => Seen::of_error(&error),
        }
    }

    fn judge(&self, finished: &Finished) -> Seen {
        if let Some(missing) = not_started(finished) {
            return missing;
        }
        let printed = first_line(&finished.stdout);
        if finished.code != Some(0) {
            let code = ended(finished);
            let said = first_line(&finished.stderr);
            let said = if said.is_empty() { &printed } else { &said };
            return Seen::bad(WhyClass::Rejected, &code, &format!("{code}: {said}"));
        }
        if !self.thresholds.any() {
            return match printed.parse::<f64>().ok().filter(|n| n.is_finite()) {
                Some(value) => Seen::good(&printed).with_value(value, ""),
                None => Seen::good(&fit(&printed, 24)),
            };
        }
        match printed.parse::<f64>() {
            Ok(value) if value.is_finite() => {
                Seen::new(self.thresholds.judge(value, ""), &printed).with_value(value, "")
            }
            // Infinite, or not a number at all by its own word: there is nothing to judge.
            Ok(_) => Seen::unknown(Reason::NoData, &printed),
            Err(_) => {
                let said = first_line(&finished.stderr);
                let text = format!("printed {printed:?}, not a number; {said}");
                Seen::bad(WhyClass::Content, "no number", text.trim_end_matches("; "))
            }
        }
    }
}

/// The monitoring plugins' contract: 0 fine, 1 warning, 2 critical, 3 unknown, text before `|`.
fn plugin(finished: &Finished) -> Seen {
    if let Some(missing) = not_started(finished) {
        return missing;
    }
    let line = first_line(&finished.stdout);
    let (text, numbers) = line.split_once('|').unwrap_or((&line, ""));
    let text = text.trim();
    let note = fit(text, 40);
    let seen = match finished.code {
        Some(0) => Seen::good(&note),
        Some(1) => Seen::new(warn(WhyClass::Rejected, text), &note),
        Some(2) => Seen::new(bad(WhyClass::Rejected, text), &note),
        Some(3) => Seen::unknown(Reason::NoData, text),
        _ => {
            let text = format!("{}, which is no plugin's code: {text}", ended(finished));
            Seen::unknown(Reason::BadConfig, &text)
        }
    };
    match first_value(numbers) {
        Some(value) => seen.with_value(value, ""),
        None => seen,
    }
}

/// The first value of `label=12.5ms;warn;crit`.
fn first_value(numbers: &str) -> Option<f64> {
    let value = numbers.trim().split_once('=')?.1;
    let end = value
        .find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '-' | '+'))
        .unwrap_or(value.len());
    value.get(..end)?.parse().ok()
}

/// The shell could not start what the line names, at its end or inside a pipe.
fn not_started(finished: &Finished) -> Option<Seen> {
    let said = first_line(&finished.stderr);
    match finished.code {
        Some(127) => Some(Seen::unknown(Reason::NoTool, &said)),
        Some(126) => Some(Seen::unknown(Reason::NoPermission, &said)),
        _ if finished.stdout.is_empty() && said.ends_with(": not found") => {
            Some(Seen::unknown(Reason::NoTool, &said))
        }
        _ => None,
    }
}

fn ended(finished: &Finished) -> String {
    match finished.code {
        Some(code) => format!("exit {code}"),
        None => "killed by a signal".to_owned(),
    }
}

/// The first line with something in it, safe for a screen.
fn first_line(output: &[u8]) -> String {
    let line = output
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    fit(SafeText::from_bytes(line).as_str(), 200)
}

#[cfg(test)]
mod tests;
