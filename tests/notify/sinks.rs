//! Receivers that write down what they get: HTTP as Slack, `PagerDuty`, GitHub and anybody else
//! speak it, and SMTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

type Answerer = dyn Fn(&Got, usize) -> (u16, String) + Send + Sync;

/// An HTTP server on loopback. Its thread ends with the test's process.
pub(crate) struct Http {
    pub(crate) address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Http {
    /// Answers each request, which is known with the count of those before it.
    pub(crate) fn with(
        answer: impl Fn(&Got, usize) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let got = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (Arc::clone(&got), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &kept, &*answer));
            }
        });
        Self { address, got }
    }

    pub(crate) fn new() -> Self {
        Self::with(|_, _| (200, "ok".to_owned()))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, kept: &Mutex<Vec<Got>>, answer: &Answerer) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let got = Got { method, path, headers, body };
    let before = {
        let mut kept = kept.lock().unwrap();
        kept.push(got.clone());
        kept.len() - 1
    };
    let (status, text) = answer(&got, before);
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    )
    .ok()
}

/// A tracker that keeps its issues, as GitHub does.
pub(crate) fn github() -> (Http, Arc<Mutex<Vec<Value>>>) {
    let issues: Arc<Mutex<Vec<Value>>> = Arc::default();
    let kept = Arc::clone(&issues);
    let server = Http::with(move |got, _| {
        let mut issues = kept.lock().unwrap();
        match got.method.as_str() {
            "GET" => (200, json!(issues.iter().rev().take(3).collect::<Vec<_>>()).to_string()),
            "POST" => {
                let mut issue = got.body.clone();
                issue["number"] = json!(issues.len() + 1);
                issues.push(issue.clone());
                (201, issue.to_string())
            }
            _ => {
                let number: usize = got.path.rsplit('/').next().unwrap().parse().unwrap();
                issues[number - 1]["body"] = got.body["body"].clone();
                (200, issues[number - 1].to_string())
            }
        }
    });
    (server, issues)
}

/// A mail as it came.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) to: Vec<String>,
    pub(crate) text: String,
    /// Whether it came over TLS.
    pub(crate) safe: bool,
    /// Whether somebody logged in before it.
    pub(crate) login: bool,
}

impl Mail {
    /// The value of a header on one line.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let line = self.text.lines().find(|line| line.starts_with(&format!("{name}: ")));
        line.map(|line| &line[name.len() + 2..])
    }
}

/// How a mail server makes its line safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Plain,
    StartTls,
    Tls,
}

/// A mail server; its certificate is for localhost and 127.0.0.1, by the authority of tests/tls.
pub(crate) struct Smtp {
    pub(crate) port: u16,
    got: Arc<Mutex<Vec<Mail>>>,
}

impl Smtp {
    pub(crate) fn new() -> Self {
        Self::with(Line::Plain)
    }

    pub(crate) fn with(line: Line) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let got: Arc<Mutex<Vec<Mail>>> = Arc::default();
        let kept = Arc::clone(&got);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || Talk::new(stream, line)?.take(line, &kept));
            }
        });
        Self { port, got }
    }

    pub(crate) fn got(&self) -> Vec<Mail> {
        self.got.lock().unwrap().clone()
    }
}

trait Both: Read + Write {}
impl<T: Read + Write> Both for T {}

/// One connection to the mail server.
struct Talk {
    plain: TcpStream,
    stream: Box<dyn Both>,
    safe: bool,
}

impl Talk {
    fn new(plain: TcpStream, line: Line) -> Option<Self> {
        plain.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        let stream = Box::new(plain.try_clone().ok()?);
        let mut talk = Self { plain, stream, safe: false };
        if line == Line::Tls {
            talk.secure()?;
        }
        Some(talk)
    }

    fn secure(&mut self) -> Option<()> {
        use rustls::pki_types::pem::PemObject as _;
        let certificate = include_bytes!("../tls/server.pem");
        let chain = rustls::pki_types::CertificateDer::pem_slice_iter(certificate);
        let chain: Result<Vec<_>, _> = chain.collect();
        let key = include_bytes!("../tls/server.key");
        let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(key).ok()?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .ok()?
            .with_no_client_auth()
            .with_single_cert(chain.ok()?, key)
            .ok()?;
        let shaken = rustls::ServerConnection::new(Arc::new(config)).ok()?;
        let plain = self.plain.try_clone().ok()?;
        self.stream = Box::new(rustls::StreamOwned::new(shaken, plain));
        self.safe = true;
        Some(())
    }

    fn say(&mut self, text: &str) -> Option<()> {
        self.stream.write_all(text.as_bytes()).ok()?;
        self.stream.flush().ok()
    }

    fn hear(&mut self) -> Option<String> {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).ok()?;
            line.push(byte[0]);
        }
        String::from_utf8(line).ok()
    }

    fn take(&mut self, line: Line, kept: &Mutex<Vec<Mail>>) -> Option<()> {
        self.say("220 sink ESMTP\r\n")?;
        let (mut to, mut login) = (Vec::new(), false);
        loop {
            let heard = self.hear()?;
            let command = heard.trim_end().to_ascii_uppercase();
            if command.starts_with("EHLO") {
                let more =
                    if line == Line::StartTls && !self.safe { "250-STARTTLS\r\n" } else { "" };
                self.say(&format!("250-sink\r\n{more}250-AUTH PLAIN\r\n250 8BITMIME\r\n"))?;
            } else if command == "STARTTLS" {
                self.say("220 go on\r\n")?;
                self.secure()?;
            } else if command.starts_with("AUTH ") {
                login = true;
                self.say("235 welcome\r\n")?;
            } else if command.starts_with("RCPT TO:") {
                to.push(heard.trim_end()["RCPT TO:".len()..].to_owned());
                self.say("250 ok\r\n")?;
            } else if command == "DATA" {
                self.say("354 go on\r\n")?;
                let mut text = String::new();
                loop {
                    let line = self.hear()?;
                    if line.trim_end() == "." {
                        break;
                    }
                    text.push_str(&line);
                }
                let text = text.replace("\r\n", "\n");
                let (to, safe) = (std::mem::take(&mut to), self.safe);
                kept.lock().unwrap().push(Mail { to, text, safe, login });
                self.say("250 taken\r\n")?;
            } else if command == "QUIT" {
                return self.say("221 bye\r\n");
            } else {
                self.say("250 ok\r\n")?;
            }
        }
    }
}
