//! What a person has set for the console, beside its keys and colours.

use std::collections::BTreeMap;

use chrono::{FixedOffset, Offset as _};

use super::pane::PaneKind;
use crate::failure::{Exit, Failure};
use crate::model::notice::Rung;
use crate::text::SafeText;

/// What a person has set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Sets of panes by the number key that shows them.
    pub presets: BTreeMap<u8, Vec<PaneKind>>,
    /// This machine's zone.
    pub zone: FixedOffset,
    /// Who is called while nobody looks after what was announced, as the configuration says it.
    pub ladder: Vec<Rung>,
    /// Where people read, ask and tell: a name and a place (S-76, S-78).
    pub links: Vec<(SafeText, SafeText)>,
}

impl Default for Settings {
    fn default() -> Self {
        let (ladder, links) = (Vec::new(), Vec::new());
        Self { presets: BTreeMap::new(), zone: chrono::Utc.fix(), ladder, links }
    }
}

impl Settings {
    /// From the configuration's names of panes.
    pub fn of(presets: &BTreeMap<u8, Vec<String>>, zone: FixedOffset) -> Result<Self, Failure> {
        let kind = |name: &String| {
            PaneKind::named(name).ok_or_else(|| {
                Failure::new(
                    Exit::Config,
                    format!("could not use console.presets: {name} is no pane"),
                )
            })
        };
        let presets = presets
            .iter()
            .map(|(number, names)| {
                let panes: Result<Vec<PaneKind>, Failure> = names.iter().map(kind).collect();
                Ok((*number, panes?))
            })
            .collect::<Result<_, Failure>>()?;
        Ok(Self { presets, zone, ..Self::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_knows_every_pane_by_the_name_it_has_here() {
        let here: Vec<&str> = PaneKind::ALL.iter().map(|pane| pane.name()).collect();
        assert_eq!(here, crate::config::PANES);
        for pane in PaneKind::ALL {
            assert_eq!(PaneKind::named(pane.name()), Some(pane));
        }
    }
}
