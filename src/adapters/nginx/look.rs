//! Where traffic goes: what is served, what the file says, what nginx's processes tell.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use crate::adapters::{Error, Kind, control};
use crate::model::ids::{Color, Time};
use crate::text::{SafeText, fit};

use super::workers::Workers;
use super::{LOOK_EVERY, Nginx, Record, SAYS, small, upstream};

/// How long one question to the public address may take.
const SERVED_LIMIT: Duration = Duration::from_secs(3);
/// How long fresh connections may disagree: a reload takes a moment.
const AGREE_LIMIT: Duration = Duration::from_secs(3);

/// What fresh connections are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Served {
    Color(Color),
    /// Some by one, some by another.
    Mixed,
    /// The maintenance page.
    Page,
    /// Nobody said a colour; what was said instead.
    Nobody(String),
}

impl Nginx {
    /// Which colour the file says; nothing when it is none of ours.
    pub(super) fn written(&self) -> Result<Option<Color>, Error> {
        let there = small(&self.settings.include)?;
        if let Some(color) = super::page::stands_over(&there) {
            return Ok(Some(color).filter(|color| self.settings.colors.contains_key(color)));
        }
        for color in self.settings.colors.keys() {
            if self.bytes_of(color)? == there {
                return Ok(Some(color.clone()));
            }
        }
        Ok(None)
    }

    /// What one fresh connection is answered.
    async fn served_once(&self) -> Result<Color, String> {
        let reply =
            Box::pin(control::get(&self.settings.public_url, SERVED_LIMIT, &self.clock)).await;
        let reply = reply.map_err(|error| error.message)?;
        let said = reply.json().and_then(|body| {
            let color = body.get("environment")?.as_str()?;
            self.settings.colors.keys().find(|one| one.as_str() == color).cloned()
        });
        if said.is_none() && reply.body.starts_with(SAYS.as_bytes()) {
            return Err(SAYS.to_owned());
        }
        said.ok_or_else(|| format!("{} answered {}", self.settings.public_url, reply.status))
    }

    pub(super) async fn served_now(&self) -> Served {
        let mut colors = BTreeSet::new();
        let mut said = String::new();
        let (first, second, third) =
            tokio::join!(self.served_once(), self.served_once(), self.served_once());
        for one in [first, second, third] {
            match one {
                Ok(color) => {
                    colors.insert(color);
                }
                Err(other) => said = other,
            }
        }
        match (colors.pop_first(), colors.is_empty()) {
            (None, _) if said == SAYS => Served::Page,
            (None, _) => Served::Nobody(said),
            (Some(color), true) => Served::Color(color),
            (Some(_), false) => Served::Mixed,
        }
    }

    pub(super) async fn served(&self) -> Served {
        let agree = async {
            loop {
                match self.served_now().await {
                    Served::Mixed => self.clock.sleep(LOOK_EVERY).await,
                    found @ (Served::Color(_) | Served::Page | Served::Nobody(_)) => return found,
                }
            }
        };
        self.clock.timeout(AGREE_LIMIT, agree).await.unwrap_or(Served::Mixed)
    }

    /// The colour that is served. Where nobody says it (its application is down), the file says
    /// it, if the workers were started after the file was replaced.
    pub(super) async fn active(
        &self,
        served: Served,
        record: Option<&Record>,
    ) -> Result<Color, Error> {
        let no = |why: &str| {
            let message = format!("could not see where nginx sends traffic: {why}");
            Err(Error::new(Kind::Rejected, message))
        };
        let said = match served {
            Served::Color(color) => return Ok(color),
            // Behind the page it is what the file says once the page is lifted.
            Served::Page => match self.written()? {
                Some(color) => return Ok(color),
                None => SafeText::new(SAYS).to_string(),
            },
            Served::Mixed => return no("some answers come from one colour, some from another"),
            Served::Nobody(said) => fit(SafeText::new(&said).as_str(), 200),
        };
        let workers = self.workers().await?;
        if workers.current.is_empty() {
            return no(&format!("{said}, and nginx has no worker"));
        }
        let Some(written) = self.written()? else {
            let include = self.settings.include.display();
            return no(&format!("{said}, and {include} is no colour's"));
        };
        let proven = record.filter(|record| record.to == written);
        if proven.is_some_and(|record| record.served) {
            return Ok(written);
        }
        let path = &self.settings.include;
        let changed = fs::metadata(path).and_then(|file| file.modified());
        let changed = changed.map_err(|e| Error::io("read", path.display(), &e))?;
        let age = (self.clock.now() - Time::from(changed)).num_seconds();
        match (workers.youngest(), proven.and_then(|record| record.from.clone())) {
            // Whole seconds on either side.
            (Some(youngest), _) if youngest + 1 < age => Ok(written),
            (Some(youngest), Some(from)) if youngest > age + 1 => Ok(from),
            _ => {
                no(&format!("{said}, and nginx was not loaded anew since the file says {written}"))
            }
        }
    }

    pub(super) async fn workers(&self) -> Result<Workers, Error> {
        Ok(Workers::read(&self.settings.place.processes(&self.clock).await?))
    }

    /// Established connections of nginx to each colour; a colour that cannot be counted is left
    /// out: unknown is not zero.
    pub(super) async fn in_flight(&self) -> BTreeMap<Color, u32> {
        let Ok(table) = self.settings.place.connections(&self.clock).await else {
            return BTreeMap::new();
        };
        let mut counts = BTreeMap::new();
        for color in self.settings.colors.keys() {
            let Ok(bytes) = self.bytes_of(color) else { continue };
            let targets = upstream::targets(&String::from_utf8_lossy(&bytes));
            if let Ok(Some(places)) = self.settings.place.resolve(&targets).await {
                counts.insert(color.clone(), upstream::established(&table, &places));
            }
        }
        counts
    }
}
