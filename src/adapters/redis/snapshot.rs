//! A dump taken over the connection, as a replica takes it (`SYNC`): of one moment, with nothing
//! written on the server's own disk where the server can do without.

use std::path::Path;
use std::time::Duration;

use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::adapters::database::Told;
use crate::adapters::{Error, Kind, tcp};
use crate::clock::Clock;
use crate::text::{SafeText, fit};

use super::{Line, Reply};

/// How long the server may be silent: it gathers other replicas for some seconds first, and says
/// that it still works once a second.
const SILENCE: Duration = Duration::from_mins(1);
/// Bytes of the mark that ends a dump whose length is not said before.
const MARK: usize = 40;
/// The most bytes before the dump itself.
const HEAD: usize = 4096;

/// How the end of a dump is known.
enum End {
    Length(u64),
    Mark(Vec<u8>),
}

impl Line {
    /// Asks for a dump and writes it to the fresh file `into`; its bytes. The connection is of no
    /// other use afterwards.
    pub async fn snapshot(
        &mut self,
        into: &Path,
        clock: &Clock,
        told: Told<'_>,
    ) -> Result<u64, Error> {
        // A server that knows neither is asked all the same: it then writes its own file first.
        for words in [["REPLCONF", "capa", "eof"], ["REPLCONF", "rdb-only", "1"]] {
            match self.ask(&words).await? {
                Reply::Text(_) | Reply::Integer(_) | Reply::Null | Reply::No(_) => {}
            }
        }
        let broken = |e: &std::io::Error| tcp::broken("ask", &self.place, e);
        self.stream.write_all(b"*1\r\n$4\r\nSYNC\r\n").await.map_err(|e| broken(&e))?;
        self.stream.flush().await.map_err(|e| broken(&e))?;
        let end = self.head(clock).await?;
        let io = |e: std::io::Error| Error::io("write", into.display(), &e);
        let mut options = File::options();
        options.write(true).create_new(true).mode(0o640);
        let mut file = options.open(into).await.map_err(io)?;
        let mut wrote = 0;
        loop {
            let hold = match &end {
                End::Length(all) => {
                    let left = usize::try_from(all.saturating_sub(wrote)).unwrap_or(usize::MAX);
                    self.buffer.truncate(left);
                    0
                }
                End::Mark(_) => MARK,
            };
            let through: Vec<u8> =
                self.buffer.drain(..self.buffer.len().saturating_sub(hold)).collect();
            file.write_all(&through).await.map_err(io)?;
            wrote += through.len() as u64;
            let (over, all) = match &end {
                End::Length(all) => (wrote == *all, *all),
                End::Mark(mark) => (self.buffer == *mark, 0),
            };
            told(wrote, all);
            if over {
                break;
            }
            self.more(clock).await?;
        }
        file.flush().await.map_err(io)?;
        file.sync_all().await.map_err(io)?;
        Ok(wrote)
    }

    /// What comes next; silence is an error.
    async fn more(&mut self, clock: &Clock) -> Result<(), Error> {
        self.buffer.reserve(64 * 1024);
        let read = clock.timeout(SILENCE, self.stream.read_buf(&mut self.buffer)).await;
        let what = format!("take a dump of {}", self.place);
        match read {
            Err(_) => Err(Error::timed_out(what, SILENCE)),
            Ok(Err(e)) => Err(tcp::broken("read from", &self.place, &e)),
            Ok(Ok(0)) => {
                let message = format!("could not {what}: it was closed before the dump ended");
                Err(Error::new(Kind::Reset, message))
            }
            Ok(Ok(_)) => Ok(()),
        }
    }

    /// The line before the dump: its length, or the mark that ends it.
    async fn head(&mut self, clock: &Clock) -> Result<End, Error> {
        loop {
            // Empty lines say that it still works.
            let idle = self.buffer.iter().take_while(|byte| **byte == b'\n').count();
            self.buffer.drain(..idle);
            if let Some(at) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..at + 2).collect();
                let line = SafeText::from_bytes(line.get(..at).unwrap_or_default());
                return self.end_of(line.as_str());
            }
            if self.buffer.len() > HEAD {
                return Err(self.strange("the answer to SYNC has no end"));
            }
            self.more(clock).await?;
        }
    }

    fn end_of(&self, line: &str) -> Result<End, Error> {
        if let Some(mark) = line.strip_prefix("$EOF:").filter(|mark| mark.len() == MARK) {
            return Ok(End::Mark(mark.as_bytes().to_vec()));
        }
        if let Some(Ok(length)) = line.strip_prefix('$').map(str::parse) {
            return Ok(End::Length(length));
        }
        let said = fit(line.trim_start_matches('-'), 200);
        let message = format!("could not take a dump of {}: it says {said}", self.place);
        Err(Error::new(Kind::Rejected, message))
    }
}
