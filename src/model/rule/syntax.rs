//! A condition as a tree.

use std::sync::Arc;

/// A part of a condition, and the bytes it stands on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// What.
    pub(super) kind: Kind,
    /// Its first byte.
    pub(super) from: usize,
    /// Behind its last.
    pub(super) to: usize,
}

/// What a part of a condition is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// `None`.
    None,
    /// `True`, `False`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(Arc<str>),
    /// A name of a comprehension.
    Name(Arc<str>),
    /// `metrics`.
    Metrics,
    /// A type, for `isinstance`.
    Type(Type),
    /// `not x`.
    Not(Box<Node>),
    /// `-x`; `+x` is `x`.
    Minus(Box<Node>),
    /// `a and b and c`.
    And(Vec<Node>),
    /// `a or b or c`.
    Or(Vec<Node>),
    /// `a < b <= c`.
    Compare(Box<Node>, Vec<(Comparison, Node)>),
    /// `a + b`.
    Count(Operator, Box<Node>, Box<Node>),
    /// `f(a, b)`.
    Call(Function, Vec<Node>),
    /// `x.lower()`.
    Method(Box<Node>, Method, Vec<Node>),
    /// `x.value`.
    Attribute(Box<Node>, Attribute),
    /// `x[i]`.
    Index(Box<Node>, Box<Node>),
    /// `x[a:b]`.
    Slice(Box<Node>, Option<Box<Node>>, Option<Box<Node>>),
    /// `[a, b]`.
    List(Vec<Node>),
    /// `(a, b)`.
    Tuple(Vec<Node>),
    /// `[e for n in x if c]`, with or without the brackets.
    Each(Box<Node>, Vec<Clause>),
    /// `a if c else b`: the condition, then both.
    If(Box<Node>, Box<Node>, Box<Node>),
}

/// `for a, b in x if c`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Clause {
    /// The names.
    pub(super) names: Vec<Arc<str>>,
    /// What is gone through.
    pub(super) over: Node,
    /// What an element must meet.
    pub(super) conditions: Vec<Node>,
}

/// A type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// Whole numbers, and truths as in Python.
    Int,
    /// Numbers with a point.
    Float,
    /// Text.
    Str,
    /// Truths.
    Bool,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// `==`.
    Is,
    /// `!=`.
    IsNot,
    /// `<`.
    Less,
    /// `<=`.
    AtMost,
    /// `>`.
    More,
    /// `>=`.
    AtLeast,
    /// `in`.
    In,
    /// `not in`.
    NotIn,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// `+`.
    Plus,
    /// `-`.
    Minus,
    /// `*`.
    Times,
    /// `/`.
    Over,
    /// `//`.
    Whole,
    /// `%`.
    Rest,
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $word:literal $low:literal $high:literal,)* }) => {
        named!($(#[$doc])* $name { $($variant $word,)* });

        impl $name {
            /// The fewest and the most arguments.
            pub(super) fn arguments(self) -> (usize, usize) {
                match self { $(Self::$variant => ($low, $high),)* }
            }
        }
    };
    ($(#[$doc:meta])* $name:ident { $($variant:ident $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $name { $($variant,)* }

        impl $name {
            /// All of them.
            pub(super) const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// As written.
            pub(super) fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The one of that name.
            pub(super) fn named(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }
    };
}

named!(
    /// What can be called.
    Function {
        FailureCount "get_failure_count" 1 2,
        LatestMetric "get_latest_metric" 1 2,
        ErrorRate "error_rate" 0 2,
        P95 "p95" 0 2,
        Latency "latency" 2 3,
        BurnRate "burn_rate" 2 2,
        ErrorBudget "error_budget" 1 1,
        Status "status" 1 1,
        SeverityNow "severity" 0 0,
        SinceDeploy "minutes_since_deploy" 0 0,
        Prometheus "prometheus" 1 1,
        Len "len" 1 1,
        Any "any" 1 1,
        All "all" 1 1,
        Sum "sum" 1 1,
        Max "max" 1 20,
        Min "min" 1 20,
        Avg "avg" 1 1,
        Abs "abs" 1 1,
        Round "round" 1 2,
        ToInt "int" 1 1,
        ToFloat "float" 1 1,
        ToStr "str" 1 1,
        ToBool "bool" 1 1,
        Range "range" 1 2,
        IsInstance "isinstance" 2 2,
    }
);

named!(
    /// What can be called on a value.
    Method {
        Items "items" 0 0,
        Keys "keys" 0 0,
        Values "values" 0 0,
        Get "get" 1 2,
        Lower "lower" 0 0,
        Upper "upper" 0 0,
        Strip "strip" 0 0,
        StartsWith "startswith" 1 1,
        EndsWith "endswith" 1 1,
    }
);

named!(
    /// What a metric tells.
    Attribute {
        Value "value",
        Status "status",
        AgeSeconds "age_seconds",
        Metadata "metadata",
        Name "name",
        Unit "unit",
        MetricType "metric_type",
        Timestamp "timestamp",
    }
);

impl Function {
    /// Whether it asks for something that was seen: its answer is evidence.
    pub(super) fn asks(self) -> bool {
        matches!(
            self,
            Self::FailureCount
                | Self::LatestMetric
                | Self::ErrorRate
                | Self::P95
                | Self::Latency
                | Self::BurnRate
                | Self::ErrorBudget
                | Self::Status
                | Self::SeverityNow
                | Self::SinceDeploy
                | Self::Prometheus
        )
    }
}

impl Node {
    /// The parts directly below.
    pub(super) fn parts(&self) -> Vec<&Self> {
        match &self.kind {
            Kind::None
            | Kind::Bool(_)
            | Kind::Int(_)
            | Kind::Float(_)
            | Kind::Text(_)
            | Kind::Name(_)
            | Kind::Metrics
            | Kind::Type(_) => Vec::new(),
            Kind::Not(inside) | Kind::Minus(inside) | Kind::Attribute(inside, _) => vec![inside],
            Kind::And(all)
            | Kind::Or(all)
            | Kind::List(all)
            | Kind::Tuple(all)
            | Kind::Call(_, all) => all.iter().collect(),
            Kind::Compare(first, rest) => {
                let rest = rest.iter().map(|(_, one)| one);
                std::iter::once(&**first).chain(rest).collect()
            }
            Kind::Count(_, left, right) | Kind::Index(left, right) => vec![left, right],
            Kind::Method(on, _, arguments) => std::iter::once(&**on).chain(arguments).collect(),
            Kind::Slice(on, from, to) => {
                let bounds = from.iter().chain(to).map(|bound| &**bound);
                std::iter::once(&**on).chain(bounds).collect()
            }
            Kind::If(condition, yes, no) => vec![condition, yes, no],
            Kind::Each(element, clauses) => {
                let clauses = clauses.iter();
                let inside =
                    clauses.flat_map(|one| std::iter::once(&one.over).chain(&one.conditions));
                inside.chain(std::iter::once(&**element)).collect()
            }
        }
    }
}
