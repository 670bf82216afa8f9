//! What every secret has somewhere: one search over everything, so that clean text costs almost
//! nothing.

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind, packed};

/// Which shapes a hit may belong to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Family(pub(super) u8);

impl Family {
    pub(super) const PAIR: Self = Self(1);
    pub(super) const HEADER: Self = Self(2);
    pub(super) const TOKEN: Self = Self(4);
    pub(super) const PEM: Self = Self(8);
    pub(super) const URL: Self = Self(16);
    pub(super) const EXACT: Self = Self(32);

    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Stems are searched as they are: in lower case, capitalized and in upper case. The rules
/// themselves do not mind the case.
const STEMS: [(&str, Family); 50] = [
    ("assword", Family::PAIR),
    ("assWord", Family::PAIR),
    ("ASSWORD", Family::PAIR),
    ("asswd", Family::PAIR),
    ("ASSWD", Family::PAIR),
    ("assphrase", Family::PAIR),
    ("ASSPHRASE", Family::PAIR),
    ("pwd", Family::PAIR),
    ("Pwd", Family::PAIR),
    ("PWD", Family::PAIR),
    ("ecret", Family::PAIR),
    ("ECRET", Family::PAIR),
    ("oken", Family::PAIR),
    ("OKEN", Family::PAIR),
    ("dsn", Family::PAIR),
    ("Dsn", Family::PAIR),
    ("DSN", Family::PAIR),
    ("redential", Family::PAIR),
    ("REDENTIAL", Family::PAIR),
    ("_key", Family::PAIR),
    ("-key", Family::PAIR),
    ("_KEY", Family::PAIR),
    ("-Key", Family::PAIR),
    ("-KEY", Family::PAIR),
    ("pikey", Family::PAIR),
    ("piKey", Family::PAIR),
    ("PIKEY", Family::PAIR),
    ("PIKey", Family::PAIR),
    ("ssKey", Family::PAIR),
    ("teKey", Family::PAIR),
    ("uthorization", Family::HEADER),
    ("UTHORIZATION", Family::HEADER),
    ("ookie", Family::HEADER),
    ("OOKIE", Family::HEADER),
    ("earer ", Family::HEADER),
    ("EARER ", Family::HEADER),
    ("AKIA", Family::TOKEN),
    ("ASIA", Family::TOKEN),
    ("ghp_", Family::TOKEN),
    ("gho_", Family::TOKEN),
    ("ghs_", Family::TOKEN),
    ("ghu_", Family::TOKEN),
    ("ghr_", Family::TOKEN),
    ("glpat-", Family::TOKEN),
    ("-----BEGIN RSA", Family::PEM),
    ("github_pat_", Family::TOKEN),
    ("xox", Family::TOKEN),
    ("hooks.slack.com", Family::TOKEN),
    ("eyJ", Family::TOKEN),
    ("-----BEGIN ", Family::PEM),
];

/// The most patterns of one packed search, and the most searches before an automaton is cheaper.
const PACKED: usize = 64;
const SEARCHES: usize = 6;

/// The searches for all stems and all forms of the known secrets.
pub(super) struct Triggers {
    searches: Vec<Search>,
}

/// A place where a line has to be looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    pub(super) at: usize,
    pub(super) family: Family,
}

enum Search {
    Stems(Box<packed::Searcher>),
    /// Where the processor has no fast search.
    SlowStems(AhoCorasick),
    Exact(Box<packed::Searcher>),
    ManyExact(AhoCorasick),
    /// The end of a URL's password.
    At,
    /// Without a search every line is looked at.
    Every(Family),
}

impl Triggers {
    pub(super) fn new(exact: &[Vec<u8>]) -> Self {
        let stems: Vec<&[u8]> = STEMS.iter().map(|(stem, _)| stem.as_bytes()).collect();
        let stems = match packed(&stems) {
            Some(packed) => Search::Stems(Box::new(packed)),
            None => automaton(&stems).map_or(Search::Every(Family(!32)), Search::SlowStems),
        };
        let mut searches = vec![stems, Search::At];
        let exact: Vec<&[u8]> = exact.iter().map(Vec::as_slice).collect();
        let small: Option<Vec<Search>> = exact
            .chunks(PACKED)
            .map(|some| packed(some).map(|packed| Search::Exact(Box::new(packed))))
            .collect();
        match small.filter(|small| small.len() <= SEARCHES) {
            Some(small) => searches.extend(small),
            None => searches
                .push(automaton(&exact).map_or(Search::Every(Family::EXACT), Search::ManyExact)),
        }
        Self { searches }
    }

    /// Begins to look through `text`.
    pub(super) fn begin<'a>(&'a self, text: &'a [u8]) -> Hits<'a> {
        let next = self.searches.iter().map(|search| search.next(text, 0)).collect();
        Hits { triggers: self, text, next }
    }
}

/// The hits in one text, in order.
pub(super) struct Hits<'a> {
    triggers: &'a Triggers,
    text: &'a [u8],
    next: Vec<Option<Hit>>,
}

impl Hits<'_> {
    /// The first hit at or after `from`; `from` never goes back.
    pub(super) fn next(&mut self, from: usize) -> Option<Hit> {
        for (search, next) in self.triggers.searches.iter().zip(&mut self.next) {
            if next.is_some_and(|hit| hit.at < from) {
                *next = search.next(self.text, from);
            }
        }
        self.next.iter().flatten().min_by_key(|hit| hit.at).copied()
    }

    /// All families that hit before `end`; the hits there are used up.
    pub(super) fn until(&mut self, end: usize) -> Family {
        let mut families = Family::default();
        for (search, next) in self.triggers.searches.iter().zip(&mut self.next) {
            while let Some(hit) = next.filter(|hit| hit.at < end) {
                families = families.with(hit.family);
                *next = search.next(self.text, hit.at + 1);
            }
        }
        families
    }
}

impl Search {
    fn next(&self, text: &[u8], from: usize) -> Option<Hit> {
        let span = aho_corasick::Span { start: from.min(text.len()), end: text.len() };
        let slow = |search: &AhoCorasick| {
            let input = aho_corasick::Input::new(text).span(span);
            search.find(input).map(|hit| (hit.start(), hit.pattern().as_usize()))
        };
        let fast = |search: &packed::Searcher| {
            let hit = search.find_in(text, span);
            hit.map(|hit| (hit.start(), hit.pattern().as_usize()))
        };
        let stem = |(at, pattern): (usize, usize)| {
            let family = STEMS.get(pattern).map_or(Family(!32), |(_, family)| *family);
            Hit { at, family }
        };
        let exact = |(at, _)| Hit { at, family: Family::EXACT };
        match self {
            Self::Stems(search) => fast(search).map(stem),
            Self::SlowStems(search) => slow(search).map(stem),
            Self::Exact(search) => fast(search).map(exact),
            Self::ManyExact(search) => slow(search).map(exact),
            Self::At => memchr::memchr(b'@', text.get(span.start..)?)
                .map(|at| Hit { at: span.start + at, family: Family::URL }),
            Self::Every(family) => {
                (span.start < span.end).then_some(Hit { at: span.start, family: *family })
            }
        }
    }
}

fn packed(patterns: &[&[u8]]) -> Option<packed::Searcher> {
    packed::Config::new()
        .match_kind(packed::MatchKind::LeftmostFirst)
        .builder()
        .extend(patterns)
        .build()
}

fn automaton(patterns: &[&[u8]]) -> Option<AhoCorasick> {
    AhoCorasickBuilder::new().match_kind(MatchKind::LeftmostFirst).build(patterns).ok()
}
