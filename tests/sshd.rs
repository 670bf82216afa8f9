//! A real `sshd` of our own.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use portable_pty::CommandBuilder;

use super::tools::free_port;

/// An sshd of our own, for this user and one key.
pub(crate) struct Sshd {
    child: std::process::Child,
    folder: tempfile::TempDir,
    pub(crate) port: u16,
}

impl Sshd {
    /// Starts one; nothing where it is not installed.
    pub(crate) fn start() -> Option<Self> {
        let sshd = Path::new("/usr/sbin/sshd");
        if !sshd.exists() || !Path::new("/usr/bin/ssh").exists() {
            return None;
        }
        // sshd wants its empty folder where it runs as root; making it again does no harm.
        std::fs::create_dir_all("/run/sshd").ok();
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["host", "key"] {
            let made = std::process::Command::new("/usr/bin/ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(path(name))
                .status();
            assert!(made.unwrap().success());
        }
        std::fs::copy(path("key.pub"), path("authorized")).unwrap();
        let port = free_port();
        let text = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\n\
             PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             PermitRootLogin prohibit-password\nPrintMotd no\n",
            path("host").display(),
            path("authorized").display()
        );
        std::fs::write(path("config"), text).unwrap();
        let log = std::fs::File::create(path("log")).unwrap();
        let child = std::process::Command::new(sshd)
            .args(["-D", "-e", "-f"])
            .arg(path("config"))
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let sshd = Self { child, folder, port };
        let until = Instant::now() + Duration::from_mins(1);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "sshd does not listen: {}", sshd.log());
            std::thread::park_timeout(Duration::from_millis(50));
        }
        Some(sshd)
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// `ssh` to it through `port`, for `command` on a terminal.
    pub(crate) fn client(&self, port: u16, command: &str) -> CommandBuilder {
        let mut ssh = CommandBuilder::new("/usr/bin/ssh");
        ssh.arg("-tt");
        ssh.args(self.options());
        ssh.args(["-p", &port.to_string()]);
        ssh.arg(format!("{}@127.0.0.1", user()));
        ssh.arg(command);
        ssh.env("TERM", "xterm-256color");
        ssh
    }

    /// What a client is told, whatever this user's own configuration says.
    fn options(&self) -> Vec<String> {
        let told = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"];
        let told = told.iter().flat_map(|option| ["-o", option]).map(str::to_owned);
        let key = self.folder.path().join("key").display().to_string();
        ["-F".into(), "/dev/null".into(), "-i".into(), key].into_iter().chain(told).collect()
    }

    /// A folder for `PATH` in which `ssh` is told the same.
    pub(crate) fn client_folder(&self) -> PathBuf {
        let folder = self.folder.path().join("bin");
        std::fs::create_dir_all(&folder).unwrap();
        let line = format!("#!/bin/sh\nexec /usr/bin/ssh {} \"$@\"\n", self.options().join(" "));
        std::fs::write(folder.join("ssh"), line).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.join("ssh"), mode).unwrap();
        folder
    }
}

/// This user's name.
pub(crate) fn user() -> String {
    let user = rustix::process::getuid().as_raw();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, uid) = (fields.next()?, fields.next()?, fields.next()?);
        (uid.parse() == Ok(user)).then(|| name.to_owned())
    });
    name.unwrap()
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
