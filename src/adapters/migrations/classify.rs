//! What the statements of a migration do, from their parsed form (design 24, W-12). What nobody can
//! read counts as destructive, never as harmless.

use std::fmt;

use crate::adapters::database::Column;
use crate::text::fit;
use serde::{Deserialize, Serialize};

use super::statement::one;

/// How long a statement is where it is shown.
const SHOWN: usize = 60;

/// What a migration is, from harmless to hard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nature {
    /// Only adds what an old program does not notice.
    #[default]
    Additive,
    /// Changes rows and no table.
    DataOnly,
    /// Makes tables or rows other than they were.
    Rewriting,
    /// Takes something away, or nobody can tell.
    Destructive,
    /// Cannot be inside one transaction.
    NonTransactional,
}

impl fmt::Display for Nature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Additive => "additive",
            Self::DataOnly => "data-only",
            Self::Rewriting => "rewriting",
            Self::Destructive => "destructive",
            Self::NonTransactional => "non-transactional",
        })
    }
}

/// How data went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The column or table was dropped.
    Dropped,
    /// Values were written over.
    Rewritten,
    /// Rows were removed.
    Removed,
}

impl How {
    /// `dropped`, `rewritten`, `rows removed`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Rewritten => "rewritten",
            Self::Removed => "rows removed",
        }
    }
}

/// What a script takes away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The column, or the whole table.
    pub what: Column,
    /// How.
    pub how: How,
}

/// What one script does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// The hardest of its statements.
    pub nature: Nature,
    /// Statements that are not additive, shortened.
    pub notable: Vec<String>,
    /// What it takes away of what was there before it began.
    pub taken: Vec<Taken>,
    /// Why it is not run at all, in words; each is enough.
    pub refused: Vec<String>,
    /// Statements that nobody can read: they count as destructive.
    pub unclear: Vec<String>,
}

/// Judges the statements of a script, as the splitter gives them.
pub fn script(statements: &[String]) -> Judged {
    let mut judged = Judged::default();
    let mut made: Vec<Column> = Vec::new();
    let last = statements.len().saturating_sub(1);
    for (at, statement) in statements.iter().enumerate() {
        let shown = || fit(&statement.split_whitespace().collect::<Vec<_>>().join(" "), SHOWN);
        let edge = at == 0 || at == last;
        let one = one(statement, edge);
        // What only touches what the script itself has made was nobody's before.
        let new = !one.taken.is_empty() && one.taken.iter().all(|taken| covers(&made, &taken.what));
        let nature = if new && one.refused.is_none() { Nature::Additive } else { one.nature };
        judged.nature = judged.nature.max(nature);
        if nature != Nature::Additive {
            judged.notable.push(shown());
        }
        if let Some(why) = one.refused {
            judged.refused.push(format!("{:?} {why}", shown()));
        }
        if one.unclear {
            judged.unclear.push(shown());
        }
        // What the script itself has made was nobody's before.
        let old = one.taken.into_iter().filter(|taken| !covers(&made, &taken.what));
        judged.taken.extend(old);
        made.extend(one.made);
    }
    judged
}

fn covers(made: &[Column], what: &Column) -> bool {
    made.iter().any(|made| {
        made.table.eq_ignore_ascii_case(&what.table)
            && (made.column.is_none() || made.column == what.column)
    })
}
