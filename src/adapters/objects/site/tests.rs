use serde_json::json;

use super::super::Folder;
use super::*;

fn site(dir: &std::path::Path, pointer: Option<&str>) -> Site {
    let settings = SiteSettings {
        versions: ("versions/".to_owned(), "/".to_owned()),
        current: "current/".to_owned(),
        pointer: pointer.map(str::to_owned),
        manifest: "manifest.json".to_owned(),
        at_once: 4,
    };
    Site::new(Arc::new(Folder::new(dir.to_owned())), settings)
}

fn lay(dir: &std::path::Path, prefix: &str, version: &str, files: &[(&str, &str)]) {
    let named: serde_json::Map<String, Value> = files
        .iter()
        .map(|(name, body)| ((*name).to_owned(), json!({"size": body.len()})))
        .collect();
    let manifest = json!({"version": version, "files": named}).to_string();
    for (name, body) in files.iter().copied().chain([("manifest.json", manifest.as_str())]) {
        let path = dir.join(prefix).join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, body).unwrap();
    }
}

#[tokio::test]
async fn a_version_is_put_where_users_get_it_and_what_is_not_of_it_goes() {
    let fine = |_: u64, _: u64| Ok::<(), Error>(());
    let dir = tempfile::tempdir().unwrap();
    let old = [("app.js", "old"), ("css/style.css", "a b"), ("index.html", "<p>")];
    lay(dir.path(), "versions/2.0.9", "2.0.9", &old);
    lay(dir.path(), "versions/2.0.10", "2.0.10", &[("app.js", "new"), ("more.js", "x")]);
    lay(dir.path(), "current", "2.0.10", &[("app.js", "new"), ("more.js", "x")]);
    let site = site(dir.path(), None);
    assert_eq!(site.versions().await.unwrap(), ["2.0.9", "2.0.10"], "by number");
    assert_eq!(site.live().await.unwrap().unwrap().as_str(), "2.0.10");
    let (from, named) = site.whole("2.0.9").await.unwrap();
    assert_eq!((from.objects.len(), named), (4, 3));
    assert!(!site.is_at(&from, "current/").await.unwrap());
    assert_eq!(site.put(&from, "current/", &fine).await.unwrap(), (4, 1));
    assert!(site.is_at(&from, "current/").await.unwrap());
    assert!(!dir.path().join("current/more.js").exists());
    assert_eq!(site.put(&from, "current/", &fine).await.unwrap(), (0, 0), "a repeat does nothing");
    assert_eq!(site.live().await.unwrap().unwrap().as_str(), "2.0.9");
}

#[tokio::test]
async fn the_manifest_is_the_last_that_is_put_and_a_half_is_finished_by_a_repeat() {
    let fine = |_: u64, _: u64| Ok::<(), Error>(());
    let dir = tempfile::tempdir().unwrap();
    let files = [("a.js", "1"), ("b.js", "2"), ("index.html", "<p>")];
    lay(dir.path(), "versions/1", "1", &files);
    let site = site(dir.path(), None);
    let (from, _) = site.whole("1").await.unwrap();
    let three = |done: u64, _all: u64| {
        if done < 3 { Ok(()) } else { Err(Error::new(Kind::Rejected, "ended now on request")) }
    };
    site.put(&from, "current/", &three).await.unwrap_err();
    let there = |name: &str| dir.path().join("current").join(name).exists();
    assert!(there("a.js") && there("b.js") && there("index.html") && !there("manifest.json"));
    assert!(!site.is_at(&from, "current/").await.unwrap());
    assert_eq!(site.put(&from, "current/", &fine).await.unwrap(), (1, 0));
}

#[tokio::test]
async fn a_version_that_is_not_there_or_not_whole_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    lay(dir.path(), "versions/2.0.5", "2.0.5", &[("app.js", "123"), ("style.css", "4")]);
    let site = site(dir.path(), None);
    let no = site.whole("2.0.6").await.unwrap_err();
    assert_eq!(no.kind, Kind::NotFound);
    assert!(no.message.ends_with("known are 2.0.5"), "{no}");
    std::fs::write(dir.path().join("versions/2.0.5/app.js"), "12").unwrap();
    let no = site.whole("2.0.5").await.unwrap_err();
    assert!(no.message.ends_with("app.js has 2 bytes, 3 are expected"), "{no}");
    std::fs::remove_file(dir.path().join("versions/2.0.5/style.css")).unwrap();
    let no = site.whole("2.0.5").await.unwrap_err();
    assert!(no.message.contains("2 of the 2 objects"), "{no}");
}

#[tokio::test]
async fn a_pointer_names_the_version_in_one_piece() {
    let dir = tempfile::tempdir().unwrap();
    lay(dir.path(), "versions/2.0.5", "2.0.5", &[("app.js", "1")]);
    let site = site(dir.path(), Some("current.json"));
    assert_eq!(site.live().await.unwrap(), None);
    site.point("2.0.5").await.unwrap();
    assert_eq!(site.live().await.unwrap().unwrap().as_str(), "2.0.5");
    let said = std::fs::read_to_string(dir.path().join("current.json")).unwrap();
    assert!(said.contains("versions/2.0.5/"), "{said}");
}

#[tokio::test]
async fn a_key_never_leads_out_of_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::new(dir.path().join("store"));
    for key in ["../x", "/etc/x", "a/../../x", ""] {
        let no = folder.write(key, Vec::new()).await.unwrap_err();
        assert!(no.message.contains("leads out"), "{no}");
    }
}
