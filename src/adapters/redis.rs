//! The protocol of Redis (RESP2): one connection, a few commands, and a dump as a replica takes it.
//!
//! `redis-protocol` writes and reads the frames and does nothing else; the whole client (`redis`)
//! would bring a connection, timeouts and reconnecting of its own, where a look needs each phase
//! timed and every silence told apart.

use redis_protocol::resp2::decode::decode;
use redis_protocol::resp2::encode::encode;
use redis_protocol::resp2::types::{OwnedFrame, Resp2Frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::http::Stream;
use super::secret::Secret;
use super::tcp::{self, Trace};
use super::tls::{self, Trust};
use super::{Error, Kind};
use crate::text::SafeText;

mod beside;
mod place;
pub mod rdb;
mod snapshot;
mod store;
mod swap;

pub use store::{RedisService, RedisStore};

/// The most of an answer that is read, in bytes.
const ANSWER: usize = 256 * 1024;

/// Where it is, and as whom to ask.
#[derive(Clone, Debug)]
pub struct Server {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whom to trust, where TLS is spoken (`rediss://`).
    pub trust: Option<Trust>,
    /// As whom, where access is by user.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// Which of its numbered databases.
    pub database: u32,
}

/// What it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Text, or bytes.
    Text(Vec<u8>),
    /// A number.
    Integer(i64),
    /// Nothing is there.
    Null,
    /// No, and why.
    No(String),
}

/// Whether an answer may be a list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    One,
    List,
}

/// An open connection; closed when dropped.
pub struct Line {
    stream: Box<dyn Stream>,
    place: String,
    buffer: Vec<u8>,
}

impl Server {
    /// `host:port`, for messages.
    pub fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Connects, with TLS where it is asked for. The caller limits the time by dropping the work.
    pub async fn open(&self, trace: &mut Trace) -> Result<Line, Error> {
        let tcp = tcp::connect(&self.host, self.port, trace).await?;
        let place = self.place();
        let stream: Box<dyn Stream> = match &self.trust {
            Some(trust) => Box::new(tls::secure(trust, &self.host, &place, tcp, trace).await?),
            None => Box::new(tcp),
        };
        trace.stage = "waiting for the answer";
        Ok(Line { stream, place, buffer: Vec::new() })
    }
}

impl Line {
    /// Sends one command and reads its answer.
    ///
    /// Fails with `Reset` when what comes back is not the protocol of Redis, or too long.
    pub async fn ask(&mut self, words: &[&str]) -> Result<Reply, Error> {
        match self.answer(words, Form::One).await? {
            OwnedFrame::SimpleString(text) | OwnedFrame::BulkString(text) => Ok(Reply::Text(text)),
            OwnedFrame::Error(why) => Ok(Reply::No(why)),
            OwnedFrame::Integer(number) => Ok(Reply::Integer(number)),
            OwnedFrame::Null => Ok(Reply::Null),
            OwnedFrame::Array(_) => Err(self.strange("the answer is a list")),
        }
    }

    /// Sends one command whose answer is a flat list of texts, such as `CONFIG GET`.
    ///
    /// Fails with `Rejected` when it says no.
    pub async fn list(&mut self, words: &[&str]) -> Result<Vec<String>, Error> {
        let text = |frame: &OwnedFrame| match frame {
            OwnedFrame::SimpleString(text) | OwnedFrame::BulkString(text) => {
                Some(String::from_utf8_lossy(text).into_owned())
            }
            OwnedFrame::Error(_)
            | OwnedFrame::Integer(_)
            | OwnedFrame::Null
            | OwnedFrame::Array(_) => None,
        };
        match self.answer(words, Form::List).await? {
            OwnedFrame::Array(all) => Ok(all.iter().filter_map(text).collect()),
            OwnedFrame::Error(why) => Err(self.no(words, &why)),
            OwnedFrame::SimpleString(_)
            | OwnedFrame::BulkString(_)
            | OwnedFrame::Integer(_)
            | OwnedFrame::Null => Err(self.strange("the answer is no list")),
        }
    }

    /// What a no means, as an error.
    fn no(&self, words: &[&str], why: &str) -> Error {
        let why = SafeText::new(why);
        let denied =
            ["NOAUTH", "WRONGPASS", "NOPERM"].iter().any(|no| why.as_str().starts_with(no));
        let kind = if denied { Kind::Denied } else { Kind::Rejected };
        let what = words.first().copied().unwrap_or_default();
        Error::new(kind, format!("could not {what} at {}: it says {why}", self.place))
    }

    async fn answer(&mut self, words: &[&str], form: Form) -> Result<OwnedFrame, Error> {
        let what = words.first().copied().unwrap_or_default();
        let ours = |why: String| Error::new(Kind::Local, format!("could not {what}: {why}"));
        let words = words.iter().map(|word| OwnedFrame::BulkString(word.as_bytes().to_vec()));
        let frame = OwnedFrame::Array(words.collect());
        let mut bytes = vec![0; frame.encode_len(false)];
        encode(&mut bytes, &frame, false).map_err(|e| ours(e.to_string()))?;
        let broken = |e: &std::io::Error| tcp::broken("ask", &self.place, e);
        self.stream.write_all(&bytes).await.map_err(|e| broken(&e))?;
        self.stream.flush().await.map_err(|e| broken(&e))?;
        loop {
            if let Some(reply) = self.next(form)? {
                return Ok(reply);
            }
            if self.buffer.len() >= ANSWER {
                return Err(self.strange(&format!("more than {} KiB", ANSWER / 1024)));
            }
            let read = self.stream.read_buf(&mut self.buffer).await;
            if read.map_err(|e| tcp::broken("read from", &self.place, &e))? == 0 {
                return Err(self.strange("it was closed before the answer ended"));
            }
        }
    }

    /// The first whole answer of what has come; nothing when there is none yet.
    fn next(&mut self, form: Form) -> Result<Option<OwnedFrame>, Error> {
        // Where no list is asked for there is none; a deep one would be a tower to climb.
        match self.buffer.first() {
            None => return Ok(None),
            Some(b'+' | b'-' | b':' | b'$') => {}
            Some(b'*')
                if form == Form::List && !self.buffer.windows(3).any(|next| next == b"\r\n*") => {}
            Some(_) => return Err(self.strange("the answer is not that of Redis")),
        }
        let decoded = decode(&self.buffer);
        let decoded = decoded.map_err(|_| self.strange("the answer is not that of Redis"))?;
        let Some((frame, used)) = decoded else {
            return Ok(None);
        };
        self.buffer.drain(..used.min(self.buffer.len()));
        Ok(Some(frame))
    }

    fn strange(&self, why: &str) -> Error {
        Error::new(Kind::Reset, format!("could not read from {}: {why}", self.place))
    }
}
