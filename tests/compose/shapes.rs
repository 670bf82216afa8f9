//! Compose projects of well-known public shapes, as other people write them: from nothing typed to a
//! plan, or a reason with a name, with no line edited (must-show 6 of the levels).

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::guarantees::tell;
use crate::support::promised;
use crate::tools::free_port;

use super::stack::can_run;

/// A site with its database, as a blog's page of its image shows it.
const BLOG: &str = "services:
  db:
    image: postgres:15
    restart: always
    environment:
      POSTGRES_USER: wordpress
      POSTGRES_PASSWORD: wordpress
      POSTGRES_DB: wordpress
    volumes:
      - db_data:/var/lib/postgresql/data
  wordpress:
    depends_on:
      - db
    image: nginx:1.22
    ports:
      - \"PORT0:80\"
    restart: always
    environment:
      WORDPRESS_DB_HOST: db:5432
      WORDPRESS_DB_USER: wordpress
      WORDPRESS_DB_PASSWORD: wordpress
volumes:
  db_data:
";

/// Shared files: a database and a cache without published ports, a web server before it, and a
/// second container of the same image that works off its queue.
const CLOUD: &str = "services:
  db:
    image: postgres:15
    restart: always
    volumes:
      - db:/var/lib/postgresql/data:Z
    environment:
      - POSTGRES_DB=nextcloud
      - POSTGRES_USER=nextcloud
      - POSTGRES_PASSWORD=secret
  redis:
    image: redis:7
    restart: always
  app:
    image: python:3.11-slim
    restart: always
    command: python3 -m http.server 9000
    volumes:
      - nextcloud:/var/www/html:z
    environment:
      - POSTGRES_HOST=db
      - REDIS_HOST=redis
    depends_on:
      - db
      - redis
  web:
    image: nginx:1.22
    restart: always
    ports:
      - \"127.0.0.1:PORT0:80\"
    volumes:
      - nextcloud:/var/www/html:z,ro
    depends_on:
      - app
  cron:
    image: python:3.11-slim
    restart: always
    volumes:
      - nextcloud:/var/www/html:z
    entrypoint: sleep 900
volumes:
  db:
  nextcloud:
";

/// An application that is built where it lies, with its cache.
const BUILT: &str = "services:
  web:
    build: .
    ports:
      - \"127.0.0.1:PORT0:8000\"
  redis:
    image: \"redis:7\"
";

/// A project in a folder of its own, removed when dropped.
struct Project {
    name: String,
    dir: tempfile::TempDir,
}

impl Project {
    fn up(name: &str, text: &str) -> Self {
        let name = format!("shape{name}{}", std::process::id());
        let project = Self { name, dir: tempfile::tempdir().unwrap() };
        let text = text.replace("PORT0", &free_port().to_string());
        std::fs::create_dir(project.files()).unwrap();
        std::fs::write(project.files().join("docker-compose.yml"), text).unwrap();
        let image = "FROM python:3.11-slim\nCMD [\"python3\", \"-m\", \"http.server\", \"8000\"]\n";
        std::fs::write(project.files().join("Dockerfile"), image).unwrap();
        let said = project.compose(&["up", "-d"]);
        assert!(said.status.success(), "{said:?}");
        project
    }

    fn files(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    fn compose(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = Command::new("docker-compose");
        command.args(["-p", &self.name]).args(arguments).current_dir(self.files());
        command.env("DOCKER_BUILDKIT", "0").stdin(Stdio::null()).output().unwrap()
    }

    /// The program in an empty folder and a closed environment: exit code, and all that it said.
    fn backout(&self, arguments: &[&str]) -> (i32, String) {
        let home = self.dir.path();
        let said = Command::new(env!("CARGO_BIN_EXE_backout"))
            .args(arguments)
            .current_dir(home)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin")
            .env("HOME", home)
            .env("XDG_RUNTIME_DIR", home)
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&said.stdout) + String::from_utf8_lossy(&said.stderr);
        (said.status.code().unwrap_or(-1), text.into_owned())
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        self.compose(&["down", "--volumes", "--remove-orphans", "--rmi", "local", "-t", "1"]);
        std::fs::remove_dir_all(PathBuf::from("/var/lib/backout").join(&self.name)).ok();
    }
}

#[test]
fn projects_of_other_people_get_a_plan_or_a_reason_with_no_line_edited() {
    if can_run().is_none() {
        return;
    }
    for (name, text) in [("blog", BLOG), ("cloud", CLOUD), ("built", BUILT)] {
        let project = Project::up(name, text);
        let began = Instant::now();
        let (code, said) = project.backout(&["init", "--from-compose", &project.name]);
        assert_eq!(code, 0, "{name}: {said}");
        let page = std::fs::read_to_string(project.dir.path().join("backout.yaml")).unwrap();
        for secret in ["WORDPRESS_DB_PASSWORD: wordpress", ":wordpress@", ":secret@"] {
            assert!(!page.contains(secret), "{name}: {page}");
        }
        let (code, said) = project.backout(&["config", "check"]);
        assert_eq!(code, 0, "{name}: {said}\n{page}");
        let (code, said) = project.backout(&["plan", "--level", "1"]);
        let took = began.elapsed();
        let why = said.lines().find(|line| line.starts_with("backout: "));
        let why = why.unwrap_or_else(|| said.lines().next().unwrap_or_default());
        tell(&format!("{name}: exit {code} after {:.1} s: {why}", took.as_secs_f64()));
        let named = said.contains("could not plan level 1: ") && why.len() > 60;
        assert!(code == 0 || (code == 10 && named), "{name}: {code} {said}\n{page}");
        assert!(took < promised(Duration::from_mins(2)), "{name}: {took:?}");
        let (code, said) = project.backout(&["doctor"]);
        assert!(code <= 1 && said.contains("container engine:"), "{name}: {code} {said}");
    }
}
