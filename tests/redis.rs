//! The check of kind `redis` on a real one.

use std::time::{Duration, Instant};

use backout::clock::Clock;
use backout::model::reading::{Finding, Reading, Reason};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::tools::{Running, look, tool};

pub(crate) fn start() -> Option<Running> {
    let program = tool("redis", "redis-server")?;
    Some(Running::start(&program, |dir, port| {
        let options = [("--port", port.to_string()), ("--dir", dir.display().to_string())];
        let fixed = ["--bind", "127.0.0.1", "--save", "", "--requirepass", "geheim"];
        let options = options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
        options.chain(fixed.map(str::to_owned)).collect()
    }))
}

fn reason(reading: &Reading) -> Option<Reason> {
    match reading.finding {
        Finding::Unknown { reason } => Some(reason),
        Finding::Good | Finding::Warn { .. } | Finding::Bad { .. } => None,
    }
}

#[tokio::test]
async fn a_real_redis_answers_every_form_of_the_check() {
    let Some(mut redis) = start() else { return };
    let (port, clock) = (redis.port, Clock::real());
    let ask = |login: &str, rest: &str| {
        let entry = format!(
            "check_type: redis, endpoint_url: 'redis://{login}127.0.0.1:{port}/0', timeout: 5s{rest}"
        );
        let clock = clock.clone();
        async move { look(&entry, &clock).await }
    };
    let until = Instant::now() + Duration::from_mins(3);
    let login = ":${REDIS_PASSWORD}@";
    while ask(login, "").await.finding != Finding::Good {
        assert!(Instant::now() < until, "{}", redis.log());
        clock.sleep(Duration::from_millis(50)).await;
    }
    let mut raw = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    raw.write_all(b"AUTH geheim\r\nRPUSH jobs a b c\r\nSET depth 41.5\r\n").await.unwrap();
    let mut said = String::new();
    let mut bytes = [0; 256];
    while said.matches("\r\n").count() < 3 {
        let read = raw.read(&mut bytes).await.unwrap();
        said.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    assert_eq!(said, "+OK\r\n:3\r\n+OK\r\n");

    let list = ask(login, ", list: jobs, threshold_critical: 3").await;
    assert!(matches!(list.finding, Finding::Bad { .. }), "{list:?}");
    assert_eq!((list.value, list.unit.as_str()), (Some(3.0), "entries"));
    assert_eq!(ask(login, ", key: depth").await.value, Some(41.5));
    let clients = ask(login, ", info: connected_clients").await;
    assert!(clients.value.is_some_and(|count| count >= 2.0), "{clients:?}");
    assert_eq!(reason(&ask(login, ", info: no_such_field").await), Some(Reason::NoData));
    assert_eq!(reason(&ask(login, ", key: none").await), Some(Reason::NoData));
    assert_eq!(reason(&ask(login, ", list: depth").await), Some(Reason::BadConfig));
    assert_eq!(reason(&ask("", "").await), Some(Reason::NoPermission));
    let wrong = ask(":wrong@", "").await;
    assert_eq!(reason(&wrong), Some(Reason::NoPermission), "{wrong:?}");
    assert_eq!(ask("", ", password: '${REDIS_PASSWORD}'").await.finding, Finding::Good);

    redis.stop();
    assert!(matches!(ask(login, "").await.finding, Finding::Bad { .. }));
}
