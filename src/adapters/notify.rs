//! Tells systemd that a service is up and alive (`sd_notify`): one datagram to the socket it named.
//! A message that is not heard changes nothing here.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

/// Where a service manager listens.
#[derive(Clone, Debug)]
pub struct Notify {
    address: String,
    watchdog: Option<Duration>,
}

impl Notify {
    /// From the variables that systemd sets: `NOTIFY_SOCKET`, and the microseconds of
    /// `WATCHDOG_USEC`.
    pub fn new(socket: &str, watchdog: Option<&str>) -> Self {
        let watchdog = watchdog.and_then(|text| text.parse().ok()).map(Duration::from_micros);
        Self { address: socket.to_owned(), watchdog: watchdog.filter(|span| !span.is_zero()) }
    }

    /// How often it has to be told that the service lives: half of what it waits.
    pub fn every(&self) -> Option<Duration> {
        self.watchdog.map(|span| span / 2)
    }

    /// Says something: `READY=1`, `WATCHDOG=1`. Never waits.
    pub fn say(&self, text: &str) {
        let address = match self.address.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name.as_bytes()),
            None => SocketAddr::from_pathname(Path::new(&self.address)),
        };
        let said = address.and_then(|address| {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            socket.send_to_addr(text.as_bytes(), &address)
        });
        if let Err(error) = said {
            tracing::warn!("could not tell the service manager {text:?}: {error}");
        }
    }
}
