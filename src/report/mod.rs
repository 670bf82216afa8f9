//! Outgoing documents: pure functions of what the journal and the samples say.

pub mod brief;
pub mod documents;
pub mod history;
pub mod text;
pub mod validate;
