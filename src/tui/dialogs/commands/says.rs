//! A whole command in the words that a person reads before Enter.

use crate::model::entry::Command;
use crate::model::ids::Time;

/// What a whole command will do, with the moment that was meant.
pub fn says(command: &Command, now: Time) -> String {
    let clock = |at: &Time| at.format("%H:%M:%S UTC").to_string();
    match command {
        Command::Since { at, .. } => {
            let age = crate::tui::words::clock(crate::tui::words::since(*at, now));
            format!("it began {}, T+{age}", clock(at))
        }
        Command::Mute { name, until, .. } => {
            format!("{name} counts for nothing until {}", clock(until))
        }
        Command::Unmute { name } => format!("{name} is judged again"),
        Command::Override { check, until, .. } => {
            format!("{check} is changed until {}", clock(until))
        }
        Command::Unset { check } => format!("{check} is as configured again"),
        Command::Pin { point, .. } => format!("{point} is never trimmed"),
        Command::Unpin { point } => format!("{point} may be trimmed"),
        Command::PlanUndo { run } => format!("plans to take {run} back; starts nothing"),
        Command::Release { name, .. } => format!("\"{name}\" is no longer left over"),
        Command::HandOver { name, to, .. } => format!("{to} looks after \"{name}\""),
        Command::Overrule { class: Some(class), .. } => format!("it is {}", class.label()),
        Command::Overrule { class: None, .. } => "what is measured counts".to_owned(),
        Command::Unhold { parts, .. } => {
            let parts: Vec<&str> = parts.iter().map(|part| part.words()).collect();
            format!("lifts the {}", parts.join(", the "))
        }
        Command::Veto { rule, .. } => format!("rule {rule} does not act"),
        Command::Freeze { until: Some(until), .. } => {
            format!("nothing starts by rules until {}", clock(until))
        }
        Command::Freeze { until: None, .. } => "rules may act again".to_owned(),
        Command::Tick { item, done: true, .. } => format!("item {item} of the checklist is done"),
        Command::Tick { item, done: false, .. } => {
            format!("item {item} of the checklist is open again")
        }
        Command::Inform { note } => format!("on record: stakeholders were told, {note}"),
        Command::Lock { until, .. } => format!("nobody else deploys until {}", clock(until)),
        Command::Unlock { emergency: true, .. } => "releases the emergency stop".to_owned(),
        Command::Unlock { emergency: false, .. } => "releases the deployment lock".to_owned(),
        Command::EmergencyStop { .. } => "stops everything; nothing starts after it".to_owned(),
        Command::Acknowledge { thread } if thread.is_empty() => {
            "you look after all that was announced".to_owned()
        }
        Command::Acknowledge { thread } => format!("you look after {thread}"),
        Command::Plan { .. }
        | Command::Approve { .. }
        | Command::Choose { .. }
        | Command::Answer { .. }
        | Command::Retry { .. }
        | Command::Skip { .. }
        | Command::MarkDone { .. }
        | Command::Resume { .. }
        | Command::Abort { .. }
        | Command::Pause
        | Command::Note { .. }
        | Command::TakeLead { .. }
        | Command::HandLead { .. }
        | Command::Detach
        | Command::EndWatch { .. }
        | Command::Close
        | Command::Hold { .. }
        | Command::Export { .. }
        | Command::Guide { .. }
        | Command::Trigger { .. }
        | Command::Deploy { .. } => String::new(),
    }
}
