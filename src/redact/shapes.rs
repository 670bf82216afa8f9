//! What secrets look like: where in a line one stands.

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::rules::Rule;

/// A part of a line that is to go.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) range: Range<usize>,
    pub(super) rule: Rule,
}

/// A pattern that is wrong is found by the tests, which use every one of them.
fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

/// A key that tells, with what programs put around it.
const KEY: &str = r"(?i-u)([a-z0-9_.$-]*(?:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|auth[_-]?key|signing[_-]?key|encryption[_-]?key|account[_-]?key|credential|dsn)[a-z0-9_.-]*)";

static PAIR: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let value =
        r#"(?:\\*"((?:[^"\\]|\\.)+)|\\*'((?:[^'\\]|'\\''|\\.)+)|((?:[^\s,;&"'\\)\]}<>]|\\.)+))"#;
    pattern(&format!(r#"{KEY}(?:\\*["'])?\s*(?:=>|:=|[:=])\s*{value}"#))
});
/// A whole line of YAML: its value may hold spaces.
static YAML: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(&format!(r#"^\s*(?:-\s+)?{KEY}:\s+([^\s"'{{\[|>&*!].*?)\s*$"#)));
static OPTION: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(&format!(r#"\s--?{KEY}[\s=]+(?:"([^"]+)"|'([^']+)'|([^\s"']+))"#)));
static HEADER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"(?i-u)\b(?:proxy-)?(?:authorization|(?:set-)?cookie2?)(?:\\*["'])?\s*[:=,]\s*(?:\\*["'])?(?:(?:basic|bearer|digest|negotiate|token)\s+)?((?:[^"'\\\r\n]|\\.)+)"#,
    )
});
static BEARER: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?i-u)\bbearer\s+([a-z0-9._~+/=%-]{6,})"));
static TOKENS: LazyLock<Vec<(Rule, Option<Regex>)>> = LazyLock::new(|| {
    vec![
        (Rule::Aws, pattern(r"(?-u)\b((?:AKIA|ASIA)[A-Z0-9]{16})")),
        (
            Rule::GitHub,
            pattern(
                r"(?-u)((?:gh[opsur]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|glpat-[A-Za-z0-9_-]{16,}))",
            ),
        ),
        (
            Rule::Slack,
            pattern(
                r"(?-u)(xox[abeoprs]-[A-Za-z0-9-]{8,}|hooks\.slack\.com/[a-z]+/[A-Za-z0-9/_-]{8,})",
            ),
        ),
        (
            Rule::Jwt,
            pattern(r"(?-u)(eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)*)"),
        ),
    ]
});

/// Pairs with a telling key, also as options of a command.
pub(super) fn pairs(line: &[u8], parts: &mut Vec<Part>) {
    for pattern in [&YAML, &PAIR, &OPTION].into_iter().filter_map(|lazy| lazy.as_ref()) {
        for found in pattern.captures_iter(line) {
            let Some(key) = found.get(1) else { continue };
            let value = (2..found.len()).find_map(|group| found.get(group));
            // A number of JSON: a secret is a text there.
            let quoted = line.get(key.end()).is_some_and(|next| b"\"\\".contains(next));
            let number = |value: &regex::bytes::Match<'_>| {
                quoted
                    && line.get(value.start() - 1).is_none_or(|before| *before != b'"')
                    && value.as_bytes().iter().all(u8::is_ascii_digit)
            };
            let value = value.filter(|value| !number(value));
            let Some(value) = value.filter(|value| !harmless(key.as_bytes(), value.as_bytes()))
            else {
                continue;
            };
            parts.push(Part { range: value.range(), rule: rule_of(key.as_bytes()) });
        }
    }
}

/// Headers that authenticate.
pub(super) fn headers(line: &[u8], parts: &mut Vec<Part>) {
    for pattern in [&HEADER, &BEARER].into_iter().filter_map(|lazy| lazy.as_ref()) {
        for found in pattern.captures_iter(line) {
            if let Some(value) = found.get(1).filter(|value| !replaced(value.as_bytes())) {
                parts.push(Part { range: value.range(), rule: Rule::Header });
            }
        }
    }
}

/// Tokens that tell what they are by themselves.
pub(super) fn tokens(line: &[u8], parts: &mut Vec<Part>) {
    for (rule, pattern) in TOKENS.iter() {
        for found in pattern.iter().flat_map(|pattern| pattern.find_iter(line)) {
            parts.push(Part { range: found.range(), rule: *rule });
        }
    }
}

/// The password of a URL, or its user where that is all and long.
pub(super) fn urls(line: &[u8], parts: &mut Vec<Part>) {
    for scheme in memchr::memmem::find_iter(line, b"://") {
        let from = scheme + 3;
        let rest = line.get(from..).unwrap_or_default();
        let end =
            rest.iter().position(|byte| byte.is_ascii_whitespace() || b"\"'<>`".contains(byte));
        let word = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        // Two addresses in one word: the second has a turn of its own.
        let word = memchr::memmem::find(word, b"://")
            .map_or(word, |next| word.get(..next).unwrap_or(word));
        // The last @: a password may hold one itself, and hiding too much is the safe mistake.
        let Some(at) = memchr::memrchr(b'@', word) else { continue };
        let user = word.get(..at).unwrap_or_default();
        match memchr::memchr(b':', user) {
            Some(colon) => {
                let after = user.get(colon + 1..).unwrap_or_default();
                if !after.is_empty() && !is_port(after) && !replaced(after) {
                    parts.push(Part { range: from + colon + 1..from + at, rule: Rule::Url });
                }
            }
            None if user.len() >= 20 && !user.contains(&b'/') && !replaced(user) => {
                parts.push(Part { range: from..from + at, rule: Rule::Url });
            }
            None => {}
        }
    }
}

/// `8080/path?to=a@b`: what follows the colon is a port, and the @ belongs to the path.
fn is_port(after: &[u8]) -> bool {
    let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (1..=5).contains(&digits) && after.get(digits).is_some_and(|next| b"/?#".contains(next))
}

/// Whether something of ours or a mask stands there already.
fn replaced(value: &[u8]) -> bool {
    value.starts_with(super::book::OPEN.as_bytes()) || value.iter().all(|byte| *byte == b'*')
}

/// Keys that only sound like a secret, and values that are none.
fn harmless(key: &[u8], value: &[u8]) -> bool {
    const ENDS: [&[u8]; 19] = [
        b"_file",
        b"_path",
        b"_name",
        b"_type",
        b"_count",
        b"_ttl",
        b"_seconds",
        b"_length",
        b"_age",
        b"_at",
        b"_in",
        b"_url",
        b"_uri",
        b"_limit",
        b"_expires",
        b"tokens",
        b"_min",
        b"_max",
        b"_policy",
    ];
    let key = key.to_ascii_lowercase();
    let value_low = value.to_ascii_lowercase();
    let nothing = matches!(
        value_low.as_slice(),
        b"true"
            | b"false"
            | b"null"
            | b"none"
            | b"nil"
            | b"yes"
            | b"no"
            | b"unset"
            | b"redacted"
            | b""
    );
    // A reference to a variable is none either; what it stands for is.
    let reference = value.starts_with(b"${") || value.starts_with(b"{file:");
    nothing || reference || replaced(value) || ENDS.iter().any(|end| key.ends_with(end))
}

fn rule_of(key: &[u8]) -> Rule {
    let key = key.to_ascii_lowercase();
    let has = |word: &[u8]| memchr::memmem::find(&key, word).is_some();
    if has(b"pass") || has(b"pwd") {
        Rule::Password
    } else if has(b"token") {
        Rule::Token
    } else if has(b"dsn") {
        Rule::Dsn
    } else if has(b"key") {
        Rule::Key
    } else {
        Rule::Secret
    }
}
