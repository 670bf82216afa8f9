//! The settings of each kind of check.
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::HeaderName;

use crate::adapters::http::Target;
use crate::adapters::secret::Secret;
use crate::checks::expect::Expectation;
use crate::checks::http_response::{self, Statuses};
use crate::checks::threshold::{Range, Thresholds};
use crate::checks::{CheckKind, custom, tcp};

use super::container_kind::Defaults;
use super::did_you_mean;
use super::node::Value;
use super::shape::Asked;
use super::take::{Item, Table};
use super::unused::CHECKS;
use super::{container_kind, database_kind, host_kinds, kube_target, object_kinds, remote_kinds};

/// Requests of one look at most.
const BURST: u32 = 200;

/// It is not known which kind a check is of, so neither which keys it may have.
pub(super) struct Unnamed;

/// What `check_type` says, with the settings of that kind; nothing when these are wrong. What is
/// wrong is in the problems.
pub(super) fn kind(
    table: &mut Table<'_>,
    defaults: &Defaults<'_>,
) -> Result<Option<CheckKind>, Unnamed> {
    if !table.has("check_type") {
        let hint = match (table.has("command"), table.has("query"), table.has("endpoint_url")) {
            (true, ..) => "add check_type: custom".to_owned(),
            (_, true, _) => "add check_type: database_connection".to_owned(),
            (_, _, true) => "add check_type: http_response".to_owned(),
            (false, false, false) => format!("it is one of {}", CHECKS.join(", ")),
        };
        let message = "check_type is missing";
        table.desk.problem(table.at, &table.path, message, Some(hint));
        return Err(Unnamed);
    }
    let item = table.take("check_type").ok_or(Unnamed)?;
    let name = item.word_of(CHECKS).ok_or(Unnamed)?;
    let kind = match name.as_str() {
        // Its discovery answers like any other page.
        "http_response" | "neo4j" => http(table).map(CheckKind::HttpResponse),
        "tcp" => tcp_settings(table).map(CheckKind::Tcp),
        "file" => object_kinds::file(table).map(CheckKind::File),
        "s3_object" => object_kinds::s3_object(table).map(CheckKind::S3Object),
        "push" => object_kinds::push(table, defaults.state_dir).map(CheckKind::Push),
        "cdn_asset" => asset(table).map(CheckKind::HttpResponse),
        "custom" | "smoke_test" => command(table).map(CheckKind::Custom),
        "database_connection" => {
            database_kind::database(table, "SELECT 1").map(CheckKind::DatabaseConnection)
        }
        "migration" => database_kind::migration(table).map(CheckKind::DatabaseConnection),
        "replication_lag" => database_kind::lag(table).map(CheckKind::DatabaseConnection),
        "system_resource" | "disk" => {
            host_kinds::system_resource(table, defaults.resources).map(CheckKind::SystemResource)
        }
        "process" => host_kinds::process(table).map(CheckKind::Process),
        "systemd_unit" => host_kinds::systemd_unit(table).map(CheckKind::SystemdUnit),
        "log_pattern" => host_kinds::log_pattern(table).map(CheckKind::LogPattern),
        // The documents' names for what a monitoring system measures.
        "prometheus" | "application_metric" | "error_rate" | "response_time" | "throughput" => {
            remote_kinds::prometheus(table).map(CheckKind::Prometheus)
        }
        "dns" => remote_kinds::dns(table).map(CheckKind::Dns),
        "tls_cert" => remote_kinds::tls_cert(table).map(CheckKind::TlsCert),
        "redis" => remote_kinds::redis(table).map(CheckKind::Redis),
        "container" => container_kind::container(table, defaults).map(CheckKind::Container),
        "kubernetes" => kube_target::check(table, defaults.kubernetes).map(CheckKind::Kubernetes),
        other => {
            let hint = match did_you_mean(other, CHECKS) {
                Some(meant) => format!("did you mean {meant}?"),
                None => format!("it is one of {}", CHECKS.join(", ")),
            };
            item.wrong_with(&format!("{other:?} is not a kind of check"), hint);
            return Err(Unnamed);
        }
    };
    Ok(kind)
}

fn http(table: &mut Table<'_>) -> Option<http_response::Settings> {
    let address = table.need("endpoint_url").and_then(|item| address(&item));
    let address = address.map(|found| remote_kinds::trusted(table, found));
    let secure = address.as_ref().is_some_and(|(_, target)| target.is_secure());
    let (method, body) = call(table);
    let expected = match table.take("expected_status") {
        Some(item) => statuses(&item),
        None => Some(Statuses(vec![(200, 200)])),
    };
    let requests = either_burst(table);
    let expect = expectations(table, secure);
    let headers = headers(table);
    let thresholds = thresholds(table);
    if let (Some(expected), Some(critical)) = (&expected, thresholds.critical)
        && expected
            .0
            .iter()
            .any(|(low, high)| critical.hit((*low).into()) || critical.hit((*high).into()))
    {
        table.desk.note(format!(
            "{}: expected_status {} is good although threshold_critical is {critical}",
            table.path,
            expected.shown()
        ));
    }
    let (url, target) = address?;
    Some(http_response::Settings {
        url,
        target,
        headers,
        method,
        body,
        expected: expected?,
        thresholds,
        expect,
        requests,
    })
}

/// `version` and `field`: the version that a manifest names as caches serve it (P-55).
fn asset(table: &mut Table<'_>) -> Option<http_response::Settings> {
    let field = table.text("field").unwrap_or_else(|| "version".to_owned());
    let version = table.need("version").and_then(|item| item.text());
    let mut settings = http(table)?;
    let says = serde_json::Value::from(version?);
    match Expectation::parse(&format!("json .{field} == {says}")) {
        Ok(line) => settings.expect.push(line),
        Err(why) => {
            let hint = "write it like version or build.version".to_owned();
            table.desk.problem(table.at, &table.below("field"), &why, Some(hint));
            return None;
        }
    }
    Some(settings)
}

/// `method` and `body`. POST is for a write that may be repeated for ever: it shows what reading
/// cannot show.
fn call(table: &mut Table<'_>) -> (Method, Bytes) {
    let mut posts = false;
    if let Some(method) = table.take("method")
        && let Some(text) = method.text()
    {
        match text.as_str() {
            "GET" => {}
            "POST" => posts = true,
            _ => method.wrong_with(
                &format!("{text} is not sent by a check"),
                "checks look: GET; or write what may be written again and again: POST",
            ),
        }
    }
    let mut sent = Bytes::new();
    if let Some(body) = table.take("body")
        && let Some(text) = body.text()
    {
        if posts {
            sent = Bytes::from(text);
        } else {
            body.wrong_with("is not sent with GET", "add method: POST");
        }
    }
    (if posts { Method::POST } else { Method::GET }, sent)
}

/// `samples_per_run` or its short name `burst`.
fn either_burst(table: &mut Table<'_>) -> u32 {
    let long = table.count("samples_per_run", 1, BURST);
    let Some(short) = table.take("burst") else {
        return long.unwrap_or(1);
    };
    if table.has("samples_per_run") {
        short.wrong_with("says again what samples_per_run says", "keep one of them");
    }
    short.count(1, BURST).or(long).unwrap_or(1)
}

/// An `http` or `https` address.
pub(super) fn address(item: &Item<'_>) -> Option<(Secret, Target)> {
    let url = item.secret()?;
    match Target::parse(url.reveal()) {
        Ok(target) => Some((url, target)),
        Err(why) => {
            item.wrong(&format!("{:?} {why}", url.shown()));
            None
        }
    }
}

fn statuses(item: &Item<'_>) -> Option<Statuses> {
    let mut all = Vec::new();
    for item in item.one_or_list()? {
        match Statuses::parse(item.scalar()?) {
            Ok(statuses) => all.extend(statuses.0),
            Err(why) => {
                item.wrong(&why);
                return None;
            }
        }
    }
    if all.is_empty() {
        item.wrong("names no status");
        return None;
    }
    Some(Statuses(all))
}

fn expectations(table: &mut Table<'_>, secure: bool) -> Vec<Expectation> {
    let items = table.take("expect").and_then(|item| item.one_or_list());
    let mut lines = Vec::new();
    for item in items.unwrap_or_default() {
        let Some(text) = item.text() else { continue };
        if text.starts_with("cert_days") && !secure {
            item.wrong_with("there is no certificate without TLS", "write https://");
            continue;
        }
        match Expectation::parse(&text) {
            Ok(line) => lines.push(line),
            Err(why) => item.wrong_with(
                &format!("{text:?} {why}"),
                "write it like \"json .overall_ready == true\", \"header cache-control contains \
                 no-cache\" or \"body matches /ok/\"",
            ),
        }
    }
    lines
}

pub(super) fn headers(table: &mut Table<'_>) -> Vec<(HeaderName, Secret)> {
    let Some(mut given) = table.table("headers") else {
        return Vec::new();
    };
    given.own_names();
    let names: Vec<_> = given.keys().map(|key| (key.name.clone(), key.at)).collect();
    let mut headers = Vec::new();
    for (name, at) in names {
        let value = given.take(&name).and_then(|item| {
            let value = item.secret()?;
            if value.reveal().contains(|c: char| c.is_control()) {
                item.wrong("holds a control character");
                return None;
            }
            Some(value)
        });
        if let Ok(header) = HeaderName::try_from(name.as_str()) {
            headers.extend(value.map(|value| (header, value)));
        } else {
            let path = given.below(&name);
            let message = "is not the name of a header";
            given.desk.problem(at, &path, message, None);
        }
    }
    headers
}

fn tcp_settings(table: &mut Table<'_>) -> Option<tcp::Settings> {
    let item = table.need("endpoint_url")?;
    match tcp::Settings::parse(&item.text()?) {
        Ok(settings) => Some(settings),
        Err(why) => {
            item.wrong_with(&why, "write it like tcp://127.0.0.1:5432");
            None
        }
    }
}

fn command(table: &mut Table<'_>) -> Option<custom::Settings> {
    let command = table.need("command").and_then(|item| item.raw());
    let nagios = table.take("format").is_some_and(|item| match item.text().as_deref() {
        Some("nagios") => true,
        Some("number") | None => false,
        Some(other) => {
            item.wrong_with(&format!("{other:?} is not a format"), "write number or nagios");
            false
        }
    });
    let thresholds = thresholds(table);
    Some(custom::Settings { command: command?, thresholds, nagios })
}

/// `threshold_warning`, `threshold_critical` and `direction`.
pub(super) fn thresholds(table: &mut Table<'_>) -> Thresholds {
    thresholds_facing(table, false)
}

/// Whether smaller is worse (`direction`).
pub(super) fn below(table: &mut Table<'_>, default: bool) -> bool {
    table.take("direction").map_or(default, |item| match item.text().as_deref() {
        Some("below") => true,
        Some("above") => false,
        None => default,
        Some(other) => {
            item.wrong_with(&format!("{other:?} is not a direction"), "write above or below");
            default
        }
    })
}

/// Thresholds whose direction is `default` where the file names none.
pub(super) fn thresholds_facing(table: &mut Table<'_>, default: bool) -> Thresholds {
    let below = below(table, default);
    let warning = table.take("threshold_warning");
    let critical = table.take("threshold_critical");
    let thresholds = Thresholds {
        warning: warning.as_ref().and_then(|item| range(item, below)),
        critical: critical.as_ref().and_then(|item| range(item, below)),
    };
    sound(thresholds, warning.as_ref())
}

/// The thresholds, after a look at whether a warning can ever be.
pub(super) fn sound(thresholds: Thresholds, warning: Option<&Item<'_>>) -> Thresholds {
    let crossed = match (thresholds.warning, thresholds.critical) {
        (Some(Range::From(warning)), Some(Range::From(critical))) => warning > critical,
        (Some(Range::UpTo(warning)), Some(Range::UpTo(critical))) => warning < critical,
        (_, _) => false,
    };
    if let (true, Some(item)) = (crossed, warning) {
        item.wrong_with(
            "lies beyond threshold_critical, so nothing would ever be a warning",
            "swap the two, or set direction: below",
        );
    }
    thresholds
}

/// A number, from which on it counts, or a range of the monitoring plugins in quotes.
fn range(item: &Item<'_>, below: bool) -> Option<Range> {
    item.ask(Asked::Text);
    if let Value::Scalar { text, .. } = &item.node.value
        && text.contains([':', '@', '~'])
    {
        return Range::parse(text).map_err(|why| item.wrong(&why)).ok();
    }
    let number = item.number()?;
    Some(if below { Range::UpTo(number) } else { Range::From(number) })
}
