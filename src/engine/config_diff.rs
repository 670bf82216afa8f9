//! What differs between two states of a configuration, line by line, with secrets masked (S-22,
//! S-61, S-62).

use crate::adapters::secret::Secret;
use crate::text::{SafeText, fit};

/// Lines around a change that are shown with it.
const AROUND: usize = 2;
/// The most lines that differ in one file and are still shown.
const MOST: usize = 400;
/// How long a line is where it is shown.
const WIDTH: usize = 160;
/// Parts of names whose values are nobody's business.
const TELLING: [&str; 17] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "_key",
    "-key",
    "private",
    "credential",
    "auth",
    "signature",
    "cookie",
    "salt",
    "dsn",
];

/// A line as it is compared and as it is shown.
struct Line<'a> {
    raw: &'a str,
    shown: String,
}

/// One state of a file.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// Which state it is: `now`, `at the point`.
    pub called: &'a str,
    /// All of it.
    pub text: &'a str,
}

/// The unified difference from one state of the file `name` to another, empty where they are the
/// same. Values of telling names and passwords of addresses are `***`.
pub fn diff(name: &str, from: Side<'_>, to: Side<'_>) -> Vec<SafeText> {
    compared(name, from, to, false)
}

/// The same with no value at all, only which names changed: for a file like `.env`.
pub fn diff_of_names(name: &str, from: Side<'_>, to: Side<'_>) -> Vec<SafeText> {
    compared(name, from, to, true)
}

fn compared(name: &str, from: Side<'_>, to: Side<'_>, all_secret: bool) -> Vec<SafeText> {
    if from.text == to.text {
        return Vec::new();
    }
    let (now, then) = (masked(from.text, all_secret), masked(to.text, all_secret));
    let same = |(a, b): &(&Line<'_>, &Line<'_>)| a.raw == b.raw;
    let head = now.iter().zip(&then).take_while(same).count();
    let left = now.len().min(then.len()) - head;
    let tail = now.iter().rev().zip(then.iter().rev()).take(left).take_while(same).count();
    let old = now.get(head..now.len() - tail).unwrap_or_default();
    let new = then.get(head..then.len() - tail).unwrap_or_default();
    let mut all =
        vec![format!("--- {name} ({})", from.called), format!("+++ {name} ({})", to.called)];
    if old.len().max(new.len()) > MOST {
        all.push(format!("  {} lines become {}: too many to show", old.len(), new.len()));
    } else {
        let before = now.get(head.saturating_sub(AROUND)..head).unwrap_or_default();
        all.push(format!("@@ line {} @@", head.saturating_sub(AROUND) + 1));
        all.extend(before.iter().map(|line| format!(" {}", line.shown)));
        all.extend(middle(old, new));
        let after = now.get(now.len() - tail..).unwrap_or_default();
        all.extend(after.iter().take(AROUND).map(|line| format!(" {}", line.shown)));
    }
    all.iter().map(|line| SafeText::new(&fit(line, WIDTH))).collect()
}

/// The lines of both in order, by their longest common row.
fn middle(old: &[Line<'_>], new: &[Line<'_>]) -> Vec<String> {
    let wide = new.len() + 1;
    let mut best = vec![0_u32; (old.len() + 1) * wide];
    let at = |best: &[u32], i: usize, j: usize| best.get(i * wide + j).copied().unwrap_or(0);
    for (i, a) in old.iter().enumerate().rev() {
        for (j, b) in new.iter().enumerate().rev() {
            let value = if a.raw == b.raw {
                at(&best, i + 1, j + 1) + 1
            } else {
                at(&best, i + 1, j).max(at(&best, i, j + 1))
            };
            if let Some(cell) = best.get_mut(i * wide + j) {
                *cell = value;
            }
        }
    }
    let (mut i, mut j, mut all) = (0, 0, Vec::new());
    loop {
        match (old.get(i), new.get(j)) {
            (Some(a), Some(b)) if a.raw == b.raw => {
                all.push(format!(" {}", a.shown));
                (i, j) = (i + 1, j + 1);
            }
            (Some(a), b) if b.is_none() || at(&best, i + 1, j) >= at(&best, i, j + 1) => {
                all.push(format!("-{}", a.shown));
                i += 1;
            }
            (_, Some(b)) => {
                all.push(format!("+{}", b.shown));
                j += 1;
            }
            (_, None) => return all,
        }
    }
}

/// Every line with what may be read of it. What hangs below a telling name is masked with it; with
/// `all_secret` only names are left.
fn masked(text: &str, all_secret: bool) -> Vec<Line<'_>> {
    let mut all = Vec::new();
    let mut below: Option<usize> = None;
    let mut in_key = false;
    for raw in text.lines() {
        let indent = raw.len() - raw.trim_start().len();
        if below.is_some_and(|at| indent <= at && !raw.trim().is_empty()) {
            below = None;
        }
        let begins = raw.contains("-----BEGIN") && raw.contains("PRIVATE KEY");
        let hidden = below.is_some() || in_key;
        in_key = (in_key || begins) && !raw.contains("-----END");
        let shown = if hidden || begins {
            format!("{}***", raw.get(..indent).unwrap_or_default())
        } else {
            match telling(raw, all_secret) {
                Some((head, value)) if value.is_empty() || value.starts_with(['|', '>']) => {
                    below = Some(indent);
                    head
                }
                Some((head, _)) => format!("{head} ***"),
                None => Secret::plain(raw).shown().to_owned(),
            }
        };
        all.push(Line { raw, shown });
    }
    all
}

/// The name with its mark, and the value, where the name is a telling one.
fn telling(line: &str, all_secret: bool) -> Option<(String, &str)> {
    let mark = line.find(['=', ':'])?;
    let (name, rest) = line.split_at_checked(mark)?;
    let plain = name.to_lowercase();
    let telling = all_secret
        || TELLING.iter().any(|part| plain.contains(part))
        || plain.trim_end().ends_with("key");
    let value = rest.get(1..).unwrap_or_default().trim();
    let head = format!("{name}{}", rest.get(..1).unwrap_or_default());
    telling.then_some((head, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sides<'a>(now: &'a str, then: &'a str) -> (Side<'a>, Side<'a>) {
        (Side { called: "now", text: now }, Side { called: "at the point", text: then })
    }

    fn shown(now: &str, then: &str) -> Vec<String> {
        let (now, then) = sides(now, then);
        diff("f", now, then).iter().skip(2).map(ToString::to_string).collect()
    }

    #[test]
    fn only_what_changes_is_shown_with_the_lines_around_it() {
        let now = "a\nb\nc\nport: 1\nextra: x\nd\ne\nf\n";
        let then = "a\nb\nc\nport: 2\nd\ne\nf\n";
        assert_eq!(
            shown(now, then),
            ["@@ line 2 @@", " b", " c", "-port: 1", "-extra: x", "+port: 2", " d", " e"]
        );
        assert_eq!(shown(now, now), [""; 0]);
    }

    #[test]
    fn no_secret_is_shown_whatever_the_file_looks_like() {
        let secret = "hunter2-4711";
        let now = format!(
            "PORT=1\nAPI_TOKEN={secret}\nexport DB_PASSWORD=\"{secret}\"\nSigningKey: {secret}\n\
             DATABASE_URL=postgres://app:{secret}@db/app\n  client_secret: |\n    {secret}\n    {secret}\n\
             \"auth\": \"{secret}\"\n-----BEGIN RSA PRIVATE KEY-----\n{secret}\n-----END RSA PRIVATE KEY-----\n"
        );
        let lines = shown(&now, "PORT=2\n").join("\n");
        assert!(!lines.contains(secret), "{lines}");
        assert!(lines.contains("-PORT=1") && lines.contains("+PORT=2"), "{lines}");
        assert!(lines.contains("-API_TOKEN= ***"), "{lines}");
        let changed = shown("TOKEN=a\n", "TOKEN=b\n");
        assert_eq!(changed, ["@@ line 1 @@", "-TOKEN= ***", "+TOKEN= ***"]);
    }

    #[test]
    fn of_an_env_file_only_names_are_shown() {
        let (now, then) = sides("PORT=1\n", "PORT=2\nNEW=x\n");
        let lines = diff_of_names(".env", now, then);
        let lines: Vec<String> = lines.iter().skip(3).map(ToString::to_string).collect();
        assert_eq!(lines, ["-PORT= ***", "+PORT= ***", "+NEW= ***"]);
    }

    #[test]
    fn a_file_that_differs_too_much_is_counted_and_not_compared() {
        let long = (0..1000).map(|at| format!("line {at}\n")).collect::<Vec<_>>().concat();
        let lines = shown(&long, "x\n");
        assert_eq!(lines, ["  1000 lines become 1: too many to show"]);
    }
}
