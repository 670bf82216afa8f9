//! What comes from an engine piece by piece: log lines, events, one reading of the meters.

use std::collections::{BTreeMap, HashMap};

use bollard::container::LogOutput;
use bollard::models::{ContainerStatsResponse, EventMessage};
use bollard::query_parameters::{EventsOptionsBuilder, LogsOptionsBuilder, StatsOptionsBuilder};
use futures_util::stream::{BoxStream, StreamExt};

use crate::adapters::Error;
use crate::model::ids::Time;
use crate::text::SafeText;

use super::{DockerHost, LOOK_LIMIT, PROJECT};

/// A line that a container wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When the engine took it.
    pub at: Option<Time>,
    /// Whether it was written to standard error.
    pub stderr: bool,
    /// Its bytes as they were written, without the newline.
    pub text: Vec<u8>,
    /// Whether it ends there: a line of more than 16 KiB comes in pieces.
    pub ended: bool,
}

/// One reading of a container's meters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// Time on all processors since it was started, in nanoseconds.
    pub cpu_ns: u64,
    /// The host's own at the same moment, in nanoseconds.
    pub host_cpu_ns: u64,
    /// How many processors it may use.
    pub cpus: u64,
    /// Memory in use without what the kernel can take back, in bytes.
    pub memory: u64,
    /// The most that it may use, in bytes.
    pub memory_limit: Option<u64>,
    /// Processes and threads.
    pub pids: u64,
}

/// Something that happened to a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DockerEvent {
    /// When.
    pub at: Option<Time>,
    /// The engine's word: `start`, `die`, `oom`, `health_status: unhealthy`.
    pub action: SafeText,
    /// The container.
    pub id: String,
    /// Its labels and what the engine adds, such as `exitCode`.
    pub attributes: BTreeMap<String, String>,
}

impl LogLine {
    fn from_output(output: LogOutput) -> Self {
        let stderr = matches!(output, LogOutput::StdErr { .. });
        let bytes = output.into_bytes();
        let ended = bytes.ends_with(b"\n");
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let stamp = bytes.iter().position(|byte| *byte == b' ').and_then(|at| {
            let (stamp, rest) = bytes.split_at_checked(at)?;
            let stamp = chrono::DateTime::parse_from_rfc3339(str::from_utf8(stamp).ok()?).ok()?;
            Some((stamp.to_utc(), rest.get(1..).unwrap_or_default()))
        });
        match stamp {
            Some((at, text)) => Self { at: Some(at), stderr, text: text.to_vec(), ended },
            None => Self { at: None, stderr, text: bytes.to_vec(), ended },
        }
    }
}

impl Stats {
    fn from_said(said: ContainerStatsResponse) -> Self {
        let cpu = said.cpu_stats.unwrap_or_default();
        let memory = said.memory_stats.unwrap_or_default();
        let inner = memory.stats.unwrap_or_default();
        // What the engine's own client takes off: inactive file pages, by either cgroup's name.
        let idle =
            ["inactive_file", "total_inactive_file"].iter().find_map(|name| inner.get(*name));
        let used = memory.usage.unwrap_or_default();
        Self {
            cpu_ns: cpu.cpu_usage.and_then(|usage| usage.total_usage).unwrap_or_default(),
            host_cpu_ns: cpu.system_cpu_usage.unwrap_or_default(),
            cpus: cpu.online_cpus.map_or(1, u64::from),
            memory: used.saturating_sub(idle.copied().unwrap_or_default()),
            memory_limit: memory.limit,
            pids: said.pids_stats.and_then(|pids| pids.current).unwrap_or_default(),
        }
    }
}

impl DockerEvent {
    fn from_said(said: EventMessage) -> Self {
        let actor = said.actor.unwrap_or_default();
        let at = said.time_nano.map(chrono::DateTime::from_timestamp_nanos);
        Self {
            at,
            action: said.action.unwrap_or_default().into(),
            id: actor.id.unwrap_or_default(),
            attributes: actor.attributes.unwrap_or_default().into_iter().collect(),
        }
    }
}

impl DockerHost {
    /// The lines of a container since a moment, oldest first; with `last`, only so many; with
    /// `follow`, further ones as they come until the container ends. Whoever reads bounds the wait.
    pub async fn logs(
        &self,
        id: &str,
        since: Option<Time>,
        last: Option<usize>,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<LogLine, Error>>, Error> {
        let what = format!("read the log of container {}", SafeText::new(id));
        let docker = self.docker(&what).await?.clone();
        let whole = since.map_or(0, |at| i32::try_from(at.timestamp()).unwrap_or_default());
        let tail = last.map_or_else(|| "all".to_owned(), |last| last.to_string());
        let options = LogsOptionsBuilder::new()
            .stdout(true)
            .stderr(true)
            .timestamps(true)
            .follow(follow)
            .since(whole)
            .tail(&tail)
            .build();
        let (host, id) = (self.clone(), id.to_owned());
        let lines = docker.logs(&id, Some(options)).filter_map(move |next| {
            // The engine takes whole seconds only.
            let line = next.map(LogLine::from_output).map_err(|error| host.no(&what, &error));
            let early = line.as_ref().is_ok_and(|line| line.at.is_some() && line.at < since);
            std::future::ready((!early).then_some(line))
        });
        Ok(lines.boxed())
    }

    /// One reading of a running container's meters.
    pub async fn stats(&self, id: &str) -> Result<Stats, Error> {
        let what = format!("read the meters of container {}", SafeText::new(id));
        let docker = self.docker(&what).await?;
        let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        let mut stream = Box::pin(docker.stats(id, Some(options)));
        let first =
            async { stream.next().await.unwrap_or_else(|| Ok(ContainerStatsResponse::default())) };
        Ok(Stats::from_said(self.ask(&what, LOOK_LIMIT, first).await?))
    }

    /// What happens to the containers of a project from now on, or since a moment.
    pub async fn events(
        &self,
        project: &str,
        since: Option<Time>,
    ) -> Result<BoxStream<'static, Result<DockerEvent, Error>>, Error> {
        let what = format!("follow the events of project {}", SafeText::new(project));
        let docker = self.docker(&what).await?.clone();
        let filters = HashMap::from([
            ("type".to_owned(), vec!["container".to_owned()]),
            ("label".to_owned(), vec![format!("{PROJECT}={project}")]),
        ]);
        let mut options = EventsOptionsBuilder::new().filters(&filters);
        if let Some(since) = since {
            let (whole, rest) = (since.timestamp(), since.timestamp_subsec_nanos());
            options = options.since(&format!("{whole}.{rest:09}"));
        }
        let host = self.clone();
        let events = docker.events(Some(options.build())).map(move |next| {
            next.map(DockerEvent::from_said).map_err(|error| host.no(&what, &error))
        });
        Ok(events.boxed())
    }
}
