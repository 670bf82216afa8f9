//! Where an engine is: a local socket, another host over `ssh`, or another host over TLS.

use std::path::PathBuf;

use crate::adapters::process::quoted;

use super::DEFAULT_SOCKET;

/// How each of them is written.
pub const FORMS: &str = "write unix:///path/of/the/socket, ssh://USER@HOST or \
                         tls://HOST:2376/FOLDER (of ca.pem, cert.pem and key.pem)";

/// A parsed address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// On this host.
    Socket(PathBuf),
    /// A socket of another host, which `ssh` reaches with what this user's configuration says.
    Ssh {
        /// `user@host`, as `ssh` takes it.
        to: String,
        /// Its port, where it is not the configured one.
        port: Option<u16>,
        /// The socket there.
        socket: String,
    },
    /// An engine that listens with TLS and asks for a certificate.
    Tls {
        /// Its name, as its certificate has it.
        host: String,
        /// Its port.
        port: u16,
        /// Where `ca.pem`, `cert.pem` and `key.pem` lie, by Docker's names.
        folder: PathBuf,
    },
}

/// A name or an address of a host; never what a tool could take for an option.
fn is_host(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-:[]".contains(c);
    !text.is_empty() && !text.starts_with('-') && text.chars().all(plain)
}

/// `host`, `host:22`, `[::1]:22`.
fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port.parse().ok()?)),
        _ => (text, None),
    };
    is_host(host).then_some((host, port))
}

impl Address {
    /// Reads one; nothing when it is none ([`FORMS`]).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix("ssh://") {
            let (at, path) = rest.split_once('/').unwrap_or((rest, ""));
            let (user, place) = at.split_once('@').map_or((None, at), |(u, h)| (Some(u), h));
            let (host, port) = host_and_port(place)?;
            let host = host.trim_start_matches('[').trim_end_matches(']');
            if user.is_some_and(|user| !is_host(user)) || path.contains(':') {
                return None;
            }
            let to = user.map_or_else(|| host.to_owned(), |user| format!("{user}@{host}"));
            let socket =
                if path.is_empty() { DEFAULT_SOCKET.to_owned() } else { format!("/{path}") };
            return Some(Self::Ssh { to, port, socket });
        }
        if let Some(rest) = text.strip_prefix("tls://") {
            let (at, folder) = rest.split_once('/')?;
            let (host, port) = host_and_port(at)?;
            let folder = PathBuf::from(format!("/{folder}"));
            let host = host.to_owned();
            return Some(Self::Tls { host, port: port.unwrap_or(2376), folder });
        }
        let path = PathBuf::from(text.strip_prefix("unix://").unwrap_or(text));
        path.is_absolute().then_some(Self::Socket(path))
    }

    /// How the tool `docker` is told to go there.
    pub(super) fn by_hand(&self) -> String {
        match self {
            Self::Socket(path) if path.as_os_str() == DEFAULT_SOCKET => "docker".to_owned(),
            Self::Socket(path) => {
                format!("docker -H {}", quoted(&format!("unix://{}", path.display())))
            }
            Self::Ssh { to, port, socket } => {
                let port = port.map_or_else(String::new, |port| format!(":{port}"));
                let socket = if socket == DEFAULT_SOCKET { "" } else { socket };
                format!("docker -H {}", quoted(&format!("ssh://{to}{port}{socket}")))
            }
            Self::Tls { host, port, folder } => {
                let file = |name: &str| quoted(&folder.join(name).display().to_string());
                format!(
                    "docker --tlsverify --tlscacert {} --tlscert {} --tlskey {} -H {}",
                    file("ca.pem"),
                    file("cert.pem"),
                    file("key.pem"),
                    quoted(&format!("tcp://{host}:{port}"))
                )
            }
        }
    }
}

/// Whether that is the address of an engine that can be used.
pub fn is_address(text: &str) -> bool {
    Address::parse(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read_and_said_as_the_tool_takes_it() {
        for (text, by_hand) in [
            ("unix:///var/run/docker.sock", "docker"),
            ("/run/other.sock", "docker -H unix:///run/other.sock"),
            ("ssh://deploy@app2", "docker -H ssh://deploy@app2"),
            (
                "ssh://app2:2222/run/user/7/docker.sock",
                "docker -H ssh://app2:2222/run/user/7/docker.sock",
            ),
            (
                "tls://app3/etc/tls/app3",
                "docker --tlsverify --tlscacert /etc/tls/app3/ca.pem --tlscert /etc/tls/app3/cert.pem \
                 --tlskey /etc/tls/app3/key.pem -H tcp://app3:2376",
            ),
        ] {
            let address = Address::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(address.by_hand(), by_hand);
        }
        let six = Address::parse("ssh://root@[::1]:22").unwrap();
        assert_eq!(
            six,
            Address::Ssh { to: "root@::1".into(), port: Some(22), socket: DEFAULT_SOCKET.into() }
        );
    }

    #[test]
    fn what_is_none_or_could_be_an_option_is_refused() {
        for text in [
            "tcp://10.0.0.1:2375",
            "docker.sock",
            "",
            "ssh://",
            "ssh://-oProxyCommand=x",
            "ssh://-o@host",
            "ssh://a b",
            "ssh://host:port",
            "ssh://host/a:b",
            "tls://app3:2376",
            "tls://-x/etc",
        ] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
