//! The body of every answer: handed out in small pieces, and holding its request's place and its share of memory until the last piece
//! has gone to the peer, or was given up. HTTP/2 keeps pieces after the body has ended; they hold on too.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{BoxError, body::Body};
use bytes::{Buf, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::{sync::mpsc, time::Instant};

use crate::{
    activity::Running,
    outflow::{Outflow, Size},
    received::Received,
    shares::Share,
};

/// Bytes handed to HTTP at once: one frame of HTTP/2.
const PIECE_BYTES: usize = 16 * 1024;

/// Pieces of a body in memory while it is made: one with HTTP, one on its way there, and one that is made, twice.
const PIECES_HELD: usize = 4;

/// How many bytes the body of an answer holds at once, for bodies that are made while they are sent; a response extension. Without it
/// a body holds as many as it has.
#[derive(Debug, Clone, Copy)]
pub struct HoldsAtMost(pub usize);

/// A body that a task makes piece by piece while it is sent, at most one ahead.
#[derive(Debug)]
pub struct Pieces {
    made: mpsc::Receiver<Result<Bytes, BoxError>>,
    left: u64,
}

/// A body of exactly `length` bytes, and where its pieces go. Sending waits until the peer takes them and fails once the body is gone.
/// A body whose maker stops early breaks off, so that nobody takes a part for the whole.
#[must_use]
pub fn pieces(length: u64) -> (mpsc::Sender<Result<Bytes, BoxError>>, Pieces) {
    let (sender, made) = mpsc::channel(1);
    (sender, Pieces { made, left: length })
}

/// What makes the pieces of a body, one after the other.
pub trait Maker: Send + 'static {
    /// Why a piece cannot be made.
    type Error: Into<BoxError> + Send;

    /// The next piece; nothing after the last.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, Self::Error>> + Send;
}

/// A body of exactly `length` bytes in pieces of at most `piece_bytes`, and what it holds. The first piece is made at once, the others
/// while they are sent; where one of those fails the body breaks off.
///
/// # Errors
/// Why the first piece cannot be made.
pub async fn made<M: Maker>(length: u64, piece_bytes: usize, mut maker: M) -> Result<(Pieces, HoldsAtMost), M::Error> {
    let mut next = Ok(maker.next().await?);
    let (sender, body) = pieces(length);
    tokio::spawn(async move {
        while let Some(piece) = next.transpose() {
            let is_last = piece.is_err();
            if sender.send(piece.map_err(Into::into)).await.is_err() || is_last {
                return;
            }
            next = maker.next().await;
        }
    });
    Ok((body, HoldsAtMost(PIECES_HELD * piece_bytes)))
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let piece = ready!(self.made.poll_recv(cx)).unwrap_or_else(|| Err("the answer broke off".into()));
        Poll::Ready(Some(piece.map(|bytes| {
            self.left = self.left.saturating_sub(bytes.len() as u64);
            Frame::data(bytes)
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// What an answer holds until it is gone.
pub(crate) struct Holds {
    /// The request, as work of its connection; `None` where all it gets is a refusal.
    pub(crate) running: Option<Running>,
    /// Its place among the requests in work.
    pub(crate) _place: Option<Share>,
    /// The bytes of the request.
    pub(crate) _received: Option<Arc<Received>>,
    /// The bytes of the answer.
    pub(crate) _unsent: Option<Share>,
}

struct Held {
    outflow: Arc<Outflow>,
    id: u64,
    _holds: Holds,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.outflow.close(self.id);
    }
}

/// The body of an answer.
pub(crate) struct SentBody {
    inner: Body,
    rest: Bytes,
    /// Whether the next piece was asked for and is not made yet.
    is_unmade: bool,
    held: Arc<Held>,
}

impl SentBody {
    pub(crate) fn new(inner: Body, size: Size, outflow: &Arc<Outflow>, holds: Holds) -> Self {
        let id = outflow.open(size, Instant::now());
        if let Some(running) = &holds.running {
            running.answers();
        }
        let held = Arc::new(Held { outflow: Arc::clone(outflow), id, _holds: holds });
        Self { inner, rest: Bytes::new(), is_unmade: false, held }
    }

    /// The next of what is sent. Time that its making takes is not the peer's.
    fn poll_made(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let made = Pin::new(&mut self.inner).poll_frame(cx);
        if made.is_pending() != self.is_unmade {
            self.is_unmade = made.is_pending();
            let (outflow, id, now) = (&self.held.outflow, self.held.id, Instant::now());
            if self.is_unmade { outflow.waits(id, now) } else { outflow.made(id, now) }
        }
        made
    }
}

impl HttpBody for SentBody {
    type Data = Piece;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Piece>, axum::Error>>> {
        while self.rest.is_empty() {
            let frame = match ready!(self.poll_made(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(other) => {
                    if let Ok(trailers) = other.into_trailers() {
                        return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                    }
                }
            }
        }
        let length = self.rest.len().min(PIECE_BYTES);
        let bytes = self.rest.split_to(length);
        Poll::Ready(Some(Ok(Frame::data(Piece { bytes, held: Arc::clone(&self.held) }))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.inner.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + rest);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

/// Some bytes of an answer on their way out.
pub(crate) struct Piece {
    bytes: Bytes,
    held: Arc<Held>,
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, bytes: usize) {
        self.bytes.advance(bytes);
        self.held.outflow.took(self.held.id, bytes);
    }
}
