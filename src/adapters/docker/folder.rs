//! Where a volume's files lie, asked while a configuration is read: nothing waits for answers then,
//! so the question blocks, within a limit.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use crate::adapters::{Error, Kind};
use crate::text::SafeText;

use super::DockerHost;

/// How long the engine may be silent.
const SILENT: Duration = Duration::from_secs(3);
/// The most that it may say, in bytes.
const SAID: u64 = 64 * 1024;

impl DockerHost {
    /// The folder of the volume `name` on this host, by the engine's word. It blocks: not for where
    /// others wait.
    pub fn folder_of(&self, name: &str) -> Result<PathBuf, Error> {
        let what = format!("look where volume {} lies", SafeText::new(name));
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            return Err(Error::new(Kind::Rejected, format!("could not {what}: it is no name")));
        }
        let Some(socket) = self.local_socket() else {
            let at = self.shown();
            let message = format!(
                "could not {what}: the engine at {at} is on another host, and its files are there; \
                 run backout there"
            );
            return Err(Error::new(Kind::Rejected, message));
        };
        let asked = || -> std::io::Result<String> {
            let mut line = UnixStream::connect(socket)?;
            line.set_read_timeout(Some(SILENT))?;
            line.set_write_timeout(Some(SILENT))?;
            write!(line, "GET /volumes/{name} HTTP/1.0\r\nHost: engine\r\n\r\n")?;
            let mut said = Vec::new();
            line.take(SAID).read_to_end(&mut said)?;
            Ok(String::from_utf8_lossy(&said).into_owned())
        };
        let said = asked().map_err(|e| Error::io(&what, socket, &e))?;
        mountpoint(&said).ok_or_else(|| {
            let first = SafeText::new(said.lines().next().unwrap_or("nothing"));
            Error::new(Kind::NotFound, format!("could not {what}: the engine said: {first}"))
        })
    }
}

/// The folder in an answer that is well.
fn mountpoint(said: &str) -> Option<PathBuf> {
    let (head, body) = said.split_once("\r\n\r\n")?;
    let status = head.split_whitespace().nth(1)?;
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    let folder = PathBuf::from(body.get("Mountpoint")?.as_str()?);
    (status == "200" && folder.is_absolute()).then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_that_is_well_says_where() {
        let said = |status: &str, body: &str| {
            mountpoint(&format!("HTTP/1.0 {status}\r\nApi-Version: 1.41\r\n\r\n{body}\n"))
        };
        let body = r#"{"Driver":"local","Mountpoint":"/srv/docker/volumes/p_data/_data"}"#;
        let folder = PathBuf::from("/srv/docker/volumes/p_data/_data");
        assert_eq!(said("200 OK", body), Some(folder));
        assert_eq!(said("404 Not Found", r#"{"message":"no such volume"}"#), None);
        assert_eq!(said("200 OK", r#"{"Mountpoint":"elsewhere"}"#), None);
        assert_eq!(mountpoint(""), None);
    }
}
