//! What is kept of an incident: logs and state before anything is destroyed, an index that proves
//! it whole, and the sheet with the commands by hand.

mod index;
mod keep;
mod sheet;

pub use index::{Index, Kept, Missing, verify};
pub use keep::{LOG_LIMIT, Source, folder, keep};
pub use sheet::break_glass;
