//! What is said before a decision: what runs, what failed, what could be gone back to (S-10, S-31),
//! and a change of the configuration that is shown before it counts (P-32).

use std::time::Duration;

use super::support::Stack;
use super::terminal::{Terminal, settle};

#[test]
fn an_assessment_says_what_runs_what_failed_and_what_can_be_gone_back_to() {
    let stack = Stack::up(Some("errors:0.6"));
    let said = stack.run(&["assess"]);
    assert_eq!(said.code, 2, "{said:?}");
    for line in [
        "Serving: green v2.5.0",
        "  blue v2.4.9 runs",
        "  green v2.5.0 runs",
        "  database: 400 rows",
        "Stakeholders: nobody was told on record: backout assess --informed WHO",
    ] {
        assert!(said.out.lines().any(|one| one.starts_with(line)), "no {line:?} in {}", said.out);
    }
    assert!(said.out.contains("Corruption marker: no, "), "{}", said.out);
    let logged = said.out.split_once("Errors in the last 100 lines of ").unwrap().1;
    let line = logged.lines().nth(1).unwrap();
    assert!(line.contains(" green  ") && line.to_lowercase().contains("could not"), "{line}");

    let dir = stack.dir().to_str().unwrap();
    stack.run(&["backup", "now", "--reason", "a second point"]);
    stack.run(&["demo", "break", "corruption", "--dir", dir]);
    let whom = "the product owner: 14 minutes of sessions";
    let told = stack.run(&["assess", "--informed", whom]);
    assert_eq!(told.code, 2, "{told:?}");
    assert!(told.out.contains("Corruption marker: YES, "), "{}", told.out);
    let by = format!(": {whom}");
    let line = told.out.lines().find(|line| line.starts_with("Stakeholders: told at ")).unwrap();
    assert!(line.ends_with(&by), "{line}");
    let document = stack.run(&["assess", "--json"]).json();
    let ground = &document["ground"];
    assert!(ground["informed"].as_str().unwrap().ends_with(&by), "{ground}");
    let ids = |one: &serde_json::Value| one.as_str().unwrap().split(' ').next().unwrap().to_owned();
    let points: Vec<String> = ground["points"].as_array().unwrap().iter().map(ids).collect();
    assert!(points.len() >= 2 && points.is_sorted_by(|one, next| one >= next), "{points:?}");
    let timeline = stack.situation().timeline;
    let written = timeline.iter().filter(|moment| moment.text.as_str().contains(whom)).count();
    assert_eq!(written, 1, "{timeline:?}");
    // Level 3 says on its card whether they know.
    let mut console = stack.command(&[]);
    console.current_dir(stack.dir());
    let mut terminal = Terminal::open(&console, (120, 40));
    terminal.shows("L Level");
    terminal.press("L", "L");
    terminal.shows("L3 point-in-time recovery");
    settle(&mut terminal);
    terminal.send("3");
    terminal.shows("stakeholders told at ");
    terminal.send("\u{3}\u{3}");
    assert_eq!(terminal.ended(Duration::from_secs(10)), 0);

    // A machine that does much else may make an incident of nothing.
    let calm = Stack::up(None);
    let nobody = calm.run(&["assess", "--informed", "somebody"]);
    if calm.situation().last_incident == 0 {
        assert_eq!(nobody.code, 10, "{nobody:?}");
        assert!(nobody.err.contains("no incident is open"), "{nobody:?}");
    }
}

#[test]
fn a_change_of_the_configuration_is_shown_before_it_counts_and_nothing_typed_is_lost() {
    let stack = Stack::up(None);
    let before = std::fs::read_to_string(stack.config()).unwrap();
    let new = stack.dir().join("new.yaml");
    let at = before.find("timeout_seconds: 20").unwrap();
    let changed = format!("{}timeout_seconds: 30{}", &before[..at], &before[at + 19..]);
    std::fs::write(&new, &changed).unwrap();
    let from = ["config", "edit", "--from", new.to_str().unwrap()];
    // Nobody is there to be asked.
    let refused = stack.run(&from);
    assert_eq!(refused.code, 64, "{refused:?}");

    // A person sees the difference and says no.
    let mut console = stack.command(&["config", "edit"]);
    let script = stack.dir().join("editor.sh");
    std::fs::write(&script, format!("cp {} \"$1\"\n", new.display())).unwrap();
    console.env("EDITOR", format!("sh {}", script.display()));
    let answered = |answer: &str| {
        let mut terminal = Terminal::open(&console, (120, 24));
        terminal.shows("write it? [y/N]");
        let seen = terminal.text();
        let lines = |sign: &str| {
            seen.lines()
                .filter(|line| line.starts_with(sign) && line.contains("timeout_seconds"))
                .count()
        };
        assert_eq!((lines("-"), lines("+")), (1, 1), "{seen}");
        settle(&mut terminal);
        terminal.send(answer);
        (terminal.ended(Duration::from_secs(10)), terminal.text())
    };
    let (code, said) = answered("n\r");
    assert_eq!(code, 11, "{said}");
    assert_eq!(std::fs::read_to_string(stack.config()).unwrap(), before);
    let kept = said.lines().find(|line| line.contains(".backout.yaml.edit-"));
    assert!(kept.is_some(), "what was typed is kept: {said}");
    let (code, said) = answered("y\r");
    assert_eq!(code, 0, "{said}");
    assert_eq!(std::fs::read_to_string(stack.config()).unwrap(), changed);
    let old = std::fs::read_to_string(stack.dir().join(".backout.yaml.before")).unwrap();
    assert_eq!(old, before);

    // What cannot be used is refused with its place, and the file that counts is not touched.
    std::fs::write(&new, changed.replacen("check_type: http_response", "check_type: htp", 1))
        .unwrap();
    let wrong = stack.run(&[&from[..], &["--yes"]].concat());
    assert_eq!(wrong.code, 78, "{wrong:?}");
    assert!(wrong.err.contains("htp"), "{wrong:?}");
    assert_eq!(std::fs::read_to_string(stack.config()).unwrap(), changed);
    std::fs::write(&new, &changed).unwrap();
    let same = stack.run(&[&from[..], &["--yes"]].concat());
    assert!(same.code == 0 && same.out.contains("nothing was changed"), "{same:?}");
}

#[test]
fn own_samples_stand_beside_the_thresholds_of_an_alarm() {
    let stack = Stack::up(None);
    let said = stack.run(&["check", "--samples", "3"]);
    assert_eq!(said.code, 0, "{said:?}");
    let line = said.out.lines().find(|line| line.starts_with("disk: ")).unwrap();
    for word in ["3 of 3 looks good", "lowest ", "middle ", "highest ", "; warning at ", ": 0 of 3"]
    {
        assert!(line.contains(word), "no {word:?} in {line}");
    }
    let looks = said.out.lines().filter(|line| line.contains(" disk  ")).count();
    assert_eq!(looks, 3, "{}", said.out);
    assert!(said.took >= Duration::from_secs(2), "a second apart: {:?}", said.took);
    // A threshold that is below what is there: an alarm in every look, and the number beside it.
    let text = std::fs::read_to_string(stack.config()).unwrap();
    let tight = text.replace("threshold_warning: 90", "threshold_warning: 0.1");
    assert_ne!(tight, text);
    std::fs::write(stack.config(), tight).unwrap();
    let said = stack.run(&["check", "--samples", "2", "--of", "disk", "--json"]);
    let disk = &said.json()["checks"][0];
    assert_eq!((&disk["over_warning"], &disk["looks"]), (&2.into(), &2.into()), "{disk}");
    let of = stack.run(&["check", "--samples", "2", "--of", "dsk"]);
    assert_eq!(of.code, 64, "{of:?}");
    assert!(of.err.contains("did you mean disk?"), "{of:?}");
}
