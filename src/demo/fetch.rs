//! Asking one thing once.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::{Method, StatusCode};

use crate::adapters::{Error, Kind};
use crate::clock::Clock;

use super::http::{gather, request};
use super::pool::{Broken, Pool};

/// Asks once at `address`, for at most `limit`, and gives the status and at most 64 KiB of body.
pub async fn fetch(
    address: SocketAddr,
    method: Method,
    path: &str,
    text: String,
    limit: Duration,
    clock: &Clock,
) -> Result<(StatusCode, Bytes), Error> {
    let what = format!("ask {address}{path}");
    let work = async {
        let request = request(method, address, path, text);
        let response = match Pool::new(address, clock).ask(request).await {
            Ok(response) => response,
            Err(Broken::Refused) => {
                return Err(Error::new(Kind::Refused, format!("could not {what}: refused")));
            }
            Err(Broken::Reset) => {
                return Err(Error::new(Kind::Reset, format!("could not {what}: reset")));
            }
        };
        let status = response.status();
        let body = gather(response.into_body(), 64 * 1024).await;
        let body = body.map_err(|e| Error::new(Kind::Reset, format!("could not {what}: {e}")))?;
        Ok((status, body))
    };
    let done = clock.timeout(limit, work).await;
    done.unwrap_or_else(|_| Err(Error::timed_out(&what, limit)))
}
