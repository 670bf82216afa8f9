//! Lines for log files that others rotate, and for the system's log. Each write opens the file
//! anew: after a rotation the next line is in the new one, with or without a signal.

use std::io::Write as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use super::{Error, Kind};

/// Adds `text` to the end of `path`, which is made with its folder where it is not there.
pub fn append(path: &Path, text: &str) -> Result<(), Error> {
    let write = || {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = std::fs::File::options().create(true).append(true).open(path)?;
        file.write_all(text.as_bytes())
    };
    write().map_err(|why: std::io::Error| {
        let kind = match why.kind() {
            std::io::ErrorKind::PermissionDenied => Kind::Denied,
            std::io::ErrorKind::StorageFull => Kind::NoSpace,
            _ => Kind::Local,
        };
        let text = format!("could not write the log file {}: {why}", path.display());
        Error::new(kind, text)
    })
}

/// Hands one line to the system's log at `socket` as `logger -t TAG` does: facility user, severity
/// warning. Never waits.
pub fn syslog(socket: &Path, tag: &str, text: &str) -> Result<(), Error> {
    /// Facility 1 (user) times 8, and severity 4 (warning): RFC 3164.
    const PRIORITY: u8 = 12;
    let send = || {
        let line = UnixDatagram::unbound()?;
        line.set_nonblocking(true)?;
        line.send_to(format!("<{PRIORITY}>{tag}: {text}").as_bytes(), socket)
    };
    let told = send().map_err(|why| {
        let text = format!("could not tell the system's log at {}: {why}", socket.display());
        Error::new(Kind::Local, text)
    });
    told.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotated_file_is_left_alone_and_the_new_one_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log/health_monitor.log");
        append(&path, "one\n").unwrap();
        std::fs::rename(&path, path.with_extension("log.1")).unwrap();
        append(&path, "two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
        let old = std::fs::read_to_string(path.with_extension("log.1")).unwrap();
        assert_eq!(old, "one\n");
        assert!(append(Path::new("/proc/1/log"), "x").is_err());
    }

    #[test]
    fn the_system_log_hears_the_tag_of_the_documents() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let system = UnixDatagram::bind(&path).unwrap();
        syslog(&path, "pratiko-monitor", "ALERT: High CPU usage: 97.2%").unwrap();
        let mut heard = [0; 200];
        let length = system.recv(&mut heard).unwrap();
        assert_eq!(&heard[..length], b"<12>pratiko-monitor: ALERT: High CPU usage: 97.2%");
    }
}
