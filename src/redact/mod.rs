//! Takes secrets out of text before it reaches a disk or a screen.
//!
//! Two kinds are known. *Exact* ones are the values that the configuration and the environment
//! hold, in every form a program writes them: as they are, base64, percent-encoded, escaped for
//! JSON or a shell. *Shapes* are what a secret looks like: the password of a URL, headers that
//! authenticate, `key=value` with a telling key, PEM blocks, tokens of AWS, GitHub, Slack, JWT.
//!
//! ```text
//! bytes → one search for what every secret has (SIMD) → clean: copied
//!                                                     → a hit: its line goes through the rules
//! ```
//!
//! In its place stands `‹redacted:token#3›`; the same secret has the same number within one
//! [`Book`], whatever form it was in, so that a reader still sees which ones are equal.

mod book;
mod clean;
mod exact;
mod pem;
mod rules;
mod shapes;
mod triggers;

pub use book::{Book, Found};
pub use clean::Clean;
pub use exact::SHORTEST;
pub use rules::{Pass, Redactor, Rule};

#[cfg(test)]
mod tests;
