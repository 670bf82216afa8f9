//! Where backout's own diagnostics go: the engine's log file, or the console's F12 pane.

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Writes diagnostics to standard error, which the keeper has pointed at the engine's log file.
pub fn to_stderr() {
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(std::io::stderr);
    // A second set-up in one process (tests) keeps the first.
    tracing_subscriber::registry().with(LevelFilter::INFO).with(lines).try_init().ok();
}
