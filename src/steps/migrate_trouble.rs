//! Why a migration could not be taken back, and what can be done then: the three cases of S-71.

use crate::adapters::{Error, Kind};
use crate::evidence::manifest::Manifest;
use crate::model::beside::loss_words;

use super::LookCx;
use super::data::{blocking, database, point_folder};

/// The cases that lead to different offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// There is no script, or it is not SQL.
    NoScript,
    /// The schema is not what the script expects.
    Conflict,
    /// The data does not allow what the script wants.
    Constraint,
    /// Somebody holds a lock, or it took too long.
    Busy,
    /// The line to the database broke, or nobody answers: what it did last is not known.
    Away,
    /// None of these.
    Other,
}

/// What databases say when the schema is another one.
const CONFLICTS: [&str; 5] =
    ["no such ", "already exists", "duplicate column", "does not exist", "error in "];

/// What they say when rows forbid what is wanted.
const CONSTRAINTS: [&str; 5] = [
    "constraint failed",
    "violates",
    "is violated by some row",
    "contains null values",
    "could not create unique index",
];

fn of(error: &Error) -> Trouble {
    let says = |words: &[&str]| words.iter().any(|word| error.message.contains(word));
    if says(&CONSTRAINTS) {
        Trouble::Constraint
    } else if says(&["syntax error", "incomplete input", "unrecognized token"])
        || error.kind == Kind::NotFound
    {
        Trouble::NoScript
    } else if matches!(error.kind, Kind::Refused | Kind::Reset) {
        Trouble::Away
    } else if matches!(error.kind, Kind::TimedOut | Kind::Held) {
        Trouble::Busy
    } else if says(&CONFLICTS) {
        Trouble::Conflict
    } else {
        Trouble::Other
    }
}

/// The error with what it means, what can be done, and what the restore would lose. Nothing of the
/// script has stayed, for it runs in one transaction; whether that was committed only a database
/// that answers can say.
pub(super) async fn explained(error: Error, point: Option<&str>, cx: &LookCx) -> Error {
    let restore = match point {
        Some(point) => {
            let loss = loss(point, cx).await;
            let command = format!("backout rollback --level 3 --target {point}");
            format!("level 3 ({command}) loses {loss}, and asks before it does")
        }
        None => "level 3 restores a point, and asks before it loses anything".to_owned(),
    };
    let trouble = of(&error);
    let says = match trouble {
        Trouble::NoScript => format!("there is no script that runs: restore instead; {restore}"),
        Trouble::Conflict => format!(
            "the schema is not what the script expects: mend it by hand, then retry (r) or say \
             that it is done (m); else {restore}"
        ),
        Trouble::Constraint => format!("the data does not allow it: {restore}"),
        Trouble::Busy => format!("retrying is safe once nobody holds the lock; else {restore}"),
        Trouble::Away => format!(
            "start the database, then retry: what happened is looked at first and not done twice; \
             else {restore}"
        ),
        Trouble::Other => format!("look at it by hand, then retry; else {restore}"),
    };
    let stands = match trouble {
        Trouble::Away => "whether it happened is not known while the database does not answer",
        Trouble::NoScript
        | Trouble::Conflict
        | Trouble::Constraint
        | Trouble::Busy
        | Trouble::Other => "it was taken back whole",
    };
    let message = format!("{}; {stands}; {says}", error.message);
    Error { message, ..error }
}

/// What a restore of the point would lose, as far as it can be counted now.
async fn loss(point: &str, cx: &LookCx) -> String {
    let folder = point_folder(cx, point);
    let manifest = match folder {
        Ok(folder) => blocking(move || Manifest::read(&folder)).await.ok().flatten(),
        Err(_) => None,
    };
    let live = match database(cx) {
        Ok(database) => database.tables().await.ok(),
        Err(_) => None,
    };
    let taken = manifest.as_ref().map(|(manifest, _)| manifest.taken_at);
    let then = manifest.map(|(manifest, _)| manifest.tables).unwrap_or_default();
    loss_words(taken, cx.clock.now(), &then, live.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_fixtures_are_told_apart() {
        let of = |kind, message: &str| super::of(&Error::new(kind, message));
        for (kind, message, trouble) in [
            (Kind::NotFound, "could not read 105_down.sql: no such file", Trouble::NoScript),
            (Kind::Local, "could not run x: near \"TRIGER\": syntax error", Trouble::NoScript),
            (Kind::Rejected, "could not run x: no such trigger: t", Trouble::Conflict),
            (Kind::Rejected, "could not run x: duplicate column name: a", Trouble::Conflict),
            (Kind::Rejected, "could not run x: FOREIGN KEY constraint failed", Trouble::Constraint),
            (Kind::Rejected, "could not run x: UNIQUE constraint failed: u.a", Trouble::Constraint),
            (
                Kind::Rejected,
                "could not run x: check constraint \"c\" of relation \"users\" is violated by some row",
                Trouble::Constraint,
            ),
            (Kind::TimedOut, "could not run x: database is locked", Trouble::Busy),
            (Kind::Reset, "could not open x: got 0 bytes at EOF", Trouble::Away),
            (Kind::Refused, "could not open x: nobody listens", Trouble::Away),
            (Kind::Rejected, "could not run x: disk I/O error", Trouble::Other),
        ] {
            assert_eq!(of(kind, message), trouble, "{message}");
        }
    }
}
