//! Two consoles on two hosts, one engine: over the journal they see each other, hand the lead over,
//! and start one run.

use std::path::Path;

use super::engines::{logs, starts};
use super::hosts::Host;
use super::*;
use crate::people::Console;
use crate::support::Stack;
use crate::terminal::offers;

/// A person at a console, on a host.
struct Desk<'a> {
    console: Console,
    stack: &'a Stack,
}

impl<'a> Desk<'a> {
    fn open(stack: &'a Stack, host: &Host, config: &Path, name: &str) -> Self {
        let console = Console::of(host.command(stack, config, &["attach"]).env("USER", name));
        Self { console, stack }
    }

    fn until(&mut self, what: &str, done: impl Fn(&str) -> bool) {
        let until = std::time::Instant::now() + Duration::from_mins(2);
        loop {
            let text = self.console.text();
            if text.contains("What the others know") {
                // Any key closes what a second person is told first.
                Desk::rest();
                self.console.send("k");
                Desk::rest();
                continue;
            }
            if done(&text) {
                return;
            }
            let logs = || logs(self.stack, &["bastion-a", "bastion-b"]);
            assert!(std::time::Instant::now() < until, "{what}: in vain\n{text}\n{}", logs());
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    fn shows(&mut self, words: &str) {
        self.until(words, |text| text.contains(words));
    }

    fn press(&mut self, key: &str, offered: &str) {
        self.until(&format!("{offered} is offered"), |text| offers(text).contains(offered));
        self.console.send(key);
    }

    /// A dialog takes no key that was pressed before it could be seen.
    fn rest() {
        std::thread::park_timeout(Duration::from_millis(700));
    }
}

#[test]
#[ignore = "two terminals and two network namespaces: not steady yet on a loaded machine"]
fn two_people_on_two_hosts_see_each_other_hand_over_the_lead_and_start_one_run() {
    let Some([a, b]) = Host::two() else { return };
    run(async {
        let Some(home) = Home::on_server().await else { return };
        let bench = home.bench.as_ref().unwrap();
        let (name, port) = (&bench.name, bench.cluster.port);
        let carol = format!("carol_{name}");
        let role = format!("CREATE ROLE {carol} LOGIN PASSWORD 'x' IN ROLE backout_engineer");
        bench.root(name, &role).await;
        home.both_roles().await;
        let stack = Stack::up(Some("errors:0.3"));
        let here = a.configure(&stack, &home, "");
        let there =
            b.configure(&stack, &home, &format!("postgres://{carol}:x@127.0.0.1:{port}/{name}"));
        let mut alice = Desk::open(&stack, &a, &here, "alice");
        alice.shows("LEAD you");
        let mut carols = Desk::open(&stack, &b, &there, "carol");
        carols.shows("LEAD alice");
        alice.shows("LEAD you +1");
        carols.shows("LEAD alice +1");
        // The lead is asked for on one host and given on the other.
        carols.console.send("T");
        carols.shows("TAKE THE LEAD");
        Desk::rest();
        carols.console.send("TAKE\rI know the proxy\r");
        alice.press("", "Hand");
        alice.console.send("T");
        alice.shows(&format!("HAND THE LEAD TO {carol}"));
        Desk::rest();
        alice.console.send("HAND\rgreen fails\r");
        carols.shows("LEAD you");
        alice.shows(&format!("LEAD {carol}"));
        // Whoever has it starts the run, by the keys that are shown; nobody else does beside it.
        carols.press("L", "L");
        carols.press("\r", "Enter");
        carols.press("R", "R");
        carols.shows("Type ROLLBACK");
        carols.shows("0/8 typed");
        Desk::rest();
        carols.console.send("ROLLBACK");
        carols.shows("complete");
        Desk::rest();
        carols.console.send("\r");
        let place = home.place("c");
        let until = std::time::Instant::now() + Duration::from_mins(2);
        while starts(&chain(&place).await) == 0 {
            assert!(std::time::Instant::now() < until, "no run begins: {}", carols.console.text());
            Clock::real().sleep(Duration::from_millis(200)).await;
        }
        let mut second = a.command(&stack, &here, &["rollback", "--quick", "--reason", "me too"]);
        let refused = second.output().unwrap();
        let said = crate::people::text(&refused);
        assert!(matches!(refused.status.code(), Some(10 | 12)), "{refused:?} {said}");
        let mut far = b.command(&stack, &there, &["abort", "now"]);
        let stopped = far.output().unwrap();
        assert_eq!(stopped.status.code(), Some(0), "{}", crate::people::text(&stopped));
        let all = chain(&place).await;
        assert_eq!(starts(&all), 1);
        let hers = all.iter().filter(|entry| entry.author.name.as_str() == carol);
        let approved = |entry: &&Entry| {
            let approve = |command: &backout::model::entry::Command| {
                matches!(command, backout::model::entry::Command::Approve { .. })
            };
            matches!(&entry.body, Body::Command(_, command) if approve(command))
        };
        assert_eq!(hers.filter(approved).count(), 1, "it is on record whose run it is");
        // Who leaves is seen to have left.
        drop(carols);
        alice.until("she is gone", |text| !text.contains("+1"));
    });
}
