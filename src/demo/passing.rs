//! One request on its way through the proxy.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use hyper::body::{Bytes, Frame, SizeHint};

use super::http::{Body, BodyError};
use super::layout::Color;
use super::proxy::Proxy;

/// One request on its way, counted until its answer was passed on whole.
#[derive(Debug)]
pub struct Flight {
    /// By which proxy.
    pub proxy: Arc<Proxy>,
    /// To which colour.
    pub color: Color,
}

impl Flight {
    /// Counts a request in.
    pub fn begin(proxy: &Arc<Proxy>, color: Color) -> Self {
        let in_flight = &proxy.upstream(color).in_flight;
        in_flight.send_modify(|count| *count += 1);
        Self { proxy: proxy.clone(), color }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let in_flight = &self.proxy.upstream(self.color).in_flight;
        in_flight.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// An answer's body on its way to the client.
pub struct Passing {
    /// What the colour sends.
    pub inner: Body,
    /// Why it is broken off, once it has to be.
    pub end: Pin<Box<dyn Future<Output = &'static str> + Send + Sync>>,
    /// Keeps the request counted.
    pub flight: Flight,
}

impl hyper::body::Body for Passing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut polled = Pin::new(&mut self.inner).poll_frame(cx);
        if polled.is_pending()
            && let Poll::Ready(why) = self.end.as_mut().poll(cx)
        {
            polled = Poll::Ready(Some(Err(why.into())));
        }
        if let Poll::Ready(Some(Err(why))) = &polled {
            let proxy = &self.flight.proxy;
            proxy.failed.fetch_add(1, Ordering::Relaxed);
            proxy.note(&format!("ERROR {} broke an answer off: {why}", self.flight.color));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
