//! Row 18: a database restored from a plain dump beside `gunzip | psql`, from a folder and from one
//! file beside a tuned `pg_restore -j2 -Fd`, and the physical copy; interleaved, on one server.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use backout::adapters::database::Database as _;

use super::cluster::{Bench, Cluster};
use super::{quantile, ratio};

const ROUNDS: usize = 3;
/// As the recorded runs had it: durable, with room between two checkpoints.
const SETTINGS: [&str; 6] = [
    "fsync=on",
    "full_page_writes=on",
    "shared_buffers=128MB",
    "max_wal_size=1GB",
    "checkpoint_timeout=30min",
    "max_parallel_maintenance_workers=2",
];
/// Two tables with six indexes: about 60 MB of text.
const DATA: &str = "
    CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, email text NOT NULL, seen timestamptz);
    INSERT INTO users SELECT n, 'user ' || n, md5(n::text) || '@example.org',
        '2026-01-01'::timestamptz + n * interval '1 second' FROM generate_series(1, 100000) n;
    CREATE UNIQUE INDEX by_email ON users (email);
    CREATE INDEX by_seen ON users (seen);
    CREATE TABLE events (id bigint PRIMARY KEY, user_id bigint REFERENCES users (id), at timestamptz,
        kind text, payload text);
    INSERT INTO events SELECT n, 1 + n % 100000, '2026-01-01'::timestamptz + n * interval '1 second',
        'kind ' || n % 40, md5(n::text) || ' GET /api/v1/users/' || n || ' 200 ' || md5((n * 7)::text)
        FROM generate_series(1, 300000) n;
    CREATE INDEX by_user ON events (user_id);
    CREATE INDEX by_time ON events (at);";
const ROWS: &str = "400000";

struct Case<'a> {
    name: &'static str,
    work: Box<dyn Fn() + 'a>,
    times: Vec<Duration>,
}

/// Runs a line of shell with the client's tools as the application's user.
fn shell(bench: &Bench, line: &str, options: &str) {
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", line]).stdout(Stdio::null());
    for (name, value) in bench.place().environment("postgres") {
        command.env(name, value);
    }
    command.env("PGOPTIONS", options).env("PATH", path(&bench.cluster.bin));
    assert!(command.status().unwrap().success(), "{line}");
}

fn path(bin: &Path) -> String {
    format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display())
}

pub(crate) fn run() {
    println!("\n== a database restored (row 18)");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let Some(cluster) = runtime.block_on(Cluster::own_with(&SETTINGS)) else { return };
    let bench = runtime.block_on(Bench::on(cluster));
    runtime.block_on(bench.run(&bench.name, DATA));
    let at = |name: &str| bench.at(name).display().to_string();
    let (plain, custom, folder) = (at("dump.sql.gz"), at("dump.custom"), at("dump.folder"));
    let name = bench.name.clone();
    shell(&bench, &format!("pg_dump {name} | gzip -6 > {plain}"), "");
    shell(&bench, &format!("pg_dump -Fc -f {custom} {name}"), "");
    shell(&bench, &format!("pg_dump -Fd -f {folder} {name}"), "");
    let text = runtime.block_on(bench.ask(&name, "SELECT pg_database_size(current_database())"));
    let packed = std::fs::metadata(&plain).unwrap().len() / 1_000_000;
    println!(
        "{ROWS} rows, {} MB on disk, {packed} MB packed",
        text.parse::<u64>().unwrap() / 1_000_000
    );
    let copy = format!("{name}_copy");
    let tuned = "-c maintenance_work_mem=512MB -c synchronous_commit=off";
    let theirs = |line: String, options: &'static str| {
        let bench = &bench;
        let copy = copy.clone();
        let work = move || shell(bench, &format!("createdb {copy}; {line}"), options);
        Box::new(work) as Box<dyn Fn()>
    };
    let database = Arc::new(bench.database());
    let ours = |dump: &str| {
        let (database, dump, runtime) = (Arc::clone(&database), PathBuf::from(dump), &runtime);
        let work = move || {
            let told = |_: u64, _: u64| {};
            let restored = database.restore_beside(&dump, "copy", "bench", &told);
            runtime.block_on(restored).unwrap();
        };
        Box::new(work) as Box<dyn Fn() + '_>
    };
    let case = |name, work| Case { name, work, times: Vec::new() };
    let mut cases = [
        case("gunzip | psql", theirs(format!("gunzip -c {plain} | psql -Xq -d {copy}"), "")),
        case("ours, the same plain dump", ours(&plain)),
        case(
            "pg_restore -j2 -Fd, tuned",
            theirs(format!("pg_restore -j2 -d {copy} {folder}"), tuned),
        ),
        case("ours, the same folder", ours(&folder)),
        case("ours, one file (-Fc)", ours(&custom)),
    ];
    let (mut physical, mut analyzed) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for case in &mut cases {
            runtime.block_on(bench.root("postgres", "CHECKPOINT"));
            let began = Instant::now();
            (case.work)();
            case.times.push(began.elapsed());
            println!("  {:<42} {:>8.2?}", case.name, began.elapsed());
            let count = "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM events)";
            let found = runtime.block_on(bench.ask(&copy, count));
            assert_eq!(found, ROWS, "{}", case.name);
            if case.name.starts_with("gunzip") {
                let began = Instant::now();
                runtime.block_on(bench.root(&copy, "ANALYZE"));
                analyzed.push(began.elapsed());
            }
            runtime.block_on(bench.root("postgres", &format!("DROP DATABASE {copy} WITH (FORCE)")));
        }
        physical.push(copied(&bench, &runtime));
    }
    report(&cases, &mut physical);
    // Without it the server would answer slowly after the swap: the peers leave it out.
    let half = quantile(&mut analyzed, 0.5);
    println!("{:<44} p50 {half:>8.2?}", "ANALYZE, which ours has done and theirs has not");
}

/// Stop, `cp -a`, start, one query: what no restore is faster than.
fn copied(bench: &Bench, runtime: &tokio::runtime::Runtime) -> Duration {
    let data = bench.cluster.socket().join("data");
    let copy = bench.cluster.socket().join("copied");
    let began = Instant::now();
    bench.cluster.stop(false);
    let done = Command::new("cp").arg("-a").arg(&data).arg(&copy).status().unwrap();
    assert!(done.success());
    bench.cluster.go_on();
    runtime.block_on(bench.cluster.answers());
    let took = began.elapsed();
    std::fs::remove_dir_all(copy).unwrap();
    took
}

fn report(cases: &[Case<'_>], physical: &mut [Duration]) {
    let half = |times: &[Duration]| quantile(&mut times.to_vec(), 0.5);
    let worst = |ours: &[Duration], peer: &[Duration]| {
        let all = ours.iter().zip(peer).map(|(a, b)| a.as_secs_f64() / b.as_secs_f64());
        all.fold(0.0_f64, f64::max)
    };
    for case in cases {
        let times = &case.times;
        println!("{:<44} p50 {:>8.2?}  {times:.2?}", case.name, half(times));
    }
    println!("{:<44} p50 {:>8.2?}", "limit: stop, cp -a, start, query", half(physical));
    let [psql, plain, restore, folder, custom] = cases else { return };
    for (what, ours, peer) in [
        ("plain to gunzip | psql (goal 0.75)", plain, psql),
        ("folder to pg_restore -j2 -Fd (goal 0.95)", folder, restore),
        ("one file to pg_restore -j2 -Fd (goal 0.95)", custom, restore),
    ] {
        ratio(what, half(&ours.times), half(&peer.times));
        println!("{:<44} {:.2}", "  worst round", worst(&ours.times, &peer.times));
    }
}
