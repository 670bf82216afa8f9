//! Times as people type them: spans, moments, and windows of the calendar.

use std::time::Duration;

use chrono::{Datelike as _, NaiveTime, Weekday};

use super::ids::Time;

/// `30s`, `2m`, `1h`, `500ms`, `7d`; a bare number is seconds.
pub fn span(text: &str) -> Option<Duration> {
    let text = text.trim();
    let end = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return None,
    };
    let number: f64 = number.trim().parse().ok()?;
    Duration::try_from_secs_f64(number * unit).ok()
}

/// When a span that begins now ends; nothing when the text is no span, or ends after all calendars.
pub fn after(text: &str, now: Time) -> Option<Time> {
    now.checked_add_signed(chrono::Duration::from_std(span(text)?).ok()?)
}

/// A moment in the past or the future: `-14m` before now, `+30m` after it, `23:54` or `23:54:10`
/// the last time it was that late in UTC, or RFC 3339.
pub fn moment(text: &str, now: Time) -> Option<Time> {
    let text = text.trim();
    if let Some(back) = text.strip_prefix('-') {
        return now.checked_sub_signed(chrono::Duration::from_std(span(back)?).ok()?);
    }
    if let Some(ahead) = text.strip_prefix('+') {
        return now.checked_add_signed(chrono::Duration::from_std(span(ahead)?).ok()?);
    }
    if let Ok(at) = chrono::DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    let clock = text.trim_end_matches(['Z', 'z']);
    let clock = NaiveTime::parse_from_str(clock, "%H:%M:%S")
        .or_else(|_| NaiveTime::parse_from_str(clock, "%H:%M"))
        .ok()?;
    let today = now.date_naive().and_time(clock).and_utc();
    Some(if today > now { today - chrono::Duration::days(1) } else { today })
}

/// A maintenance window that comes again: configured, so that nobody has to type a mute.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Its name, as the mute that it becomes is called.
    pub name: String,
    /// The services it covers; none means all.
    pub services: Vec<String>,
    /// Why.
    pub reason: String,
    /// The days on which it begins; none means every day.
    pub days: Vec<Weekday>,
    /// When it begins.
    pub start: NaiveTime,
    /// How long it lasts.
    pub duration: Duration,
    /// How far local time is ahead of UTC, in seconds.
    pub ahead: i32,
}

impl Window {
    /// When the window that is open at `now` ends; nothing while none is.
    pub fn open_until(&self, now: Time) -> Option<Time> {
        let duration = chrono::Duration::from_std(self.duration).ok()?;
        let ahead = chrono::Duration::seconds(self.ahead.into());
        let local = now.checked_add_signed(ahead)?;
        // A window that began yesterday may still be open.
        (0..=duration.num_days() + 1).find_map(|back| {
            let day = local.date_naive() - chrono::Duration::days(back);
            if !self.days.is_empty() && !self.days.contains(&day.weekday()) {
                return None;
            }
            let began = day.and_time(self.start).and_utc() - ahead;
            let ends = began + duration;
            (began <= now && now < ends).then_some(ends)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        chrono::DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    #[test]
    fn a_moment_is_typed_as_people_say_it() {
        let now = at("2026-11-22T00:08:00Z");
        assert_eq!(moment("-14m", now), Some(at("2026-11-21T23:54:00Z")));
        assert_eq!(moment("23:54", now), Some(at("2026-11-21T23:54:00Z")), "yesterday evening");
        assert_eq!(moment("00:07:30Z", now), Some(at("2026-11-22T00:07:30Z")));
        assert_eq!(moment("2026-11-22T01:54:00+02:00", now), Some(at("2026-11-21T23:54:00Z")));
        assert_eq!(moment("+30m", now), Some(at("2026-11-22T00:38:00Z")));
        for wrong in ["", "14", "25:00", "soon", "-", "-99999999999999d"] {
            assert_eq!(moment(wrong, now), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_window_past_midnight_is_open_on_the_day_it_began() {
        let window = Window {
            name: "nightly".into(),
            services: Vec::new(),
            reason: "backup".into(),
            days: vec![Weekday::Sat],
            start: NaiveTime::from_hms_opt(23, 30, 0).unwrap(),
            duration: Duration::from_hours(2),
            ahead: 3600,
        };
        // Saturday 23:30 at +01:00 is 22:30 UTC.
        assert_eq!(window.open_until(at("2026-11-21T22:29:59Z")), None);
        assert_eq!(window.open_until(at("2026-11-21T23:10:00Z")), Some(at("2026-11-22T00:30:00Z")));
        assert_eq!(window.open_until(at("2026-11-22T00:30:00Z")), None);
        assert_eq!(window.open_until(at("2026-11-22T23:10:00Z")), None, "that is a Monday there");
    }
}
