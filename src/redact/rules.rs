//! The redactor: lines in, the same lines without secrets out.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use super::book::{Book, Found};
use super::shapes::{self, Part};
use super::triggers::{Family, Triggers};
use super::{exact, pem};

/// Why something was taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A value that the configuration or the environment holds as a secret.
    Exact,
    /// The password of a URL.
    Url,
    /// `Authorization`, `Cookie`, `Set-Cookie`, a bearer token.
    Header,
    /// A pair whose key speaks of a password.
    Password,
    /// A pair whose key speaks of a token.
    Token,
    /// A pair whose key speaks of a key.
    Key,
    /// A pair whose key speaks of a secret or a credential.
    Secret,
    /// A pair whose key is a data source name.
    Dsn,
    /// The inside of a PEM block.
    Pem,
    /// An access key of AWS.
    Aws,
    /// A token of GitHub or GitLab.
    GitHub,
    /// A token or a web hook of Slack.
    Slack,
    /// A JSON web token.
    Jwt,
}

impl Rule {
    /// As it stands in a replacement and in lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "known",
            Self::Url => "url",
            Self::Header => "header",
            Self::Password => "password",
            Self::Token => "token",
            Self::Key => "key",
            Self::Secret => "secret",
            Self::Dsn => "dsn",
            Self::Pem => "pem",
            Self::Aws => "aws",
            Self::GitHub => "github",
            Self::Slack => "slack",
            Self::Jwt => "jwt",
        }
    }
}

/// What goes on from one piece of a text to the next.
#[derive(Clone, Debug, Default)]
pub struct Pass {
    /// How many lines an open PEM block may still have.
    pem: u32,
    /// Lines seen so far.
    lines: u64,
}

impl Pass {
    /// Lines seen so far; a last one without its newline counts.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Something is left out here: an open block does not go on behind it.
    pub fn cut(&mut self) {
        self.pem = 0;
    }

    /// Goes on in the middle of a text that begins with `next`: where a block ends in it that
    /// never began, its lines are secret, too.
    pub fn begin_within(&mut self, next: &[u8]) {
        let begin = memchr::memmem::find(next, b"-----BEGIN ").unwrap_or(usize::MAX);
        if memchr::memmem::find(next, b"-----END ").is_some_and(|end| end < begin) {
            self.pem = pem::LONGEST;
        }
    }
}

/// Takes secrets out of lines. Made once; where and what it found is in a [`Book`].
pub struct Redactor {
    triggers: Triggers,
    /// Every form of every known secret, with the place of that secret in `secrets`.
    forms: Vec<(Vec<u8>, usize)>,
    secrets: Vec<String>,
    search: Option<aho_corasick::AhoCorasick>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} known secrets)", self.secrets.len())
    }
}

impl Default for Redactor {
    fn default() -> Self {
        Self::new([])
    }
}

impl Redactor {
    /// One that knows these secrets, beside all shapes. Values under six bytes are left out: they
    /// stand everywhere.
    pub fn new<'a>(known: impl IntoIterator<Item = &'a str>) -> Self {
        let mut secrets: Vec<String> = known.into_iter().map(str::to_owned).collect();
        // A secret within another: the longer one is met first.
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        secrets.retain(|secret| secret.len() >= exact::SHORTEST);
        let mut forms = BTreeMap::new();
        for (place, secret) in secrets.iter().enumerate() {
            for form in exact::forms(secret) {
                forms.entry(form).or_insert(place);
            }
        }
        let forms: Vec<(Vec<u8>, usize)> = forms.into_iter().collect();
        let bytes: Vec<Vec<u8>> = forms.iter().map(|(form, _)| form.clone()).collect();
        let search = aho_corasick::AhoCorasickBuilder::new()
            .match_kind(aho_corasick::MatchKind::LeftmostLongest)
            .build(&bytes)
            .ok()
            .filter(|_| !bytes.is_empty());
        Self { triggers: Triggers::new(&bytes), forms, secrets, search }
    }

    /// How many secrets are known by their value.
    pub fn known(&self) -> usize {
        self.secrets.len()
    }

    /// Whether nothing in `text` needs a closer look: most texts, at almost no cost.
    pub fn is_clean(&self, text: &[u8]) -> bool {
        self.triggers.begin(text).next(0).is_none()
    }

    /// Where the beginning of a known secret stands at the end of `text`, which was cut there.
    pub fn half(&self, text: &str) -> Option<usize> {
        const LEAST: usize = 8;
        let text = text.trim_end_matches(['…', ' ', '.']).as_bytes();
        let begins = self.forms.iter().filter_map(|(form, _)| {
            let head = form.get(..LEAST)?;
            let near = text.len().saturating_sub(form.len());
            let tail = text.get(near..)?;
            let at = memchr::memmem::find_iter(tail, head)
                .find(|at| tail.get(*at..).is_some_and(|rest| form.starts_with(rest)))?;
            Some(near + at)
        });
        begins.min()
    }

    /// The values it knows, for a process that is to know them too.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(String::as_str)
    }

    /// Appends `text` to `out` without its secrets. `text` is whole lines, or the last of them.
    pub fn lines(&self, text: &[u8], pass: &mut Pass, book: &mut Book, out: &mut Vec<u8>) {
        let mut hits = self.triggers.begin(text);
        let mut at = 0;
        while at < text.len() {
            let (from, family) = if pass.pem > 0 {
                (at, Family::PEM)
            } else {
                match hits.next(at) {
                    None => break,
                    Some(hit) => {
                        let before = text.get(at..hit.at).unwrap_or_default();
                        let begin = memchr::memrchr(b'\n', before).map_or(at, |n| at + n + 1);
                        (begin, Family::default())
                    }
                }
            };
            let clean = text.get(at..from).unwrap_or_default();
            pass.lines += newlines(clean);
            out.extend_from_slice(clean);
            let rest = text.get(from..).unwrap_or_default();
            let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
            let end = from + length;
            let family = family.with(hits.until(end));
            pass.lines += 1;
            let line = rest.get(..length).unwrap_or_default();
            self.line(line, family, pass, book, out);
            at = end;
        }
        let clean = text.get(at..).unwrap_or_default();
        pass.lines += newlines(clean) + u64::from(!clean.is_empty() && !clean.ends_with(b"\n"));
        out.extend_from_slice(clean);
    }

    /// One text of one or more lines without its secrets, for what is not a stream.
    pub fn text(&self, text: &str, book: &mut Book) -> String {
        let mut out = Vec::with_capacity(text.len());
        self.lines(text.as_bytes(), &mut Pass::default(), book, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn line(
        &self,
        line: &[u8],
        family: Family,
        pass: &mut Pass,
        book: &mut Book,
        out: &mut Vec<u8>,
    ) {
        let ended = line.strip_suffix(b"\n");
        let text = ended.unwrap_or(line);
        let mut parts = Vec::new();
        let mut known = Vec::new();
        if family.has(Family::EXACT)
            && let Some(search) = &self.search
        {
            for hit in search.find_iter(text) {
                known.push((hit.range(), hit.pattern().as_usize()));
            }
        }
        if family.has(Family::PEM) {
            let (range, open) = pem::within(text, pass.pem);
            pass.pem = open;
            parts.extend(range.map(|range| Part { range, rule: Rule::Pem }));
        }
        if family.has(Family::URL) {
            shapes::urls(text, &mut parts);
        }
        if family.has(Family::HEADER) {
            shapes::headers(text, &mut parts);
        }
        if family.has(Family::PAIR) {
            shapes::pairs(text, &mut parts);
        }
        if family.has(Family::TOKEN) {
            shapes::tokens(text, &mut parts);
        }
        let parts = joined(parts, &known);
        let mut at = 0;
        for (range, rule, form) in parts {
            out.extend_from_slice(text.get(at..range.start).unwrap_or_default());
            let here = text.get(range.clone()).unwrap_or_default();
            // Whatever form it was in, one secret has one number.
            let secret = form
                .and_then(|form| self.forms.get(form))
                .and_then(|(_, place)| self.secrets.get(*place))
                .map_or(here, String::as_bytes);
            book.write(out, Found { rule, line: pass.lines, bytes: here.len() }, secret);
            at = range.end;
        }
        out.extend_from_slice(text.get(at..).unwrap_or_default());
        if ended.is_some() {
            out.push(b'\n');
        }
    }
}

type Cut = (Range<usize>, Rule, Option<usize>);

/// All parts in order; those that overlap are one. A known secret that is all or nearly all of a
/// part gives it its number.
fn joined(parts: Vec<Part>, known: &[(Range<usize>, usize)]) -> Vec<Cut> {
    let mut all: Vec<Cut> = known
        .iter()
        .map(|(range, form)| (range.clone(), Rule::Exact, Some(*form)))
        .chain(parts.into_iter().map(|part| (part.range, part.rule, None)))
        .filter(|(range, ..)| !range.is_empty())
        .collect();
    all.sort_by_key(|(range, _, form)| (range.start, form.is_none(), std::cmp::Reverse(range.end)));
    let mut cuts: Vec<Cut> = Vec::new();
    for (range, rule, form) in all {
        match cuts.last_mut() {
            Some(last) if range.start < last.0.end => {
                // What is left of the other form is no whole secret of its own.
                let wider = range.end > last.0.end;
                last.2 = match (last.2, form) {
                    (Some(one), Some(other)) if one != other => None,
                    (Some(one), _) | (None, Some(one)) => (last.0.len().max(range.len())
                        < 2 * last.0.len().min(range.len()))
                    .then_some(one),
                    (None, None) => None,
                };
                if last.1 == Rule::Exact {
                    last.1 = rule;
                }
                if wider {
                    last.0.end = range.end;
                }
            }
            Some(_) | None => cuts.push((range, rule, form)),
        }
    }
    cuts
}

fn newlines(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}
