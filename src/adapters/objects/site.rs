//! The frontend that is served from object storage: one version's objects under the prefix that
//! users get, or a pointer that names it. Assets go first, then pages, the manifest last (W-32).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use crate::adapters::{Error, Kind};
use crate::model::ids::Digest;
use crate::text::SafeText;

use super::edge::{Edge, Mobile};
use super::{Object, Objects};

/// How a site lies in its storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteSettings {
    /// What stands before and after a version in the prefix of its objects: `versions/` and `/`.
    pub versions: (String, String),
    /// The prefix of what users get: `current/`.
    pub current: String,
    /// The object that names the pointer's version, where one is switched instead of a copy made.
    pub pointer: Option<String>,
    /// The object that says which version it is, below a version's prefix.
    pub manifest: String,
    /// Objects that are copied at once.
    pub at_once: usize,
}

/// What lies below a prefix; its keys are without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The prefix.
    pub prefix: String,
    /// In order of their keys.
    pub objects: Vec<Object>,
}

impl Content {
    /// Over the names, sizes and tags of all of it: what is approved is what is copied.
    pub fn digest(&self) -> Digest {
        let line = |one: &Object| format!("{}\0{}\0{}\n", one.key, one.size, one.tag);
        Digest::of(self.objects.iter().map(line).collect::<String>().as_bytes())
    }

    /// Bytes of all of it.
    pub fn size(&self) -> u64 {
        self.objects.iter().map(|one| one.size).sum()
    }
}

/// A site and what else serves it.
pub struct Front {
    /// Its objects.
    pub site: Site,
    /// The caches before it.
    pub edges: Vec<Edge>,
    /// What releases it on phones.
    pub mobile: Option<Mobile>,
}

/// A site.
pub struct Site {
    objects: Arc<dyn Objects>,
    settings: SiteSettings,
}

impl Site {
    /// The site in `objects`; nothing is asked yet.
    pub fn new(objects: Arc<dyn Objects>, settings: SiteSettings) -> Self {
        Self { objects, settings }
    }

    /// Where it is.
    pub fn place(&self) -> String {
        self.objects.place()
    }

    /// How the tool of the place names `key`.
    pub fn address(&self, key: &str) -> String {
        self.objects.address(key)
    }

    /// How it lies there.
    pub fn settings(&self) -> &SiteSettings {
        &self.settings
    }

    /// The prefix of a version's objects.
    pub fn prefix(&self, version: &str) -> String {
        let (before, after) = &self.settings.versions;
        format!("{before}{version}{after}")
    }

    /// The versions that are kept, newest number last.
    pub async fn versions(&self) -> Result<Vec<String>, Error> {
        let (before, after) = &self.settings.versions;
        let found = self.objects.folders(before).await?;
        let name = |key: &String| Some(key.strip_prefix(before)?.strip_suffix(after)?.to_owned());
        let mut names: Vec<String> = found.iter().filter_map(name).collect();
        names.retain(|name| !name.is_empty() && !name.starts_with(KEPT));
        names.sort_by_cached_key(|name| numbers(name));
        Ok(names)
    }

    /// What lies below a prefix.
    pub async fn content(&self, prefix: &str) -> Result<Content, Error> {
        let mut objects = self.objects.list(prefix).await?;
        for one in &mut objects {
            one.key = one.key.get(prefix.len()..).unwrap_or_default().to_owned();
        }
        // What a console makes for a folder is no object of the site.
        objects.retain(|one| !one.key.is_empty() && !one.key.ends_with('/'));
        Ok(Content { prefix: prefix.to_owned(), objects })
    }

    /// The version that users get, by the pointer or by the manifest; none where that is not there.
    pub async fn live(&self) -> Result<Option<SafeText>, Error> {
        let key = match &self.settings.pointer {
            Some(pointer) => pointer.clone(),
            None => format!("{}{}", self.settings.current, self.settings.manifest),
        };
        let Some(found) = self.json(&key).await? else { return Ok(None) };
        Ok(Some(version_of(&found, &self.address(&key))?))
    }

    async fn json(&self, key: &str) -> Result<Option<Value>, Error> {
        let Some(bytes) = self.objects.read(key).await? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|e| {
            let message = format!("could not read {}: it is no JSON: {e}", self.address(key));
            Error::new(Kind::Rejected, message)
        })
    }

    /// The objects of a version, after its manifest has said that it is that version and that they
    /// are all there, each of the size and with the tag that it names. How many it named.
    pub async fn whole(&self, version: &str) -> Result<(Content, usize), Error> {
        let prefix = self.prefix(version);
        let key = format!("{prefix}{}", self.settings.manifest);
        let no = |kind, why: String| {
            Error::new(kind, format!("could not take version {version}: {why}"))
        };
        let Some(manifest) = self.json(&key).await? else {
            let known = self.versions().await?;
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let why = format!("there is no {}; known are {known}", self.address(&key));
            return Err(no(Kind::NotFound, why));
        };
        let says = version_of(&manifest, &self.address(&key))?;
        if says.as_str() != version {
            return Err(no(Kind::Rejected, format!("its manifest says that it is {says}")));
        }
        let content = self.content(&prefix).await?;
        let there: BTreeMap<&str, &Object> =
            content.objects.iter().map(|one| (one.key.as_str(), one)).collect();
        let wanted = wanted(&manifest);
        let wrong = |file: &Wanted| {
            let name = &file.key;
            let Some(found) = there.get(name.as_str()) else { return Some(format!("no {name}")) };
            if let Some(size) = file.size.filter(|size| *size != found.size) {
                return Some(format!("{name} has {} bytes, {size} are expected", found.size));
            }
            let other = |tag: &&String| !found.tag.contains('-') && **tag != found.tag;
            file.tag.as_ref().filter(other).map(|_| format!("{name} is another one"))
        };
        let wrong: Vec<String> = wanted.iter().filter_map(wrong).collect();
        if let Some(first) = wrong.first() {
            let (many, all) = (wrong.len(), wanted.len());
            return Err(no(
                Kind::Rejected,
                format!("{many} of the {all} objects of its manifest are not as it says: {first}"),
            ));
        }
        Ok((content, wanted.len()))
    }

    /// Whether below `to` lies just what `from` is. Where only tags differ the bytes are compared:
    /// an upload in parts, or encryption, gives the same bytes another tag.
    pub async fn is_at(&self, from: &Content, to: &str) -> Result<bool, Error> {
        let there = self.content(to).await?;
        let names = |content: &Content| -> Vec<(String, u64)> {
            content.objects.iter().map(|one| (one.key.clone(), one.size)).collect()
        };
        if names(from) != names(&there) {
            return Ok(false);
        }
        let pairs = from.objects.iter().zip(&there.objects);
        for (one, _) in pairs.filter(|(one, other)| one.tag != other.tag) {
            let bytes = |prefix: &str| format!("{prefix}{}", one.key);
            let (left, right) = (bytes(&from.prefix), bytes(to));
            let both = tokio::try_join!(self.objects.read(&left), self.objects.read(&right))?;
            if both.0 != both.1 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes what lies below `to` what `from` is: assets, pages, the manifest, and then what is not
    /// of it is removed. `each` is told how many of how many; an error of it ends the work. What
    /// lies there already is left: a repeat does the rest. How many were copied and removed.
    pub async fn put(
        &self,
        from: &Content,
        to: &str,
        each: &(dyn Fn(u64, u64) -> Result<(), Error> + Sync),
    ) -> Result<(u64, u64), Error> {
        let there = self.content(to).await?;
        let has: BTreeMap<&str, &Object> =
            there.objects.iter().map(|one| (one.key.as_str(), one)).collect();
        let lacks = |one: &&Object| has.get(one.key.as_str()).is_none_or(|other| other != one);
        let mut ranks: [Vec<&Object>; 3] = Default::default();
        for one in from.objects.iter().filter(lacks) {
            if let Some(rank) = ranks.get_mut(self.rank(&one.key)) {
                rank.push(one);
            }
        }
        let ours: BTreeSet<&str> = from.objects.iter().map(|one| one.key.as_str()).collect();
        let extra: Vec<String> = there
            .objects
            .iter()
            .filter(|one| !ours.contains(one.key.as_str()))
            .map(|one| format!("{to}{}", one.key))
            .collect();
        let copied = ranks.iter().map(Vec::len).sum::<usize>() as u64;
        let (all, mut done) = (copied + extra.len() as u64, 0);
        let mut tell = || {
            done += 1;
            each(done, all)
        };
        for rank in ranks {
            let keys = rank
                .into_iter()
                .map(|one| (format!("{}{}", from.prefix, one.key), format!("{to}{}", one.key)))
                .collect::<Vec<_>>();
            let mut copies = Vec::new();
            for (from, to) in &keys {
                copies.push(self.objects.copy(from, to));
            }
            self.side_by_side(copies, &mut tell).await?;
        }
        let mut removals = Vec::new();
        for key in &extra {
            removals.push(self.objects.remove(key));
        }
        self.side_by_side(removals, &mut tell).await?;
        Ok((copied, extra.len() as u64))
    }

    /// Does all of it, so much at once; `tell` hears of each that is done, and may end it.
    async fn side_by_side(
        &self,
        work: Vec<impl Future<Output = Result<(), Error>> + Send>,
        tell: &mut (dyn FnMut() -> Result<(), Error> + Send),
    ) -> Result<(), Error> {
        let at_once = self.settings.at_once.max(1);
        let mut work = futures_util::stream::iter(work).buffer_unordered(at_once);
        while work.try_next().await?.is_some() {
            tell()?;
        }
        Ok(())
    }

    /// What a page names is there before the page, and the manifest is last.
    fn rank(&self, key: &str) -> usize {
        let page = std::path::Path::new(key).extension().is_some_and(|end| end == "html");
        match (key == self.settings.manifest, page) {
            (true, _) => 2,
            (false, true) => 1,
            (false, false) => 0,
        }
    }

    /// Lets the pointer name a version: one object, in one piece.
    pub async fn point(&self, version: &str) -> Result<(), Error> {
        let pointer = self.settings.pointer.as_deref().unwrap_or_default();
        let says = json!({"version": version, "path": self.prefix(version)});
        self.objects.write(pointer, says.to_string().into_bytes()).await
    }
}

/// What a copy of something without a name is called, before its digest.
pub const KEPT: &str = "left-";

/// An object that a manifest names.
struct Wanted {
    key: String,
    size: Option<u64>,
    tag: Option<String>,
}

/// The objects that a manifest names under `files`: names, or names with `size` and `etag`.
fn wanted(manifest: &Value) -> Vec<Wanted> {
    let about = |key: &str, value: &Value| Wanted {
        key: key.trim_start_matches('/').to_owned(),
        size: value.get("size").and_then(Value::as_u64),
        tag: value.get("etag").and_then(Value::as_str).map(|tag| tag.trim_matches('"').to_owned()),
    };
    match manifest.get("files") {
        Some(Value::Object(map)) => map.iter().map(|(key, value)| about(key, value)).collect(),
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(|one| Some(about(one.as_str().or_else(|| one.get("path")?.as_str())?, one)))
            .collect(),
        _ => Vec::new(),
    }
}

fn version_of(manifest: &Value, at: &str) -> Result<SafeText, Error> {
    let version = manifest.get("version").and_then(Value::as_str);
    version.map(SafeText::new).ok_or_else(|| {
        let message = format!("could not read {at}: it has no \"version\"");
        Error::new(Kind::Rejected, message)
    })
}

/// A version as it is put in order: `2.0.10` after `2.0.9`.
fn numbers(version: &str) -> Vec<(u64, String)> {
    let parts = version.split(['.', '-', '_', '+']);
    let number = |part: &str| part.trim_start_matches('v').parse().unwrap_or(0);
    parts.map(|part| (number(part), part.to_owned())).collect()
}

#[cfg(test)]
mod tests;
