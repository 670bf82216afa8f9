//! Every file in `tests/configs/valid` loads; every one in `invalid` is refused with exactly the
//! words in the `.txt` beside it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use backout::config::{Config, Environment, Problem, find, load, render};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs").join(name)
}

fn files(name: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "nothing in {name}");
    files
}

fn environment() -> Environment {
    Environment::of([("HOME", "/srv/dana"), ("API_TOKEN", "hunter2")])
}

fn words(problems: &[Problem]) -> String {
    let folder = format!("{}/", folder("invalid").display());
    let mut text = String::new();
    for problem in problems {
        writeln!(text, "{problem}").unwrap();
    }
    text.replace(&folder, "")
}

fn valid(name: &str) -> Config {
    let path = folder("valid").join(name);
    load(&path, &environment()).map_err(|problems| words(&problems)).unwrap()
}

#[test]
fn every_file_of_the_documents_loads_as_it_stands() {
    for path in files("valid") {
        let config = load(&path, &environment());
        let config = config.unwrap_or_else(|problems| {
            panic!("{}:\n{}", path.display(), words(&problems));
        });
        assert!(render(&config).contains("environment: "), "{}", path.display());
    }
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_to_do() {
    let mut wrong = String::new();
    for path in files("invalid") {
        let told = match load(&path, &environment()) {
            Ok(_) => "it loads\n".to_owned(),
            Err(problems) => words(&problems),
        };
        let beside = path.with_extension("txt");
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        if told != expected {
            writeln!(wrong, "--- {}\n{told}--- expected\n{expected}", path.display()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_demo_stacks_file_means_what_it_says() {
    let config = valid("demo.yaml");
    assert_eq!(config.checks.len(), 10);
    assert_eq!(config.colors.len(), 2);
    assert_eq!(config.state_dir, folder("valid").join("state"));
    let counting: Vec<&str> = config
        .checks
        .iter()
        .filter(|check| check.role.counts_requests)
        .map(|check| check.id.as_str())
        .collect();
    assert_eq!(counting, ["api", "api_documents"]);
    let marker = config.checks.iter().find(|check| check.role.corruption);
    assert_eq!(marker.map(|check| check.id.as_str()), Some("corruption_marker"));
    let direct = config.checks.iter().find(|check| check.id.as_str() == "green_direct");
    assert!(direct.is_some_and(|check| !check.live && !check.role.critical));
}

/// A file in a folder of its own.
struct Written {
    dir: tempfile::TempDir,
}

impl Written {
    fn new(text: &str) -> Self {
        let written = Self { dir: tempfile::tempdir().unwrap() };
        fs::write(written.path(), text).unwrap();
        written
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("backout.yaml")
    }

    fn load(&self) -> Result<Config, String> {
        load(&self.path(), &environment()).map_err(|problems| words(&problems))
    }
}

fn loaded(text: &str) -> Config {
    Written::new(text).load().unwrap()
}

const HTTP: &str = "{check_id: api, check_type: http_response, endpoint_url: 'http://h/'";

#[test]
fn what_is_no_file_is_refused_at_once() {
    let written = Written::new("environment: shop\n");
    let dir = written.dir.path();
    let told = |path: &Path| {
        let problems = load(path, &environment()).err().unwrap();
        assert_eq!(problems.len(), 1);
        problems[0].message.clone()
    };
    assert!(told(dir).contains("it is a folder"));
    assert!(told(&dir.join("none.yaml")).contains("it is not there"));
    assert!(told(Path::new("/dev/null")).contains("a pipe or a device"));
    let pipe = dir.join("pipe.yaml");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert!(told(&pipe).contains("a pipe or a device"));
    let large = dir.join("large.yaml");
    fs::write(&large, vec![b'#'; 1024 * 1024 + 1]).unwrap();
    assert!(told(&large).contains("larger than 1024 KiB"));
}

#[test]
fn the_defaults_are_those_of_the_documents() {
    let config = loaded(&format!("environment: shop\nhealth_checks: [{HTTP}}}]\n"));
    let check = &config.checks[0];
    let seconds = |span: std::time::Duration| span.as_secs();
    assert_eq!((seconds(check.interval), seconds(check.timeout)), (30, 10));
    assert_eq!((check.policy.fail_after, check.policy.ok_after), (3, 2));
    assert_eq!(seconds(check.policy.stale_after), 70);
    assert_eq!((check.name.as_str(), check.role.service.as_str()), ("api", "api"));
    assert!(check.live && check.role.critical && check.role.counts_requests);
    let rollback = &config.rollback;
    assert_eq!(seconds(rollback.keep_failed_up), 120);
    assert_eq!((seconds(rollback.drain), seconds(rollback.stop_grace)), (30, 30));
    assert_eq!((rollback.gate_probes, seconds(rollback.gate_every)), (3, 10));
    assert_eq!((seconds(rollback.watch_window), seconds(rollback.watch_every)), (900, 10));
    assert_eq!(rollback.max_workers, 4);
    assert_eq!(config.state_dir, Path::new("/srv/dana/.local/state/backout/shop"));
    assert_eq!(seconds(config.retention), 3600);
}

#[test]
fn a_reading_of_a_quick_check_is_old_sooner() {
    let stale = |interval: u32| {
        let entry = format!("{HTTP}, interval_seconds: {interval}, timeout_seconds: 2}}");
        loaded(&format!("health_checks: [{entry}]\n")).checks[0].policy.stale_after.as_secs()
    };
    assert_eq!((stale(1), stale(4), stale(5), stale(60)), (10, 10, 30, 122));
}

#[test]
fn an_override_changes_only_what_it_says() {
    let text = format!(
        "health_checks:\n  - {HTTP}, timeout: 10s, interval_seconds: 30}}\n  - {{check_id: api, \
         timeout_seconds: 30, consecutive_failures_for_critical: 5}}\n  - {{check_id: other, \
         timeout_seconds: 5}}\n"
    );
    let config = loaded(&text);
    let [check] = config.checks.as_slice() else { panic!("one check is expected") };
    assert_eq!((check.timeout.as_secs(), check.interval.as_secs()), (30, 30));
    assert_eq!(check.policy.fail_after, 5);
    let notes = config.notes.join("\n");
    assert!(notes.contains(
        "health_checks[1] changes timeout_seconds, consecutive_failures_for_critical of api"
    ));
    assert!(notes.contains("health_checks[2] changes values of other, which is not a check"));
}

#[test]
fn no_secret_is_ever_printed() {
    let written = Written::new(
        "health_checks:
  - check_id: api
    check_type: http_response
    endpoint_url: 'http://h/?token=${API_TOKEN}'
    headers: {authorization: 'Bearer ${API_TOKEN}', x-key: {file: key}}
  - {check_id: db, check_type: database_connection, endpoint_url: 'postgresql://user:geheim@h/db'}
",
    );
    fs::write(written.dir.path().join("key"), "filekey\n").unwrap();
    let config = written.load().unwrap();
    let printed = format!("{config:?}\n{}", render(&config));
    for secret in ["hunter2", "geheim", "filekey"] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
    assert!(printed.contains("postgresql://user:***@h/db"));
    assert!(config.notes.iter().any(|note| note.contains("a password is written in the file")));
}

#[test]
fn what_a_variable_holds_is_not_looked_at_again() {
    let environment = Environment::of([("A", "${B}$(id)"), ("B", "no")]);
    let written = Written::new("state_dir: /x/${A}/$${B}\n");
    let config = load(&written.path(), &environment).unwrap();
    assert_eq!(config.state_dir, Path::new("/x/${B}$(id)/${B}"));
}

#[test]
fn the_environment_wins_and_says_so() {
    let environment = Environment::of([("BACKUP_DIR", "/b"), ("ROLLBACK_MAX_WORKERS", "2")]);
    let written = Written::new("restore_points: here\nrollback: {max_workers: 8}\n");
    let config = load(&written.path(), &environment).unwrap();
    assert_eq!(config.restore_points.as_deref(), Some(Path::new("/b")));
    assert_eq!(config.rollback.max_workers, 2);
    assert_eq!(config.notes.len(), 2);
    let environment = Environment::of([("ROLLBACK_MAX_WORKERS", "many")]);
    let problems = load(&written.path(), &environment).err().unwrap();
    assert!(problems[0].to_string().contains("ROLLBACK_MAX_WORKERS is \"many\""));
}

#[test]
fn yaml_of_every_make_is_read() {
    let text = "\u{feff}base: &base {interval_seconds: 7}\r\nhealth_checks:\r\n  - <<: *base\r\n    \
                check_id: 'a'\r\n    check_type: custom\r\n    command: 'true'\r\n";
    let told = Written::new(text).load().err().unwrap();
    assert!(told.contains(":1:1 base: is not a key that is known here"), "{told}");
    let text = text.replace("base: &base", "advanced: &base");
    assert_eq!(loaded(&text).checks[0].interval.as_secs(), 7);
}

#[test]
fn kinds_that_come_later_load_and_say_so() {
    let config = valid("p001-health_checks-system_resource.yaml");
    assert_eq!(config.checks[0].kind.name(), "system_resource");
    assert!(config.notes.iter().any(|note| note.contains("system_resource come later")));
    let config = valid("p001-health_monitor_config.yaml");
    for key in ["rollback_enabled", "monitoring_rules", "system_resource_thresholds"] {
        let note = format!("not used yet: {key}");
        assert!(config.notes.contains(&note), "{note}");
    }
}

#[test]
fn looks_that_are_too_few_for_the_error_rate_are_noted() {
    let config = loaded(&format!("health_checks: [{HTTP}, interval_seconds: 10}}]\n"));
    assert!(config.notes.iter().any(|note| note.contains("holds 3 requests, 20 are needed")));
    assert!(!valid("demo.yaml").notes.iter().any(|note| note.contains("error rate")));
}

#[test]
fn the_file_to_use_is_found_in_the_documented_order() {
    let dir = tempfile::tempdir().unwrap();
    let none = Environment::of([]);
    let named = Environment::of([("BACKOUT_CONFIG", "other.yaml")]);
    assert_eq!(find(dir.path(), &named), Some(dir.path().join("other.yaml")));
    fs::write(dir.path().join("backout.yml"), "").unwrap();
    assert_eq!(find(dir.path(), &none), Some(dir.path().join("backout.yml")));
    fs::write(dir.path().join("backout.yaml"), "").unwrap();
    assert_eq!(find(dir.path(), &none), Some(dir.path().join("backout.yaml")));
}

#[test]
fn a_bomb_of_aliases_ends_soon() {
    let mut text = "advanced:\n  a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (before, name) in "abcdefgh".chars().zip("bcdefghi".chars()) {
        let aliases = vec![format!("*{before}"); 10].join(", ");
        writeln!(text, "  {name}: &{name} [{aliases}]").unwrap();
    }
    let begun = std::time::Instant::now();
    assert!(Written::new(&text).load().err().unwrap().contains("holds more than 100000 values"));
    assert!(begun.elapsed().as_secs() < 2);
}

#[test]
fn the_shipped_example_shows_every_kind_and_every_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/backout.yaml");
    let example = load(&path, &environment()).map_err(|problems| words(&problems)).unwrap();
    let shown: std::collections::BTreeSet<&str> =
        example.checks.iter().map(|check| check.kind.name()).collect();
    let built = ["custom", "database_connection", "file", "http_response", "tcp"];
    assert!(shown.iter().copied().eq(built), "{shown:?}");
    let bare = loaded("environment: staging\n");
    assert_eq!((example.rollback, example.windows), (bare.rollback, bare.windows));
    assert_eq!(example.retention, bare.retention);
    let about_looks: Vec<_> = example.notes.iter().filter(|note| !note.contains("mode")).collect();
    assert!(about_looks.is_empty(), "{about_looks:?}");
}
