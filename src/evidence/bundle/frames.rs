//! Bytes in, a file of zstd frames out: compressed on threads of its own, written in order.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use sha2::{Digest as _, Sha256};
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

/// What a frame holds at least, in bytes before compression; at most one file of 4 MiB more.
pub(super) const FRAME: usize = 7 * 1024 * 1024;
/// The most that a frame of ours holds.
pub(super) const LARGEST: usize = 16 * 1024 * 1024;
/// The level of the format's own tool.
const LEVEL: i32 = 3;
/// Compressing threads; each holds a frame.
const THREADS: usize = 2;

/// What became of the file.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) file: File,
    /// Frames that are in it whole.
    pub(super) frames: u64,
    /// Its length up to the last whole frame.
    pub(super) bytes: u64,
    /// The hash of so many bytes, to go on with.
    pub(super) hash: Sha256,
    /// Why not all frames are in it.
    pub(super) refused: Option<std::io::Error>,
}

/// The threads and what goes to them.
pub(super) struct Frames {
    workers: Vec<SyncSender<Vec<u8>>>,
    /// Buffers that are free again.
    spare: Receiver<Vec<u8>>,
    sent: usize,
    /// Bytes that were sent, before compression.
    raw: u64,
    tally: Arc<Tally>,
    writer: JoinHandle<Ended>,
}

/// How far the writer is, for whoever waits for it.
#[derive(Debug, Default)]
struct Tally {
    told: Mutex<Told>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// Bytes in the file.
    written: u64,
    /// What those were before compression.
    raw: u64,
    /// The writer takes no more.
    ended: bool,
}

impl Tally {
    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }
}

/// A compressed frame, and its length before.
type Packed = std::io::Result<(Vec<u8>, u64)>;

impl Frames {
    /// Begins to write at the start of `file`.
    pub(super) fn begin(file: File, threads: Option<usize>) -> std::io::Result<Self> {
        let tally = Arc::new(Tally::default());
        let threads = threads.unwrap_or(THREADS).max(1);
        let (mut workers, mut packed) = (Vec::new(), Vec::new());
        let (free, spare) = sync_channel(2 * threads + 2);
        for number in 0..threads {
            // No queue: what waits would only take memory.
            let (to_worker, raw) = sync_channel::<Vec<u8>>(0);
            let (to_writer, ready) = sync_channel::<Packed>(0);
            let free = free.clone();
            std::thread::Builder::new()
                .name(format!("bundle-{number}"))
                .spawn(move || compress(&raw, &to_writer, &free))?;
            workers.push(to_worker);
            packed.push(ready);
        }
        let told = Arc::clone(&tally);
        let writer = std::thread::Builder::new()
            .name("bundle-file".to_owned())
            .spawn(move || write(file, &packed, &told))?;
        Ok(Self { workers, spare, sent: 0, raw: 0, tally, writer })
    }

    /// Takes the bytes of one frame and gives an empty buffer back.
    pub(super) fn send(&mut self, buffer: &mut Vec<u8>) {
        let next = self.spare.try_recv().unwrap_or_default();
        let full = std::mem::replace(buffer, next);
        buffer.clear();
        self.raw += full.len() as u64;
        let number = self.sent;
        let worker = self.workers.get(number % self.workers.len().max(1));
        // A writer that the disk refused takes no more; it says so at the end.
        if let Some(worker) = worker {
            worker.send(full).ok();
        }
        self.sent += 1;
    }

    /// The number of the next frame.
    pub(super) fn next(&self) -> u64 {
        self.sent as u64
    }

    /// Whether the file holds `total` bytes or more. What is still being compressed counts at its
    /// full length first; only where that decides is it waited for.
    pub(super) fn reached(&self, total: u64) -> bool {
        let told = self.tally.told.lock().unwrap_or_else(PoisonError::into_inner);
        let undecided = |told: &mut Told| {
            let under_way = self.raw.saturating_sub(told.raw);
            !told.ended
                && told.written < total
                && told.written + under_way >= total
                && under_way > 0
        };
        let told = self.tally.changed.wait_while(told, undecided);
        told.unwrap_or_else(PoisonError::into_inner).written >= total
    }

    /// Waits for everything that was sent.
    pub(super) fn end(self) -> std::io::Result<Ended> {
        drop(self.workers);
        self.writer.join().map_err(|_| std::io::Error::other("the writing thread ended early"))
    }
}

/// One frame.
pub(super) fn frame(raw: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut compressor = Compressor::new(LEVEL)?;
    compressor.set_parameter(CParameter::ChecksumFlag(true))?;
    compressor.compress(raw)
}

fn compress(raw: &Receiver<Vec<u8>>, to: &SyncSender<Packed>, free: &SyncSender<Vec<u8>>) {
    let compressor = Compressor::new(LEVEL).and_then(|mut compressor| {
        compressor.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(compressor)
    });
    let mut compressor = match compressor {
        Ok(compressor) => compressor,
        Err(error) => {
            to.send(Err(error)).ok();
            return;
        }
    };
    while let Ok(buffer) = raw.recv() {
        let packed = compressor.compress(&buffer).map(|mut packed| {
            // It was made as large as it could have become.
            packed.shrink_to_fit();
            (packed, buffer.len() as u64)
        });
        free.try_send(buffer).ok();
        if to.send(packed).is_err() {
            return;
        }
    }
}

fn write(mut file: File, packed: &[Receiver<Packed>], tally: &Tally) -> Ended {
    let mut ended = (0_u64, 0_u64, Sha256::new(), None);
    for ready in packed.iter().cycle() {
        let Ok(next) = ready.recv() else { break };
        let done = next.and_then(|(bytes, raw)| {
            file.write_all(&bytes)?;
            ended.2.update(&bytes);
            Ok((bytes.len() as u64, raw))
        });
        match done {
            Ok((bytes, raw)) => {
                ended.0 += 1;
                ended.1 += bytes;
                tally.tell(|told| {
                    told.written += bytes;
                    told.raw += raw;
                });
            }
            Err(error) => {
                ended.3 = Some(error);
                break;
            }
        }
    }
    tally.tell(|told| told.ended = true);
    let (frames, bytes, hash, mut refused) = ended;
    // A frame that is there in part only would end every reading.
    let whole = file.set_len(bytes).and_then(|()| file.seek(SeekFrom::Start(bytes)));
    if let Err(error) = whole {
        refused.get_or_insert(error);
    }
    Ended { file, frames, bytes, hash, refused }
}
