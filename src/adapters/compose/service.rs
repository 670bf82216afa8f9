//! One service stopped and started: through the engine, and as a person would by hand.

use std::sync::PoisonError;
use std::time::Duration;

use crate::adapters::docker::{PROJECT, SERVICE};
use crate::adapters::process::quoted;
use crate::adapters::{Error, Kind, fault};
use crate::text::SafeText;

use super::Compose;

/// How often a container that is starting is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a started container may take until it runs.
const START_LIMIT: Duration = Duration::from_secs(10);
/// The grace of a stop by hand, in seconds.
const HAND_GRACE: u32 = 30;

impl Compose {
    pub(super) async fn stop_service(
        &self,
        service: &str,
        grace: Duration,
        effect: &str,
    ) -> Result<SafeText, Error> {
        let before = self.there(service, "stop").await?;
        if !before.running && !before.restarting {
            return Ok("was not running".into());
        }
        self.docker.stop(&before.id, grace).await?;
        fault::at_step("B5", effect);
        let after = self.docker.container(&before.id).await?;
        if after.running || after.restarting {
            let message = format!(
                "could not stop {service}: container {} is {} after it",
                SafeText::new(&after.name),
                SafeText::new(&after.state)
            );
            return Err(Error::new(Kind::Rejected, message));
        }
        let how = match after.exit_code {
            Some(137) => format!("killed after {:.0} s", grace.as_secs_f64()),
            Some(code) => format!("ended by itself with {code}"),
            None => "ended".to_owned(),
        };
        let policy = after.restart_policy.as_str();
        let note = if policy == "always" {
            "; its policy (always) brings it back when the engine itself is started anew"
        } else {
            ""
        };
        Ok(SafeText::new(&format!("{how}{note}")))
    }

    pub(super) async fn start_service(&self, service: &str, effect: &str) -> Result<(), Error> {
        let container = self.there(service, "start").await?;
        if container.is_up() {
            return Ok(());
        }
        if let Err(error) = self.docker.start(&container.id).await {
            let way = self.way_on(&error.message, Some(&container)).await;
            return Err(Error { message: format!("{}{way}", error.message), ..error });
        }
        fault::at_step("B5", effect);
        self.runs(service, &container.id).await
    }

    /// Waits until a container that was started runs.
    pub(super) async fn runs(&self, service: &str, id: &str) -> Result<(), Error> {
        let wait = async {
            loop {
                let now = self.docker.container(id).await?;
                if now.is_up() {
                    return Ok(());
                }
                if !now.running && !now.restarting {
                    let code = now.exit_code.unwrap_or_default();
                    let message = format!(
                        "could not start {service}: it ended at once with {code}, see docker logs {}",
                        SafeText::new(&now.name)
                    );
                    return Err(Error::new(Kind::Local, message));
                }
                self.clock.sleep(LOOK_EVERY).await;
            }
        };
        match self.clock.timeout(START_LIMIT, wait).await {
            Ok(done) => done,
            Err(_) => Err(Error::timed_out(format!("start {service}"), START_LIMIT)),
        }
    }

    /// The command for the engine that we speak to.
    pub(super) fn docker_command(&self) -> String {
        self.docker.by_hand()
    }

    pub(super) fn service_by_hand(&self, service: &str, start: bool) -> String {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let docker = self.docker_command();
        let name = names.get(service).map_or_else(
            || {
                let of = quoted(&format!("label={PROJECT}={}", self.settings.project));
                let service = quoted(&format!("label={SERVICE}={service}"));
                format!("$({docker} ps -aq --filter {of} --filter {service})")
            },
            |name| quoted(name),
        );
        if start {
            format!("{docker} start {name}")
        } else {
            format!("{docker} stop -t {HAND_GRACE} {name}")
        }
    }
}
