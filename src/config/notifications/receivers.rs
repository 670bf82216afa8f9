//! The receivers, one kind each.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::header::HeaderName;

use crate::adapters::http::Target;
use crate::adapters::messenger::email::{Email, Safety, address};
use crate::adapters::messenger::{Messenger, command, github, pagerduty, slack, webhook};
use crate::adapters::tls::Trust;
use crate::model::notice::Occasion;
use crate::model::severity::Severity;

use super::super::take::{Item, Table};
use super::super::{did_you_mean, file};
use super::{Receiver, Wants};

/// The ways there are.
const KINDS: [&str; 6] = ["slack", "webhook", "pagerduty", "github", "email", "command"];

pub(super) fn receivers(table: &mut Table<'_>) -> BTreeMap<String, Receiver> {
    let mut all = BTreeMap::new();
    let Some(mut named) = table.table("receivers") else { return all };
    let keys = named.names();
    for name in keys {
        let Some(item) = named.take(&name) else { continue };
        if let Some(receiver) = receiver(&item) {
            all.insert(name, receiver);
        }
    }
    named.finish();
    all
}

fn receiver(item: &Item<'_>) -> Option<Receiver> {
    let mut table = item.table()?;
    let wants = table.take("document").and_then(|item| item.one_of("a document", &Wants::ALL));
    table.may_hold(&KINDS);
    let kinds: Vec<&str> = KINDS.into_iter().filter(|kind| table.has(kind)).collect();
    let kind = match kinds.as_slice() {
        [kind] => *kind,
        [] => {
            for kind in KINDS {
                table.take(kind);
            }
            let misspelt = table.keys().find_map(|key| did_you_mean(&key.name, KINDS));
            table.finish();
            if misspelt.is_none() {
                item.wrong_with(
                    "has no way to be told",
                    format!("add one of {}", KINDS.join(", ")),
                );
            }
            return None;
        }
        [..] => {
            item.wrong_with(&format!("has {}", kinds.join(" and ")), "give each way its own name");
            return None;
        }
    };
    let settings = table.take(kind)?;
    table.finish();
    let receiver = match kind {
        "slack" => with_url(&settings, |target, _| Some(slack(target))),
        "webhook" => with_url(&settings, |target, table| Some(webhook(target, table))),
        "pagerduty" => pagerduty(&settings),
        "github" => github(&settings),
        "email" => email(&settings),
        _ => Some(command(&settings, settings.raw()?)),
    }?;
    Some(Receiver { wants: wants.unwrap_or(receiver.wants), ..receiver })
}

/// What a receiver of each kind is told by itself.
fn made(
    messenger: impl Messenger + 'static,
    wants: Wants,
    by_itself: (Severity, &[Occasion]),
) -> Receiver {
    let by_itself = (by_itself.0, by_itself.1.to_vec());
    Receiver { messenger: Arc::new(messenger), wants, own: None, by_itself }
}

pub(super) fn slack(target: Target) -> Receiver {
    made(slack::Slack { target }, Wants::Plain, (Severity::None, &[]))
}

fn webhook(target: Target, table: &mut Table<'_>) -> Receiver {
    let headers = table.table("headers").map(|mut headers| {
        let names = headers.names();
        let mut found = Vec::new();
        for name in names {
            let Some(item) = headers.take(&name) else { continue };
            let Ok(header) = name.parse::<HeaderName>() else {
                item.wrong("is not the name of a header");
                continue;
            };
            found.extend(item.secret().map(|value| (header, value)));
        }
        headers.finish();
        found
    });
    let headers = headers.unwrap_or_default();
    made(webhook::Webhook { target, headers }, Wants::Plain, (Severity::None, &[]))
}

fn command(item: &Item<'_>, line: String) -> Receiver {
    let dir = item.desk.dir.clone();
    made(command::Command { line, dir }, Wants::Plain, (Severity::None, &[]))
}

fn pagerduty(item: &Item<'_>) -> Option<Receiver> {
    let mut table = item.table()?;
    let key = table.need("key").and_then(|item| item.key());
    let target = url_or(&mut table, pagerduty::ADDRESS);
    table.finish();
    let occasions = [
        Occasion::Incident,
        Occasion::Worse,
        Occasion::Waiting,
        Occasion::Failure,
        Occasion::Alert,
    ];
    let messenger = pagerduty::PagerDuty { target: target?, key: key? };
    Some(made(messenger, Wants::Plain, (Severity::High, &occasions)))
}

fn github(item: &Item<'_>) -> Option<Receiver> {
    let mut table = item.table()?;
    let repository = table.need("repo").and_then(|item| {
        let text = item.text()?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let good = text.split_once('/').is_some_and(|(owner, name)| {
            !owner.is_empty() && !name.is_empty() && owner.chars().chain(name.chars()).all(plain)
        });
        if !good && !item.desk.environment.is_without_secrets() {
            item.wrong_with(&format!("{text:?} is no repository"), "write owner/name");
            return None;
        }
        Some(text)
    });
    let token = table.need("token").and_then(|item| item.key());
    let target = url_or(&mut table, github::ADDRESS);
    table.finish();
    Some(tracker(github::GitHub { target: target?, repository: repository?, token: token? }))
}

/// A tracker holds what came of a rollback.
pub(super) fn tracker(messenger: github::GitHub) -> Receiver {
    made(messenger, Wants::Incident, (Severity::None, &[Occasion::Failure, Occasion::End]))
}

fn email(item: &Item<'_>) -> Option<Receiver> {
    let mut table = item.table()?;
    let host = table.need("host").and_then(|item| item.text());
    let safety = table.take("tls").and_then(|item| item.one_of("a way to be safe", &Safety::ALL));
    let safety = safety.unwrap_or(Safety::StartTls);
    let trust = table.take("ca_file").and_then(|item| trusted(&item, safety));
    let port = table.count("port", 1, 65_535).and_then(|port| u16::try_from(port).ok());
    let user = table.text("user");
    let password = table.take("password");
    if let (Safety::Plain, Some(password)) = (safety, &password) {
        password.wrong_with(
            "would go over the line for everybody to read",
            "write tls: starttls or tls: tls, or leave user and password out",
        );
    }
    let password = password.and_then(|item| item.key());
    let from = table.need("from").and_then(|item| mailbox(&item));
    let to = table.need("to").and_then(|item| item.one_or_list()).unwrap_or_default();
    let to: Vec<_> = to.iter().filter_map(mailbox).collect();
    table.finish();
    let login = user.zip(password);
    let port = port.unwrap_or(default_port(safety));
    let messenger = Email { host: host?, port, safety, trust, login, from: from?, to };
    Some(mail(messenger))
}

/// The certificates of a PEM file, which has to hold some that can be trusted.
fn trusted(item: &Item<'_>, safety: Safety) -> Option<Vec<u8>> {
    let path = item.path()?;
    if safety == Safety::Plain {
        item.wrong_with("is of no use without TLS", "write tls: starttls, or remove it");
        return None;
    }
    let read = file::read(&path, 1024 * 1024).map_err(|problem| problem.message);
    let pem = read.map(|contents| contents.bytes);
    let pem = pem.and_then(|pem| Trust::of_pem(&pem).map(|_| pem));
    match pem {
        Ok(pem) => Some(pem),
        Err(why) => {
            item.wrong(&format!("{} {why}", path.display()));
            None
        }
    }
}

pub(super) fn default_port(safety: Safety) -> u16 {
    match safety {
        Safety::StartTls => 587,
        Safety::Tls => 465,
        Safety::Plain => 25,
    }
}

/// Mail is for what is critical (001:351).
pub(super) fn mail(email: Email) -> Receiver {
    made(email, Wants::Internal, (Severity::Critical, &[]))
}

fn mailbox(item: &Item<'_>) -> Option<lettre::message::Mailbox> {
    let text = item.text()?;
    let made = address(&text);
    if let Err(why) = &made {
        item.wrong_with(why, "write ops@example.org, or Ops <ops@example.org>");
    }
    made.ok()
}

/// The settings, or only the address in place of them.
fn with_url(
    item: &Item<'_>,
    make: impl FnOnce(Target, &mut Table<'_>) -> Option<Receiver>,
) -> Option<Receiver> {
    let mut table = item.table()?;
    let target = table.need("url").and_then(|item| url(&item));
    let receiver = target.and_then(|target| make(target, &mut table));
    // The keys of a receiver whose address is wrong are known all the same.
    table.take("headers");
    table.finish();
    receiver
}

fn url_or(table: &mut Table<'_>, address: &str) -> Option<Target> {
    match table.take("url") {
        Some(item) => url(&item),
        None => Target::parse(address).ok(),
    }
}

/// An address that may be secret as a whole.
fn url(item: &Item<'_>) -> Option<Target> {
    let secret = item.secret()?;
    if item.desk.environment.is_without_secrets() && Target::parse(secret.reveal()).is_err() {
        return Target::parse("http://unset.invalid/").ok();
    }
    item.desk.secrets.borrow_mut().push(secret.reveal().to_owned());
    match Target::parse(secret.reveal()) {
        Ok(target) => Some(target),
        Err(why) => {
            item.wrong(&why);
            None
        }
    }
}
