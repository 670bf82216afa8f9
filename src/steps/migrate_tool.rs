//! Has Alembic or Django take migrations back, under the shim. What is applied by the database's
//! own ledger decides whether it happened, not the end of the command (M-10, W-57).

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::migration_tool::Tool;
use crate::adapters::shim::{Found, Shim};
use crate::adapters::{Error, Kind};
use crate::model::entry::Standing;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::data::database;
use super::{Command, LookCx, Step, StepCx};

/// The ledger of the tool says `to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MigrateTool {
    /// Which tool.
    pub tool: Tool,
    /// Which app of Django.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The revision to come to.
    pub to: String,
    /// The command, without the address of the database.
    pub argv: Vec<String>,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<PathBuf>,
    /// The variable that it reads the address from.
    pub url_variable: String,
    /// How long it may take, in seconds.
    pub budget_seconds: u64,
}

impl MigrateTool {
    fn command(&self, url: String) -> Command {
        Command {
            argv: self.argv.clone(),
            probe_argv: None,
            cwd: self.cwd.clone(),
            env: BTreeMap::from([(self.url_variable.clone(), url)]),
            budget_seconds: self.budget_seconds,
            grace_seconds: 10,
            hazard: Hazard::Reversible,
        }
    }

    /// What the ledger says now.
    async fn now(&self, cx: &LookCx) -> Result<String, Error> {
        let mut all = database(cx)?.revisions().await?;
        let found = all.remove(&self.tool.key(self.app.as_deref()));
        Ok(found.unwrap_or_else(|| self.tool.nothing().to_owned()))
    }
}

#[async_trait]
impl Step for MigrateTool {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("{} to {}", self.tool.key(self.app.as_deref()), self.to))
    }

    fn class(&self) -> Class {
        Class::Probed
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        self.command(String::new()).by_hand(cx)
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        match self.now(cx).await {
            Ok(now) => SafeText::new(&format!("{now} -> {}", self.to)),
            Err(error) => SafeText::new(&error.message),
        }
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        let cannot_tell = |why: &str| Standing::CannotTell(SafeText::new(why));
        match Shim::at(&cx.slot).adopt(&cx.clock, || ()).await {
            Ok(Found::Running) => return cannot_tell("it still runs after its time"),
            Ok(Found::NeverBegan | Found::CutOff | Found::Ended(_)) => {}
            Err(error) => return cannot_tell(&error.message),
        }
        match self.now(cx).await {
            Ok(now) if now == self.to => Standing::Done,
            Ok(_) => Standing::NotDone,
            Err(error) => cannot_tell(&error.message),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        let before = self.now(&cx.look).await?;
        let url = database(&cx.look)?.url();
        let said = self.command(url).run(cx).await?;
        let now = self.now(&cx.look).await?;
        if now == self.to {
            return Ok(SafeText::new(&format!("{before} -> {now}; {said}")));
        }
        let message = format!(
            "could not come to {}: the command ended well, and the ledger says {now}; does it \
             work on another database? It must read its address from {}",
            self.to, self.url_variable
        );
        Err(Error::new(Kind::Rejected, message))
    }
}
