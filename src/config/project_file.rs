//! The variables of a Compose project's own file: what `${NAME}` means where the environment does
//! not say. The secret stays where it is kept already.

use std::collections::BTreeMap;
use std::path::Path;

use super::file;

/// The most bytes of such a file.
const LIMIT: u64 = 1024 * 1024;

/// The variables of `path`; none where it cannot be read.
pub(super) fn read(path: &Path) -> BTreeMap<String, String> {
    let contents = file::read(path, LIMIT).ok();
    let text = contents.and_then(|contents| String::from_utf8(contents.bytes).ok());
    text.as_deref().map(variables).unwrap_or_default()
}

/// `NAME=value` a line, as Compose reads it; a later one wins. Values with variables of their own
/// are left out: they would be something else here than there.
pub fn variables(text: &str) -> BTreeMap<String, String> {
    let pair = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
        let value = value.trim();
        let quoted = |mark: char| value.strip_prefix(mark)?.split(mark).next();
        let value = match (quoted('\''), quoted('"')) {
            (Some(literal), _) => literal,
            (_, text) => {
                text.unwrap_or_else(|| value.split(" #").next().unwrap_or_default().trim())
            }
        };
        let own = value.contains('$') && quoted('\'').is_none();
        (!own && !value.is_empty()).then(|| (name.trim().to_owned(), value.to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_mean_what_compose_means_by_them() {
        let text = "# A=1\nB=2\r\nexport C = x y # note\nD='a $b # c'\nE=\"q\" # note\nF=${B}x\nG=\n\
                    H=a#b\nB=3\n=4\nnothing\n";
        let found = variables(text);
        let pairs: Vec<(&str, &str)> =
            found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let expected =
            [("", "4"), ("B", "3"), ("C", "x y"), ("D", "a $b # c"), ("E", "q"), ("H", "a#b")];
        assert_eq!(pairs, expected);
    }
}
