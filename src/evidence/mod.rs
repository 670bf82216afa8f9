//! What is kept of an incident: logs and state before anything is destroyed, an index that proves
//! it whole, and the sheet with the commands by hand; and restore points with the proof of theirs.

pub mod archive;
pub mod bundle;
mod index;
mod keep;
pub mod manifest;
pub mod pace;
pub mod points;
mod script;
mod sheet;

pub use index::{Index, Kept, Missing, verify, write_pointer};
pub use keep::{LOG_LIMIT, Source, folder, keep};
pub use points::Saved;
pub use sheet::{Scene, break_glass, sheet};
