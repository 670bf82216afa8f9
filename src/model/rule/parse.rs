//! From words to a tree: what a rule may say, and nothing else. Names, arguments and methods are
//! checked here, once, when the configuration is read.

mod atom;
mod cursor;
mod names;

use super::problem::Mistake;
use super::syntax::{Comparison, Kind, Node, Operator};
use super::token::{Token, Word, tokens};

use cursor::unexpected;
use names::names;

/// Reads a condition.
pub(super) fn parse(source: &str) -> Result<Node, Mistake> {
    let mut parser = Parser { tokens: tokens(source)?, at: 0, depth: 0, operators: 0 };
    let node = parser.expression()?;
    let (word, from) = parser.peek();
    if word != Word::End {
        return Err(unexpected(&word, from));
    }
    names(&node, &mut Vec::new())?;
    Ok(node)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    operators: usize,
}

type Parsed = Result<Node, Mistake>;

impl Parser {
    /// `a if c else b`, or less.
    fn expression(&mut self) -> Parsed {
        self.deeper(|parser| {
            let yes = parser.either()?;
            if !parser.take_word("if") {
                return Ok(yes);
            }
            parser.operator()?;
            let condition = parser.either()?;
            if !parser.take_word("else") {
                let (_, at) = parser.peek();
                return Err(Mistake::at(at, "else is missing"));
            }
            let no = parser.expression()?;
            let (from, to) = (yes.from, no.to);
            let kind = Kind::If(Box::new(condition), Box::new(yes), Box::new(no));
            Ok(Node { kind, from, to })
        })
    }

    fn list_of(
        &mut self,
        word: &str,
        inside: impl Fn(&mut Self) -> Parsed,
        kind: fn(Vec<Node>) -> Kind,
    ) -> Parsed {
        let first = inside(self)?;
        if !self.is_word(word) {
            return Ok(first);
        }
        let from = first.from;
        let mut all = vec![first];
        while self.take_word(word) {
            self.operator()?;
            all.push(inside(self)?);
        }
        Ok(Node { kind: kind(all), from, to: self.behind() })
    }

    fn either(&mut self) -> Parsed {
        self.list_of("or", |parser| parser.list_of("and", Self::denial, Kind::And), Kind::Or)
    }

    fn denial(&mut self) -> Parsed {
        let (_, from) = self.peek();
        if !self.take_word("not") {
            return self.comparison();
        }
        self.deeper(|parser| {
            let inside = parser.denial()?;
            let to = inside.to;
            Ok(Node { kind: Kind::Not(Box::new(inside)), from, to })
        })
    }

    fn comparison(&mut self) -> Parsed {
        let first = self.sum()?;
        let mut rest = Vec::new();
        while let Some(how) = self.how()? {
            self.operator()?;
            rest.push((how, self.sum()?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        let from = first.from;
        Ok(Node { kind: Kind::Compare(Box::new(first), rest), from, to: self.behind() })
    }

    fn how(&mut self) -> Result<Option<Comparison>, Mistake> {
        let signs = [
            ("==", Comparison::Is),
            ("!=", Comparison::IsNot),
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("<", Comparison::Less),
            (">", Comparison::More),
        ];
        if let Some((_, how)) = signs.into_iter().find(|(sign, _)| self.take(sign)) {
            return Ok(Some(how));
        }
        if self.take_word("in") {
            return Ok(Some(Comparison::In));
        }
        if self.take_word("is") {
            let not = self.take_word("not");
            return Ok(Some(if not { Comparison::IsNot } else { Comparison::Is }));
        }
        if self.take_word("not") {
            if self.take_word("in") {
                return Ok(Some(Comparison::NotIn));
            }
            let (_, at) = self.peek();
            return Err(Mistake::at(at, "in is missing behind not"));
        }
        Ok(None)
    }

    fn chain(&mut self, signs: &[(&str, Operator)], inside: fn(&mut Self) -> Parsed) -> Parsed {
        let mut left = inside(self)?;
        while let Some((_, operator)) = signs.iter().find(|(sign, _)| self.is(sign)) {
            self.at += 1;
            self.operator()?;
            let right = inside(self)?;
            let (from, to) = (left.from, right.to);
            let kind = Kind::Count(*operator, Box::new(left), Box::new(right));
            left = Node { kind, from, to };
        }
        Ok(left)
    }

    fn sum(&mut self) -> Parsed {
        self.chain(&[("+", Operator::Plus), ("-", Operator::Minus)], Self::product)
    }

    fn product(&mut self) -> Parsed {
        let signs = [
            ("*", Operator::Times),
            ("//", Operator::Whole),
            ("/", Operator::Over),
            ("%", Operator::Rest),
        ];
        self.chain(&signs, Self::signed)
    }

    fn signed(&mut self) -> Parsed {
        let (_, from) = self.peek();
        let minus = self.take("-");
        if !minus && !self.take("+") {
            return self.member();
        }
        self.deeper(|parser| {
            let inside = parser.signed()?;
            let to = inside.to;
            let kind = if minus { Kind::Minus(Box::new(inside)) } else { inside.kind };
            Ok(Node { kind, from, to })
        })
    }
}
