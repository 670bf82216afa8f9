//! What goes into a bundle: everything that this engine knows of an incident, read from its own
//! files on the thread that makes it.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use crate::config::{self, Config};
use crate::evidence::bundle::{From, Item};
use crate::journal::{Place, Reader, Samples};
use crate::model::entry::{Body, Event};
use crate::model::ids::{IncidentId, RunId, Seq, Time};
use crate::model::situation::Situation;

/// Readings from so long before the incident are kept with it.
const BEFORE: chrono::Duration = chrono::Duration::minutes(15);
/// Entries that are read at a time.
const PAGE: u32 = 200;

mod escalation;

/// Of what, and from where.
#[derive(Clone)]
pub struct Keepsake {
    /// The configuration.
    pub config: Config,
    /// How things stand.
    pub situation: Situation,
    /// The incident; without one, all that is there.
    pub incident: Option<IncidentId>,
    /// Its run.
    pub run: Option<RunId>,
    /// Where things stood, for people.
    pub report: String,
    /// Whether it also holds what escalating asks for.
    pub escalates: bool,
}

impl Keepsake {
    /// The incident and the run that are open now, or were last.
    pub fn of(config: &Config, situation: &Situation, report: String) -> Self {
        let open = situation.incident.as_ref().map(|incident| incident.id);
        let last = Some(situation.last_incident).filter(|id| *id > 0);
        Self {
            config: config.clone(),
            incident: open.or(last),
            run: situation.run.as_ref().map(|run| run.id.clone()),
            situation: situation.clone(),
            report,
            escalates: false,
        }
    }

    /// Since when the incident is going on, where that is known.
    pub fn began(&self) -> Option<Time> {
        let open = self.situation.incident.as_ref().filter(|open| Some(open.id) == self.incident);
        let past = self.situation.history.iter().find(|past| Some(past.incident) == self.incident);
        open.map(crate::model::incident::Incident::began)
            .or_else(|| past.and_then(|past| past.began.or(Some(past.ended.at))))
    }

    /// All of it, the most telling first. It must not be called where a runtime is running.
    pub fn items(&self) -> Vec<Item> {
        let state = &self.config.state_dir;
        let journal = super::journal_of(&self.config, &crate::clock::Clock::real());
        let text = |path: &str, kind, text: String| Item {
            path: path.to_owned(),
            kind,
            from: From::Text(text),
        };
        let mut items = vec![
            Item {
                path: "timeline.jsonl".into(),
                kind: "journal",
                from: match Timeline::open(&journal, self.incident) {
                    Ok(timeline) => From::Lines(Box::new(timeline)),
                    Err(why) => From::Failed(why),
                },
            },
            text("report.md", "report", self.report.clone()),
            text("config/effective.txt", "config", config::render(&self.config)),
        ];
        self.plan(&mut items);
        items.extend(self.checks());
        for source in &self.config.log_sources {
            let path = format!("logs/{}.log", plain(&source.source));
            items.push(Item { path, kind: "log", from: From::File(source.path.clone()) });
        }
        for (name, segments) in folders(&state.join("spool")) {
            let path = format!("spool/{}.log", plain(&name));
            items.push(Item { path, kind: "spool", from: From::Files(segments) });
        }
        let mut disks = vec![state.clone()];
        disks.extend(self.config.restore_points.clone());
        disks.extend(self.config.evidence_remote.clone());
        items.extend(crate::evidence::bundle::host(&disks));
        if self.escalates {
            items.extend(escalation::items(&self.config));
        }
        items
    }

    /// The plan of the run, what its steps wrote, and what was kept before they destroyed.
    fn plan(&self, items: &mut Vec<Item>) {
        let Some(run) = &self.run else { return };
        if let Some(known) = self.situation.run.as_ref().filter(|known| &known.id == run) {
            let plan = serde_json::to_string_pretty(&known.plan).unwrap_or_default() + "\n";
            let from = From::Text(plan);
            items.push(Item { path: "plan/plan.json".into(), kind: "plan", from });
        }
        let own = self.config.state_dir.join("evidence").join(run.as_str());
        let remote = self.config.evidence_remote.as_ref().map(|dir| dir.join(run.as_str()));
        for folder in std::iter::once(own).chain(remote).filter(|folder| folder.is_dir()) {
            for file in files(&folder) {
                let inside = file.strip_prefix(&folder).unwrap_or(&file).display().to_string();
                let (path, kind) = if inside == "break-glass.txt" {
                    ("plan/break-glass.txt".to_owned(), "plan")
                } else {
                    (format!("preserved/{}", plain_path(&inside)), "preserved")
                };
                if items.iter().all(|item| item.path != path) {
                    items.push(Item { path, kind, from: From::File(file) });
                }
            }
        }
        let slots = self.config.state_dir.join("runs").join(run.as_str());
        for file in files(&slots) {
            if file.file_name().is_some_and(|name| name == "output") {
                let inside = file.strip_prefix(&slots).unwrap_or(&file).display().to_string();
                let path = format!("steps/{}", plain_path(&inside));
                items.push(Item { path, kind: "output", from: From::File(file) });
            }
        }
    }

    /// The readings of every check, one a line.
    fn checks(&self) -> Vec<Item> {
        let from = self.began().map_or(Time::UNIX_EPOCH, |began| began - BEFORE);
        let read = blocking(async {
            let mut samples = Samples::read(&self.config.state_dir).await?;
            samples.since(from).await
        });
        let failed = |why: String| {
            vec![Item { path: "checks/readings".into(), kind: "check", from: From::Failed(why) }]
        };
        let readings = match read {
            Ok(Ok(readings)) => readings,
            Ok(Err(error)) => return failed(error.to_string()),
            Err(why) => return failed(why),
        };
        let mut texts: BTreeMap<String, String> = BTreeMap::new();
        for reading in readings {
            let line = serde_json::to_string(&reading).unwrap_or_default();
            let text = texts.entry(reading.check.to_string()).or_default();
            text.push_str(&line);
            text.push('\n');
        }
        let item = |(check, text): (String, String)| Item {
            path: format!("checks/{}.jsonl", plain(&check)),
            kind: "check",
            from: From::Text(text),
        };
        texts.into_iter().map(item).collect()
    }
}

/// The entries of an incident, one JSON object a line, read as they are asked for.
struct Timeline {
    runtime: tokio::runtime::Runtime,
    reader: Reader,
    incident: Option<IncidentId>,
    /// The one that is open where it is read now.
    open: Option<IncidentId>,
    seq: Seq,
    page: VecDeque<String>,
    done: bool,
}

impl Timeline {
    fn open(at: &Place, incident: Option<IncidentId>) -> Result<Self, String> {
        let runtime = runtime()?;
        let reader = runtime.block_on(Reader::open(at)).map_err(|error| error.to_string())?;
        Ok(Self {
            runtime,
            reader,
            incident,
            open: None,
            seq: 0,
            page: VecDeque::new(),
            done: false,
        })
    }
}

impl Iterator for Timeline {
    type Item = Result<String, String>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.page.is_empty() && !self.done {
            let page = match self.runtime.block_on(self.reader.after(self.seq, PAGE)) {
                Ok(page) => page,
                Err(error) => {
                    self.done = true;
                    return Some(Err(error.to_string()));
                }
            };
            self.done = page.is_empty();
            for entry in page {
                self.seq = entry.seq;
                if let Body::Event(event) = &entry.body {
                    if let Event::IncidentOpened { incident, .. } = &**event {
                        self.open = Some(*incident);
                    } else if matches!(**event, Event::IncidentClosed { .. }) {
                        self.open = None;
                    }
                }
                // What is written together with the opening does not name the incident yet.
                let of = entry.incident.or(self.open);
                let ours = self.incident.is_none_or(|own| of == Some(own));
                // What is carried along repeats what stands before it.
                let carried = matches!(&entry.body, Body::Event(event)
                    if matches!(**event, Event::Carried { .. }));
                if ours && !carried {
                    self.page.extend(serde_json::to_string(&entry).ok());
                }
            }
        }
        self.page.pop_front().map(Ok)
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("could not read it: {error}"))
}

fn blocking<T>(work: impl Future<Output = T>) -> Result<T, String> {
    Ok(runtime()?.block_on(work))
}

/// Every file below `folder`, at most three folders deep, in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    fn walk(folder: &Path, depth: u8, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                Ok(kind) if kind.is_dir() && depth > 0 => walk(&entry.path(), depth - 1, found),
                Ok(_) | Err(_) => {}
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, 3, &mut found);
    found.sort();
    found
}

/// The folders in `folder` with their log files, by name.
fn folders(folder: &Path) -> Vec<(String, Vec<PathBuf>)> {
    let mut found = BTreeMap::new();
    for file in files(folder) {
        let Some(source) = file.parent().and_then(Path::file_name) else { continue };
        if file.extension().is_some_and(|extension| extension == "log") {
            let name = source.to_string_lossy().into_owned();
            found.entry(name).or_insert_with(Vec::new).push(file);
        }
    }
    found.into_iter().collect()
}

fn plain(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
    name.chars().take(48).map(plain).collect()
}

fn plain_path(path: &str) -> String {
    let part = |part: &str| {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        part.trim_start_matches('.').chars().take(48).map(plain).collect::<String>()
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}
