//! Names of images: `registry.local:5000/spacetime/godot:v2.4.9@sha256:…`.

/// An image's name, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    /// The name without tag and digest; a registry's port belongs to it.
    pub repository: String,
    /// The tag.
    pub tag: Option<String>,
    /// The registry's digest, in hex.
    pub digest: Option<String>,
}

impl Reference {
    /// Takes a name apart (W-10); nothing when it is none. A bare image id is none: it names no
    /// repository.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
        if text.is_empty() || !text.chars().all(plain) || text.starts_with("sha256:") {
            return None;
        }
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(hex(digest)?)),
            None => (text, None),
        };
        // A colon before a slash is a port's.
        let after = name.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match name.get(after..)?.split_once(':') {
            Some((_, tag)) => {
                (name.get(..name.len() - tag.len() - 1)?, Some(tag).filter(|tag| !tag.is_empty()))
            }
            None => (name, None),
        };
        let whole = !repository.is_empty() && !repository.ends_with('/');
        let tag = tag.map(str::to_owned);
        whole.then(|| Self { repository: repository.to_owned(), tag, digest })
    }
}

/// The hex of `sha256:…`; nothing when it is not that.
pub(super) fn hex(digest: &str) -> Option<String> {
    let hex = digest.strip_prefix("sha256:")?;
    let fine = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    fine.then(|| hex.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registrys_port_is_no_tag() {
        let parsed = |text| Reference::parse(text).map(|one| (one.repository, one.tag));
        let of = |name: &str, tag: &str| Some((name.to_owned(), Some(tag.to_owned())));
        assert_eq!(parsed("spacetime:v2.4.9"), of("spacetime", "v2.4.9"));
        assert_eq!(
            parsed("registry.local:5000/spacetime/godot:v2.4.9"),
            of("registry.local:5000/spacetime/godot", "v2.4.9")
        );
        assert_eq!(
            parsed("registry.local:5000/godot"),
            Some(("registry.local:5000/godot".to_owned(), None))
        );
        let digest = "a".repeat(64);
        let both = Reference::parse(&format!("host:1/a:t@sha256:{digest}")).unwrap();
        assert_eq!((both.tag.as_deref(), both.digest), (Some("t"), Some(digest)));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "a b", "sha256:abc", ":tag", "a@sha256:12", "a/:t", "a@b", "$(id):1"] {
            assert_eq!(Reference::parse(text), None, "{text}");
        }
    }
}
