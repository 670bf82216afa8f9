//! One project on several hosts: what is done to a colour is done on each of them, one after the
//! other, counted, and what is not done is said by the host's name. A host that cannot be seen is
//! no host that is well: nothing is said of the colour then.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::adapters::{
    DeployOrder, Error, Kind, Release, Released, Worker, Workload, WorkloadState,
};
use crate::model::ids::{Color, Digest};
use crate::text::SafeText;

/// A project on several hosts.
#[derive(Clone)]
pub struct ComposeHosts {
    /// Each with its name; the first one also has the services that are there once.
    hosts: Vec<(String, Arc<dyn Workload>)>,
}

/// What was done on which host, until one failed.
#[derive(Default)]
struct Count {
    done: Vec<String>,
}

impl ComposeHosts {
    /// The project on `hosts`, of which the first one has what is there once: data, and what the
    /// next start runs.
    pub fn new(hosts: Vec<(String, Arc<dyn Workload>)>) -> Self {
        Self { hosts }
    }

    fn first(&self) -> Result<&Arc<dyn Workload>, Error> {
        let first = self.hosts.first().map(|(_, host)| host);
        first.ok_or_else(|| Error::new(Kind::NotFound, "could not find a host: none is configured"))
    }

    /// What every host says; the first one that cannot be seen is named.
    async fn all<T, F>(&self, look: impl Fn(Arc<dyn Workload>) -> F) -> Result<Vec<T>, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let asked = self.hosts.iter().map(|(_, host)| look(Arc::clone(host)));
        let said = futures_util::future::join_all(asked).await;
        let named = said.into_iter().zip(&self.hosts).map(|(said, (name, _))| {
            said.map_err(|error| {
                let message = format!("could not see host {name}: {}", error.message);
                Error::new(error.kind, message)
            })
        });
        named.collect()
    }

    /// Does something on each host, in order; stops at the first that fails, and says which are
    /// done and which are still as they were.
    async fn each<F>(
        &self,
        what: &str,
        act: impl Fn(Arc<dyn Workload>) -> F,
    ) -> Result<SafeText, Error>
    where
        F: Future<Output = Result<SafeText, Error>>,
    {
        let mut count = Count::default();
        let all = self.hosts.len();
        for (at, (name, host)) in self.hosts.iter().enumerate() {
            match act(Arc::clone(host)).await {
                Ok(note) if note.is_empty() => count.done.push(name.clone()),
                Ok(note) => count.done.push(format!("{name} ({note})")),
                Err(error) => {
                    let names = |names: &[(String, Arc<dyn Workload>)]| {
                        let names = names.iter().map(|(name, _)| name.as_str());
                        names.collect::<Vec<_>>().join(", ")
                    };
                    let old = names(self.hosts.get(at..).unwrap_or_default());
                    let message = format!(
                        "could not {what} on host {name}: {}; {at} of {all} hosts done, still \
                         old: {old}",
                        error.message
                    );
                    return Err(Error::new(error.kind, message));
                }
            }
        }
        Ok(SafeText::new(&format!("{all} of {all} hosts: {}", count.done.join(", "))))
    }

    fn lines(&self, line: impl Fn(&Arc<dyn Workload>) -> String) -> String {
        let lines: Vec<String> = self.hosts.iter().map(|(_, host)| line(host)).collect();
        lines.join("; ")
    }

    /// One word where all say the same, else each with its host.
    fn together(&self, words: &[SafeText]) -> SafeText {
        match words {
            [first, rest @ ..] if rest.iter().all(|word| word == first) => first.clone(),
            words => {
                let named = self.hosts.iter().zip(words);
                let named: Vec<String> =
                    named.map(|((name, _), word)| format!("{word} on {name}")).collect();
                SafeText::new(&named.join(", "))
            }
        }
    }
}

#[async_trait]
impl Workload for ComposeHosts {
    async fn identity(&self) -> Result<String, Error> {
        Ok(self.all(|host| async move { host.identity().await }).await?.join(" + "))
    }

    async fn look(&self, color: &Color) -> Result<WorkloadState, Error> {
        let states = self.all(|host| async move { host.look(color).await }).await?;
        let versions: Vec<SafeText> = states.iter().map(|state| state.version.clone()).collect();
        let lives: Vec<&str> = states.iter().map(|state| state.identity.as_str()).collect();
        Ok(WorkloadState {
            running: !states.is_empty() && states.iter().all(|state| state.running),
            kept: !states.is_empty() && states.iter().all(|state| state.kept),
            version: self.together(&versions),
            identity: lives.join("+"),
        })
    }

    async fn stop(&self, color: &Color, grace: Duration, effect: &str) -> Result<SafeText, Error> {
        let what = format!("stop {color}");
        self.each(&what, |host| async move { host.stop(color, grace, effect).await }).await
    }

    async fn start(&self, color: &Color, effect: &str) -> Result<(), Error> {
        let what = format!("start {color}");
        let start = |host: Arc<dyn Workload>| async move {
            host.start(color, effect).await.map(|()| SafeText::default())
        };
        self.each(&what, start).await.map(drop)
    }

    async fn preserve(&self, color: &Color, dir: &Path) -> Result<Vec<String>, Error> {
        let mut kept = Vec::new();
        for (name, host) in &self.hosts {
            let own = dir.join(name);
            std::fs::create_dir_all(&own).map_err(|e| Error::io("make", own.display(), &e))?;
            let files = host.preserve(color, &own).await.map_err(|error| {
                let message = format!("could not preserve host {name}: {}", error.message);
                Error::new(error.kind, message)
            })?;
            kept.extend(files.iter().map(|file| format!("{name}/{file}")));
        }
        Ok(kept)
    }

    fn by_hand(&self, color: &Color, start: bool) -> String {
        self.lines(|host| host.by_hand(color, start))
    }

    async fn workers(&self, color: &Color) -> Result<Vec<Worker>, Error> {
        let all = self.all(|host| async move { host.workers(color).await }).await?;
        let named = self.hosts.iter().zip(all).flat_map(|((name, _), workers)| {
            workers.into_iter().map(move |worker| {
                let (worker, running) = (worker.name, worker.running);
                Worker { name: format!("{worker} on {name}"), running }
            })
        });
        Ok(named.collect())
    }

    async fn stop_workers(
        &self,
        color: &Color,
        grace: Duration,
        effect: &str,
    ) -> Result<SafeText, Error> {
        let what = format!("stop the workers of {color}");
        self.each(&what, |host| async move { host.stop_workers(color, grace, effect).await }).await
    }

    async fn start_workers(&self, color: &Color, effect: &str) -> Result<(), Error> {
        let what = format!("start the workers of {color}");
        let start = |host: Arc<dyn Workload>| async move {
            host.start_workers(color, effect).await.map(|()| SafeText::default())
        };
        self.each(&what, start).await.map(drop)
    }

    fn workers_by_hand(&self, color: &Color, start: bool) -> Vec<String> {
        self.hosts.iter().flat_map(|(_, host)| host.workers_by_hand(color, start)).collect()
    }

    async fn remember(&self, color: &Color) -> Result<(), Error> {
        self.first()?.remember(color).await
    }

    async fn remembers(&self, color: &Color) -> Result<bool, Error> {
        self.first()?.remembers(color).await
    }

    fn remember_by_hand(&self, color: &Color) -> Option<String> {
        self.first().ok()?.remember_by_hand(color)
    }

    async fn repositories(&self) -> Vec<String> {
        let mut all = Vec::new();
        for (_, host) in &self.hosts {
            all.extend(host.repositories().await);
        }
        all.sort();
        all.dedup();
        all
    }

    async fn make_volume(&self, like: &str, name: &str) -> Result<(), Error> {
        self.first()?.make_volume(like, name).await
    }

    async fn remove_volume(&self, name: &str) -> Result<(), Error> {
        self.first()?.remove_volume(name).await
    }

    async fn releases(&self) -> Result<Vec<Release>, Error> {
        let all = self.all(|host| async move { host.releases().await }).await?;
        let mut found: BTreeMap<(SafeText, Digest), Release> = BTreeMap::new();
        for release in all.iter().flatten() {
            let key = (release.version.clone(), release.digest.clone());
            let known = found.entry(key).or_insert_with(|| release.clone());
            known.schema = known.schema.or(release.schema);
        }
        for release in found.values_mut() {
            let whole = |host: &Vec<Release>| {
                let same = host
                    .iter()
                    .find(|one| one.version == release.version && one.digest == release.digest);
                same.is_some_and(|one| one.broken.is_none())
            };
            let missing = self.hosts.iter().zip(&all).filter(|(_, host)| !whole(host));
            let missing: Vec<&str> = missing.map(|((name, _), _)| name.as_str()).collect();
            release.broken = (!missing.is_empty())
                .then(|| SafeText::new(&format!("it is not on host {}", missing.join(", "))));
        }
        Ok(found.into_values().collect())
    }

    async fn released(&self, color: &Color) -> Result<Released, Error> {
        let all = self.all(|host| async move { host.released(color).await }).await?;
        let versions: Vec<SafeText> = all.iter().map(|one| one.version.clone()).collect();
        let first = all.first().and_then(|one| one.digest.clone());
        // Hosts that differ have no release in common.
        let digest = first.filter(|first| all.iter().all(|one| one.digest.as_ref() == Some(first)));
        let since = all.iter().map(|one| one.since).max().flatten();
        Ok(Released { version: self.together(&versions), digest, since })
    }

    async fn deploy(&self, order: &DeployOrder) -> Result<SafeText, Error> {
        let what = format!("start {} on {}", order.version, order.color);
        // One that has it already changes nothing: an attempt that was cut off goes on.
        self.each(&what, |host| async move { host.deploy(order).await }).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A host in a test: what it runs, and whether it can be seen.
    #[derive(Default)]
    struct Host {
        version: Mutex<String>,
        away: bool,
        images: Vec<&'static str>,
    }

    impl Host {
        fn seen(&self) -> Result<(), Error> {
            if self.away {
                return Err(Error::new(Kind::Refused, "no container engine at /run/b.sock"));
            }
            Ok(())
        }
    }

    #[async_trait]
    impl Workload for Host {
        async fn identity(&self) -> Result<String, Error> {
            self.seen().map(|()| "id".to_owned())
        }

        async fn look(&self, _: &Color) -> Result<WorkloadState, Error> {
            self.seen()?;
            let version = SafeText::new(&self.version.lock().unwrap());
            Ok(WorkloadState { running: true, kept: true, version, identity: "x".into() })
        }

        async fn stop(&self, _: &Color, _: Duration, _: &str) -> Result<SafeText, Error> {
            self.seen().map(|()| "ended".into())
        }

        async fn start(&self, _: &Color, _: &str) -> Result<(), Error> {
            self.seen()
        }

        async fn preserve(&self, _: &Color, _: &Path) -> Result<Vec<String>, Error> {
            Ok(vec!["log".to_owned()])
        }

        fn by_hand(&self, color: &Color, _: bool) -> String {
            format!("docker stop {color}")
        }

        async fn releases(&self) -> Result<Vec<Release>, Error> {
            let release = |version: &&str| Release {
                version: (*version).into(),
                digest: Digest::of(version.as_bytes()),
                schema: None,
                broken: None,
            };
            Ok(self.images.iter().map(release).collect())
        }

        async fn deploy(&self, order: &DeployOrder) -> Result<SafeText, Error> {
            self.seen()?;
            *self.version.lock().unwrap() = order.version.to_string();
            Ok(SafeText::default())
        }
    }

    fn hosts(second: Host) -> ComposeHosts {
        let first = Host {
            version: Mutex::new("v2.5.0".to_owned()),
            images: vec!["v2.4.9", "v2.5.0"],
            ..Host::default()
        };
        let (first, second): (Arc<dyn Workload>, Arc<dyn Workload>) =
            (Arc::new(first), Arc::new(second));
        ComposeHosts::new(vec![("a".to_owned(), first), ("b".to_owned(), second)])
    }

    fn order() -> DeployOrder {
        DeployOrder {
            color: "blue".into(),
            version: "v2.4.9".into(),
            digest: Digest::of(b"v2.4.9"),
            runs: true,
            grace: Duration::ZERO,
            effect: "e".to_owned(),
        }
    }

    #[tokio::test]
    async fn what_is_done_is_counted_and_what_differs_is_told_by_host() {
        let both = hosts(Host {
            version: Mutex::new("v2.4.9".to_owned()),
            images: vec!["v2.4.9"],
            ..Host::default()
        });
        let blue = Color::from("blue");
        let seen = both.look(&blue).await.unwrap();
        assert_eq!(seen.version.as_str(), "v2.5.0 on a, v2.4.9 on b");
        let note = both.stop(&blue, Duration::ZERO, "e").await.unwrap();
        assert_eq!(note.as_str(), "2 of 2 hosts: a (ended), b (ended)");
        let releases = both.releases().await.unwrap();
        let broken: Vec<_> =
            releases.iter().map(|one| (one.version.as_str(), one.broken.is_some())).collect();
        assert_eq!(broken, [("v2.4.9", false), ("v2.5.0", true)]);
        assert_eq!(both.deploy(&order()).await.unwrap().as_str(), "2 of 2 hosts: a, b");
        assert_eq!(both.look(&blue).await.unwrap().version.as_str(), "v2.4.9");
    }

    #[tokio::test]
    async fn a_host_that_cannot_be_seen_is_named_and_says_which_are_still_old() {
        let both = hosts(Host { away: true, ..Host::default() });
        let blue = Color::from("blue");
        let why = both.look(&blue).await.unwrap_err();
        assert_eq!(why.message, "could not see host b: no container engine at /run/b.sock");
        let why = both.deploy(&order()).await.unwrap_err().message;
        assert!(why.ends_with("1 of 2 hosts done, still old: b"), "{why}");
    }
}
