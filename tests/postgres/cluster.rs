//! A server of its own, in a folder of its own, shared by the tests that run at one time.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use backout::adapters::postgres::tools::HostTools;
use backout::adapters::postgres::{PostgresDatabase, PostgresPlace};
use backout::clock::Clock;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions};

use crate::tools::{free_port, required};

/// What every role but the superuser has as its password.
pub(crate) const PASSWORD: &str = "geheim/wort";

static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
static STARTING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
static NEXT: AtomicU32 = AtomicU32::new(1);

/// A running server; it is ended when the last test that uses it ends.
pub(crate) struct Cluster {
    child: Mutex<Child>,
    pub(crate) port: u16,
    pub(crate) bin: PathBuf,
    folder: tempfile::TempDir,
    /// What it is told beside the usual.
    settings: Vec<String>,
}

/// One database of it with a user of its own, who is no superuser.
pub(crate) struct Bench {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) name: String,
    pub(crate) folder: tempfile::TempDir,
}

/// Where the programs of a server are. A missing one is said, and is a failure where
/// `BACKOUT_TEST_REQUIRE` names `postgres`.
#[expect(clippy::print_stdout, reason = "a test that did not run has to say so")]
pub(super) fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok();
    let mut found: Vec<PathBuf> =
        versions.into_iter().flatten().flatten().map(|entry| entry.path().join("bin")).collect();
    found.push("/usr/local/bin".into());
    found.push("/usr/bin".into());
    found.retain(|folder| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file()));
    found.sort();
    if found.is_empty() {
        assert!(!required("postgres"), "postgres is required, and there is no initdb");
        println!("SKIPPED: no postgres (there is no initdb in /usr/lib/postgresql)");
    }
    found.into_iter().next()
}

/// The user and group `postgres`, where we are root: a server does not run as root.
pub(super) fn user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("postgres:")).unwrap();
    let mut fields = line.split(':').skip(2).map(|field| field.parse().unwrap());
    Some((fields.next().unwrap(), fields.next().unwrap()))
}

pub(super) fn command(program: &Path) -> Command {
    let mut command = match user() {
        Some((user, group)) => {
            let mut command = Command::new("/usr/bin/setpriv");
            command.args([format!("--reuid={user}"), format!("--regid={group}")]);
            command.arg("--clear-groups").arg(program);
            command
        }
        None => Command::new(program),
    };
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

impl Cluster {
    async fn start(bin: PathBuf, settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        for path in [folder.path(), &data] {
            if let Some((user, group)) = user() {
                chown(path, Some(user), Some(group)).unwrap();
            }
        }
        let made = command(&bin.join("initdb"))
            .args(["--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "-D"])
            .args([data.as_os_str()])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let rules = "local all,replication all trust\nhost all postgres 127.0.0.1/32 trust\n\
                     host all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(data.join("pg_hba.conf"), rules).unwrap();
        let port = free_port();
        let settings: Vec<String> = settings.iter().map(|one| (*one).to_owned()).collect();
        let child = Mutex::new(Self::spawn(&bin, folder.path(), port, &settings));
        let cluster = Self { child, port, bin, folder, settings };
        cluster.answers().await;
        cluster
    }

    /// A server that follows this one.
    pub(crate) async fn standby(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        if let Some((user, group)) = user() {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let copied = command(&self.bin.join("pg_basebackup"))
            .args(["--no-sync", "-c", "fast", "-R", "-U", "postgres", "-p", &self.port.to_string()])
            .args(["-h".as_ref(), self.socket().as_os_str()])
            .args(["-D".as_ref(), folder.path().join("data").as_os_str()])
            .output()
            .unwrap();
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        let port = free_port();
        let child = Mutex::new(Self::spawn(&self.bin, folder.path(), port, &self.settings));
        let settings = self.settings.clone();
        let cluster = Self { child, port, bin: self.bin.clone(), folder, settings };
        cluster.answers().await;
        cluster
    }

    fn spawn(bin: &Path, folder: &Path, port: u16, settings: &[String]) -> Child {
        let log = std::fs::File::options().create(true).append(true).open(folder.join("log"));
        let log = log.unwrap();
        command(&bin.join("postgres"))
            .arg("-D")
            .arg(folder.join("data"))
            .args(["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "shared_buffers=16MB"])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", &format!("port={port}")])
            .args(["-c", &format!("unix_socket_directories={}", folder.display())])
            .args(["-c", "max_connections=60", "-c", "max_prepared_transactions=4"])
            .args(settings.iter().flat_map(|one| ["-c", one]))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// Waits until it answers.
    pub(crate) async fn answers(&self) {
        let until = Instant::now() + Duration::from_mins(3);
        let options = self.superuser("postgres");
        while options.connect().await.is_err() {
            assert!(Instant::now() < until, "{}", self.log());
            Clock::real().sleep(Duration::from_millis(100)).await;
        }
    }

    /// A server that no other test uses; nothing where there is none to be had.
    pub(crate) async fn own() -> Option<Arc<Self>> {
        Self::own_with(&[]).await
    }

    /// The same with these settings (`fsync=on`).
    pub(crate) async fn own_with(settings: &[&str]) -> Option<Arc<Self>> {
        Some(Arc::new(Self::start(programs()?, settings).await))
    }

    fn signal(child: &Child, signal: rustix::process::Signal) {
        let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            rustix::process::kill_process(pid, signal).ok();
        }
    }

    /// Ends the server, at once as after a crash or in order, and every session with it.
    pub(crate) fn stop(&self, crash: bool) {
        use rustix::process::Signal;
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        Self::end(&mut child, if crash { Signal::QUIT } else { Signal::INT });
    }

    /// Waits until it is gone. A server that has just been started may miss its first signal, so it
    /// gets more of them, and at last one that nobody misses.
    fn end(child: &mut Child, signal: rustix::process::Signal) {
        for _ in 0..15 {
            Self::signal(child, signal);
            for _ in 0..200 {
                if child.try_wait().unwrap().is_some() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        child.kill().ok();
        child.wait().unwrap();
    }

    /// Starts it again.
    pub(crate) fn go_on(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        *child = Self::spawn(&self.bin, self.folder.path(), self.port, &self.settings);
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn superuser(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(self.folder.path())
            .port(self.port)
            .username("postgres")
            .database(database)
    }

    /// The folder of its socket.
    pub(crate) fn socket(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        // At once, with all its sessions.
        Self::end(&mut child, rustix::process::Signal::QUIT);
    }
}

impl Bench {
    /// A fresh database; nothing where there is no server to be had.
    pub(crate) async fn new() -> Option<Self> {
        let bin = programs()?;
        // One test at a time looks whether there is one: the others would start more.
        let starting = STARTING.lock().await;
        let shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        let cluster = if let Some(cluster) = shared {
            cluster
        } else {
            let cluster = Arc::new(Cluster::start(bin, &[]).await);
            *SHARED.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&cluster);
            cluster
        };
        drop(starting);
        Some(Self::on(cluster).await)
    }

    /// A server that others write, with no database of its own.
    pub(crate) fn of(cluster: Cluster) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { cluster: Arc::new(cluster), name: "postgres".to_owned(), folder }
    }

    /// A fresh database of this server.
    pub(crate) async fn on(cluster: Arc<Cluster>) -> Self {
        let name = format!("app{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let bench = Self { cluster, name, folder: tempfile::tempdir().unwrap() };
        let user = format!("user_{}", bench.name);
        bench
            .root("postgres", &format!("CREATE ROLE {user} LOGIN CREATEDB PASSWORD '{PASSWORD}'"))
            .await;
        bench.root("postgres", &format!("CREATE DATABASE {} OWNER {user}", bench.name)).await;
        bench
    }

    pub(crate) fn place(&self) -> PostgresPlace {
        let (name, port) = (&self.name, self.cluster.port);
        let url = format!("postgres://user_{name}:geheim%2Fwort@127.0.0.1:{port}/{name}");
        PostgresPlace::parse(&url).unwrap()
    }

    pub(crate) fn database(&self) -> PostgresDatabase {
        let clock = Clock::real();
        let tools = HostTools::in_folder(self.place(), &self.cluster.bin, clock.clone());
        PostgresDatabase::new(self.place(), Arc::new(tools), clock)
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A session of the application's user in the database `name`.
    pub(crate) async fn open(&self, name: &str) -> PgConnection {
        let options: PgConnectOptions = self.place().at(name).url().reveal().parse().unwrap();
        options.application_name("web").connect().await.unwrap()
    }

    /// Runs statements as the application's user.
    pub(crate) async fn run(&self, name: &str, statements: &str) {
        let mut connection = self.open(name).await;
        let statements = AssertSqlSafe(statements.to_owned());
        sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
    }

    /// Runs statements as the superuser.
    pub(crate) async fn root(&self, name: &str, statements: &str) {
        let mut connection = self.cluster.superuser(name).connect().await.unwrap();
        let statements = AssertSqlSafe(statements.to_owned());
        sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
    }

    /// The one value that a query gives, as text.
    pub(crate) async fn ask(&self, name: &str, query: &str) -> String {
        let mut connection = self.cluster.superuser(name).connect().await.unwrap();
        let row: PgRow = sqlx::raw_sql(AssertSqlSafe(query.to_owned()))
            .fetch_one(&mut connection)
            .await
            .unwrap();
        let value = sqlx::Row::try_get_raw(&row, 0).unwrap();
        if sqlx::ValueRef::is_null(&value) {
            "NULL".to_owned()
        } else {
            value.as_str().unwrap().to_owned()
        }
    }

    /// The databases of this test, in order of their names.
    pub(crate) async fn databases(&self) -> String {
        let query = format!(
            "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database \
             WHERE datname ~ '^{}(_|$)'",
            self.name
        );
        self.ask("postgres", &query).await
    }
}
