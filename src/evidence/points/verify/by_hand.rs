//! The files of a point that was made by hand, and the sums that lie beside them.

use std::collections::BTreeMap;
use std::path::Path;

use crate::model::ids::Digest;

use super::super::{DATA, DATABASE, small};

/// What `sha256sum` wrote of a point that was made by hand (S-45: checksums if available).
pub(super) const SUMS: &str = "checksums.sha256";

/// The digests that a point made by hand says of its files, by path; lines that are none are left
/// out.
pub fn sums(folder: &Path) -> BTreeMap<String, Digest> {
    let text = small(&folder.join(SUMS)).unwrap_or_default();
    let line = |line: &str| {
        let (digest, path) = line.split_once("  ").or_else(|| line.split_once(" *"))?;
        let plain = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        let path = path.strip_prefix("./").unwrap_or(path);
        plain.then(|| (path.to_owned(), Digest(digest.to_ascii_lowercase())))
    };
    text.lines().filter_map(line).collect()
}

/// The files of a point that was made by hand: the known ones, and all that it has a sum of.
pub(super) fn by_hand(folder: &Path) -> Vec<String> {
    let mut found: Vec<String> = sums(folder).into_keys().collect();
    for name in ["images.txt", "docker-compose.yml", ".env", DATA, DATABASE, "timestamp.txt"] {
        if folder.join(name).exists() && !found.iter().any(|known| known == name) {
            found.push(name.to_owned());
        }
    }
    found
}
