//! The folder table of the design, held against every `crate::` path of the sources.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What each folder may use besides itself. `cli` and `main` may use everything.
fn table() -> BTreeMap<&'static str, Vec<&'static str>> {
    let rows: [(&str, &str); 14] = [
        ("model", "text"),
        ("journal", "model text clock bug"),
        ("link", "model text adapters::process clock"),
        ("redact", ""),
        ("evidence", "model text adapters redact"),
        ("adapters", "model text clock redact bug yaml"),
        ("checks", "model adapters text clock"),
        ("steps", "model adapters checks evidence redact text clock bug yaml"),
        ("config", "model adapters checks steps redact text yaml"),
        ("report", "model text yaml"),
        (
            "engine",
            "model journal link evidence redact adapters checks steps config report clock text yaml failure bug",
        ),
        ("tui", "model journal link config report clock failure text yaml"),
        ("demo", "model adapters evidence clock text failure yaml"),
        ("logging", ""),
    ];
    rows.into_iter().map(|(folder, may)| (folder, may.split(' ').collect())).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Code before the first `#[cfg(test)]` module, without comments.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let end = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
    text[..end]
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn every_folder_uses_only_what_the_design_lets_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let table = table();
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 50, "the sources were not found");
    let mut wrong = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        if inside.to_string_lossy().contains("tests") {
            continue;
        }
        let folder =
            inside.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned();
        let Some(may) = table.get(folder.as_str()) else { continue };
        let code = code(&file);
        for used in code.split("crate::").skip(1) {
            let path: String = used
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':')
                .collect();
            let first = path.split("::").next().unwrap_or_default();
            let fine = first == folder
                || first.is_empty()
                || may.iter().any(|may| path == *may || path.starts_with(&format!("{may}::")));
            if !fine {
                wrong.push(format!("{}: crate::{path}", inside.display()));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "against the table of folders:\n{}", wrong.join("\n"));
}

#[test]
fn only_one_tls_provider_is_in_the_tree() {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
    let lock = std::fs::read_to_string(lock).unwrap();
    assert!(!lock.contains("name = \"aws-lc-rs\""), "two providers make rustls panic at first use");
}
