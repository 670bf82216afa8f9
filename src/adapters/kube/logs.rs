//! What containers of a pod wrote.

use hyper::Method;

use crate::adapters::{Error, Kind as No};
use crate::model::ids::Time;
use crate::text::SafeText;

use super::{Call, Kind, Kube};

/// The most of one container's log in one answer, in bytes.
const MOST: u32 = 8 * 1024 * 1024;

/// What a kubelet says in place of the log of a container that is gone.
const GONE: &str = "unable to retrieve container logs for";

/// Which part of a container's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogAsk<'a> {
    /// The container; may be left out where the pod has only one.
    pub container: Option<&'a str>,
    /// The one before it was last started anew: why it ended stands there.
    pub previous: bool,
    /// Only what was written since.
    pub since: Option<Time>,
    /// Only the last lines.
    pub tail: Option<u32>,
}

impl LogAsk<'_> {
    fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("timestamps", "true").append_pair("limitBytes", &MOST.to_string());
        if let Some(container) = self.container {
            query.append_pair("container", container);
        }
        if self.previous {
            query.append_pair("previous", "true");
        }
        if let Some(since) = self.since {
            let since = since.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            query.append_pair("sinceTime", &since);
        }
        if let Some(tail) = self.tail {
            query.append_pair("tailLines", &tail.to_string());
        }
        query.finish()
    }
}

impl Kube {
    /// What a container wrote, each line after its time and a space; at most 8 MiB from the first
    /// line asked for. Fails with `NotFound` for a pod, and `Rejected` for a container, that never was.
    pub async fn logs(&self, pod: &str, ask: LogAsk<'_>) -> Result<Vec<u8>, Error> {
        let what = format!("read the log of pod {} in {}", SafeText::new(pod), self.namespace());
        let path = format!("{}/log?{}", self.path(&what, Kind::Pod, pod)?, ask.query());
        let said = self.call(Call { what: &what, method: Method::GET, path, body: None }).await?;
        // A kubelet whose container is gone says so as if the container had written it.
        if said.starts_with(GONE.as_bytes()) {
            let message = format!("could not {what}: the container and its log are gone");
            return Err(Error::new(No::NotFound, message));
        }
        Ok(said)
    }
}
