use super::*;
use crate::model::entry::Leftover;
use crate::model::mute::Mute;
use crate::model::reading::Status;
use crate::model::sample::at;
use crate::model::situation::CheckCard;

fn world() -> World {
    let mut world = World::default();
    let situation = &mut world.situation;
    for check in ["api", "postgres"] {
        let card = CheckCard {
            status: Status::Ok,
            reason: None,
            since: at(0),
            note: "".into(),
            critical: true,
        };
        situation.checks.insert(CheckId::from(check), card);
    }
    situation.judging.mutes.push(Mute {
        name: "api".into(),
        checks: vec!["api".into()],
        all: false,
        by: "alice".into(),
        reason: "known".into(),
        since: at(0),
        until: at(600),
    });
    situation.leftovers.push(Leftover {
        name: "green 2.5.0 stopped".into(),
        owner: "alice".into(),
        undo: "docker start app-green".into(),
        since: Some(at(0)),
        due: None,
        handed_to: None,
        about: None,
    });
    world
}

fn whole(line: &str) -> Command {
    read(line, &world(), at(100)).unwrap().unwrap()
}

fn short(line: &str) -> String {
    read(line, &world(), at(100)).unwrap().unwrap_err()
}

#[test]
fn a_whole_line_is_the_command_that_the_shell_would_give() {
    let since = Command::Since { at: at(40), reason: "the chart shows it".into() };
    assert_eq!(whole("since -60s the chart shows it"), since);
    let mute = |name: &str| Command::Mute {
        name: name.into(),
        until: at(100 + 1800),
        reason: "disk is moved".into(),
    };
    assert_eq!(whole("mute api 30m disk is moved"), mute("api"));
    assert_eq!(whole("maintenance 30m disk is moved"), mute("all"));
    assert_eq!(whole("unmute api"), Command::Unmute { name: "api".into() });
    let set = Command::Override {
        check: "api".into(),
        set: vec![("timeout".into(), "30s".into()), ("interval".into(), "1m".into())],
        until: at(100 + 3600),
        reason: "slow".into(),
    };
    assert_eq!(whole("set api timeout=30s interval=1m 1h slow"), set);
}

#[test]
fn a_leftover_is_named_whole_or_by_a_word_that_only_it_has() {
    let name = SafeText::from("green 2.5.0 stopped");
    let release = Command::Release { name: name.clone(), reason: "it is gone".into() };
    assert_eq!(whole("release green 2.5.0 stopped it is gone"), release);
    assert_eq!(whole("release green it is gone"), release);
    let to = Command::HandOver { name, to: "bob".into(), reason: "until Monday".into() };
    assert_eq!(whole("hand-over green 2.5.0 stopped to bob until Monday"), to);
    assert_eq!(whole("hand_over green to bob until Monday"), to);
    assert!(short("hand-over green bob").contains("to whom"));
    assert!(short("release blue why").contains("green 2.5.0 stopped"));
}

#[test]
fn what_is_missing_is_said_in_the_order_in_which_it_is_typed() {
    assert!(short("mute ").contains("which? all, api, postgres"), "{}", short("mute "));
    assert!(short("mute apo 30m x").contains("did you mean api"));
    assert!(short("mute api").contains("how long"));
    assert!(short("mute api soon x").contains("soon is no span"));
    assert!(short("mute api 30m").contains("say why"));
    assert!(short("since +5m x").contains("no moment that has been"));
    assert!(short("severity high loud").contains("nothing is assessed"));
    assert!(short("undo last").contains("no run"));
    assert!(short("unhold why").contains("nothing is held"));
    assert!(short("unmute api now").contains("takes no more"));
    assert!(short("maintenance end").contains("no maintenance"));
}

#[test]
fn a_word_alone_and_other_words_are_no_command() {
    assert_eq!(read("since", &world(), at(0)), None);
    assert_eq!(read("take_lead now", &world(), at(0)), None);
}

#[test]
fn the_first_argument_is_completed_with_names_that_exist() {
    let found = |line: &str| completions(line, &world());
    assert_eq!(found("mute p"), ["mute postgres "]);
    assert_eq!(found("hand-over gr"), ["hand-over green 2.5.0 stopped to "]);
    assert_eq!(found("severity m"), ["severity medium ", "severity measured "]);
    assert_eq!(found("unmute "), ["unmute api"]);
    assert!(found("mute api 30m").is_empty());
}

#[test]
fn who_looks_after_it_and_what_may_start_are_said_in_a_line() {
    assert_eq!(whole("ack all"), Command::Acknowledge { thread: "".into() });
    assert!(short("ack INC-0001").contains("not known"));
    let until = at(100 + 1800);
    let reason = SafeText::from("schema change");
    let freeze = Command::Freeze { until: Some(until), reason: reason.clone() };
    assert_eq!(whole("freeze 30m schema change"), freeze);
    assert_eq!(whole("thaw over"), Command::Freeze { until: None, reason: "over".into() });
    assert_eq!(whole("lock 30m schema change"), Command::Lock { until, reason, force: false });
    assert!(short("lock ").contains("how long"));
    let unlock = |emergency| Command::Unlock { emergency, reason: "over".into(), force: false };
    assert_eq!(whole("unlock over"), unlock(false));
    assert_eq!(whole("unlock emergency over"), unlock(true));
    assert!(short("unlock emergency").contains("say why"));
}
