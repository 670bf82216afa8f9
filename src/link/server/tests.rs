use std::os::unix::fs::MetadataExt as _;
use std::time::Instant;

use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::*;
use crate::link::frame::FrameReader;
use crate::link::message::{Hello, PROTOCOL, ToEngine, VERSION, Welcome};
use crate::model::entry::Abort;

const HEAD: Head = Head { epoch: 3, seq: 42 };

struct Desk {
    dir: tempfile::TempDir,
    clock: Clock,
    server: Server,
    events: mpsc::Receiver<ServerEvent>,
}

impl Desk {
    /// A server whose own clock stands still until a test moves it.
    fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(chrono::DateTime::UNIX_EPOCH);
        let socket = dir.path().join("s/e.sock");
        let (server, events) = Server::bind(&socket, Share::Alone, HEAD, clock.clone()).unwrap();
        Self { dir, clock, server, events }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("s/e.sock")
    }

    async fn connect(&self) -> Raw {
        Raw::connect(&self.socket()).await
    }

    async fn attach(&mut self, hello: Hello) -> (Raw, Welcome) {
        let mut raw = self.connect().await;
        raw.say(&ToEngine::Hello(hello)).await;
        let Some(FromEngine::Welcome(welcome)) = raw.hear().await else {
            panic!("no welcome");
        };
        assert!(matches!(
            self.event().await,
            ServerEvent::Attached { client, .. } if client == welcome.client
        ));
        (raw, welcome)
    }

    async fn event(&mut self) -> ServerEvent {
        soon(self.events.recv()).await.unwrap()
    }

    async fn advance_until<T>(&self, work: impl Future<Output = T>) -> T {
        let turning = async {
            loop {
                self.clock.advance(Duration::from_millis(100));
                tokio::task::yield_now().await;
            }
        };
        soon(async {
            tokio::select! {
                biased;
                done = work => done,
                () = turning => unreachable!(),
            }
        })
        .await
    }
}

/// A peer that speaks bytes.
struct Raw {
    read: FrameReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

impl Raw {
    async fn connect(socket: &Path) -> Self {
        let (read, write) = UnixStream::connect(socket).await.unwrap().into_split();
        Self { read: FrameReader::new(read, Clock::real()), write }
    }

    async fn say(&mut self, said: &ToEngine) {
        self.write.write_all(&encode(said).unwrap()).await.unwrap();
    }

    async fn hear(&mut self) -> Option<FromEngine> {
        let frame = soon(self.read.next()).await.unwrap()?;
        Some(serde_json::from_slice(&frame).unwrap())
    }

    async fn hears_bye(&mut self) -> String {
        loop {
            match self.hear().await {
                Some(FromEngine::Bye { why }) => return why,
                Some(_) => {}
                None => panic!("closed without a word"),
            }
        }
    }
}

async fn soon<F: Future>(work: F) -> F::Output {
    let limit = Duration::from_secs(10);
    Clock::real().timeout(limit, work).await.expect("within 10 s")
}

fn console() -> Hello {
    Hello::new(ClientKind::Console, "sam", Some("10.0.0.5 1 10.0.0.9 22".to_owned()))
}

fn abort(id: &str) -> ToEngine {
    ToEngine::Send { id: id.into(), command: Command::Abort { verb: Abort::Stop } }
}

fn close(id: &str) -> ToEngine {
    ToEngine::Send { id: id.into(), command: Command::Close }
}

#[tokio::test]
async fn a_client_is_welcomed_and_known_by_the_kernel() {
    let mut desk = Desk::open();
    let mut raw = desk.connect().await;
    raw.say(&ToEngine::Hello(Hello { name: "sam\x1b[2J".to_owned(), ..console() })).await;
    assert_eq!(
        raw.hear().await,
        Some(FromEngine::Welcome(Welcome {
            protocol: PROTOCOL,
            version: VERSION.to_owned(),
            pid: std::process::id(),
            epoch: 3,
            seq: 42,
            client: 1,
            read_only: false,
        }))
    );
    let ServerEvent::Attached { author, .. } = desk.event().await else {
        panic!("not attached");
    };
    assert_eq!(author.uid, rustix::process::getuid().as_raw());
    assert_eq!(author.name.as_str(), "sam␛[2J", "what is claimed is made safe");
    assert!(!author.engine);
    let own = std::fs::read_to_string("/proc/self/loginuid").ok();
    let own = own.and_then(|text| text.trim().parse().ok());
    assert_eq!(author.login_uid, own.filter(|uid| *uid != u32::MAX));
}

#[tokio::test]
async fn a_command_reaches_the_engine_and_its_answer_the_client() {
    let mut desk = Desk::open();
    let (mut raw, welcome) = desk.attach(console()).await;
    raw.say(&close("c-1")).await;
    let ServerEvent::Command { client, id, command, author } = desk.event().await else {
        panic!("no command");
    };
    assert_eq!((client, &command), (welcome.client, &Command::Close));
    assert_eq!(author.name.as_str(), "sam");
    desk.server.answer(client, id, Answer::Accepted { seq: 43 });
    assert_eq!(
        raw.hear().await,
        Some(FromEngine::Answer { id: "c-1".into(), answer: Answer::Accepted { seq: 43 } })
    );
    drop(raw);
    assert_eq!(desk.event().await, ServerEvent::Gone { client });
}

#[tokio::test]
async fn a_client_of_another_version_may_stop_but_not_start() {
    let mut desk = Desk::open();
    let hello = Hello { version: "0.0.9".to_owned(), ..console() };
    let (mut raw, welcome) = desk.attach(hello).await;
    assert!(welcome.read_only);
    raw.say(&close("c-1")).await;
    let Some(FromEngine::Answer { id, answer: Answer::Refused { why, .. } }) = raw.hear().await
    else {
        panic!("not refused");
    };
    assert_eq!(id.as_str(), "c-1");
    assert!(why.contains("different versions"), "{why}");
    raw.say(&abort("c-2")).await;
    assert!(matches!(desk.event().await, ServerEvent::Command { id, .. } if id.as_str() == "c-2"));
}

#[tokio::test]
async fn an_observer_may_stop_but_not_start() {
    let mut desk = Desk::open();
    let (mut raw, _) = desk.attach(Hello::new(ClientKind::Observer, "eve", None)).await;
    raw.say(&close("c-1")).await;
    assert!(matches!(
        raw.hear().await,
        Some(FromEngine::Answer { answer: Answer::Refused { .. }, .. })
    ));
    raw.say(&abort("c-2")).await;
    assert!(matches!(desk.event().await, ServerEvent::Command { .. }));
}

#[tokio::test]
async fn a_command_that_only_a_newer_client_knows_is_refused_and_the_client_stays() {
    let mut desk = Desk::open();
    let (mut raw, _) = desk.attach(console()).await;
    let frame = b"{\"send\":{\"id\":\"c-1\",\"command\":{\"teleport\":{}}}}\n";
    raw.write.write_all(frame).await.unwrap();
    assert!(matches!(
        raw.hear().await,
        Some(FromEngine::Answer { answer: Answer::Refused { .. }, .. })
    ));
    raw.say(&abort("c-2")).await;
    assert!(matches!(desk.event().await, ServerEvent::Command { .. }));
}

#[tokio::test]
async fn a_frame_that_is_too_long_or_no_frame_closes_that_client_only() {
    let mut desk = Desk::open();
    let (mut good, _) = desk.attach(console()).await;
    let mut long = vec![b' '; 64 * 1024 + 1];
    long.push(b'\n');
    for bytes in [&long[..], b"\xff\xfe\x00garbage\n", b"{\"send\":{}}\n", b"{\"changed\":1}\n"] {
        let (mut raw, welcome) = desk.attach(console()).await;
        raw.write.write_all(bytes).await.unwrap();
        let why = raw.hears_bye().await;
        assert!(why.contains("frame"), "{why}");
        assert_eq!(raw.hear().await, None, "closed");
        assert_eq!(desk.event().await, ServerEvent::Gone { client: welcome.client });
    }
    good.say(&abort("c-1")).await;
    assert!(matches!(desk.event().await, ServerEvent::Command { .. }));
}

#[tokio::test]
async fn garbage_or_a_command_instead_of_a_hello_is_told_so_and_never_attached() {
    let mut desk = Desk::open();
    for bytes in
        [&b"GET / HTTP/1.1\r\n"[..], b"\n", b"{\"send\":{\"id\":\"c\",\"command\":\"pause\"}}\n"]
    {
        let mut raw = desk.connect().await;
        raw.write.write_all(bytes).await.unwrap();
        raw.hears_bye().await;
        assert_eq!(raw.hear().await, None);
    }
    assert!(desk.events.try_recv().is_err());
}

#[tokio::test]
async fn a_peer_that_is_silent_or_stops_within_its_hello_is_cut_after_2_seconds() {
    let desk = Desk::open();
    let mut silent = desk.connect().await;
    let mut half = desk.connect().await;
    half.write.write_all(b"{\"hello\":{\"prot").await.unwrap();
    let start = desk.clock.now();
    for raw in [&mut silent, &mut half] {
        let why = desk.advance_until(raw.hears_bye()).await;
        assert_eq!(why, "no hello within 2 s");
    }
    assert!(desk.clock.now() - start >= chrono::TimeDelta::seconds(2));
}

#[tokio::test]
async fn of_40_clients_32_are_served_and_8_are_told_why_not() {
    let mut desk = Desk::open();
    let mut served = Vec::new();
    for _ in 0..32 {
        served.push(desk.attach(console()).await);
    }
    for _ in 0..8 {
        let why = desk.connect().await.hears_bye().await;
        assert!(why.contains("32 clients"), "{why}");
    }
    for (raw, _) in &mut served {
        raw.say(&abort("c")).await;
        assert!(matches!(desk.event().await, ServerEvent::Command { .. }));
    }
    drop(served.pop());
    assert!(matches!(desk.event().await, ServerEvent::Gone { .. }));
    soon(async {
        while desk.server.shared.places.available_permits() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    desk.attach(console()).await;
}

#[tokio::test]
async fn a_client_that_never_reads_costs_nothing_and_holds_up_nobody() {
    let mut desk = Desk::open();
    let (slow, slow_welcome) = desk.attach(console()).await;
    let (mut quick, _) = desk.attach(console()).await;
    for seq in 0..10_000 {
        desk.server.changed(seq, seq);
        if seq % 2 == 0 {
            tokio::task::yield_now().await;
        }
    }
    // What waits for a client is one number pair and its 64 answers, whatever was pushed.
    assert_eq!(desk.server.shared.outboxes().open.len(), 2);
    assert_eq!(*desk.server.shared.news.borrow(), (9_999, 9_999));

    let asked = Instant::now();
    quick.say(&abort("c-1")).await;
    let ServerEvent::Command { client, id, .. } = desk.event().await else {
        panic!("no command");
    };
    desk.server.answer(client, id, Answer::Accepted { seq: 1 });
    let mut newest = 0;
    loop {
        match quick.hear().await {
            Some(FromEngine::Answer { .. }) => break,
            Some(FromEngine::Changed { seq, .. }) => newest = seq,
            said => panic!("{said:?}"),
        }
    }
    let took = asked.elapsed();
    assert!(took < Duration::from_millis(200), "{took:?}");
    while newest < 9_999 {
        let Some(FromEngine::Changed { seq, .. }) = quick.hear().await else {
            panic!("the newest is never lost");
        };
        assert!(seq > newest || newest == 0);
        newest = seq;
    }

    // Now its kernel buffer fills, and 10 s later it is cut.
    let cut = async {
        let mut seq = 10_000;
        loop {
            desk.server.changed(seq, 0);
            seq += 1;
            tokio::select! {
                biased;
                event = desk.events.recv() => return event.unwrap(),
                () = tokio::task::yield_now() => {}
            }
            if seq % 16 == 0 {
                desk.clock.advance(Duration::from_millis(50));
            }
            while soon_empty(&mut quick).await {}
        }
    };
    let event = soon(cut).await;
    assert_eq!(event, ServerEvent::Gone { client: slow_welcome.client });
    drop(slow);
}

/// Reads one frame if there is one now.
async fn soon_empty(raw: &mut Raw) -> bool {
    tokio::select! {
        biased;
        frame = raw.read.next() => matches!(frame, Ok(Some(_))),
        () = tokio::task::yield_now() => false,
    }
}

#[tokio::test]
async fn a_client_that_leaves_its_answers_unread_is_cut() {
    let mut desk = Desk::open();
    let (raw, welcome) = desk.attach(console()).await;
    let hint = "h".repeat(4_000);
    let mut given = 0;
    let event = soon(async {
        loop {
            let answer = Answer::Refused { why: String::new(), hint: hint.clone() };
            desk.server.answer(welcome.client, "c".into(), answer);
            given += 1;
            tokio::task::yield_now().await;
            if let Ok(event) = desk.events.try_recv() {
                return event;
            }
        }
    })
    .await;
    assert_eq!(event, ServerEvent::Gone { client: welcome.client });
    assert!(given > QUEUE, "cut after {given}");
    assert!(desk.server.shared.outboxes().open.is_empty());
    drop(raw);
}

#[tokio::test]
async fn the_text_of_a_refusal_is_cut_so_that_it_can_be_sent() {
    let mut desk = Desk::open();
    let (mut raw, welcome) = desk.attach(console()).await;
    let answer = Answer::Refused { why: "ü".repeat(100_000), hint: "\u{1}".repeat(100_000) };
    desk.server.answer(welcome.client, "c".into(), answer);
    let Some(FromEngine::Answer { answer: Answer::Refused { why, hint }, .. }) = raw.hear().await
    else {
        panic!("no answer");
    };
    assert_eq!((why.len(), hint.len()), (TEXT_LIMIT, TEXT_LIMIT));
}

#[tokio::test]
async fn the_socket_and_its_folder_are_ours_alone() {
    let desk = Desk::open();
    let mode = |path: &Path| path.metadata().unwrap().mode() & 0o7777;
    assert_eq!(mode(&desk.socket()), 0o600);
    assert_eq!(mode(desk.socket().parent().unwrap()), 0o700);
}

#[tokio::test]
async fn a_shared_socket_is_open_to_its_group() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s/e.sock");
    let gid = rustix::process::getgid().as_raw();
    let server = Server::bind(&socket, Share::Group(gid), HEAD, Clock::real()).unwrap();
    let meta = socket.metadata().unwrap();
    assert_eq!((meta.mode() & 0o7777, meta.gid()), (0o660, gid));
    drop(server);
}

#[tokio::test]
async fn the_socket_of_a_dead_engine_is_replaced_and_of_a_living_one_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("s");
    std::fs::create_dir(&folder).unwrap();
    let socket = folder.join("e.sock");
    // A listener that is dropped leaves its file behind, as a killed engine does.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    let (server, _events) = Server::bind(&socket, Share::Alone, HEAD, Clock::real()).unwrap();
    let second = Server::bind(&socket, Share::Alone, HEAD, Clock::real());
    assert!(matches!(second, Err(Error::Living { .. })), "{second:?}");
    UnixStream::connect(&socket).await.expect("the first still listens");
    drop(server);
    assert!(!socket.exists(), "the socket goes with its engine");
}

#[tokio::test]
async fn an_engine_that_ends_says_why_and_leaves_a_later_one_alone() {
    let mut desk = Desk::open();
    let (mut raw, _) = desk.attach(console()).await;
    let socket = desk.socket();
    let Desk { server, dir, .. } = desk;
    server.bye("told to end");
    assert!(!socket.exists());
    let (later, _events) = Server::bind(&socket, Share::Alone, HEAD, Clock::real()).unwrap();
    soon(server.end("something else")).await;
    assert_eq!(raw.hears_bye().await, "told to end");
    assert_eq!(raw.hear().await, None);
    assert!(socket.exists(), "the later engine's socket stays");
    drop((later, dir));
}

#[tokio::test]
async fn a_socket_whose_queue_is_full_counts_as_a_living_engine() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("e.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let _waiting = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    assert!(is_listened_on(&socket).unwrap());
    assert!(!is_listened_on(&dir.path().join("none.sock")).unwrap());
}
