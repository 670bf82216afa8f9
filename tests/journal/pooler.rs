//! Through a pooler in transaction mode, which gives each transaction another line.

use std::process::{Child, Command, Stdio};

use super::*;
use crate::postgres::cluster::PASSWORD;
use crate::tools::{free_port, tool};

struct Pooler {
    child: Child,
    port: u16,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// `PgBouncer` before the server, with fewer lines than there are clients.
fn pooler(home: &Home) -> Option<Pooler> {
    let program = tool("pgbouncer", "pgbouncer")?;
    let bench = home.bench.as_ref().unwrap();
    let port = free_port();
    let folder = bench.folder.path();
    let name = &bench.name;
    std::fs::write(folder.join("users"), format!("\"user_{name}\" \"{PASSWORD}\"\n")).unwrap();
    let settings = format!(
        "[databases]\n{name} = host=127.0.0.1 port={} dbname={name}\n[pgbouncer]\n\
         listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
         auth_type = scram-sha-256\nauth_file = {}\npool_mode = transaction\n\
         default_pool_size = 2\nserver_round_robin = 1\n",
        bench.cluster.port,
        folder.join("users").display()
    );
    std::fs::write(folder.join("pgbouncer.ini"), settings).unwrap();
    let mut command = Command::new(program);
    if rustix::process::geteuid().is_root() {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
        command.args(["-u", "postgres"]);
    }
    let log = std::fs::File::create(folder.join("pooler.log")).unwrap();
    let child = command
        .arg(folder.join("pgbouncer.ini"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    Some(Pooler { child, port })
}

#[test]
fn a_pooler_in_transaction_mode_may_stand_in_between() {
    run(async {
        let Some(home) = Home::on_server().await else { return };
        let Some(pooler) = pooler(&home) else { return };
        let bench = home.bench.as_ref().unwrap();
        let name = &bench.name;
        let url = format!("postgres://user_{name}:geheim%2Fwort@127.0.0.1:{}/{name}", pooler.port);
        let place = |host: &str| home.place_at(host, &url);
        let until = std::time::Instant::now() + Duration::from_mins(1);
        while std::net::TcpStream::connect(("127.0.0.1", pooler.port)).is_err() {
            assert!(std::time::Instant::now() < until, "the pooler does not listen");
            Clock::real().sleep(Duration::from_millis(50)).await;
        }
        let mut writer = Writer::open(place("a")).await.unwrap();
        let mut readers = Vec::new();
        for number in 0..6 {
            readers.push(Reader::open(place(&format!("r{number}"))).await.unwrap());
        }
        for number in 0..100_u64 {
            writer.append(vec![note(&format!("n{number}"))]).await.unwrap();
            writer.renew().await.unwrap();
            let mut reader = Reader::open(place("b")).await.unwrap();
            assert_eq!(reader.after(number, 9).await.unwrap().len(), 1);
        }
        assert!(matches!(Writer::open(place("b")).await, Err(Error::HeldElsewhere { .. })));
        // Nobody can listen through it: it is looked at now and then.
        let mut ear = backout::journal::Ear::at(&place("b"), backout::journal::Channel::News);
        for _ in 0..3 {
            ear.wait(Duration::from_millis(50), Duration::from_millis(50)).await;
        }
        // Its lines to the server break, not ours to it.
        let cut = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE usename = 'user_{name}'"
        );
        for number in 100..150 {
            if number % 10 == 0 {
                bench.ask(name, &cut).await;
            }
            writer.append(vec![note(&format!("n{number}"))]).await.unwrap();
        }
        writer.close().await.unwrap();
        let all = chain(&home.place("c")).await;
        assert!(all.iter().map(text).eq((0..150).map(|number| format!("n{number}"))));
    });
}
