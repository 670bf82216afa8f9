//! The incident bundle: one archive `incident-<id>-<utc>.tar.zst` with its `.sha256`, written in
//! one pass whatever the logs' size.
//!
//! ```text
//! source → lines → redactor → SHA-256 → tar → zstd (frames of 8 MiB, on threads) → file
//! ```
//!
//! Every frame holds whole files, so a bundle that was killed is a valid archive up to its last
//! frame; a longer source is several files of 4 MiB. A source that fails is listed with its
//! error; the bundle goes on. The manifest is written last.

mod archive;
mod frames;
mod host;
mod lay;
mod make;
mod manifest;
mod place;
mod read;
mod recover;
mod source;
mod verify;

pub use host::host;
pub use lay::lay_out;
pub use make::{Automatic, Floor, Made, Order, make, preview};
pub use manifest::{FileRecord, Manifest, Previous, SourceRecord, SourceState, Trigger, Truncated};
pub use read::{Entries, Entry};
pub use recover::{Recovered, recover};
pub use source::{From, Item, Limits};
pub use verify::{Checked, Scanned, scan, show, verify};

#[cfg(test)]
mod tests;
