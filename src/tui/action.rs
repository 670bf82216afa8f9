//! What a key can mean. Keys map to these by name; nothing else acts.

use std::fmt;

/// Where a key means something. A narrower scope is asked before a wider one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// A word was searched and its places are stepped through.
    Find,
    /// A run waits for a person.
    Waiting,
    /// The log pane has the keys.
    Logs,
    /// What the stage on the screen offers.
    Stage,
    /// Everywhere.
    All,
}

impl Scope {
    /// As the help page names it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Find => "while finding",
            Self::Waiting => "when a run waits for you",
            Self::Logs => "in the logs",
            Self::Stage => "by stage",
            Self::All => "everywhere",
        }
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $scope:ident, $help:literal;)+) => {
        /// A named action.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $($(#[$doc])* $variant,)+
        }

        impl Action {
            /// Every action, in the order of the help page.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name that keymap files use.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Where its keys count.
            pub fn scope(self) -> Scope {
                match self { $(Self::$variant => Scope::$scope,)+ }
            }

            /// One line for the help page.
            pub fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)+ }
            }

            /// The action of that name.
            pub fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

actions! {
    /// Answer a question of the tree.
    Answer = "answer", Stage, "answer a question of the tree (then y, n or u)";
    /// Look at the levels.
    ChooseLevel = "choose_level", Stage, "choose a level";
    /// Open the confirmation.
    Confirm = "confirm", Stage, "open the confirmation; nothing starts before a word is typed";
    /// Read every command of the plan.
    ReadPlan = "read_plan", Stage, "read the whole plan and its commands";
    /// Make the plan again.
    Replan = "replan", Stage, "make the plan again";
    /// Pause after the running step, or go on.
    Pause = "pause", Stage, "pause after this step, or go on";
    /// Open the abort dialog.
    Abort = "abort", Stage, "open the abort dialog; a word is typed";
    /// End the watch window.
    EndWatch = "end_watch", Stage, "end the watch window early; a word is typed";
    /// Close the incident.
    CloseIncident = "close_incident", Stage, "close the incident; a word is typed";
    /// See where the step stands.
    LookAgain = "look_again", Waiting, "see where the step stands and when it is looked at next";
    /// The step was done by hand.
    MarkDone = "mark_done", Waiting, "the step was done by hand; a word and a reason are typed";
    /// Try the step again.
    TryAgain = "try_again", Waiting, "try the step again; a word and a reason are typed";
    /// Leave the step out.
    LeaveOut = "leave_out", Waiting, "leave the step out; a word and a reason are typed";
    /// Hold or follow the logs.
    Follow = "follow", Logs, "hold the logs still, or follow them";
    /// To the first line.
    Top = "top", Logs, "to the first line";
    /// Follow again.
    Bottom = "bottom", Logs, "to the last line, and follow";
    /// Cut or wrap long lines.
    Wrap = "wrap", Logs, "cut or wrap long lines";
    /// Only lines this bad.
    Severity = "severity", Logs, "show all lines, W and E, or E only";
    /// Times as moments or as ages.
    Times = "times", Logs, "times in UTC or as ages";
    /// The next place.
    FindNext = "find_next", Find, "the next place";
    /// The place before.
    FindPrevious = "find_previous", Find, "the place before";
    /// The next pane.
    NextPane = "next_pane", All, "the next pane";
    /// The pane before.
    PreviousPane = "previous_pane", All, "the pane before";
    /// One row up.
    Up = "up", All, "one row up";
    /// One row down.
    Down = "down", All, "one row down";
    /// One page up.
    PageUp = "page_up", All, "one page up";
    /// One page down.
    PageDown = "page_down", All, "one page down";
    /// Open what is selected.
    Open = "open", All, "open what is selected";
    /// Back; never acts.
    Back = "back", All, "back; takes a message away; never acts";
    /// View the stage before.
    PreviousStage = "previous_stage", All, "look at the stage before";
    /// View the next stage.
    NextStage = "next_stage", All, "look at the next stage";
    /// Find in this pane.
    Find = "find", All, "find in this pane";
    /// Only what fails, or all.
    FailingOnly = "failing_only", All, "only checks that are not ok, or all";
    /// Give the pane the whole body.
    Zoom = "zoom", All, "give this pane the whole body, or give it back";
    /// Write a note.
    Note = "note", All, "write a note into the timeline";
    /// Take the lead.
    TakeLead = "take_lead", All, "take the lead; a word is typed";
    /// The whole timeline.
    Timeline = "timeline", All, "the whole timeline";
    /// What backout itself says.
    Diagnostics = "diagnostics", All, "what backout itself has to say";
    /// Write the screen to a file.
    Export = "export", All, "write this screen to a file";
    /// Draw everything anew.
    Redraw = "redraw", All, "draw everything anew";
    /// Give the shell back for a while.
    Suspend = "suspend", All, "suspend; fg comes back";
    /// What keys do.
    Help = "help", All, "this page";
    /// Leave; a run goes on.
    Detach = "detach", All, "leave the console; a run goes on";
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
