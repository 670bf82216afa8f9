//! Rows 1, 11, 20 and 22: what an engineer waits for in an incident.

use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use backout::clock::Clock;
use backout::journal::Reader;
use backout::link::{Answer, Client, ClientKind, Hello};
use backout::model::entry::{Body, Command, Event};

use super::console::{Terminal, of, open};
use super::support::Stack;
use super::{line, ratio};

/// What a terminal shows.
struct Screen {
    terminal: Terminal,
    parser: vt100::Parser,
}

impl Screen {
    fn open(stack: &Stack, arguments: &[&str]) -> Self {
        let command = of(stack, arguments);
        let (rows, columns) = (40.try_into().unwrap(), 120.try_into().unwrap());
        Self { terminal: open(command), parser: vt100::Parser::new(rows, columns, 0) }
    }

    /// Time from now until `text` stands on the screen.
    fn wait(&mut self, text: &str, limit: Duration) -> Option<Duration> {
        let began = Instant::now();
        while began.elapsed() < limit {
            if let Ok(bytes) = self.terminal.bytes.recv_timeout(Duration::from_millis(20)) {
                self.parser.process(&bytes);
                if self.parser.screen().contents().contains(text) {
                    return Some(began.elapsed());
                }
            }
        }
        None
    }

    fn quit(mut self) -> Duration {
        let began = Instant::now();
        for key in [b"\x03", b"\x03"] {
            self.terminal.writer.write_all(key).unwrap();
            self.terminal.writer.flush().unwrap();
        }
        self.terminal.child.wait().unwrap();
        began.elapsed()
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Row 1: attaching, to the identity of the incident on the screen.
fn attach(stack: &Stack) {
    let mut text = Vec::new();
    let mut exits = Vec::new();
    for _ in 0..10 {
        let mut screen = Screen::open(stack, &[]);
        text.extend(screen.wait("INC-", seconds(5)));
        screen.wait("no such text", Duration::from_millis(300));
        exits.push(screen.quit());
    }
    line("attach to the incident's name on the screen", &mut text);
    line("Ctrl-C twice to the end of the process", &mut exits);
}

/// Row 20: a note of somebody else, from its acknowledgement to the screen.
fn second_console(stack: &Stack) {
    let mut screen = Screen::open(stack, &[]);
    screen.wait("INC-", seconds(5));
    let engines = stack.run(&["ps", "--json"]).json();
    let socket = engines[0]["socket"].as_str().unwrap().to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let hello = Hello::new(ClientKind::Cli, "bench", None);
    let clock = Clock::real();
    let attached = Client::connect(socket.as_ref(), hello, &clock);
    let (client, _, pushes) = runtime.block_on(attached).unwrap();
    runtime.spawn(async move {
        let mut pushes = pushes;
        while pushes.recv().await.is_some() {}
    });
    let mut painted = Vec::new();
    for number in 0..30 {
        let text = format!("note-{number}-seen");
        let send = client.send(
            format!("bench-{number}").as_str().into(),
            Command::Note { text: text.as_str().into() },
        );
        let said = runtime.block_on(send).unwrap();
        assert!(matches!(said, Answer::Accepted { .. }), "{said:?}");
        painted.extend(screen.wait(&text, seconds(2)));
        screen.wait("no such text", Duration::from_millis(200));
    }
    println!("{:<44} {} of 30", "notes seen on the other console", painted.len());
    if !painted.is_empty() {
        line("acknowledged to painted elsewhere (goal 3/12)", &mut painted);
    }
    screen.quit();
}

/// Row 11: a target that refuses, from the moment it does to the word on the screen.
fn detection() {
    let stack = Stack::up(None);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap();
    let mut file = std::fs::File::options().append(true).open(stack.config()).unwrap();
    writeln!(
        file,
        "  - {{check_id: breaks, check_type: tcp, endpoint_url: \"tcp://{place}\", \
         interval: 1s, fast_interval: 1s, timeout: 500ms, consecutive_failures_for_critical: 1}}"
    )
    .unwrap();
    let mut screen = Screen::open(&stack, &[]);
    screen.wait("10 ok", seconds(10));
    screen.wait("no such text", seconds(3));
    let began = Instant::now();
    drop(listener);
    let seen = screen.wait("breaks", seconds(5)).map(|_| began.elapsed());
    println!("{:<44} {seen:?} (interval 1 s)", "a refused connection to its name on the screen");
    screen.quit();
}

/// Row 22: from the approval to the switch, without the steps that come before it, beside the
/// bare order to the proxy.
fn switch() {
    let (mut whole, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let stack = Stack::up(None);
        let said = stack.run(&["rollback", "--quick", "--reason", "bench"]);
        assert_eq!(said.code, 0, "{said:?}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let entries = runtime.block_on(async {
            Reader::open(&stack.state()).await.unwrap().after(0, 10_000).await.unwrap()
        });
        let mut started = None;
        for entry in &entries {
            match &entry.body {
                Body::Event(event) => match event.as_ref() {
                    Event::StepStarted { step, .. } if step.as_str() == "switch" => {
                        started = Some(entry.at);
                    }
                    Event::StepEnded { step, .. } if step.as_str() == "switch" => {
                        whole.extend((entry.at - started.unwrap()).to_std().ok());
                    }
                    _ => {}
                },
                Body::Command(..) | Body::Newer { .. } => {}
            }
        }
        let config = std::fs::read_to_string(stack.config()).unwrap();
        let control = config.split("control_url: \"").nth(1).unwrap().split('"').next().unwrap();
        for color in ["green", "blue"] {
            let began = Instant::now();
            let order = format!("{{\"to\": \"{color}\"}}");
            let clock = Clock::real();
            let url = format!("{control}/switch");
            let order: serde_json::Value = serde_json::from_str(&order).unwrap();
            let reply = backout::adapters::control::post(&url, &order, seconds(2), &clock);
            assert!(runtime.block_on(reply).unwrap().is_success());
            beside.push(began.elapsed());
        }
    }
    line("the bare order to the proxy", &mut beside);
    let (half, _) = line("switch: intent, order, proof, both durable", &mut whole);
    let bare = super::quantile(&mut beside, 0.5);
    println!(
        "{:<44} {:.1?} (goal 5 ms + 3 syncs)",
        "over the bare order",
        half.saturating_sub(bare)
    );
    ratio("ratio p50", half, bare);
}

pub(crate) fn run() {
    println!("\n== in an incident (rows 1, 11, 20, 22)");
    let stack = Stack::up(Some("errors:0.3"));
    let mut first = Screen::open(&stack, &[]);
    first.wait("INC-", seconds(15));
    attach(&stack);
    second_console(&stack);
    first.quit();
    drop(stack);
    detection();
    switch();
}
