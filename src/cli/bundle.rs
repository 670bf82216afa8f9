//! `backout bundle verify|show|scan|recover FILE`: what was kept of an incident.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::adapters::{Error, Kind};
use crate::config;
use crate::evidence::bundle::{self, Manifest};
use crate::failure::{Exit, Failure};
use crate::redact::Redactor;
use crate::text::SafeText;

use super::{World, say, session};

#[derive(Subcommand, Debug)]
pub(crate) enum BundleCommand {
    /// Read all of it and hold every file against its sums; exit 0 complete, 1 partial, 3 damaged
    Verify {
        /// The bundle
        file: PathBuf,
    },
    /// What it holds, or one of its files
    Show {
        /// The bundle
        file: PathBuf,
        /// A file in it, all its parts joined: logs/green.log
        path: Option<String>,
    },
    /// Look for secrets in it; exit 1 when there are any
    Scan {
        /// The bundle
        file: PathBuf,
    },
    /// Close one that was cut off: what is whole is kept; the old file stays
    Recover {
        /// The bundle, or its .partial
        file: PathBuf,
    },
}

/// Runs one of them.
pub(crate) fn run(
    world: &World,
    what: &BundleCommand,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    match what {
        BundleCommand::Verify { file } => verify(world, file, out),
        BundleCommand::Show { file, path: None } => show(world, file, out),
        BundleCommand::Show { file, path: Some(path) } => content(file, path, out),
        BundleCommand::Scan { file } => scan(world, file, out),
        BundleCommand::Recover { file } => recover(world, file, out),
    }
}

fn verify(world: &World, file: &Path, out: &mut dyn Write) -> Result<Exit, Failure> {
    let checked = bundle::verify(file).map_err(failure)?;
    if world.json {
        let (files, bytes, beside) = (checked.files, checked.bytes, checked.beside);
        session::json(
            out,
            &serde_json::json!({
                "file": file, "sha256": checked.sha256, "files": files, "bytes": bytes,
                "beside": beside, "manifest": checked.manifest,
            }),
        );
    } else {
        let beside =
            if checked.beside { "as the file beside it says" } else { "no .sha256 beside it" };
        say(
            out,
            &format!(
                "{}: every one of its {} files is as the manifest says ({} bytes)\nsha256 {} ({beside})\n",
                file.display(),
                checked.files,
                checked.bytes,
                checked.sha256.0
            ),
        );
        say(out, &partial(&checked.manifest));
    }
    Ok(exit(&checked.manifest))
}

fn show(world: &World, file: &Path, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut bytes = Vec::new();
    let found = bundle::show(file, "MANIFEST.json", &mut |part| bytes.extend_from_slice(part));
    let found = found.map_err(failure)?;
    let manifest = serde_json::from_slice::<Manifest>(&bytes).ok().filter(|_| found);
    let Some(manifest) = manifest else {
        let message = format!("could not show {}: it was not finished", file.display());
        return Err(Failure::new(Exit::Unknown, message)
            .hint(format!("close it: backout bundle recover {}", file.display())));
    };
    if world.json {
        session::json(out, &manifest);
    } else {
        say(out, &summary(&manifest));
    }
    Ok(exit(&manifest))
}

fn content(file: &Path, path: &str, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut write = |bytes: &[u8]| {
        // What was kept may hold anything; a terminal gets none of it.
        let text = String::from_utf8_lossy(bytes);
        for line in text.split_inclusive('\n') {
            let end = if line.ends_with('\n') { "\n" } else { "" };
            let safe = SafeText::new(line.trim_end_matches('\n'));
            out.write_all(safe.as_str().as_bytes()).ok();
            out.write_all(end.as_bytes()).ok();
        }
    };
    let found = bundle::show(file, path, &mut write).map_err(failure)?;
    out.flush().ok();
    if found {
        return Ok(Exit::Ok);
    }
    let message = format!("could not show {path}: it is not in {}", file.display());
    Err(Failure::new(Exit::Unknown, message)
        .hint(format!("see what is: backout bundle show {}", file.display())))
}

fn scan(world: &World, file: &Path, out: &mut dyn Write) -> Result<Exit, Failure> {
    let redactor = known(world);
    let scanned = bundle::scan(file, &redactor).map_err(failure)?;
    if world.json {
        let found: Vec<_> = scanned
            .found
            .iter()
            .map(|(path, line, rule)| serde_json::json!({"file": path, "line": line, "rule": rule}))
            .collect();
        session::json(out, &serde_json::json!({"files": scanned.files, "found": found}));
    } else {
        for (path, line, rule) in &scanned.found {
            say(out, &format!("{path}:{line}: {rule}\n"));
        }
        let count = scanned.found.len();
        let (files, known) = (scanned.files, redactor.known());
        say(
            out,
            &format!(
                "{count} secrets in {files} files; {known} known values and all shapes were looked for\n"
            ),
        );
    }
    Ok(if scanned.found.is_empty() { Exit::Ok } else { Exit::Warning })
}

fn recover(world: &World, file: &Path, out: &mut dyn Write) -> Result<Exit, Failure> {
    let recovered = bundle::recover(file, &known(world), world.clock.now()).map_err(failure)?;
    if world.json {
        session::json(
            out,
            &serde_json::json!({"file": recovered.path, "sha256": recovered.sha256,
                                "files": recovered.files, "lost_bytes": recovered.lost}),
        );
    } else {
        say(
            out,
            &format!(
                "{}: {} files, {} bytes behind them are lost\nsha256 {}\n{} stays as it was\n",
                recovered.path.display(),
                recovered.files,
                recovered.lost,
                recovered.sha256.0,
                file.display()
            ),
        );
    }
    Ok(Exit::Warning)
}

/// A redactor that knows what the configuration knows, where there is one.
pub(super) fn known(world: &World) -> Redactor {
    let here = std::env::current_dir().unwrap_or_default();
    let file = world.config.clone().or_else(|| config::find(&here, &world.environment));
    let config = file.and_then(|file| config::load(&file, &world.environment).ok());
    if let Some(config) = config {
        return config.redactor();
    }
    let telling = world.environment.telling();
    Redactor::new(telling.iter().map(String::as_str))
}

/// What a bundle holds, for people.
pub(super) fn summary(manifest: &Manifest) -> String {
    use std::fmt::Write as _;

    let mut text = format!(
        "{} of {} made {} by {} on {} ({})\n",
        manifest.incident,
        manifest.environment,
        manifest.at.format("%Y-%m-%d %H:%M:%SZ"),
        manifest.by,
        manifest.host,
        manifest.tool,
    );
    for source in &manifest.sources {
        let left_out = source.truncated.map_or_else(String::new, |cut| {
            format!("  {} lines left out of its middle", cut.dropped_lines)
        });
        let why = source.error.as_deref().map_or_else(String::new, |why| format!("  {why}"));
        let (word, bytes, path) = (source.state.word(), source.bytes, &source.path);
        writeln!(text, "{word:>8} {bytes:>12} {path}{left_out}{why}").ok();
    }
    let taken: Vec<String> =
        manifest.redactions.iter().map(|(rule, count)| format!("{rule} {count}")).collect();
    let taken = if taken.is_empty() { "nothing".to_owned() } else { taken.join(", ") };
    writeln!(text, "taken out: {taken}").ok();
    if let Some(previous) = &manifest.previous {
        let (name, sum) = (&previous.name, previous.sha256.short());
        writeln!(text, "before it: {name} ({sum})").ok();
    }
    let text = text + &partial(manifest);
    let lines: Vec<String> = text.lines().map(|line| SafeText::new(line).to_string()).collect();
    lines.join("\n") + "\n"
}

fn partial(manifest: &Manifest) -> String {
    if !manifest.partial {
        return "complete\n".to_owned();
    }
    format!("PARTIAL: {}\n", manifest.why_partial.join("; "))
}

pub(super) fn exit(manifest: &Manifest) -> Exit {
    if manifest.partial { Exit::Warning } else { Exit::Ok }
}

/// An error of a bundle as a failure: nothing can be said of it, or nothing was made.
pub(super) fn failure(error: Error) -> Failure {
    let failure = Failure::new(Exit::Unknown, error.message);
    match error.kind {
        Kind::NoSpace => failure.hint("nothing was changed; a retry is safe once there is space"),
        Kind::Refused
        | Kind::Reset
        | Kind::TimedOut
        | Kind::NotResolved
        | Kind::Tls
        | Kind::NotFound
        | Kind::Denied
        | Kind::Held
        | Kind::Conflict
        | Kind::Rejected
        | Kind::Local => failure,
    }
}
