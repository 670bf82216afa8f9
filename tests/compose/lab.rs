//! Stacks of the laboratory, each on a project and ports of its own: a test borrows one that is free,
//! and only where none is free another one is started. All are removed when the run ends.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backout::adapters::compose::{Compose, ComposeSettings};
use backout::adapters::docker::DockerHost;
use backout::adapters::nginx::{ColorFile, Nginx, NginxPlace, NginxSettings};
use backout::adapters::process::Program;
use backout::clock::Clock;
use backout::model::ids::Color;

use super::stack::Stack;

/// A running stack.
pub(crate) struct Lab {
    pub(crate) stack: Stack,
    runs: tempfile::TempDir,
}

impl Deref for Lab {
    type Target = Stack;

    fn deref(&self) -> &Stack {
        &self.stack
    }
}

/// How many live at once: the looks of its engine at its containers take a third of a core each.
const STACKS: usize = 2;
/// How long one that nobody uses is kept: in a run of all tests the next one comes at once.
const IDLE: Duration = Duration::from_secs(20);

/// The stacks that no test uses now, each with the number of its giving back.
struct Pool {
    free: Vec<(usize, Lab)>,
    living: usize,
    count: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { free: Vec::new(), living: 0, count: 0 });
static GIVEN_BACK: Condvar = Condvar::new();

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A stack that no other test uses until this is dropped.
pub(crate) struct Borrowed(Option<Lab>);

impl Deref for Borrowed {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        self.0.as_ref().unwrap()
    }
}

impl Drop for Borrowed {
    /// What a test left that failed is nobody's: it is removed.
    fn drop(&mut self) {
        let Some(lab) = self.0.take() else { return };
        if std::thread::panicking() {
            drop(lab);
            pool().living -= 1;
        } else {
            let mut pool = pool();
            pool.count += 1;
            let number = pool.count;
            pool.free.push((number, lab));
            std::thread::spawn(move || remove_idle(number));
        }
        GIVEN_BACK.notify_one();
    }
}

/// Removes the stack with this number where nobody took it in a while.
fn remove_idle(number: usize) {
    std::thread::park_timeout(IDLE);
    let mut all = pool();
    let idle = all.free.iter().position(|(one, _)| *one == number);
    let idle = idle.map(|at| all.free.remove(at));
    all.living -= usize::from(idle.is_some());
    drop(all);
    GIVEN_BACK.notify_one();
}

/// A stack to work on; nothing, and said, where there is no engine.
pub(crate) fn lab() -> Option<Borrowed> {
    let full = |pool: &mut Pool| pool.free.is_empty() && pool.living >= STACKS;
    let mut all = GIVEN_BACK.wait_while(pool(), full).unwrap_or_else(PoisonError::into_inner);
    if let Some((_, lab)) = all.free.pop() {
        return Some(Borrowed(Some(lab)));
    }
    all.living += 1;
    all.count += 1;
    let name = format!("backout{}x", all.count);
    drop(all);
    let started = std::panic::catch_unwind(|| Stack::start(&name));
    let stack = if let Ok(Some(stack)) = started {
        stack
    } else {
        pool().living -= 1;
        GIVEN_BACK.notify_one();
        started.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?
    };
    Some(Borrowed(Some(Lab { stack, runs: tempfile::tempdir().unwrap() })))
}

impl Lab {
    pub(crate) fn docker() -> DockerHost {
        DockerHost::connect(None, Clock::real()).unwrap()
    }

    pub(crate) fn settings(&self) -> ComposeSettings {
        let service = |color: &str| (Color::from(color), format!("app-{color}"));
        ComposeSettings {
            project: self.project.clone(),
            dir: self.dir.clone(),
            files: vec!["docker-compose.yml".into()],
            env_file: ".env".into(),
            tag_variable: Some("IMAGE_TAG".to_owned()),
            services: ["blue", "green"].map(service).into(),
            workers: [].into(),
            points: Some("backups".into()),
            database: Some("postgres".to_owned()),
        }
    }

    pub(crate) fn compose(&self) -> Compose {
        self.compose_of(self.settings())
    }

    pub(crate) fn compose_of(&self, settings: ComposeSettings) -> Compose {
        let program = Program::at(env!("CARGO_BIN_EXE_backout"));
        Compose::new(Self::docker(), settings, program, self.runs.path(), Clock::real())
    }

    pub(crate) fn runs(&self) -> &Path {
        self.runs.path()
    }

    pub(crate) fn upstreams(&self) -> PathBuf {
        self.dir.join("nginx/upstreams")
    }

    pub(crate) fn nginx_settings(&self) -> NginxSettings {
        let file = |color: &str| {
            let path = self.upstreams().join(format!("{color}.upstream"));
            (Color::from(color), ColorFile::File(path))
        };
        NginxSettings {
            place: NginxPlace::Service {
                docker: Self::docker(),
                project: self.project.clone(),
                service: "nginx".to_owned(),
            },
            include: self.upstreams().join("active.conf"),
            colors: ["blue", "green"].map(file).into(),
            public_url: self.url("/health"),
            active: Some((self.dir.join(".env"), "ACTIVE".to_owned())),
            hold_include: None,
            page: None,
            writers_include: None,
        }
    }

    pub(crate) fn nginx(&self) -> Nginx {
        Nginx::new(self.nginx_settings(), Clock::real())
    }

    /// What an engine's client says to these arguments.
    pub(crate) fn client(arguments: &[&str]) -> String {
        Self::program("docker", arguments)
    }

    /// What another program says to these.
    pub(crate) fn program(program: &str, arguments: &[&str]) -> String {
        let said = Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap();
        assert!(said.status.success(), "{program} {arguments:?}: {said:?}");
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    }
}

impl Lab {
    /// Waits until the load balancer has an application that is well.
    pub(crate) async fn wait_ready(&self) {
        let clock = Clock::real();
        for _ in 0..600 {
            let limit = Duration::from_secs(3);
            let said = backout::adapters::control::get(&self.url("/health"), limit, &clock).await;
            if said.is_ok_and(|reply| reply.is_success()) {
                return;
            }
            clock.sleep(Duration::from_millis(100)).await;
        }
        panic!("the stack is not ready");
    }
}
