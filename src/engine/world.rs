//! What the engine looks at beside the checks, and when it ends.

use std::io::Write as _;
use std::time::Duration;

use crate::model::entry::Event;
use crate::model::ids::{PointId, RunId};
use crate::model::plan::Level;
use crate::model::reading::Status;
use crate::model::severity::Severity;
use crate::model::situation::OpenPlan;
use crate::model::tree::HelpTest;
use crate::text::SafeText;

use super::books::Line;
use super::observe;
use super::planner::{self, Facts};
use super::run::{Engine, Seen, World};

/// Between looks at the world: while nothing is wrong, and while something is.
const CALM: chrono::Duration = chrono::Duration::seconds(15);
const ALERT: chrono::Duration = chrono::Duration::seconds(5);
/// The preflight of an open plan is looked at anew.
const REFRESH: chrono::Duration = chrono::Duration::seconds(15);
/// An engine with something open stays this long after the last client.
const OPEN_LINGER: Duration = Duration::from_hours(1);

impl Engine {
    /// Begins a look at the world when one is due. Not while a run works on it.
    pub(super) fn look_around(&mut self) {
        let now = self.clock.now();
        let situation = &self.books.situation;
        let quiet = situation.incident.is_none() && !self.any_failing();
        let every = if quiet { CALM } else { ALERT };
        let due = self.observed_at.is_none_or(|at| now - at > every);
        if situation.open_run().is_some() {
            return;
        }
        // Whether a rollback would help is asked beside everything else: a version that hangs
        // must not hold the answer back.
        if !quiet && !self.helping && self.helped_at.is_none_or(|at| now - at > ALERT) {
            self.begin_help();
        }
        if self.observing {
            return;
        }
        if due {
            self.begin_look();
        } else if let Some(open) = self.books.situation.plan.clone()
            && self.refreshed_at.is_none_or(|at| now - at > REFRESH)
        {
            self.begin_refresh(&open);
        }
    }

    fn any_failing(&self) -> bool {
        self.tracks.values().any(|track| matches!(track.status, Status::Fail | Status::Warn))
    }

    pub(super) fn facts(&self, level: Level, target: Option<PointId>) -> Facts {
        Facts {
            level,
            target,
            points: self.books.situation.points.clone(),
            history: self.books.situation.history.clone(),
            journal: self.books.situation.journal.clone(),
            known: super::deploys::Known::of(&self.books.situation),
            thorough: false,
            undo: None,
        }
    }

    fn begin_help(&mut self) {
        let Some(stack) = self.stack.clone() else { return };
        self.helping = true;
        self.helped_at = Some(self.clock.now());
        let (settings, clock) = (self.config.help_test.clone(), self.clock.clone());
        let (seen, shared) = (self.seen.clone(), self.shared_failing());
        tokio::spawn(async move {
            let test = Box::pin(observe::help_test(&stack, &settings, shared, &clock)).await;
            seen.send(Seen::Helped(Box::new(test))).await.ok();
        });
    }

    fn begin_look(&mut self) {
        self.observing = true;
        self.observed_at = Some(self.clock.now());
        let (config, clock, stack) = (self.config.clone(), self.clock.clone(), self.stack.clone());
        let (seen, mut facts) = (self.seen.clone(), self.facts(Level::Switch, None));
        tokio::spawn(async move {
            let changes = observe::deploys(config.deploys.as_deref());
            facts.known = facts.known.with_file(&config);
            let told = super::deploys::Told::look(&config, stack.as_ref(), &facts, &clock).await;
            let super::deploys::Told { points, releases } = told;
            facts.points.clone_from(&points);
            let trial = match &stack {
                Some(_) => Some(planner::trials(&config, stack.as_ref(), &facts, &clock).await),
                None => None,
            };
            let world = World { changes, points, releases, trial };
            seen.send(Seen::World(Box::new(world))).await.ok();
        });
    }

    /// A dependency that both versions share, and that fails by its own check.
    fn shared_failing(&self) -> Option<SafeText> {
        self.roles.iter().filter(|(_, role)| role.database).find_map(|(id, _)| {
            let track = self.tracks.get(id)?;
            let last = track.last.as_ref()?;
            matches!(last.finding, crate::model::reading::Finding::Bad { .. })
                .then(|| SafeText::new(&format!("{id}: {}", last.note)))
        })
    }

    fn begin_refresh(&mut self, open: &OpenPlan) {
        self.observing = true;
        self.refreshed_at = Some(self.clock.now());
        let (config, clock, stack) = (self.config.clone(), self.clock.clone(), self.stack.clone());
        let (level, target) = (open.plan.core.level, Some(open.plan.asked()));
        let (seen, mut facts) = (self.seen.clone(), self.facts(level, target));
        let begun = self.refreshed_at;
        facts.undo = open.plan.undoes().and_then(|run| self.way_back(&run).ok());
        tokio::spawn(async move {
            facts.known = facts.known.with_file(&config);
            let made = planner::plan(&config, stack.as_ref(), &facts, &clock).await;
            seen.send(Seen::Refreshed(begun, Box::new(made))).await.ok();
        });
    }

    /// Begins to make a plan that was asked for.
    pub(super) fn begin_plan(&mut self, by: SafeText, level: Level, target: Option<PointId>) {
        let (config, clock, stack) = (self.config.clone(), self.clock.clone(), self.stack.clone());
        let (seen, mut facts) = (self.seen.clone(), self.facts(level, target));
        facts.thorough = true;
        self.refreshed_at = Some(self.clock.now());
        tokio::spawn(async move {
            facts.known = facts.known.with_file(&config);
            let told = super::deploys::Told::look(&config, stack.as_ref(), &facts, &clock).await;
            facts.points = told.points;
            let made = planner::plan(&config, stack.as_ref(), &facts, &clock).await;
            seen.send(Seen::Planned { by, level, made: Box::new(made) }).await.ok();
        });
    }

    /// Takes what was seen; only what says something new is written.
    pub(super) fn seen(&mut self, seen: Seen, lines: &mut Vec<Line>) {
        match seen {
            Seen::World(world) => self.world(*world, lines),
            Seen::Helped(test) => self.helped(*test, lines),
            Seen::Witness(said) => self.witnessed(said),
            Seen::Planned { by, level, made } => {
                self.rules.planning &= !crate::model::rule::is_author(&by);
                match *made {
                    Ok((plan, preflight)) => {
                        let mut begun = Vec::new();
                        self.trigger_starts(&by, (&plan, &preflight), &mut begun);
                        let plan = Box::new(plan);
                        lines.push(Line::from(Event::PlanMade { plan, by, preflight }));
                        lines.append(&mut begun);
                    }
                    Err(no) => {
                        self.mailer.starting = None;
                        let (why, offer) = (no.why, no.offer);
                        lines.push(Line::from(Event::PlanRefused { level, why, offer }));
                    }
                }
            }
            Seen::Bundle(came) => self.bundle_came(came, lines),
            Seen::Trouble(text) => lines.push(Line::from(Event::Trouble { text })),
            Seen::Database(now) => self.database_seen(now),
            Seen::Hold(came) => self.hold_came(came, lines),
            Seen::Told(told) => self.told_people(*told, lines),
            Seen::Guided(guided) => self.guided(*guided, lines),
            Seen::Notified(went) => self.notified(*went, lines),
            Seen::Scraped(answer) => drop(answer.send(self.metrics())),
            Seen::Called(call) => self.mailer.calls.push(*call),
            Seen::Refreshed(begun, made) => {
                self.observing = false;
                // Whoever has asked for a plan since is answered by what was looked at afterwards.
                if begun == self.refreshed_at {
                    self.refreshed(*made, lines);
                }
            }
        }
    }

    fn refreshed(
        &mut self,
        made: Result<
            (crate::model::plan::Plan, Vec<crate::model::plan::Preflight>),
            planner::NoPlan,
        >,
        lines: &mut Vec<Line>,
    ) {
        let Some(open) = self.books.situation.plan.clone() else { return };
        let level = open.plan.core.level;
        match made {
            Err(no) => {
                let (why, offer) = (no.why, no.offer);
                lines.push(Line::from(Event::PlanRefused { level, why, offer }));
            }
            Ok((plan, preflight)) if plan.digest() != open.digest => {
                let (plan, by) = (Box::new(plan), open.by);
                lines.push(Line::from(Event::PlanMade { plan, by, preflight }));
            }
            Ok((plan, preflight)) => {
                let answers = |lines: &[crate::model::plan::Preflight]| {
                    lines.iter().map(|line| line.answer).collect::<Vec<_>>()
                };
                if answers(&preflight) != answers(&open.preflight) {
                    let plan = open.digest;
                    lines.push(Line::from(Event::PreflightChanged { plan, preflight }));
                }
                self.face = Some(plan.face);
            }
        }
    }

    /// Takes the answer of the help test; the levels are judged by it with the next look.
    fn helped(&mut self, test: Option<HelpTest>, lines: &mut Vec<Line>) {
        self.helping = false;
        let Some(test) = test else { return };
        let figures = |burst: &crate::model::tree::Burst| (burst.answered, burst.asked);
        let same = |known: &HelpTest| {
            known.says() == test.says()
                && figures(&known.failing) == figures(&test.failing)
                && known.target.as_ref().map(figures) == test.target.as_ref().map(figures)
                && known.shared_failing == test.shared_failing
        };
        if self.books.situation.help.as_ref().is_some_and(same) {
            return;
        }
        // What it says changes what the levels are worth.
        if let Some(trial) = &self.trial {
            let cards = planner::cards(trial, Some(&test));
            lines.push(Line::from(Event::LevelsJudged { cards }));
        }
        lines.push(Line::from(Event::HelpTested { test }));
    }

    fn world(&mut self, world: World, lines: &mut Vec<Line>) {
        self.observing = false;
        self.looked_at = Some(self.clock.now());
        self.live_at = None;
        let situation = &self.books.situation;
        self.trial = world.trial;
        lines.extend(super::deploys::news(
            situation,
            world.changes,
            world.releases,
            self.clock.now(),
        ));
        if world.points != situation.points {
            lines.push(Line::from(Event::PointsSeen { points: world.points.clone() }));
        }
        if let Some(trial) = &self.trial {
            let cards = planner::cards(trial, situation.help.as_ref());
            if cards != situation.levels {
                lines.push(Line::from(Event::LevelsJudged { cards }));
            }
        }
    }

    /// Ends when the state folder is gone, or when nobody needs this engine any more.
    pub(super) fn end_if_unneeded(&mut self) {
        // A journal on a server leaves no file of its own here; the lease's lock always lies here.
        let known = if self.config.journal.is_some() { "engine.lock" } else { "journal.db" };
        if !self.start.state.join(known).exists() {
            self.ending = Some("the state folder is gone".into());
            return;
        }
        // What people must be told of is told first; each command has its time limit.
        let Some(since) = self
            .alone_since
            .filter(|_| self.telling.is_empty() && !self.bundling.busy() && !self.guiding.busy())
        else {
            return;
        };
        let situation = &self.books.situation;
        let clock_runs = situation.incident.is_some()
            && situation.run.is_none()
            && situation
                .assessment
                .as_ref()
                .is_some_and(|known| known.severity >= Severity::Medium);
        let open = situation.open_run().is_some()
            || situation.holds.values().any(crate::model::hold::HoldCard::pending)
            || (clock_runs && !self.start.linger.is_zero());
        let linger = if open { OPEN_LINGER.max(self.start.linger) } else { self.start.linger };
        // A client that has just started this engine needs a moment to attach.
        let linger = linger.max(Duration::from_secs(3));
        let alone = (self.clock.now() - since).to_std().unwrap_or_default();
        if alone >= linger && !self.still_tells(self.clock.now() - since) {
            self.ending = Some(super::attached::NOBODY.into());
        }
    }

    /// Writes the history lines that the journal has and the file has not (S-74): a crash between
    /// the two loses nothing and doubles nothing.
    pub(super) fn mend_history(&self) {
        let path = &self.config.history_log;
        let written = std::fs::read_to_string(path).unwrap_or_default();
        let missing: Vec<&str> = self
            .books
            .situation
            .history
            .iter()
            .rev()
            .map(|past| past.ended.history.as_str())
            .filter(|line| !line.is_empty() && !written.lines().any(|known| known == *line))
            .collect();
        if missing.is_empty() {
            return;
        }
        let append = || -> std::io::Result<()> {
            let mut file = std::fs::File::options().create(true).append(true).open(path)?;
            for line in missing {
                writeln!(file, "{line}")?;
            }
            file.sync_all()
        };
        if let Err(error) = append() {
            tracing::error!("could not write {}: {error}", path.display());
        }
    }

    /// The exact commands for doing it by hand, written before the first step: into the run's
    /// evidence, or elsewhere when there is no room. A trouble when nowhere.
    pub(super) fn write_break_glass(&self, run: &RunId) -> Option<SafeText> {
        let open = self.books.situation.plan.as_ref()?;
        let mut scene = super::stack::scene(
            &self.config,
            self.stack.as_ref(),
            &open.plan,
            Some(&self.books.situation),
            &self.clock,
        );
        scene.processes = self.start.keeper.into_iter().chain([std::process::id()]).collect();
        scene.host = self.host.clone();
        let text = crate::evidence::sheet(&open.plan, &scene);
        let own = Some(self.config.state_dir.join("evidence"));
        let mut said = None;
        for folder in own.iter().chain(&self.config.evidence_remote) {
            let folder = folder.join(run.as_str());
            std::fs::create_dir_all(&folder).ok();
            match crate::evidence::break_glass(&text, &folder.join("break-glass.txt")) {
                Ok(()) => return None,
                Err(error) => said = said.or(Some(error.message)),
            }
        }
        let why = said.unwrap_or_default();
        let text = format!("no break-glass sheet: {why}; print it: backout plan --break-glass");
        Some(SafeText::new(&text))
    }
}
