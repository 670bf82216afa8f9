//! Unpacks a compressed stream in a thread of its own, so that two processors share the work.

use std::io::{self, BufReader, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::Scope;

use flate2::bufread::MultiGzDecoder;

/// The size of what is handed over at once, in bytes.
const CHUNK: usize = 256 * 1024;
/// How many of them may wait.
const WAITING: usize = 8;

/// The plain bytes of a stream that another thread unpacks.
pub(super) struct Stream {
    filled: Receiver<io::Result<Vec<u8>>>,
    empty: Sender<Vec<u8>>,
    now: Vec<u8>,
    at: usize,
    over: bool,
}

impl Stream {
    /// Begins to unpack `from`; the thread ends with the stream or when this is dropped.
    pub(super) fn begin<'scope, R: Read + Send + 'scope>(
        scope: &'scope Scope<'scope, '_>,
        from: R,
    ) -> Self {
        let (give, filled) = sync_channel(WAITING);
        let (empty, again) = channel();
        scope.spawn(move || unpack(from, &give, &again));
        Self { filled, empty, now: Vec::new(), at: 0, over: false }
    }
}

fn unpack(from: impl Read, give: &SyncSender<io::Result<Vec<u8>>>, again: &Receiver<Vec<u8>>) {
    let mut plain = MultiGzDecoder::new(BufReader::with_capacity(CHUNK, from));
    loop {
        let mut chunk = again.try_recv().unwrap_or_default();
        chunk.resize(CHUNK, 0);
        let mut filled = 0;
        let ended = loop {
            let Some(rest) = chunk.get_mut(filled..).filter(|rest| !rest.is_empty()) else {
                break None;
            };
            match plain.read(rest) {
                Ok(0) => break Some(Ok(())),
                Ok(count) => filled += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => break Some(Err(e)),
            }
        };
        chunk.truncate(filled);
        // Nobody takes it any more: whoever reads has ended.
        if give.send(Ok(chunk)).is_err() {
            return;
        }
        match ended {
            None => {}
            Some(Ok(())) => return,
            Some(Err(e)) => {
                give.send(Err(e)).ok();
                return;
            }
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.now.len() {
            if self.over {
                return Ok(0);
            }
            match self.filled.recv() {
                Ok(Ok(next)) => {
                    self.at = 0;
                    self.empty.send(std::mem::replace(&mut self.now, next)).ok();
                }
                Ok(Err(e)) => {
                    self.over = true;
                    return Err(e);
                }
                Err(_) => self.over = true,
            }
        }
        let rest = self.now.get(self.at..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(into), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            into.copy_from_slice(from);
        }
        self.at += count;
        Ok(count)
    }
}
