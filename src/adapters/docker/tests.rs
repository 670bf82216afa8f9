use super::*;

#[tokio::test]
async fn an_engine_that_is_away_is_said_with_its_socket_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("docker.sock");
    let address = format!("unix://{}", path.display());
    let host = DockerHost::connect(Some(&address), Clock::real()).unwrap();
    let error = host.daemon().await.unwrap_err();
    assert_eq!(error.kind, Kind::Refused, "{error}");
    assert!(error.message.contains(path.to_str().unwrap()), "{error}");
    // A socket that nobody listens at any more.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let error = host.of_project("p", None).await.unwrap_err();
    assert_eq!(error.kind, Kind::Refused, "{error}");
    assert!(error.message.contains("systemctl start docker"), "{error}");
}

#[tokio::test]
async fn an_engine_that_does_not_answer_is_unknown_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("docker.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let clock = Clock::manual(chrono::DateTime::UNIX_EPOCH);
    let host = DockerHost::connect(path.to_str(), clock.clone()).unwrap();
    let asked = tokio::spawn(async move { host.daemon().await });
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    clock.advance(LOOK_LIMIT * 2);
    assert_eq!(asked.await.unwrap().unwrap_err().kind, Kind::TimedOut);
}

#[test]
fn what_is_no_address_is_refused() {
    for address in ["tcp://10.0.0.1:2375", "docker.sock", "ssh://", ""] {
        let error = DockerHost::connect(Some(address), Clock::real()).unwrap_err();
        assert_eq!(error.kind, Kind::Rejected, "{address}");
    }
    let host = DockerHost::connect(None, Clock::real()).unwrap();
    assert_eq!(host.address(), "unix:///var/run/docker.sock");
}

#[tokio::test]
async fn whoever_waits_while_another_host_is_tried_has_the_same_answer() {
    let folder = tempfile::tempdir().unwrap();
    let files: [(&str, &[u8]); 3] = [
        ("ca.pem", include_bytes!("../../../tests/tls/ca.pem")),
        ("cert.pem", include_bytes!("../../../tests/tls/server.pem")),
        ("key.pem", include_bytes!("../../../tests/tls/server.key")),
    ];
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    // It takes the connection, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = silent.local_addr().unwrap();
    let address = format!("tls://{place}{}", folder.path().display());
    let clock = Clock::manual(chrono::DateTime::UNIX_EPOCH);
    let host = DockerHost::connect(Some(&address), clock.clone()).unwrap();
    let asked: Vec<_> = (0..5)
        .map(|_| {
            tokio::spawn({
                let host = host.clone();
                async move { host.reach().await }
            })
        })
        .collect();
    for _ in 0..200 {
        Clock::real().sleep(Duration::from_millis(1)).await;
    }
    clock.advance(Duration::from_secs(11));
    for one in asked {
        let why = one.await.unwrap().unwrap_err().message;
        assert!(why.contains("no answer within 10 s") && why.contains(" version"), "{why}");
    }
}
