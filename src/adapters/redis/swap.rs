//! The restored Redis takes the live one's place: both are stopped, its folder is moved under the
//! live volume's name, the one before is kept. Each stage is seen from the folders, so that an
//! attempt that was cut off is finished by the next.

use std::fs;
use std::time::Duration;

use crate::adapters::beside::{Place, blocking};
use crate::adapters::{Error, Kind};
use crate::model::keys::{self, Keys};
use crate::text::SafeText;

use super::place::Note;
use super::store::RedisStore;

/// How long a server may take to write its keys and end.
const STOP: Duration = Duration::from_mins(2);

impl RedisStore {
    /// Puts the one beside under `name` in the live one's place, and keeps that as `keep`.
    pub(super) async fn swapped(&self, name: &str, keep: &str) -> Result<SafeText, Error> {
        let (live, place) = self.live().await?;
        place.open()?;
        let docker = &self.service()?.docker;
        if place.beside(name).exists() {
            let copy = self.container_name(name);
            match docker.container(&copy).await {
                Ok(found) => docker.stop(&found.id, STOP).await?,
                Err(error) if error.kind == Kind::NotFound => {}
                Err(error) => return Err(error),
            }
            docker.stop(&live.id, STOP).await?;
            if docker.container(&live.id).await?.running {
                let message = "could not swap: the live Redis did not stop";
                return Err(Error::new(Kind::Held, message));
            }
            docker.make_beside(&self.service()?.project, &place, keep).await?;
            let (at, name, keep) = (place.clone(), name.to_owned(), keep.to_owned());
            blocking(move || at.exchange(&name, &keep)).await?;
        } else if !place.beside(keep).exists() {
            let message = format!("could not swap: neither {name} nor {keep} is beside Redis");
            return Err(Error::new(Kind::NotFound, message));
        }
        docker.end_beside(&self.container_name(name), name).await?;
        self.forgotten(&place, name).await;
        docker.start(&live.id).await?;
        self.loaded(&self.server, &live.id, &|_| {}).await?;
        let appends = self.appends(&place).await;
        let found = self.keys_of(&self.server).await?;
        let counted = Note::read(&place.held).map(|note| note.keys);
        let wrong = counted.map(|counted| Keys::exactly(&counted).wrong(&found));
        if let Some(wrong) = wrong.filter(|wrong| !wrong.is_empty()) {
            let message = format!(
                "could not prove the swap: {}; the one before is kept as {}",
                wrong.join("; "),
                place.source(keep).display()
            );
            return Err(Error::new(Kind::Rejected, message));
        }
        // Later it is kept, or comes back, with other keys.
        Note::remove(&place.held);
        let (kept, held) = (place.source(keep), keys::words(&found));
        Ok(SafeText::new(&format!(
            "the live Redis holds {held} ({appends}); the one before is kept as {}",
            kept.display()
        )))
    }

    /// Whether the live one keeps appends. What a copy wrote for a server that could not be asked
    /// is taken away where that keeps none: they would be read if it is told to keep some later.
    async fn appends(&self, place: &Place) -> &'static str {
        let Ok(word) = self.setting("appendonly").await else {
            return "whether it keeps appends is not known";
        };
        if word == "yes" {
            return "its appends are read";
        }
        let own = place.held.join(&place.below);
        for name in ["appenddirname", "appendfilename"] {
            let Ok(name) = self.setting(name).await else { continue };
            if name.is_empty() || name.contains('/') || name.starts_with('.') {
                continue;
            }
            let path = own.join(name);
            let left =
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            left.ok();
        }
        "its dump is read"
    }

    /// Forgets the volume whose files were moved away.
    async fn forgotten(&self, place: &Place, name: &str) {
        if let (Some(volume), Ok(at)) = (&place.volume, self.service())
            && !place.beside(name).exists()
        {
            at.docker.remove_volume(&format!("{volume}.{name}")).await.ok();
        }
    }
}
