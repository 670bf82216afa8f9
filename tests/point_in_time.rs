//! Level 3 on the embedded stack: what is lost is said before and after, what was live is kept, a
//! damaged point stops nothing, and a person may leave both up.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backout::adapters::database::Database as _;
use backout::adapters::sqlite::SqliteDatabase;
use backout::evidence::manifest::Manifest;
use backout::evidence::points;
use backout::model::incident::StepPhase;
use backout::model::tables::TableFacts;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use serde_json::Value;

use super::support::{Said, Stack};

const SWAP: [&str; 8] =
    ["rollback", "--level", "3", "--auto-confirm", "--accept-loss", "600", "--reason", "test"];

fn wait_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn tables(path: &Path) -> Vec<TableFacts> {
    wait_on(SqliteDatabase::new(path).tables()).unwrap()
}

/// The newest backup of the version before.
fn point(stack: &Stack) -> (String, Manifest) {
    let begun = stack.state().join("journal.db").exists().then(|| stack.situation().run).flatten();
    let run = begun.map(|run| run.plan.core.point.to_string());
    let all = points::list(&stack.dir().join("backups")).unwrap();
    let found = all.into_iter().find(|point| match &run {
        Some(id) => point.id.as_str() == id,
        None => point.version.as_str() == "v2.4.9" && point.id.as_str().starts_with("20"),
    });
    let found = found.unwrap();
    (found.id.to_string(), found.manifest.unwrap())
}

/// What lies in `folder` whose name holds `part`.
fn beside(folder: &Path, part: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        all.filter(|path| path.file_name().unwrap().to_string_lossy().contains(part)).collect();
    found.sort();
    found
}

fn only(folder: &Path, begin: &str, part: &str) -> PathBuf {
    let mut found = beside(folder, part);
    found.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with(begin));
    // What lies beside a database belongs to it.
    found.retain(|path| !path.to_string_lossy().ends_with("-wal"));
    found.retain(|path| !path.to_string_lossy().ends_with("-shm"));
    assert_eq!(found.len(), 1, "{begin}*{part}*: {found:?}");
    found.remove(0)
}

fn rights(path: &Path) -> (u32, u32, u32) {
    let found = fs::metadata(path).unwrap();
    (found.uid(), found.gid(), found.mode() & 0o7777)
}

fn leftovers(stack: &Stack) -> BTreeMap<String, String> {
    let said = stack.run(&["leftovers", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let text = |left: &Value, key: &str| left[key].as_str().unwrap().to_owned();
    let all = said.json().as_array().unwrap().clone();
    all.iter().map(|left| (text(left, "name"), text(left, "undo"))).collect()
}

fn good(said: &Said, stack: &Stack) {
    assert_eq!(said.code, 0, "{said:?}\n{}", stack.log());
}

/// Everything that a refused run must leave as it was: what runs, what the processes were told, and
/// every file that no process of the stack writes to by itself.
fn fixed(stack: &Stack) -> (Vec<String>, String, Vec<(PathBuf, u64)>) {
    let mut files = Vec::new();
    for folder in ["data", "data/files", "config", "migrations", "."] {
        for entry in fs::read_dir(stack.dir().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let written = name.contains(".db")
                || [".log", ".jsonl", ".json"].iter().any(|end| name.ends_with(end));
            if path.is_file() && !written {
                let bytes = fs::read(&path).unwrap();
                let sum = bytes.iter().fold(7_u64, |sum, byte| {
                    sum.wrapping_mul(1_099_511_628_211) ^ u64::from(*byte)
                });
                files.push((path, sum));
            }
        }
    }
    files.sort();
    let status = stack.status();
    let runs =
        format!("{} {} {}", status["active"], status["blue"]["state"], status["green"]["state"]);
    (stack.ledger(), runs, files)
}

/// MUST BE SHOWN: item 6.2.
#[test]
fn corruption_goes_back_to_the_point_and_everything_that_was_live_is_kept() {
    let stack = Stack::up(Some("corruption"));
    let data = stack.dir().join("data");
    let (live, files) = (data.join("app.db"), data.join("files"));
    let had = [rights(&live), rights(&files)];
    let (_, manifest) = point(&stack);

    let refused = stack.run(&["rollback", "--level", "3", "--auto-confirm", "--reason", "test"]);
    assert_eq!(refused.code, 11, "{refused:?}");
    for words in [
        "Potential data loss window: ",
        "No transaction logs - full RPO data loss possible",
        "--accept-loss ",
    ] {
        assert!(refused.err.contains(words), "{words}: {refused:?}");
    }
    assert_eq!(stack.status()["active"], "green");
    let journal = stack.state().join("journal.db");
    assert!(!journal.exists() || stack.situation().run.is_none(), "a run began");

    let done = stack.run(&[&SWAP[..], &["--json"]].concat());
    good(&done, &stack);
    let said = done.json();
    let loss = said["data_loss"].as_str().unwrap();
    let begin = "Potential data loss window: ";
    let minutes: u64 =
        loss.strip_prefix(begin).unwrap().split(' ').next().unwrap().parse().unwrap();
    let sentence =
        format!("{begin}{minutes} minutes; No transaction logs - full RPO data loss possible; ");
    assert!(loss.starts_with(&sentence), "{loss}");
    assert!(said["criteria"].as_array().unwrap().len() >= 10, "{said}");

    // The copy held exactly what the manifest says when it took the place.
    let run = stack.situation().run.unwrap();
    let rows: u64 = manifest.tables.iter().map(|table| table.rows).sum();
    let check = run.step(&"check_copy".into()).unwrap();
    let words = format!("{} rows, sound", backout::model::tables::grouped(rows));
    assert!(check.note.as_str().ends_with(&words), "{}: {words}", check.note);
    let now = tables(&live);
    assert_eq!(backout::model::tables::missing(&manifest.tables, &now), []);

    let broken = only(&data, "app.db", "_failed_");
    let held = tables(&broken);
    let states = |all: &[TableFacts]| all.iter().find(|one| one.name == "game_state").unwrap().rows;
    assert!(states(&held) < states(&manifest.tables), "the one that is kept is the broken one");
    assert!(only(&data, "files", "_failed_").is_dir());
    assert!(!data.join("corruption_detected").exists(), "the marker spoke of the one before");
    only(&data, "corruption_detected", "_failed_");
    assert_eq!([rights(&live), rights(&files)], had, "mode and owner");
    for litter in ["restored_", "whole", "unpacking", "_left_"] {
        assert_eq!(beside(&data, litter), Vec::<PathBuf>::new(), "{litter}");
    }

    // What only the old one has is in the evidence, a line a row.
    let loss = run.loss.unwrap();
    assert_eq!(loss.minutes(loss.until.unwrap()), minutes);
    let kept = PathBuf::from(loss.kept_in.as_str());
    for table in loss.tables.iter().filter(|table| table.lost != Some(0)) {
        let file = fs::File::open(kept.join(format!("{}.jsonl.gz", table.table))).unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
        assert_eq!(Some(text.lines().count() as u64), table.lost, "{}", table.table);
    }
    assert!(loss.tables.iter().any(|table| table.lost > Some(0)), "{loss:?}");

    // It is left over until somebody removes it, with the very command.
    let left = leftovers(&stack);
    let ours: Vec<&String> =
        left.keys().filter(|name| name.contains("live before the swap")).collect();
    assert_eq!(ours.len(), 2, "{left:?}");
    assert_ne!(stack.run(&["close"]).code, 0, "closed with what is left over");
    for (name, undo) in &left {
        if name.contains("live before the swap") {
            let typed = std::process::Command::new("sh").args(["-c", undo]).status().unwrap();
            assert!(typed.success(), "{undo}");
        }
    }
    assert_eq!(beside(&data, "app.db._failed_"), Vec::<PathBuf>::new());
    stack.wait("a look finds that it is gone", Duration::from_mins(1), || {
        stack.run(&["check"]);
        leftovers(&stack).keys().all(|name| !name.contains("live before the swap"))
    });
}

/// The version that was laid aside is not there any more to be started: it is said, and nothing is
/// begun.
#[test]
fn a_finished_recovery_that_cannot_be_taken_back_says_so_and_changes_nothing() {
    let stack = Stack::up(Some("corruption"));
    good(&stack.run(&SWAP), &stack);
    // Others see that the run is over a moment after its end is written.
    stack.wait("the lock is gone", Duration::from_secs(10), || {
        !stack.dir().join("deployment-emergency-stop").exists()
    });
    let before = fixed(&stack);
    let back = stack.run(&["rollback", "--undo", "last", "--auto-confirm", "--reason", "test"]);
    assert_eq!(back.code, 10, "{back:?}");
    assert!(back.err.contains("cannot take"), "{back:?}");
    assert_eq!(fixed(&stack), before);
    only(&stack.dir().join("data"), "app.db", "_failed_");
}

/// A live database that cannot be read is a reason to go back, not one to stay.
fn goes_back_from(damage: fn(&Path), counted: bool) {
    let stack = Stack::up(Some("errors:0.3"));
    let data = stack.dir().join("data");
    damage(&data.join("app.db"));
    let done = stack.run(&[&SWAP[..], &["--json"]].concat());
    good(&done, &stack);
    let (_, manifest) = point(&stack);
    assert_eq!(
        backout::model::tables::missing(&manifest.tables, &tables(&data.join("app.db"))),
        []
    );
    only(&data, "app.db", "_failed_");
    let said = done.json();
    let loss = said["data_loss"].as_str().unwrap();
    assert!(loss.starts_with("Potential data loss window: "), "{loss}");
    assert_eq!(loss.contains("rows not counted ("), !counted, "{loss}");
    let run = stack.situation().run.unwrap();
    let backup = run.step(&"backup".into()).unwrap();
    assert_eq!(backup.phase, StepPhase::Done);
    assert_eq!(backup.note.as_str().contains("not kept: "), !counted, "{}", backup.note);
}

#[test]
fn a_database_whose_pages_are_overwritten_goes_back_to_the_point() {
    goes_back_from(
        |path| {
            let mut file = fs::File::options().write(true).open(path).unwrap();
            file.write_all(&vec![0x5a; 40_960]).unwrap();
        },
        false,
    );
}

#[test]
fn an_empty_database_file_goes_back_to_the_point() {
    goes_back_from(
        |path| {
            fs::remove_file(path).unwrap();
            fs::write(path, "").unwrap();
        },
        true,
    );
}

#[test]
fn a_database_that_is_gone_goes_back_to_the_point() {
    goes_back_from(|path| fs::remove_file(path).unwrap(), false);
}

/// Every file below `folder`.
fn files_of(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_of(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// MUST BE SHOWN: a flipped byte anywhere in the point is refused by name before anything stops.
#[test]
fn a_flipped_byte_anywhere_in_the_point_is_refused_by_name_before_anything_stops() {
    let stack = Stack::up(Some("corruption"));
    let backups = stack.dir().join("backups");
    let (id, _) = point(&stack);
    assert!(stack.run(&["check"]).code <= 3);
    stack.end_traffic();
    let before = fixed(&stack);
    let files = files_of(&backups.join(&id));
    assert!(files.len() >= 6, "{files:?}");
    let mut refused = 0;
    for file in &files {
        let whole = fs::read(file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        let last = whole.len() - 1;
        for at in [0, last / 4, last / 2, last - last / 4, last] {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            fs::write(file, &flipped).unwrap();
            let named = match points::find(&backups, &id) {
                Ok(point) => match points::verify(&point, None, &|_, _| {}) {
                    Ok(_) => panic!("{name} at {at} is taken for whole"),
                    Err(damage) => points::words(&damage),
                },
                Err(error) => error.message,
            };
            // A manifest that says something else of a file disagrees with that file.
            let manifest = name == "manifest.json" && named.contains("the manifest says");
            assert!(named.contains(name) || manifest, "{name} at {at}: {named}");
            refused += 1;
            // The program itself, once a file: it plans, and says no.
            if at == last / 2 {
                // Each plan is made by an engine of its own.
                stack.wait("the engine ends", Duration::from_secs(30), || {
                    stack.run(&["status", "--json"]).json()["engine_running"] == false
                });
                let said = stack.run(&[&SWAP[..], &["--target", &id]].concat());
                assert_eq!(said.code, 10, "{name}: {said:?}");
                let all = format!("{}{}", said.out, said.err);
                assert!(all.contains(name) || manifest, "{name}: {said:?}");
                // S-45: the levels that do not read it go on.
                if name == "data.tar.gz" {
                    let quick = stack.run(&["plan", "--level", "1"]);
                    assert!(quick.code == 0 && !quick.out.contains(name), "{quick:?}");
                }
            }
        }
        fs::write(file, &whole).unwrap();
    }
    assert!(refused >= 30, "{refused}");
    assert_eq!(fixed(&stack), before, "a refused plan changed something");
    assert!(!stack.state().join("journal.db").exists() || stack.situation().run.is_none());
}

/// A person at a terminal of their own.
struct Typed {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    writer: Box<dyn std::io::Write + Send>,
    said: Arc<Mutex<String>>,
    _master: Box<dyn portable_pty::MasterPty + Send>,
}

impl Typed {
    fn start(stack: &Stack, arguments: &[&str]) -> Self {
        let size = PtySize { rows: 50, cols: 200, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let template = stack.command(arguments);
        let mut command = CommandBuilder::new(template.get_program());
        command.env_clear();
        command.args(arguments);
        for (key, value) in template.get_envs() {
            command.env(key, value.unwrap());
        }
        command.cwd(stack.dir());
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count) = reader.read(&mut buffer) {
                if count == 0 {
                    return;
                }
                heard.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        });
        Self { child, writer, said, _master: pair.master }
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    fn answers(&mut self, stack: &Stack, asked: &str, answer: &str) {
        stack.wait(asked, Duration::from_mins(1), || self.said().contains(asked));
        self.writer.write_all(format!("{answer}\n").as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    fn ends(&mut self, stack: &Stack) -> u32 {
        let mut code = None;
        stack.wait("the end", Duration::from_secs(90), || {
            code = self.child.try_wait().unwrap().map(|status| status.exit_code());
            code.is_some()
        });
        code.unwrap()
    }
}

impl Drop for Typed {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Goes to the gate and says what becomes of the copy.
fn at_the_gate(stack: &Stack, choice: &str) -> (u32, String) {
    let mut typed = Typed::start(stack, &["rollback", "--level", "3", "--reason", "test"]);
    typed.answers(stack, "Type 'ROLLBACK' to confirm", "ROLLBACK");
    typed.answers(stack, "and the minutes to swap", choice);
    let code = typed.ends(stack);
    (code, typed.said())
}

#[test]
fn beside_leaves_both_up_with_the_commands_for_single_tables_and_lifts_what_was_held() {
    let stack = Stack::up(Some("corruption"));
    let data = stack.dir().join("data");
    let (code, said) = at_the_gate(&stack, "BESIDE");
    assert_eq!(code, 0, "{said}\n{}", stack.log());
    assert!(said.contains("BESIDE: the live data stays"), "{said}");
    assert!(said.contains("lost by SWAP") && said.contains("from 20"), "{said}");
    let situation = stack.situation();
    assert!(situation.holds.values().all(|card| !card.held), "{:?}", situation.holds);
    assert_eq!(stack.status()["active"], "green", "the live data stays, and what serves it");
    let line = std::fs::read_to_string(stack.state().join("rollback_history.log")).unwrap();
    let from = situation.run.as_ref().unwrap().plan.core.from.clone();
    let nowhere = format!("LEVEL=3 FROM={from} TO={from} ");
    assert!(line.contains(&nowhere), "nothing moved: {line}");
    let again = stack.run(&["history", "--json"]);
    assert!(again.out.contains(situation.run.as_ref().unwrap().id.as_str()), "{again:?}");
    let copy = only(&data, "app.db", "restored_");
    assert!(only(&data, "files", "restored_").is_dir());
    assert!(data.join("corruption_detected").exists());

    // The command of one table, typed as it stands, brings back what the live data lacks.
    let run = situation.run.unwrap();
    let rows = |path: &Path| {
        tables(path).iter().find(|table| table.name == "game_state").map(|table| table.rows)
    };
    let (lacks, has) = (rows(&data.join("app.db")), rows(&copy));
    assert!(lacks < has, "{lacks:?} {has:?}");
    let loss = run.loss.unwrap();
    let line = loss.tables.iter().find(|table| table.table.as_str() == "game_state").unwrap();
    assert!(said.contains("ATTACH"), "{said}");
    if super::tools::tool("sqlite3", "sqlite3").is_some() {
        let mut shell = std::process::Command::new("sh");
        let typed = shell.args(["-c", line.by_hand.as_str()]).output().unwrap();
        assert!(typed.status.success(), "{}: {typed:?}", line.by_hand);
        assert!(rows(&data.join("app.db")) >= has, "{}", line.by_hand);
    }
    let left = leftovers(&stack);
    let copies = left.keys().filter(|name| name.contains("restored beside, not live")).count();
    assert_eq!(copies, 2, "{left:?}");
}

#[test]
fn new_time_takes_everything_back_and_names_older_points() {
    let stack = Stack::up(Some("corruption"));
    let data = stack.dir().join("data");
    let (code, said) = at_the_gate(&stack, "NEW TIME");
    assert_eq!(code, 14, "{said}\n{}", stack.log());
    assert!(said.contains("NEW TIME: ") && said.contains("--target 20"), "{said}");
    let situation = stack.situation();
    assert!(situation.holds.values().all(|card| !card.held), "{:?}", situation.holds);
    assert_eq!(beside(&data, "restored_"), Vec::<PathBuf>::new());
    assert_eq!(stack.status()["active"], "green");
    let left = leftovers(&stack);
    assert!(left.keys().all(|name| !name.contains("restored")), "{left:?}");
}

/// MUST BE SHOWN: an abort in the middle ends in a state that has a name (G16).
fn aborted(step: &str, verb: &str) {
    let stack = Stack::up(Some("corruption"));
    let data = stack.dir().join("data");
    let old = tables(&data.join("app.db"));
    let states =
        |all: &[TableFacts]| all.iter().find(|one| one.name == "game_state").map(|t| t.rows);
    let mut run = stack.start(&SWAP);
    let begun = || {
        let Ok(found) = fs::metadata(stack.state().join("journal.db")) else { return false };
        let run = (found.len() > 0).then(|| stack.situation().run).flatten();
        run.is_some_and(|run| run.step(&step.into()).is_some_and(|state| state.attempt > 0))
    };
    stack.wait(step, Duration::from_mins(1), begun);
    let said = stack.run(&["abort", verb]);
    run.wait().unwrap();
    let situation = stack.situation();
    let run = situation.run.unwrap();
    if said.code != 0 {
        // It was over before the word came.
        assert!(run.ended.is_some(), "{said:?}");
    }
    stack.wait("the end", Duration::from_secs(90), || {
        stack.situation().run.is_some_and(|run| run.ended.is_some() || run.waiting.is_some())
    });
    let run = stack.situation().run.unwrap();
    let place = format!("{step} {verb}: {:?} {:?}", run.ended, run.waiting);
    let kept = beside(&data, "app.db._failed_");
    let live = tables(&data.join("app.db"));
    let is_old = states(&live) == states(&old);
    // Old with nothing kept, or new with the old one kept: nothing in between.
    assert_eq!(is_old, kept.is_empty(), "{place}: {kept:?}");
    if verb == "undo" && said.code == 0 {
        assert!(is_old, "{place}");
        assert_eq!(stack.status()["active"], "green", "{place}");
    }
}

#[test]
fn an_abort_anywhere_leaves_the_old_data_or_the_new_with_the_old_kept() {
    let long = std::env::var_os("BACKOUT_TEST_LONG").is_some_and(|value| value != "0");
    let all = [
        "restore_database",
        "measure",
        "stop",
        "swap_database",
        "config",
        "deploy",
        "switch",
        "release_writers",
        "healthy",
    ];
    let quick = ["restore_database", "swap_database", "healthy"];
    let steps: &[&str] = if long { &all } else { &quick };
    let verbs: &[&str] = if long { &["stop", "now", "undo"] } else { &["undo"] };
    let mut todo: Vec<(&str, &str)> = Vec::new();
    for step in steps {
        todo.extend(verbs.iter().map(|verb| (*step, *verb)));
    }
    if !long {
        todo.push(("swap_database", "now"));
    }
    for (step, verb) in todo {
        aborted(step, verb);
    }
}

/// Levels of `two_person` start when another user approves the same plan, not before.
#[test]
fn two_people_start_it_and_the_second_is_another_user() {
    use super::people::{GROUP, add, bob, can_be_others, open_for_others, text};
    if !can_be_others("two_people_start_it_and_the_second_is_another_user") {
        return;
    }
    let stack = Stack::up(Some("corruption"));
    let config = fs::read_to_string(stack.config()).unwrap();
    let config = config.replacen("rollback: {", "rollback: {two_person: [3], ", 1);
    fs::write(stack.config(), config).unwrap();
    add(&stack, &format!("share: {{group: {GROUP}}}\n"));
    open_for_others(&stack);

    let first = stack.start(&SWAP);
    let asked = || {
        stack.state().join("journal.db").exists() && {
            let situation = stack.situation();
            situation.approval.is_some()
        }
    };
    stack.wait("the first word", Duration::from_mins(1), asked);
    let same = stack.run(&["approve", "--auto-confirm"]);
    assert_ne!(same.code, 0, "{same:?}");
    assert!(same.err.contains("tester leads") || same.err.contains("second person"), "{same:?}");
    assert!(stack.situation().run.is_none(), "one person started it");
    let second = bob(&stack, &["approve", "--auto-confirm"]);
    assert_eq!(second.status.code(), Some(0), "{}", text(&second));
    let ended = first.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}\n{}", text(&ended), stack.log());
    assert!(text(&ended).contains("a second person is missing"), "{}", text(&ended));
    let run = stack.situation().run.unwrap();
    assert!(run.by.as_str().ends_with(" and bob"), "{}", run.by);
    assert_eq!(run.accept_loss, Some(600), "the word of the first");
}

/// What a run leaves, however often its engine was killed: what serves, each effect by the ledger
/// that the stack's own processes keep, and what lies beside the live data.
fn ending(stack: &Stack) -> (String, BTreeMap<String, usize>, Vec<String>) {
    let status = stack.status();
    // Whether it is down or not: how fast it answers at this moment is the machine's.
    let runs = ["active", "blue", "green"].map(|key| match &status[key] {
        Value::String(text) => text.clone(),
        one => format!("down {} {}", one["state"] == "down", one["version"]),
    });
    let mut effects = BTreeMap::new();
    for line in stack.ledger() {
        let what = line.rsplit_once(' ').map_or(line.as_str(), |(what, _)| what).to_owned();
        *effects.entry(what).or_default() += 1;
    }
    let mut beside: Vec<String> = fs::read_dir(stack.dir().join("data"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("_failed_") || name.contains("restored_"))
        .map(|name| name.split("_failed_").next().unwrap().to_owned())
        .filter(|name| !name.ends_with("-journal"))
        .collect();
    beside.sort();
    let safety = fs::read_dir(stack.dir().join("backups")).unwrap();
    let safety = safety.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with("rollback-safety-")
    });
    beside.push(format!("{} safety backups", safety.count()));
    (runs.join(", "), effects, beside)
}

/// G3 for level 3: killed at the boundaries of each of its steps it ends as undisturbed, nothing
/// twice. The first boundaries of the kinds of level 3 always, all of every step in the long run.
#[test]
fn killed_in_any_step_of_a_recovery_it_ends_as_undisturbed() {
    let long = std::env::var_os("BACKOUT_TEST_LONG").is_some_and(|value| value != "0");
    let stack = Stack::up(Some("corruption"));
    good(&stack.run(&SWAP), &stack);
    let undisturbed = ending(&stack);
    let plan = stack.situation().run.unwrap().plan;
    drop(stack);
    let of_ours = |kind: &str| {
        let kinds = ["restore_database", "restore_files", "swap_database", "swap_files"];
        kinds.contains(&kind)
    };
    let mut faults = Vec::new();
    for spec in &plan.core.steps {
        let kind = spec.action.as_object().unwrap().keys().next().unwrap().as_str();
        let looks = ["verify_point", "check_data", "measure_loss", "wait_healthy"].contains(&kind);
        let points: &[&str] = match kind {
            // Never run: the journal alone ends it.
            "choose" => &[],
            _ if spec.only_beside => &[],
            _ if long && looks => &["B1", "B2", "B5", "B6", "B8", "B9"],
            "restore_config" if long => &["B1", "B2", "B4", "B5", "B6", "B8", "B9"],
            _ if long => &["B1", "B2", "B4", "B5", "B6", "B7", "B8", "B9"],
            _ if of_ours(kind) => &["B5"],
            _ => &[],
        };
        faults.extend(points.iter().map(|point| format!("die-at:{point}:{}", spec.id)));
    }
    assert!(faults.len() >= 4, "{faults:?}");
    let left = Mutex::new(faults.into_iter());
    let table = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(fault) = left.lock().unwrap().next() else { return };
                    let stack = Stack::up(Some("corruption"));
                    let done = stack.run_with(&fault, &SWAP);
                    let struck = stack.state().join("fault-struck").exists();
                    let same = ending(&stack) == undisturbed;
                    table.lock().unwrap().push((fault.clone(), done.code, struck, same));
                    if done.code != 0 || !same {
                        tell(&format!("{fault}: {done:?}\n{:?}\n{undisturbed:?}", ending(&stack)));
                    }
                }
            });
        }
    });
    let table = table.into_inner().unwrap();
    for (fault, code, struck, same) in &table {
        tell(&format!("{fault:<36} exit {code}  struck {struck}  as undisturbed {same}"));
    }
    let bad: Vec<_> = table.iter().filter(|row| row.1 != 0 || !row.2 || !row.3).collect();
    assert!(bad.is_empty(), "{bad:?}");
    tell(&format!("level 3: {} boundaries, 0 lost, 0 doubled", table.len()));
}

/// A line for who reads the test's output.
#[expect(clippy::print_stderr, reason = "what was measured is part of the result")]
fn tell(line: &str) {
    eprintln!("{line}");
}

#[test]
fn a_moment_without_archived_logs_is_refused_with_what_it_takes() {
    let stack = Stack::up(None);
    let said = stack.run(&["plan", "--level", "3", "--to", "2026-11-22 00:00:00Z"]);
    assert_ne!(said.code, 0, "{said:?}");
    assert!(said.err.contains("holds a base backup with archived logs"), "{said:?}");
    assert!(!said.err.contains("Backup not found"), "{said:?}");
}
