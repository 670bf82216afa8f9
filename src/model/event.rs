//! What happened, as the journal tells it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::{
    approval::Asked,
    compare::Baseline,
    criteria::Criterion,
    entry::Author,
    fold_judge::Declared,
    hold::{HoldPart, HoldStart},
    ids::{CheckId, Digest, IncidentId, JournalId, RunId, StepId, Time},
    line::LineDoubt,
    mute::{Mute, Override},
    outcome::{Change, Leftover, Outcome, Standing, StepEnd},
    plan::{Level, LevelCard, Plan, Preflight},
    reading::{Reason, Status},
    restore_point::RestorePoint,
    rule::Shown,
    rule::book::{Fired, RuleFace, RuleState},
    situation::Situation,
    tree::{Assessment, HelpTest},
    watch::Verdict,
};

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// An engine took the lease.
    EngineStarted {
        /// This journal.
        journal: JournalId,
        /// The engine's process id.
        pid: u32,
        /// Its host.
        host: SafeText,
        /// The boot it runs under: another one voids every pid.
        boot: SafeText,
        /// Its version.
        version: String,
        /// The environment's name.
        environment: SafeText,
        /// Whether it is production.
        production: bool,
        /// Digest of the configuration it runs on.
        config: Digest,
    },
    /// The engine ended on purpose.
    EngineStopped {
        /// Why.
        why: SafeText,
    },
    /// The whole situation, so that a reader need not go further back.
    Carried {
        /// The fold so far.
        situation: Box<Situation>,
    },
    /// A check's state changed.
    CheckChanged {
        /// The check.
        check: CheckId,
        /// To this.
        status: Status,
        /// Why it is unknown, when it is.
        reason: Option<Reason>,
        /// What was seen.
        note: SafeText,
        /// When the first reading of this state was taken.
        since: Time,
        /// Users feel it.
        critical: bool,
    },
    /// The assessment changed in what it says, not in its numbers.
    Assessed {
        /// The assessment.
        assessment: Box<Assessment>,
    },
    /// What changed lately: deploys and configuration.
    ChangeSeen {
        /// The change.
        change: Change,
    },
    /// Whether a rollback would help.
    HelpTested {
        /// The result.
        test: HelpTest,
    },
    /// What can be gone back to.
    PointsSeen {
        /// Newest first.
        points: Vec<RestorePoint>,
    },
    /// A deploy that was reported as done left a point to go back to.
    PointRecorded {
        /// It.
        point: Box<RestorePoint>,
    },
    /// What lies on the colours is another release than at the last look.
    ReleasesSeen {
        /// All of them.
        releases: std::collections::BTreeMap<super::ids::Color, super::deploys::SeenRelease>,
    },
    /// How the levels stand.
    LevelsJudged {
        /// Levels 1, 2, 3.
        cards: Vec<LevelCard>,
    },
    /// An incident began.
    IncidentOpened {
        /// Its number.
        incident: IncidentId,
        /// Why.
        why: SafeText,
    },
    /// An incident ended.
    IncidentClosed {
        /// Why.
        why: SafeText,
    },
    /// The one who may start things changed.
    LeadTaken {
        /// Who.
        who: Author,
        /// Counts up with each change.
        term: u64,
    },
    /// Someone asks the living lead for the lead.
    LeadAsked {
        /// Who.
        who: Author,
        /// Why.
        reason: SafeText,
    },
    /// A level that takes two people was approved by the first of them.
    ApprovalAsked(Asked),
    /// The lead's socket closed.
    LeadLost,
    /// A severity clock ran out.
    SeverityDeadline,
    /// A plan was made.
    PlanMade {
        /// The plan.
        plan: Box<Plan>,
        /// Who asked.
        by: SafeText,
        /// The preflight lines.
        preflight: Vec<Preflight>,
    },
    /// A plan could not be made.
    PlanRefused {
        /// The level that was asked.
        level: Level,
        /// Why, and what to do next.
        why: SafeText,
        /// The level that is offered instead.
        offer: Option<Level>,
    },
    /// A preflight answer changed while the plan was open.
    PreflightChanged {
        /// The plan.
        plan: Digest,
        /// All lines.
        preflight: Vec<Preflight>,
    },
    /// A run began.
    RunStarted {
        /// Its name.
        run: RunId,
        /// The approved plan.
        plan: Digest,
        /// Who approved.
        by: SafeText,
        /// Why.
        reason: SafeText,
        /// Minutes of data whose loss was accepted with the approval.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        accept_loss: Option<u64>,
    },
    /// The copy is up beside the live data, and it is known what a swap would lose.
    LossMeasured {
        /// The run.
        run: RunId,
        /// What.
        loss: Box<super::loss::Loss>,
    },
    /// What becomes of the copy was chosen.
    Chosen {
        /// The run.
        run: RunId,
        /// The step that asked.
        step: StepId,
        /// What.
        choice: super::loss::Choice,
        /// Who.
        by: SafeText,
    },
    /// Written before the effect.
    StepStarted {
        /// The run.
        run: RunId,
        /// The step.
        step: StepId,
        /// Counts from 1.
        attempt: u32,
        /// What the target is told, so that it can tell repeats.
        effect: String,
        /// The boot under which it began.
        boot: SafeText,
    },
    /// A cut-off step was looked at.
    StepLooked {
        /// The run.
        run: RunId,
        /// The step.
        step: StepId,
        /// The attempt.
        attempt: u32,
        /// What its effect looks like.
        standing: Standing,
    },
    /// Written after the proof.
    StepEnded {
        /// The run.
        run: RunId,
        /// The step.
        step: StepId,
        /// The attempt.
        attempt: u32,
        /// How.
        end: StepEnd,
        /// How long it took.
        took: Duration,
        /// What it left to know: connections cut, files kept.
        note: SafeText,
    },
    /// The run will start no further step until resumed.
    Paused,
    /// It goes on.
    Resumed,
    /// The success criteria, as measured (S-14).
    CriteriaMeasured {
        /// The run.
        run: RunId,
        /// All of them.
        criteria: Vec<Criterion>,
    },
    /// The watch window opened.
    WatchOpened {
        /// The run.
        run: RunId,
        /// How long it is.
        window: Duration,
    },
    /// The watch window ended.
    WatchEnded {
        /// The run.
        run: RunId,
        /// The verdict on the rollback.
        verdict: Verdict,
        /// The numbers behind it.
        why: SafeText,
        /// How long the window counted.
        counted: Duration,
    },
    /// The run ended.
    RunEnded {
        /// The run.
        run: RunId,
        /// How.
        outcome: Outcome,
        /// From confirmation to here or to traffic being good, whichever was first.
        took: Duration,
        /// What to do next.
        why: SafeText,
        /// The line of S-74.
        history: String,
    },
    /// The run waits for a person.
    NeedsPerson {
        /// The run.
        run: RunId,
        /// The step it is about.
        step: Option<StepId>,
        /// Why, and what can be done.
        why: SafeText,
        /// The next level, when that is what is offered.
        offer: Option<Level>,
    },
    /// Something temporary was left.
    LeftoverNoted {
        /// It.
        leftover: Leftover,
    },
    /// It was released.
    LeftoverReleased {
        /// Its name.
        name: SafeText,
        /// By whom.
        by: SafeText,
    },
    /// A note.
    Noted {
        /// Whose.
        by: SafeText,
        /// The text.
        text: SafeText,
    },
    /// Written before a hold is set or lifted.
    HoldStarted(HoldStart),
    /// Written after the proof.
    HoldEnded {
        /// What.
        part: HoldPart,
        /// Whether it was to be held or lifted.
        held: bool,
        /// How.
        end: StepEnd,
        /// How long it took.
        took: Duration,
        /// What it left to know.
        note: SafeText,
    },
    /// The commands of an occasion were run; not before this is written are they done.
    HookRan {
        /// What it was about: `waiting 142-k7qd-1 gate 2`. Each occasion is told once.
        about: String,
        /// How it went, one command after the other.
        note: SafeText,
    },
    /// The engine met something it wants people to know.
    Trouble {
        /// What, and what to do next.
        text: SafeText,
    },
    /// The checks that are configured; those of an earlier configuration are forgotten.
    ChecksDeclared {
        /// A part of them: an entry has a bound.
        checks: BTreeMap<CheckId, Declared>,
        /// Whether this is the first part.
        first: bool,
        /// Whether this is the last part.
        last: bool,
    },
    /// Checks count for nothing for a while.
    Muted {
        /// Which, by whom, why, until when.
        mute: Mute,
    },
    /// A mute's time is over.
    MuteEnded {
        /// Its name.
        name: SafeText,
    },
    /// Values of a check were changed for a while.
    Overridden {
        /// Which, by whom, why, until when.
        change: Override,
    },
    /// The time of changed values is over.
    OverrideEnded {
        /// The check.
        check: CheckId,
    },
    /// Our own line came into doubt, or is in doubt no more.
    LineDoubted {
        /// Why.
        doubt: Option<LineDoubt>,
    },
    /// A check began to change too often to be followed, or no longer does.
    FlappingChanged {
        /// The check.
        check: CheckId,
        /// Whether it flaps.
        flapping: bool,
    },
    /// What is known of an incident was kept in one archive, or could not be.
    BundleMade {
        /// It.
        bundle: Box<super::bundle::BundleCard>,
    },
    /// A step of a guided procedure that was begun has ended.
    GuideEnded {
        /// The procedure.
        guide: SafeText,
        /// The step, from 1.
        step: u8,
        /// How.
        end: super::guide::GuideEnd,
        /// The last lines of its output, at most 4 KiB.
        tail: Vec<SafeText>,
    },
    /// Somebody was told of something, or it was given up.
    Notified(super::notice::Notified),
    /// Somebody keeps everyone from starting, or a run does; in place of a lock of the same kind.
    LockTaken {
        /// It.
        lock: Box<super::lock::Lock>,
    },
    /// A lock is no longer held.
    LockReleased {
        /// Which.
        kind: super::lock::LockKind,
        /// By whom.
        by: SafeText,
        /// Why.
        why: SafeText,
    },
    /// The rules that are configured; those of an earlier configuration are forgotten.
    RulesDeclared {
        /// A part of them: an entry has a bound.
        rules: Vec<RuleFace>,
        /// Whether this is the first part.
        first: bool,
    },
    /// A rule's condition came to something else.
    RuleChanged {
        /// The rule.
        rule: String,
        /// Where it stands.
        state: RuleState,
        /// Each part of the condition with its value.
        evidence: Vec<Shown>,
    },
    /// A rule acts, or would: its cooldown begins. What people are to be told is in it.
    RuleFired(Box<Fired>),
    /// A rule is met and does not act, or nothing holds it any more.
    RuleHeld {
        /// The rule.
        rule: String,
        /// Why; nothing when it is free again.
        why: Option<SafeText>,
    },
    /// What a rule wanted to do is not done.
    ProposalWithdrawn {
        /// The rule.
        rule: String,
        /// Why.
        why: SafeText,
    },
    /// The time of a freeze of the rules is over.
    FreezeEnded,
    /// The configuration was read again, and is in force or was refused.
    ConfigurationRead {
        /// Digest of the one that is in force now.
        config: Digest,
        /// What became of it.
        note: SafeText,
    },
    /// How the checks were before a deploy.
    BaselineTaken {
        /// Per check.
        baseline: Box<Baseline>,
    },
}
