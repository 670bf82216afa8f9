//! What a log line says before it says something: its time and its level.

/// The most words of a head that are looked at.
const HEAD_WORDS: usize = 3;
/// How far into a line its time is looked for, in bytes.
const HEAD: usize = 160;

/// The line without the time and the level it begins with. Two lines that differ in nothing else
/// are equal to a reader.
pub fn said(line: &[u8]) -> &[u8] {
    let mut rest = line.trim_ascii_start();
    for _ in 0..HEAD_WORDS {
        let Some(end) = memchr::memchr(b' ', rest.get(..64).unwrap_or(rest)) else { break };
        let (word, tail) = rest.split_at(end);
        let tail = tail.trim_ascii_start();
        if tail.is_empty() || !(is_time(word) || is_level(word)) {
            break;
        }
        rest = tail;
    }
    rest
}

fn bare<'a>(word: &'a [u8], around: &[u8]) -> &'a [u8] {
    let mut word = word;
    while let [first, rest @ ..] = word {
        if !around.contains(first) {
            break;
        }
        word = rest;
    }
    while let [rest @ .., last] = word {
        if !around.contains(last) {
            break;
        }
        word = rest;
    }
    word
}

fn is_time(word: &[u8]) -> bool {
    let word = bare(word, b"[]");
    let mut digits = 0;
    let mut parted = false;
    for byte in word {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'-' | b':' => parted = true,
            b'.' | b',' | b'T' | b'Z' | b'+' => {}
            _ => return false,
        }
    }
    digits >= 6 && parted
}

fn is_level(word: &[u8]) -> bool {
    const NAMES: [&[u8]; 7] =
        [b"DEBUG", b"INFO", b"WARN", b"WARNING", b"ERROR", b"FATAL", b"TRACE"];
    NAMES.contains(&bare(word, b"[]:"))
}

/// The time a line gives itself, in Unix ms; one without a zone is taken as UTC, one without a
/// year as of `year`. Read are ISO 8601 and its relatives at the head or as the first quoted value
/// of JSON or logfmt, access logs and syslog.
pub fn moment(line: &[u8], year: i32) -> Option<i64> {
    let head = line.get(..HEAD).unwrap_or(line);
    let start = match head.first()? {
        b'{' => memchr::memmem::find(head, b"\"2")? + 1,
        b'[' => 1,
        b't' if head.starts_with(b"time=") || head.starts_with(b"ts=") => {
            memchr::memchr(b'2', head)?
        }
        b'<' => memchr::memchr(b'>', head)? + 1,
        _ => 0,
    };
    let text = head.get(start..)?;
    iso(text).or_else(|| syslog(text, year)).or_else(|| {
        let at = memchr::memchr(b'[', head)?;
        access(head.get(at + 1..)?)
    })
}

fn number(text: &[u8], from: usize, digits: usize) -> Option<i64> {
    let mut value = 0;
    for byte in text.get(from..from + digits)? {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(byte - b'0');
    }
    Some(value)
}

/// `2026-11-22T23:58:04.123+01:00`, `2026/11/22 23:58:04`.
fn iso(text: &[u8]) -> Option<i64> {
    let (year, month, day) = (number(text, 0, 4)?, number(text, 5, 2)?, number(text, 8, 2)?);
    if !matches!(text.get(4)?, b'-' | b'/') || !matches!(text.get(10)?, b'T' | b' ' | b'_') {
        return None;
    }
    let (seconds, rest) = hour(text, 11)?;
    Some(days(year, month, day)? * 86_400_000 + seconds + fraction_and_zone(text, rest))
}

/// `22/Nov/2026:23:58:04 +0000`.
fn access(text: &[u8]) -> Option<i64> {
    let (day, year) = (number(text, 0, 2)?, number(text, 7, 4)?);
    let month = month(text.get(3..6)?)?;
    let (seconds, rest) = hour(text, 12)?;
    Some(days(year, month, day)? * 86_400_000 + seconds + fraction_and_zone(text, rest + 1))
}

/// `Nov 22 23:58:04`, `Nov  2 23:58:04`.
fn syslog(text: &[u8], year: i32) -> Option<i64> {
    let month = month(text.get(..3)?)?;
    let day = number(text, 4, 2).or_else(|| number(text, 5, 1))?;
    let (seconds, _) = hour(text, 7)?;
    Some(days(i64::from(year), month, day)? * 86_400_000 + seconds)
}

fn month(name: &[u8]) -> Option<i64> {
    const NAMES: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let at = NAMES.chunks(3).position(|known| known == name)?;
    i64::try_from(at + 1).ok()
}

/// `23:58:04` in ms, and where it ends.
fn hour(text: &[u8], at: usize) -> Option<(i64, usize)> {
    let (hours, minutes) = (number(text, at, 2)?, number(text, at + 3, 2)?);
    let seconds = number(text, at + 6, 2)?;
    let parted = text.get(at + 2) == Some(&b':') && text.get(at + 5) == Some(&b':');
    (parted && hours < 24 && minutes < 60 && seconds < 61)
        .then_some(((hours * 60 + minutes) * 60_000 + seconds * 1_000, at + 8))
}

/// The ms of a fraction, less the zone.
fn fraction_and_zone(text: &[u8], from: usize) -> i64 {
    let mut at = from;
    let mut ms = 0;
    if matches!(text.get(at), Some(b'.' | b',')) {
        at += 1;
        let mut unit = 100;
        while let Some(byte @ b'0'..=b'9') = text.get(at) {
            ms += i64::from(byte - b'0') * unit;
            unit /= 10;
            at += 1;
        }
    }
    let sign = match text.get(at) {
        Some(b'+') => -1,
        Some(b'-') => 1,
        _ => return ms,
    };
    let Some(hours) = number(text, at + 1, 2) else { return ms };
    let colon = usize::from(text.get(at + 3) == Some(&b':'));
    let minutes = number(text, at + 3 + colon, 2).unwrap_or(0);
    ms + sign * (hours * 60 + minutes) * 60_000
}

/// Days since 1970-01-01 of the Gregorian calendar (Howard Hinnant's `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(1970..=9999).contains(&year) {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted / 400;
    let of_era = shifted - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_level_are_not_what_a_line_says() {
        let line = b"2026-11-22T03:52:41.632Z INFO request_id=f3 GET /";
        assert_eq!(said(line), b"request_id=f3 GET /");
        assert_eq!(said(b"[error]: no"), b"[error]: no");
        assert_eq!(said(b"2026-11-22 03:52:41 ERROR x"), b"x");
        assert_eq!(said(b"1204 requests"), b"1204 requests");
        assert_eq!(said(b"INFO"), b"INFO");
    }

    #[test]
    fn times_are_read_as_programs_write_them() {
        let noon = 1_795_348_800_000;
        for line in [
            "2026-11-22T12:00:00Z x",
            "2026-11-22 12:00:00 ERROR x",
            "[2026-11-22T13:00:00+01:00] x",
            "2026/11/22 12:00:00 [error] 31#31",
            "{\"level\":\"info\",\"ts\":\"2026-11-22T12:00:00Z\"}",
            "time=\"2026-11-22T12:00:00Z\" level=info",
            "1.2.3.4 - - [22/Nov/2026:13:00:00 +0100] \"GET / HTTP/1.1\" 200 1",
            "Nov 22 12:00:00 host sshd[1]: x",
            "<11>Nov 22 12:00:00 host app: x",
        ] {
            assert_eq!(moment(line.as_bytes(), 2026), Some(noon), "{line}");
        }
        assert_eq!(moment(b"2026-11-22T12:00:00.250Z", 0), Some(noon + 250));
        assert_eq!(moment(b"2026-11-22 12:00:00,250", 0), Some(noon + 250));
        for line in ["", "no time", "2026-13-22T12:00:00Z", "2026-11-22T25:00:00Z", "20261122"] {
            assert_eq!(moment(line.as_bytes(), 2026), None, "{line}");
        }
    }
}
