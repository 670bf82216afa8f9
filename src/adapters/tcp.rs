//! Name resolution and connecting, timed, with every failure told apart.

use std::io::ErrorKind;
use std::time::Instant;

use tokio::net::TcpStream;

use super::{Error, Kind};
use crate::model::reading::Phases;

/// What is known of a look that may be cut off at any moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trace {
    /// Where the time went so far.
    pub phases: Phases,
    /// What is being done now: `connecting`; for the message when the time is up.
    pub stage: &'static str,
    /// The status code, once the head of an HTTP answer has come.
    pub status: Option<u16>,
}

/// Resolves `host` and connects to the first address that answers.
///
/// Fails with `NotResolved`, `Refused`, `Reset`, `TimedOut`, `Denied` or `Local`; the caller sets
/// the time limit by dropping the work, `trace` then says how far it came.
pub async fn connect(host: &str, port: u16, trace: &mut Trace) -> Result<TcpStream, Error> {
    trace.stage = "resolving the name";
    let begun = Instant::now();
    let found = tokio::net::lookup_host((host, port)).await;
    let addresses: Vec<_> = found
        .map_err(|e| Error::new(Kind::NotResolved, format!("could not resolve {host}: {e}")))?
        .take(8)
        .collect();
    trace.phases.resolve = Some(begun.elapsed());
    trace.stage = "connecting";
    let begun = Instant::now();
    let mut last =
        Error::new(Kind::NotResolved, format!("could not resolve {host}: the name has no address"));
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                trace.phases.connect = Some(begun.elapsed());
                stream.set_nodelay(true).ok();
                return Ok(stream);
            }
            Err(e) => last = broken("connect to", &format!("{host}:{port}"), &e),
        }
    }
    Err(last)
}

/// Translates an I/O error of a connection. Silence of the target is told apart from our own
/// faults: an unreachable host refused us, a used-up descriptor table is ours.
pub fn broken(verb: &str, thing: &str, error: &std::io::Error) -> Error {
    let kind = match error.kind() {
        ErrorKind::ConnectionRefused
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable => Kind::Refused,
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::NotConnected
        | ErrorKind::UnexpectedEof => Kind::Reset,
        ErrorKind::TimedOut => Kind::TimedOut,
        ErrorKind::PermissionDenied => Kind::Denied,
        _ => Kind::Local,
    };
    Error::new(kind, format!("could not {verb} {thing}: {error}"))
}
