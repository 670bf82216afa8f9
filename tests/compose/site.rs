//! A stack with its configuration and a state folder: the program is run on it as its user would.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::stack::Stack;

/// The configuration of a stack, and a state folder of its own.
pub(super) struct Site<'a> {
    pub(super) stack: &'a Stack,
    pub(super) dir: tempfile::TempDir,
}

/// What the program said.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: i32,
    pub(super) text: String,
}

impl<'a> Site<'a> {
    /// The stack as before the bad release, with a restore point.
    pub(super) fn fresh(stack: &'a Stack) -> Self {
        stack.script("stack-up", &["--fresh"]);
        stack.script("make-backup", &["--base"]);
        Self::of(stack)
    }

    /// The stack as it is.
    pub(super) fn of(stack: &'a Stack) -> Self {
        let site = Self { stack, dir: tempfile::tempdir().unwrap() };
        std::fs::write(site.config(), site.text()).unwrap();
        site
    }

    /// The stack as it is with the shipped `config/spacetime.yaml`: only places and lengths of time are
    /// replaced.
    pub(super) fn shipped(stack: &'a Stack) -> Self {
        let site = Self { stack, dir: tempfile::tempdir().unwrap() };
        let (home, port) = (stack.dir.display().to_string(), stack.port);
        let at = |offset: u16| format!("127.0.0.1:{}", port + offset);
        let own = site.dir.path().display();
        let url = stack.url("/api/users");
        let smoke = format!("smoke_command: [sh, -c, \"curl -sf -o /dev/null {url}\"]");
        let mut text = include_str!("../../config/spacetime.yaml").to_owned();
        for (from, to) in [
            ("/opt/spacetime/state", "state".to_owned()),
            ("/opt/spacetime/rollback_history.log", format!("{own}/rollback_history.log")),
            ("/opt/spacetime/backups", format!("{home}/../backups")),
            ("smoke_command: [/opt/spacetime/production/deploy/smoke_tests.sh]", smoke),
            ("/opt/spacetime/production", home.clone()),
            ("path: /opt/spacetime\n", "path: /\n".to_owned()),
            ("project: spacetime", format!("project: {}", stack.project)),
            ("spacetime_godot-data", format!("{}_godot-data", stack.project)),
            ("127.0.0.1:8080", at(1)),
            ("127.0.0.1:8081", at(2)),
            ("127.0.0.1:80", at(0)),
            ("127.0.0.1:5432", at(3)),
            ("127.0.0.1:6379", at(4)),
            ("${POSTGRES_PASSWORD}", "lab-only-password".to_owned()),
            ("/var/lock/", format!("{own}/")),
            ("drain: 30s", "drain: 5s".to_owned()),
            ("keep_failed_up: 2m", "keep_failed_up: 2s".to_owned()),
            ("gate_every: 5s", "gate_every: 1s".to_owned()),
            ("health_every: 5s", "health_every: 1s".to_owned()),
            ("watch_window: 15m", "watch_window: 10s".to_owned()),
            ("good_response: 500ms", "good_response: 20s".to_owned()),
            ("threshold_critical: 95", "threshold_critical: 100".to_owned()),
        ] {
            assert!(text.contains(from), "no {from:?} in config/spacetime.yaml");
            text = text.replace(from, &to);
        }
        std::fs::write(site.config(), text).unwrap();
        site
    }

    pub(super) fn config(&self) -> PathBuf {
        self.dir.path().join("backout.yaml")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Changes the configuration.
    pub(super) fn change(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        assert!(text.contains(from), "no {from:?} in {text}");
        std::fs::write(self.config(), text.replace(from, to)).unwrap();
    }

    fn text(&self) -> String {
        let (home, port) = (self.stack.dir.display(), self.stack.port);
        let at = |offset: u16| format!("http://127.0.0.1:{}", port + offset);
        let marker = self.stack.volume("godot-data").join("corruption_detected");
        let engine = self.stack.place.socket.as_ref();
        let folder = engine.map(|_| format!(", folder: {}", marker.parent().unwrap().display()));
        let engine = engine.map(|socket| format!(", engine: \"unix://{}\"", socket.display()));
        format!(
            r#"environment: lab
state_dir: state
restore_points: {home}/../backups
backup:
  files: [{home}/docker-compose.yml, {home}/.env, {home}/nginx/conf.d/default.conf]
  data: {{volume: {project}_godot-data{folder}}}
platform: {{compose: {{project: {project}, dir: {home}, tag_variable: IMAGE_TAG{engine}}}}}
colors:
  blue: {{url: "{blue}", service: app-blue}}
  green: {{url: "{green}", service: app-green}}
traffic:
  nginx:
    service: nginx
    include: {home}/nginx/upstreams/active.conf
    upstreams: {{blue: {home}/nginx/upstreams/blue.upstream, green: {home}/nginx/upstreams/green.upstream}}
    active_variable: ACTIVE
    public_url: "{public}"
database:
  postgres:
    url: "postgresql://spacetime:lab-only-password@127.0.0.1:{postgres}/spacetime_db"
    service: postgres
    migrations: {home}/migrations
corruption_marker: {marker}
smoke_command: [sh, -c, "curl -sf -o /dev/null {public}/api/users"]
help_test: {{paths: [/api/users], requests: 10}}
rollback: {{keep_failed_up: 2s, drain: 5s, gate_probes: 3, gate_every: 500ms, watch_window: 5s, watch_every: 1s, health_wait: 90s, health_every: 1s, good_response: 20s}}
health_checks:
  - {{check_id: api, service: app, check_type: http_response, endpoint_url: "{public}/api/users", expected_status: 200, samples_per_run: 5, interval: 2s, timeout: 20s}}
  - {{check_id: status, service: app, check_type: http_response, endpoint_url: "{public}/status", expect: ["json .overall_ready == true"], interval: 2s, timeout: 20s}}
  - {{check_id: users, service: database, check_type: database_connection, endpoint_url: "postgresql://spacetime:lab-only-password@127.0.0.1:{postgres}/spacetime_db", query: "SELECT count(*) FROM users", interval: 3s, timeout: 20s}}
  - {{check_id: marker, service: database, check_type: file, path: {marker}, expect: ["absent"], interval: 3s, timeout: 2s}}
"#,
            project = self.stack.project,
            engine = engine.unwrap_or_default(),
            folder = folder.unwrap_or_default(),
            blue = at(1),
            green = at(2),
            public = at(0),
            postgres = port + 3,
            marker = marker.display(),
        )
    }

    /// The program in a closed environment.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let runtime = self.dir.path().join("runtime");
        std::fs::create_dir_all(&runtime).unwrap();
        let mut command = self.stack.place.command("/usr/bin/env");
        command.arg("-i");
        for (name, value) in [
            ("PATH", "/usr/local/bin:/usr/bin:/bin".as_ref()),
            ("HOME", self.dir.path()),
            ("USER", "tester".as_ref()),
            ("LANG", "C.UTF-8".as_ref()),
            ("TERM", "xterm-256color".as_ref()),
            ("XDG_RUNTIME_DIR", runtime.as_path()),
            ("BACKOUT_CONFIG", self.config().as_path()),
        ] {
            command.arg(format!("{name}={}", value.display()));
        }
        command.arg(env!("CARGO_BIN_EXE_backout")).args(arguments).current_dir(self.dir.path());
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Said {
        let said = self.command(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&said.stdout) + String::from_utf8_lossy(&said.stderr);
        Said { code: said.status.code().unwrap_or(-1), text: text.into_owned() }
    }

    /// The same, beside whatever else is done; its words go to a file.
    pub(super) fn start(&self, arguments: &[&str]) -> Started {
        let words = self.dir.path().join("said");
        let file = std::fs::File::create(&words).unwrap();
        let mut command = self.command(arguments);
        command.stdout(file.try_clone().unwrap()).stderr(Stdio::from(file));
        Started { child: command.spawn().unwrap(), words }
    }

    /// Everything that the journal knows; nothing while there is no journal.
    pub(super) fn situation(&self) -> Option<backout::model::situation::Situation> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut reader = backout::journal::Reader::open(&self.state()).await.ok()?;
            reader.situation().await.ok()
        })
    }

    pub(super) fn ask(&self, query: &str) -> String {
        self.stack.sql(query)
    }

    pub(super) fn databases(&self) -> String {
        self.ask("SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database")
    }

    pub(super) fn state_of(&self, service: &str) -> String {
        let id = self.stack.container(service);
        self.stack.docker(&["inspect", "-f", "{{.State.Status}}", &id])
    }

    /// Colour, version and schema, as users reach them.
    pub(super) fn serves(&self) -> String {
        let reply = self.stack.place.said("curl", &["-s", "-m", "20", &self.stack.url("/status")]);
        let reply: serde_json::Value = serde_json::from_str(&reply).unwrap();
        let text = |name: &str| reply[name].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}", text("environment"), text("version"), reply["schema_version"])
    }
}

/// The program at work.
pub(super) struct Started {
    pub(super) child: Child,
    words: PathBuf,
}

impl Started {
    /// What it said in the end.
    pub(super) fn ended(mut self) -> Said {
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        Said { code, text: std::fs::read_to_string(&self.words).unwrap_or_default() }
    }
}
