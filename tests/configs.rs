//! Every file in `tests/configs/valid` loads; every one in `invalid` is refused with exactly the
//! words in the `.txt` beside it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use backout::config::{Config, Environment, Platform, Problem, find, load, render, schema};
use backout::model::rule::{Action, Mode, Rule};
use backout::model::severity::Severity;

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
    assert_eq!((seconds(rollback.gate_wait), seconds(rollback.health_wait)), (30, 300));
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
fn a_secret_in_the_words_of_a_command_that_becomes_a_step_is_refused_unsaid() {
    let environment = Environment::of([("DB_PASSWORD", "geheim-geheim"), ("SHORT_TOKEN", "on")]);
    let refused = |text: &str| {
        let written = Written::new(&format!("environment: shop\nhealth_checks: []\n{text}\n"));
        let problems = load(&written.path(), &environment).unwrap_err();
        let told = words(&problems);
        assert!(!told.contains("geheim"), "{told}");
        told
    };
    for (text, place) in [
        ("smoke_command: [curl, -u, 'shop:geheim-geheim', http://h/]", "smoke_command[2]"),
        ("smoke_command: [smoke, '--key=${DB_PASSWORD}']", "smoke_command[1]"),
        (
            "migrations: {tool: alembic, command: [alembic, -x, 'p=${DB_PASSWORD}']}",
            "migrations.command[2]",
        ),
    ] {
        let told = refused(text);
        let words = format!("{place}: holds a secret");
        assert!(told.contains(&words), "{told}");
        assert!(told.contains("hint: let the command read it from its environment"), "{told}");
    }
    let written =
        Written::new("health_checks: []\nsmoke_command: [smoke, --on, '${SHORT_TOKEN}']\n");
    let config = load(&written.path(), &environment).unwrap();
    assert_eq!(config.proofs.smoke, ["smoke", "--on", "on"], "two letters stand everywhere");
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
    let environment = Environment::of([
        ("BACKUP_DIR", "/b"),
        ("ROLLBACK_MAX_WORKERS", "2"),
        ("LEVEL1_TIMEOUT", "300"),
    ]);
    let written = Written::new("restore_points: here\nrollback: {max_workers: 8, gate_wait: 9s}\n");
    let config = load(&written.path(), &environment).unwrap();
    assert_eq!(config.restore_points.as_deref(), Some(Path::new("/b")));
    assert_eq!(config.rollback.max_workers, 2);
    assert_eq!(config.rollback.gate_wait.as_secs(), 300);
    assert_eq!(config.notes.len(), 3);
    for name in ["ROLLBACK_MAX_WORKERS", "LEVEL1_TIMEOUT"] {
        let problems = load(&written.path(), &Environment::of([(name, "many")])).err().unwrap();
        assert!(problems[0].to_string().contains(&format!("{name} is \"many\"")));
    }
    // P-52, P-65: all of them are read, and shown with where each comes from.
    let environment = Environment::of([
        ("ROLLBACK_MAX_WORKERS", "1"),
        ("ROLLBACK_PARALLEL_OPERATIONS", "2"),
        ("ROLLBACK_BATCH_SIZE", "3"),
        ("ROLLBACK_CONNECTION_POOL_SIZE", "5"),
        ("ROLLBACK_CONNECTION_TIMEOUT", "30"),
    ]);
    let services = Written::new(
        "health_checks: [{check_id: a, check_type: tcp, endpoint_url: 'a:1'}]\nservices: {api: \
         {instances: [a, b]}}\n",
    );
    let shown = render(&load(&services.path(), &environment).unwrap());
    for line in [
        "rollback.max_workers: 1\n",
        "rollback.parallel_operations: 2\n",
        "rollback.connection_pool_size: 5\n",
        "rollback.connection_timeout: 30s\n",
        "services.api: rolling, 2 instances, 3 at a time, ",
        "note: rollback.max_workers 1 comes from ROLLBACK_MAX_WORKERS\n",
        "note: rollback.connection_timeout 30 comes from ROLLBACK_CONNECTION_TIMEOUT\n",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
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
fn what_the_documents_say_of_repositories_that_go_together_counts() {
    let config = valid("derived-p002-rollback_config.yaml");
    assert!(!config.notes.iter().any(|note| note.contains("not used")), "{:?}", config.notes);
    assert!(config.rollback.together);
    let config = loaded("health_check_timeout: 60\ncross_repo_coordination: false\n");
    assert_eq!((config.rollback.health_wait.as_secs(), config.rollback.together), (60, false));
    let config = loaded("health_check_timeout: 60\nrollback: {health_wait: 90s}\n");
    assert_eq!(config.rollback.health_wait.as_secs(), 90);
}

fn rule<'a>(config: &'a Config, id: &str) -> &'a Rule {
    config.rules.list.iter().find(|rule| rule.id == id).unwrap()
}

/// P-16: what `config show` prints of document 001's file.
#[test]
fn the_documents_monitor_means_what_it_says() {
    let config = valid("p001-health_monitor_config.yaml");
    let shown = render(&config);
    for line in ["rollback_enabled: true", "environment: ", "https://api.pratiko.ai/health"] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    let minutes = |minutes: u64| std::time::Duration::from_secs(minutes * 60);
    assert_eq!(config.retention, minutes(60));
    let [check] = config.checks.as_slice() else { panic!("one check is expected") };
    assert_eq!((check.interval, check.timeout), (minutes(1) / 2, minutes(1) / 6));
    assert!(config.rules.rollback_enabled);
}

/// P-17: what a check of the documents leaves out is taken from its name.
#[test]
fn a_check_that_only_has_a_name_is_its_own_service() {
    for kind in ["custom", "database_connection", "http_response", "system_resource"] {
        let config = valid(&format!("p001-health_checks-{kind}.yaml"));
        for check in &config.checks {
            assert_eq!(check.role.service.as_str(), check.id.as_str(), "{kind}");
        }
    }
}

/// P-02: the two example files are written once, load by their names, and are never overwritten;
/// the example of a frontend loads too.
#[test]
fn the_example_files_are_written_once_and_load() {
    let place = crate::kube::place::Place::new();
    let said = place.run(&["init", "--examples"]);
    assert_eq!(said.code, 0, "{said:?}");
    for name in ["health_monitor_config.yaml", "rollback_config.yaml"] {
        let path = place.folder().join(name);
        load(&path, &environment()).map_err(|problems| words(&problems)).unwrap();
        let said = place.run(&["--config", name, "config", "show"]);
        assert!(said.code == 0 && said.text.contains("environment: "), "{said:?}");
    }
    let own = place.folder().join("rollback_config.yaml");
    fs::write(&own, "max_rollback_attempts: 1\n").unwrap();
    fs::remove_file(place.folder().join("health_monitor_config.yaml")).unwrap();
    let said = place.run(&["init", "--examples"]);
    assert!(said.code != 0 && said.text.contains("is there already"), "{said:?}");
    assert_eq!(fs::read_to_string(&own).unwrap(), "max_rollback_attempts: 1\n");
    assert!(!place.folder().join("health_monitor_config.yaml").exists(), "both or neither");
    let variables = [("ADMIN_TOKEN", "ein-geheimes-wort"), ("AWS_ACCESS_KEY_ID", "AKIA")];
    let key = ("AWS_SECRET_ACCESS_KEY", "geheim-und-lang");
    let environment = Environment::of(variables.into_iter().chain([key]));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/frontend.yaml");
    let config = load(&path, &environment).map_err(|problems| words(&problems)).unwrap();
    let shown = render(&config);
    assert!(shown.contains("pratiko-assets") && !shown.contains("geheim"), "{shown}");
}

#[test]
fn the_documents_rules_mean_what_they_say() {
    let config = valid("p001-monitoring_rules.yaml");
    let shown: Vec<_> = config
        .rules
        .list
        .iter()
        .map(|rule| (rule.id.as_str(), rule.action, rule.priority, rule.cooldown.as_secs() / 60))
        .collect();
    assert_eq!(
        shown,
        [
            ("auto_rollback", Action::Rollback, 1, 30),
            ("resource_alert", Action::Alert, 2, 15),
            ("preserve_logs", Action::PreserveLogs, 2, 5),
        ]
    );
    assert_eq!(rule(&config, "auto_rollback").mode, Mode::Propose, "it asks unless told to act");
    let note = "rule auto_rollback stays unknown: there is no check or service \"backend\"";
    assert!(config.notes.iter().any(|known| known == note), "{:?}", config.notes);

    let config = valid("derived-p002-monitoring_rules-threshold-form.yaml");
    let rate = rule(&config, "api_error_rate");
    assert_eq!(rate.condition.source, "error_rate('*', 5) > 0.05");
    assert_eq!(rate.severity, Some(Severity::High));
    let slow = rule(&config, "response_time_p95");
    assert_eq!(slow.condition.source, "p95('*', 10) * 1000 > 2000");

    let config = valid("derived-p002-rollback_config.yaml");
    assert!(config.rules.automatic && config.rules.max_attempts == 3);
}

/// P-09, P-12, P-13: what the document says of its targets is what the services are brought back by.
#[test]
fn the_documents_targets_are_how_services_go_back() {
    let text =
        fs::read_to_string(folder("valid").join("derived-p001-rollback_targets.yaml")).unwrap();
    let described = Written::new(&format!(
        "environment: production\nhealth_checks: [{{check_id: a, check_type: tcp, endpoint_url: \
         'a:1'}}]\nservices: {{backend: {{instances: [b-1, b-2, b-3]}}}}\n{text}"
    ));
    let config = load(&described.path(), &environment()).unwrap();
    let backend = &config.services["backend"];
    let options = &backend.options;
    // The second one of the backend wins: it is the last that was said.
    assert_eq!(backend.strategy.name(), "rolling");
    assert_eq!(options.health_check_url.as_deref(), Some("https://api.pratiko.ai/health"));
    let seconds = [options.validation, options.batch_delay, options.health_check_interval];
    assert_eq!(seconds.map(|span| span.as_secs()), [300, 30, 10]);
    assert_eq!((options.batch_size, options.preserve_failed), (2, true));
    assert!(config.notes.iter().any(|note| note.contains("targets: frontend is not described")));
}

/// P-62: every log file that the document names is followed.
#[test]
fn the_pratiko_runbook_is_a_configuration_that_follows_all_its_logs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/pratiko.yaml");
    let config = load(&path, &environment()).map_err(|problems| words(&problems)).unwrap();
    let followed: Vec<_> =
        config.log_sources.iter().map(|source| source.path.to_str().unwrap()).collect();
    let named = [
        "/var/log/pratiko-integration.log",
        "/var/log/pratiko-rollback/rollback_execution.log",
        "/var/log/pratiko-rollback/health_monitor.log",
        "/var/log/pratiko-rollback/system.log",
        "/var/log/nginx/access.log",
        "/var/log/nginx/error.log",
        "/var/log/postgresql/postgresql-12-main.log",
        "/var/log/redis/redis-server.log",
        "/opt/pratiko/backend/logs/app.log",
        "/opt/pratiko/backend/logs/error.log",
        "/opt/pratiko/frontend/logs/deploy.log",
        "/var/log/syslog",
        "/var/log/kern.log",
        "/var/log/auth.log",
    ];
    assert_eq!(followed, named);
    let backend = &config.services["backend"];
    assert_eq!((backend.instances.len(), backend.options.batch_size), (5, 2));
    assert_eq!(config.rules.max_attempts, 3);
}

/// P-64: what the document's file does with its logs, ours does with the same ones.
#[test]
fn the_shipped_rotation_is_the_documents() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/logrotate");
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains("/var/log/pratiko-rollback/*.log"));
    let words = ["daily", "missingok", "rotate 30", "compress", "delaycompress", "notifempty"];
    for word in words.into_iter().chain(["create 0644", "postrotate", "systemctl reload backout"]) {
        assert!(text.lines().any(|line| line.trim() == word), "{word}");
    }
}

#[test]
fn alerts_of_prometheus_and_thresholds_of_argo_become_rules() {
    let config = valid("m004-prometheus-rollback-alerts.yaml");
    let spans: Vec<_> =
        config.rules.list.iter().map(|rule| (rule.id.as_str(), rule.lasting.as_secs())).collect();
    assert_eq!(spans, [("HighErrorRate", 120), ("HighResponseTime", 300), ("ServiceDown", 60)]);
    assert!(config.rules.list.iter().all(|rule| rule.action == Action::Rollback));
    assert!(config.notes.iter().any(|note| note.contains("prometheus.endpoint_url is missing")));
    let alerts = folder("valid").join("m004-prometheus-rollback-alerts.yaml");
    let argo = folder("invalid").join("m004-argo-rollout-rollback-policy.yaml");
    let config = loaded(&format!(
        "prometheus: {{endpoint_url: 'http://p:9090'}}\nrule_files: [{}, {}]\n\
         monitoring_rules:\n  - {{rule_id: ServiceDown, mode: dry_run, cooldown: 1h}}\n",
        alerts.display(),
        argo.display()
    ));
    let down = rule(&config, "ServiceDown");
    assert_eq!((down.mode, down.cooldown.as_secs()), (Mode::DryRun, 3600), "laid over");
    assert_eq!(down.condition.source, "prometheus('ServiceDown') > 0");
    let check = config.checks.iter().find(|spec| spec.id.as_str() == "HighErrorRate").unwrap();
    let query = "rate(http_requests_total{status=~\"5..\"}[5m]) > 0.1";
    assert!(check.live && check.kind.target().contains(query), "{}", check.kind.target());
    let policy = rule(&config, "medical_kg_rev_gateway_rollback_policy");
    assert_eq!(policy.condition.source, "error_rate('*', 5) > 0.1");
    assert_eq!((policy.confirm.times, policy.confirm.of), (3, 3));
    assert!(config.notes.iter().any(|note| note.contains("is no field of Argo Rollouts")));
}

#[test]
fn probes_of_argos_rollout_become_checks_and_where_they_answer_has_to_be_said() {
    let argo = folder("invalid").join("m004-argo-rollout-rollback-policy.yaml");
    let found = |entry: &str| {
        let config = loaded(&format!("rule_files: [{entry}]\n"));
        let probes: Vec<_> = config
            .checks
            .iter()
            .filter(|spec| spec.id.as_str().starts_with("medical_kg"))
            .map(|spec| {
                let every = spec.interval.as_secs();
                (spec.id.to_string(), spec.kind.target(), every, spec.timeout.as_secs(), spec.live)
            })
            .collect();
        (probes, config.notes)
    };
    let live = "medical_kg_rev_gateway_live".to_owned();
    let ready = "medical_kg_rev_gateway_ready".to_owned();
    let entry = format!("{{file: {}, probes_url: 'http://gateway:8000/'}}", argo.display());
    let (probes, _) = found(&entry);
    assert_eq!(
        probes,
        [
            (live.clone(), "http://gateway:8000/health".to_owned(), 10, 1, true),
            (ready.clone(), "http://gateway:8000/ready".to_owned(), 5, 1, true),
        ]
    );
    let (probes, notes) = found(&argo.display().to_string());
    assert_eq!(probes, [(live, String::new(), 10, 1, false), (ready, String::new(), 5, 1, false)]);
    assert!(notes.iter().any(|note| note.contains("say where medical-kg-rev-gateway answers")));
}

#[test]
fn the_documents_resource_check_means_what_it_says() {
    let config = valid("p001-health_checks-system_resource.yaml");
    let shown = render(&config);
    assert!(shown.contains("system_resource: cpu"), "{shown}");
    assert!(shown.contains("warning: 80 or more") && shown.contains("critical: 95 or more"));
    assert!(config.notes.iter().all(|note| !note.contains("metadata")), "{:?}", config.notes);
}

#[test]
fn thresholds_of_resources_come_from_their_section_or_the_documents() {
    let text = |section: &str| {
        let check = "{check_id: m, check_type: system_resource, resource: memory}";
        render(&loaded(&format!("{section}health_checks: [{check}]\n")))
    };
    assert!(text("").contains("warning: 80 or more"));
    let own = text("system_resource_thresholds: {memory_warning: 60, memory_critical: 70}\n");
    assert!(own.contains("warning: 60 or more") && own.contains("critical: 70 or more"), "{own}");
}

#[test]
fn a_check_that_is_off_is_never_asked() {
    let config =
        loaded(&format!("health_checks: [{HTTP}, enabled: false, role: [live, watch]}}]\n"));
    let check = &config.checks[0];
    assert!(!check.enabled && !check.live && check.phases.is_empty());
    assert!(render(&config).contains("off"));
}

#[test]
fn a_password_in_the_address_of_a_redis_is_decoded_and_never_printed() {
    let config = loaded(
        "health_checks:\n  - {check_id: r, check_type: redis, endpoint_url: \
         'rediss://ops:ge%40heim@cache.example:6380/2', list: jobs}\n",
    );
    let backout::checks::CheckKind::Redis(redis) = &config.checks[0].kind else { panic!() };
    let password = redis.server.password.as_ref().unwrap();
    assert_eq!(password.reveal(), "ge@heim");
    assert_eq!((redis.server.port, redis.server.database), (6380, 2));
    assert!(redis.server.trust.is_some());
    let printed = format!("{config:?}{}", render(&config));
    assert!(!printed.contains("heim"), "{printed}");
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
fn the_spacetime_runbook_is_a_configuration_that_only_needs_its_password() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/spacetime.yaml");
    let with = Environment::of([("HOME", "/srv/dana"), ("POSTGRES_PASSWORD", "lab-only")]);
    let config = load(&path, &with).map_err(|problems| words(&problems)).unwrap();
    let Platform::Compose(compose) = &config.platform else { panic!("{:?}", config.platform) };
    assert_eq!(compose.project, "spacetime");
    assert_eq!(compose.env_file, Path::new("/opt/spacetime/production/.env"));
    assert_eq!(config.backup.volume.as_deref(), Some("spacetime_godot-data"));
    let links: Vec<&str> = config.links.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((links.len(), links[0], links[7]), (15, "CI/CD guide", "Incident Slack"));
    assert!(!render(&config).contains("lab-only"));
    let without = Environment::of([("HOME", "/srv/dana")]);
    let problems = load(&path, &without).unwrap_err();
    assert!(words(&problems).contains("POSTGRES_PASSWORD"), "{}", words(&problems));
}

#[test]
fn the_medical_kg_runbook_is_a_configuration_with_a_rollback_of_each_type() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/medical-kg.yaml");
    let config = load(&path, &environment()).map_err(|problems| words(&problems)).unwrap();
    let Platform::Kubernetes(at) = &config.platform else { panic!("{:?}", config.platform) };
    let one = at.workload.as_ref().unwrap();
    assert_eq!(one.name.to_string(), "deployment/medical-kg-rev-gateway");
    let links: Vec<&str> = config.links.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((links.len(), links[5]), (6, "Disaster recovery plan"));
    let names: Vec<&str> = config.procedures.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "data_integrity",
            "database",
            "emergency_database",
            "failover",
            "infrastructure",
            "ingress",
            "neo4j",
            "redis"
        ]
    );
    for (name, procedure) in &config.procedures {
        for step in procedure.steps.as_array().unwrap() {
            let mut action = step["do"].clone();
            // A plan records what each had, and the digest of each file.
            for (at, one) in [("/scale/workloads", "workload"), ("/apply_set/files", "file")] {
                for item in
                    action.pointer_mut(at).and_then(|all| all.as_array_mut()).into_iter().flatten()
                {
                    *item = serde_json::json!({one: item});
                    if one == "file" {
                        item["sha256"] = "ab".into();
                    }
                }
            }
            let kind = backout::steps::StepKind::from_action(&action);
            assert!(kind.is_ok(), "{name}: {action}: {kind:?}");
        }
    }
}

#[test]
fn a_workload_of_a_cluster_is_its_own_only_side() {
    let config = loaded(
        "platform: {kubernetes: {namespace: shop, deployment: web, public_url: 'http://127.0.0.1:30080/'}}\n",
    );
    assert_eq!(config.colors.len(), 1);
    assert_eq!(config.traffic.as_ref().unwrap().public_url(), "http://127.0.0.1:30080");
    let both = "platform: {kubernetes: {namespace: shop, deployment: web, public_url: 'http://a'}}
traffic: {service: {name: web, public_url: 'http://a'}}
";
    let told = Written::new(both).load().err().unwrap();
    assert!(told.contains("stands beside colors or traffic"), "{told}");
}

#[test]
fn the_shipped_example_shows_every_kind_and_every_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/backout.yaml");
    let example = load(&path, &environment()).map_err(|problems| words(&problems)).unwrap();
    let shown: std::collections::BTreeSet<&str> =
        example.checks.iter().map(|check| check.kind.name()).collect();
    let built = [
        "container",
        "custom",
        "database_connection",
        "dns",
        "file",
        "http_response",
        "kubernetes",
        "log_pattern",
        "process",
        "prometheus",
        "push",
        "redis",
        "s3_object",
        "system_resource",
        "systemd_unit",
        "tcp",
        "tls_cert",
    ];
    assert!(shown.iter().copied().eq(built), "{shown:?}");
    let bare = loaded("environment: staging\n");
    assert_eq!((example.rollback, example.windows), (bare.rollback, bare.windows));
    assert_eq!(example.retention, bare.retention);
    let about_looks: Vec<_> = example.notes.iter().filter(|note| !note.contains("mode")).collect();
    assert!(about_looks.is_empty(), "{about_looks:?}");
}

#[test]
fn what_a_check_stands_beside_is_read_and_the_rest_has_a_default() {
    use backout::model::bearing::Dimension;
    let config = loaded(
        "witness: [tcp 10.0.0.1:53, 'https://status.example']
maintenance:
  - {name: nightly, start: '23:30', duration: 2h, days: [sat], tz: '+01:00', services: [shop]}
health_checks:
  - {check_id: db, check_type: database_connection, endpoint_url: 'sqlite:app.db', query: SELECT 1}
  - check_id: api
    service: shop
    check_type: http_response
    endpoint_url: 'https://shop.example/health'
    depends_on: [db]
    unknown_after: 2m
    fail_window: {failures: 3, minutes: 5}
  - {check_id: pay, check_type: tcp, endpoint_url: 'pay.example:443', dimension: external}
  - {check_id: tunnel, check_type: tcp, endpoint_url: '127.0.0.1:1', remote: true}
",
    );
    let bearing = |id: &str| &config.judging.bearings[&id.into()];
    let api = bearing("api");
    assert_eq!(api.depends_on, ["db".into()]);
    assert_eq!((api.dimension, api.host.as_deref()), (Dimension::Api, Some("shop.example")));
    assert_eq!(api.unknown_after.as_secs(), 120);
    assert_eq!((bearing("db").dimension, &bearing("db").host), (Dimension::Database, &None));
    assert_eq!(bearing("db").unknown_after.as_secs(), 90);
    assert_eq!(bearing("pay").dimension, Dimension::External);
    assert!(bearing("tunnel").host.is_some());
    assert_eq!(config.judging.witnesses.len(), 2);
    assert_eq!(config.judging.maintenance[0].ahead, 3600);
}

#[test]
fn looks_that_cannot_show_what_they_should_are_noted_with_numbers() {
    let config = loaded(
        "windows: {span: 100s, min_samples: 10}
health_checks:
  - {check_id: api, check_type: http_response, endpoint_url: 'http://h/', interval: 10s}
  - {check_id: slow, check_type: tcp, endpoint_url: 'h:1', interval: 5s, timeout: 5s, stale_after: 6s}
",
    );
    let notes = config.notes.join("\n");
    assert!(notes.contains("10 samples cannot resolve 5 %"), "{notes}");
    assert!(notes.contains("slow turns stale between two looks"), "{notes}");
    assert!(notes.contains("the timeout is not below the interval"), "{notes}");
}

#[test]
fn a_template_of_ones_own_names_only_what_can_be_filled_in() {
    let written = Written::new("document_templates: {internal: ours.txt, customer: none.txt}\n");
    let own = written.dir.path().join("ours.txt");
    fs::write(&own, "{incident} is {severty} in {environment}\n").unwrap();
    let told = written.load().err().unwrap();
    assert!(told.contains("document_templates.internal: {severty} is nothing"), "{told}");
    assert!(told.contains("did you mean {severity}?"), "{told}");
    assert!(told.contains("document_templates.customer: could not read"), "{told}");
    let written = Written::new("document_templates: {internal: ours.txt}\n");
    fs::write(written.dir.path().join("ours.txt"), "{incident} is {severity}\n").unwrap();
    let config = written.load().unwrap();
    assert_eq!(config.templates["internal"], "{incident} is {severity}\n");
}

/// P-19: a database or a Redis that is there without its address is where the documents' variable
/// says.
#[test]
fn an_address_that_is_not_written_is_that_of_the_documents_variable() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backout.yaml");
    let text = "environment: x\nhealth_checks: [{check_id: a, check_type: tcp, endpoint_url: \
                'tcp://127.0.0.1:9', interval: 10s, timeout: 5s}]\ndatabase: {postgres: {}}\nredis: {}\n";
    fs::write(&file, text).unwrap();
    let urls = [
        ("HOME", "/srv/dana"),
        ("DATABASE_URL", "postgresql://app:geheim-4711@db.example.org:5433/app"),
        ("REDIS_URL", "redis://:geheim-4712@cache.example.org:6380/2"),
    ];
    let config = load(&file, &Environment::of(urls)).unwrap();
    let Some(backout::config::Database::Postgres { url, .. }) = &config.database else {
        panic!("{:?}", config.database)
    };
    assert!(url.reveal().ends_with("@db.example.org:5433/app"), "{url:?}");
    let server = &config.redis.as_ref().unwrap().server;
    assert_eq!(
        (server.host.as_str(), server.port, server.database),
        ("cache.example.org", 6380, 2)
    );
    assert!(
        config.notes.iter().any(|note| note == "database.postgres.url comes from DATABASE_URL")
    );
    assert!(!render(&config).contains("geheim"), "{}", render(&config));
    let wrong = load(&file, &Environment::of([("HOME", "/srv/dana")])).unwrap_err();
    let words = words(&wrong);
    assert!(words.contains("url is missing, and DATABASE_URL is not set"), "{words}");
    assert!(words.contains("url is missing, and REDIS_URL is not set"), "{words}");
}

/// P-41: the documents' places by one word.
#[test]
fn the_log_files_of_the_documents_by_one_word() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backout.yaml");
    let text = "environment: x\nlog_files: documents\nhealth_checks: [{check_id: a, check_type: tcp, \
                endpoint_url: 'tcp://127.0.0.1:9', interval: 10s, timeout: 5s}]\n";
    fs::write(&file, text).unwrap();
    let files = load(&file, &environment()).unwrap().log_files;
    let named = [
        (files.health_monitor, "/var/log/pratiko-rollback/health_monitor.log"),
        (files.rollback_execution, "/var/log/pratiko-rollback/rollback_execution.log"),
        (files.system, "/var/log/pratiko-rollback/system.log"),
        (files.integration, "/var/log/pratiko-integration.log"),
        (files.preserved, "/var/log/pratiko-rollback-logs"),
    ];
    for (path, expected) in named {
        assert_eq!(path.as_deref(), Some(Path::new(expected)));
    }
}

/// Every configuration there is: what is shipped, what loads and what is refused.
fn all() -> Vec<PathBuf> {
    let shipped = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("config")).unwrap();
    let shipped = shipped.map(|entry| entry.unwrap().path());
    let shipped = shipped.filter(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    let mut all: Vec<_> = shipped.chain(files("valid")).chain(files("invalid")).collect();
    all.sort();
    all
}

/// `assets/backout.schema.json` is what the reader asks; it is written anew by
/// `BACKOUT_WRITE_SCHEMA=1`.
#[test]
fn the_schema_is_what_the_reader_asks_and_finds_the_same_mistakes() {
    let read = schema(&all(), &environment());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/backout.schema.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&read).unwrap());
    if std::env::var_os("BACKOUT_WRITE_SCHEMA").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "{} is old: run with BACKOUT_WRITE_SCHEMA=1", path.display());

    let schema = jsonschema::validator_for(&read).unwrap();
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let shipped = ["backout", "spacetime", "pratiko", "medical-kg", "frontend"];
    let shipped = shipped.map(|name| config.join(format!("{name}.yaml")));
    for path in files("valid").into_iter().chain(shipped) {
        let file = backout::yaml::one(&fs::read_to_string(&path).unwrap()).unwrap();
        let wrong: Vec<_> = schema.iter_errors(&file).map(|wrong| wrong.to_string()).collect();
        assert_eq!(wrong, Vec::<String>::new(), "{}", path.display());
    }
    for (mistake, good) in [
        ("rollback: {gate_probs: 3}", "rollback: {gate_probes: 3}"),
        ("rollback: {gate_probes: 300}", "rollback: {gate_probes: 30}"),
        ("rollback: {drain: 30}", "rollback: {drain: 30s}"),
        ("colors: {blue: {ulr: http://b}}", "colors: {blue: {url: http://b}}"),
        ("production: yes", "production: true"),
        ("health_checks: {a: 1}", "health_checks: [{check_id: a, check_type: tcp}]"),
        ("health_checks: [{check_id: a, check_type: tpc}]", "[{check_id: a, check_type: tcp}]"),
    ] {
        assert!(!schema.is_valid(&backout::yaml::one(mistake).unwrap()), "{mistake}");
        assert!(schema.is_valid(&backout::yaml::one(good).unwrap()), "{good}");
    }
}
