//! Objects of a kind, kept as they change, so that a look at hundreds of pods asks for none of them.
//!
//! A list is the truth, a watch only a hint: whenever the watch breaks, is told that it is too old
//! (410), says nothing for too long, or has gone on for a while, everything is listed anew. How long
//! ago the server was last heard is part of every answer: what is old is shown as old. Of each
//! object only what looks read is kept.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::Method;
use kube::client::Body;
use serde_json::{Map, Value};

use crate::adapters::{Error, Kind as No};
use crate::clock::Clock;
use crate::text::SafeText;

use super::{ANSWER_LIMIT, Call, Kind, Kube, LOOK_LIMIT, Object, request, words};

/// How long one watch stays open: the server ends it then, which shows that it lives.
const OPEN: Duration = Duration::from_secs(20);
/// Longer than that without a word, and what is known is old.
pub const FRESH: Duration = Duration::from_secs(30);
/// How long hints are followed before everything is listed anew.
const RELIST: Duration = Duration::from_mins(5);
/// Between two attempts, of a watch and of a list.
const RETRY: Duration = Duration::from_secs(1);
/// The longest line of a watch, in bytes: one object.
const LINE: usize = 4 * 1024 * 1024;

/// The objects of a kind with some labels, followed until this is dropped.
pub struct Watched {
    state: Arc<Mutex<State>>,
    clock: Clock,
    task: tokio::task::AbortHandle,
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watched")
    }
}

/// What is known now.
#[derive(Clone, Debug)]
pub struct Known {
    /// The objects, by name; of each only what looks read.
    pub objects: Vec<Arc<Object>>,
    /// How long ago the server was last heard.
    pub age: Duration,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Arc<Object>>,
    /// When the server was last heard; never before the first list.
    heard: Option<Duration>,
    /// Why it is not heard now.
    error: Option<Error>,
}

impl Known {
    /// Whether it may be taken for what is so now.
    pub fn is_fresh(&self) -> bool {
        self.age <= FRESH
    }
}

impl Watched {
    /// Lists and follows the objects of `kind` with `labels` where `kube` works. Needs a runtime.
    pub fn start(kube: Kube, kind: Kind, labels: &str) -> Self {
        let state = Arc::<Mutex<State>>::default();
        let clock = kube.clock.clone();
        let keeper = Keeper { kube, kind, labels: labels.to_owned(), state: Arc::clone(&state) };
        let task = tokio::spawn(async move { keeper.run().await }).abort_handle();
        Self { state, clock, task }
    }

    /// What is known, and how old that is; the error while nothing was ever heard.
    pub fn now(&self) -> Result<Option<Known>, Error> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match (state.heard, &state.error) {
            (Some(heard), _) => Ok(Some(Known {
                objects: state.objects.values().cloned().collect(),
                age: self.clock.ticks().saturating_sub(heard),
            })),
            (None, Some(error)) => Err(error.clone()),
            (None, None) => Ok(None),
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Kube {
    /// Opens a watch on objects of a kind; empty words are left out.
    async fn open(
        &self,
        what: &str,
        kind: Kind,
        words: &[(&str, &str)],
    ) -> Result<Pin<Box<Body>>, Error> {
        let path = format!("{}?{}", kind.path(self.namespace(), None), query(words));
        let (client, server) = self.client(what).await?;
        let asked = client.send(request(Call { what, method: Method::GET, path, body: None })?);
        let answer = self.clock.timeout(LOOK_LIMIT, asked).await;
        let answer = answer.map_err(|_| words::silent(what, &server, LOOK_LIMIT, false))?;
        let answer = answer.map_err(|error| words::broken(what, &server, &error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(Box::pin(answer.into_body()));
        }
        if status == hyper::StatusCode::UNAUTHORIZED {
            self.keep(None);
        }
        let said = Limited::new(answer.into_body(), ANSWER_LIMIT).collect();
        let said = self.clock.timeout(LOOK_LIMIT, said).await;
        let said = said.ok().and_then(Result::ok).map(http_body_util::Collected::to_bytes);
        Err(words::refused(what, status.as_u16(), &said.unwrap_or_default(), false))
    }

    /// Waits until an object is no longer as it was read. Only a hint that saves looks: where it
    /// cannot be had, it does not end.
    pub(super) async fn changed(&self, kind: Kind, object: &Object) {
        let what = format!("watch {} {}", kind.word(), object.name());
        let field = format!("metadata.name={}", object.name());
        let words = [("resourceVersion", object.version()), ("fieldSelector", field.as_str())];
        if let Ok(mut body) = self.open(&what, kind, &words).await
            && let Some(Ok(_)) = body.frame().await
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

struct Keeper {
    kube: Kube,
    kind: Kind,
    labels: String,
    state: Arc<Mutex<State>>,
}

impl Keeper {
    async fn run(&self) {
        let clock = &self.kube.clock;
        loop {
            let error = match self.list().await {
                Ok(version) => self.follow(version).await.err(),
                Err(error) => Some(error),
            };
            if let Some(error) = error {
                tracing::debug!("{error}");
                self.with(|state| state.error = Some(error));
                clock.sleep(RETRY).await;
            }
        }
    }

    fn with(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    async fn list(&self) -> Result<String, Error> {
        let began = self.kube.clock.ticks();
        let keep = |object| narrow(self.kind, object);
        let (objects, version) = self.kube.list_at(self.kind, &self.labels, keep).await?;
        let objects = objects.into_iter().map(|one| (one.name().to_owned(), Arc::new(one)));
        let objects = objects.collect();
        // What was true when it was asked for, not when the last page came.
        self.with(|state| *state = State { objects, heard: Some(began), error: None });
        Ok(version)
    }

    /// Follows until it is time to list anew; an error where that is at once.
    async fn follow(&self, mut version: String) -> Result<(), Error> {
        let clock = &self.kube.clock;
        let listed = clock.ticks();
        while clock.ticks().saturating_sub(listed) < RELIST {
            let opened = clock.ticks();
            version = self.watch(version).await?;
            // A server that ends every watch at once is not asked as fast as it answers.
            clock.sleep(RETRY.saturating_sub(clock.ticks().saturating_sub(opened))).await;
        }
        Ok(())
    }

    /// One watch, until the server ends it: the version that it has come to.
    async fn watch(&self, mut version: String) -> Result<String, Error> {
        let what = format!("watch {}s in {}", self.kind.word(), self.kube.namespace());
        let words = [
            ("resourceVersion", version.as_str()),
            ("allowWatchBookmarks", "true"),
            ("labelSelector", self.labels.as_str()),
        ];
        let mut body = self.kube.open(&what, self.kind, &words).await?;
        let clock = &self.kube.clock;
        let mut rest: Vec<u8> = Vec::new();
        loop {
            self.with(|state| (state.heard, state.error) = (Some(clock.ticks()), None));
            let next = clock.timeout(FRESH, body.frame()).await;
            let Some(frame) = next.map_err(|_| Error::timed_out(what.clone(), FRESH))? else {
                return Ok(version);
            };
            let frame = frame.map_err(|error| {
                let why = SafeText::new(&error.to_string());
                Error::new(No::Reset, format!("could not {what}: it broke off: {why}"))
            })?;
            let Ok(data) = frame.into_data() else { continue };
            rest.extend_from_slice(&data);
            while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=at).collect();
                if let Some(newer) = self.take(&what, &line)? {
                    version = newer;
                }
            }
            if rest.len() > LINE {
                let message = format!("could not {what}: an object has more than {LINE} bytes");
                return Err(Error::new(No::Rejected, message));
            }
        }
    }

    /// One line of a watch: the version it stands for.
    fn take(&self, what: &str, line: &[u8]) -> Result<Option<String>, Error> {
        let mut event: Map<String, Value> = serde_json::from_slice(line).map_err(|error| {
            Error::new(No::Reset, format!("could not {what}: a line cannot be read: {error}"))
        })?;
        let object = event.remove("object").unwrap_or_default();
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
        if kind == "ERROR" {
            // Most often 410: what was read is too old to go on from.
            let code = object.get("code").and_then(Value::as_u64).unwrap_or(500);
            let code = u16::try_from(code).unwrap_or(500);
            return Err(words::refused(what, code, object.to_string().as_bytes(), false));
        }
        let object = narrow(self.kind, object);
        let (name, version) = (object.name().to_owned(), object.version().to_owned());
        self.with(|state| match kind {
            "ADDED" | "MODIFIED" => drop(state.objects.insert(name, Arc::new(object))),
            "DELETED" => drop(state.objects.remove(&name)),
            _ => {}
        });
        Ok((!version.is_empty()).then_some(version))
    }
}

/// The query of a watch.
fn query(words: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("watch", "true");
    query.append_pair("timeoutSeconds", &OPEN.as_secs().to_string());
    query.extend_pairs(words.iter().filter(|(_, value)| !value.is_empty()));
    query.finish()
}

/// What looks read of an object: a pod's own wishes, notes and who wrote them are four fifths of it.
fn narrow(kind: Kind, mut object: Value) -> Object {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        metadata.remove("annotations");
    }
    let spec = object.get_mut("spec").and_then(Value::as_object_mut);
    match (kind, spec) {
        (Kind::Pod, Some(spec)) => spec.retain(|key, _| key == "nodeName"),
        (_, Some(spec)) => drop(spec.remove("template")),
        (_, None) => {}
    }
    let status = object.get_mut("status").and_then(Value::as_object_mut);
    if let (Kind::Pod, Some(status)) = (kind, status) {
        for key in ["hostIP", "hostIPs", "podIPs", "qosClass", "ephemeralContainerStatuses"] {
            status.remove(key);
        }
        for list in ["containerStatuses", "initContainerStatuses"] {
            for one in status.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                let Some(one) = one.as_object_mut() else { continue };
                for key in ["image", "imageID", "containerID", "volumeMounts", "resources"] {
                    one.remove(key);
                }
            }
        }
    }
    Object::new(object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn keeper() -> Keeper {
        let kube = Kube::new(super::super::KubeSettings::default(), Clock::real());
        let state = Arc::default();
        Keeper { kube, kind: Kind::Pod, labels: String::new(), state }
    }

    fn line(kind: &str, object: &Value) -> Vec<u8> {
        json!({"type": kind, "object": object}).to_string().into_bytes()
    }

    #[test]
    fn changes_are_taken_over_and_a_bookmark_only_moves_the_version() {
        let keeper = keeper();
        let pod = |name: &str, version: &str| {
            json!({"metadata": {"name": name, "resourceVersion": version, "managedFields": [{}]},
                "spec": {"nodeName": "a", "containers": [{}]}, "status": {"phase": "Running"}})
        };
        let take = |kind, object: &Value| keeper.take("watch", &line(kind, object));
        assert_eq!(take("ADDED", &pod("a", "5")).unwrap().as_deref(), Some("5"));
        take("ADDED", &pod("b", "6")).unwrap();
        take("MODIFIED", &pod("a", "7")).unwrap();
        take("DELETED", &pod("b", "8")).unwrap();
        let mark = json!({"metadata": {"resourceVersion": "90"}});
        assert_eq!(take("BOOKMARK", &mark).unwrap().as_deref(), Some("90"));
        let state = keeper.state.lock().unwrap();
        assert_eq!(state.objects.keys().collect::<Vec<_>>(), ["a"]);
        let pod = &state.objects["a"];
        assert_eq!((pod.version(), pod.text("/spec/nodeName")), ("7", "a"));
        assert!(pod.items("/spec/containers").is_empty(), "only what looks read is kept");
    }

    #[test]
    fn what_is_too_old_to_go_on_from_is_an_error_that_lists_anew() {
        let gone = json!({"code": 410, "message": "too old resource version: 1 (90)"});
        let error = keeper().take("watch pods", &line("ERROR", &gone)).unwrap_err();
        assert!(error.message.contains("too old"), "{error}");
    }
}
