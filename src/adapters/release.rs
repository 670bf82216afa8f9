//! What a platform says of the releases that it keeps.

use std::time::Duration;

use crate::model::ids::{Color, Digest, Time};
use crate::text::SafeText;

/// A release that is kept: artefacts and configuration under one digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Its version.
    pub version: SafeText,
    /// Over its artefacts and configuration, as recorded.
    pub digest: Digest,
    /// The schema it was deployed with, where that is recorded.
    pub schema: Option<i64>,
    /// Why it cannot be started again: an artefact is missing or another one.
    pub broken: Option<SafeText>,
}

/// What lies on a colour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Its version.
    pub version: SafeText,
    /// Over the artefacts and configuration that lie there, where that can be told.
    pub digest: Option<Digest>,
    /// Since when, where the files say.
    pub since: Option<Time>,
}

/// Which release goes where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployOrder {
    /// The colour.
    pub color: Color,
    /// The version.
    pub version: SafeText,
    /// The digest it was recorded under: anything else is another release.
    pub digest: Digest,
    /// Whether it is started; else it only lies there, as it did before.
    pub runs: bool,
    /// How long what runs there may take to end by itself.
    pub grace: Duration,
    /// The effect's key.
    pub effect: String,
}
