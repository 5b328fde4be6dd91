//! The body of every request: it must keep flowing, come at a least rate, and find room among the bytes that its sender and all
//! together may have here.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::BoxError;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::{
    limits::{Pace, ServeLimits, ms},
    shares::{PeerKey, Share, Shares},
};

/// Why a request's body was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The sender's: nothing came for too long.
    #[error("the request body stopped flowing")]
    Stopped,
    /// The sender's: it comes at less than the least rate.
    #[error("the request body came too slowly")]
    Slow,
    /// As many bytes of bodies are held as may be, of this sender or in all; it may come again.
    #[error("there is no room for the request body now")]
    NoRoom,
}

impl BodyError {
    /// Finds the reason among the causes of what a reader of a body was told.
    #[must_use]
    pub fn among(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(*found);
            }
            next = error.source();
        }
        None
    }
}

/// The bytes that came with one request; given back when the request has ended, since its handler keeps them until then.
pub(crate) struct Received {
    pool: Shares,
    peer: PeerKey,
    share: Mutex<Option<Share>>,
}

impl Received {
    pub(crate) const fn new(pool: Shares, peer: PeerKey) -> Self {
        Self { pool, peer, share: Mutex::new(None) }
    }

    fn add(&self, bytes: usize) -> bool {
        let mut share = self.share.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = &mut *share {
            return share.grow(bytes);
        }
        *share = self.pool.take(&self.peer, bytes);
        share.is_some()
    }
}

/// The body of a request.
pub(crate) struct ReceivedBody {
    inner: Incoming,
    received: Arc<Received>,
    pause: Duration,
    pace: Pace,
    times: Option<Times>,
    bytes: u64,
    sleep: Option<Pin<Box<Sleep>>>,
}

/// When a body was first asked for, and when something last came.
#[derive(Clone, Copy)]
struct Times {
    begun: Instant,
    last: Instant,
}

impl ReceivedBody {
    pub(crate) fn new(inner: Incoming, received: Arc<Received>, limits: &ServeLimits) -> Self {
        Self {
            inner,
            received,
            pause: ms(limits.body_idle_ms),
            pace: limits.body_pace(),
            times: None,
            bytes: 0,
            sleep: None,
        }
    }

    /// Waits for what comes next, but not beyond what the sender is given.
    fn poll_late(&mut self, cx: &mut Context<'_>, times: Times) -> Poll<BodyError> {
        let (paused, slow) = (times.last + self.pause, times.begun + self.pace.longest(self.bytes));
        let end = paused.min(slow);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        if sleep.deadline() != end {
            sleep.as_mut().reset(end);
        }
        sleep.as_mut().poll(cx).map(|()| if paused <= slow { BodyError::Stopped } else { BodyError::Slow })
    }
}

impl HttpBody for ReceivedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let now = Instant::now();
        let times = this.times.get_or_insert(Times { begun: now, last: now });
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                times.last = now;
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                this.bytes += bytes as u64;
                let has_room = bytes == 0 || this.received.add(bytes);
                Poll::Ready(Some(if has_room { Ok(frame) } else { Err(BodyError::NoRoom.into()) }))
            }
            Poll::Ready(end) => Poll::Ready(end.map(|result| result.map_err(Into::into))),
            Poll::Pending => {
                let times = *times;
                this.poll_late(cx, times).map(|late| Some(Err(late.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
