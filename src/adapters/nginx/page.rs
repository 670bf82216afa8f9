//! The maintenance page where the included file names the upstream: another upstream of the same
//! name that answers 503 itself. Which colour it stands over is its first line.

use crate::adapters::{Error, Kind};
use crate::model::ids::Color;

use super::{Nginx, SAYS};

/// Where the page is served, inside nginx alone.
const LISTEN: &str = "127.0.0.1:61503";
const FIRST: &str = "# backout holds the maintenance page over ";

/// The page over `color`, whose file is `text`; nothing where that names no upstream.
pub(super) fn over(color: &Color, text: &str) -> Option<String> {
    let mut words = text.split_whitespace();
    words.find(|word| *word == "upstream")?;
    let name = words.next()?.trim_end_matches('{');
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let good = !name.is_empty() && name.chars().all(plain);
    good.then(|| {
        format!(
            "{FIRST}{color}\n\
             upstream {name} {{ server {LISTEN}; }}\n\
             server {{\n  listen {LISTEN};\n  default_type text/plain;\n  \
             add_header Retry-After 60 always;\n  \
             location / {{ return 503 \"{SAYS}\\n\"; }}\n}}\n"
        )
    })
}

/// The colour that a page stands over; nothing where `text` is none.
pub(super) fn stands_over(text: &[u8]) -> Option<Color> {
    let text = std::str::from_utf8(text).ok()?;
    let color = text.strip_prefix(FIRST)?.lines().next()?;
    Some(Color::from(color))
}

impl Nginx {
    /// The page over `color` in the included file itself, where nginx has no file of its own for
    /// pages.
    pub(super) fn page_over(&self, color: &Color) -> Option<Vec<u8>> {
        if self.settings.hold_include.is_some() {
            return None;
        }
        let text = self.bytes_of(color).ok()?;
        over(color, &String::from_utf8_lossy(&text)).map(String::into_bytes)
    }

    /// Whether the page is held in the included file itself.
    pub(super) fn page_in_include(&self) -> bool {
        self.settings.colors.keys().next().is_some_and(|color| self.page_over(color).is_some())
    }

    /// What the included file becomes when the page is held or lifted.
    pub(super) fn include_text(&self, held: bool) -> String {
        let color = self.written().ok().flatten();
        let bytes =
            color.and_then(
                |color| {
                    if held { self.page_over(&color) } else { self.bytes_of(&color).ok() }
                },
            );
        String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
    }

    /// Holds or lifts the page in the included file itself.
    pub(super) async fn hold_in_include(
        &self,
        held: bool,
        effect: &str,
        what: &str,
    ) -> Result<(), Error> {
        let no = || {
            let include = self.settings.include.display();
            Error::new(Kind::Rejected, format!("could not {what}: {include} is no colour's"))
        };
        let color = self.written()?.ok_or_else(no)?;
        let bytes =
            if held { self.page_over(&color).ok_or_else(no)? } else { self.bytes_of(&color)? };
        self.load(&self.settings.include, &bytes, effect, what).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_keeps_the_upstream_s_name_and_says_what_it_stands_over() {
        let blue = Color::from("blue");
        let page =
            over(&blue, "# ours\nupstream app { server app-blue:8080 max_fails=0; }").unwrap();
        assert!(page.contains("\nupstream app { server 127.0.0.1:61503; }\n"), "{page}");
        assert_eq!(stands_over(page.as_bytes()), Some(blue.clone()));
        assert_eq!(stands_over(b"upstream app { server a:1; }"), None);
        assert_eq!(over(&blue, "proxy_pass http://app-blue:8080;"), None);
        assert_eq!(over(&blue, "upstream $where { }"), None);
    }
}
