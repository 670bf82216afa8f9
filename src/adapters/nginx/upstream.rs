//! What an upstream's text points at, and the kernel's table of connections.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};

/// A server of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// A name or an address.
    pub(super) host: String,
    /// The port; 80 unless said.
    pub(super) port: u16,
}

/// The servers that a text names: `server HOST[:PORT] …;`.
pub(super) fn targets(text: &str) -> Vec<Target> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    let mut found = Vec::new();
    for pair in words.windows(2) {
        let [word, place] = pair else { continue };
        if word.trim_start_matches('{') != "server" || place.starts_with('{') {
            continue;
        }
        let place = place.trim_end_matches(';');
        if place.starts_with("unix:") || place.is_empty() {
            continue;
        }
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().unwrap_or(80)),
            None => (place, 80),
        };
        found.push(Target { host: host.to_owned(), port });
    }
    found
}

/// How many established connections of `/proc/net/tcp` go to one of these places.
pub(super) fn established(table: &str, places: &BTreeSet<SocketAddrV4>) -> u32 {
    let ours = table.lines().skip(1).filter(|line| {
        let mut fields = line.split_ascii_whitespace();
        let remote = fields.nth(2).and_then(place);
        fields.next() == Some("01") && remote.is_some_and(|remote| places.contains(&remote))
    });
    u32::try_from(ours.count()).unwrap_or(u32::MAX)
}

/// `0100007F:1F90`: the address as the machine holds it, the port as people write it.
fn place(text: &str) -> Option<SocketAddrV4> {
    let (address, port) = text.split_once(':')?;
    let address = u32::from_str_radix(address, 16).ok()?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(SocketAddrV4::new(Ipv4Addr::from(address.to_ne_bytes()), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_of_an_upstream_are_found() {
        let text =
            "# server no:1;\nupstream app { server app-blue:8080 max_fails=0;\n server 10.0.0.1; }";
        let found: Vec<(String, u16)> =
            targets(text).into_iter().map(|one| (one.host, one.port)).collect();
        assert_eq!(found, [("app-blue".to_owned(), 8080), ("10.0.0.1".to_owned(), 80)]);
        assert_eq!(targets("server { listen 80; }"), []);
    }

    #[test]
    fn only_established_connections_to_the_place_are_counted() {
        let table = "  sl  local_address rem_address   st tx_queue\n\
             0: 0B00007F:9999 0100007F:1F90 01 0\n\
             1: 0B00007F:9998 0100007F:1F90 06 0\n\
             2: 0B00007F:9997 0200007F:1F90 01 0\n";
        let places = BTreeSet::from(["127.0.0.1:8080".parse().unwrap()]);
        assert_eq!(established(table, &places), 1);
    }
}
