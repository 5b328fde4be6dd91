//! One request from its headers to its answer: it gets a place or is told to come back, and what it holds goes with its answer until the
//! last byte of that is gone.

use std::{net::SocketAddr, sync::Arc};

use axum::{body::Body, response::Response};
use http::{Method, header};
use hyper::{
    Request,
    body::{Body as _, Incoming},
};
use tokio::sync::Notify;
use tower::ServiceExt;

use crate::{
    activity::Running,
    context::Context,
    outflow::{Outflow, Size},
    peer::{PeerAddr, PeerIdentity},
    peer_key::PeerKey,
    received::{Opening, Received, ReceivedBody},
    sent::{Holds, HoldsAtMost, SentBody},
    shares::{Holder, Share},
};

/// Answers of at most so many bytes are not counted, so that whoever asks little gets it however much its neighbours ask for. Places
/// bound them: 4 MiB in all with 1,024.
const SMALL_BYTES: usize = 4 * 1024;
/// Refusals for want of room that one connection may leave unread; further requests are reset.
const REFUSALS_UNREAD_MAX: usize = 8;

/// One connection, as its requests see it.
pub(crate) struct Line {
    pub(crate) context: Arc<Context>,
    pub(crate) identity: Option<PeerIdentity>,
    pub(crate) address: SocketAddr,
    pub(crate) outflow: Arc<Outflow>,
    /// Notified when something that one of its requests held was taken away for others.
    pub(crate) cut: Arc<Notify>,
}

/// What a request needs a place for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    /// A write whose body says who sends it.
    Opening,
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
    let (peer, kind) = (line.peer(), line.kind(&request));
    let Some(place) = line.place(kind, &peer) else {
        tracing::debug!(address = %line.address, "request refused: no place for it");
        // To be refused is no work: who only is can be asked to leave for others.
        drop(running);
        return line.refuse_late(request, Holds { running: None, _place: None, _received: None, _unsent: None }).await;
    };
    let turn = if kind == Kind::Read { Some(line.context.pools.turns.turn(&peer).await) } else { None };
    let (place, opening) = if kind == Kind::Opening { (None, Some(place)) } else { (Some(place), None) };
    let received = line.received(&peer, opening);
    let holds = Holds { running: Some(running), _place: place, _received: Some(Arc::clone(&received)), _unsent: None };
    if line.outflow.is_stuck() {
        drop(turn);
        return line.refuse_late(request, holds).await;
    }
    let request = line.with_peer(request, &peer, &received);
    let Ok(response) = line.context.app.router.clone().oneshot(request).await;
    let size = size_of(&response);
    match line.unsent(&peer, size.held) {
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
    /// Who asks, as of now: a member by its name, everybody else by network.
    pub(crate) fn peer(&self) -> PeerKey {
        let member = self.identity.as_ref().filter(|identity| (self.context.app.is_member)(identity));
        PeerKey::of(member, self.address.ip())
    }

    fn kind(&self, request: &Request<Incoming>) -> Kind {
        match *request.method() {
            Method::GET | Method::HEAD => Kind::Read,
            ref other if (self.context.app.is_opening)(other, request.uri().path()) => Kind::Opening,
            _ => Kind::Write,
        }
    }

    /// What strangers hold can be taken away for others: their connection is cut then. Members keep what they hold.
    fn holder(&self, peer: &PeerKey) -> Option<Holder> {
        (!peer.is_named()).then(|| Holder { leave: Arc::clone(&self.cut), activity: None, cut: None })
    }

    fn place(&self, kind: Kind, peer: &PeerKey) -> Option<Share> {
        let pools = &self.context.pools;
        let pool = match kind {
            Kind::Read => &pools.reads,
            Kind::Write => &pools.writes,
            Kind::Opening => &pools.openings,
        };
        pool.take_as(peer, 1, self.holder(peer))
    }

    fn received(&self, peer: &PeerKey, opening: Option<Share>) -> Arc<Received> {
        let pool = self.context.pools.received.clone();
        Arc::new(Received::new(pool, peer.clone(), self.holder(peer), opening))
    }

    fn with_peer(&self, request: Request<Incoming>, peer: &PeerKey, received: &Arc<Received>) -> Request<Body> {
        let limits = &self.context.limits;
        let mut request = request.map(|body| Body::new(ReceivedBody::new(body, Arc::clone(received), limits)));
        let extensions = request.extensions_mut();
        extensions.insert(PeerAddr(self.address));
        extensions.insert(peer.clone());
        extensions.insert(Opening(Arc::clone(received)));
        if let Some(identity) = &self.identity {
            extensions.insert(identity.clone());
        }
        request
    }

    /// The share of memory that an answer needs; none where it is small.
    fn unsent(&self, peer: &PeerKey, bytes: usize) -> Result<Option<Share>, NoRoom> {
        if bytes <= SMALL_BYTES {
            return Ok(None);
        }
        if !self.outflow.fits(bytes) {
            return Err(NoRoom);
        }
        self.context.pools.unsent.take_as(peer, bytes, self.holder(peer)).map(Some).ok_or(NoRoom)
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
