//! Hosts on one machine: each has a network and a name of its own, and comes to what listens here on
//! 127.0.0.1 by another address.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::journal::Home;
use crate::support::Stack;
use crate::tools::{required, tool};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A host.
pub(super) struct Host {
    ip: PathBuf,
    pub(super) name: String,
    space: String,
    /// The address by which it comes to us.
    gate: String,
}

impl Host {
    /// Two hosts; nothing, and a word, where this machine lets nobody make them.
    #[expect(clippy::print_stdout, reason = "a test that did not run has to say so")]
    pub(super) fn two() -> Option<[Self; 2]> {
        let ip = tool("netns", "ip")?;
        let made = ["a", "b"].map(|letter| Self::make(&ip, letter));
        let [Ok(a), Ok(b)] = made else {
            let why = made.into_iter().filter_map(Result::err).collect::<String>();
            assert!(!required("netns"), "netns is required: {why}");
            println!("SKIPPED: no netns ({})", why.trim());
            return None;
        };
        Some([a, b])
    }

    fn make(ip: &Path, letter: &str) -> Result<Self, String> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed) % 128;
        // Two test processes at once have other numbers.
        let (high, low) = (128 + number, std::process::id() % 64 * 4);
        let name = format!("bastion-{letter}");
        let id = format!("{}-{number}", std::process::id() % 100_000);
        let host = Self {
            ip: ip.to_owned(),
            name,
            space: format!("bo{id}"),
            gate: format!("10.{high}.231.{}", low + 1),
        };
        let (space, outer, inner) = (&host.space, format!("o{id}"), format!("i{id}"));
        let theirs = format!("10.{high}.231.{}/30", low + 2);
        let ours = format!("{}/30", host.gate);
        for line in [
            format!("netns add {space}"),
            format!("link add {outer} type veth peer name {inner} netns {space}"),
            format!("addr add {ours} dev {outer}"),
            format!("link set {outer} up"),
            format!("-n {space} addr add {theirs} dev {inner}"),
            format!("-n {space} link set {inner} up"),
            format!("-n {space} link set lo up"),
        ] {
            let done = Command::new(ip).args(line.split(' ')).output().unwrap();
            if !done.status.success() {
                return Err(format!("ip {line}: {}", String::from_utf8_lossy(&done.stderr)));
            }
        }
        Ok(host)
    }

    /// The configuration of this host: the same stack, a state folder of its own, and the journal at
    /// `url`.
    pub(super) fn configure(&self, stack: &Stack, home: &Home, url: &str) -> PathBuf {
        let name = &self.name;
        let text = super::engines::shared(stack, home, name, url);
        let mut ports = BTreeSet::new();
        for (at, found) in text.match_indices("127.0.0.1:") {
            let digits = text[at + found.len()..].split(|c: char| !c.is_ascii_digit()).next();
            ports.insert(digits.unwrap().parse::<u16>().unwrap());
        }
        for port in ports {
            self.let_through(port);
        }
        let path = stack.dir().join(format!("{name}.yaml"));
        let text = text.replace("127.0.0.1:", &format!("{}:", self.gate));
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Lets this host come to what listens on 127.0.0.1 here, until the test's process ends.
    fn let_through(&self, port: u16) {
        let Ok(listener) = TcpListener::bind((self.gate.as_str(), port)) else { return };
        std::thread::spawn(move || {
            for theirs in listener.incoming().flatten() {
                let Ok(ours) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                for (mut from, mut to) in
                    [(theirs.try_clone().unwrap(), ours.try_clone().unwrap()), (ours, theirs)]
                {
                    std::thread::spawn(move || {
                        std::io::copy(&mut from, &mut to).ok();
                        to.flush().ok();
                        to.shutdown(Shutdown::Write).ok();
                    });
                }
            }
        });
    }

    /// The program on this host, with a configuration of [`Host::configure`].
    pub(super) fn command(&self, stack: &Stack, config: &Path, arguments: &[&str]) -> Command {
        let mut all = vec!["--config", config.to_str().unwrap()];
        all.extend(arguments);
        let there = stack.command(&all);
        let named = "echo \"$0\" >/proc/sys/kernel/hostname; exec \"$@\"";
        let mut command = Command::new(&self.ip);
        command
            .args(["netns", "exec", &self.space, "/usr/bin/unshare", "--uts", "/bin/sh", "-c"])
            .args([named, &self.name])
            .arg(there.get_program())
            .args(there.get_args())
            .env_clear()
            .envs(there.get_envs().filter_map(|(key, value)| Some((key, value?))))
            .current_dir(stack.dir())
            .stdin(std::process::Stdio::null());
        command
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        Command::new(&self.ip).args(["netns", "del", &self.space]).output().ok();
    }
}
