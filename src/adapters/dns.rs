//! Names to addresses: by the system's resolver, or by one server over UDP.
//!
//! The packets are read and written by `simple-dns`; a whole resolver (`hickory-resolver`, some
//! thirty crates) would bring caches and policies that a look must not have.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use tokio::net::UdpSocket;

use super::{Error, Kind, tcp};
use crate::clock::Clock;

/// Bytes of an answer: more than a server may send without asking.
const PACKET: usize = 4096;
/// How often the question is sent within the limit: UDP loses packets.
const SENDS: u32 = 3;

/// The addresses that the system's resolver has for `name`, at most 64, within `limit`.
pub async fn system(name: &str, limit: Duration, clock: &Clock) -> Result<Vec<IpAddr>, Error> {
    match clock.timeout(limit, tokio::net::lookup_host((name, 0))).await {
        Ok(Ok(found)) => Ok(found.take(64).map(|address| address.ip()).collect()),
        Ok(Err(e)) => Err(Error::new(Kind::NotResolved, format!("could not resolve {name}: {e}"))),
        Err(_) => Err(Error::timed_out(format!("resolve {name}"), limit)),
    }
}

/// Asks `server` for addresses of both families; one that answers either is enough.
pub async fn ask(
    server: SocketAddr,
    name: &str,
    limit: Duration,
    clock: &Clock,
) -> Result<Vec<IpAddr>, Error> {
    let (four, six) = tokio::join!(
        question(server, name, TYPE::A, limit, clock),
        question(server, name, TYPE::AAAA, limit, clock)
    );
    match (four, six) {
        (Ok(four), Ok(six)) => Ok(four.into_iter().chain(six).collect()),
        (Ok(one), Err(_)) | (Err(_), Ok(one)) if !one.is_empty() => Ok(one),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

async fn question(
    server: SocketAddr,
    name: &str,
    kind: TYPE,
    limit: Duration,
    clock: &Clock,
) -> Result<Vec<IpAddr>, Error> {
    let what = format!("ask {server} for {name}");
    let mut id = [0; 2];
    getrandom::fill(&mut id)
        .map_err(|e| Error::new(Kind::Local, format!("could not {what}: {e}")))?;
    let id = u16::from_be_bytes(id);
    let query = query(id, name, kind)
        .map_err(|e| Error::new(Kind::Local, format!("could not {what}: {e}")))?;
    let broken = |e: &std::io::Error| tcp::broken("ask", &server.to_string(), e);
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await.map_err(|e| broken(&e))?;
    // Only answers of this server come in, and a closed port is told.
    socket.connect(server).await.map_err(|e| broken(&e))?;
    let mut buffer = vec![0; PACKET];
    for _ in 0..SENDS {
        socket.send(&query).await.map_err(|e| broken(&e))?;
        let wait = async {
            loop {
                let length = socket.recv(&mut buffer).await.map_err(|e| broken(&e))?;
                let bytes = buffer.get(..length).unwrap_or_default();
                if let Some(answer) = answer(id, bytes) {
                    return answer.map_err(|(kind, why)| {
                        Error::new(kind, format!("could not {what}: {why}"))
                    });
                }
            }
        };
        if let Ok(answer) = clock.timeout(limit / SENDS, wait).await {
            return answer;
        }
    }
    Err(Error::timed_out(what, limit))
}

fn query(id: u16, name: &str, kind: TYPE) -> Result<Vec<u8>, simple_dns::SimpleDnsError> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(name)?;
    packet.questions.push(Question::new(name, QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec()
}

/// The addresses of an answer, or why there are none; nothing when it is no answer to `id`.
fn answer(id: u16, bytes: &[u8]) -> Option<Result<Vec<IpAddr>, (Kind, String)>> {
    let packet = match Packet::parse(bytes) {
        Ok(packet) if packet.id() == id && packet.has_flags(PacketFlag::RESPONSE) => packet,
        Ok(_) => return None,
        Err(e) => {
            let ours = bytes.get(..2).is_some_and(|start| start == id.to_be_bytes());
            return ours.then(|| Err((Kind::Reset, format!("the answer is not DNS: {e}"))));
        }
    };
    if packet.has_flags(PacketFlag::TRUNCATION) && packet.answers.is_empty() {
        return Some(Err((Kind::Reset, "the answer does not fit a packet".into())));
    }
    let no = |why: String| Some(Err((Kind::NotResolved, why)));
    match packet.rcode() {
        RCODE::NoError => {}
        RCODE::NameError => return no("there is no such name (NXDOMAIN)".into()),
        other => return no(format!("the server says {other:?}")),
    }
    let addresses = packet.answers.iter().filter_map(|record| match &record.rdata {
        RData::A(a) => Some(IpAddr::from(std::net::Ipv4Addr::from(a.address))),
        RData::AAAA(a) => Some(IpAddr::from(std::net::Ipv6Addr::from(a.address))),
        _ => None,
    });
    Some(Ok(addresses.collect()))
}
