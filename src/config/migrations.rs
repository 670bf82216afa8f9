//! The tool that applies migrations: `migrations: {tool: alembic, dir: DIR, command: […]}`.

use std::path::PathBuf;

use crate::adapters::migration_tool::Tool;

use super::did_you_mean;
use super::take::Table;

/// A tool that takes migrations back by its own command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationTool {
    /// Which.
    pub tool: Tool,
    /// Which app of Django.
    pub app: Option<String>,
    /// Where its command runs.
    pub dir: PathBuf,
    /// Its command, without what it is asked for.
    pub command: Vec<String>,
    /// The variable that it reads the address of the database from.
    pub url_variable: String,
}

/// `migrations: {tool: alembic, dir: db, command: [alembic], url_variable: DATABASE_URL}`; Django
/// also needs `app`. `tool: sql` is what there is without the section.
pub(super) fn migrations(root: &mut Table<'_>) -> Option<MigrationTool> {
    let mut table = root.table("migrations")?;
    let tool = table.need("tool").and_then(|item| {
        let word = item.text()?;
        match word.as_str() {
            "alembic" => Some(Some(Tool::Alembic)),
            "django" => Some(Some(Tool::Django)),
            "sql" => Some(None),
            other => {
                let hint = match did_you_mean(other, ["alembic", "django", "sql"]) {
                    Some(meant) => format!("did you mean {meant}?"),
                    None => "it is one of alembic, django, sql".to_owned(),
                };
                item.wrong_with(&format!("{other:?} is not a known tool"), hint);
                None
            }
        }
    });
    let dir = table.path("dir");
    let command: Vec<String> =
        table.list("command").iter().filter_map(super::take::Item::word).collect();
    let url_variable = table.text("url_variable").unwrap_or_else(|| "DATABASE_URL".to_owned());
    let app = match tool {
        Some(Some(Tool::Django)) => Some(table.need("app").and_then(|item| item.text())?),
        Some(Some(Tool::Alembic) | None) | None => None,
    };
    table.finish();
    let tool = tool??;
    let dir = dir.unwrap_or_else(|| root.desk.resolve("."));
    let command = if command.is_empty() { tool.command() } else { command };
    Some(MigrationTool { tool, app, dir, command, url_variable })
}
