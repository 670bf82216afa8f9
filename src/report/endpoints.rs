//! The lines of document 004's validation of endpoints: what they answer (M-19) and how fast (M-20).

use std::fmt::Write as _;

use crate::model::criteria::{self, Criterion, Passed};

/// The lines of M-19: `Health endpoint: ✅ 200`, and the overall result.
pub fn answers(criteria: &[Criterion]) -> String {
    let mut out = String::new();
    let sign = |passed| if passed == Passed::Yes { "✅" } else { "❌" };
    for one in criteria {
        writeln!(out, "{}: {} {}", one.name, sign(one.answer), one.measured).ok();
    }
    out + &overall(criteria)
}

/// The lines of one endpoint of M-20: `✅ Status: passed`, then each number with its threshold.
pub fn timed(criteria: &[Criterion]) -> String {
    let mut out = String::new();
    let (sign, word) = match criteria::all(criteria) {
        Passed::Yes => ("✅", "passed"),
        Passed::No | Passed::Unknown => ("❌", "failed"),
    };
    writeln!(out, "{sign} Status: {word}").ok();
    for one in criteria {
        writeln!(out, "   {}: {}", one.name, one.measured).ok();
    }
    out
}

/// `Overall result: ✅ SUCCESS`, after an empty line.
pub fn overall(criteria: &[Criterion]) -> String {
    let (sign, word) = match criteria::all(criteria) {
        Passed::Yes => ("✅", "SUCCESS"),
        Passed::No | Passed::Unknown => ("❌", "FAILURE"),
    };
    format!("\nOverall result: {sign} {word}\n")
}
