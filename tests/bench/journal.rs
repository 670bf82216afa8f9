//! Row 19: one acknowledged entry beside append + fdatasync, and a batch of 32.

use std::io::Write;
use std::time::Instant;

use backout::journal::{Draft, Writer};
use backout::model::entry::{Author, Body, Event};

use super::{line, ratio};

const ROUNDS: usize = 1000;

fn draft() -> Draft {
    let text = "x".repeat(200).as_str().into();
    let body = Body::Event(Box::new(Event::Noted { by: "bench".into(), text }));
    Draft { incident: None, at: chrono::Utc::now(), author: Author::default(), body }
}

pub(crate) fn run() {
    println!("\n== journal: one durable entry (row 19)");
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut file = std::fs::File::create(folder.path().join("plain")).unwrap();
    let (mut plain, mut ours) = (Vec::new(), Vec::new());
    runtime.block_on(async {
        let mut writer = Writer::open(&folder.path().join("state")).await.unwrap();
        for _ in 0..ROUNDS {
            let began = Instant::now();
            file.write_all(&[b'x'; 512]).unwrap();
            file.sync_data().unwrap();
            plain.push(began.elapsed());
            let began = Instant::now();
            writer.append(vec![draft()]).await.unwrap();
            ours.push(began.elapsed());
        }
        let began = Instant::now();
        for _ in 0..ROUNDS / 32 {
            writer.append((0..32).map(|_| draft()).collect()).await.unwrap();
        }
        let batched = (ROUNDS / 32 * 32) as f64 / began.elapsed().as_secs_f64();
        let single = 1.0 / (ours.iter().sum::<std::time::Duration>().as_secs_f64() / ROUNDS as f64);
        let (limit, limit_most) = line("append + fdatasync", &mut plain);
        let (half, most) = line("one acknowledged entry", &mut ours);
        ratio("ratio p50 (goal 1.25)", half, limit);
        ratio("ratio p99 (goal 2)", most, limit_most);
        println!("{:<44} {:.1}", "32 in a batch, entries/s to single (goal 14)", batched / single);
        writer.close().await.unwrap();
    });
}
