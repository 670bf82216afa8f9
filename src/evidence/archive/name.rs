//! Names of entries: a path below the folder that is restored, or a violation.

use super::NAME;

/// The path that `raw` names, without its leading `./`; empty for the folder itself.
pub(super) fn path(raw: &[u8]) -> Result<String, String> {
    if raw.len() as u64 > NAME {
        return Err(format!("has a name of {} bytes, {NAME} are the most", raw.len()));
    }
    let text = std::str::from_utf8(raw).map_err(|_| "has a name that is not UTF-8".to_owned())?;
    if text.chars().any(char::is_control) {
        return Err("has a name with control characters".to_owned());
    }
    if text.starts_with('/') {
        return Err("has an absolute name".to_owned());
    }
    let mut parts = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err("has .. in its name".to_owned()),
            part if part.len() > 255 => {
                return Err(format!("has a name with a part of {} bytes", part.len()));
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// What the link at `path` names: relative, and inside the archive wherever it is followed.
pub(super) fn link(path: &str, raw: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(raw).map_err(|_| "is a link to no UTF-8".to_owned())?;
    if text.is_empty() || text.len() as u64 > NAME || text.chars().any(char::is_control) {
        return Err("is a link to something unreadable".to_owned());
    }
    let mut depth = path.split('/').count().saturating_sub(1);
    let outside = || Err(format!("is a link out of the archive, to {text:?}"));
    if text.starts_with('/') {
        return outside();
    }
    let mut down = false;
    for part in text.split('/') {
        match part {
            "" | "." => {}
            // `a/../b` is somewhere else when `a` is a link itself.
            ".." if depth == 0 || down => return outside(),
            ".." => depth -= 1,
            _ => {
                depth += 1;
                down = true;
            }
        }
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_below_and_loses_what_says_nothing() {
        for (raw, wanted) in
            [("./a/b", "a/b"), ("a//b/", "a/b"), ("./", ""), (".", ""), ("..a/b..", "..a/b..")]
        {
            assert_eq!(path(raw.as_bytes()).as_deref(), Ok(wanted));
        }
        for raw in [&b"/a"[..], b"../a", b"a/../../b", b"a\x1b[2J", b"a\nb", b"a\xff", b"a\0b"] {
            assert!(path(raw).is_err(), "{raw:?}");
        }
        assert!(path("a/".repeat(3000).as_bytes()).is_err());
        assert!(path("a".repeat(256).as_bytes()).is_err());
    }

    #[test]
    fn a_link_stays_inside() {
        assert_eq!(link("a/b/l", b"../c").as_deref(), Ok("../c"));
        assert_eq!(link("l", b"a/b").as_deref(), Ok("a/b"));
        for to in ["/etc/passwd", "../x", "../../x", "b/../../x", ""] {
            assert!(link("l", to.as_bytes()).is_err(), "{to}");
        }
        assert!(link("a/l", b"../..").is_err());
        assert!(link("a/l", b"x/../../..").is_err());
    }
}
