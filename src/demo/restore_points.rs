//! Takes restore points of the stack, as `backup now` does.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::adapters::Error;
use crate::adapters::sqlite::SqliteDatabase;
use crate::evidence::Saved;
use crate::evidence::manifest::PointKind;
use crate::evidence::points::{self, Order};
use crate::text::SafeText;

use super::layout::Layout;

/// The image name of the app, as `images.txt` and the compose file have it.
pub const IMAGE: &str = "backout-demo/app";

/// Saves the present configuration, files and database as the restore point of `at`, and returns
/// its id. It appears under its name only when it is whole.
pub async fn take(layout: &Layout, version: &str, at: DateTime<Utc>) -> Result<String, Error> {
    let order = Order {
        folder: layout.at("backups"),
        kind: PointKind::Backup,
        at,
        version: SafeText::new(version),
        images: vec![SafeText::new(&format!("{IMAGE}:{version}"))],
        made: vec![("docker-compose.yml".to_owned(), compose(version).into_bytes())],
        saved: Saved {
            base: layout.dir().to_owned(),
            files: vec![layout.at(".env"), layout.at("config/app.yaml")],
            data: Some(layout.at("data/files")),
            ..Saved::default()
        },
        database: Some(Arc::new(SqliteDatabase::new(layout.database()))),
        cache: None,
    };
    points::take(&order, &|_, _, _| {}).await.map(|point| point.id.0)
}

fn compose(version: &str) -> String {
    format!(
        "services:\n  app:\n    image: {IMAGE}:{version}\n    env_file: .env\n    \
         command: [\"__demo\", \"app\"]\n    volumes:\n      - ./config:/config:ro\n      \
         - data:/data\nvolumes:\n  data: {{}}\n"
    )
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Read;
    use std::path::Path;

    use flate2::read::MultiGzDecoder;

    use crate::adapters::database::Database as _;
    use crate::evidence::archive::{Expected, Job, Limits, unpack};

    use super::super::database::{rows, schema};
    use super::super::stage::Stage;
    use super::*;

    fn text(path: &Path) -> String {
        let mut text = String::new();
        MultiGzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
        text
    }

    #[tokio::test]
    async fn a_restore_point_has_the_layout_and_the_contents_to_restore_from() {
        let stage = Stage::full().await;
        let at: DateTime<Utc> = "2026-11-22T01:02:03Z".parse().unwrap();
        let id = take(&stage.layout, "v2.4.9", at).await.unwrap();
        assert_eq!(id, "20261122-010203");
        let folder = stage.layout.at("backups");
        let point = folder.join(&id);
        let read = |name: &str| fs::read_to_string(point.join(name)).unwrap();
        assert_eq!(read("images.txt"), "backout-demo/app:v2.4.9\n");
        assert_eq!(read("timestamp.txt"), format!("{}\n", at.timestamp()));
        assert_eq!(read("schema.txt"), "104\n");
        assert_eq!(read(".env"), stage.read(".env"));
        assert_eq!(read("config/app.yaml"), stage.read("config/app.yaml"));
        assert!(read("docker-compose.yml").contains("image: backout-demo/app:v2.4.9"));

        let found = points::find(&folder, &id).unwrap();
        let verified = points::verify(&found, None, &|_, _| {}).unwrap();
        let manifest = verified.manifest.as_ref().unwrap();
        let out = stage.dir.path().join("out");
        let archive = verified.open("data.tar.gz").unwrap().unwrap();
        let job = Job {
            archive: &archive,
            name: "data.tar.gz",
            into: &out,
            expected: Some(Expected::of(manifest)),
            limits: Limits::default(),
            sync: false,
        };
        unpack(&job, &|_, _| {}).unwrap();
        assert_eq!(
            fs::read_to_string(out.join("data/files/1/avatar.txt")).unwrap(),
            stage.read("data/files/1/avatar.txt")
        );

        let live = SqliteDatabase::new(stage.layout.database());
        live.restore_beside(&verified.dump().unwrap(), "again", "x", &|_, _| {}).await.unwrap();
        let restored = stage.layout.database().with_file_name("app.db.again");
        assert_eq!(schema(&restored).await, Ok(104));
        let users = |path| async move { rows(path, "users", "v2.4.9").await.unwrap() };
        assert_eq!(users(&restored).await, users(&stage.layout.database()).await);
        assert_eq!(live.beside("again").tables().await.unwrap(), manifest.tables);
        assert!(text(&point.join("database.sql.gz")).contains("It''s the text of document 300"));
    }

    #[tokio::test]
    async fn a_fresh_stack_has_points_of_two_versions_and_their_schemas() {
        let stage = Stage::full().await;
        let mut found: Vec<_> = fs::read_dir(stage.layout.at("backups"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        found.sort();
        let read = |path: &Path, name| fs::read_to_string(path.join(name)).unwrap();
        let seen: Vec<_> =
            found.iter().map(|path| (read(path, "images.txt"), read(path, "schema.txt"))).collect();
        let expected = [("v2.4.8", "103"), ("v2.4.9", "104")]
            .map(|(version, schema)| (format!("{IMAGE}:{version}\n"), format!("{schema}\n")));
        assert_eq!(seen, expected);
        for point in points::list(&stage.layout.at("backups")).unwrap() {
            points::verify(&point, None, &|_, _| {}).unwrap();
        }
        let sql = text(&found[0].join("database.sql.gz"));
        assert!(!sql.contains("documents_by_user"), "104 was not applied yet");
    }
}
