//! What a plan of level 2 asks of Alembic or Django.

use serde_json::{Value, json};

use crate::adapters::{Error, Kind};
use crate::config::Config;
use crate::evidence::manifest::Manifest;
use crate::model::plan::{Preflight, PreflightAnswer};
use crate::text::SafeText;

use super::stack::Stack;

/// One item for the playbook where a tool is configured and has moved on since the point; none
/// otherwise. Fails where the point does not say which revision it was.
pub(super) async fn items(
    config: &Config,
    stack: &Stack,
    manifest: Option<&Manifest>,
) -> Result<Vec<Value>, Error> {
    let (Some(tool), Some(database)) = (&config.migration_tool, &stack.database) else {
        return Ok(Vec::new());
    };
    let app = tool.app.as_deref();
    let key = tool.tool.key(app);
    let nothing = || tool.tool.nothing().to_owned();
    let from = database.revisions().await?.remove(&key).unwrap_or_else(nothing);
    let then = manifest.and_then(|manifest| manifest.revisions.get(&key));
    let Some(to) = then else {
        let message = format!("the restore point does not say at which revision {key} was");
        return Err(Error::new(Kind::NotFound, message));
    };
    if *to == from {
        return Ok(Vec::new());
    }
    let argv = |to: &str, up| {
        let mut argv = tool.command.clone();
        argv.extend(tool.tool.arguments(app, to, up));
        argv
    };
    Ok(vec![json!({
        "tool": tool.tool, "app": tool.app, "from_revision": from, "to_revision": to,
        "back": argv(to, false), "again": argv(&from, true),
        "cwd": tool.dir, "url_variable": tool.url_variable,
    })])
}

/// Its scripts are programs: what they drop is in the safety backup alone.
pub(super) fn line(items: &[Value]) -> Option<Preflight> {
    let back = items.first()?.get("back")?.as_array()?;
    let words: Vec<&str> = back.iter().filter_map(Value::as_str).collect();
    let text = format!("{}: what it drops is kept in the safety backup alone", words.join(" "));
    Some(Preflight {
        name: "the migration tool says what it does".into(),
        answer: PreflightAnswer::Warn,
        text: SafeText::new(&text),
    })
}
