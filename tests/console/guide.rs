//! A guided procedure on the screen: found by what people call the trouble, its steps run by keys.

use std::sync::Arc;

use backout::model::entry::{Author, Body, Command, Entry, Event};
use backout::model::guide::{Deed, GuideEnd};
use backout::model::ids::Digest;
use backout::tui::dialogs::Dialog;
use backout::tui::state::Effect;

use super::Bench;

fn opened(size: (u16, u16)) -> Bench {
    let mut bench = Bench::at("assess", size);
    bench.world().guides = Arc::new(backout::config::guides::load(None).unwrap());
    bench.keys(":");
    bench.types("firewall");
    bench.keys("Enter");
    bench
}

fn apply(bench: &mut Bench, body: Body) {
    let now = bench.now;
    let situation = &mut bench.world().situation;
    let seq = situation.seq + 1;
    situation.apply(&Entry {
        seq,
        v: 1,
        incident: None,
        at: now,
        author: Author { name: "alice".into(), ..Author::default() },
        epoch: 1,
        prev: Digest::default(),
        body,
    });
}

#[test]
fn it_is_found_by_what_people_call_the_trouble_and_a_step_runs_on_enter() {
    let mut bench = opened((80, 24));
    let text = bench.text();
    assert!(text.contains("Containers run, but nobody reaches them"), "{text}");
    assert!(text.contains("$ docker network ls"), "{text}");
    assert!(text.contains("Enter runs it: it only looks"), "{text}");
    let sent = bench.keys("Enter");
    let [Effect::Send(command @ Command::Guide { step: 1, deed: Deed::Look, .. })] = &sent[..]
    else {
        panic!("{sent:?}")
    };
    assert!(matches!(bench.ui.dialog.as_ref().unwrap().dialog, Dialog::Guide(_)), "it stays");
    apply(&mut bench, Body::Command("c1".into(), command.clone()));
    assert!(bench.text().contains("runs"), "{}", bench.text());
    let ended = Event::GuideEnded {
        guide: "network-issues".into(),
        step: 1,
        end: GuideEnd::Bad("exit 1: no such network".into()),
        tail: vec!["Error: no such network".into()],
    };
    apply(&mut bench, Body::Event(Box::new(ended)));
    let text = bench.text();
    for words in ["FAIL", "exit 1: no such network", "| Error: no such network"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn what_changes_something_takes_the_word_and_never_a_paste() {
    let mut bench = opened((120, 40));
    bench.keys("Down Down Down Enter");
    let text = bench.text();
    assert!(text.contains("CHANGES") && text.contains("DANGER"), "{text}");
    assert_eq!(bench.types("run"), []);
    assert_eq!(bench.keys("Enter"), []);
    assert!(bench.text().contains("type RUN in capitals"), "{}", bench.text());
    bench.keys("Backspace Backspace Backspace");
    bench.types("RUN");
    let sent = bench.keys("Enter");
    assert!(
        matches!(&sent[..], [Effect::Send(Command::Guide { step: 4, deed: Deed::Change, .. })]),
        "{sent:?}"
    );
}

#[test]
fn what_a_person_does_is_ticked_with_what_was_done() {
    let mut bench = opened((80, 24));
    bench.keys("End Enter Enter");
    assert!(bench.text().contains("say what was done"), "{}", bench.text());
    bench.types("network made anew");
    let sent = bench.keys("Enter");
    let [Effect::Send(Command::Guide { deed: Deed::Done { note }, .. })] = &sent[..] else {
        panic!("{sent:?}")
    };
    assert_eq!(note.as_str(), "network made anew");
}

#[test]
fn every_procedure_reads_well_on_a_small_screen() {
    for guide in backout::config::guides::load(None).unwrap() {
        let mut bench = Bench::at("assess", (80, 24));
        bench.world().guides = Arc::new(vec![guide.clone()]);
        bench.keys(":");
        bench.types(&format!("procedure {}", guide.id));
        bench.keys("Enter");
        for step in &guide.steps {
            let text = bench.text();
            let title: String = step.title.as_str().chars().take(40).collect();
            assert!(text.contains(&title), "{}: {title}: {text}", guide.id);
            bench.keys("Down");
        }
    }
}

#[test]
fn help_and_the_page_of_people_list_where_to_read_and_ask() {
    // Room for all of it.
    let mut bench = Bench::at("assess", (120, 120));
    let settings = backout::tui::settings::Settings {
        links: vec![
            ("Incident Slack".into(), "#incidents".into()),
            ("Wiki".into(), "https://wiki".into()),
        ],
        ..backout::tui::settings::Settings::default()
    };
    bench.world().settings = Arc::new(settings);
    bench.keys("?");
    let text = bench.text();
    assert!(text.contains("where to read, ask and tell") && text.contains("#incidents"), "{text}");
    bench.keys("Esc");
    bench.keys("A");
    let text = bench.text();
    assert!(text.contains("Wiki") && text.contains("https://wiki"), "{text}");
}
