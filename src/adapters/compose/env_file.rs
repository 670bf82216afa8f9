//! One variable of an `.env` file, the rest of it left to the byte.

use std::fs;
use std::path::Path;

use crate::adapters::{Error, Kind, replace::replace};

/// Puts `name` to `value` by rename; whether anything had to change. Of several lines the last
/// counts, as for compose.
pub(crate) fn put(path: &Path, name: &str, value: &str) -> Result<bool, Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if value.is_empty() || !value.chars().all(plain) {
        let message = format!("could not put {name} in {}: not a plain value", path.display());
        return Err(Error::new(Kind::Rejected, message));
    }
    let mut text = read(path)?;
    if let Some(range) = place(&text, name) {
        if text.get(range.clone()).is_some_and(|there| unquoted(there.trim()) == value) {
            return Ok(false);
        }
        text.replace_range(range, value);
    } else {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.extend([name, "=", value, "\n"]);
    }
    replace(path, text.as_bytes())?;
    Ok(true)
}

/// What `name` is.
pub(crate) fn get(path: &Path, name: &str) -> Result<Option<String>, Error> {
    let text = read(path)?;
    let found = place(&text, name).and_then(|range| text.get(range).map(str::trim));
    Ok(found.map(|value| unquoted(value).to_owned()))
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|e| Error::io("read", path.display(), &e))
}

/// Where the value of `name` stands, without the end of its line.
fn place(text: &str, name: &str) -> Option<std::ops::Range<usize>> {
    let mut at = 0;
    let mut found = None;
    for line in text.split_inclusive('\n') {
        if let Some((key, _)) = line.split_once('=') {
            let bare = key.trim();
            let bare = bare.strip_prefix("export ").map_or(bare, str::trim);
            if bare == name {
                let end = at + line.trim_end_matches(['\r', '\n']).len();
                found = Some(at + key.len() + 1..end);
            }
        }
        at += line.len();
    }
    found
}

fn unquoted(value: &str) -> &str {
    let within = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &Path, name: &str) -> Option<String> {
        let text = read(path).unwrap();
        place(&text, name).map(|range| unquoted(text[range].trim()).to_owned())
    }

    #[test]
    fn one_value_changes_and_every_other_byte_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".env");
        let before = "# IMAGE_TAG=no\r\nA='x=1'\r\n\nexport IMAGE_TAG=v2.5.0\r\nZ=\u{e4} # é";
        fs::write(&path, before).unwrap();
        assert_eq!(get(&path, "IMAGE_TAG").as_deref(), Some("v2.5.0"));
        assert!(put(&path, "IMAGE_TAG", "v2.4.9").unwrap());
        let after = fs::read_to_string(&path).unwrap();
        assert_eq!(after, before.replace("v2.5.0", "v2.4.9"));
        assert!(!put(&path, "IMAGE_TAG", "v2.4.9").unwrap(), "nothing to do");
        assert!(put(&path, "ACTIVE", "blue").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{after}\nACTIVE=blue\n"));
        assert_eq!(get(&path, "A").as_deref(), Some("x=1"));
        assert!(put(&path, "ACTIVE", "a b\nX=1").is_err());
    }

    #[test]
    fn rights_stay_and_nothing_is_left_beside() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".env");
        fs::write(&path, "A=1\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        put(&path, "A", "2").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
