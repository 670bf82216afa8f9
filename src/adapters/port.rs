//! Who listens at a port of this host.

use std::fs;

/// The process that listens at TCP port `port`: `pid 4711 (python3)`; `somebody`, where it is not
/// ours to see; nothing where nobody listens.
pub(super) fn listener(port: u16) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| {
        let text = fs::read_to_string(table).ok()?;
        text.lines().skip(1).find_map(|line| listens(line, port))
    })?;
    let socket = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let found = processes.into_iter().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let mut files = fs::read_dir(entry.path().join("fd")).ok()?.flatten();
        let has = files.any(|file| {
            fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == socket.as_str())
        });
        let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        has.then(|| format!("pid {pid} ({})", name.trim()))
    });
    Some(found.unwrap_or_else(|| "somebody".to_owned()))
}

/// The socket's number in a line of the kernel's table, where it listens at `port`.
fn listens(line: &str, port: u16) -> Option<u64> {
    let mut words = line.split_ascii_whitespace();
    let (_, local) = words.nth(1)?.rsplit_once(':')?;
    let state = words.nth(1)?;
    let here = u16::from_str_radix(local, 16).ok()? == port && state == "0A";
    if here { words.nth(5)?.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_found_and_named() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let found = listener(port).unwrap();
        assert!(found.starts_with(&format!("pid {} (", std::process::id())), "{found}");
        drop(socket);
        assert_eq!(listener(port), None);
    }
}
