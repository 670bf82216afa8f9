use std::path::PathBuf;

use tokio::net::UnixListener;

use super::*;
use crate::link::message::{ClientKind, VERSION};
use crate::link::server::{Head, Server, ServerEvent, Share};

fn hello() -> Hello {
    Hello::new(ClientKind::Console, "sam", None)
}

async fn soon<F: Future>(work: F) -> F::Output {
    let limit = Duration::from_secs(10);
    Clock::real().timeout(limit, work).await.expect("within 10 s")
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s/e.sock");
    (dir, socket)
}

fn engine(socket: &Path) -> (Server, mpsc::Receiver<ServerEvent>) {
    let head = Head { epoch: 1, seq: 7 };
    Server::bind(socket, Share::Alone, head, Clock::real()).unwrap()
}

#[tokio::test]
async fn a_command_gets_the_answer_to_its_own_id() {
    let (_dir, socket) = folder();
    let (server, mut events) = engine(&socket);
    let (client, welcome, _pushes) =
        Client::connect(&socket, hello(), &Clock::real()).await.unwrap();
    assert_eq!((welcome.seq, welcome.version.as_str()), (7, VERSION));
    let answering = tokio::spawn(async move {
        let mut asked = Vec::new();
        while asked.len() < 2 {
            if let Some(ServerEvent::Command { client, id, .. }) = events.recv().await {
                asked.push((client, id));
            }
        }
        // The other way round than they were asked.
        for (client, id) in asked.into_iter().rev() {
            let seq = if id.as_str() == "c-1" { 1 } else { 2 };
            server.answer(client, id, Answer::Accepted { seq });
        }
        (server, events)
    });
    let (first, second) = soon(async {
        tokio::join!(
            client.send("c-1".into(), Command::Close),
            client.send("c-2".into(), Command::Pause)
        )
    })
    .await;
    assert_eq!(first.unwrap(), Answer::Accepted { seq: 1 });
    assert_eq!(second.unwrap(), Answer::Accepted { seq: 2 });
    soon(answering).await.unwrap();
}

#[tokio::test]
async fn news_that_is_read_slowly_is_only_the_newest() {
    let (_dir, socket) = folder();
    let (server, _events) = engine(&socket);
    let (_client, _, mut pushes) = Client::connect(&socket, hello(), &Clock::real()).await.unwrap();
    for seq in 8..1_008 {
        server.changed(seq, 0);
        tokio::task::yield_now().await;
    }
    let mut heard = Vec::new();
    while heard.last() != Some(&1_007) {
        match soon(pushes.recv()).await {
            Some(FromEngine::Changed { seq, .. }) => heard.push(seq),
            said => panic!("{said:?}"),
        }
    }
    assert!(heard.is_sorted());
    assert!(heard.len() < 10, "{heard:?}");
}

#[tokio::test]
async fn when_the_engine_ends_the_last_word_is_heard_and_then_nothing() {
    let (_dir, socket) = folder();
    let (server, _events) = engine(&socket);
    let (client, _, mut pushes) = Client::connect(&socket, hello(), &Clock::real()).await.unwrap();
    server.changed(9, 0);
    soon(server.end("told to end")).await;
    let mut last = None;
    while let Some(said) = soon(pushes.recv()).await {
        last = Some(said);
    }
    let why = "told to end".to_owned();
    assert_eq!(last, Some(FromEngine::Bye { why }));
    let refused = soon(client.send("c-1".into(), Command::Pause)).await;
    assert!(matches!(refused, Err(Error::Gone { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_command_on_its_way_when_the_engine_dies_fails_at_once_as_gone() {
    let (_dir, socket) = folder();
    let (server, mut events) = engine(&socket);
    let (client, _, mut pushes) = Client::connect(&socket, hello(), &Clock::real()).await.unwrap();
    let sending = tokio::spawn(async move { client.send("c-1".into(), Command::Close).await });
    while !matches!(soon(events.recv()).await, Some(ServerEvent::Command { .. })) {}
    drop(server);
    assert!(matches!(soon(sending).await.unwrap(), Err(Error::Gone { .. })));
    while soon(pushes.recv()).await.is_some() {}
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_waited_for_5_seconds() {
    let (_dir, socket) = folder();
    let (_server, mut events) = engine(&socket);
    let clock = Clock::manual(chrono::DateTime::UNIX_EPOCH);
    let (client, _, _pushes) = Client::connect(&socket, hello(), &clock).await.unwrap();
    let sending = {
        let client = client.clone();
        tokio::spawn(async move { client.send("c-1".into(), Command::Close).await })
    };
    while !matches!(soon(events.recv()).await, Some(ServerEvent::Command { .. })) {}
    clock.advance(Duration::from_millis(4_999));
    tokio::task::yield_now().await;
    assert!(!sending.is_finished());
    clock.advance(Duration::from_millis(1));
    let late = soon(sending).await.unwrap();
    assert!(matches!(late, Err(Error::TimedOut { limit, .. }) if limit.as_secs() == 5), "{late:?}");
}

#[tokio::test]
async fn an_engine_that_does_not_answer_the_hello_is_given_2_seconds() {
    let (dir, _) = folder();
    let socket = dir.path().join("deaf.sock");
    let _deaf = UnixListener::bind(&socket).unwrap();
    let clock = Clock::manual(chrono::DateTime::UNIX_EPOCH);
    let connecting = {
        let clock = clock.clone();
        tokio::spawn(async move { Client::connect(&socket, hello(), &clock).await.map(drop) })
    };
    while !connecting.is_finished() {
        clock.advance(Duration::from_millis(100));
        tokio::task::yield_now().await;
    }
    let late = connecting.await.unwrap();
    assert!(matches!(late, Err(Error::TimedOut { limit, .. }) if limit.as_secs() == 2), "{late:?}");
}

#[tokio::test]
async fn without_an_engine_the_error_says_so() {
    let (dir, socket) = folder();
    let missing = Client::connect(&socket, hello(), &Clock::real()).await.map(drop);
    assert!(matches!(missing, Err(Error::NotRunning { .. })));
    let stale = dir.path().join("stale.sock");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    let dead = Client::connect(&stale, hello(), &Clock::real()).await.map(drop);
    assert!(matches!(dead, Err(Error::NotRunning { .. })));
}

#[tokio::test]
async fn the_33rd_client_reads_why_it_was_turned_away() {
    let (_dir, socket) = folder();
    let (_server, mut events) = engine(&socket);
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    let mut attached = Vec::new();
    for _ in 0..32 {
        attached.push(Client::connect(&socket, hello(), &Clock::real()).await.unwrap());
    }
    let refused = Client::connect(&socket, hello(), &Clock::real()).await.map(drop);
    assert!(matches!(&refused, Err(Error::Closed { why }) if why.contains("32")), "{refused:?}");
}

#[tokio::test]
async fn a_client_that_is_dropped_leaves() {
    let (_dir, socket) = folder();
    let (_server, mut events) = engine(&socket);
    let (client, _, _pushes) = Client::connect(&socket, hello(), &Clock::real()).await.unwrap();
    assert!(matches!(soon(events.recv()).await, Some(ServerEvent::Attached { .. })));
    drop(client);
    assert!(matches!(soon(events.recv()).await, Some(ServerEvent::Gone { client: 1 })));
}
