//! Row 17: files of a data.tar.gz restored with every digest checked, beside `tar xzf`.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use backout::evidence::archive::{Expected, Job, Limits, pack, unpack};

use super::{line, ratio};

const ROUNDS: usize = 5;
const FILES: usize = 400;

/// Half text that packs, half noise that does not, 4 KiB to 1 MiB.
fn tree(folder: &Path) {
    fs::create_dir(folder).unwrap();
    for n in 0..FILES {
        let size = 4096_usize << (n % 9);
        let bytes: Vec<u8> = if n % 2 == 0 {
            let text = format!("2026-11-22T01:02:03Z app[{n}]: GET /api/v1/users {} 200\n", n * n);
            text.bytes()
                .cycle()
                .take(size)
                .enumerate()
                .map(|(at, b)| if at % 97 == 0 { b'0' + (at / 97 % 10) as u8 } else { b })
                .collect()
        } else {
            let mut noise = vec![0; size];
            getrandom::fill(&mut noise).unwrap();
            noise
        };
        fs::write(folder.join(format!("f{n}")), bytes).unwrap();
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

pub(crate) fn run() {
    println!("\n== restore: files of a data.tar.gz (row 17)");
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    tree(&at("src"));
    let ok = |command: &mut Command| assert!(command.status().unwrap().success());
    ok(Command::new("tar").arg("-C").arg(at("src")).arg("-czf").arg(at("given")).arg("."));
    let packed = pack(&at("src"), "data", &at("own"), &|_, _| {}).unwrap();
    let restored = |name: &str, expected: Option<Expected<'_>>| {
        let archive = File::open(at(name)).unwrap();
        let (into, limits) = (at("into"), Limits::default());
        let job = Job { archive: &archive, name, into: &into, expected, limits, sync: false };
        let done = unpack(&job, &|_, _| {}).unwrap();
        fs::remove_dir_all(&into).unwrap();
        done
    };
    let given = restored("given", None);
    let (mut theirs, mut foreign, mut own) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        fs::create_dir(at("tar")).unwrap();
        theirs.push(timed(|| {
            ok(Command::new("tar").arg("-C").arg(at("tar")).arg("-xzf").arg(at("given")));
        }));
        ok(Command::new("rm").arg("-r").arg(at("tar")));
        for (name, entries, parts, times) in [
            ("given", &given.entries, &[][..], &mut foreign),
            ("own", &packed.entries, packed.parts.as_slice(), &mut own),
        ] {
            let archive = File::open(at(name)).unwrap();
            let (into, expected) = (at("into"), Some(Expected { entries, parts }));
            let limits = Limits::default();
            let job = Job { archive: &archive, name, into: &into, expected, limits, sync: false };
            times.push(timed(|| drop(unpack(&job, &|_, _| {}).unwrap())));
            fs::remove_dir_all(&into).unwrap();
        }
    }
    let (limit, _) = line("tar xzf", &mut theirs);
    let (half, _) = line("the same archive, every digest checked", &mut foreign);
    let (ours, _) = line("our own archive, every digest checked", &mut own);
    ratio("given: ratio p50 (goal 0.60)", half, limit);
    ratio("own: ratio p50 (goal 0.25)", ours, limit);
}
