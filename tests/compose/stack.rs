//! The laboratory's stack on an engine: started with a project and ports of its own, and removed
//! with all that a rollback keeps beside it when whoever started it ends.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::tools::{free_ports, required};

/// An engine, and where its laboratory lies: this machine's own, or a private one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// The private engine's socket; none for the machine's own.
    pub(crate) socket: Option<PathBuf>,
    /// What is put before every command: how it comes into the private engine's network.
    pub(crate) within: Vec<String>,
    /// Where the laboratory keeps its stacks; none for the usual place.
    pub(crate) cache: Option<PathBuf>,
}

/// Says why a test is left out; a failure where docker is required.
#[expect(clippy::print_stdout, reason = "a test that did not run has to say so")]
pub(crate) fn skip<T>(why: &str) -> Option<T> {
    assert!(!required("docker"), "docker is required, and {why}");
    println!("SKIPPED: no docker ({why})");
    None
}

/// The laboratory's scripts.
pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/lab/docker/stack")
}

/// Whether there is a laboratory, and an engine to run it on.
pub(crate) fn can_run() -> Option<()> {
    if !scripts().join("stack-up").is_file() {
        return skip("there is no lab beside this folder");
    }
    let alive = Command::new("docker").arg("info").output();
    if !alive.is_ok_and(|said| said.status.success()) {
        return skip("no daemon answers");
    }
    Some(())
}

impl Place {
    /// A command that speaks to this engine, in its network.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let program = program.as_ref();
        let mut command = match self.within.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
            None => Command::new(program),
        };
        if let Some(socket) = &self.socket {
            command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
        }
        if let Some(cache) = &self.cache {
            command.env("LAB_CACHE", cache);
        }
        command.stdin(Stdio::null());
        command
    }

    /// What a program says; it has to end well.
    pub(crate) fn said(&self, program: &str, arguments: &[&str]) -> String {
        let said = self.command(program).args(arguments).output().unwrap();
        assert!(said.status.success(), "{program} {arguments:?}: {said:?}");
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    }

    /// What the engine's client says; it has to end well.
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        self.said("docker", arguments)
    }

    fn cache(&self) -> PathBuf {
        if let Some(cache) = &self.cache {
            return cache.clone();
        }
        std::env::var_os("LAB_CACHE").map_or_else(
            || {
                let home = PathBuf::from(std::env::var("HOME").unwrap());
                let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
                cache.unwrap_or_else(|| home.join(".cache")).join("backout-lab")
            },
            PathBuf::from,
        )
    }
}

/// A running stack.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) place: Place,
    pub(crate) project: String,
    pub(crate) port: u16,
    /// The deployed stack's folder.
    pub(crate) dir: PathBuf,
    purge: Option<Child>,
}

impl Stack {
    /// The stack as project `NAME` and this process's number, on six free ports; nothing, and
    /// said, where there is no engine.
    pub(crate) fn start(name: &str) -> Option<Self> {
        can_run()?;
        Some(Self::on(Place::default(), name, free_ports(6)))
    }

    /// The same on an engine that is there.
    pub(crate) fn on(place: Place, name: &str, port: u16) -> Self {
        Self::with(place, name, port, |_| ())
    }

    /// The same, with something done before it is started: it is given the project's name.
    pub(crate) fn with(place: Place, name: &str, port: u16, before: impl FnOnce(&str)) -> Self {
        let project = format!("{name}{}", std::process::id());
        before(&project);
        let dir = place.cache().join("stacks").join(&project).join("production");
        let mut stack = Self { place, project, port, dir, purge: None };
        if stack.place.socket.is_none() {
            stack.purge = Some(stack.purge());
        }
        stack.script("stack-up", &["--fresh"]);
        stack
    }

    /// Removes the stack when its input ends, which is when this process does, however it does.
    fn purge(&self) -> Child {
        // What a rollback or a recovery keeps beside the project is nobody's here.
        let line = "cat >/dev/null; docker ps -aq -f name=^/$LAB_PROJECT.postgres. | xargs -r docker rm -f; \
                    \"$0\" --purge; docker volume ls -q -f name=^${LAB_PROJECT}_ | xargs -r docker volume rm; \
                    docker images -q \"$LAB_PROJECT-*\" | sort -u | xargs -r docker rmi -f";
        let mut purge = self.place.command("sh");
        purge.args(["-c", line]).arg(scripts().join("stack-down"));
        purge.env("LAB_PROJECT", &self.project).env("LAB_PORT", self.port.to_string());
        purge.env_remove("LAB_COMPOSE");
        purge.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        purge.spawn().unwrap()
    }

    /// Runs a script of the laboratory on this stack. The one that brings it up waits for two
    /// minutes: on a machine that does much else it is waited for more than once.
    pub(crate) fn script(&self, name: &str, arguments: &[&str]) -> String {
        let run = |arguments: &[&str]| {
            let mut command = self.place.command(scripts().join(name));
            command.env("LAB_PROJECT", &self.project).env("LAB_PORT", self.port.to_string());
            command.env_remove("LAB_COMPOSE").args(arguments).output().unwrap()
        };
        let mut said = run(arguments);
        for _ in 0..4 {
            if name == "stack-up" && !said.status.success() {
                said = run(&[]);
            }
        }
        assert!(said.status.success(), "{name} {arguments:?}: {said:?}");
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    }

    /// What the engine's client says.
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        self.place.docker(arguments)
    }

    /// The container of a service, running or not.
    pub(crate) fn container(&self, service: &str) -> String {
        let project = format!("label=com.docker.compose.project={}", self.project);
        let service = format!("label=com.docker.compose.service={service}");
        self.docker(&["ps", "-aq", "--filter", &project, "--filter", &service])
    }

    /// What the database says to a query.
    pub(crate) fn sql(&self, query: &str) -> String {
        let id = self.container("postgres");
        let login = ["-U", "spacetime", "-d", "spacetime_db"];
        let mut all = vec!["exec", &id, "psql", "-X", "-qAt", "-v", "ON_ERROR_STOP=1"];
        all.extend(login);
        all.extend(["-c", query]);
        self.docker(&all)
    }

    /// The file that a volume's files are in.
    pub(crate) fn volume(&self, name: &str) -> PathBuf {
        let name = format!("{}_{name}", self.project);
        self.docker(&["volume", "inspect", "-f", "{{.Mountpoint}}", &name]).into()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What a variable of the project is.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.dir.join(".env")).unwrap();
        let found = text.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        found.map(str::to_owned)
    }
}

impl Drop for Stack {
    /// Whoever ends before the process does waits until nothing of it is left.
    fn drop(&mut self) {
        if let Some(mut purge) = self.purge.take() {
            drop(purge.stdin.take());
            purge.wait().ok();
        }
    }
}
