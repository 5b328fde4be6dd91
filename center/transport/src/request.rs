//! One request from its headers to its answer: it gets a place or is told to come back, and what it holds goes with its answer until the
//! last byte of that is gone.

use std::{net::SocketAddr, sync::Arc};

use axum::{body::Body, response::Response};
use http::{Method, header};
use hyper::{
    Request,
    body::{Body as _, Incoming},
};
use tower::ServiceExt;

use crate::{
    activity::Running,
    context::Context,
    outflow::{Outflow, Size},
    peer::{PeerAddr, PeerIdentity},
    received::{Received, ReceivedBody},
    sent::{Holds, HoldsAtMost, SentBody},
    shares::{PeerKey, Share},
};

/// Answers of at most so many bytes are not counted, so that whoever asks little gets it however much its neighbours ask for. Places
/// bound them: 4 MiB in all with 1,024.
const SMALL_BYTES: usize = 4 * 1024;
/// Refusals for want of room that one connection may leave unread; further requests are reset.
const REFUSALS_UNREAD_MAX: usize = 8;

/// One connection, as its requests see it.
pub(crate) struct Line {
    pub(crate) context: Arc<Context>,
    pub(crate) peer: PeerKey,
    pub(crate) identity: Option<PeerIdentity>,
    pub(crate) address: SocketAddr,
    pub(crate) outflow: Arc<Outflow>,
}

/// Why a request gets no answer at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    /// The client's certificate has ended on an open connection: nothing that comes over it now is the client's any more.
    #[error("the client's certificate has ended")]
    CertificateEnded,
    /// The peer does not even read that there is no room.
    #[error("there is no room, and earlier refusals are unread")]
    Deaf,
}

/// Answers a request. `ended` says whether the client's certificate has.
pub(crate) async fn answer(
    line: Arc<Line>,
    request: Request<Incoming>,
    running: Running,
    ended: bool,
) -> Result<Response<SentBody>, Unanswered> {
    if ended {
        return Err(Unanswered::CertificateEnded);
    }
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let Some(place) = line.place(is_read) else {
        tracing::debug!(address = %line.address, "request refused: no place for it");
        return line.refuse_late(request, Holds { running, _place: None, _received: None, _unsent: None }).await;
    };
    let turn = if is_read { Some(line.context.pools.turns.turn(&line.peer).await) } else { None };
    let received = Arc::new(Received::new(line.context.pools.received.clone(), line.peer.clone()));
    let holds = Holds { running, _place: Some(place), _received: Some(Arc::clone(&received)), _unsent: None };
    if line.outflow.is_stuck() {
        drop(turn);
        return line.refuse_late(request, holds).await;
    }
    let request = line.with_peer(request, &received);
    let Ok(response) = line.context.app.router.clone().oneshot(request).await;
    let size = size_of(&response);
    match line.unsent(size.held) {
        Ok(unsent) => Ok(line.send(response, size, Holds { _unsent: unsent, ..holds })),
        Err(NoRoom) => {
            tracing::debug!(address = %line.address, bytes = size.held, "answer withheld: no room for it");
            line.outflow.withhold();
            line.refuse(holds)
        }
    }
}

/// The answer does not fit among those that are not sent yet.
struct NoRoom;

impl Line {
    fn place(&self, is_read: bool) -> Option<Share> {
        let pools = &self.context.pools;
        let pool = if is_read { &pools.reads } else { &pools.writes };
        pool.take(&self.peer, 1)
    }

    fn with_peer(&self, request: Request<Incoming>, received: &Arc<Received>) -> Request<Body> {
        let limits = &self.context.limits;
        let mut request = request.map(|body| Body::new(ReceivedBody::new(body, Arc::clone(received), limits)));
        let extensions = request.extensions_mut();
        extensions.insert(PeerAddr(self.address));
        extensions.insert(self.peer.clone());
        if let Some(identity) = &self.identity {
            extensions.insert(identity.clone());
        }
        request
    }

    /// The share of memory that an answer needs; none where it is small.
    fn unsent(&self, bytes: usize) -> Result<Option<Share>, NoRoom> {
        if bytes <= SMALL_BYTES {
            return Ok(None);
        }
        if !self.outflow.fits(bytes) {
            return Err(NoRoom);
        }
        self.context.pools.unsent.take(&self.peer, bytes).map(Some).ok_or(NoRoom)
    }

    /// Whoever comes again at once has its streams taken meanwhile, and the window of its bodies, so that refusing costs little.
    async fn refuse_late(&self, request: Request<Incoming>, holds: Holds) -> Result<Response<SentBody>, Unanswered> {
        let body = request.into_body();
        tokio::time::sleep(self.context.refusal_delay()).await;
        drop(body);
        self.refuse(holds)
    }

    fn refuse(&self, holds: Holds) -> Result<Response<SentBody>, Unanswered> {
        if self.outflow.refusals() >= REFUSALS_UNREAD_MAX {
            return Err(Unanswered::Deaf);
        }
        let response = (self.context.app.busy)();
        let size = Size { is_refusal: true, ..size_of(&response) };
        Ok(self.send(response, size, holds))
    }

    fn send(&self, response: Response, size: Size, holds: Holds) -> Response<SentBody> {
        response.map(|body| SentBody::new(body, size, &self.outflow, holds))
    }
}

/// How much an answer sends, and how much of it is in memory at once.
fn size_of(response: &Response) -> Size {
    let hint = response.body().size_hint();
    let told = || response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
    let sent = hint.exact().or_else(told).unwrap_or(hint.lower());
    let whole = usize::try_from(sent).unwrap_or(usize::MAX);
    let held = response.extensions().get::<HoldsAtMost>().map_or(whole, |most| most.0.min(whole));
    Size { sent, held, is_refusal: false }
}
