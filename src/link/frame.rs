//! Frames: one JSON value a line, bounded in length.

use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::clock::Clock;

use super::Error;

/// The longest frame in bytes, without its line feed.
pub(super) const FRAME_LIMIT: usize = 64 * 1024;
/// How long the rest of a frame may take once it has begun.
pub(super) const REST_LIMIT: Duration = Duration::from_secs(10);
const CHUNK: usize = 8 * 1024;

/// `said` as a frame, line feed included.
pub(super) fn encode(said: &impl Serialize) -> Result<Vec<u8>, Error> {
    let mut frame = serde_json::to_vec(said).map_err(|e| Error::Protocol { why: e.to_string() })?;
    if frame.len() > FRAME_LIMIT {
        return Err(Error::TooLong { bytes: frame.len() });
    }
    frame.push(b'\n');
    Ok(frame)
}

/// Cuts a stream into frames. Keeps at most one frame and one chunk.
pub(super) struct FrameReader<R> {
    stream: R,
    kept: Vec<u8>,
    searched: usize,
    clock: Clock,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Frames of `stream`.
    pub(super) fn new(stream: R, clock: Clock) -> Self {
        Self { stream, kept: Vec::new(), searched: 0, clock }
    }

    /// The next frame without its line feed, or nothing at the end of the stream. Waits without
    /// limit for a frame to begin and [`REST_LIMIT`] between its parts. Dropping the wait loses
    /// nothing.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        loop {
            if let Some(frame) = self.take() {
                return if frame.len() > FRAME_LIMIT { Err(too_long()) } else { Ok(Some(frame)) };
            }
            if self.kept.len() > FRAME_LIMIT {
                return Err(too_long());
            }
            self.kept.reserve(CHUNK);
            let began = !self.kept.is_empty();
            let read = self.stream.read_buf(&mut self.kept);
            let read = if began {
                let rest = self.clock.timeout(REST_LIMIT, read).await;
                rest.map_err(|_| Error::Protocol {
                    why: format!("half a frame, and no more of it in {} s", REST_LIMIT.as_secs()),
                })?
            } else {
                read.await
            };
            match read {
                Ok(0) | Err(_) if self.kept.is_empty() => return Ok(None),
                Ok(0) | Err(_) => {
                    return Err(Error::Protocol {
                        why: "the connection ended within a frame".to_owned(),
                    });
                }
                Ok(_) => {}
            }
        }
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        let unsearched = self.kept.get(self.searched..)?;
        let Some(end) = unsearched.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.kept.len();
            return None;
        };
        let rest = self.kept.split_off(self.searched + end + 1);
        let mut frame = std::mem::replace(&mut self.kept, rest);
        frame.pop();
        self.searched = 0;
        Some(frame)
    }
}

fn too_long() -> Error {
    Error::Protocol { why: format!("a frame is longer than {FRAME_LIMIT} bytes") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_are_cut_wherever_the_stream_breaks() {
        let bytes = b"{\"a\":1}\n{\"b\":2}\n\nlast";
        for cut in 0..bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            let mut frames = FrameReader::new(head.chain(tail), Clock::real());
            assert_eq!(frames.next().await.unwrap().unwrap(), b"{\"a\":1}");
            assert_eq!(frames.next().await.unwrap().unwrap(), b"{\"b\":2}");
            assert_eq!(frames.next().await.unwrap().unwrap(), b"");
            assert!(frames.next().await.is_err(), "half a frame is no frame");
        }
    }

    #[tokio::test]
    async fn a_frame_of_the_limit_passes_and_one_byte_more_does_not() {
        for (length, passes) in [(FRAME_LIMIT, true), (FRAME_LIMIT + 1, false)] {
            let mut bytes = vec![b'x'; length];
            bytes.push(b'\n');
            let mut frames = FrameReader::new(&bytes[..], Clock::real());
            assert_eq!(frames.next().await.is_ok(), passes, "{length}");
        }
    }

    #[tokio::test]
    async fn an_endless_line_is_refused_before_it_is_kept() {
        let mut frames = FrameReader::new(tokio::io::repeat(b'x'), Clock::real());
        assert!(frames.next().await.is_err());
        assert!(frames.kept.capacity() <= 4 * FRAME_LIMIT);
    }

    #[tokio::test]
    async fn half_a_frame_that_goes_no_further_is_cut_after_10_seconds() {
        let clock = Clock::manual(chrono::DateTime::UNIX_EPOCH);
        let (near, mut far) = tokio::io::duplex(64);
        tokio::io::AsyncWriteExt::write_all(&mut far, b"{\"se").await.unwrap();
        let mut frames = FrameReader::new(near, clock.clone());
        let waiting = tokio::spawn(async move { frames.next().await });
        while !waiting.is_finished() {
            clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
        assert!(waiting.await.unwrap().is_err());
    }

    #[test]
    fn what_is_too_long_is_not_sent() {
        assert!(matches!(encode(&"x".repeat(FRAME_LIMIT)), Err(Error::TooLong { bytes: 65_538 })));
    }
}
