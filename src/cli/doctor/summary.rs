//! The five sections of the documents' `health-check.sh` (P-60, 000:760-819): resources, services,
//! network, database, the last errors. Each look is bounded and changes nothing.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::checks::system_resource::{Resource, Settings};
use crate::checks::threshold::Thresholds;
use crate::checks::{CheckKind, CheckSpec, Memory, ProbeCx, probe};
use crate::config::Config;
use crate::engine::stack;
use crate::model::reading::{Finding, Reading};
use crate::text::{SafeText, fit};

use super::super::World;

/// How long one look may take (000: `--max-time 5`).
const LIMIT: Duration = Duration::from_secs(5);
/// The end of a log that is read, in bytes.
const TAIL: u64 = 256 * 1024;
/// Errors that are shown.
const ERRORS: usize = 5;

/// The sections in their order, each with its lines.
pub(super) async fn sections(world: &World, config: &Config) -> Vec<(&'static str, Vec<String>)> {
    let cx = ProbeCx {
        clock: world.clock.clone(),
        dir: config.file.parent().map(PathBuf::from).unwrap_or_default(),
    };
    let (resources, services, network, database) = tokio::join!(
        resources(config, &cx),
        looks(config, &cx, of_a_service),
        looks(config, &cx, of_the_network),
        database(world, config),
    );
    vec![
        ("System Resources", resources),
        ("Service Status", services),
        ("Network Connectivity", network),
        ("Database Status", database),
        ("Recent Errors", errors(config)),
    ]
}

/// As text.
pub(super) fn text(sections: &[(&'static str, Vec<String>)]) -> String {
    let mut text = String::new();
    for (name, lines) in sections {
        writeln!(text, "{name}").ok();
        for line in lines {
            writeln!(text, "  {}", SafeText::new(line)).ok();
        }
    }
    text
}

/// As JSON.
pub(super) fn document(sections: &[(&'static str, Vec<String>)]) -> Value {
    sections.iter().map(|(name, lines)| ((*name).to_owned(), json!(lines))).collect()
}

async fn resources(config: &Config, cx: &ProbeCx) -> Vec<String> {
    let state = config.state_dir.ancestors().find(|path| path.exists());
    let at = state.map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let all = [
        ("CPU Usage", Resource::Cpu),
        ("Memory Usage", Resource::Memory),
        ("Disk Usage", Resource::Disk(at.clone())),
        ("Inode Usage", Resource::Inodes(at)),
    ];
    let looks = all.into_iter().map(|(name, resource)| async move {
        let settings = Settings { resource, thresholds: Thresholds::default() };
        let seen = settings.probe(LIMIT, cx, &mut Memory::default()).await;
        match seen.value {
            Some(value) => format!("{name}: {value:.1}%"),
            None => format!("{name}: not known"),
        }
    });
    join_all(looks).await
}

fn of_a_service(kind: &CheckKind) -> bool {
    matches!(
        kind,
        CheckKind::SystemdUnit(_)
            | CheckKind::Process(_)
            | CheckKind::Container(_)
            | CheckKind::Kubernetes(_)
            | CheckKind::Redis(_)
    )
}

fn of_the_network(kind: &CheckKind) -> bool {
    matches!(
        kind,
        CheckKind::HttpResponse(_) | CheckKind::Tcp(_) | CheckKind::Dns(_) | CheckKind::TlsCert(_)
    )
}

/// What the checks of a kind say now.
async fn looks(config: &Config, cx: &ProbeCx, wanted: fn(&CheckKind) -> bool) -> Vec<String> {
    let checks = config.checks.iter().filter(|spec| spec.enabled && wanted(&spec.kind));
    let lines = join_all(checks.map(|spec| async move {
        let spec = CheckSpec { timeout: spec.timeout.min(LIMIT), ..spec.clone() };
        line(&spec, &probe(&spec, cx).await)
    }));
    let lines = lines.await;
    if lines.is_empty() { vec!["no check looks at one".to_owned()] } else { lines }
}

fn line(spec: &CheckSpec, reading: &Reading) -> String {
    let word = match &reading.finding {
        Finding::Good => "OK".to_owned(),
        Finding::Warn { why } => format!("WARNING ({})", why.text),
        Finding::Bad { why } => format!("FAILED ({})", why.text),
        Finding::Unknown { .. } => "not known".to_owned(),
    };
    let note = if reading.note.is_empty() { String::new() } else { format!("  {}", reading.note) };
    format!("{}: {word}{note}", spec.name)
}

async fn database(world: &World, config: &Config) -> Vec<String> {
    let Some(database) = stack::database(config, &world.clock) else {
        return vec!["none is configured".to_owned()];
    };
    let name = database.name();
    let said = match world.clock.timeout(LIMIT, database.activity()).await {
        Err(_) => format!("{name}: FAILED (no answer in {} s)", LIMIT.as_secs()),
        Ok(Err(error)) => format!("{name}: FAILED ({})", error.message),
        Ok(Ok(Some(activity))) => format!("{name}: OK ({} connections)", activity.connections.0),
        // A file has no connections; what counts is that it can be read.
        Ok(Ok(None)) => match world.clock.timeout(LIMIT, database.size()).await {
            Ok(Ok(_)) => format!("{name}: OK (a file, no connections)"),
            Ok(Err(error)) => format!("{name}: FAILED ({})", error.message),
            Err(_) => format!("{name}: FAILED (no answer in {} s)", LIMIT.as_secs()),
        },
    };
    vec![said]
}

/// The last errors in the logs that are followed; a log that is not there is said to be absent.
fn errors(config: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    let mut found = Vec::new();
    for source in &config.log_sources {
        match tail(&source.path) {
            Ok(text) => {
                let is_error = |line: &&str| {
                    let line = line.to_lowercase();
                    line.contains("error") || line.contains("critical")
                };
                let name = &source.source;
                found.extend(
                    text.lines().filter(is_error).map(|line| fit(&format!("{name}: {line}"), 200)),
                );
            }
            Err(error) => lines.push(format!("{}: absent ({error})", source.path.display())),
        }
    }
    let first = found.len().saturating_sub(ERRORS);
    lines.extend(found.drain(first..));
    if lines.is_empty() {
        lines.push("none in the logs that are followed".to_owned());
    }
    lines
}

/// The end of a file.
fn tail(path: &std::path::Path) -> std::io::Result<String> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
