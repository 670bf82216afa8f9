//! E-mail by SMTP. A message's name is its Message-ID, and its thread is what it refers to.

use std::time::Duration;

use async_trait::async_trait;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::{Letter, Messenger, Undelivered};
use crate::adapters::secret::Secret;
use crate::adapters::{Error, Kind};
use crate::clock::Clock;
use crate::text::SafeText;

/// How long one command may take, and all of them.
const COMMAND: Duration = Duration::from_secs(10);
const LIMIT: Duration = Duration::from_secs(30);

/// How the line is made safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safety {
    /// STARTTLS, or nothing is sent.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// None: only to this machine.
    Plain,
}

impl Safety {
    /// All of them, as a configuration writes them.
    pub const ALL: [(&'static str, Self); 3] =
        [("starttls", Self::StartTls), ("tls", Self::Tls), ("none", Self::Plain)];
}

/// A mail server, and who gets what is sent there.
#[derive(Clone, Debug)]
pub struct Email {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the line is made safe.
    pub safety: Safety,
    /// The certificates that are trusted, as PEM; the ones of browsers where none are named.
    pub trust: Option<Vec<u8>>,
    /// User and password, where it wants them.
    pub login: Option<(String, Secret)>,
    /// Who it is from.
    pub from: Mailbox,
    /// Who it is to.
    pub to: Vec<Mailbox>,
}

/// An address as people write it: `ops@example.org`, `Ops <ops@example.org>`.
pub fn address(text: &str) -> Result<Mailbox, String> {
    text.parse().map_err(|why| format!("{text:?} is no mail address: {why}"))
}

impl Email {
    fn subject_and_body(letter: &Letter) -> (String, String) {
        match &letter.document {
            Some(document) => (document.title.clone(), document.body.clone()),
            None => (letter.headline.clone(), format!("{}\n", letter.plain())),
        }
    }

    fn message(&self, letter: &Letter) -> Result<Message, lettre::error::Error> {
        let (subject, body) = Self::subject_and_body(letter);
        let word = |text: &str| -> String {
            let kept = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '.' };
            text.chars().map(kept).collect()
        };
        let thread = format!("<{}@backout>", word(&letter.thread));
        let mut builder = Message::builder()
            .from(self.from.clone())
            // A line break would begin another header.
            .subject(subject.replace(['\r', '\n'], " "))
            .date(letter.at.into())
            .message_id(Some(format!("<{}@backout>", word(&letter.id))))
            .in_reply_to(thread.clone())
            .references(thread)
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        builder.body(body)
    }

    fn transport(
        &self,
    ) -> Result<AsyncSmtpTransport<Tokio1Executor>, lettre::transport::smtp::Error> {
        let tls = match self.safety {
            Safety::Plain => Tls::None,
            Safety::StartTls => Tls::Required(self.parameters()?),
            Safety::Tls => Tls::Wrapper(self.parameters()?),
        };
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(self.host.as_str())
            .port(self.port)
            .timeout(Some(COMMAND))
            .tls(tls);
        Ok(match &self.login {
            Some((user, password)) => builder
                .credentials(Credentials::new(user.clone(), password.reveal().to_owned()))
                .build(),
            None => builder.build(),
        })
    }

    /// Whom to trust: only those that are named, where some are.
    fn parameters(&self) -> Result<TlsParameters, lettre::transport::smtp::Error> {
        let builder = TlsParameters::builder(self.host.clone());
        match &self.trust {
            Some(pem) => builder
                .certificate_store(CertificateStore::None)
                .add_root_certificate(Certificate::from_pem(pem)?)
                .build(),
            None => builder.certificate_store(CertificateStore::WebpkiRoots).build(),
        }
    }

    fn failed(&self, kind: Kind, why: &str) -> Error {
        let why = SafeText::new(why);
        Error::new(kind, format!("could not mail by {}:{}: {why}", self.host, self.port))
    }
}

#[async_trait]
impl Messenger for Email {
    async fn send(&self, letter: &Letter, clock: &Clock) -> Result<SafeText, Undelivered> {
        let message = self
            .message(letter)
            .map_err(|why| Undelivered::never(self.failed(Kind::Local, &why.to_string())))?;
        let transport = self
            .transport()
            .map_err(|why| Undelivered::never(self.failed(Kind::Tls, &why.to_string())))?;
        let sent = clock.timeout(LIMIT, transport.send(message)).await;
        let Ok(sent) = sent else {
            let what = format!("mail by {}:{}", self.host, self.port);
            return Err(Undelivered::soon(Error::timed_out(what, LIMIT)));
        };
        match sent {
            Ok(_) => Ok(SafeText::new(&format!("{}:{} took it", self.host, self.port))),
            // Only a lasting no of the server is one: all else may pass.
            Err(why) if why.is_permanent() => {
                Err(Undelivered::never(self.failed(Kind::Rejected, &why.to_string())))
            }
            Err(why) => Err(Undelivered::soon(self.failed(Kind::Reset, &why.to_string()))),
        }
    }

    fn rendered(&self, letter: &Letter) -> String {
        let to: Vec<String> = self.to.iter().map(ToString::to_string).collect();
        let (subject, body) = Self::subject_and_body(letter);
        format!("From: {}\nTo: {}\nSubject: {subject}\n\n{body}", self.from, to.join(", "))
    }

    fn shown(&self) -> String {
        let to: Vec<String> = self.to.iter().map(ToString::to_string).collect();
        format!("email {} by {}:{}", to.join(", "), self.host, self.port)
    }
}
