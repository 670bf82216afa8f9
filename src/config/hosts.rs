//! Several hosts that a project's coloured services run on.

use super::take::Table;
use super::target::engine;

/// `hosts: {a: unix:///run/a.sock, b: unix:///run/b.sock}`, in the order of the file.
pub(super) fn hosts(table: &mut Table<'_>) -> Vec<(String, String)> {
    let mut hosts: Vec<(String, String)> = Vec::new();
    let Some(mut table) = table.table("hosts") else { return hosts };
    let names = table.names();
    for host in names {
        let Some(item) = table.take(&host) else { continue };
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if host.is_empty() || host.starts_with('.') || !host.chars().all(plain) {
            item.wrong_with(
                &format!("{host:?} is not a host's name"),
                "use letters, digits, _ . and -",
            );
            continue;
        }
        let Some(address) = engine(&item) else { continue };
        if let Some((other, _)) = hosts.iter().find(|(_, known)| *known == address) {
            item.wrong_with(&format!("is the same engine as {other}"), "name each engine once");
            continue;
        }
        hosts.push((host, address));
    }
    table.finish();
    hosts
}
