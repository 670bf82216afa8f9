//! A dump of Redis (RDB), read through: that it is one, that it is whole, and that no bit of it
//! changed since the server wrote it.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use crate::adapters::{Error, Kind};

/// What every dump begins with, before four digits of its version.
const MAGIC: &[u8] = b"REDIS";
/// What ends the keys.
const END: u8 = 0xff;
/// Bytes of the checksum behind that.
const SUM: usize = 8;
/// The polynomial of the checksum, lowest bit first (CRC-64 of Jones).
const POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5;

fn table() -> Vec<u64> {
    let of = |byte: u64| (0..8).fold(byte, |sum, _| (sum >> 1) ^ (POLYNOMIAL * (sum & 1)));
    (0..256).map(of).collect()
}

fn added(table: &[u64], sum: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(sum, |sum, byte| {
        let at = usize::try_from((sum ^ u64::from(*byte)) & 0xff).unwrap_or_default();
        table.get(at).copied().unwrap_or_default() ^ (sum >> 8)
    })
}

/// Reads the dump at `path` through; its bytes, and whether it carries a checksum that was right.
///
/// Fails with `Rejected` for one that is cut short, changed, or no dump.
pub fn read_through(path: &Path) -> Result<(u64, bool), Error> {
    let io = |e: std::io::Error| Error::io("read", path.display(), &e);
    let no = |why: &str| {
        let message = format!("could not use {}: {why}", path.display());
        Error::new(Kind::Rejected, message)
    };
    let mut file = BufReader::with_capacity(256 * 1024, File::open(path).map_err(io)?);
    let mut head = [0; 9];
    file.read_exact(&mut head).map_err(|_| no("it is no dump of Redis: too short"))?;
    let (magic, version) = head.split_at(MAGIC.len());
    if magic != MAGIC || !version.iter().all(u8::is_ascii_digit) {
        return Err(no("it is no dump of Redis"));
    }
    let table = table();
    let (mut sum, mut bytes) = (added(&table, 0, &head), head.len() as u64);
    // The last bytes are the checksum, which is not in itself.
    let mut held: Vec<u8> = Vec::new();
    let mut last = 0;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = file.read(&mut buffer).map_err(io)?;
        if count == 0 {
            break;
        }
        bytes += count as u64;
        held.extend_from_slice(buffer.get(..count).unwrap_or_default());
        let through: Vec<u8> = held.drain(..held.len().saturating_sub(SUM)).collect();
        sum = added(&table, sum, &through);
        last = through.last().copied().unwrap_or(last);
    }
    let said = <[u8; SUM]>::try_from(held.as_slice()).map(u64::from_le_bytes);
    match said {
        Ok(_) if last != END => Err(no("it is cut short: its end is not the end of a dump")),
        // A server that is told to writes none.
        Ok(0) => Ok((bytes, false)),
        Ok(said) if said == sum => Ok((bytes, true)),
        Ok(_) => Err(no("its checksum is another: it is damaged")),
        Err(_) => Err(no("it is cut short")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    fn whole() -> Vec<u8> {
        let mut bytes = b"REDIS0011\xfe\x00\xfb\x01\x00\x00\x01a\x01b\xff".to_vec();
        let sum = added(&table(), 0, &bytes);
        bytes.extend(sum.to_le_bytes());
        bytes
    }

    #[test]
    fn the_checksum_is_that_of_redis() {
        assert_eq!(added(&table(), 0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    }

    #[test]
    fn a_whole_dump_passes_and_one_that_is_cut_short_or_flipped_does_not() {
        let bytes = whole();
        let count = bytes.len() as u64;
        assert_eq!(read_through(written(&bytes).path()), Ok((count, true)));
        for cut in [3, 9, 15, bytes.len() - 1] {
            let refused = read_through(written(&bytes[..cut]).path()).unwrap_err();
            assert_eq!(refused.kind, Kind::Rejected, "{refused}");
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 4;
            assert!(read_through(written(&flipped).path()).is_err(), "byte {at}");
        }
        let mut none = bytes;
        let end = none.len();
        none[end - 8..].fill(0);
        assert_eq!(read_through(written(&none).path()), Ok((count, false)));
    }
}
