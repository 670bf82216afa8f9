//! nginx with one included file that says where traffic goes. A switch replaces that file by
//! rename, asks `nginx -t`, reloads, and proves it by what fresh connections are answered.
//!
//! What is *served* counts, not what the file says: a switch that was cut off between the file and
//! the reload still serves the old colour.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::model::hold::HoldPart;
use crate::model::ids::Color;
use crate::text::SafeText;

use super::compose::env_file;
use super::process::quoted;
use super::replace::replace;
use super::{Error, Kind, Traffic, TrafficState};

mod change;
mod host;
mod look;
mod page;
mod place;
mod upstream;
mod workers;

use look::Served;
pub use place::NginxPlace;

/// How often is looked meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The largest configuration file that is read, in bytes.
const FILE_LIMIT: u64 = 256 * 1024;
/// How the page begins, by which it is known.
const SAYS: &str = "Down for maintenance, back soon.";
/// What the page says unless the settings say otherwise.
const PAGE: &str = "default_type text/plain;\nadd_header Retry-After 60 always;\n\
                    return 503 \"Down for maintenance, back soon.\\n\";\n";
/// What turns writers away: it may stand in a server and in a location.
const WRITERS: &str = "if ($request_method !~ ^(GET|HEAD|OPTIONS)$) { return 503; }\n";

/// What the included file holds for a colour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColorFile {
    /// The same as this file.
    File(PathBuf),
    /// This text.
    Text(String),
}

/// Which nginx, and which files are ours to replace.
#[derive(Clone, Debug)]
pub struct NginxSettings {
    /// Where it runs.
    pub place: NginxPlace,
    /// The included file, on this host.
    pub include: PathBuf,
    /// What it holds for each colour.
    pub colors: BTreeMap<Color, ColorFile>,
    /// Where a fresh request is answered through it: JSON with the colour in `environment`.
    pub public_url: String,
    /// A file of variables and the one of them that names the active colour.
    pub active: Option<(PathBuf, String)>,
    /// An included file for the maintenance page: empty, or what it says.
    pub hold_include: Option<PathBuf>,
    /// What that file holds while the page is held; without one, a 503 with a short text.
    pub page: Option<String>,
    /// An included file that turns writers away: empty, or what does.
    pub writers_include: Option<PathBuf>,
}

/// nginx as the mover of traffic.
#[derive(Clone, Debug)]
pub struct Nginx {
    settings: NginxSettings,
    clock: Clock,
}

/// `.backout-effect` beside the included file: the last switch. No `*.conf` takes it in.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    effect: String,
    to: Color,
    from: Option<Color>,
    /// Whether it was proven.
    served: bool,
}

impl Nginx {
    /// nginx as `settings` say.
    pub fn new(settings: NginxSettings, clock: Clock) -> Self {
        Self { settings, clock }
    }

    fn record_path(&self) -> PathBuf {
        self.settings.include.with_file_name(".backout-effect")
    }

    fn record(&self) -> Result<Option<Record>, Error> {
        let path = self.record_path();
        match fs::read(&path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io("read", path.display(), &e)),
        }
    }

    fn write_record(&self, record: &Record) -> Result<(), Error> {
        let bytes = serde_json::to_vec(record)
            .map_err(|e| Error::new(Kind::Local, format!("could not write a switch: {e}")))?;
        replace(&self.record_path(), &bytes)
    }

    fn bytes_of(&self, color: &Color) -> Result<Vec<u8>, Error> {
        match self.settings.colors.get(color) {
            Some(ColorFile::File(path)) => small(path),
            Some(ColorFile::Text(text)) => Ok(text.clone().into_bytes()),
            None => {
                let color = SafeText::new(color.as_str());
                let message = format!("could not find what nginx includes for {color}");
                Err(Error::new(Kind::NotFound, message))
            }
        }
    }

    fn hold_file(&self, part: HoldPart) -> Option<(&PathBuf, String)> {
        match part {
            HoldPart::Page => {
                let text = self.settings.page.clone().unwrap_or_else(|| PAGE.to_owned());
                self.settings.hold_include.as_ref().map(|path| (path, text))
            }
            HoldPart::Writers => {
                self.settings.writers_include.as_ref().map(|path| (path, WRITERS.to_owned()))
            }
            // Consumers are stopped where they run, not here.
            HoldPart::Consumers => None,
        }
    }

    /// What is held; nothing when nothing can be.
    fn held(&self) -> Result<Option<BTreeSet<HoldPart>>, Error> {
        let mut held = BTreeSet::new();
        let mut can = self.page_in_include();
        if can && page::stands_over(&small(&self.settings.include)?).is_some() {
            held.insert(HoldPart::Page);
        }
        for part in [HoldPart::Page, HoldPart::Writers] {
            if let Some((path, _)) = self.hold_file(part) {
                can = true;
                if !small(path)?.trim_ascii().is_empty() {
                    held.insert(part);
                }
            }
        }
        Ok(can.then_some(held))
    }
}

/// A small file whole.
fn small(path: &PathBuf) -> Result<Vec<u8>, Error> {
    let failed = |e: std::io::Error| Error::io("read", path.display(), &e);
    if fs::metadata(path).map_err(failed)?.len() > FILE_LIMIT {
        let message = format!("could not read {}: it is no small file", path.display());
        return Err(Error::new(Kind::Rejected, message));
    }
    fs::read(path).map_err(failed)
}

#[async_trait]
impl Traffic for Nginx {
    async fn look(&self) -> Result<TrafficState, Error> {
        let record = self.record()?;
        let (served, mut held) = (self.served().await, self.held()?);
        if let (Served::Color(_), Some(held)) = (&served, &mut held) {
            // The file is there, and was not loaded.
            held.remove(&HoldPart::Page);
        }
        let active = self.active(served, record.as_ref()).await?;
        let effect = record.filter(|record| record.to == active).map(|record| record.effect);
        Ok(TrafficState { active, in_flight: self.in_flight().await, effect, held })
    }

    async fn switch(&self, to: &Color, effect: &str) -> Result<(), Error> {
        let bytes = self.bytes_of(to)?;
        self.check_resolves(to, &String::from_utf8_lossy(&bytes)).await?;
        // Behind the page only the file can say where traffic goes once the page is lifted.
        let page = self.held()?.is_some_and(|held| held.contains(&HoldPart::Page));
        let over = if page { self.page_over(to) } else { None };
        let bytes = over.unwrap_or(bytes);
        let from = match self.served().await {
            Served::Color(color) => Some(color),
            Served::Mixed | Served::Page | Served::Nobody(_) => self.written()?,
        };
        let before = self.record()?;
        let mut record = Record { effect: effect.to_owned(), to: to.clone(), from, served: false };
        self.write_record(&record)?;
        let what = format!("switch traffic to {to}");
        if let Err(error) = self.load(&self.settings.include, &bytes, effect, &what).await {
            if self.written()?.as_ref() != Some(to) {
                // It is as before, and so is what is said of it.
                match before {
                    Some(before) => self.write_record(&before)?,
                    None => fs::remove_file(self.record_path())
                        .map_err(|e| Error::io("remove", self.record_path().display(), &e))?,
                }
            }
            return Err(error);
        }
        if !page {
            self.prove(to).await?;
        }
        record.served = true;
        self.write_record(&record)?;
        if let Some((file, variable)) = &self.settings.active {
            env_file::put(file, variable, to.as_str())?;
        }
        Ok(())
    }

    async fn drain(&self, color: &Color, deadline: Duration) -> Result<u32, Error> {
        let empty = async {
            loop {
                let old = self.workers().await?.old.len();
                let busy = self.in_flight().await.get(color).copied();
                // New workers speak to the other colour only: where the connections cannot be
                // counted, it is enough that the old workers are gone.
                if old == 0 && busy.is_none_or(|busy| busy == 0) {
                    return Ok(());
                }
                self.clock.sleep(LOOK_EVERY).await;
            }
        };
        if let Ok(done) = self.clock.timeout(deadline, empty).await {
            return done.map(|()| 0);
        }
        let cut = self.in_flight().await.get(color).copied();
        let old = self.workers().await?.old;
        let ended = self.settings.place.end(&old, &self.clock).await?;
        match cut {
            Some(cut) if ended || cut == 0 => Ok(cut),
            Some(_) | None => {
                let message = format!(
                    "could not drain {color}: {} old nginx workers still run after {:.0} s",
                    old.len(),
                    deadline.as_secs_f64()
                );
                Err(Error::new(Kind::TimedOut, message))
            }
        }
    }

    /// It resolves names only when it loads: what was made anew has another address.
    async fn refresh(&self) -> Result<(), Error> {
        self.settings.place.test(&self.clock).await?;
        self.settings.place.reload(&self.clock).await
    }

    fn by_hand(&self, to: &Color) -> String {
        let include = &self.settings.include;
        let fresh = include.with_file_name(".next");
        let (fresh, path) =
            (quoted(&fresh.display().to_string()), quoted(&include.display().to_string()));
        let write = match self.settings.colors.get(to) {
            Some(ColorFile::File(from)) => {
                format!("cp {} {fresh}", quoted(&from.display().to_string()))
            }
            Some(ColorFile::Text(text)) => format!("printf %s {} > {fresh}", quoted(text)),
            None => return format!("# nothing is known of {to}"),
        };
        let nginx = self.settings.place.command();
        format!("{write} && mv {fresh} {path} && {nginx} -t && {nginx} -s reload")
    }

    fn can_hold(&self, part: HoldPart) -> bool {
        self.hold_file(part).is_some() || part == HoldPart::Page && self.page_in_include()
    }

    async fn hold(&self, part: HoldPart, held: bool, effect: &str) -> Result<(), Error> {
        let verb = if held { "hold" } else { "lift" };
        let what = format!("{verb} the {}", part.words());
        if part == HoldPart::Page && self.page_in_include() {
            return self.hold_in_include(held, effect, &what).await;
        }
        let Some((path, text)) = self.hold_file(part) else {
            let message = format!("could not {what}: no file that nginx includes is set for it");
            return Err(Error::new(Kind::Rejected, message));
        };
        let bytes = if held { text.into_bytes() } else { Vec::new() };
        if small(path)? == bytes {
            // Loaded anew all the same: a cut off attempt may have left it at the file.
            self.settings.place.test(&self.clock).await?;
            return self.settings.place.reload(&self.clock).await;
        }
        self.load(path, &bytes, effect, &what).await
    }

    fn hold_by_hand(&self, part: HoldPart, held: bool) -> String {
        let (path, text) = match self.hold_file(part) {
            Some((path, text)) => (path, if held { text } else { String::new() }),
            None if part == HoldPart::Page && self.page_in_include() => {
                (&self.settings.include, self.include_text(held))
            }
            None => return format!("# the {} cannot be held here", part.words()),
        };
        let (path, nginx) = (quoted(&path.display().to_string()), self.settings.place.command());
        format!("printf %s {} > {path} && {nginx} -t && {nginx} -s reload", quoted(&text))
    }
}
