//! What stands before and beside a site, in one process: a cache that keeps the manifest until an
//! invalidation is completed, `CloudFront`'s API, a registry of versions, and the service behind the
//! apps. It writes down what it is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use backout::adapters::objects::Objects;

/// It, for as long as this lives.
pub(super) struct Edge {
    pub(super) url: String,
    known: Arc<Known>,
    _over: tokio::sync::oneshot::Sender<()>,
}

struct Known {
    objects: Arc<dyn Objects>,
    /// What it was asked, without what only looks at the site.
    calls: Mutex<Vec<String>>,
    cache: Mutex<BTreeMap<String, Vec<u8>>>,
    /// What makes one order of an invalidation the same as another, as `CloudFront` has it.
    orders: Mutex<BTreeSet<String>>,
    /// How often an invalidation is still under way when it is asked for.
    slow: Mutex<u32>,
    /// Whether clients go with any version.
    compatible: Mutex<bool>,
}

impl Edge {
    /// Begins before the site in `objects`.
    pub(super) fn start(objects: Arc<dyn Objects>) -> Self {
        let known = Arc::new(Known {
            objects,
            calls: Mutex::default(),
            orders: Mutex::default(),
            cache: Mutex::default(),
            slow: Mutex::new(2),
            compatible: Mutex::new(true),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (own, (over, mut ended)) = (Arc::clone(&known), tokio::sync::oneshot::channel());
        std::thread::spawn(move || {
            super::runtime().block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                loop {
                    tokio::select! {
                        _ = &mut ended => return,
                        Ok((stream, _)) = listener.accept() => {
                            tokio::spawn(answer(Arc::clone(&own), stream));
                        }
                    }
                }
            });
        });
        Self { url, known, _over: over }
    }

    pub(super) fn calls(&self) -> Vec<String> {
        self.known.calls.lock().unwrap().clone()
    }

    pub(super) fn clients_go_with_none(&self) {
        *self.known.compatible.lock().unwrap() = false;
    }
}

async fn answer(known: Arc<Known>, mut stream: TcpStream) {
    let (mut head, mut bytes) = (Vec::new(), [0; 4096]);
    let (end, length) = loop {
        let read = stream.read(&mut bytes).await.unwrap_or_default();
        if read == 0 {
            return;
        }
        head.extend_from_slice(&bytes[..read]);
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&head[..end]).to_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
            break (end + 4, length.map_or(0, |text| text.trim().parse().unwrap()));
        }
    };
    while head.len() < end + length {
        let read = stream.read(&mut bytes).await.unwrap_or_default();
        if read == 0 {
            return;
        }
        head.extend_from_slice(&bytes[..read]);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let (status, body) = known.says(&text, &text[end..]).await;
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.ok();
    stream.write_all(&body).await.ok();
}

impl Known {
    async fn says(&self, request: &str, body: &str) -> (u16, Vec<u8>) {
        let mut words = request.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let wrote = |text: String| self.calls.lock().unwrap().push(text);
        let told = |status: &str| {
            let text = format!(
                "<?xml version=\"1.0\"?><Invalidation><Id>I1</Id><Status>{status}</Status>\
                 </Invalidation>"
            );
            text.into_bytes()
        };
        if method == "POST" && path == "/2020-05-31/distribution/E123/invalidation" {
            let paths = body.split("<Path>").nth(1).unwrap().split("</Path>").next().unwrap();
            assert!(request.contains("/us-east-1/cloudfront/aws4_request"), "not signed");
            let order = body.split("<CallerReference>").nth(1).unwrap();
            let order = order.split("</CallerReference>").next().unwrap();
            if self.orders.lock().unwrap().insert(order.to_owned()) {
                wrote(format!("invalidate {paths}"));
            }
            return (201, told("InProgress"));
        }
        if path == "/2020-05-31/distribution/E123/invalidation/I1" {
            let mut slow = self.slow.lock().unwrap();
            *slow = slow.saturating_sub(1);
            if *slow > 0 {
                return (200, told("InProgress"));
            }
            self.cache.lock().unwrap().clear();
            wrote("completed".to_owned());
            return (200, told("Completed"));
        }
        if let Some(version) = path.strip_prefix("/api/v1/versions/frontend/web/") {
            let known = version != "2.0.4";
            return (if known { 200 } else { 404 }, b"{}".to_vec());
        }
        if path.starts_with("/compatibility?client_version=") {
            let compatible = *self.compatible.lock().unwrap();
            return (200, format!("{{\"compatible\": {compatible}}}").into_bytes());
        }
        if method == "POST" && path == "/admin/rollback" {
            let bearer = request.contains("Bearer ein-geheimes-wort");
            wrote(format!("mobile {body} {bearer}"));
            return (200, b"{}".to_vec());
        }
        if path.ends_with("/health") {
            wrote(format!("look {path}"));
            return (200, b"ok".to_vec());
        }
        let kept = self.cache.lock().unwrap().get(path).cloned();
        if let Some(kept) = kept {
            return (200, kept);
        }
        match self.objects.read(&format!("current{path}")).await {
            Ok(Some(bytes)) => {
                self.cache.lock().unwrap().insert(path.to_owned(), bytes.clone());
                (200, bytes)
            }
            Ok(None) => (404, Vec::new()),
            Err(error) => (500, error.message.into_bytes()),
        }
    }
}
