//! `dns`: a name that has to resolve, and to what.
//!
//! Asked is the system's resolver, whose answer is what every program here gets, or one server by
//! UDP. A name that does not resolve, and a server that keeps silent, are failures and not
//! unknown.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::adapters::dns;
use crate::clock::Clock;
use crate::model::reading::{Finding, Phases, WhyClass};

use super::seen::{Seen, warn};
use super::threshold::Thresholds;

/// Settings of this kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The name.
    pub name: String,
    /// The server to ask; the system's resolver when there is none.
    pub server: Option<SocketAddr>,
    /// Addresses that have to be in the answer; others beside them are a warning.
    pub expect: Vec<IpAddr>,
    /// Thresholds on the time that it takes, in milliseconds.
    pub thresholds: Thresholds,
}

impl Settings {
    /// What it looks at.
    pub fn target(&self) -> String {
        match self.server {
            Some(server) => format!("{} at {server}", self.name),
            None => self.name.clone(),
        }
    }

    /// Looks once, within `limit`.
    pub async fn probe(&self, limit: Duration, clock: &Clock) -> Seen {
        let begun = Instant::now();
        let found = match self.server {
            Some(server) => dns::ask(server, &self.name, limit, clock).await,
            None => dns::system(&self.name, limit, clock).await,
        };
        let took = begun.elapsed();
        let seen = match found {
            Ok(mut addresses) => {
                addresses.sort_unstable();
                addresses.dedup();
                self.judge(&addresses, took)
            }
            Err(error) => Seen::of_error(&error),
        };
        seen.with_phases(Phases { resolve: Some(took), ..Phases::default() })
    }

    fn judge(&self, found: &[IpAddr], took: Duration) -> Seen {
        let list = |addresses: &mut dyn Iterator<Item = &IpAddr>| {
            addresses.take(8).map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        let all = list(&mut found.iter());
        let ms = (took.as_secs_f64() * 10_000.0).round() / 10.0;
        let missing = list(&mut self.expect.iter().filter(|one| !found.contains(one)));
        let extra = list(&mut found.iter().filter(|one| !self.expect.contains(one)));
        let seen = if found.is_empty() {
            let text = format!("{} has no address", self.name);
            Seen::bad(WhyClass::NotResolved, "no address", &text)
        } else if !missing.is_empty() {
            let text = format!("{} is {all}; {missing} is missing", self.name);
            Seen::bad(WhyClass::Content, &all, &text)
        } else if !self.expect.is_empty() && !extra.is_empty() {
            let text = format!("{} is {all}; {extra} is not expected", self.name);
            Seen::new(warn(WhyClass::Content, &text), &all)
        } else if self.thresholds.any() {
            Seen::new(self.thresholds.judge(ms, "ms"), &all)
        } else {
            Seen::new(Finding::Good, &all)
        };
        let seen = Seen { latencies: vec![took], ..seen };
        seen.with_value(ms, "ms").with_fact(&format!("addresses: {all}"))
    }
}

#[cfg(test)]
mod tests {
    use simple_dns::rdata::{A, RData};
    use simple_dns::{CLASS, Packet, QTYPE, RCODE, ResourceRecord, TYPE};
    use tokio::net::UdpSocket;

    use super::*;
    use crate::checks::{CheckKind, fixture, probe};
    use crate::model::reading::Reading;

    async fn see(settings: Settings) -> Reading {
        let spec = fixture::spec(CheckKind::Dns(settings), Duration::from_millis(1500));
        probe(&spec, &fixture::cx()).await
    }

    fn settings(name: &str, expect: &[&str]) -> Settings {
        Settings {
            name: name.into(),
            server: None,
            expect: expect.iter().map(|one| one.parse().unwrap()).collect(),
            thresholds: Thresholds::default(),
        }
    }

    fn class(reading: &Reading) -> WhyClass {
        match &reading.finding {
            Finding::Bad { why } | Finding::Warn { why } => why.class,
            other => panic!("{other:?}"),
        }
    }

    /// A server that answers each question with what `speak` makes of it.
    async fn server(speak: impl Fn(Packet<'_>) -> Option<Vec<u8>> + Send + 'static) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = vec![0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                if let Some(bytes) = speak(Packet::parse(&buffer[..length]).unwrap()) {
                    socket.send_to(&bytes, from).await.unwrap();
                }
            }
        });
        address
    }

    fn reply(query: &Packet<'_>, rcode: RCODE, addresses: &[[u8; 4]]) -> Vec<u8> {
        let mut reply = Packet::new_reply(query.id());
        *reply.rcode_mut() = rcode;
        let asked = &query.questions[0];
        reply.questions.push(asked.clone());
        if asked.qtype == QTYPE::TYPE(TYPE::A) {
            for address in addresses {
                let a = RData::A(A { address: u32::from_be_bytes(*address) });
                let name = asked.qname.clone();
                reply.answers.push(ResourceRecord::new(name, CLASS::IN, 60, a));
            }
        }
        reply.build_bytes_vec().unwrap()
    }

    #[tokio::test]
    async fn the_systems_resolver_is_asked() {
        let reading = see(settings("localhost", &[])).await;
        assert_eq!(reading.finding, Finding::Good, "{}", reading.note);
        assert!(reading.value.is_some() && reading.phases.resolve.is_some());
        let wrong = see(settings("localhost", &["192.0.2.7"])).await;
        assert_eq!(class(&wrong), WhyClass::Content);
        let none = see(settings("no-such-name.invalid", &[])).await;
        assert!(matches!(class(&none), WhyClass::NotResolved | WhyClass::TimedOut), "{none:?}");
    }

    #[tokio::test]
    async fn a_servers_addresses_are_held_against_the_expected_ones() {
        let server = server(|query| {
            let all = [[10, 0, 0, 1], [10, 0, 0, 2]];
            Some(reply(&query, RCODE::NoError, &all))
        })
        .await;
        let ask = |expect: &[&str]| {
            see(Settings { server: Some(server), ..settings("shop.example", expect) })
        };
        let plain = ask(&[]).await;
        assert_eq!((plain.finding, plain.note.as_str()), (Finding::Good, "10.0.0.1 10.0.0.2"));
        assert_eq!(ask(&["10.0.0.2", "10.0.0.1"]).await.finding, Finding::Good);
        let more = ask(&["10.0.0.1"]).await;
        assert!(matches!(more.finding, Finding::Warn { .. }), "{more:?}");
        assert_eq!(class(&ask(&["10.0.0.9"]).await), WhyClass::Content);
    }

    #[tokio::test]
    async fn no_such_name_no_address_and_silence_are_failures() {
        let with =
            |server: SocketAddr| Settings { server: Some(server), ..settings("shop.example", &[]) };
        let no = server(|query| Some(reply(&query, RCODE::NameError, &[]))).await;
        let reading = see(with(no)).await;
        assert_eq!(class(&reading), WhyClass::NotResolved);
        let empty = server(|query| Some(reply(&query, RCODE::NoError, &[]))).await;
        assert_eq!(class(&see(with(empty)).await), WhyClass::NotResolved);
        let silent = server(|_| None).await;
        assert_eq!(class(&see(with(silent)).await), WhyClass::TimedOut);
        let closed = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert_eq!(class(&see(with(closed)).await), WhyClass::Refused);
    }

    #[tokio::test]
    async fn rubbish_and_answers_to_others_are_not_believed() {
        let rubbish = server(|query| {
            let mut bytes = query.id().to_be_bytes().to_vec();
            bytes.extend([0x81, 0x80, 0xff, 0xff, 0xff]);
            Some(bytes)
        })
        .await;
        let ask = |server| see(Settings { server: Some(server), ..settings("a.example", &[]) });
        assert_eq!(class(&ask(rubbish).await), WhyClass::Reset);
        let forged = server(|query| {
            let mut bytes = reply(&query, RCODE::NoError, &[[10, 6, 6, 6]]);
            bytes[0] ^= 0xff;
            Some(bytes)
        })
        .await;
        assert_eq!(class(&ask(forged).await), WhyClass::TimedOut);
    }
}
