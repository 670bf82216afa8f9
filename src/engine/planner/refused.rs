//! Why no plan can be made, and what is offered in its place.

use crate::adapters::{Error, Kind};
use crate::config::Config;
use crate::engine::stack::Stack;
use crate::model::plan::Level;
use crate::text::SafeText;

/// Why no plan can be made, and which level is offered instead.
#[derive(Clone, Debug)]
pub struct NoPlan {
    /// Why, and what to do next.
    pub why: SafeText,
    /// The level offered instead.
    pub offer: Option<Level>,
}

/// Why traffic could not be looked at; all rights that are missing, not only the first that was met.
pub(super) async fn with_rights(stack: &Stack, error: Error) -> String {
    if error.kind == Kind::Denied
        && let Ok(missing) = stack.workload.missing_rights().await
        && !missing.is_empty()
    {
        return format!("{}; {}", error.message, super::super::preflight::missing_words(&missing));
    }
    error.message
}

/// Why a configuration without a stack can only look, and what would change that.
pub(super) fn only_looks(config: &Config) -> &'static str {
    let platform = !matches!(config.platform, crate::config::Platform::None);
    match (platform, config.traffic.is_some()) {
        (true, false) => {
            "nothing is configured that moves traffic (traffic:), so this configuration only \
             looks; backout doctor says what each level lacks"
        }
        (false, true) => {
            "no platform is configured (platform:), so this configuration only looks; backout \
             doctor says what each level lacks"
        }
        (false, false) if !config.services.is_empty() => {
            "no platform and traffic are configured (platform:, traffic:): services go back one by \
             one (backout rollback --service NAME --target VERSION); level 1 takes them all back \
             where services.NAME.to says where to"
        }
        (false, false) | (true, true) => {
            "no platform and traffic are configured (platform:, traffic:), so this configuration \
             only looks; backout doctor says what each level lacks"
        }
    }
}

/// The level that is offered instead; none where the platform itself does not answer, which every
/// level needs.
pub(in crate::engine) async fn offered(stack: &Stack, level: Level) -> Option<Level> {
    let away = |kind| matches!(kind, Kind::Refused | Kind::Reset | Kind::TimedOut);
    let asked = stack.workload.identity().await;
    (!asked.is_err_and(|error| away(error.kind))).then_some(level)
}
