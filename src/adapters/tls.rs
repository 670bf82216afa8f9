//! TLS to a server: whom to trust, the handshake, and what its certificate says.
//!
//! Whether a chain and a name are good is rustls' judgement alone; `x509-cert` only reads the
//! dates and names of a certificate, which rustls does not give out.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use chrono::DateTime;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use x509_cert::der::Decode;

use super::tcp::{self, Trace};
use super::{Error, Kind};
use crate::model::ids::Time;
use crate::text::{SafeText, fit};

/// Whom to trust.
#[derive(Clone)]
pub struct Trust(Arc<Roots>);

struct Roots {
    store: Arc<RootCertStore>,
    client: Arc<ClientConfig>,
}

impl Trust {
    /// The roots that browsers trust.
    pub fn browsers() -> Result<Self, Error> {
        static BROWSERS: OnceLock<Result<Trust, Error>> = OnceLock::new();
        BROWSERS
            .get_or_init(|| {
                let roots = webpki_roots::TLS_SERVER_ROOTS.to_vec();
                Self::of(RootCertStore { roots })
            })
            .clone()
    }

    /// The certificates of a PEM file, and no others; or what is wrong with it.
    pub fn of_pem(pem: &[u8]) -> Result<Self, String> {
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|e| format!("is not PEM: {e}"))?;
            let added = store.add(certificate);
            added.map_err(|e| format!("holds a certificate that cannot be trusted: {e}"))?;
        }
        if store.is_empty() {
            return Err("holds no certificate".into());
        }
        Self::of(store).map_err(|e| e.message)
    }

    /// Names ring, so that no process-wide default is needed.
    fn of(store: RootCertStore) -> Result<Self, Error> {
        let store = Arc::new(store);
        let client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|e| setup(&e))?
            .with_root_certificates(Arc::clone(&store))
            .with_no_client_auth();
        Ok(Self(Arc::new(Roots { store, client: Arc::new(client) })))
    }
}

impl PartialEq for Trust {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Trust {}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trust({} roots)", self.0.store.len())
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn setup(error: &dyn fmt::Display) -> Error {
    Error::new(Kind::Local, format!("could not set up TLS: {error}"))
}

/// Shakes hands with the server at `place`, whose certificate has to be for `host`.
///
/// Fails with `Tls` when it is not trusted, and as a connection does when it breaks.
pub async fn secure(
    trust: &Trust,
    host: &str,
    place: &str,
    stream: TcpStream,
    trace: &mut Trace,
) -> Result<TlsStream<TcpStream>, Error> {
    shake(Arc::clone(&trust.0.client), host, place, stream, trace).await
}

async fn shake(
    client: Arc<ClientConfig>,
    host: &str,
    place: &str,
    stream: TcpStream,
    trace: &mut Trace,
) -> Result<TlsStream<TcpStream>, Error> {
    trace.stage = "the TLS handshake";
    let begun = Instant::now();
    let name = ServerName::try_from(host.to_owned())
        .map_err(|e| Error::new(Kind::Tls, format!("could not trust {host}: {e}")))?;
    let connector = tokio_rustls::TlsConnector::from(client);
    let stream = connector.connect(name, stream).await.map_err(|e| {
        if e.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>) {
            Error::new(Kind::Tls, format!("could not trust {place}: {e}"))
        } else {
            tcp::broken("shake hands with", place, &e)
        }
    })?;
    trace.phases.tls = Some(begun.elapsed());
    Ok(stream)
}

/// A line on which both sides prove who they are.
#[derive(Clone)]
pub struct Mutual(tokio_rustls::TlsConnector);

impl Mutual {
    /// Trusts what `authority` signed, and shows `certificate` with `key`; all of them PEM.
    pub fn of_pem(authority: &[u8], certificate: &[u8], key: &[u8]) -> Result<Self, String> {
        let trusted = Trust::of_pem(authority).map_err(|why| format!("the authority {why}"))?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
        let chain = chain.map_err(|e| format!("the certificate is not PEM: {e}"))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|e| format!("the key: {e}"))?;
        let client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?
            .with_root_certificates(Arc::clone(&trusted.0.store))
            .with_client_auth_cert(chain, key)
            .map_err(|e| format!("the certificate: {e}"))?;
        Ok(Self(Arc::new(client).into()))
    }

    /// Shakes hands with `host`; why not, in words.
    pub async fn shake(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, String> {
        let name = host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(name).map_err(|e| e.to_string())?;
        self.0.connect(name, stream).await.map_err(|e| e.to_string())
    }
}

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// From when on it is valid.
    pub not_before: Time,
    /// Until when.
    pub not_after: Time,
    /// Whose it is.
    pub subject: SafeText,
    /// Who signed it.
    pub issuer: SafeText,
}

impl Certificate {
    /// Reads one, or nothing when it is none.
    fn parse(der: &[u8]) -> Option<Self> {
        let certificate = x509_cert::Certificate::from_der(der).ok()?;
        let body = certificate.tbs_certificate();
        let time = |since: Duration| {
            let seconds = i64::try_from(since.as_secs()).ok()?;
            DateTime::from_timestamp(seconds, 0)
        };
        let name = |name: &x509_cert::name::Name| {
            SafeText::new(&fit(SafeText::new(&name.to_string()).as_str(), 200))
        };
        Some(Self {
            not_before: time(body.validity().not_before.to_unix_duration())?,
            not_after: time(body.validity().not_after.to_unix_duration())?,
            subject: name(body.subject()),
            issuer: name(body.issuer()),
        })
    }

    /// That of the server at the other end.
    pub fn of_peer(stream: &TlsStream<TcpStream>) -> Option<Self> {
        let (_, session) = stream.get_ref();
        Self::parse(session.peer_certificates()?.first()?)
    }
}

/// Whole and part days from `now` until `until`; negative when that has passed.
pub fn days_left(until: Time, now: Time) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "days for a threshold")]
    let seconds = (until - now).num_seconds() as f64;
    (seconds / 8640.0).floor() / 10.0
}

/// What a handshake showed, whether or not it is to be trusted.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The certificate of the server; nothing when it cannot be read.
    pub certificate: Option<Certificate>,
    /// Whether chain, name and dates are good at the time of the look, or two words and a
    /// sentence why not.
    pub verdict: Result<(), (&'static str, String)>,
    /// Certificates that the server sent.
    pub sent: usize,
}

/// Looks at the certificate of the server at `place`; nothing is sent over the line.
///
/// Fails only where no certificate was shown at all.
pub async fn examine(
    trust: &Trust,
    (host, place): (&str, &str),
    now: Time,
    stream: TcpStream,
    trace: &mut Trace,
) -> Result<Examined, Error> {
    let store = Arc::clone(&trust.0.store);
    let judge = WebPkiServerVerifier::builder_with_provider(store, provider()).build();
    let now = u64::try_from(now.timestamp()).unwrap_or_default();
    let recorder = Arc::new(Recorder {
        judge: judge.map_err(|e| setup(&e))?,
        now: UnixTime::since_unix_epoch(Duration::from_secs(now)),
        said: OnceLock::new(),
    });
    let verifier: Arc<dyn ServerCertVerifier> = Arc::<Recorder>::clone(&recorder);
    let client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| setup(&e))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let stream = shake(Arc::new(client), host, place, stream, trace).await?;
    let verdict = match recorder.said.get() {
        Some(Ok(())) => Ok(()),
        Some(Err(error)) => Err((words(error), error.to_string())),
        None => Err(("no certificate", "the server showed no certificate".to_owned())),
    };
    let sent = stream.get_ref().1.peer_certificates().map_or(0, <[_]>::len);
    Ok(Examined { certificate: Certificate::of_peer(&stream), verdict, sent })
}

/// Two words for a table.
fn words(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(why) => match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "not valid yet"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "wrong name"
            }
            CertificateError::UnknownIssuer => "not trusted",
            CertificateError::Revoked => "revoked",
            _ => "bad certificate",
        },
        _ => "bad certificate",
    }
}

/// Lets every certificate pass and keeps what is to be thought of it, so that one that has expired
/// can be looked at. The proof that the server holds its key is still demanded.
#[derive(Debug)]
struct Recorder {
    judge: Arc<WebPkiServerVerifier>,
    now: UnixTime,
    said: OnceLock<Result<(), rustls::Error>>,
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let said = self.judge.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            self.now,
        );
        self.said.get_or_init(|| said.map(|_| ()));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}
