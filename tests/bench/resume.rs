//! Row 21: from the engine's death in the middle of a run to the next engine's first entry.

use std::process::Command;
use std::time::{Duration, Instant};

use backout::journal::Reader;
use backout::model::entry::{Body, Event};

use super::support::Stack;
use super::{line, ratio};

const ROUNDS: usize = 5;

pub(crate) fn run() {
    println!("\n== resume after kill -9 of the engine (row 21)");
    let mut spawns: Vec<Duration> = (0..100)
        .map(|_| {
            let began = Instant::now();
            Command::new("/bin/true").status().unwrap();
            began.elapsed()
        })
        .collect();
    let mut starts = Vec::new();
    let mut looks = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for _ in 0..ROUNDS {
        let stack = Stack::up(Some("errors:0.3"));
        let said = stack.run(&["rollback", "--quick", "--reason", "bench", "--detach"]);
        assert_eq!(said.code, 0, "{said:?}");
        let engines = stack.run(&["ps", "--json"]).json();
        let pid = i32::try_from(engines[0]["pid"].as_i64().unwrap()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        let died = chrono::Utc::now();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        stack.wait("the run ends", Duration::from_secs(40), || {
            stack.run(&["history"]).out.contains("STATUS=success")
        });
        let entries = runtime.block_on(async {
            let mut reader = Reader::open(&stack.state()).await.unwrap();
            reader.after(0, 10_000).await.unwrap()
        });
        let after = |wanted: fn(&Event) -> bool| {
            entries.iter().find_map(|entry| match &entry.body {
                Body::Event(event) if entry.at > died && wanted(event) => {
                    (entry.at - died).to_std().ok()
                }
                _ => None,
            })
        };
        starts.extend(after(|event| matches!(event, Event::EngineStarted { .. })));
        looks.extend(after(|event| {
            matches!(event, Event::StepLooked { .. } | Event::StepStarted { .. })
        }));
    }
    let (limit, _) = line("floor: spawn /bin/true", &mut spawns);
    let (half, _) = line("death to the next engine's first entry", &mut starts);
    ratio("ratio p50 (goal 20)", half, limit);
    line("death to the next step's first entry", &mut looks);
}
