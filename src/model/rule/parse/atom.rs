//! What operators stand between: numbers, texts, names, calls, members, brackets.

use std::sync::Arc;

use super::super::problem::{Mistake, meant};
use super::super::syntax::{Attribute, Clause, Function, Kind, Method, Node, Type};
use super::super::token::Word;
use super::cursor::unexpected;
use super::{Parsed, Parser};

impl Parser {
    pub(super) fn member(&mut self) -> Parsed {
        let mut node = self.atom()?;
        loop {
            if self.take(".") {
                node = self.dotted(node)?;
            } else if self.take("[") {
                node = self.bracket(node)?;
            } else if self.is("(") {
                let (_, at) = self.peek();
                return Err(Mistake::at(at, "this cannot be called"));
            } else {
                return Ok(node);
            }
            self.operator()?;
        }
    }

    fn dotted(&mut self, node: Node) -> Parsed {
        let (word, at) = self.peek();
        let Word::Name(name) = word else { return Err(unexpected(&word, at)) };
        self.at += 1;
        let from = node.from;
        if self.is("(") {
            let Some(method) = Method::named(&name) else {
                return Err(unknown(&name, "method", at, Method::ALL.iter().map(|m| m.word())));
            };
            let arguments = self.arguments(&name, method.arguments(), at)?;
            let kind = Kind::Method(Box::new(node), method, arguments);
            return Ok(Node { kind, from, to: self.behind() });
        }
        let Some(attribute) = Attribute::named(&name) else {
            return Err(unknown(
                &name,
                "value of a metric",
                at,
                Attribute::ALL.iter().map(|a| a.word()),
            ));
        };
        Ok(Node { kind: Kind::Attribute(Box::new(node), attribute), from, to: self.behind() })
    }

    fn bracket(&mut self, node: Node) -> Parsed {
        let from = node.from;
        let node = Box::new(node);
        let first = if self.is(":") { None } else { Some(Box::new(self.expression()?)) };
        if self.take(":") {
            let second = if self.is("]") { None } else { Some(Box::new(self.expression()?)) };
            self.need("]")?;
            return Ok(Node { kind: Kind::Slice(node, first, second), from, to: self.behind() });
        }
        self.need("]")?;
        match first {
            Some(index) => Ok(Node { kind: Kind::Index(node, index), from, to: self.behind() }),
            None => Err(Mistake::at(from, "an index is missing")),
        }
    }

    fn arguments(
        &mut self,
        name: &str,
        (low, high): (usize, usize),
        at: usize,
    ) -> Result<Vec<Node>, Mistake> {
        self.need("(")?;
        let mut all = Vec::new();
        while !self.is(")") {
            let argument = self.expression()?;
            let argument =
                if all.is_empty() && self.is_word("for") { self.each(argument)? } else { argument };
            all.push(argument);
            if !self.take(",") {
                break;
            }
        }
        self.need(")")?;
        if (low..=high).contains(&all.len()) {
            return Ok(all);
        }
        let takes = if low == high { format!("{low}") } else { format!("{low} to {high}") };
        Err(Mistake::at(at, format!("{name} takes {takes} arguments, not {}", all.len())))
    }

    fn atom(&mut self) -> Parsed {
        let (word, from) = self.peek();
        let kind = match word {
            Word::Int(number) => Kind::Int(number),
            Word::Float(number) => Kind::Float(number),
            Word::Text(text) => Kind::Text(text),
            Word::Name(name) => return self.named(&name, from),
            Word::Sign("(") => return self.round(from),
            Word::Sign("[") => return self.square(from),
            word @ (Word::Sign(_) | Word::End) => return Err(unexpected(&word, from)),
        };
        self.at += 1;
        Ok(Node { kind, from, to: self.behind() })
    }

    fn named(&mut self, name: &Arc<str>, from: usize) -> Parsed {
        const WORDS: [&str; 18] = [
            "and", "or", "not", "in", "is", "if", "else", "for", "lambda", "import", "def",
            "class", "while", "return", "yield", "await", "async", "from",
        ];
        self.at += 1;
        if name.starts_with('_') && &**name != "_" {
            let message = format!("{name} begins with _: such names are not let in");
            return Err(Mistake::at(from, message));
        }
        if WORDS.contains(&&**name) {
            return Err(Mistake::at(from, format!("{name:?} cannot stand here")));
        }
        if self.is("(") {
            let Some(function) = Function::named(name) else {
                let known = Function::ALL.iter().map(|one| one.word());
                return Err(unknown(name, "function", from, known));
            };
            self.operator()?;
            let arguments = self.arguments(name, function.arguments(), from)?;
            return Ok(Node { kind: Kind::Call(function, arguments), from, to: self.behind() });
        }
        let kind = match &**name {
            "True" => Kind::Bool(true),
            "False" => Kind::Bool(false),
            "None" => Kind::None,
            "metrics" => Kind::Metrics,
            "int" => Kind::Type(Type::Int),
            "float" => Kind::Type(Type::Float),
            "str" => Kind::Type(Type::Str),
            "bool" => Kind::Type(Type::Bool),
            _ => Kind::Name(Arc::clone(name)),
        };
        Ok(Node { kind, from, to: self.behind() })
    }

    /// `(a)`, `(a, b)`, `()`, `(a for b in c)`.
    fn round(&mut self, from: usize) -> Parsed {
        self.at += 1;
        if self.take(")") {
            return Ok(Node { kind: Kind::Tuple(Vec::new()), from, to: self.behind() });
        }
        let first = self.expression()?;
        let node = if self.is_word("for") {
            self.each(first)?
        } else if self.is(",") {
            let all = self.more(first, ")")?;
            Node { kind: Kind::Tuple(all), from, to: from }
        } else {
            first
        };
        self.need(")")?;
        Ok(Node { from, to: self.behind(), ..node })
    }

    fn square(&mut self, from: usize) -> Parsed {
        self.at += 1;
        if self.take("]") {
            return Ok(Node { kind: Kind::List(Vec::new()), from, to: self.behind() });
        }
        let first = self.expression()?;
        let node = if self.is_word("for") {
            self.each(first)?
        } else {
            Node { kind: Kind::List(self.more(first, "]")?), from, to: from }
        };
        self.need("]")?;
        Ok(Node { from, to: self.behind(), ..node })
    }

    fn more(&mut self, first: Node, end: &str) -> Result<Vec<Node>, Mistake> {
        let mut all = vec![first];
        while self.take(",") && !self.is(end) {
            self.operator()?;
            all.push(self.expression()?);
        }
        Ok(all)
    }

    fn each(&mut self, element: Node) -> Parsed {
        let from = element.from;
        let mut clauses = Vec::new();
        loop {
            let (_, at) = self.peek();
            if !self.take_word("for") {
                break;
            }
            if clauses.len() == 2 {
                return Err(Mistake::at(at, "more than two for within each other"));
            }
            self.operator()?;
            let names = self.loop_names()?;
            let over = self.either()?;
            let mut conditions = Vec::new();
            while self.take_word("if") {
                self.operator()?;
                conditions.push(self.either()?);
            }
            clauses.push(Clause { names, over, conditions });
        }
        Ok(Node { kind: Kind::Each(Box::new(element), clauses), from, to: self.behind() })
    }

    fn loop_names(&mut self) -> Result<Vec<Arc<str>>, Mistake> {
        let bracket = self.take("(");
        let mut names = Vec::new();
        loop {
            let (word, at) = self.peek();
            let Word::Name(name) = word else { return Err(unexpected(&word, at)) };
            let taken = Function::named(&name).is_some() || &*name == "metrics";
            if taken || &*name == "in" || (name.starts_with('_') && &*name != "_") {
                return Err(Mistake::at(at, format!("{name} is no name for an element")));
            }
            self.at += 1;
            names.push(name);
            if !self.take(",") {
                break;
            }
        }
        if bracket {
            self.need(")")?;
        }
        if self.take_word("in") {
            return Ok(names);
        }
        let (_, at) = self.peek();
        Err(Mistake::at(at, "in is missing"))
    }
}

pub(super) fn unknown<'a>(
    name: &str,
    what: &str,
    at: usize,
    known: impl Iterator<Item = &'a str>,
) -> Mistake {
    let mistake = Mistake::at(at, format!("there is no {what} {name}"));
    match meant(name, known) {
        Some(meant) => mistake.hint(format!("did you mean {meant}?")),
        None => mistake,
    }
}
