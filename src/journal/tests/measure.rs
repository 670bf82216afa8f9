//! Prints how long things take; run with `--ignored --nocapture measure`.

use std::io::Write as _;
use std::time::{Duration, Instant};

use super::*;

fn quantiles(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

#[tokio::test]
#[ignore = "prints times, proves nothing"]
async fn measure_appends_against_plain_files() {
    let dir = tempfile::tempdir_in(".").unwrap();
    let mut writer = Writer::open(&dir.path().join("state")).await.unwrap();
    let mut plain = std::fs::File::create(dir.path().join("plain")).unwrap();
    let line = vec![b'x'; 400];
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for batch in [1, 32] {
        ours.clear();
        theirs.clear();
        for _ in 0..2000 {
            let drafts = vec![note(&"x".repeat(150)); batch];
            let begun = Instant::now();
            writer.append(drafts).await.unwrap();
            ours.push(begun.elapsed());
            let block = line.repeat(batch);
            let begun = Instant::now();
            plain.write_all(&block).unwrap();
            plain.sync_data().unwrap();
            theirs.push(begun.elapsed());
        }
        let (our_p50, our_p99) = quantiles(ours.clone());
        let (p50, p99) = quantiles(theirs.clone());
        let ratio = our_p50.as_secs_f64() / p50.as_secs_f64();
        say!(
            "batch {batch}: append p50 {our_p50:?} p99 {our_p99:?}; \
             write+fdatasync p50 {p50:?} p99 {p99:?}; p50 ratio {ratio:.2}"
        );
    }
}

#[tokio::test]
#[ignore = "prints times, proves nothing"]
async fn measure_a_journal_of_50_000_entries() {
    let dir = tempfile::tempdir_in(".").unwrap();
    let mut writer = Writer::open(dir.path()).await.unwrap();
    let mut situation = Situation::default();
    for number in 0..250_u64 {
        let mut drafts: Vec<Draft> = (0..200).map(|_| note(&"x".repeat(150))).collect();
        if number % 25 == 0 {
            drafts[0] = carried(&situation);
        }
        for entry in writer.append(drafts).await.unwrap() {
            situation.apply(&entry);
        }
    }
    for when in ["while the writer lives", "after it closed"] {
        let begun = Instant::now();
        let mut reader = Reader::open(dir.path()).await.unwrap();
        let opened = begun.elapsed();
        assert_eq!(reader.situation().await.unwrap().seq, 50_000);
        let folded = begun.elapsed();
        assert_eq!(reader.verify().await.unwrap(), 50_000);
        let all = begun.elapsed();
        say!(
            "{when}: open {opened:?}, situation {:?}, verify {:?}",
            folded.checked_sub(opened).unwrap(),
            all.checked_sub(folded).unwrap()
        );
        drop(reader);
        if when.starts_with("while") {
            writer.close().await.unwrap();
            writer = Writer::open(&dir.path().join("other")).await.unwrap();
        }
    }
    let begun = Instant::now();
    Writer::open(dir.path()).await.unwrap();
    say!("writer open {:?}", begun.elapsed());
}

#[test]
#[ignore = "prints times, proves nothing"]
fn measure_a_flood_of_log_lines() {
    use crate::journal::spool::{Find, Limits, LogSeverity, Query, SourceWriter, SpoolReader};
    let dir = tempfile::tempdir_in(".").unwrap();
    let mut writer = SourceWriter::open(dir.path(), "api", Limits::default()).unwrap();
    let mut reader = SpoolReader::open(dir.path()).unwrap();
    let begun = Instant::now();
    for number in 0..400_000_i64 {
        let line = format!("I request {number} from 10.0.0.1 took 12 ms, status=200 path=/api/v1");
        writer.append(at(number / 10_000), line.as_bytes()).unwrap();
    }
    writer.flush().unwrap();
    say!("400,000 lines written in {:?}", begun.elapsed());
    let begun = Instant::now();
    reader.refresh().unwrap();
    say!("the first refresh {:?}", begun.elapsed());
    let find = Find::text("not there").unwrap();
    let errors = Query { min_severity: LogSeverity::Error, ..Query::default() };
    let search = Query { find: Some(find), ..Query::default() };
    for (what, query) in [("follow", Query::default()), ("errors", errors), ("search", search)] {
        for round in ["first", "again"] {
            let begun = Instant::now();
            let page = reader.page(&query).unwrap();
            let (shown, hidden) = (page.lines.len(), page.hidden);
            say!("{what}, {round}: {shown} rows, {hidden} hidden, {:?}", begun.elapsed());
        }
    }
}
