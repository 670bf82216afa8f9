//! The fake's face: each colour at its own address, the public one, and the control port.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::adapters::{Error, Kind, Traffic};
use crate::model::hold::HoldPart;
use crate::model::ids::Color;

use super::Fake;

/// The most of a request that is read, in bytes.
const REQUEST_LIMIT: usize = 64 * 1024;

/// Where a served fake is found; it is served until the runtime ends.
#[derive(Clone, Debug)]
pub struct Serving {
    /// Own addresses.
    pub addresses: BTreeMap<Color, String>,
    /// Where users come in.
    pub public_url: String,
    /// Where it is told to switch.
    pub control_url: String,
}

#[derive(Clone)]
enum Face {
    Own(Color),
    Public,
    Control,
}

impl Fake {
    /// Answers `/health` and `/status` at free loopback ports, and the control API.
    pub async fn serve(self: &Arc<Self>) -> Result<Serving, Error> {
        let mut addresses = BTreeMap::new();
        for color in ["blue", "green"] {
            let color = Color::from(color);
            let url = self.listen(Face::Own(color.clone())).await?;
            addresses.insert(color, url);
        }
        Ok(Serving {
            addresses,
            public_url: self.listen(Face::Public).await?,
            control_url: self.listen(Face::Control).await?,
        })
    }

    async fn listen(self: &Arc<Self>, face: Face) -> Result<String, Error> {
        let failed = |e: std::io::Error| Error::io("listen on", "127.0.0.1", &e);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let fake = Arc::clone(self);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (fake, face) = (Arc::clone(&fake), face.clone());
                tokio::spawn(async move { fake.answer(stream, &face).await });
            }
        });
        Ok(format!("http://{address}"))
    }

    /// One request, one answer; a colour that does not run closes at once.
    async fn answer(&self, mut stream: TcpStream, face: &Face) -> Option<()> {
        let (head, body) = request(&mut stream).await?;
        let mut words = head.split_ascii_whitespace();
        let asked = (words.next()?, words.next()?);
        let (status, said) = match face {
            Face::Own(color) => self.health(color)?,
            Face::Public => {
                let active = self.state().active.clone();
                self.health(&active).unwrap_or((502, json!({"error": "nobody answers"})))
            }
            Face::Control => self.control(asked, &body).await,
        };
        let said = said.to_string();
        let text = format!(
            "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{said}",
            said.len()
        );
        stream.write_all(text.as_bytes()).await.ok()
    }

    fn health(&self, color: &Color) -> Option<(u16, Value)> {
        let state = self.state();
        let side = state.colors.get(color).filter(|side| side.running)?;
        let status = if side.ready { 200 } else { 503 };
        let said = json!({
            "status": if side.ready { "ok" } else { "failing" },
            "overall_ready": side.ready,
            "environment": color,
            "version": side.version,
        });
        Some((status, said))
    }

    async fn control(&self, asked: (&str, &str), body: &[u8]) -> (u16, Value) {
        let order: Value = serde_json::from_slice(body).unwrap_or_default();
        let word = |name: &str| order.get(name).and_then(Value::as_str).unwrap_or_default();
        let done = match asked {
            ("GET", "/state") => Traffic::look(self).await.map(|state| {
                let colors: BTreeMap<_, _> = state
                    .in_flight
                    .iter()
                    .map(|(color, count)| (color, json!({"in_flight": count})))
                    .collect();
                json!({"active": state.active, "colors": colors, "effect": state.effect, "holds": state.held})
            }),
            ("POST", "/switch") => {
                self.switch(&word("to").into(), word("effect")).await.map(|()| json!({}))
            }
            ("POST", "/drain") => self
                .drain(&word("color").into(), Duration::ZERO)
                .await
                .map(|cut| json!({"left": 0, "cut": cut})),
            ("POST", "/hold") => match word("part").parse::<HoldPart>() {
                Ok(part) => {
                    let held = order.get("held").and_then(Value::as_bool) == Some(true);
                    self.hold(part, held, word("effect")).await.map(|()| json!({}))
                }
                Err(why) => Err(Error::new(Kind::Rejected, why)),
            },
            _ => Err(Error::new(Kind::NotFound, "no such path")),
        };
        match done {
            Ok(said) => (200, said),
            Err(error) => (400, json!({"error": error.message})),
        }
    }
}

async fn request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, value)| value.trim().parse::<usize>().ok())
                .unwrap_or(0);
            if body.len() >= length {
                return Some((head.to_owned(), body.as_bytes().to_vec()));
            }
        }
        let got = stream.read_buf(&mut read).await.ok()?;
        if got == 0 || read.len() > REQUEST_LIMIT {
            return None;
        }
    }
}
