//! Values of a condition. Besides what Python has there are two that it has not: a value that is
//! not known, and a number that is only known to lie between two others.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::reading::{Reading, Reason};
use crate::text::{SafeText, fit};

use super::syntax::Type;

/// Why something is not known, and of what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unknown {
    /// Of the closed list.
    pub reason: Reason,
    /// The check, service or query.
    pub about: SafeText,
}

impl Unknown {
    pub(super) fn of(reason: Reason, about: &str) -> Self {
        Self { reason, about: SafeText::new(&fit(about, 60)) }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.about.is_empty() {
            return f.write_str(self.reason.words());
        }
        write!(f, "{}: {}", self.about, self.reason.words())
    }
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    /// Nothing.
    None,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number; always finite.
    Float(f64),
    /// Text.
    Text(Arc<str>),
    /// Elements, some of which may not belong to it.
    List(Rc<List<'a>>),
    /// A fixed number of values.
    Tuple(Rc<[Self]>),
    /// One reading.
    Metric(&'a Reading),
    /// What a reading says beside its value.
    Metadata(&'a Reading),
    /// The readings of every service.
    Metrics,
    /// The readings of the service at this place, oldest first.
    Series(usize),
    /// Types, for `isinstance`.
    Type(Type),
    /// A whole number of which the least and the most are known.
    Between(i64, i64, Rc<Unknown>),
    /// Not known.
    Unknown(Rc<Unknown>),
}

/// A list.
#[derive(Debug, Default)]
pub(super) struct List<'a> {
    /// Its elements, and whether each certainly belongs to it.
    pub(super) items: Vec<(Value<'a>, bool)>,
    /// Why some may not.
    pub(super) why: Option<Rc<Unknown>>,
}

/// Yes, no, or not known and why.
#[derive(Clone, Debug)]
pub(super) enum Truth {
    Yes,
    No,
    Open(Rc<Unknown>),
}

impl Truth {
    pub(super) fn of(is: bool) -> Self {
        if is { Self::Yes } else { Self::No }
    }

    pub(super) fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Open(why) => Self::Open(why),
        }
    }

    pub(super) fn value<'a>(self) -> Value<'a> {
        match self {
            Self::Yes => Value::Bool(true),
            Self::No => Value::Bool(false),
            Self::Open(why) => Value::Unknown(why),
        }
    }
}

impl Value<'_> {
    pub(super) fn unknown(reason: Reason, about: &str) -> Self {
        Self::Unknown(Rc::new(Unknown::of(reason, about)))
    }

    /// A number, or not known where it is none any more.
    pub(super) fn float(number: f64, about: &str) -> Self {
        if number.is_finite() { Self::Float(number) } else { Self::unknown(Reason::NoData, about) }
    }

    pub(super) fn list(items: Vec<(Self, bool)>, why: Option<Rc<Unknown>>) -> Self {
        Self::List(Rc::new(List { items, why }))
    }

    /// The name of its type, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a truth",
            Self::Int(_) | Self::Between(..) => "a whole number",
            Self::Float(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) | Self::Series(_) => "a list",
            Self::Tuple(_) => "a tuple",
            Self::Metric(_) => "a metric",
            Self::Metadata(_) => "metadata",
            Self::Metrics => "metrics",
            Self::Type(_) => "a type",
            Self::Unknown(_) => "unknown",
        }
    }

    /// The number, where it is one that is known.
    #[expect(clippy::cast_precision_loss, reason = "as Python compares whole numbers with others")]
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Bool(is) => Some(f64::from(u8::from(*is))),
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            Self::None
            | Self::Text(_)
            | Self::List(_)
            | Self::Tuple(_)
            | Self::Metric(_)
            | Self::Metadata(_)
            | Self::Metrics
            | Self::Series(_)
            | Self::Type(_)
            | Self::Between(..)
            | Self::Unknown(_) => None,
        }
    }

    /// The whole number, where it is one that is known.
    pub(super) fn int(&self) -> Option<i64> {
        if let Self::Bool(is) = self {
            return Some(i64::from(*is));
        }
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    /// The least and the most of a whole number.
    pub(super) fn between(&self) -> Option<(i64, i64)> {
        if let Self::Between(low, high, _) = self {
            return Some((*low, *high));
        }
        self.int().map(|number| (number, number))
    }

    /// Why it is not known, wholly or in part.
    pub(super) fn open(&self) -> Option<&Rc<Unknown>> {
        if let Self::Unknown(why) | Self::Between(_, _, why) = self { Some(why) } else { None }
    }

    /// Whether it counts as yes. `services` is how many services have readings.
    pub(super) fn truth(&self, services: usize) -> Truth {
        match self {
            Self::None => Truth::No,
            Self::Bool(is) => Truth::of(*is),
            Self::Int(number) => Truth::of(*number != 0),
            Self::Float(number) => Truth::of(*number != 0.0),
            Self::Text(text) => Truth::of(!text.is_empty()),
            Self::List(list) => match (&list.why, list.items.iter().any(|(_, sure)| *sure)) {
                (_, true) => Truth::Yes,
                (Some(why), false) if !list.items.is_empty() => Truth::Open(Rc::clone(why)),
                (_, false) => Truth::No,
            },
            Self::Tuple(items) => Truth::of(!items.is_empty()),
            Self::Metrics => Truth::of(services > 0),
            // Only services with readings have a series.
            Self::Series(_) | Self::Metric(_) | Self::Metadata(_) | Self::Type(_) => Truth::Yes,
            Self::Between(low, high, why) => match (*low, *high) {
                (0, 0) => Truth::No,
                (low, high) if low > 0 || high < 0 => Truth::Yes,
                (_, _) => Truth::Open(Rc::clone(why)),
            },
            Self::Unknown(why) => Truth::Open(Rc::clone(why)),
        }
    }
}

/// As evidence shows it.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Bool(is) => f.write_str(if *is { "True" } else { "False" }),
            Self::Int(number) => write!(f, "{number}"),
            Self::Float(number) if number.abs() >= 1e15 => write!(f, "{number:e}"),
            Self::Float(number) => write!(f, "{}", (number * 10_000.0).round() / 10_000.0),
            Self::Text(text) => write!(f, "'{}'", fit(text, 60)),
            Self::List(list) => {
                let maybe = list.items.iter().filter(|(_, sure)| !sure).count();
                let shown: Vec<String> =
                    list.items.iter().take(6).map(|(item, _)| short(item)).collect();
                let more = if list.items.len() > 6 { ", …" } else { "" };
                write!(f, "[{}{more}]", shown.join(", "))?;
                if maybe > 0 {
                    write!(f, " ({maybe} of {} perhaps)", list.items.len())?;
                }
                Ok(())
            }
            Self::Tuple(items) => {
                let shown: Vec<String> = items.iter().take(6).map(short).collect();
                write!(f, "({})", shown.join(", "))
            }
            Self::Metric(reading) => write!(f, "{} {}", reading.check, reading.note),
            Self::Metadata(reading) => write!(f, "{}", reading.note),
            Self::Metrics => f.write_str("the readings of all services"),
            Self::Series(_) => f.write_str("the readings of a service"),
            Self::Type(_) => f.write_str("a type"),
            Self::Between(low, i64::MAX, why) => write!(f, "{low} or more ({why})"),
            Self::Between(low, high, why) => write!(f, "{low} to {high} ({why})"),
            Self::Unknown(why) => write!(f, "unknown ({why})"),
        }
    }
}

fn short(value: &Value<'_>) -> String {
    if let Value::List(list) = value {
        return format!("{} elements", list.items.len());
    }
    if let Value::Tuple(items) = value {
        return format!("{} values", items.len());
    }
    fit(&value.to_string(), 40)
}
