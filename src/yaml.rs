//! How YAML is read, one way for every file: in the words of version 1.2, where `no` is a text and
//! only `true` and `false` are truths, and without limits that a large file of manifests would meet.

use serde::de::DeserializeOwned;
use serde_saphyr::{Options, options};

fn ours() -> Options {
    options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        budget: None,
        with_snippet: false,
    }
}

/// Reads the only document of a text; why it cannot, with the line.
pub fn one<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_saphyr::from_str_with_options(text, ours()).map_err(|error| error.to_string())
}

/// Reads every document of a text, empty ones left out; why it cannot, with the line.
pub fn all<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, String> {
    serde_saphyr::from_multiple_with_options(text, ours()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn words_of_older_versions_are_texts() {
        let read: Value = one("a: no\nb: on\nc: y\nd: true\ne: 010\nf: 12:30\ng: 1_0").unwrap();
        let texts = ["a", "b", "c", "e", "f", "g"].map(|key| read[key].as_str().unwrap());
        assert_eq!(texts, ["no", "on", "y", "010", "12:30", "1_0"]);
        assert_eq!(read["d"], true);
    }

    #[test]
    fn tags_of_compose_and_merged_keys_are_read_through() {
        let read: Value = one("a: &a {x: 1}\nb: {<<: *a, y: !reset 2}").unwrap();
        assert_eq!(read["b"], json!({"x": 1, "y": 2}));
    }

    #[test]
    fn a_key_that_is_there_twice_is_refused_with_its_line() {
        let why = one::<Value>("a: 1\na: 2").unwrap_err();
        assert!(why.contains("line 2") && why.contains('a') && !why.contains('\n'), "{why}");
    }

    #[test]
    fn thousands_of_documents_are_read_and_empty_ones_left_out() {
        let text = "---\na: 1\n---\n# nothing\n".repeat(3000);
        assert_eq!(all::<Value>(&text).unwrap().len(), 3000);
    }
}
