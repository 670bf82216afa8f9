//! From words to a tree: what a rule may say, and nothing else. Names, arguments and methods are
//! checked here, once, when the configuration is read.

use std::sync::Arc;

use super::problem::{Mistake, meant};
use super::syntax::{Attribute, Clause, Comparison, Function, Kind, Method, Node, Operator, Type};
use super::token::{Token, Word, tokens};

/// Brackets and words of denial within each other.
const DEPTH: usize = 48;
/// Operators, calls and members of one condition.
const OPERATORS: usize = 200;

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

fn unexpected(word: &Word, at: usize) -> Mistake {
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
    fn peek(&self) -> (Word, usize) {
        let end = || Token { word: Word::End, from: 0, to: 0 };
        let token = self.tokens.get(self.at).or_else(|| self.tokens.last()).cloned();
        let token = token.unwrap_or_else(end);
        (token.word, token.from)
    }

    /// Behind the last word that was taken.
    fn behind(&self) -> usize {
        let last = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        last.map_or(0, |token| token.to)
    }

    fn is(&self, sign: &str) -> bool {
        let token = self.tokens.get(self.at).map(|token| &token.word);
        matches!(token, Some(Word::Sign(known)) if *known == sign)
    }

    fn is_word(&self, word: &str) -> bool {
        let token = self.tokens.get(self.at).map(|token| &token.word);
        matches!(token, Some(Word::Name(known)) if &**known == word)
    }

    fn take(&mut self, sign: &str) -> bool {
        let there = self.is(sign);
        self.at += usize::from(there);
        there
    }

    fn take_word(&mut self, word: &str) -> bool {
        let there = self.is_word(word);
        self.at += usize::from(there);
        there
    }

    fn need(&mut self, sign: &str) -> Result<(), Mistake> {
        if self.take(sign) {
            return Ok(());
        }
        let (word, at) = self.peek();
        let found = unexpected(&word, at);
        Err(Mistake::at(at, format!("{sign} is missing: {}", found.message)))
    }

    fn deeper(&mut self, inside: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        if self.depth == DEPTH {
            let (_, at) = self.peek();
            return Err(Mistake::at(at, format!("more than {DEPTH} levels within each other")));
        }
        self.depth += 1;
        let parsed = inside(self);
        self.depth -= 1;
        parsed
    }

    fn operator(&mut self) -> Result<(), Mistake> {
        self.operators += 1;
        if self.operators > OPERATORS {
            let (_, at) = self.peek();
            return Err(Mistake::at(at, format!("more than {OPERATORS} operators and calls")));
        }
        Ok(())
    }

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

    fn member(&mut self) -> Parsed {
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

fn unknown<'a>(name: &str, what: &str, at: usize, known: impl Iterator<Item = &'a str>) -> Mistake {
    let mistake = Mistake::at(at, format!("there is no {what} {name}"));
    match meant(name, known) {
        Some(meant) => mistake.hint(format!("did you mean {meant}?")),
        None => mistake,
    }
}

/// Refuses names that no `for` has made.
fn names(node: &Node, known: &mut Vec<Arc<str>>) -> Result<(), Mistake> {
    match &node.kind {
        Kind::Name(name) => {
            if known.contains(name) {
                return Ok(());
            }
            let words = Function::ALL.iter().map(|one| one.word()).chain(["metrics", "True"]);
            let words = words.chain(["False", "None"]).chain(known.iter().map(|name| &**name));
            Err(unknown(name, "name", node.from, words))
        }
        Kind::None
        | Kind::Bool(_)
        | Kind::Int(_)
        | Kind::Float(_)
        | Kind::Text(_)
        | Kind::Metrics
        | Kind::Type(_) => Ok(()),
        Kind::Not(inside) | Kind::Minus(inside) | Kind::Attribute(inside, _) => {
            names(inside, known)
        }
        Kind::And(all)
        | Kind::Or(all)
        | Kind::List(all)
        | Kind::Tuple(all)
        | Kind::Call(_, all) => all.iter().try_for_each(|one| names(one, known)),
        Kind::Compare(first, rest) => {
            names(first, known)?;
            rest.iter().try_for_each(|(_, one)| names(one, known))
        }
        Kind::Count(_, left, right) | Kind::Index(left, right) => {
            names(left, known)?;
            names(right, known)
        }
        Kind::Method(on, _, arguments) => {
            names(on, known)?;
            arguments.iter().try_for_each(|one| names(one, known))
        }
        Kind::Slice(on, from, to) => {
            names(on, known)?;
            from.iter().chain(to).try_for_each(|one| names(one, known))
        }
        Kind::If(condition, yes, no) => {
            [condition, yes, no].into_iter().try_for_each(|one| names(one, known))
        }
        Kind::Each(element, clauses) => {
            let before = known.len();
            for clause in clauses {
                names(&clause.over, known)?;
                known.extend(clause.names.iter().cloned());
                clause.conditions.iter().try_for_each(|one| names(one, known))?;
            }
            names(element, known)?;
            known.truncate(before);
            Ok(())
        }
    }
}
