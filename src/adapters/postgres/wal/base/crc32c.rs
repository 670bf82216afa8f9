//! The checksum of a manifest's files.

/// One step of CRC-32C (Castagnoli), by a table of all bytes.
pub(super) fn crc32c(mut crc: u32, bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    for byte in bytes {
        let at = usize::from((crc.to_le_bytes()[0]) ^ byte);
        crc = crc >> 8 ^ TABLE.get(at).copied().unwrap_or_default();
    }
    crc
}

#[expect(clippy::indexing_slicing, reason = "made when it is compiled, over its own length")]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    let mut value = 0_u32;
    while at < 256 {
        let mut crc = value;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
        value += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_castagnoli() {
        assert_eq!(!crc32c(!0, b"123456789"), 0xe306_9283);
        assert_eq!(!crc32c(!0, b""), 0);
    }
}
