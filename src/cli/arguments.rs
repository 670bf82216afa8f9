//! The command line: what may be typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::{
    analyze, approve, assess, attach, backup, bench, breach, bundle, check, checklist, choose,
    database, demo, deploy, doctor, drill, export, guide, hidden, history, hold, init, judge,
    leftovers, lock, logs, look, monitor, notify, people, plan, preflight, replay, report, restore,
    rollback, rules, run, severity, status, theme, trigger, validate,
};

/// Back out a bad deploy, and survive doing so.
#[derive(Parser, Debug)]
#[command(name = "backout", version, about, disable_help_subcommand = true)]
pub(super) struct Arguments {
    /// The configuration [default: `$BACKOUT_CONFIG`, ./backout.yaml, /etc/backout/backout.yaml]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The environment, by the name in its configuration
    #[arg(short, long, global = true, value_name = "NAME", conflicts_with = "config")]
    pub(super) environment: Option<String>,
    /// One JSON document instead of text
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) screen: attach::Screen,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Look once with every check; exit 0 ok, 1 warning, 2 critical, 3 unknown
    Check(check::Check),
    /// Say how bad it is, what the decision tree says, and which level is suggested
    Assess(assess::AssessArguments),
    /// Say how bad it is, whatever is measured, or take that back
    Severity(severity::Say),
    /// Report a security breach, or release it as another person
    Breach {
        #[command(subcommand)]
        what: breach::BreachCommand,
    },
    /// Choose what becomes of a restored copy: swap, beside or new-time
    Choose(choose::Choose),
    /// Approve a level that takes two people, as the second of them
    Approve(approve::Approve),
    /// List what can be gone back to, or pin it
    Targets {
        #[command(subcommand)]
        what: Option<plan::TargetsCommand>,
    },
    /// Say what a deploy does, so that it is on record
    Deploy {
        #[command(subcommand)]
        what: deploy::DeployCommand,
    },
    /// Show the plan of a level: steps, undo, data, preflight; changes nothing
    Plan(plan::PlanArguments),
    /// Roll back
    Rollback(rollback::Rollback),
    /// Restore a point beside the live data, to copy a table or a column back
    Restore {
        #[command(subcommand)]
        what: restore::RestoreCommand,
    },
    /// Make a failure on purpose, roll back, and say how long it took; never on production
    Drill(drill::DrillArguments),
    /// Open the console on a running engine
    Attach(attach::AttachArguments),
    /// Run the validation checks of a rolled-back environment
    Validate(validate::Validate),
    /// Watch, and act by rules: the engine in the foreground, for a service manager
    #[command(alias = "daemon")]
    Monitor(monitor::MonitorArguments),
    /// What is watched for without a person: list, test, explain, freeze, veto
    Rules {
        #[command(subcommand)]
        what: Option<rules::RulesCommand>,
    },
    /// What is left of the error budgets of checks with an objective, and how fast they burn
    Slo,
    /// Say where things stand
    Status(status::StatusArguments),
    /// List past rollbacks
    History(history::HistoryArguments),
    /// Guided procedures: what to do in a known trouble, step by step
    Guide(guide::GuideArguments),
    /// What to do after a rollback, ticked off one by one
    Checklist(checklist::ChecklistArguments),
    /// Write a document about an incident from the journal
    Report(report::ReportArguments),
    /// Show a past incident in the same console, as fast as you like; changes nothing
    Replay(replay::ReplayArguments),
    /// Say when the incident really began: -14m, 23:54 or a full time
    Since(judge::Since),
    /// Leave a check, the checks of a service, or all out of the judgement for a while
    Mute(judge::MuteArguments),
    /// End a mute early
    Unmute(judge::Unmute),
    /// Leave everything out of the judgement for a while, or end that
    Maintenance(judge::Maintenance),
    /// What failed most in the logs, and what changed in configuration or sources
    Analyze(analyze::AnalyzeArguments),
    /// Hold every check against what it was before the last deploy
    Compare,
    /// Take, list, prove and prune restore points
    Backup {
        #[command(subcommand)]
        what: backup::BackupCommand,
    },
    /// Say how far the application's database is, or copy it as it is now
    Db {
        #[command(subcommand)]
        what: database::DbCommand,
    },
    /// Show the run that is open, or say what becomes of it: retry, skip, done, resume, abort
    Run {
        #[command(subcommand)]
        what: Option<run::RunCommand>,
    },
    /// Stop the run that is open
    Abort(status::AbortArguments),
    /// Stop the open run at once, kill what does not end, and let nothing start until released
    Stop(lock::StopArguments),
    /// Whether deployments are locked; take or give back the lock. For pipelines
    Lock {
        #[command(subcommand)]
        what: lock::LockCommand,
    },
    /// Stop the bleeding: hold the maintenance page, the writers or the consumers
    Hold(hold::HoldArguments),
    /// Lift what is held
    Unhold(hold::UnholdArguments),
    /// List what is temporarily changed; release it or hand it over
    Leftovers(leftovers::LeftoversArguments),
    /// Twelve lines for whoever comes in the middle of it
    Brief,
    /// Keep what is known of an incident in one archive; exit 0 complete, 1 partial, 3 failed
    Export(export::ExportArguments),
    /// Verify, read, scan or recover what was kept of an incident
    Bundle {
        #[command(subcommand)]
        what: bundle::BundleCommand,
    },
    /// Who is told what; send a test message
    Notify {
        #[command(subcommand)]
        what: Option<notify::NotifyCommand>,
    },
    /// Say that you look after what was announced: nobody further is called
    Ack(notify::AckArguments),
    /// Say that a rollback is wanted, from a pipeline or by hand: level 1 is planned, not started
    Trigger(trigger::TriggerArguments),
    /// Write a note into the timeline
    Note(people::NoteArguments),
    /// Say who leads, ask for the lead, take it over, hand it over
    Lead {
        #[command(subcommand)]
        what: Option<people::LeadCommand>,
    },
    /// List the engines of this user and those shared with them
    Ps,
    /// Write a first configuration from a Compose project that runs
    Init(init::Init),
    /// Say what each level lacks before it could be planned; exit 0, or 1 when something is missing
    Doctor(doctor::Doctor),
    /// The six safety checks before any rollback; exit 0, or 10 when one does not hold
    Preflight(preflight::PreflightArguments),
    /// Check or show the configuration
    Config {
        #[command(subcommand)]
        what: look::ConfigCommand,
    },
    /// List, show or check the console's themes
    Theme {
        #[command(subcommand)]
        what: theme::ThemeCommand,
    },
    /// Read log files: follow, search, filter; needs no configuration
    Logs(logs::LogsArguments),
    /// The embedded stack: a bad deploy to try everything on
    Demo(demo::DemoArguments),
    /// Write the completions of a shell
    Completions {
        /// Which
        shell: clap_complete::Shell,
    },
    /// Write the dashboard for Grafana that goes with the monitor's /metrics
    Dashboard,
    /// Write the manual page
    Man,
    #[command(name = "__keep", hide = true)]
    Keep(hidden::EngineArguments),
    #[command(name = "__engine", hide = true)]
    Engine(hidden::EngineArguments),
    #[command(name = "__step", hide = true)]
    Step { slot: PathBuf },
    #[command(name = "__bench", hide = true)]
    Bench {
        #[command(subcommand)]
        what: bench::BenchCommand,
    },
    #[command(name = "__demo", hide = true)]
    DemoRole {
        role: String,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
}
