//! Looks whether data is whole: tables, rows and values against the manifest, the database's own
//! checks, and the corruption marker (S-26, S-38, design 24).

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, Kind, fault};
use crate::model::beside;
use crate::model::entry::Standing;
use crate::model::plan::{Class, Hazard};
use crate::model::tables::{Missing, TableFacts, by_size, grouped, missing};
use crate::text::SafeText;

use super::data::{database, names};
use super::{LookCx, Step, StepCx};

/// Nothing is missing, and nothing is damaged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckData {
    /// What the tables held at the point.
    #[serde(default)]
    pub tables: Vec<TableFacts>,
    /// A file that is there when the application has found its data damaged.
    #[serde(default)]
    pub marker: Option<PathBuf>,
    /// Whether the copy beside is looked at, and must hold exactly that, or the live database,
    /// which must hold at least that.
    #[serde(default)]
    pub beside: bool,
    /// Whether it holds a later moment than `tables`: rows may have gone since, whole tables are
    /// told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub later: bool,
    /// What the deploy took away, by its name, with the words for it (design 24).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gone: BTreeMap<String, String>,
    /// The point that a table can be restored beside from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<String>,
}

impl CheckData {
    /// With the sentence of what took it, where a script did.
    fn words(&self, missing: &Missing) -> String {
        let (table, column) = place(missing);
        let name = column.map_or_else(|| table.to_owned(), |column| format!("{table}.{column}"));
        let said = self.gone.get(&name).or_else(|| self.gone.get(table));
        said.map_or_else(|| missing.words(), |said| format!("{said} does NOT come back"))
    }

    /// What can be done about it: one command per table or column, and level 3 for all.
    fn ways_on(&self, lost: &[Missing]) -> Option<String> {
        let point = self.point.as_ref().filter(|_| !lost.is_empty())?;
        let mut ways: Vec<String> = Vec::new();
        for missing in lost {
            let (table, column) = place(missing);
            let way = beside::command(point, table, column);
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
        let more = ways.len().saturating_sub(3);
        ways.truncate(3);
        let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
        Some(format!(
            "restore it beside: {}{more}; or all of it with level 3: \
             backout rollback --level 3 --target {point}",
            ways.join(", ")
        ))
    }

    async fn found(
        &self,
        cx: &LookCx,
    ) -> Result<(Vec<String>, Vec<TableFacts>, Option<String>), Error> {
        let live = database(cx)?;
        let database = if self.beside { live.beside(&names(&cx.effect, None).copy) } else { live };
        let now = database.tables().await?;
        let mut lost = missing(&self.tables, &now);
        if self.later {
            lost.retain(|one| matches!(one, Missing::Table { .. }));
        }
        let mut wrong: Vec<String> = lost.iter().map(|one| self.words(one)).collect();
        wrong.extend(self.ways_on(&lost));
        if self.beside && !self.later {
            wrong.extend(unlike(&self.tables, &now));
        }
        wrong.extend(database.problems().await?.iter().map(ToString::to_string));
        if let Some(marker) = self.marker.as_ref().filter(|marker| !self.beside && marker.exists())
        {
            wrong.push(format!("corruption marker {} is there", marker.display()));
        }
        // Not knowing how large tables are says nothing of whether they are whole.
        let sizes = if self.beside {
            None
        } else {
            match database.table_sizes().await {
                Ok(sizes) => by_size(&self.tables, &now, &sizes),
                Err(error) => Some(format!("sizes are not known: {}", error.message)),
            }
        };
        Ok((wrong, now, sizes))
    }
}

/// The table, and the column where it is one.
fn place(missing: &Missing) -> (&str, Option<&str>) {
    match missing {
        Missing::Table { table, .. } | Missing::Rows { table, .. } => (table, None),
        Missing::Values { table, column, .. } => (table, Some(column)),
    }
}

/// Tables that hold more than they should, or whose greatest key is another.
fn unlike(then: &[TableFacts], now: &[TableFacts]) -> Vec<String> {
    let mut wrong = Vec::new();
    for new in now {
        match then.iter().find(|old| old.name == new.name) {
            None => wrong.push(format!("table {} is not in the manifest", new.name)),
            Some(old) if new.rows > old.rows => wrong.push(format!(
                "{} holds {} rows, {} in the manifest",
                new.name,
                grouped(new.rows),
                grouped(old.rows)
            )),
            Some(old) if old.max_id.is_some() && old.max_id != new.max_id => {
                let of =
                    |id: Option<i64>| id.map_or_else(|| "none".to_owned(), |id| id.to_string());
                let (new_id, old_id) = (of(new.max_id), of(old.max_id));
                wrong.push(format!("{}: greatest key {new_id}, not {old_id}", new.name));
            }
            Some(_) => {}
        }
    }
    wrong
}

#[async_trait]
impl Step for CheckData {
    fn title(&self) -> SafeText {
        if self.beside { "check the restored copy".into() } else { "check the data".into() }
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Looks
    }

    async fn preview(&self, _cx: &LookCx) -> SafeText {
        let tables = self.tables.len();
        SafeText::new(&format!("{tables} tables against the manifest, pages, keys, marker"))
    }

    async fn standing(&self, _cx: &LookCx) -> Standing {
        Standing::NotDone
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        cx.tell("counting and checking", None);
        let found = self.found(&cx.look).await;
        fault::at_step("B5", cx.step.as_str());
        let (wrong, now, sizes) = found?;
        if wrong.is_empty() {
            // A point that was made by hand says nothing of tables: then those that are there.
            let tables = if self.tables.is_empty() { now.len() } else { self.tables.len() };
            let rows = now.iter().map(|table| table.rows).sum();
            let sizes = sizes.map_or_else(String::new, |sizes| format!("; {sizes}"));
            let text = format!("{tables} tables, {} rows, sound{sizes}", grouped(rows));
            return Ok(SafeText::new(&text));
        }
        Err(Error::new(Kind::Rejected, format!("the data is not whole: {}", wrong.join("; "))))
    }
}
