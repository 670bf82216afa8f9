//! A past incident in the console: the same pictures, its own keys, and no way to give a command.

use std::sync::Arc;

use backout::model::entry::{Entry, Outcome};
use backout::model::ids::{Digest, Time};
use backout::tui::replay::{Control, Player, Tape};
use backout::tui::stage::Stage;
use backout::tui::state::{Effect, Ui};
use backout::tui::world::{Link, LinkState, World};

use super::Bench;
use super::keys::every_key;
use super::samples::{Sample, at, ended_story};

/// The made-up incident from its first entry on.
fn tape() -> Arc<Tape> {
    let entries = ended_story(Outcome::Done).entries.into_iter().zip(1..);
    let entries = entries.map(|((second, author, body), seq)| Entry {
        seq,
        v: 1,
        incident: Some(142),
        at: at(second),
        author,
        epoch: 1,
        prev: Digest::default(),
        body,
    });
    Arc::new(Tape { incident: 142, entries: entries.collect(), speed: 10.0, ..Tape::default() })
}

fn player() -> Player {
    let link = Link { state: LinkState::Live, name: "nobody".into(), ..Link::default() };
    Player::new(tape(), World { link, ..World::default() }, REAL)
}

const REAL: Time = Time::UNIX_EPOCH;

/// A console on what the player shows.
fn bench(player: &Player) -> Bench {
    let world = player.world(REAL);
    let now = world.replay.as_ref().unwrap().now(REAL);
    let sample = Sample { name: "replay", lines: lines(&world, now), world, now };
    Bench::new(sample, (80, 24))
}

fn lines(world: &World, now: Time) -> backout::model::verdict::Lines {
    backout::model::verdict::lines(&world.situation, None, &world.readings, now)
}

#[test]
fn at_its_end_a_replay_knows_what_the_journal_knows() {
    let mut player = player();
    while !player.world(REAL).replay.unwrap().is_over() {
        player.control(Control::Forward, REAL);
    }
    assert_eq!(player.world(REAL).situation, ended_story(Outcome::Done).situation);
}

#[test]
fn no_key_and_no_typed_word_of_a_replay_becomes_a_command() {
    let mut player = player();
    let mut looked = 0;
    while !player.world(REAL).replay.unwrap().is_over() {
        player.control(Control::Forward, REAL);
        let fresh = bench(&player);
        for stage in Stage::ALL {
            for key in every_key() {
                let mut bench = fresh.clone();
                bench.ui = Ui { stage, ..bench.ui };
                bench.now += chrono::Duration::seconds(1);
                let mut effects = bench.key(key);
                if bench.ui.dialog.is_some() {
                    effects.extend(bench.types("STOP ROLLBACK CLOSE hold why"));
                    effects.extend(bench.keys("Tab Enter y Enter"));
                }
                let sent = effects.iter().find(|effect| matches!(effect, Effect::Send(_)));
                assert_eq!(sent, None, "{stage:?} {key}");
                looked += 1;
            }
        }
    }
    assert!(looked > 10_000, "{looked}");
}

#[test]
fn the_keys_of_a_replay_play_it_and_its_banner_says_what_it_is() {
    let mut player = player();
    for _ in 0..14 {
        player.control(Control::Forward, REAL);
    }
    let mut bench = bench(&player);
    for (key, control) in [
        ("Space", Control::Pause),
        ("<", Control::Slower),
        (">", Control::Faster),
        ("Left", Control::Back),
        ("Right", Control::Forward),
    ] {
        assert_eq!(bench.keys(key), [Effect::Replay(control)], "{key}");
        assert_eq!(bench.ui.last_key, None, "the stages are followed on");
    }
    let shown = bench.text();
    for told in ["REPLAY x10", "entry ", "INC-0142", "a replay shows no logs"] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    bench.keys("?");
    assert!(bench.text().contains("in a replay"), "{}", bench.text());
    bench.keys("Esc");
    bench.keys(":");
    let typed = bench.keys("< > Space");
    assert_eq!(typed, [], "what is typed is text");
}

#[test]
fn the_present_has_no_keys_of_a_replay() {
    let mut bench = Bench::at("run", (80, 24));
    for key in ["Space", "<", ">", "Left", "Right"] {
        let effects = bench.keys(key);
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Replay(_))), "{key}");
    }
}
