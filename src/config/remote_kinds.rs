//! The settings of checks that ask a server: Prometheus, DNS, TLS, Redis.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use percent_encoding::percent_decode_str;

use crate::adapters::http::Target;
use crate::adapters::prometheus::Server;
use crate::adapters::redis;
use crate::adapters::secret::Secret;
use crate::adapters::tls::Trust;
use crate::checks::prometheus::{Empty, MaxAge, MinVolume, Reduce, Unit};
use crate::checks::redis::Ask;
use crate::checks::threshold::{Range, Thresholds};
use crate::checks::{dns, prometheus, tls_cert};

use super::file;
use super::kinds::{address, headers, sound, thresholds, thresholds_facing};
use super::take::{Item, Table};

/// Bytes of a file of certificates.
const CERTIFICATES: u64 = 1024 * 1024;

/// `ca_file`: certificates to trust in place of those that browsers trust. What is wrong with it
/// is in the problems.
pub(super) fn trust(table: &mut Table<'_>, secure: bool) -> Option<Trust> {
    let item = table.take("ca_file")?;
    let path = item.path()?;
    if !secure {
        item.wrong_with("is of no use without TLS", "write https:// or rediss://, or remove it");
        return None;
    }
    let contents = match file::read(&path, CERTIFICATES) {
        Ok(contents) => contents,
        Err(problem) => {
            item.wrong(&format!("{}: {}", path.display(), problem.message));
            return None;
        }
    };
    match Trust::of_pem(&contents.bytes) {
        Ok(trust) => Some(trust),
        Err(why) => {
            item.wrong(&format!("{} {why}", path.display()));
            None
        }
    }
}

/// An address, its certificate trusted as `ca_file` says.
pub(super) fn trusted(table: &mut Table<'_>, found: (Secret, Target)) -> (Secret, Target) {
    let (url, target) = found;
    match trust(table, target.is_secure()) {
        Some(trust) => (url, target.trusting(trust)),
        None => (url, target),
    }
}

/// `endpoint_url`, `query`, `unit`, and when the answer can be judged.
pub(super) fn prometheus(table: &mut Table<'_>) -> Option<prometheus::Settings> {
    let found = table.need("endpoint_url").and_then(|item| address(&item));
    let found = found.map(|found| trusted(table, found));
    let headers = headers(table);
    let query = table.need("query").and_then(|item| item.secret());
    let unit = table.need("unit").and_then(|item| item.one_of("a unit", &Unit::ALL));
    let reduce = table.take("reduce");
    let reduce = reduce.and_then(|item| item.one_of("a way to one value", &Reduce::ALL));
    let empty = table.take("empty_is").and_then(|item| {
        let words = [
            ("unknown", Empty::Unknown),
            ("zero", Empty::Zero),
            ("ok", Empty::Good),
            ("fail", Empty::Fail),
        ];
        item.one_of("a meaning of no series", &words)
    });
    let max_age = max_age(table);
    let min_volume = table.table("min_volume").and_then(|mut volume| {
        let query = volume.need("query").and_then(|item| item.secret());
        let at_least = volume.need("at_least").and_then(|item| item.number());
        volume.finish();
        Some(MinVolume { query: query?, at_least: at_least? })
    });
    let thresholds = with_unit(table, unit);
    let (url, target) = found?;
    Some(prometheus::Settings {
        server: Server { url, target, headers },
        query: query?,
        unit: unit?,
        reduce,
        empty: empty.unwrap_or(Empty::Unknown),
        max_age,
        min_volume,
        thresholds,
    })
}

/// `max_age: 2m` and the selector whose newest sample it is about: an expression has no age.
fn max_age(table: &mut Table<'_>) -> Option<MaxAge> {
    let limit = table.span("max_age", Duration::from_secs(1), Duration::from_hours(24));
    let of = table.take("age_of").and_then(|item| item.secret());
    if limit.is_some() != of.is_some() {
        let message = "max_age and age_of belong together";
        let hint = "age_of: the selector whose newest sample counts, such as up{job=\"api\"}";
        table.desk.problem(table.at, &table.path, message, Some(hint.to_owned()));
    }
    Some(MaxAge { of: of?, limit: limit? })
}

/// Thresholds that say their unit: `5 percent`. The same unit as the query's, or a ratio is judged
/// as if it were per cent.
fn with_unit(table: &mut Table<'_>, unit: Option<Unit>) -> Thresholds {
    let below = super::kinds::below(table, false);
    let warning = table.take("threshold_warning");
    let critical = table.take("threshold_critical");
    let range = |item: &Item<'_>| {
        let number = measured(item, unit?)?;
        Some(if below { Range::UpTo(number) } else { Range::From(number) })
    };
    let thresholds = Thresholds {
        warning: warning.as_ref().and_then(range),
        critical: critical.as_ref().and_then(range),
    };
    sound(thresholds, warning.as_ref())
}

/// A number and the unit behind it, which has to be `unit`.
pub(super) fn measured(item: &Item<'_>, unit: Unit) -> Option<f64> {
    let text = item.text()?;
    let end = text
        .find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '-' | '+'))
        .unwrap_or(text.len());
    let (number, word) = text.split_at(end);
    let number: Option<f64> = number.parse().ok().filter(|number: &f64| number.is_finite());
    let Some(number) = number else {
        item.wrong_with(&format!("{text:?} is not a number and a unit"), example(unit));
        return None;
    };
    let word = match word.trim() {
        "%" => "percent",
        "s" => "seconds",
        "/s" => "per_second",
        word => word,
    };
    if word == unit.name() {
        return Some(number);
    }
    let message = if word.is_empty() {
        format!("says no unit; that of the query is {}", unit.name())
    } else {
        format!("is in {word:?}, the query in {}", unit.name())
    };
    item.wrong_with(&message, example(unit));
    None
}

fn example(unit: Unit) -> String {
    format!("write it like \"0.5 {}\"", unit.name())
}

/// `host`, `server`, `expect`.
pub(super) fn dns(table: &mut Table<'_>) -> Option<dns::Settings> {
    let name = table.need("host").and_then(|item| {
        let name = item.text()?;
        let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let label = |label: &str| (1..=63).contains(&label.len());
        let fine = name.len() <= 253
            && name.chars().all(good)
            && name.trim_end_matches('.').split('.').all(label);
        if !fine || name.parse::<IpAddr>().is_ok() {
            item.wrong(&format!("{name:?} is not a name that can be resolved"));
            return None;
        }
        Some(name)
    });
    let server = table.take("server").map(|item| {
        let text = item.text()?;
        let address = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
        let address = address.ok().or_else(|| text.parse().ok());
        if address.is_none() {
            item.wrong_with(
                &format!("{text:?} is not an address"),
                "write it like 10.0.0.53 or 10.0.0.53:5353",
            );
        }
        address
    });
    let mut expect = Vec::new();
    for item in table.take("expect").and_then(|item| item.one_or_list()).unwrap_or_default() {
        let Some(text) = item.text() else { continue };
        match text.parse() {
            Ok(address) => expect.push(address),
            Err(_) => item.wrong(&format!("{text:?} is not an address")),
        }
    }
    let thresholds = thresholds(table);
    let server = match server {
        Some(server) => Some(server?),
        None => None,
    };
    Some(dns::Settings { name: name?, server, expect, thresholds })
}

/// `endpoint_url: https://host`, and how many days have to be left.
pub(super) fn tls_cert(table: &mut Table<'_>) -> Option<tls_cert::Settings> {
    let target = table.need("endpoint_url").and_then(|item| {
        let text = item.text()?;
        let (scheme, place) = text.split_once("://").unwrap_or(("tls", &text));
        if !matches!(scheme, "https" | "tls") {
            let hint = "write it like https://shop.example or tls://db:5432";
            item.wrong_with(&format!("{text:?} is not spoken to with TLS at once"), hint);
            return None;
        }
        match Target::parse(&format!("https://{place}")) {
            Ok(target) => Some(target),
            Err(why) => {
                item.wrong(&format!("{text:?} {why}"));
                None
            }
        }
    });
    let name = table.text("server_name");
    let trust = trust(table, true);
    let given = table.has("threshold_warning") || table.has("threshold_critical");
    let mut thresholds = thresholds_facing(table, true);
    if let Some(Range::From(_)) = thresholds.critical.or(thresholds.warning) {
        let hint = "remove direction: fewer days are worse".to_owned();
        let message = "judges the days that are left from above";
        table.desk.problem(table.at, &table.path, message, Some(hint));
    }
    if !given {
        (thresholds.warning, thresholds.critical) =
            (Some(Range::UpTo(21.0)), Some(Range::UpTo(7.0)));
    }
    let target = target?;
    Some(tls_cert::Settings {
        host: target.host().to_owned(),
        port: target.port(),
        name: name.unwrap_or_else(|| target.host().to_owned()),
        trust,
        thresholds,
    })
}

/// `endpoint_url: redis://:password@host:6379/0`, and what to judge.
pub(super) fn redis(table: &mut Table<'_>) -> Option<crate::checks::redis::Settings> {
    let address = table.need("endpoint_url");
    let server = redis_at(table, address);
    let mut asks = Vec::new();
    asks.extend(table.text("info").map(Ask::Info));
    asks.extend(table.text("list").map(Ask::Length));
    asks.extend(table.text("key").map(Ask::Value));
    let thresholds = thresholds(table);
    if asks.len() > 1 {
        let message = "names more than one of info, list and key";
        let hint = "give each a check of its own".to_owned();
        table.desk.problem(table.at, &table.path, message, Some(hint));
    }
    Some(crate::checks::redis::Settings {
        server: server?,
        ask: asks.into_iter().next().unwrap_or(Ask::Ping),
        thresholds,
    })
}

/// The server at an address, with the `user`, `password` and `ca_file` of its table.
pub(super) fn redis_at(table: &mut Table<'_>, at: Option<Item<'_>>) -> Option<redis::Server> {
    let server = at.and_then(|item| redis_server(&item));
    let password = table.take("password").and_then(|item| item.secret());
    let user = table.text("user");
    let secure = server.as_ref().is_some_and(|(_, secure)| *secure);
    let trust = trust(table, secure);
    let (server, _) = server?;
    let trust = match (secure, trust) {
        (true, None) => Trust::browsers().ok(),
        (_, trust) => trust,
    };
    Some(redis::Server {
        trust,
        user: user.or(server.user),
        password: password.or(server.password),
        ..server
    })
}

/// The server of a URL, and whether it speaks TLS.
fn redis_server(item: &Item<'_>) -> Option<(redis::Server, bool)> {
    let url = item.secret()?;
    item.note_open_password(&url);
    let wrong = || {
        item.wrong_with(
            &format!("{:?} is not the address of a Redis", url.shown()),
            "write it like redis://127.0.0.1:6379/0, rediss:// for TLS",
        );
    };
    let text = url.reveal();
    let (secure, rest) = match text.split_once("://") {
        Some(("redis", rest)) => (false, rest),
        Some(("rediss", rest)) => (true, rest),
        Some(_) | None => {
            wrong();
            return None;
        }
    };
    let (login, rest) =
        rest.rsplit_once('@').map_or((None, rest), |(login, rest)| (Some(login), rest));
    let (place, database) = rest.split_once('/').unwrap_or((rest, ""));
    // A port behind the last colon, unless that is inside the brackets of an address.
    let port = place.rsplit_once(':').filter(|(_, port)| !port.contains(']'));
    let (host, port) = match port {
        Some((host, port)) => (host, port.parse().ok()),
        None => (place, Some(6379)),
    };
    let host = host.trim_matches(['[', ']']);
    let database = if database.is_empty() { Some(0) } else { database.parse().ok() };
    let (Some(port), Some(database), false) = (port, database, host.is_empty()) else {
        wrong();
        return None;
    };
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (user, password) = match login.map(|login| login.split_once(':').unwrap_or(("", login))) {
        Some((user, password)) => (Some(decoded(user)), Some(Secret::new(decoded(password)))),
        None => (None, None),
    };
    let user = user.filter(|user| !user.is_empty());
    let host = host.to_owned();
    Some((redis::Server { host, port, trust: None, user, password, database }, secure))
}
