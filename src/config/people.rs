//! Who else may come in, whom to tell, and where evidence goes when there is no room:
//! `share`, `on`, `evidence`.

use std::path::PathBuf;

use super::did_you_mean;
use super::take::{Item, Table};

/// The group that an environment is shared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareGroup {
    /// As the file names it.
    pub name: String,
    /// Its number.
    pub gid: u32,
}

/// Commands that are run when something happens; each is a line for `sh -c`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    /// A run waits for a person and nobody is attached.
    pub waiting: Vec<String>,
    /// A run ended otherwise than well.
    pub failed: Vec<String>,
    /// A run ended well.
    pub done: Vec<String>,
    /// The lead's line has been gone for 30 s while a run is open.
    pub lead_lost: Vec<String>,
}

impl Hooks {
    /// Every command with the name of its occasion.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &String)> {
        [
            ("waiting", &self.waiting),
            ("failed", &self.failed),
            ("done", &self.done),
            ("lead_lost", &self.lead_lost),
        ]
        .into_iter()
        .flat_map(|(name, commands)| commands.iter().map(move |command| (name, command)))
    }
}

/// `share: {group: NAME}`; a number may stand for a name that is in no local file.
pub(super) fn share(root: &mut Table<'_>) -> Option<ShareGroup> {
    let mut table = root.table("share")?;
    let named = table.need("group");
    let at = table.at;
    let desk = table.desk;
    table.finish();
    let item = named?;
    let name = item.text()?;
    if !root.has("state_dir") {
        let message = "needs state_dir: without one every user has a folder of their own";
        desk.problem(
            at,
            "share",
            message,
            Some("name the folder, e.g. /var/lib/backout/shop".into()),
        );
    }
    let gid = number_of(&item, &name)?;
    Some(ShareGroup { name, gid })
}

fn number_of(item: &Item<'_>, name: &str) -> Option<u32> {
    if let Ok(gid) = name.parse::<u32>() {
        return Some(gid);
    }
    let text = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let groups = || {
        text.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let (name, _, gid) = (fields.next()?, fields.next()?, fields.next()?);
            Some((name, gid.parse::<u32>().ok()?))
        })
    };
    let found = groups().find(|(known, _)| *known == name).map(|(_, gid)| gid);
    if found.is_none() {
        let hint = match did_you_mean(name, groups().map(|(known, _)| known)) {
            Some(meant) => format!("did you mean {meant}?"),
            None => {
                format!("write its number where another directory knows it: getent group {name}")
            }
        };
        item.wrong_with(&format!("{name:?} is no group of this host"), hint);
    }
    found
}

/// `on: {waiting: […], failed: […], done: […], lead_lost: […]}`.
pub(super) fn hooks(root: &mut Table<'_>) -> Hooks {
    let mut hooks = Hooks::default();
    let Some(mut table) = root.table("on") else {
        return hooks;
    };
    let mut commands = |key: &str, field: &mut Vec<String>| {
        let items = table.take(key).and_then(|item| item.one_or_list()).unwrap_or_default();
        *field = items.iter().filter_map(Item::raw).collect();
    };
    commands("waiting", &mut hooks.waiting);
    commands("failed", &mut hooks.failed);
    commands("done", &mut hooks.done);
    commands("lead_lost", &mut hooks.lead_lost);
    table.finish();
    hooks
}

/// `evidence: {remote: DIR}`: where evidence goes when the state folder has no room.
pub(super) fn evidence(root: &mut Table<'_>) -> Option<PathBuf> {
    let mut table = root.table("evidence")?;
    let remote = table.need("remote").and_then(|item| item.path());
    table.finish();
    remote
}
