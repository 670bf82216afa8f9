//! How bad a line says it is.

/// How bad a log line says it is; a line that does not say is `Info`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogSeverity {
    /// For those who wrote the program.
    Debug,
    /// As usual.
    #[default]
    Info,
    /// Not as usual.
    Warn,
    /// Failed.
    Error,
}

/// How far into a line a level is looked for.
const HEAD: usize = 200;
/// How far into a JSON line its level is looked for.
const JSON_HEAD: usize = 8 * 1024;

impl LogSeverity {
    /// The letter shown before the line.
    pub fn letter(self) -> char {
        match self {
            Self::Debug => 'D',
            Self::Info => 'I',
            Self::Warn => 'W',
            Self::Error => 'E',
        }
    }

    /// Its place in counts.
    pub(super) fn place(self) -> usize {
        match self {
            Self::Debug => 0,
            Self::Info => 1,
            Self::Warn => 2,
            Self::Error => 3,
        }
    }

    /// Reads it from a line: JSON and logfmt levels, syslog's `<3>`, klog's `E1122`, a lone
    /// letter, `[error]`, `ERROR`, `error:`, a 5xx in an access log, a traceback.
    pub fn of(line: &[u8]) -> Self {
        let head = line.get(..HEAD).unwrap_or(line);
        let trimmed = head.trim_ascii_start();
        if trimmed.first() == Some(&b'{') {
            let json = line.get(..JSON_HEAD).unwrap_or(line);
            return json_level(json).unwrap_or_default();
        }
        syslog(trimmed)
            .or_else(|| klog(trimmed))
            .or_else(|| words(head))
            .or_else(|| access_log(line.get(..1024).unwrap_or(line)))
            .unwrap_or_default()
    }

    fn word(word: &[u8]) -> Option<Self> {
        const NAMES: [(&[u8], LogSeverity); 19] = [
            (b"error", LogSeverity::Error),
            (b"info", LogSeverity::Info),
            (b"warn", LogSeverity::Warn),
            (b"warning", LogSeverity::Warn),
            (b"debug", LogSeverity::Debug),
            (b"trace", LogSeverity::Debug),
            (b"err", LogSeverity::Error),
            (b"fatal", LogSeverity::Error),
            (b"panic", LogSeverity::Error),
            (b"crit", LogSeverity::Error),
            (b"critical", LogSeverity::Error),
            (b"alert", LogSeverity::Error),
            (b"emerg", LogSeverity::Error),
            (b"severe", LogSeverity::Error),
            (b"traceback", LogSeverity::Error),
            (b"notice", LogSeverity::Info),
            (b"log", LogSeverity::Info),
            (b"verbose", LogSeverity::Debug),
            (b"fine", LogSeverity::Debug),
        ];
        if !(3..=9).contains(&word.len()) {
            return None;
        }
        // Most words begin like none of them.
        if !b"eiwdtfpcasnlv".contains(&word.first()?.to_ascii_lowercase()) {
            return None;
        }
        let found = NAMES.iter().find(|(name, _)| word.eq_ignore_ascii_case(name));
        found.map(|(_, severity)| *severity)
    }

    fn letter_of(byte: u8) -> Option<Self> {
        match byte {
            b'E' | b'F' => Some(Self::Error),
            b'W' => Some(Self::Warn),
            b'I' => Some(Self::Info),
            b'D' => Some(Self::Debug),
            _ => None,
        }
    }
}

fn json_level(line: &[u8]) -> Option<LogSeverity> {
    for key in [&b"\"level\""[..], b"\"severity\"", b"\"lvl\"", b"\"levelname\""] {
        let Some(at) = memchr::memmem::find(line, key) else {
            continue;
        };
        let rest = line.get(at + key.len()..)?.trim_ascii_start();
        let value = rest.strip_prefix(b":")?.trim_ascii_start();
        if let Some(text) = value.strip_prefix(b"\"") {
            let end = memchr::memchr(b'"', text)?;
            return LogSeverity::word(text.get(..end)?);
        }
        // Numbers as bunyan and pino write them.
        let digits: Vec<u8> = value.iter().copied().take_while(u8::is_ascii_digit).collect();
        let number: u32 = std::str::from_utf8(&digits).ok()?.parse().ok()?;
        return Some(match number {
            50.. => LogSeverity::Error,
            40..50 => LogSeverity::Warn,
            30..40 => LogSeverity::Info,
            0..30 => LogSeverity::Debug,
        });
    }
    None
}

fn syslog(head: &[u8]) -> Option<LogSeverity> {
    let rest = head.strip_prefix(b"<")?;
    let end = memchr::memchr(b'>', rest).filter(|end| (1..=3).contains(end))?;
    let number: u16 = std::str::from_utf8(rest.get(..end)?).ok()?.parse().ok()?;
    Some(match number & 7 {
        0..=3 => LogSeverity::Error,
        4 => LogSeverity::Warn,
        7 => LogSeverity::Debug,
        _ => LogSeverity::Info,
    })
}

fn klog(head: &[u8]) -> Option<LogSeverity> {
    match head {
        [letter, a, b, c, d, b' ', ..] if [a, b, c, d].iter().all(|byte| byte.is_ascii_digit()) => {
            LogSeverity::letter_of(*letter)
        }
        _ => None,
    }
}

fn words(head: &[u8]) -> Option<LogSeverity> {
    let mut tokens = 0;
    let mut at = 0;
    while at < head.len() {
        let rest = head.get(at..)?;
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if length == 0 {
            tokens += usize::from(rest.first() == Some(&b' '));
            at += 1;
            continue;
        }
        let word = rest.get(..length)?;
        let before = at.checked_sub(1).and_then(|at| head.get(at)).copied();
        let after = rest.get(length).copied();
        if let [letter] = word {
            let lone =
                matches!(before, None | Some(b' ' | b'[')) && matches!(after, Some(b' ' | b']'));
            if lone
                && tokens < 4
                && let Some(found) = LogSeverity::letter_of(*letter)
            {
                return Some(found);
            }
        } else if let Some(found) = LogSeverity::word(word)
            && is_level(word, before, after)
        {
            return Some(found);
        }
        at += length;
    }
    None
}

/// A level stands out: capitals, brackets, `level=`, or a colon after it. In a sentence it is
/// only a word.
fn is_level(word: &[u8], before: Option<u8>, after: Option<u8>) -> bool {
    let part = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_digit() || byte == b'_');
    if part(before) || part(after) {
        return false;
    }
    let capitals = word.iter().all(u8::is_ascii_uppercase) && !word.eq_ignore_ascii_case(b"log");
    let marked = matches!(before, Some(b'[' | b'=' | b'<' | b'|' | b'"' | b'('))
        && matches!(after, None | Some(b']' | b' ' | b'>' | b'|' | b'"' | b')' | b','));
    let said = matches!(before, None | Some(b' ')) && after == Some(b':');
    let traceback = word == b"Traceback" && before.is_none();
    capitals || marked || said || traceback
}

fn access_log(line: &[u8]) -> Option<LogSeverity> {
    let at = memchr::memmem::find(line, b"\" ")?;
    match line.get(at + 2..at + 6)? {
        [b'5', a, b, b' '] if a.is_ascii_digit() && b.is_ascii_digit() => Some(LogSeverity::Error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_as_programs_write_them() {
        for (letter, lines) in [
            (
                'E',
                &[
                    "E upstream connect refused db:5432",
                    "2025-11-22 23:58:04 E request failed",
                    "E1122 23:58:04.1 1 main.go:3] no route",
                    "2025/11/22 23:58:04 [error] 31#31: *1 connect() failed",
                    "2025-11-22T23:58:04Z ERROR api: boom",
                    "time=x level=error msg=\"no\"",
                    "{\"ts\":1,\"msg\":\"error free\",\"level\":\"error\"}",
                    "{\"level\":50,\"msg\":\"x\"}",
                    "<11>app: it broke",
                    "FATAL:  password authentication failed",
                    "panic: runtime error",
                    "Traceback (most recent call last):",
                    "1.2.3.4 - - [x] \"GET / HTTP/1.1\" 503 12",
                    "[2025] CRITICAL something",
                ][..],
            ),
            (
                'W',
                &[
                    "W slow",
                    "2025-11-22 WARN retrying",
                    "warning: deprecated",
                    "{\"severity\": \"WARNING\"}",
                    "<12>app: hm",
                ][..],
            ),
            (
                'I',
                &[
                    "plain words without a level",
                    "no error found in 12 rows",
                    "INFO fine",
                    "I received SIGTERM",
                    "LOG:  checkpoint complete",
                    "an_error_count=0",
                    "ERROR2 is a name",
                    "1.2.3.4 - - [x] \"GET / HTTP/1.1\" 200 512",
                    "",
                    "{\"msg\":\"no level, ERROR inside\"}",
                ][..],
            ),
            ('D', &["DEBUG x", "D tick", "{\"level\":\"debug\"}", "<7>app: x"][..]),
        ] {
            for line in lines {
                assert_eq!(LogSeverity::of(line.as_bytes()).letter(), letter, "{line}");
            }
        }
    }
}
