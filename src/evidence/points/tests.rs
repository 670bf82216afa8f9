//! Restore points that are not what they were: each kind of damage is found before anything is
//! done with them, named, and the next older good point is offered (G13).

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::super::archive::{Expected, Job, Limits, Refusal, unpack};
use super::super::manifest::{FileFacts, Key, MANIFEST};
use super::*;
use crate::adapters::database::Database as _;
use crate::adapters::sqlite::SqliteDatabase;

const QUIET: crate::adapters::database::Told<'static> = &|_, _| {};

/// A folder with two signed points, the older one good for ever.
struct Bench {
    dir: tempfile::TempDir,
    key: Key,
}

impl Bench {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("live/data")).unwrap();
        fs::write(at("live/.env"), "TOKEN=abc\n").unwrap();
        fs::write(at("key"), "a key of more than sixteen bytes\n").unwrap();
        for n in 0..20 {
            let text = format!("{n} ").repeat(2000 + n);
            fs::write(at(&format!("live/data/f{n}")), text).unwrap();
        }
        rows(&at("live/app.db"), 400).await;
        let bench = Self { key: Key::read(&at("key")).unwrap(), dir };
        bench.take("2026-11-20T00:00:00Z", PointKind::Backup).await.unwrap();
        bench.take("2026-11-21T00:00:00Z", PointKind::Backup).await.unwrap();
        bench
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn order(&self, at: &str, kind: PointKind) -> Order {
        Order {
            folder: self.at("points"),
            kind,
            at: at.parse().unwrap(),
            version: "v1".into(),
            images: vec!["registry.local:5000/shop/app:v1".into()],
            made: Vec::new(),
            saved: Saved {
                base: self.at("live"),
                files: vec![self.at("live/.env")],
                data: Some(self.at("live/data")),
                key: Some(self.at("key")),
                state: self.at("state"),
            },
            database: Some(Arc::new(SqliteDatabase::new(self.at("live/app.db")))),
            cache: None,
        }
    }

    async fn take(&self, at: &str, kind: PointKind) -> Result<Point, crate::adapters::Error> {
        take(&self.order(at, kind), &|_, _, _| {}).await
    }

    fn points(&self) -> Vec<Point> {
        list(&self.at("points")).unwrap()
    }

    fn newest(&self) -> PathBuf {
        self.at("points/20261121-000000")
    }

    fn verified(&self) -> Result<Verified, Vec<Damage>> {
        verify(&find(&self.at("points"), "20261121-000000").unwrap(), Some(&self.key), QUIET)
    }

    /// Changes the manifest as somebody with the key would.
    fn forge(&self, change: impl FnOnce(&mut Manifest)) {
        let (mut manifest, _) = Manifest::read(&self.newest()).unwrap().unwrap();
        change(&mut manifest);
        manifest.sign(Some(&self.key));
        manifest.write(&self.newest()).unwrap();
    }

    /// Puts `bytes` in the place of a file, with a manifest that says that this is right.
    fn forge_file(&self, name: &str, bytes: &[u8]) {
        fs::write(self.newest().join(name), bytes).unwrap();
        let facts =
            FileFacts { bytes: bytes.len() as u64, sha256: crate::model::ids::Digest::of(bytes) };
        self.forge(|manifest| drop(manifest.files.insert(name.to_owned(), facts)));
    }
}

async fn rows(path: &Path, count: u32) {
    use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    let sql = format!(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); \
         CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY); \
         INSERT INTO schema_migrations VALUES (7); \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
         INSERT INTO users SELECT i, 'name; of ''' || i FROM n"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let into = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_all(&entry.path(), &into);
        } else {
            fs::copy(entry.path(), into).unwrap();
        }
    }
}

fn cut(path: &Path, to: u64) {
    File::options().write(true).open(path).unwrap().set_len(to).unwrap();
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = at.min(bytes.len() - 1);
    bytes[at] ^= 0x04;
    fs::write(path, bytes).unwrap();
}

fn gz(text: &str) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap()
}

fn unpacked(path: &Path) -> String {
    std::io::read_to_string(MultiGzDecoder::new(File::open(path).unwrap())).unwrap()
}

/// What is done to the newest point, and a word that must be in the answer.
type Damaging = (&'static str, fn(&Bench), &'static str);

fn to_bytes() -> Vec<Damaging> {
    let all: [Damaging; 16] = [
        ("data cut to nothing", |b| cut(&b.newest().join(DATA), 0), DATA),
        ("data cut in the middle", |b| cut(&b.newest().join(DATA), 900), DATA),
        (
            "data cut by one byte",
            |b| {
                let path = b.newest().join(DATA);
                cut(&path, path.metadata().unwrap().len() - 1);
            },
            DATA,
        ),
        (
            "data cut between two parts",
            |b| {
                let (manifest, _) = Manifest::read(&b.newest()).unwrap().unwrap();
                let last = manifest.parts.last().unwrap();
                let path = b.newest().join(DATA);
                cut(&path, path.metadata().unwrap().len() - last);
            },
            DATA,
        ),
        ("the dump cut in the middle", |b| cut(&b.newest().join(DATABASE), 700), DATABASE),
        ("the first byte of the data", |b| flip(&b.newest().join(DATA), 0), DATA),
        ("a byte of the data", |b| flip(&b.newest().join(DATA), 1000), DATA),
        ("the last byte of the data", |b| flip(&b.newest().join(DATA), usize::MAX), DATA),
        ("a byte of the dump", |b| flip(&b.newest().join(DATABASE), 900), DATABASE),
        ("a byte of the settings", |b| flip(&b.newest().join(".env"), 7), ".env"),
        ("a byte of the manifest", |b| flip(&b.newest().join(MANIFEST), 300), MANIFEST),
        ("data missing", |b| fs::remove_file(b.newest().join(DATA)).unwrap(), DATA),
        ("the dump missing", |b| fs::remove_file(b.newest().join(DATABASE)).unwrap(), DATABASE),
        ("settings missing", |b| fs::remove_file(b.newest().join(".env")).unwrap(), ".env"),
        ("images missing", |b| fs::remove_file(b.newest().join("images.txt")).unwrap(), "images"),
        ("the manifest missing", |b| fs::remove_file(b.newest().join(MANIFEST)).unwrap(), "signed"),
    ];
    all.to_vec()
}

#[expect(clippy::too_many_lines, reason = "a table: one line of thought a row")]
fn with_purpose() -> Vec<Damaging> {
    let all: [Damaging; 17] = [
        (
            "two files swapped",
            |b| {
                let at = |name: &str| b.newest().join(name);
                fs::rename(at(DATA), at("x")).unwrap();
                fs::rename(at(DATABASE), at(DATA)).unwrap();
                fs::rename(at("x"), at(DATABASE)).unwrap();
            },
            DATA,
        ),
        (
            "an older file under the same name",
            |b| {
                fs::write(b.at("live/data/f1"), "another text").unwrap();
                let (point, old) = (b.newest(), b.at("old"));
                fs::create_dir(&old).unwrap();
                super::super::archive::pack(&b.at("live/data"), "data", &old.join("a"), QUIET)
                    .unwrap();
                fs::rename(old.join("a"), point.join(DATA)).unwrap();
            },
            DATA,
        ),
        (
            "the whole of another point under this name",
            |b| {
                fs::remove_dir_all(b.newest()).unwrap();
                copy_all(&b.at("points/20261120-000000"), &b.newest());
            },
            "is that of 20261120-000000",
        ),
        (
            "a manifest without its signature",
            |b| {
                let (mut manifest, _) = Manifest::read(&b.newest()).unwrap().unwrap();
                manifest.signature = None;
                manifest.write(&b.newest()).unwrap();
            },
            "is not signed",
        ),
        (
            "a manifest signed with another key",
            |b| {
                fs::write(b.at("other"), "some other key of many bytes").unwrap();
                let key = Key::read(&b.at("other")).unwrap();
                let (mut manifest, _) = Manifest::read(&b.newest()).unwrap().unwrap();
                manifest.sign(Some(&key));
                manifest.write(&b.newest()).unwrap();
            },
            "not of our key",
        ),
        (
            "a changed file and a manifest changed with it, unsigned",
            |b| {
                fs::write(b.newest().join(".env"), "TOKEN=evil").unwrap();
                let (mut manifest, _) = Manifest::read(&b.newest()).unwrap().unwrap();
                let sha256 = crate::model::ids::Digest::of(b"TOKEN=evil");
                manifest.files.insert(".env".to_owned(), FileFacts { bytes: 10, sha256 });
                manifest.write(&b.newest()).unwrap();
            },
            "not of our key",
        ),
        (
            "a later format",
            |b| {
                let path = b.newest().join(MANIFEST);
                let text = fs::read_to_string(&path).unwrap();
                fs::write(&path, text.replacen("\"format\": 1", "\"format\": 9", 1)).unwrap();
            },
            "format 9",
        ),
        (
            "no manifest but rubbish",
            |b| fs::write(b.newest().join(MANIFEST), "{").unwrap(),
            "manifest",
        ),
        ("an empty dump, as recorded", |b| b.forge_file(DATABASE, &gz("")), "empty dump"),
        (
            "a dump without rows, as recorded",
            |b| b.forge_file(DATABASE, &gz("BEGIN;\nCREATE TABLE users (id);\nCOMMIT;\n")),
            "brings 0 rows of users, the manifest says 400",
        ),
        (
            "a dump without its end, as recorded",
            |b| {
                let text = unpacked(&b.newest().join(DATABASE));
                let end = text.find("COMMIT;").unwrap();
                b.forge_file(DATABASE, &gz(&text[..end]));
            },
            "COMMIT",
        ),
        (
            "a dump cut inside a statement, as recorded",
            |b| {
                let text = unpacked(&b.newest().join(DATABASE));
                b.forge_file(DATABASE, &gz(&text[..text.len() / 2]));
            },
            DATABASE,
        ),
        (
            "an archive cut on the border of an entry, as recorded",
            |b| {
                let bytes = fs::read(b.newest().join(DATA)).unwrap();
                let (manifest, _) = Manifest::read(&b.newest()).unwrap().unwrap();
                let end = bytes.len() - usize::try_from(*manifest.parts.last().unwrap()).unwrap();
                b.forge_file(DATA, &bytes[..end]);
            },
            DATA,
        ),
        (
            "a file of the archive that the manifest does not have",
            |b| b.forge(|manifest| drop(manifest.entries.remove("data/f3"))),
            "data/f3: is not in the manifest",
        ),
        (
            "a file of the archive with another digest",
            |b| {
                b.forge(|manifest| {
                    manifest.entries.get_mut("data/f4").unwrap().sha256 =
                        crate::model::ids::Digest::of(b"");
                });
            },
            "data/f4: is not what the manifest says",
        ),
        (
            "a link in the place of a file",
            |b| {
                let (path, away) = (b.newest().join(DATABASE), b.at("away"));
                fs::rename(&path, &away).unwrap();
                std::os::unix::fs::symlink(&away, &path).unwrap();
            },
            "could not be opened",
        ),
        (
            "a pipe in the place of a file",
            |b| {
                let path = b.newest().join(DATA);
                fs::remove_file(&path).unwrap();
                let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
                let kind = rustix::fs::FileType::Fifo;
                rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
            },
            "not a plain file",
        ),
    ];
    all.to_vec()
}

fn state(dir: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(state(&path));
        } else {
            found.push((path.clone(), fs::symlink_metadata(&path).unwrap().len()));
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn thirty_kinds_of_damage_are_refused_and_the_next_older_good_point_is_offered() {
    let bench = Bench::new().await;
    bench.verified().unwrap();
    let whole = bench.at("whole");
    copy_all(&bench.newest(), &whole);
    let all: Vec<Damaging> = to_bytes().into_iter().chain(with_purpose()).collect();
    assert!(all.len() >= 30, "{}", all.len());
    for (name, damage, wanted) in all {
        fs::remove_dir_all(bench.newest()).unwrap();
        copy_all(&whole, &bench.newest());
        let chosen = bench.points()[0].clone();
        damage(&bench);
        let before = state(bench.dir.path());
        let points = bench.points();
        let point = points.iter().find(|point| point.id == chosen.id).unwrap();
        let wrong = verify(point, Some(&bench.key), QUIET).expect_err(name);
        let said: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|line| line.contains(wanted)), "{name}: {said:?}");
        let older = next_older_good(&points, point, Some(&bench.key), QUIET).unwrap();
        assert_eq!(older.point.id.as_str(), "20261120-000000", "{name}");
        assert_eq!(state(bench.dir.path()), before, "{name}: something was changed");
        // Planned with before it was damaged: refused as well.
        assert!(verify(&chosen, Some(&bench.key), QUIET).is_err(), "{name}");
    }
}

#[tokio::test]
async fn a_point_that_changes_between_check_and_use_is_not_used() {
    let bench = Bench::new().await;
    let manifest = |verified: &Verified| verified.manifest.clone().unwrap();
    let whole = bench.at("whole");
    copy_all(&bench.newest(), &whole);

    // Another file under the name: the one that was checked is used, and the change is seen.
    let verified = bench.verified().unwrap();
    fs::write(bench.at("evil"), "evil").unwrap();
    fs::rename(bench.at("evil"), bench.newest().join(DATABASE)).unwrap();
    let dump = verified.dump().unwrap();
    let live = SqliteDatabase::new(bench.at("live/app.db"));
    live.restore_beside(&dump, "again", "x", QUIET).await.unwrap();
    assert_eq!(live.beside("again").tables().await.unwrap(), manifest(&verified).tables);
    let wrong = verified.unchanged().unwrap_err();
    assert_eq!(wrong[0].file.as_str(), DATABASE);

    // The file itself is written to: unpacking holds every entry against its digest.
    fs::remove_dir_all(bench.newest()).unwrap();
    copy_all(&whole, &bench.newest());
    let verified = bench.verified().unwrap();
    let archive = verified.open(DATA).unwrap().unwrap();
    {
        use std::os::unix::fs::FileExt as _;
        let file = File::options().write(true).open(bench.newest().join(DATA)).unwrap();
        file.write_at(b"xxxx", 600).unwrap();
    }
    assert!(verified.unchanged().is_err());
    let known = manifest(&verified);
    let into = bench.at("into");
    let job = Job {
        archive: &archive,
        name: DATA,
        into: &into,
        expected: Some(Expected::of(&known)),
        limits: Limits::default(),
        sync: false,
    };
    assert!(matches!(unpack(&job, QUIET), Err(Refusal::Damaged(_))));
    assert!(!into.exists());
}

#[tokio::test]
async fn a_trial_restore_counts_and_leaves_nothing() {
    let bench = Bench::new().await;
    let point = bench.points()[0].clone();
    let now = "2026-12-03T00:00:00Z".parse().unwrap();
    assert_eq!(point.proof(now), "never test-restored");
    let scratch = bench.at("scratch");
    let database = SqliteDatabase::new(scratch.join("database"));
    let verified = Arc::new(bench.verified().unwrap());
    let trial = try_restore(verified, &scratch, &database, &|_, _, _| {}).await.unwrap();
    assert!(trial.wrong.is_empty(), "{:?}", trial.wrong);
    let rows: Vec<_> = trial.tables.iter().map(|t| (t.name.as_str(), t.rows)).collect();
    assert_eq!(rows, [("schema_migrations", 1), ("users", 400)]);
    assert_eq!(trial.files, 20);
    assert!(!scratch.exists());
    record_test(&point, "2026-11-21T00:00:00Z".parse().unwrap()).unwrap();
    let point = bench.points()[0].clone();
    assert_eq!(point.proof(now), "test-restored 12 days ago");
    bench.verified().unwrap();
    // The proof is of what was there then.
    bench.forge(|manifest| manifest.version = "v2".into());
    assert_eq!(bench.points()[0].tested, None);
}

#[tokio::test]
async fn a_point_made_by_hand_is_listed_and_said_to_be_not_proven() {
    let bench = Bench::new().await;
    let hand = bench.at("points/deploy-prod-20240115");
    copy_all(&bench.newest(), &hand);
    fs::remove_file(hand.join(MANIFEST)).unwrap();
    fs::remove_file(hand.join("timestamp.txt")).unwrap();
    let points = bench.points();
    let ids: Vec<&str> = points.iter().map(|point| point.id.as_str()).collect();
    assert_eq!(ids, ["20261121-000000", "20261120-000000", "deploy-prod-20240115"]);
    let point = &points[2];
    assert_eq!(point.version.as_str(), "v1");
    assert_eq!(point.schema, Some(7));
    let verified = verify(point, None, QUIET).unwrap();
    assert!(verified.manifest.is_none());
    assert_eq!(verified.data.unwrap().entries.len(), 20);
    // Who signs their points does not take one of unknown origin.
    assert!(verify(point, Some(&bench.key), QUIET).is_err());
    // Of the checksum of the stream, which is all that proves it.
    let length = hand.join(DATA).metadata().unwrap().len();
    flip(&hand.join(DATA), usize::try_from(length - 6).unwrap());
    assert!(verify(point, None, QUIET).is_err());
}

#[tokio::test]
async fn a_point_of_the_same_second_is_not_overwritten_and_a_half_made_one_is_none() {
    let bench = Bench::new().await;
    let again = bench.take("2026-11-21T00:00:00Z", PointKind::Backup).await.unwrap_err();
    assert!(again.message.contains("of that second is there"), "{again}");
    bench.verified().unwrap();
    fs::create_dir(bench.at("points/.20261122-000000.new")).unwrap();
    fs::write(bench.at("points/.20261122-000000.new/images.txt"), "x").unwrap();
    assert_eq!(bench.points().len(), 2);
    let safety = bench.take("2026-11-22T00:00:00Z", PointKind::Safety).await.unwrap();
    assert_eq!(safety.id.as_str(), "rollback-safety-20261122-000000");
    assert_eq!(bench.points()[0], safety);
    bench.take("2026-11-22T00:00:00Z", PointKind::Backup).await.unwrap();
    verify(&safety, Some(&bench.key), QUIET).unwrap();
}

#[test]
fn an_unknown_point_is_answered_in_the_words_of_the_runbook() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("20251201-120015")).unwrap();
    fs::create_dir(dir.path().join("-rf")).unwrap();
    for asked in ["20251202-143022", "../20251201-120015", ""] {
        let error = find(dir.path(), asked).unwrap_err();
        let expected = format!(
            "[ERROR] Backup not found: {asked}\nsearched {}\navailable: 20251201-120015",
            dir.path().display()
        );
        assert_eq!(error.message, expected);
    }
    assert!(list(&dir.path().join("nowhere")).unwrap().is_empty());
}

#[test]
fn names_and_images_are_read_in_all_their_forms() {
    for (name, wanted) in [
        ("20261122-010203", "2026-11-22T01:02:03Z"),
        ("20261122_010203", "2026-11-22T01:02:03Z"),
        ("rollback-safety-20261122-010203", "2026-11-22T01:02:03Z"),
        ("deploy-prod-20240115", "2024-01-15T00:00:00Z"),
    ] {
        assert_eq!(time_of(name), Some(wanted.parse().unwrap()), "{name}");
    }
    for name in ["v2.0.5", "2.0.5", "20269999-000000"] {
        assert_eq!(time_of(name), None, "{name}");
    }
    for (image, version) in [
        ("registry.local:5000/spacetime/godot:v2.4.9", "v2.4.9"),
        ("registry.local:5000/spacetime/godot", "unknown"),
        ("app:v1@sha256:abc", "v1"),
        ("app", "unknown"),
    ] {
        assert_eq!(version_of(image).as_str(), version, "{image}");
    }
}
