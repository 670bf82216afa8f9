//! A run and the boot it began under. After the machine was restarted nobody knows what its people
//! did meanwhile: level 1, which destroys nothing, goes on by itself; levels 2 and 3 look at what
//! was cut off and wait for a person.

use crate::text::SafeText;

use super::plan::Level;
use super::situation::Situation;

impl Situation {
    /// Why the open run may not go on by itself after a restart of the machine; nothing when it may.
    pub fn held_by_restart(&self) -> Option<SafeText> {
        let run = self.open_run()?;
        let now = &self.engine.as_ref()?.boot;
        let level = run.plan.core.level;
        let same = run.boot.is_empty() || &run.boot == now;
        let may = match level {
            Level::Switch => true,
            Level::Full | Level::PointInTime => same,
        };
        (!may).then(|| {
            SafeText::new(&format!(
                "the machine was restarted: a run of level {level} does not go on by itself; look \
                 at what was found of its steps, then go on (RESUME) or stop it (STOP, UNDO)"
            ))
        })
    }

    /// A person said under this boot what becomes of the run.
    pub(super) fn decided_under_this_boot(&mut self) {
        let asked = self.held_by_restart();
        let Some(boot) = self.engine.as_ref().map(|engine| engine.boot.clone()) else { return };
        let Some(run) = self.run.as_mut().filter(|run| run.ended.is_none()) else { return };
        run.boot = boot;
        if asked.is_some() {
            run.waiting.take_if(|waiting| Some(&waiting.why) == asked.as_ref());
        }
    }
}

#[cfg(test)]
mod tests;
