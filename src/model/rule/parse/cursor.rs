//! The words of a condition, taken one after the other, within bounds.

use super::super::problem::Mistake;
use super::super::token::{Token, Word};
use super::{Parsed, Parser};

/// Brackets, lists and words of denial within each other: what people write has four or five, and each
/// costs some 50 KiB of stack where nothing is optimised.
const DEPTH: usize = 16;
/// Operators, calls and members of one condition.
const OPERATORS: usize = 200;

pub(super) fn unexpected(word: &Word, at: usize) -> Mistake {
    match word {
        Word::End => Mistake::at(at, "the condition ends too early"),
        Word::Name(name) => Mistake::at(at, format!("{name:?} cannot stand here")),
        Word::Text(text) => Mistake::at(at, format!("the text {text:?} cannot stand here")),
        Word::Int(number) => Mistake::at(at, format!("{number} cannot stand here")),
        Word::Float(number) => Mistake::at(at, format!("{number} cannot stand here")),
        Word::Sign("=") => Mistake::at(at, "one = compares nothing").hint("write =="),
        Word::Sign("{" | "}") => Mistake::at(at, "sets and dicts are not known here"),
        Word::Sign(sign) => Mistake::at(at, format!("{sign} cannot stand here")),
    }
}

impl Parser {
    pub(super) fn peek(&self) -> (Word, usize) {
        let end = || Token { word: Word::End, from: 0, to: 0 };
        let token = self.tokens.get(self.at).or_else(|| self.tokens.last()).cloned();
        let token = token.unwrap_or_else(end);
        (token.word, token.from)
    }

    /// Behind the last word that was taken.
    pub(super) fn behind(&self) -> usize {
        let last = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        last.map_or(0, |token| token.to)
    }

    pub(super) fn is(&self, sign: &str) -> bool {
        let token = self.tokens.get(self.at).map(|token| &token.word);
        matches!(token, Some(Word::Sign(known)) if *known == sign)
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        let token = self.tokens.get(self.at).map(|token| &token.word);
        matches!(token, Some(Word::Name(known)) if &**known == word)
    }

    pub(super) fn take(&mut self, sign: &str) -> bool {
        let there = self.is(sign);
        self.at += usize::from(there);
        there
    }

    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let there = self.is_word(word);
        self.at += usize::from(there);
        there
    }

    pub(super) fn need(&mut self, sign: &str) -> Result<(), Mistake> {
        if self.take(sign) {
            return Ok(());
        }
        let (word, at) = self.peek();
        let found = unexpected(&word, at);
        Err(Mistake::at(at, format!("{sign} is missing: {}", found.message)))
    }

    pub(super) fn deeper(&mut self, inside: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        if self.depth == DEPTH {
            let (_, at) = self.peek();
            return Err(Mistake::at(at, format!("more than {DEPTH} levels within each other")));
        }
        self.depth += 1;
        let parsed = inside(self);
        self.depth -= 1;
        parsed
    }

    pub(super) fn operator(&mut self) -> Result<(), Mistake> {
        self.operators += 1;
        if self.operators > OPERATORS {
            let (_, at) = self.peek();
            return Err(Mistake::at(at, format!("more than {OPERATORS} operators and calls")));
        }
        Ok(())
    }
}
