//! What each action does: the one place where a name becomes a function. Nothing else acts.

use super::action::Action;
use super::dialogs::{self, answer, confirm, hold, read, typed, veto};
use super::logs::moves as logs;
use super::offers;
use super::state::{Cx, Effect, Ui};
use super::world::World;
use super::{arrange, comfort, moves};

/// Does an action to the screen, and says what is to be done outside.
pub type Act = fn(&mut Ui, Cx<'_>) -> Vec<Effect>;
/// Why an action does nothing now.
pub type Why = fn(&Ui, &World) -> Option<String>;

macro_rules! acts {
    ($($action:ident: $act:expr $(, $why:expr)?;)+) => {
        /// The function that does it.
        pub fn act(action: Action) -> Act {
            match action { $(Action::$action => $act,)+ }
        }

        /// Why it does nothing where it is not offered: what is missing, else what hinders this
        /// console from commanding anything.
        pub fn why(action: Action) -> Why {
            match action { $(Action::$action => acts!(@why $($why)?),)+ }
        }
    };
    (@why) => { offers::hindered };
    (@why $why:expr) => { $why };
}

acts! {
    Answer: answer::open;
    Overrule: typed::open_severity;
    ChooseLevel: moves::levels, offers::why_level;
    Confirm: confirm::open, offers::why_confirm;
    ReadPlan: dialogs::read_plan;
    Replan: dialogs::replan;
    Pause: dialogs::pause, offers::why_running;
    Abort: typed::open_abort, offers::why_running;
    EndWatch: typed::open_end_watch, offers::why_running;
    CloseIncident: typed::open_close;
    Hold: hold::open, offers::why_hold;
    Unhold: hold::open_lift, offers::why_lift;
    Veto: veto::open, offers::why_rule;
    TakeOver: dialogs::take_over, offers::why_rule;
    LookAgain: moves::look_again;
    MarkDone: typed::open_mark_done;
    Choose: typed::open_choose;
    TryAgain: typed::open_try_again;
    LeaveOut: typed::open_leave_out;
    Follow: logs::follow;
    Top: logs::top;
    Bottom: logs::bottom;
    Wrap: logs::wrap;
    Severity: logs::severity;
    Times: arrange::times;
    Sources: logs::sources;
    Filters: logs::filters;
    Mark: logs::mark;
    Pin: logs::pin;
    SinceTail: logs::since_tail;
    SinceHead: logs::since_head;
    Since1: logs::since_1;
    Since5: logs::since_5;
    Since15: logs::since_15;
    Since30: logs::since_30;
    Since60: logs::since_60;
    FindNext: moves::find_next;
    FindPrevious: moves::find_previous;
    NextPane: moves::next_pane;
    PreviousPane: moves::previous_pane;
    Up: moves::up;
    Down: moves::down;
    PageUp: moves::page_up;
    PageDown: moves::page_down;
    Open: dialogs::open_selected, offers::why_open;
    Back: moves::back;
    PreviousStage: moves::previous_stage;
    NextStage: moves::next_stage;
    Find: moves::find;
    FailingOnly: moves::failing_only;
    Zoom: moves::zoom;
    Grow: arrange::grow;
    Shrink: arrange::shrink;
    Pick1: arrange::pick::<1>;
    Pick2: arrange::pick::<2>;
    Pick3: arrange::pick::<3>;
    Pick4: arrange::pick::<4>;
    Pick5: arrange::pick::<5>;
    Pick6: arrange::pick::<6>;
    Pick7: arrange::pick::<7>;
    Pick8: arrange::pick::<8>;
    Pick9: arrange::pick::<9>;
    Note: dialogs::note;
    TakeLead: typed::open_take_lead, offers::why_lead;
    Timeline: dialogs::timeline;
    Database: dialogs::database, offers::why_database;
    Rules: read::open_rules;
    People: read::open_people;
    Compared: read::open_compare;
    Slo: read::open_slo;
    Diagnostics: dialogs::diagnostics;
    Export: dialogs::export::open;
    Freeze: comfort::freeze;
    CopyLine: comfort::copy_line;
    CopyPane: comfort::copy_pane;
    Mouse: comfort::mouse;
    LightLink: comfort::light_link;
    Palette: dialogs::palette::open;
    Plain: comfort::plain;
    Redraw: comfort::redraw;
    Suspend: comfort::suspend;
    Help: dialogs::help;
    Detach: dialogs::detach;
}
