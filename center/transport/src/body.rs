//! Bodies with a guard: a request body that must keep flowing, and a response body that counts as a running request until it ends.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::{
    sync::Notify,
    time::{Instant, Sleep},
};

/// A request body in which no pause may be longer than `limit`.
pub(crate) struct FlowingBody {
    inner: Incoming,
    limit: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl FlowingBody {
    pub(crate) fn new(inner: Incoming, limit: Duration) -> Self {
        Self { inner, limit, sleep: Box::pin(tokio::time::sleep(limit)) }
    }
}

impl HttpBody for FlowingBody {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) {
            this.sleep.as_mut().reset(Instant::now() + this.limit);
            return Poll::Ready(frame.map(|result| result.map_err(Into::into)));
        }
        match this.sleep.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Some(Err("the request body stopped flowing".into()))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// How many requests of a connection are running.
#[derive(Default)]
pub(crate) struct Activity {
    running: AtomicUsize,
    changed: Notify,
}

/// One running request; dropping it ends it.
pub(crate) struct Running(Arc<Activity>);

impl Activity {
    pub(crate) fn start(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_one();
        Running(Arc::clone(self))
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.running.load(Ordering::SeqCst) == 0
    }

    /// Completes when a request has started or ended.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        self.0.changed.notify_one();
    }
}

/// A response body that keeps its request running until it is sent or dropped.
pub(crate) struct CountedBody {
    pub(crate) inner: Body,
    pub(crate) _running: Running,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
