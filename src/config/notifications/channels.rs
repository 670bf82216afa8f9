//! `notification_channels: ["slack", "email"]` (002:116), and `github`, with the variables of
//! 001:330-339.

use std::collections::BTreeMap;

use crate::adapters::http::Target;
use crate::adapters::messenger::email::{Email, Safety, address};
use crate::adapters::messenger::github::GitHub;
use crate::adapters::secret::Secret;

use super::super::take::{Desk, Table};
use super::Receiver;
use super::receivers::{default_port, mail, slack, tracker};

/// What can be named.
const CHANNELS: [(&str, &str); 3] = [("slack", "slack"), ("email", "email"), ("github", "github")];

/// Adds the receivers that the variables describe; one whose variables are missing is noted, not
/// refused: the documents' file loads without them.
pub(super) fn channels(
    desk: &Desk<'_>,
    root: &mut Table<'_>,
    receivers: &mut BTreeMap<String, Receiver>,
) {
    for item in root.list("notification_channels") {
        let Some(name) = item.one_of("a channel", &CHANNELS) else { continue };
        if receivers.contains_key(name) || desk.environment.is_without_secrets() {
            continue;
        }
        let made = match name {
            "slack" => of_slack(desk),
            "github" => of_github(desk),
            _ => of_email(desk),
        };
        match made {
            Ok(receiver) => {
                receivers.insert(name.to_owned(), receiver);
            }
            Err(why) => desk.note(format!("notification_channels: {name} is told nothing: {why}")),
        }
    }
}

fn variable<'a>(desk: &Desk<'a>, name: &str) -> Result<&'a str, String> {
    desk.environment.get(name).ok_or_else(|| format!("{name} is not set"))
}

fn of_slack(desk: &Desk<'_>) -> Result<Receiver, String> {
    let url = variable(desk, "SLACK_WEBHOOK_URL")?;
    let target = Target::parse(url).map_err(|why| format!("SLACK_WEBHOOK_URL {why}"))?;
    Ok(slack(target))
}

/// `GITHUB_REPO: owner/name` and a token that may write its issues.
fn of_github(desk: &Desk<'_>) -> Result<Receiver, String> {
    let token = Secret::new(variable(desk, "GITHUB_TOKEN")?);
    let repository = variable(desk, "GITHUB_REPO")?;
    if repository.split('/').filter(|part| !part.is_empty()).count() != 2 {
        return Err("GITHUB_REPO is not owner/name".to_owned());
    }
    let target = Target::parse(crate::adapters::messenger::github::ADDRESS)?;
    Ok(tracker(GitHub { target, repository: repository.to_owned(), token }))
}

fn of_email(desk: &Desk<'_>) -> Result<Receiver, String> {
    let server = variable(desk, "EMAIL_SMTP_HOST")?;
    let user = variable(desk, "EMAIL_SMTP_USER")?;
    let password = variable(desk, "EMAIL_SMTP_PASSWORD")?;
    let (host, port) = match server.rsplit_once(':') {
        Some((host, port)) => {
            let port = port.parse().map_err(|_| "EMAIL_SMTP_HOST has a port that is none")?;
            (host, port)
        }
        None => (server, default_port(Safety::StartTls)),
    };
    let safety = if port == 465 { Safety::Tls } else { Safety::StartTls };
    let from = address(user).map_err(|why| format!("EMAIL_SMTP_USER: {why}"))?;
    let to = desk.environment.get("EMAIL_TO").unwrap_or(user);
    let to: Result<Vec<_>, String> = to.split(',').map(|one| address(one.trim())).collect();
    let to = to.map_err(|why| format!("EMAIL_TO: {why}"))?;
    let login = Some((user.to_owned(), Secret::new(password)));
    Ok(mail(Email { host: host.to_owned(), port, safety, trust: None, login, from, to }))
}
