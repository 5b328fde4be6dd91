//! The body of every request: it must keep flowing, come at a least rate and not in crumbs, and find room among the bytes that its
//! sender and all together may have here. It gives its thread back now and then, however fast it comes.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::BoxError;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::{
    limits::{Pace, ServeLimits, ms},
    peer_key::PeerKey,
    shares::{Holder, Share, Shares},
};

/// A frame counts as so many bytes at least: what it costs to keep and to hand on, however few it brings.
const FRAME_BYTES: usize = 64;
/// What tiny frames may add to a body by that, in bytes: 4,161 frames of one byte.
const PADDING_BYTES_MAX: usize = 256 * 1024;
/// What the place of an opening pays for, in bytes: the largest body that says who sends it, 128 KiB, and one read of the connection
/// beyond it, which shows that a body is larger.
const OPENING_BYTES_MAX: usize = 192 * 1024;
/// Frames after which others have their turn on the thread, though more are there.
const FRAMES_AT_ONCE: u32 = 32;

/// Why a request's body was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The sender's: nothing came for too long.
    #[error("the request body stopped flowing")]
    Stopped,
    /// The sender's: it comes at less than the least rate.
    #[error("the request body came too slowly")]
    Slow,
    /// The sender's: it comes in more tiny pieces than it may.
    #[error("the request body comes in too many tiny pieces")]
    Crumbs,
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

/// What came with one request; given back when the request has ended, since its handler keeps it until then.
pub(crate) struct Received {
    pool: Shares,
    charge: Mutex<Charge>,
}

/// Who pays for what came.
struct Charge {
    peer: PeerKey,
    /// How a stranger is asked to give it back.
    holder: Option<Holder>,
    /// The place that pays for the first bytes, until it is known who sends them.
    opening: Option<Share>,
    share: Option<Share>,
    /// What came, tiny frames counted as [`FRAME_BYTES`].
    bytes: usize,
    /// How much of that are not bytes of the body.
    padding: usize,
}

impl Received {
    pub(crate) const fn new(pool: Shares, peer: PeerKey, holder: Option<Holder>, opening: Option<Share>) -> Self {
        let charge = Charge { peer, holder, opening, share: None, bytes: 0, padding: 0 };
        Self { pool, charge: Mutex::new(charge) }
    }

    /// A frame came.
    fn add(&self, frame_bytes: usize) -> Result<(), BodyError> {
        let mut charge = self.lock();
        let bytes = frame_bytes.max(FRAME_BYTES);
        charge.padding += bytes - frame_bytes;
        charge.bytes += bytes;
        if charge.padding > PADDING_BYTES_MAX {
            return Err(BodyError::Crumbs);
        }
        let has_room =
            if charge.opening.is_some() { charge.bytes <= OPENING_BYTES_MAX } else { charge.pay(&self.pool, bytes) };
        if has_room { Ok(()) } else { Err(BodyError::NoRoom) }
    }

    fn is_opening(&self) -> bool {
        self.lock().opening.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Charge> {
        self.charge.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Charge {
    fn pay(&mut self, pool: &Shares, bytes: usize) -> bool {
        if let Some(share) = &mut self.share {
            return share.grow(bytes);
        }
        self.share = pool.take_as(&self.peer, bytes, self.holder.clone());
        self.share.is_some()
    }
}

/// The beginning of a request whose body says who sends it; an extension of every request. Such requests ([`crate::App::with_openings`])
/// have none of the places for which others compete, but one of the few for beginnings, which pays for 192 KiB, until their handler knows
/// the sender. What other requests hold is their peer's from the start.
#[derive(Clone)]
pub struct Opening(pub(crate) Arc<Received>);

impl Opening {
    /// It is known who sends this: what came and what comes is this sender's, and the place is free for the next. `false` where the
    /// sender has no room for it.
    #[must_use]
    pub fn end(&self, sender: &PeerKey) -> bool {
        let mut charge = self.0.lock();
        if charge.opening.take().is_none() {
            return true;
        }
        if sender.is_named() {
            charge.holder = None;
        }
        charge.peer = sender.clone();
        let bytes = charge.bytes;
        bytes == 0 || charge.pay(&self.0.pool, bytes)
    }
}

/// The body of a request.
pub(crate) struct ReceivedBody {
    inner: Incoming,
    received: Arc<Received>,
    pause: Duration,
    pace: Pace,
    /// The pace until it is known who sends.
    opening_pace: Pace,
    times: Option<Times>,
    bytes: u64,
    /// Frames that were there without waiting.
    in_a_row: u32,
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
            opening_pace: limits.opening_pace(),
            times: None,
            bytes: 0,
            in_a_row: 0,
            sleep: None,
        }
    }

    /// When what came so far must have come, and the next with it.
    fn slow_at(&self, times: Times) -> Instant {
        let pace = if self.received.is_opening() { self.opening_pace } else { self.pace };
        times.begun + pace.longest(self.bytes)
    }

    /// Takes a frame that came, if its sender has kept the pace and has room.
    fn take(&mut self, bytes: usize, times: Times) -> Result<(), BodyError> {
        self.bytes += bytes as u64;
        if self.slow_at(times) < times.last {
            return Err(BodyError::Slow);
        }
        self.received.add(bytes)
    }

    /// Waits for what comes next, but not beyond what the sender is given.
    fn poll_late(&mut self, cx: &mut Context<'_>, times: Times) -> Poll<BodyError> {
        let (paused, slow) = (times.last + self.pause, self.slow_at(times));
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
        if this.in_a_row == FRAMES_AT_ONCE {
            this.in_a_row = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                times.last = now;
                this.in_a_row += 1;
                let (times, bytes) = (*times, frame.data_ref().map_or(0, Bytes::len));
                Poll::Ready(Some(this.take(bytes, times).map(|()| frame).map_err(Into::into)))
            }
            Poll::Ready(end) => Poll::Ready(end.map(|result| result.map_err(Into::into))),
            Poll::Pending => {
                this.in_a_row = 0;
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
