//! Takes restore points: folders in the layout of S-80 with real contents.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::adapters::Error;

use super::disk::write;
use super::dump::dump;
use super::layout::Layout;

/// The image name of the app, as `images.txt` and the compose file have it.
pub const IMAGE: &str = "backout-demo/app";

/// Saves the present configuration, files and database as the restore point of `at`, and returns
/// its id. It appears under its name only when it is whole.
pub async fn take(
    layout: &Layout,
    version: &str,
    schema: i64,
    at: DateTime<Utc>,
) -> Result<String, Error> {
    let id = at.format("%Y%m%d-%H%M%S").to_string();
    let (point, part) =
        (layout.at("backups").join(&id), layout.at("backups").join(format!(".{id}.new")));
    write(&part.join("images.txt"), format!("{IMAGE}:{version}\n").as_bytes())?;
    write(&part.join("docker-compose.yml"), compose(version).as_bytes())?;
    write(&part.join("schema.txt"), format!("{schema}\n").as_bytes())?;
    write(&part.join("timestamp.txt"), format!("{}\n", at.timestamp()).as_bytes())?;
    for name in [".env", "config/app.yaml"] {
        let from = layout.at(name);
        let text = fs::read(&from).map_err(|e| Error::io("read", from.display(), &e))?;
        write(&part.join(name), &text)?;
    }
    let files = part.join("data.tar.gz");
    archive(&layout.at("data/files"), &files)
        .map_err(|e| Error::io("write", files.display(), &e))?;
    let text = dump(&layout.database()).await?;
    let sql = part.join("database.sql.gz");
    compress(text.as_bytes(), &sql).map_err(|e| Error::io("write", sql.display(), &e))?;
    fs::rename(&part, &point).map_err(|e| Error::io("write", point.display(), &e))?;
    Ok(id)
}

/// The files below one folder `data`, which S-33 strips when it restores.
fn archive(files: &Path, into: &Path) -> std::io::Result<()> {
    let mut archive = tar::Builder::new(GzEncoder::new(File::create(into)?, Compression::fast()));
    archive.append_dir_all("data/files", files)?;
    archive.into_inner()?.finish()?.sync_all()
}

fn compress(text: &[u8], into: &Path) -> std::io::Result<()> {
    let mut compressed = GzEncoder::new(File::create(into)?, Compression::fast());
    compressed.write_all(text)?;
    compressed.finish()?.sync_all()
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
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::super::database::{rows, schema, script, writing};
    use super::super::stage::Stage;
    use super::*;

    fn text(path: &Path) -> String {
        let mut text = String::new();
        GzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
        text
    }

    #[tokio::test]
    async fn a_restore_point_has_the_layout_and_the_contents_to_restore_from() {
        let stage = Stage::full().await;
        let at: DateTime<Utc> = "2026-11-22T01:02:03Z".parse().unwrap();
        let id = take(&stage.layout, "v2.4.9", 104, at).await.unwrap();
        assert_eq!(id, "20261122-010203");
        let point = stage.layout.at("backups").join(id);
        let read = |name: &str| fs::read_to_string(point.join(name)).unwrap();
        assert_eq!(read("images.txt"), "backout-demo/app:v2.4.9\n");
        assert_eq!(read("timestamp.txt"), format!("{}\n", at.timestamp()));
        assert_eq!(read("schema.txt"), "104\n");
        assert_eq!(read(".env"), stage.read(".env"));
        assert_eq!(read("config/app.yaml"), stage.read("config/app.yaml"));
        assert!(read("docker-compose.yml").contains("image: backout-demo/app:v2.4.9"));

        let out = stage.dir.path().join("out");
        let archive = GzDecoder::new(File::open(point.join("data.tar.gz")).unwrap());
        tar::Archive::new(archive).unpack(&out).unwrap();
        assert_eq!(
            fs::read_to_string(out.join("data/files/1/avatar.txt")).unwrap(),
            stage.read("data/files/1/avatar.txt")
        );

        let restored = stage.dir.path().join("restored.db");
        let sql = text(&point.join("database.sql.gz"));
        let mut database = writing(&restored).await.unwrap();
        script(&mut database, "the dump", sql.clone()).await.unwrap();
        assert_eq!(schema(&restored).await, Ok(104));
        let users = |path| async move { rows(path, "users", "v2.4.9").await.unwrap() };
        assert_eq!(users(&restored).await, users(&stage.layout.database()).await);
        assert_eq!(dump(&restored).await.unwrap(), sql, "nothing was lost on the way");
        assert!(sql.contains("It''s the text of document 300"));
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
        let sql = text(&found[0].join("database.sql.gz"));
        assert!(!sql.contains("documents_by_user"), "104 was not applied yet");
    }
}
