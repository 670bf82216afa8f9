//! `triggers: {listen: …, token: …}`: where other systems may call for a rollback (P-79, M-22).

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::adapters::secret::Secret;

use super::take::{Item, Table};

/// Where calls are taken, and from whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Triggers {
    /// Where.
    pub listen: Listen,
    /// What a caller must know; a Unix socket may do without, its folder says who comes in.
    pub token: Option<Secret>,
    /// The most calls a minute.
    pub per_minute: u32,
    /// Whether a call may start level 1 without a person.
    pub start: bool,
}

/// Where calls are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An address of this machine.
    Tcp(SocketAddr),
    /// A socket in the file system, only this user's.
    Unix(PathBuf),
}

impl Listen {
    /// As a configuration writes it.
    pub fn shown(&self) -> String {
        match self {
            Self::Tcp(address) => address.to_string(),
            Self::Unix(path) => format!("unix:{}", path.display()),
        }
    }
}

pub(super) fn triggers(root: &mut Table<'_>) -> Option<Triggers> {
    let mut table = root.table("triggers")?;
    let remote = table.truth("allow_remote").unwrap_or(false);
    let item = table.need("listen");
    let listen = item.as_ref().and_then(|item| listen(item, remote));
    let token = table.take("token");
    if let (Some(Listen::Tcp(_)), None, Some(item)) = (&listen, &token, &item) {
        item.wrong_with(
            "needs a token: everybody on this machine could call",
            "add token: {file: PATH}, or listen on unix:PATH",
        );
    }
    let token = token.and_then(|item| item.key());
    let per_minute = table.count("per_minute", 1, 6000).unwrap_or(60);
    let start = table.truth("start").unwrap_or(false);
    table.finish();
    Some(Triggers { listen: listen?, token, per_minute, start })
}

fn listen(item: &Item<'_>, remote: bool) -> Option<Listen> {
    let text = item.text()?;
    if let Some(path) = text.strip_prefix("unix:") {
        return Some(Listen::Unix(item.desk.resolve(path)));
    }
    let Ok(address) = text.parse::<SocketAddr>() else {
        let hint = "write 127.0.0.1:9095, [::1]:9095 or unix:PATH";
        item.wrong_with(&format!("{text:?} is no address with a port"), hint);
        return None;
    };
    if !address.ip().is_loopback() && !remote {
        item.wrong_with(
            &format!("{text} can be reached from other machines, without TLS"),
            "listen on 127.0.0.1 behind a proxy, or add allow_remote: true",
        );
        return None;
    }
    Some(Listen::Tcp(address))
}
