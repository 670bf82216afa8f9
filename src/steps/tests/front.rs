//! The steps of a site, on a folder.

use super::*;
use crate::adapters::objects::{Folder, Site, SiteSettings};

fn store(dir: &std::path::Path) -> Arc<Front> {
    let settings = SiteSettings {
        versions: ("versions/".to_owned(), "/".to_owned()),
        current: "current/".to_owned(),
        pointer: None,
        manifest: "manifest.json".to_owned(),
        at_once: 2,
    };
    let site = Site::new(Arc::new(Folder::new(dir.to_owned())), settings);
    Arc::new(Front { site, edges: Vec::new(), mobile: None })
}

fn lay(dir: &std::path::Path, prefix: &str, files: &[(&str, &str)]) {
    fs::create_dir_all(dir.join(prefix)).unwrap();
    for (name, body) in files {
        fs::write(dir.join(prefix).join(name), body).unwrap();
    }
}

async fn published(stage: &Stage) -> StepKind {
    let content = stage.front.as_ref().unwrap().site.content("versions/1/").await.unwrap();
    let step = json!({"version": "1", "from": "versions/1/", "to": "current/", "digest": content.digest()});
    kind(json!({"publish_version": step}))
}

#[tokio::test]
async fn a_version_is_published_once_and_one_that_changed_since_the_plan_never() {
    let mut stage = Stage::new().await;
    let dir = stage.dir.path().join("store");
    lay(&dir, "versions/1", &[("a.js", "1"), ("manifest.json", "{\"version\": \"1\"}")]);
    lay(&dir, "current", &[("a.js", "2"), ("b.js", "2")]);
    stage.front = Some(store(&dir));
    let step = published(&stage).await;
    assert_eq!(stage.standing(&step).await, Standing::NotDone);
    assert_eq!(stage.run(&step).await.unwrap().as_str(), "2 objects copied, 1 removed");
    assert_eq!(stage.standing(&step).await, Standing::Done);
    assert_eq!(stage.run(&step).await.unwrap().as_str(), "0 objects copied, 0 removed");
    fs::write(dir.join("current/a.js"), "x").unwrap();
    assert_eq!(stage.standing(&step).await, Standing::NotDone, "somebody changed what users get");
    fs::write(dir.join("versions/1/a.js"), "another").unwrap();
    let Standing::Partly(why) = stage.standing(&step).await else { panic!("it has changed") };
    assert!(why.as_str().contains("has changed meanwhile"), "{why}");
    let error = stage.run(&step).await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict, "{error}");
    assert_eq!(fs::read_to_string(dir.join("current/a.js")).unwrap(), "x");
}

#[tokio::test]
async fn a_step_of_a_site_without_one_says_where_it_is_configured() {
    let stage = Stage::new().await;
    let step = kind(json!({"publish_version": {"version": "1", "from": "versions/1/"}}));
    let Standing::CannotTell(why) = stage.standing(&step).await else { panic!("there is none") };
    assert!(why.as_str().contains("platform.frontend"), "{why}");
}
