//! Text with secret parts: the real one for the wire, one with `***` for people.

use std::fmt;

/// A text that may hold a password or a token.
///
/// `Debug` and `Display` give the text for people, in which every secret part is `***`; only
/// [`Secret::reveal`] gives the real one, and only what is sent to the target may call it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret {
    value: String,
    shown: String,
}

impl Secret {
    /// A text that is secret as a whole.
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: value.into(), shown: "***".to_owned() }
    }

    /// A text written openly: only the password of a URL and telling query values are secret.
    pub fn plain(value: impl Into<String>) -> Self {
        let value = value.into();
        let shown = masked(&value);
        Self { value, shown }
    }

    /// A text put together from open and secret parts; `shown` has `***` in place of the latter.
    pub fn parts(value: impl Into<String>, shown: &str) -> Self {
        Self { value: value.into(), shown: masked(shown) }
    }

    /// The real text, for the wire alone.
    pub fn reveal(&self) -> &str {
        &self.value
    }

    /// The text for people.
    pub fn shown(&self) -> &str {
        &self.shown
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Names of query values that are nobody's business.
const TELLING: [&str; 7] =
    ["password", "passwd", "secret", "token", "apikey", "api_key", "signature"];

/// `text` with the password of its URL and its telling query values as `***` (P-22).
pub fn masked(text: &str) -> String {
    let (address, query) = match text.split_once('?') {
        Some((address, query)) => (address, Some(query)),
        None => (text, None),
    };
    let mut shown = mask_user(address);
    if let Some(query) = query {
        shown.push('?');
        let values: Vec<String> = query.split('&').map(mask_value).collect();
        shown.push_str(&values.join("&"));
    }
    shown
}

fn mask_user(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        return address.to_owned();
    };
    // The last @: a password may hold one itself, and hiding too much is the safe mistake.
    let Some((user, host)) = rest.rsplit_once('@') else {
        return address.to_owned();
    };
    match user.split_once(':') {
        Some((name, _)) => format!("{scheme}://{name}:***@{host}"),
        None => format!("{scheme}://{user}@{host}"),
    }
}

fn mask_value(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, _)) if TELLING.iter().any(|word| name.to_lowercase().contains(word)) => {
            format!("{name}=***")
        }
        _ => pair.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_a_url_is_never_printed() {
        let secret = Secret::plain("postgresql://user:p@ss@localhost/db?sslmode=off&token=abc");
        assert_eq!(
            format!("{secret} {secret:?}"),
            "postgresql://user:***@localhost/db?sslmode=off&token=*** \
             postgresql://user:***@localhost/db?sslmode=off&token=***"
        );
        assert!(secret.reveal().contains("p@ss"));
    }

    #[test]
    fn a_whole_secret_prints_stars() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "***");
    }
}
