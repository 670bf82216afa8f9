//! Forty archives that want to do harm, or look as if: each is refused as a whole or restored to
//! the byte, and the file beside it is never touched.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tar::{EntryType, Header};

use super::*;
use crate::adapters::Error as AdapterError;
use flate2::Compression;
use flate2::write::GzEncoder;

const VICTIM: &str = "the victim's text\n";

/// The blocks of one entry.
fn entry(kind: EntryType, name: &[u8], body: &[u8], change: impl FnOnce(&mut Header)) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
    header.set_entry_type(kind);
    header.set_size(body.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(1_700_000_000);
    change(&mut header);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

fn file(name: &str, body: &str) -> Vec<u8> {
    entry(EntryType::Regular, name.as_bytes(), body.as_bytes(), |_| {})
}

fn link(kind: EntryType, name: &str, to: &str) -> Vec<u8> {
    entry(kind, name.as_bytes(), b"", |header| header.set_link_name_literal(to).unwrap())
}

fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let mut body = String::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + length.to_string().len() {
            length += 1;
        }
        body.extend([length.to_string().as_str(), " ", key, "=", value, "\n"]);
    }
    entry(EntryType::XHeader, b"pax", body.as_bytes(), |_| {})
}

fn end() -> Vec<u8> {
    vec![0; 2 * BLOCK]
}

fn gz(plain: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(plain).unwrap();
    out.finish().unwrap()
}

fn tar(parts: &[Vec<u8>]) -> Vec<u8> {
    gz(&[parts.concat(), end()].concat())
}

/// What becomes of an archive.
enum Fate {
    /// Refused, for a reason with this in it.
    No(&'static str),
    /// Restored: paths and what is in them.
    Exact(&'static [(&'static str, &'static str)]),
}
use Fate::{Exact, No};

const ONE: &[(&str, &str)] = &[("a/b", "body")];

fn names_and_links() -> Vec<(&'static str, Vec<u8>, Fate)> {
    let ok = || file("a/b", "body");
    let long = format!("{}x", "d/".repeat(1500));
    let over = "y".repeat(5000);
    let long_name = |name: &str| {
        let mut body = name.as_bytes().to_vec();
        body.push(0);
        entry(EntryType::GNULongName, b"././@LongLink", &body, |_| {})
    };
    vec![
        ("plain", tar(&[ok()]), Exact(ONE)),
        ("..", tar(&[ok(), file("../victim", "evil")]), No("..")),
        (".. in the middle", tar(&[file("a/../../victim", "evil")]), No("..")),
        ("absolute", tar(&[file("/tmp/victim", "evil")]), No("absolute")),
        (
            "link to a file",
            tar(&[link(EntryType::Symlink, "l", "../victim"), ok()]),
            No("link out"),
        ),
        ("link to /etc", tar(&[link(EntryType::Symlink, "l", "/etc")]), No("link out")),
        (
            "through a link",
            tar(&[link(EntryType::Symlink, "l", "a"), file("l/victim", "evil")]),
            No("no folder"),
        ),
        (
            "a link in the place of a folder",
            tar(&[file("l/x", "1"), link(EntryType::Symlink, "l", "a")]),
            No("twice"),
        ),
        (
            "a folder in the place of a link, to change its mode",
            tar(&[
                link(EntryType::Symlink, "l", "a"),
                entry(EntryType::Directory, b"l/", b"", |header| header.set_mode(0o777)),
            ]),
            No("twice"),
        ),
        (
            "a link inside",
            tar(&[ok(), link(EntryType::Symlink, "a/l", "b")]),
            Exact(&[("a/b", "body"), ("a/l", "body")]),
        ),
        ("hard link", tar(&[ok(), link(EntryType::Link, "h", "../victim")]), No("hard link")),
        ("twice", tar(&[ok(), file("a/b", "other")]), No("twice")),
        ("twice by another spelling", tar(&[ok(), file("./a//b", "other")]), No("twice")),
        (
            "twice but for its case",
            tar(&[ok(), file("A/B", "other")]),
            Exact(&[("a/b", "body"), ("A/B", "other")]),
        ),
        ("a file as a folder", tar(&[file("a", "1"), file("a/b", "2")]), No("no folder")),
        ("escape in a name", tar(&[file("a\x1b[2J", "1")]), No("control")),
        ("newline in a name", tar(&[file("a\nb", "1")]), No("control")),
        ("no UTF-8", tar(&[entry(EntryType::Regular, b"a\xff\xfe", b"1", |_| {})]), No("UTF-8")),
        ("no name", tar(&[file("./", "1")]), No("is no file and has")),
        ("4 KiB of path", tar(&[long_name(&long), file("x", "1")]), Exact(&[])),
        ("more than that", tar(&[long_name(&over), file("x", "1")]), No("bytes")),
    ]
}

fn kinds_and_sizes() -> Vec<(&'static str, Vec<u8>, Fate)> {
    let ok = || file("a/b", "body");
    let kind = |kind: EntryType| tar(&[ok(), entry(kind, b"x", b"", |_| {})]);
    let sized = |size: u64| {
        gz(&[entry(EntryType::Regular, b"x", b"", |header| header.set_size(size)), end()].concat())
    };
    vec![
        ("fifo", kind(EntryType::Fifo), No("pipe")),
        ("character device", kind(EntryType::Char), No("device")),
        ("block device", kind(EntryType::Block), No("device")),
        ("sparse", kind(EntryType::GNUSparse), No("sparse")),
        ("unknown kind", kind(EntryType::new(b'V')), No("not known")),
        ("sparse by PAX", tar(&[pax(&[("GNU.sparse.major", "1")]), ok()]), No("not known")),
        (
            "setuid",
            tar(&[entry(EntryType::Regular, b"a/b", b"body", |header| header.set_mode(0o6755))]),
            Exact(ONE),
        ),
        (
            "capabilities",
            tar(&[pax(&[("SCHILY.xattr.security.capability", "xx")]), ok()]),
            Exact(ONE),
        ),
        ("size by PAX is greater", tar(&[pax(&[("size", "9")]), ok()]), No("two sizes")),
        ("size by PAX is smaller", tar(&[pax(&[("size", "1")]), ok()]), No("two sizes")),
        ("two names by PAX", tar(&[pax(&[("path", "x"), ("path", "y")]), ok()]), No("two names")),
        ("a name by PAX", tar(&[pax(&[("path", "../victim")]), ok()]), No("..")),
        ("1 TiB of nothing", sized(1 << 40), No("cut short")),
        ("more than may be", sized(1 << 42), No("more than")),
        ("a size that is no number", sized(0), Exact(&[])),
        (
            "a folder with bytes",
            tar(&[entry(EntryType::Directory, b"d/", b"xx", |_| {})]),
            No("no file"),
        ),
        (
            "something said of all",
            tar(&[entry(EntryType::XGlobalHeader, b"g", b"10 path=x\n", |_| {}), ok()]),
            No("all entries"),
        ),
        (
            "many entries",
            tar(&(0..2001).map(|n| file(&format!("f{n}"), "")).collect::<Vec<_>>()),
            No("more than 2000 entries"),
        ),
        ("a bomb", gz(&[file("z", &"\0".repeat(5 << 20)), end()].concat()), No("more than")),
    ]
}

fn ends() -> Vec<(&'static str, Vec<u8>, Fate)> {
    let ok = || file("a/b", "body");
    let mut damaged = ok();
    damaged[20] ^= 1;
    let whole = tar(&[ok(), file("c", "more")]);
    let mut flipped = whole.clone();
    // In the checksum: elsewhere a bit may be one that says nothing.
    let sum = flipped.len() - 6;
    flipped[sum] ^= 0x10;
    vec![
        ("a second archive behind it", gz(&[ok(), end(), ok(), end()].concat()), No("follows")),
        ("a second stream behind it", [tar(&[ok()]), tar(&[ok()])].concat(), No("follows")),
        (
            "rubbish behind it",
            [tar(&[ok()]), b"rubbish behind the end".to_vec()].concat(),
            No("could not"),
        ),
        ("several streams", [gz(&ok()), gz(&end())].concat(), Exact(ONE)),
        ("cut between two entries", gz(&ok()), No("closing blocks")),
        ("cut after one closing block", gz(&[ok(), vec![0; BLOCK]].concat()), No("closing block")),
        ("cut inside a file", gz(&ok()[..600]), No("cut short")),
        ("the stream is cut", whole[..whole.len() - 20].to_vec(), No("cut short")),
        ("a bit of the stream is flipped", flipped, No("")),
        ("a damaged header", gz(&[damaged, end()].concat()), No("header is damaged")),
        ("nothing", Vec::new(), No("")),
        ("no archive", gz(b"hello"), No("cut short")),
        ("not even packed", b"hello, I am not packed at all".to_vec(), No("could not be read")),
    ]
}

const LIMITS: Limits = Limits { bytes: 4 << 20, entries: 2000, ratio: 400 };

fn limits(name: &str) -> Limits {
    if name.starts_with("1 TiB") { Limits { bytes: 1 << 40, ..LIMITS } } else { LIMITS }
}

fn job<'a>(archive: &'a File, into: &'a Path, limits: Limits) -> Job<'a> {
    Job { archive, name: "data.tar.gz", into, expected: None, limits, sync: false }
}

#[test]
fn every_hostile_archive_is_refused_whole_or_restored_to_the_byte() {
    let dir = tempfile::tempdir().unwrap();
    let victim = dir.path().join("victim");
    fs::write(&victim, VICTIM).unwrap();
    fs::set_permissions(&victim, fs::Permissions::from_mode(0o600)).unwrap();
    let all: Vec<_> = [names_and_links(), kinds_and_sizes(), ends()].concat_all();
    assert!(all.len() >= 40, "{}", all.len());
    for (name, bytes, fate) in all {
        let path = dir.path().join("archive");
        fs::write(&path, &bytes).unwrap();
        let (archive, into) = (File::open(&path).unwrap(), dir.path().join("into"));
        let done = unpack(&job(&archive, &into, limits(name)), &|_, _| {});
        let scanned = scan(&bytes[..], bytes.len() as u64, limits(name));
        match (fate, done) {
            (No(wanted), Err(Refusal::Damaged(damage))) => {
                let words = crate::evidence::points::words(&damage);
                assert!(words.contains(wanted), "{name}: {words}");
                assert!(!into.exists(), "{name}: something is left");
                assert!(scanned.is_err(), "{name}: the scan saw nothing");
            }
            (Exact(files), Ok(done)) => {
                for (path, text) in files {
                    assert_eq!(&fs::read_to_string(into.join(path)).unwrap(), text, "{name}");
                }
                assert_eq!(scanned.unwrap(), done, "{name}");
                let bits = |entry: &str| into.join(entry).metadata().unwrap().permissions().mode();
                assert!(!files.contains(&ONE[0]) || bits("a/b") & 0o7000 == 0, "{name}");
                fs::remove_dir_all(&into).unwrap();
            }
            (No(_), Ok(_)) => panic!("{name} was restored"),
            (Exact(_) | No(_), Err(why)) => panic!("{name}: {why:?}"),
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), VICTIM, "{name}");
        assert_eq!(victim.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "{name}");
    }
}

trait ConcatAll<T> {
    fn concat_all(self) -> Vec<T>;
}

impl<T> ConcatAll<T> for [Vec<T>; 3] {
    fn concat_all(self) -> Vec<T> {
        self.into_iter().flatten().collect()
    }
}

#[test]
fn every_violation_is_listed_and_not_the_first_alone() {
    let bytes = tar(&[
        file("../one", "1"),
        file("good", "2"),
        link(EntryType::Link, "two", "x"),
        entry(EntryType::Fifo, b"three", b"", |_| {}),
    ]);
    let wrong = scan(&bytes[..], bytes.len() as u64, LIMITS).unwrap_err().damage("data.tar.gz");
    let files: Vec<&str> = wrong.iter().map(|damage| damage.file.as_str()).collect();
    assert_eq!(files, ["data.tar.gz:../one", "data.tar.gz:two", "data.tar.gz:three"]);
}

#[test]
fn a_cut_anywhere_is_seen() {
    let plain = [file("a/b", "body"), file("c", &"x".repeat(700)), end()].concat();
    for length in (0..plain.len()).step_by(BLOCK) {
        let bytes = gz(&plain[..length]);
        assert!(scan(&bytes[..], bytes.len() as u64, LIMITS).is_err(), "{length}");
    }
}

/// A folder with what packs and what does not, small and big, and names of all lengths.
fn folder(dir: &Path) -> std::path::PathBuf {
    let folder = dir.join("files");
    fs::create_dir_all(folder.join("deep").join("x".repeat(120)).join("y".repeat(120))).unwrap();
    fs::write(folder.join("deep").join("x".repeat(120)).join("y".repeat(120)).join("z"), "far")
        .unwrap();
    for n in 0..40_u32 {
        let text = format!("line {n}\n").repeat(4000);
        fs::write(folder.join(format!("t{n}")), text).unwrap();
        let mut seed = n.wrapping_mul(2_654_435_761).wrapping_add(1);
        let noise: Vec<u8> = (0..70_000)
            .map(|_| {
                seed ^= seed << 13;
                seed ^= seed >> 17;
                seed ^= seed << 5;
                seed.to_le_bytes()[0]
            })
            .collect();
        fs::write(folder.join(format!("n{n}")), noise).unwrap();
    }
    fs::write(folder.join("big"), "0123456789abcdef".repeat(600_000)).unwrap();
    fs::write(folder.join("empty"), "").unwrap();
    std::os::unix::fs::symlink("t1", folder.join("link")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.join("out")).unwrap();
    folder
}

#[test]
fn an_archive_of_our_own_comes_back_to_the_byte_in_parts_and_as_one_stream() {
    let dir = tempfile::tempdir().unwrap();
    let folder = folder(dir.path());
    let path = dir.path().join("data.tar.gz");
    let packed = pack(&folder, "data/files", &path, &|_, _| {}).unwrap();
    assert_eq!(packed.left_out.len(), 1, "{:?}", packed.left_out);
    assert!(packed.parts.len() > 3, "{}", packed.parts.len());
    let archive = File::open(&path).unwrap();
    for (name, parts) in [("parts", packed.parts.as_slice()), ("stream", &[])] {
        let into = dir.path().join(name);
        let expected = Some(Expected { entries: &packed.entries, parts });
        let job = Job { expected, limits: Limits::default(), ..job(&archive, &into, LIMITS) };
        let done = unpack(&job, &|_, _| {}).unwrap();
        assert_eq!(done.entries, packed.entries);
        for entry in packed.entries.keys() {
            let inside = entry.strip_prefix("data/files/").unwrap();
            assert_eq!(
                fs::read(into.join(entry)).unwrap(),
                fs::read(folder.join(inside)).unwrap(),
                "{entry}"
            );
        }
    }
    // Anybody's tar reads it, too.
    let mut other =
        tar::Archive::new(flate2::read::MultiGzDecoder::new(File::open(&path).unwrap()));
    let seen = other.entries().unwrap().filter(|e| e.as_ref().unwrap().size() > 0).count();
    assert_eq!(seen, packed.entries.len() - 2, "all but the empty one and the link");
}

#[test]
fn parts_that_are_swapped_changed_or_moved_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let folder = folder(dir.path());
    let path = dir.path().join("data.tar.gz");
    let packed = pack(&folder, "data", &path, &|_, _| {}).unwrap();
    let bytes = fs::read(&path).unwrap();
    let into = dir.path().join("into");
    let tried = |bytes: &[u8], parts: &[u64]| {
        fs::write(&path, bytes).unwrap();
        let archive = File::open(&path).unwrap();
        let expected = Some(Expected { entries: &packed.entries, parts });
        let job = Job { expected, limits: Limits::default(), ..job(&archive, &into, LIMITS) };
        let done = unpack(&job, &|_, _| {});
        assert!(done.is_ok() || !into.exists());
        fs::remove_dir_all(&into).ok();
        done
    };
    tried(&bytes, &packed.parts).unwrap();
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 3] ^= 1;
    let shifted: Vec<u64> = std::iter::once(packed.parts[0] - 1)
        .chain(std::iter::once(packed.parts[1] + 1))
        .chain(packed.parts[2..].iter().copied())
        .collect();
    let last = usize::try_from(*packed.parts.last().unwrap()).unwrap();
    for (what, bytes, parts) in [
        ("a flipped bit", flipped.as_slice(), packed.parts.as_slice()),
        ("a shifted border", &bytes, &shifted),
        (
            "a part is missing",
            &bytes[..bytes.len() - last],
            &packed.parts[..packed.parts.len() - 1],
        ),
        ("lengths that do not come to it", &bytes, &packed.parts[1..]),
    ] {
        assert!(matches!(tried(bytes, parts), Err(Refusal::Damaged(_))), "{what}");
    }
}

#[test]
fn a_folder_that_is_there_is_not_unpacked_into() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("archive");
    fs::write(&path, tar(&[file("a/b", "body")])).unwrap();
    let archive = File::open(&path).unwrap();
    let into = dir.path().join("into");
    fs::create_dir(&into).unwrap();
    fs::write(into.join("mine"), "mine").unwrap();
    let done = unpack(&job(&archive, &into, LIMITS), &|_, _| {});
    let Err(Refusal::Failed(AdapterError { message, .. })) = done else { panic!("{done:?}") };
    assert!(message.contains("exists"), "{message}");
    assert_eq!(fs::read_to_string(into.join("mine")).unwrap(), "mine");
}
