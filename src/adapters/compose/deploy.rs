//! Laying a recorded release on a service in its place.
//!
//! | order | why |
//! | --- | --- |
//! | wait for what an earlier attempt started | two tools never work on one service |
//! | the name that compose would use is looked up | a tag that was moved is refused, not repaired |
//! | what is replaced is kept: log, state, an image of it | making it anew removes it |
//! | the tag variable is put to the version | a later `up` would bring the failed one back |
//! | the tool, under the shim, for one service | nothing else is touched |
//! | the image that runs is compared with the recorded one (S-23) | |

use std::path::PathBuf;
use std::time::Duration;

use crate::adapters::docker::Container;
use crate::adapters::process::quoted;
use crate::adapters::shim::{Found, Shim, ToolCommand, ToolEnd};
use crate::adapters::{DeployOrder, Error, Kind, fault};
use crate::text::SafeText;

use super::diagnose::telling;
use super::{Compose, env_file};

/// How long the tool may take beside the grace of what it stops.
const TOOL_BUDGET: Duration = Duration::from_mins(2);
/// From the request to end until the tool is killed.
const TOOL_GRACE: Duration = Duration::from_secs(5);
/// How often the tool may be begun for one effect.
const ATTEMPTS: usize = 20;

impl Compose {
    pub(super) async fn lay(&self, order: &DeployOrder) -> Result<SafeText, Error> {
        let service = self.service(&order.color)?;
        let next = self.settle(order).await?;
        let before = self.found(service).await?;
        let wanted = self.recorded(order).await?;
        let there = before.as_ref().is_some_and(|one| one.image_id == wanted);
        if there {
            self.put_tag(order)?;
            return self.turn(order, service).await;
        }
        self.same_place(before.as_ref())?;
        let tool = self.maker(before.as_ref()).await?;
        self.check_name(&tool, service, order, &wanted).await?;
        let mut note = String::new();
        if let Some(before) = &before {
            note = self.keep_replaced(before, order, &next).await?;
        }
        self.put_tag(order)?;
        self.up(&tool, service, order, next).await?;
        let after = self.there(service, "start").await?;
        if after.image_id != wanted {
            let message = format!(
                "could not start {} on {service}: it runs {}, recorded was {wanted}",
                order.version,
                SafeText::new(&after.image_id)
            );
            return Err(Error::new(Kind::Rejected, message));
        }
        if order.runs {
            self.runs(service, &after.id).await?;
        }
        Ok(SafeText::new(&format!("{service} {}{note}", order.version)))
    }

    /// What lies there already is started or stopped as ordered, and no more.
    async fn turn(&self, order: &DeployOrder, service: &str) -> Result<SafeText, Error> {
        let runs = self.there(service, "start").await?.is_up();
        if order.runs && !runs {
            self.start_service(service, &order.effect).await?;
        } else if !order.runs && runs {
            self.stop_service(service, order.grace, &order.effect).await?;
        } else {
            return Ok(SafeText::new(&format!("{} lay on {service} already", order.version)));
        }
        Ok(SafeText::new(&format!("{service} {}", order.version)))
    }

    /// The folder of one attempt of an effect.
    fn slot(&self, order: &DeployOrder, number: usize) -> PathBuf {
        self.runs.join(format!("{}.compose.{number}", plain(&order.effect)))
    }

    /// Waits for what earlier attempts started; the first slot that was never used.
    async fn settle(&self, order: &DeployOrder) -> Result<PathBuf, Error> {
        for number in 1..=ATTEMPTS {
            let slot = self.slot(order, number);
            let shim = Shim::at(&slot);
            match shim.adopt(&self.clock, || ()).await? {
                Found::NeverBegan => return Ok(slot),
                Found::Ended(_) | Found::CutOff => {}
                Found::Running => {
                    if shim.end(&self.clock).await? == Found::Running {
                        let message = format!(
                            "could not start {}: an earlier compose does not end, see {}",
                            order.version,
                            slot.display()
                        );
                        return Err(Error::new(Kind::TimedOut, message));
                    }
                }
            }
        }
        let message = format!("could not start {}: it was tried {ATTEMPTS} times", order.version);
        Err(Error::new(Kind::Rejected, message))
    }

    /// The id of the recorded image, which must be on this host.
    async fn recorded(&self, order: &DeployOrder) -> Result<String, Error> {
        let id = format!("sha256:{}", order.digest);
        self.docker.image(&id).await.map(|image| image.id).map_err(|error| {
            if error.kind != Kind::NotFound {
                return error;
            }
            let message = format!(
                "could not start {} on {}: its image {id} is not on this host; load or pull it",
                order.version, order.color
            );
            Error::new(Kind::NotFound, message)
        })
    }

    /// Containers that were made from another folder have their mounts there.
    fn same_place(&self, before: Option<&Container>) -> Result<(), Error> {
        let Some(made) = before.and_then(|one| one.working_dir.as_ref()) else { return Ok(()) };
        let real = |path: &PathBuf| std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        if real(made) == real(&self.settings.dir) {
            return Ok(());
        }
        let message = format!(
            "could not use the compose files in {}: the containers were made from {}, and their relative mounts lie there",
            self.settings.dir.display(),
            SafeText::new(&made.display().to_string())
        );
        Err(Error::new(Kind::Rejected, message))
    }

    /// The name that compose would use points at the recorded image, or nothing is done.
    async fn check_name(
        &self,
        tool: &[String],
        service: &str,
        order: &DeployOrder,
        wanted: &str,
    ) -> Result<(), Error> {
        let name = self.image_for(tool, service, order.version.as_str()).await?;
        let shown = SafeText::new(&name);
        let found = match self.docker.image(&name).await {
            Ok(image) => image.id,
            Err(error) if error.kind == Kind::NotFound => "nothing".to_owned(),
            Err(error) => return Err(error),
        };
        if found == wanted {
            return Ok(());
        }
        let message = format!(
            "could not start {} on {service}: compose would use {shown}, which points at {found}, recorded was {wanted}; nothing was changed. If the recorded one is right: {} tag {wanted} {}",
            order.version,
            self.docker_command(),
            quoted(shown.as_str())
        );
        Err(Error::new(Kind::Rejected, message))
    }

    /// Keeps what the tool is about to remove; what is said of it.
    async fn keep_replaced(
        &self,
        before: &Container,
        order: &DeployOrder,
        slot: &std::path::Path,
    ) -> Result<String, Error> {
        self.keep_traces(before, &slot.join("replaced")).await?;
        let run = order.effect.split('.').next().unwrap_or_default();
        let repository = plain(&format!("{}-{}-failed", before.project, before.service));
        let (repository, tag) = (repository.to_ascii_lowercase(), plain(run));
        let name = format!("{repository}:{tag}");
        // Of several attempts the first one kept what failed.
        match self.docker.image(&name).await {
            Ok(_) => {}
            Err(error) if error.kind == Kind::NotFound => {
                self.docker.commit(&before.id, &repository, &tag).await?;
            }
            Err(error) => return Err(error),
        }
        fault::at_step("B4", &order.effect);
        Ok(format!(", what it replaced is kept as {name}"))
    }

    fn put_tag(&self, order: &DeployOrder) -> Result<(), Error> {
        if let Some(variable) = &self.settings.tag_variable {
            env_file::put(&self.env_file(), variable, order.version.as_str())?;
        }
        Ok(())
    }

    async fn up(
        &self,
        tool: &[String],
        service: &str,
        order: &DeployOrder,
        slot: PathBuf,
    ) -> Result<(), Error> {
        let mut argv = self.command(tool);
        let how = if order.runs { "-d" } else { "--no-start" };
        argv.extend(["up", how, "--no-deps", "--no-build"].map(str::to_owned));
        argv.extend(["-t".to_owned(), order.grace.as_secs().max(1).to_string()]);
        argv.push(service.to_owned());
        let command = ToolCommand {
            argv,
            cwd: self.settings.dir.clone(),
            env: self.tool_env(),
            budget: TOOL_BUDGET + order.grace,
            grace: TOOL_GRACE,
        };
        self.docker.reach().await?;
        let shim = Shim::at(&slot);
        shim.start(&self.program, &command)?;
        fault::at_step("B5", &order.effect);
        let found = match shim.adopt(&self.clock, || ()).await? {
            Found::Running => shim.end(&self.clock).await?,
            found @ (Found::NeverBegan | Found::Ended(_) | Found::CutOff) => found,
        };
        let no = |kind, why: &str| {
            let (last, at) = (telling(&slot), slot.display());
            let message =
                format!("could not start {service}: compose {why}: {last} (all of it in {at})");
            Err(Error::new(kind, message))
        };
        let ended = match found {
            Found::Ended(outcome) => match outcome.end {
                ToolEnd::Exited(0) => Ok(()),
                ToolEnd::Exited(code) => no(Kind::Rejected, &format!("ended with {code}")),
                ToolEnd::Signalled(signal) => {
                    no(Kind::Local, &format!("was ended by signal {signal}"))
                }
                ToolEnd::TimedOut => no(Kind::TimedOut, "took too long and was ended"),
                ToolEnd::Ended => no(Kind::Local, "was ended on request"),
                ToolEnd::NotStarted(why) => no(Kind::Local, why.as_str()),
            },
            Found::NeverBegan => no(Kind::Local, "never began, see shim.log"),
            Found::CutOff => no(Kind::Local, "was cut off"),
            Found::Running => no(Kind::TimedOut, "does not end, even when killed"),
        };
        let Err(error) = ended else { return Ok(()) };
        let container = self.found(service).await.ok().flatten();
        let way = self.way_on(&error.message, container.as_ref()).await;
        Err(Error { message: format!("{}{way}", error.message), ..error })
    }
}

/// A word that can be a folder's name and an image's tag.
fn plain(word: &str) -> String {
    let fine = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    word.chars().map(fine).take(100).collect()
}
