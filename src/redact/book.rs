//! Which secret has which number, and how many were taken out.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest as _, Sha256};

use super::rules::Rule;

/// Different secrets that are told apart; further ones get no number.
const KNOWN: usize = 50_000;
/// Places that are listed; all are counted.
const LISTED: usize = 10_000;

/// One place where something was taken out. Never what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which rule.
    pub rule: Rule,
    /// The line, from 1.
    pub line: u64,
    /// How long it was, in bytes.
    pub bytes: usize,
}

/// The numbers of one bundle or one engine. The key that they rest on is random and never kept.
#[derive(Debug)]
pub struct Book {
    key: Option<[u8; 32]>,
    prefix: &'static str,
    seen: HashMap<[u8; 16], u32>,
    counts: BTreeMap<Rule, u64>,
    found: Vec<Found>,
}

impl Book {
    /// An empty book; `prefix` stands before each number, so that books are told apart.
    pub fn new(prefix: &'static str) -> Self {
        let mut key = [0; 32];
        // Without randomness nothing is told apart: a number that can be guessed says too much.
        let key = getrandom::fill(&mut key).is_ok().then_some(key);
        Self { key, prefix, seen: HashMap::new(), counts: BTreeMap::new(), found: Vec::new() }
    }

    /// How many were taken out, by rule.
    pub fn counts(&self) -> &BTreeMap<Rule, u64> {
        &self.counts
    }

    /// The places since this was asked last, at most the first 10,000.
    pub fn take_found(&mut self) -> Vec<Found> {
        std::mem::take(&mut self.found)
    }

    /// Writes what stands in the place of `secret`.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, found: Found, secret: &[u8]) {
        *self.counts.entry(found.rule).or_default() += 1;
        if self.found.len() < LISTED {
            self.found.push(found);
        }
        out.extend_from_slice(OPEN.as_bytes());
        out.extend_from_slice(found.rule.name().as_bytes());
        if let Some(number) = self.number(secret) {
            out.extend_from_slice(format!("#{}{number}", self.prefix).as_bytes());
        }
        out.extend_from_slice(CLOSE.as_bytes());
    }

    fn number(&mut self, secret: &[u8]) -> Option<u32> {
        let key = self.key?;
        let hash = Sha256::new().chain_update(key).chain_update(secret).finalize();
        let short: [u8; 16] = hash.get(..16)?.try_into().ok()?;
        let next = u32::try_from(self.seen.len()).ok()? + 1;
        if let Some(known) = self.seen.get(&short) {
            return Some(*known);
        }
        if self.seen.len() >= KNOWN {
            return None;
        }
        self.seen.insert(short, next);
        Some(next)
    }
}

/// How a replacement begins.
pub(super) const OPEN: &str = "‹redacted:";
/// How it ends.
pub(super) const CLOSE: &str = "›";
