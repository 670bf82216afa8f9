//! Bundles, made beside everything else on a thread of their own: after evidence was kept, when a
//! run ended, and when somebody asks.

use std::sync::Arc;

use crate::evidence::bundle::{
    self, Automatic, Floor, Limits, Made, Manifest, Order, SourceState, Trigger,
};
use crate::model::bundle::{BundleCard, Occasion, wanted};
use crate::model::entry::Event;
use crate::model::ids::{RunId, Time, incident_name};
use crate::model::live::BundlePreview;
use crate::redact::Redactor;
use crate::text::SafeText;

use super::books::Line;
use super::keepsake::Keepsake;
use super::run::{Engine, Seen};

/// How long a bundle of its own may take; then it is closed with what is in it.
const LIMIT: chrono::Duration = chrono::Duration::seconds(120);

/// What is being made.
pub(super) struct Bundling {
    pub(super) redactor: Arc<Redactor>,
    /// For what checks answer.
    pub(super) scrub: super::scrub::Scrub,
    /// Whether the thread is at work.
    busy: bool,
    /// What somebody asked for, and who.
    asked: Option<(bool, SafeText)>,
    /// What was counted last.
    pub(super) preview: Option<Box<BundlePreview>>,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Came {
    /// A bundle, or why there is none; and why it is not also laid out as files.
    Made(Box<BundleCard>, Option<SafeText>),
    /// What one would hold.
    Counted(Box<BundlePreview>),
}

impl Bundling {
    pub(super) fn new(redactor: Arc<Redactor>) -> Self {
        let scrub = super::scrub::Scrub::new(Arc::clone(&redactor));
        Self { redactor, scrub, busy: false, asked: None, preview: None }
    }

    /// Whether the engine must stay for it.
    pub(super) fn busy(&self) -> bool {
        self.busy || self.asked.is_some()
    }
}

impl Engine {
    /// Takes a person's wish for a bundle, or to know what one would hold.
    pub(super) fn export_asked(&mut self, write: bool, by: SafeText) {
        self.bundling.asked = Some((write, by));
        let preview = self.bundling.preview.get_or_insert_default();
        preview.busy = true;
        preview.error = None;
        self.live_at = None;
    }

    /// Begins what is to be made next; one at a time.
    pub(super) fn begin_bundle(&mut self) {
        if self.bundling.busy {
            return;
        }
        let now = self.clock.now();
        let own = wanted(&self.books.situation, now);
        if let Some((write, by)) = self.bundling.asked.take() {
            let run = self.books.situation.run.as_ref().map(|run| run.id.clone());
            self.bundle_thread(write.then_some(Occasion::Asked), run, by);
        } else if let Some((occasion, run)) = own {
            self.bundle_thread(Some(occasion), Some(run), "engine".into());
        }
    }

    fn bundle_thread(&mut self, occasion: Option<Occasion>, run: Option<RunId>, by: SafeText) {
        let now = self.clock.now();
        let live = self.live(now);
        let latest = std::collections::BTreeMap::new();
        let brief = crate::report::brief::brief(&self.books.situation, Some(&live), &latest, now);
        let report = brief.join("\n") + "\n";
        let escalates = occasion == Some(Occasion::Asked);
        let keepsake = Keepsake {
            run,
            escalates,
            ..Keepsake::of(&self.config, &self.books.situation, report)
        };
        let (redactor, clock) = (Arc::clone(&self.bundling.redactor), self.clock.clone());
        let (host, seen) = (self.host.clone(), self.seen.clone());
        let work = move || {
            let now = || clock.now();
            let came = match occasion {
                Some(occasion) => {
                    let about = about(&keepsake, occasion, (&host, &by), now());
                    let card = made(&keepsake, (occasion, about), &redactor, &now);
                    let not = laid_out(&keepsake, &card);
                    Came::Made(Box::new(card), not)
                }
                None => Came::Counted(Box::new(counted(&keepsake, &redactor, &now))),
            };
            // Nobody receives when the engine has ended: what is there stays.
            seen.blocking_send(Seen::Bundle(came)).ok();
        };
        let thread = std::thread::Builder::new().name("bundle".to_owned()).spawn(work);
        match thread {
            Ok(_) => self.bundling.busy = true,
            Err(error) => tracing::error!("could not make a bundle: {error}"),
        }
    }

    /// Takes what came of it.
    pub(super) fn bundle_came(&mut self, came: Came, lines: &mut Vec<Line>) {
        self.bundling.busy = false;
        self.live_at = None;
        match came {
            Came::Made(bundle, not_laid_out) => {
                if let Some(preview) = &mut self.bundling.preview {
                    preview.busy = false;
                }
                lines.push(Line::from(Event::BundleMade { bundle }));
                lines.extend(not_laid_out.map(|text| Line::from(Event::Trouble { text })));
            }
            Came::Counted(preview) => self.bundling.preview = Some(preview),
        }
    }
}

/// What the manifest says beside what is found out.
pub fn about(
    keepsake: &Keepsake,
    occasion: Occasion,
    (host, by): (&SafeText, &SafeText),
    now: Time,
) -> Manifest {
    let trigger = match occasion {
        Occasion::Asked => Trigger::Asked,
        Occasion::Preserved => Trigger::BeforeDestroying,
        Occasion::Ended => Trigger::RunEnded,
    };
    Manifest {
        incident: keepsake.incident.map_or_else(|| "none".to_owned(), incident_name),
        run: keepsake.run.as_ref().map(ToString::to_string),
        environment: keepsake.config.environment.clone(),
        host: host.to_string(),
        by: by.to_string(),
        from: keepsake.began(),
        config: Some(keepsake.config.digest.clone()),
        ..Manifest::begun(trigger, now)
    }
}

fn made(
    keepsake: &Keepsake,
    (occasion, about): (Occasion, Manifest),
    redactor: &Redactor,
    now: &dyn Fn() -> Time,
) -> BundleCard {
    let until = now() + LIMIT;
    let folder = keepsake.config.state_dir.join("bundles");
    let remote = keepsake.config.evidence_remote.as_ref().map(|dir| dir.join("bundles"));
    let mut refused = String::new();
    for folder in std::iter::once(folder).chain(remote) {
        let order = Order {
            folder: &folder,
            file: None,
            about: about.clone(),
            limits: Limits::default(),
            floor: Floor::default(),
            automatic: Automatic::Yes,
            now,
            cancel: &|| now() > until,
        };
        match bundle::make(order, keepsake.items(), redactor) {
            Ok(made) => return card(keepsake, occasion, &made),
            Err(error) if refused.is_empty() => refused = error.message,
            Err(error) => refused = format!("{refused}; {}", error.message),
        }
    }
    BundleCard {
        at: now(),
        occasion,
        incident: keepsake.incident,
        run: keepsake.run.clone(),
        path: SafeText::default(),
        sha256: crate::model::ids::Digest::default(),
        bytes: 0,
        partial: true,
        why: SafeText::new(&redactor.text(&refused, &mut crate::redact::Book::new(""))),
        redactions: 0,
        made: false,
    }
}

/// Lays a bundle out as files below the folder of the deployment that it tells of, where one is
/// configured (P-41); says why it could not.
fn laid_out(keepsake: &Keepsake, card: &BundleCard) -> Option<SafeText> {
    let folder = keepsake.config.log_files.preserved.as_ref().filter(|_| card.made)?;
    let deployed = keepsake.situation.changes.first();
    let id = deployed.map_or("current", |change| {
        if change.reference.is_empty() { &change.version } else { &change.reference }.as_str()
    });
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let id: String = id.trim_start_matches('.').chars().map(plain).collect();
    let bundle = std::path::Path::new(card.path.as_str());
    let error = bundle::lay_out(bundle, &folder.join(id)).err()?;
    Some(SafeText::new(&format!(
        "the bundle is whole, but not laid out as files: {}",
        error.message
    )))
}

fn card(keepsake: &Keepsake, occasion: Occasion, made: &Made) -> BundleCard {
    let why = made.manifest.why_partial.join("; ");
    BundleCard {
        at: made.manifest.at,
        occasion,
        incident: keepsake.incident,
        run: keepsake.run.clone(),
        path: SafeText::new(&made.path.display().to_string()),
        sha256: made.sha256.clone(),
        bytes: made.bytes,
        partial: made.manifest.partial,
        why: SafeText::new(&crate::text::fit(&why, 400)),
        redactions: made.manifest.redactions.values().sum(),
        made: true,
    }
}

fn counted(keepsake: &Keepsake, redactor: &Redactor, now: &dyn Fn() -> Time) -> BundlePreview {
    let until = now() + LIMIT;
    let cancel = || now() > until;
    let manifest = bundle::preview(keepsake.items(), redactor, (Limits::default(), now, &cancel));
    let missing = manifest.sources.iter().filter(|source| source.state != SourceState::Ok);
    let missing = missing.map(|source| {
        let why = source.error.as_deref().unwrap_or_default();
        SafeText::new(&format!("{} {}: {why}", source.path, source.state.word()))
    });
    let cut = manifest.sources.iter().filter(|source| source.truncated.is_some()).count();
    BundlePreview {
        at: now(),
        busy: false,
        sources: u32::try_from(manifest.sources.len()).unwrap_or(u32::MAX),
        missing: missing.collect(),
        bytes: manifest.sources.iter().map(|source| source.bytes).sum(),
        cut: u32::try_from(cut).unwrap_or(u32::MAX),
        redactions: manifest.redactions,
        error: None,
    }
}
