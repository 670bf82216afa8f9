//! Replacing a file that nginx includes, and proving what it does.

use std::path::PathBuf;
use std::time::Duration;

use crate::adapters::replace::replace;
use crate::adapters::{Error, Kind, fault};
use crate::model::ids::Color;
use crate::text::SafeText;

use super::look::Served;
use super::upstream::{self, Target};
use super::{LOOK_EVERY, Nginx, small};

/// How long a reload may take until new workers serve.
const RELOAD_LIMIT: Duration = Duration::from_secs(10);

impl Nginx {
    /// Refuses a colour whose names nginx could not resolve: its configuration would not load.
    pub(super) async fn check_resolves(&self, color: &Color, text: &str) -> Result<(), Error> {
        let targets: Vec<Target> = upstream::targets(text);
        if self.settings.place.resolve(&targets).await?.is_some() {
            return Ok(());
        }
        let names: Vec<&str> = targets.iter().map(|target| target.host.as_str()).collect();
        let message = format!(
            "could not switch traffic to {color}: {} does not resolve, start it first; nothing was changed",
            SafeText::new(&names.join(", "))
        );
        Err(Error::new(Kind::NotResolved, message))
    }

    /// Puts `bytes` into `path`, has nginx judge them, and loads them. When nginx refuses, the
    /// file is as before.
    pub(super) async fn load(
        &self,
        path: &PathBuf,
        bytes: &[u8],
        effect: &str,
        what: &str,
    ) -> Result<(), Error> {
        self.settings.place.check_mount(path).await?;
        let (old, before) = (small(path)?, self.workers().await?);
        replace(path, bytes)?;
        fault::at_step("B4", effect);
        if let Err(error) = self.settings.place.test(&self.clock).await {
            replace(path, &old)?;
            let message = format!("could not {what}: {}; it is as before", error.message);
            return Err(Error::new(error.kind, message));
        }
        self.settings.place.reload(&self.clock).await?;
        fault::at_step("B5", effect);
        let fresh = async {
            loop {
                if self.workers().await?.replaced(&before) {
                    return Ok(());
                }
                self.clock.sleep(LOOK_EVERY).await;
            }
        };
        match self.clock.timeout(RELOAD_LIMIT, fresh).await {
            Ok(done) => done,
            Err(_) => Err(Error::timed_out(format!("{what}: no new nginx workers"), RELOAD_LIMIT)),
        }
    }

    /// Waits until every fresh connection is answered by `color`.
    pub(super) async fn prove(&self, color: &Color) -> Result<(), Error> {
        let mut last = Served::Mixed;
        let wait = async {
            loop {
                last = self.served_now().await;
                if last == Served::Color(color.clone()) {
                    return;
                }
                self.clock.sleep(LOOK_EVERY).await;
            }
        };
        if self.clock.timeout(RELOAD_LIMIT, wait).await.is_ok() {
            return Ok(());
        }
        let said = match last {
            Served::Color(other) => format!("{other} answers"),
            Served::Mixed => "several colours answer".to_owned(),
            Served::Page => "the maintenance page answers".to_owned(),
            Served::Nobody(said) => SafeText::new(&said).to_string(),
        };
        let message = format!(
            "could not prove that traffic goes to {color}: the reload is done, but after {} s {said}",
            RELOAD_LIMIT.as_secs()
        );
        Err(Error::new(Kind::TimedOut, message))
    }
}
