//! What the roles of a journal on a server may do.

use backout::journal::{Channel, CommandDesk, Ear, Present};

use super::*;

/// Whether a role may do what it asks, and what it was told.
async fn tried(home: &Home, role: &str, statement: &str) -> Result<u64, String> {
    let bench = home.bench.as_ref().unwrap();
    let options = sqlx::postgres::PgConnectOptions::new_without_pgpass()
        .socket(bench.cluster.socket())
        .port(bench.cluster.port)
        .username(role)
        .database(&bench.name);
    let mut connection = options.connect().await.unwrap();
    let asked = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned()));
    asked.execute(&mut connection).await.map(|done| done.rows_affected()).map_err(|e| e.to_string())
}

#[test]
fn an_engineer_asks_under_their_own_name_and_nobody_changes_an_entry() {
    run(async {
        let Some(home) = Home::on_server().await else { return };
        let bench = home.bench.as_ref().unwrap();
        let name = &bench.name;
        let (alice, eve) = (format!("alice_{name}"), format!("eve_{name}"));
        let roles = format!(
            "CREATE ROLE {alice} LOGIN IN ROLE backout_engineer; \
             CREATE ROLE {eve} LOGIN IN ROLE backout_observer"
        );
        bench.root(name, &roles).await;
        let mut writer = Writer::open(home.place("a")).await.unwrap();
        writer.append(vec![note("n0")]).await.unwrap();
        let engine = format!("user_{name}");
        let ask = "INSERT INTO backout.commands (id, client, body) VALUES ('c1', 'bastion', '{}')";
        assert_eq!(tried(&home, &alice, ask).await, Ok(1));
        assert_eq!(bench.ask(name, "SELECT author FROM backout.commands").await, alice);
        let denied = "permission denied";
        for (role, statement) in [
            (&eve, ask),
            (
                &eve,
                "INSERT INTO backout.presence (author, client, kind, version, here) \
                    VALUES ('bob', 'x', 'cli', '1', true)",
            ),
            (&alice, "UPDATE backout.presence SET author = 'bob'"),
            (&alice, "INSERT INTO backout.live (body) VALUES ('{}')"),
            (
                &alice,
                "INSERT INTO backout.commands (id, client, body, author) VALUES ('c2', '', '', 'bob')",
            ),
            (&alice, "UPDATE backout.commands SET body = 'x'"),
            (&alice, "DELETE FROM backout.commands"),
            (&alice, "UPDATE backout.lease SET expires = 'infinity'"),
            (&alice, "INSERT INTO backout.entries VALUES (2, 1, 'x', '\\x', '\\x')"),
            (&alice, "DELETE FROM backout.entries"),
            (&alice, "ALTER TABLE backout.entries DISABLE TRIGGER ALL"),
            (&engine, "UPDATE backout.entries SET kind = 'x'"),
            (&engine, "DELETE FROM backout.entries"),
            (&engine, "TRUNCATE backout.entries"),
            (&engine, "UPDATE backout.commands SET author = 'bob'"),
            (&engine, "INSERT INTO backout.commands (id, client, body) VALUES ('c3', '', '')"),
        ] {
            let said = tried(&home, role, statement).await.unwrap_err();
            assert!(said.contains(denied) || said.contains("must be owner"), "{statement}: {said}");
        }
        // Who only watches is an observer, whatever they say they are.
        let here = "INSERT INTO backout.presence (client, kind, version, here) \
                    VALUES ('bastion', 'console', '1', true)";
        for (role, kind) in [(&alice, "console"), (&eve, "observer")] {
            assert_eq!(tried(&home, role, here).await, Ok(1));
            let known = format!("SELECT kind FROM backout.presence WHERE author = '{role}'");
            assert_eq!(bench.ask(name, &known).await, kind);
        }
        let other = tried(&home, &alice, "UPDATE backout.presence SET here = false").await;
        assert!(other.unwrap_err().contains("this is how eve"), "only one's own");
        // Not even the owner, by mistake.
        for statement in ["UPDATE backout.entries SET kind = 'x'", "DELETE FROM backout.entries"] {
            let said = tried(&home, "postgres", statement).await.unwrap_err();
            assert!(said.contains("never changed"), "{said}");
        }
        for role in [&alice, &eve] {
            let read = tried(&home, role, "SELECT 1 FROM backout.entries").await;
            assert_eq!(read, Ok(1), "{role} reads");
        }
        writer.append(vec![note("n1")]).await.unwrap();
        writer.close().await.unwrap();
        assert_eq!(chain(&home.place("b")).await.len(), 2);
    });
}

#[test]
fn who_waits_hears_of_commands_and_entries_and_who_is_there_is_what_the_server_says() {
    run(async {
        let Some(home) = Home::on_server().await else { return };
        home.both_roles().await;
        let place = home.place("a");
        let (long, began) = (Duration::from_mins(2), std::time::Instant::now());
        let mut writer = Writer::open(&place).await.unwrap();
        let mut desk = CommandDesk::open(&place).await.unwrap().unwrap();
        for (channel, number) in [(Channel::Commands, 0), (Channel::News, 1)] {
            let mut ear = Ear::at(&place, channel);
            let heard = tokio::spawn(async move { ear.wait(long, long).await });
            // It may not listen yet: what is said is said again.
            while !heard.is_finished() {
                assert!(began.elapsed() < long, "nothing is heard");
                if number == 0 {
                    let id = format!("c{}", began.elapsed().as_micros());
                    desk.put(&id, "bastion", "{}").await.unwrap();
                } else {
                    writer.append(vec![note("news")]).await.unwrap();
                }
                Clock::real().sleep(Duration::from_millis(100)).await;
            }
        }
        let one = Present {
            author: "somebody else".to_owned(),
            client: "bastion pid 7".to_owned(),
            kind: "console".to_owned(),
            version: "1".to_owned(),
        };
        desk.attend(&one, true).await.unwrap();
        desk.attend(&one, true).await.unwrap();
        let role = desk.role().await.unwrap();
        let there = desk.present(20).await.unwrap();
        assert_eq!(there, [Present { author: role, ..one.clone() }]);
        desk.attend(&one, false).await.unwrap();
        assert_eq!(desk.present(20).await.unwrap(), []);
        desk.show("{}").await.unwrap();
        desk.show("{\"a\": 'b'}").await.unwrap();
        let (number, shown) = desk.shown(0).await.unwrap().unwrap();
        assert_eq!(shown, "{\"a\": 'b'}");
        assert_eq!(desk.shown(number).await.unwrap(), None);
        assert!(!desk.is_held_elsewhere(&place).await.unwrap());
        assert!(desk.is_held_elsewhere(&home.place("b")).await.unwrap());
        writer.close().await.unwrap();
    });
}
