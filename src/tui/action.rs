//! What a key or a word after `:` can mean. To add an action, add a line to the table below and one
//! to the table of what it does, in [`super::acts`]: keymap, palette and help are made from them.

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

macro_rules! works {
    (free) => {
        true
    };
    (offered) => {
        false
    };
}

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $scope:ident, $when:ident, $help:literal;)+) => {
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

            /// Whether it works at any time: it moves about on this screen and never reaches the
            /// engine. Every other one works while it is offered.
            pub fn is_free(self) -> bool {
                match self { $(Self::$variant => works!($when),)+ }
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
    Answer = "answer", Stage, offered, "answer a question of the tree (then y, n or u)";
    /// Say how bad it is.
    Overrule = "overrule", Stage, offered, "say how bad it is, whatever is measured; a word and a reason are typed";
    /// Look at the levels.
    ChooseLevel = "choose_level", Stage, offered, "choose a level";
    /// Open the confirmation.
    Confirm = "confirm", Stage, offered, "open the confirmation; nothing starts before a word is typed";
    /// Read every command of the plan.
    ReadPlan = "read_plan", Stage, offered, "read the whole plan, its commands, and where its break-glass sheet lies";
    /// Make the plan again.
    Replan = "replan", Stage, offered, "make the plan again";
    /// Pause after the running step, or go on.
    Pause = "pause", Stage, offered, "pause after this step, or go on";
    /// Open the abort dialog.
    Abort = "abort", Stage, offered, "open the abort dialog; a word is typed";
    /// End the watch window.
    EndWatch = "end_watch", Stage, offered, "end the watch window early; a word is typed";
    /// Close the incident.
    CloseIncident = "close_incident", Stage, offered, "close the incident; a word is typed";
    /// Stop the bleeding.
    Hold = "hold", Stage, offered, "stop the bleeding: page, writers, workers; a word and a reason are typed";
    /// Lift what is held.
    Unhold = "unhold", Stage, offered, "lift what is held; a word and a reason are typed";
    /// Keep a rule from what it is about to do.
    Veto = "veto", Stage, offered, "keep a rule from what it is about to do; a reason is typed";
    /// Make the plan of a rule one's own.
    TakeOver = "take_over", Stage, offered, "make a rule's plan your own: it waits, and you decide";
    /// See where the step stands.
    LookAgain = "look_again", Waiting, offered, "see where the step stands and when it is looked at next";
    /// The step was done by hand.
    MarkDone = "mark_done", Waiting, offered, "the step was done by hand; a word and a reason are typed";
    /// What becomes of the restored copy.
    Choose = "choose", Waiting, offered, "SWAP, BESIDE or NEW TIME for the restored copy; a word is typed";
    /// Try the step again.
    TryAgain = "try_again", Waiting, offered, "try the step again; a word and a reason are typed";
    /// Leave the step out.
    LeaveOut = "leave_out", Waiting, offered, "leave the step out; a word and a reason are typed";
    /// Hold or follow the logs.
    Follow = "follow", Logs, free, "hold the logs still, or follow them";
    /// To the first line.
    Top = "top", Logs, free, "to the first line";
    /// Follow again.
    Bottom = "bottom", Logs, free, "to the last line, and follow";
    /// Cut or wrap long lines.
    Wrap = "wrap", Logs, free, "cut or wrap long lines";
    /// Only lines this bad.
    Severity = "severity", Logs, free, "show all lines, W and E, or E only";
    /// Times as moments or as ages.
    Times = "times", Logs, free, "times in UTC, in your zone, or as ages";
    /// One source after the other.
    Sources = "sources", Logs, free, "each source alone, one after the other, then all";
    /// The filter stack.
    Filters = "filters", Logs, free, "the filter stack: keep or leave out lines, on and off each";
    /// Mark the line.
    Mark = "mark", Logs, free, "mark this line, or take the mark away";
    /// Pin the line to the timeline.
    Pin = "pin", Logs, offered, "pin this line to the timeline, as a note";
    /// All lines, at their end.
    SinceTail = "since_tail", Logs, free, "all lines, at their end";
    /// All lines, from the first.
    SinceHead = "since_head", Logs, free, "all lines, from the first";
    /// Lines of the last minute.
    Since1 = "since_1m", Logs, free, "lines of the last minute";
    /// Lines of 5 minutes.
    Since5 = "since_5m", Logs, free, "lines of the last 5 minutes";
    /// Lines of 15 minutes.
    Since15 = "since_15m", Logs, free, "lines of the last 15 minutes";
    /// Lines of 30 minutes.
    Since30 = "since_30m", Logs, free, "lines of the last 30 minutes";
    /// Lines of an hour.
    Since60 = "since_1h", Logs, free, "lines of the last hour";
    /// The next place.
    FindNext = "find_next", Find, free, "the next place";
    /// The place before.
    FindPrevious = "find_previous", Find, free, "the place before";
    /// The next pane.
    NextPane = "next_pane", All, free, "the next pane";
    /// The pane before.
    PreviousPane = "previous_pane", All, free, "the pane before";
    /// One row up.
    Up = "up", All, free, "one row up";
    /// One row down.
    Down = "down", All, free, "one row down";
    /// One page up.
    PageUp = "page_up", All, free, "one page up";
    /// One page down.
    PageDown = "page_down", All, free, "one page down";
    /// Open what is selected.
    Open = "open", All, offered, "open what is selected";
    /// Back; never acts.
    Back = "back", All, free, "back; takes a message away; never acts";
    /// View the stage before.
    PreviousStage = "previous_stage", All, free, "look at the stage before";
    /// View the next stage.
    NextStage = "next_stage", All, free, "look at the next stage";
    /// Find in this pane.
    Find = "find", All, free, "find in this pane";
    /// Only what fails, or all.
    FailingOnly = "failing_only", All, free, "only checks that are not ok, or all";
    /// Give the pane the whole body.
    Zoom = "zoom", All, free, "give this pane the whole body, or give it back";
    /// More rows for the pane.
    Grow = "grow", All, free, "more rows for this pane";
    /// Fewer rows for the pane.
    Shrink = "shrink", All, free, "fewer rows for this pane";
    /// The pane or the set of panes 1.
    Pick1 = "pick_1", All, free, "pane 1 where one fits, else your set of panes 1";
    /// The pane or the set of panes 2.
    Pick2 = "pick_2", All, free, "pane 2 where one fits, else your set of panes 2";
    /// The pane or the set of panes 3.
    Pick3 = "pick_3", All, free, "pane 3 where one fits, else your set of panes 3";
    /// The pane or the set of panes 4.
    Pick4 = "pick_4", All, free, "pane 4 where one fits, else your set of panes 4";
    /// The pane or the set of panes 5.
    Pick5 = "pick_5", All, free, "pane 5 where one fits, else your set of panes 5";
    /// The pane or the set of panes 6.
    Pick6 = "pick_6", All, free, "pane 6 where one fits, else your set of panes 6";
    /// The pane or the set of panes 7.
    Pick7 = "pick_7", All, free, "pane 7 where one fits, else your set of panes 7";
    /// The pane or the set of panes 8.
    Pick8 = "pick_8", All, free, "pane 8 where one fits, else your set of panes 8";
    /// The pane or the set of panes 9.
    Pick9 = "pick_9", All, free, "pane 9 where one fits, else your set of panes 9";
    /// Write a note.
    Note = "note", All, offered, "write a note into the timeline";
    /// Take the lead.
    TakeLead = "take_lead", All, offered, "take the lead, ask for it, or hand it over; a word is typed";
    /// The whole timeline.
    Timeline = "timeline", All, offered, "the whole timeline";
    /// What goes on in the database.
    Database = "database", All, offered, "the database: connections, who blocks whom, replication lag";
    /// The rules, and what each rests on.
    Rules = "rules", All, free, "the rules: which are met, what each rests on, what holds it back";
    /// Who knows of it.
    People = "people", All, free, "who was told, who looks after it, who is called next";
    /// Before, during, now.
    Compared = "compare", All, free, "each check before the last deploy, since it, and now";
    /// Error budgets.
    Slo = "slo", All, free, "error budgets: what is left of them, and how fast they burn";
    /// What backout itself says.
    Diagnostics = "diagnostics", All, offered, "what backout itself has to say";
    /// Keep what is known of the incident, or only this screen.
    Export = "export", All, offered, "keep what is known in one archive, or this screen in a file";
    /// Hold the body still.
    Freeze = "freeze", All, free, "hold the screen still, or let it go on; stopping works meanwhile";
    /// Copy the row of the cursor.
    CopyLine = "copy_line", All, free, "copy this line to the clipboard of your terminal";
    /// Copy the whole pane.
    CopyPane = "copy_pane", All, free, "copy this pane to the clipboard of your terminal";
    /// Wheel and click, or the terminal's own selection.
    Mouse = "mouse", All, free, "let the mouse scroll and choose panes, or give it back to the terminal";
    /// Spare a slow line.
    LightLink = "light_link", All, free, "spare a slow line: by itself, always, or never";
    /// Any action by its name.
    Palette = "palette", All, free, "any of these by its name, and commands such as mute, since, release";
    /// On without full screen.
    Plain = "plain", All, free, "go on in line mode: no full screen, scrollback and selection kept";
    /// Draw everything anew.
    Redraw = "redraw", All, free, "draw everything anew";
    /// Give the shell back for a while.
    Suspend = "suspend", All, free, "suspend; fg comes back";
    /// What keys do.
    Help = "help", All, offered, "this page";
    /// Leave; a run goes on.
    Detach = "detach", All, offered, "leave the console; a run goes on";
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
