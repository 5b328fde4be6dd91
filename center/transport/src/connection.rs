//! One accepted connection from handshake to close.

use std::{net::SocketAddr, pin::pin, sync::Arc};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::AsyncBufReadExt,
    net::TcpStream,
    sync::{Notify, watch},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{
    activity::Activity,
    context::Context,
    limits::{ServeLimits, ms},
    outflow::Outflow,
    peer::PeerIdentity,
    peer_key::PeerKey,
    request::{self, Line},
    shares::{Holder, Share},
    trust::{AuthorityKey, authorities_of},
};

/// Bytes of request bodies that one connection may send ahead of whoever reads them; nobody reads a request that waits, so these are
/// nobody's share: 512 MiB with 4,096 connections, 256 of them strangers'. The protocol's own least is 64 KiB, with which one request
/// that waits would stop all others of its connection.
const BODY_WINDOW_BYTES: u32 = 128 * 1024;
/// The same for one request. At 100 ms of distance it still carries 640 KB a second.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
/// Bytes of one answer that HTTP/2 takes over from its body at once. They are pieces of it, not copies.
const SEND_BUFFER_BYTES: usize = 32 * 1024;
/// Requests of one HTTP/2 connection that were reset by the peer before we looked at them; more, and it is closed.
const RESET_STREAMS_MAX: usize = 20;

/// A connection that was accepted and whose peer is not known yet.
pub(crate) struct Arrival {
    address: SocketAddr,
    leave: Arc<Notify>,
    _place: Share,
}

impl Arrival {
    /// Takes a place among the handshakes; `None` if its network has too many.
    pub(crate) fn of(context: &Context, address: SocketAddr) -> Option<Self> {
        let leave = Arc::new(Notify::new());
        let holder = Holder { leave: Arc::clone(&leave), activity: None, cut: None };
        let place = context.pools.arriving.take_as(&PeerKey::of(None, address.ip()), 1, Some(holder))?;
        Some(Self { address, leave, _place: place })
    }
}

/// A connection whose peer is known, with its place.
struct Known {
    stream: TlsStream<TcpStream>,
    line: Arc<Line>,
    authorities: Vec<AuthorityKey>,
    activity: Arc<Activity>,
    /// Somebody else gets the place.
    leave: Arc<Notify>,
    _place: Share,
}

/// Runs a connection to its end. `closing` turns true when the server shuts down.
pub(crate) async fn run(
    context: Arc<Context>,
    stream: TcpStream,
    arrival: Arrival,
    mut closing: watch::Receiver<bool>,
) {
    let address = arrival.address;
    let opened = tokio::select! {
        opened = open(&context, stream, arrival) => opened,
        _ = closing.wait_for(|closing| *closing) => return,
    };
    match opened {
        Ok(known) => exchange(known, closing).await,
        Err(unopened) => tracing::debug!(%address, %unopened, "connection closed before its first request"),
    }
}

/// Why a connection has no first request.
#[derive(Debug, thiserror::Error)]
enum Unopened {
    /// The peer's, or the network's.
    #[error(transparent)]
    Broken(#[from] std::io::Error),
    /// The peer's: it has said nothing.
    #[error("its peer left or stayed silent")]
    Silent,
    /// The peer's: it has too many, or nobody who has more can be asked to leave.
    #[error("its peer has too many, or all are at work")]
    NoPlace,
    /// Somebody who has fewer got its place.
    #[error("its place was needed")]
    Displaced,
}

/// From the handshake, by which it is known who connects, to a place of its own and the first byte.
async fn open(context: &Arc<Context>, stream: TcpStream, arrival: Arrival) -> Result<Known, Unopened> {
    let acceptor = TlsAcceptor::from(context.tls.current());
    let late = |_| std::io::Error::from(std::io::ErrorKind::TimedOut);
    let shaken = timeout(ms(context.limits.handshake_ms), acceptor.accept(stream));
    let stream = tokio::select! {
        shaken = shaken => shaken.map_err(late)??,
        () = arrival.leave.notified() => return Err(Unopened::Displaced),
    };
    let mut known = take_place(context, stream, arrival.address).ok_or(Unopened::NoPlace)?;
    drop(arrival);
    let first = timeout(ms(context.limits.first_byte_ms), known.stream.fill_buf());
    let first = tokio::select! {
        first = first => first.map_err(late)??,
        () = known.leave.notified() => return Err(Unopened::Displaced),
    };
    if first.is_empty() { Err(Unopened::Silent) } else { Ok(known) }
}

/// Whoever has shown a certificate of a member has a place of the members', everybody else one of the strangers'.
fn take_place(context: &Arc<Context>, stream: TlsStream<TcpStream>, address: SocketAddr) -> Option<Known> {
    let (_, session) = stream.get_ref();
    let chain = session.peer_certificates().unwrap_or_default();
    let authorities = authorities_of(chain);
    let line = Arc::new(Line {
        context: Arc::clone(context),
        identity: chain.first().and_then(PeerIdentity::from_certificate),
        address,
        outflow: Arc::new(Outflow::new(&context.limits, Instant::now())),
        cut: Arc::default(),
    });
    let (activity, leave) = (Arc::new(Activity::default()), Arc::new(Notify::new()));
    let peer = line.peer();
    // Strangers of many networks could otherwise keep all others out, by requests that do not end.
    let cut = (!peer.is_named()).then(|| Arc::clone(&line.cut));
    let holder = Holder { leave: Arc::clone(&leave), activity: Some(Arc::clone(&activity)), cut };
    let place = context.pools.connections.take_as(&peer, 1, Some(holder))?;
    Some(Known { stream, line, authorities, activity, leave, _place: place })
}

async fn exchange(known: Known, mut closing: watch::Receiver<bool>) {
    let Known { stream, line, authorities, activity, leave, _place } = known;
    let (context, address, limits) = (&line.context, line.address, line.context.limits);
    let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let (identity, outflow) = (line.identity.as_ref(), &line.outflow);
    let now = || context.tls.clock().now().unix();
    // Its certificate has ended, or its authority does not count any more.
    let ended = || identity.is_some_and(|identity| identity.has_ended(now()) || !context.tls.trusts(&authorities));
    let age_end = Instant::now() + ms(age_ms(limits.age_max_ms, identity, now()));

    // Started also where it is refused, so that the loop below wakes and closes the connection.
    let service = service_fn(|request| request::answer(Arc::clone(&line), request, activity.start(), ended()));
    let builder = builder(is_h2, limits);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    // The first headers must come within `header_ms`, later ones within `idle_ms`.
    let mut idle_end = Instant::now() + ms(limits.header_ms);
    loop {
        let look_at = outflow.look_at();
        tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(%address, %error, "connection ended");
                }
                return;
            }
            () = activity.changed() => {
                idle_end = Instant::now() + ms(limits.idle_ms);
                // The timer above counts seconds of this process; the clock may have moved by more than that.
                if ended() {
                    break;
                }
            }
            () = sleep_until(look_at.unwrap_or(age_end)), if look_at.is_some() => {
                if !outflow.keeps_up(Instant::now()) {
                    tracing::debug!(%address, "connection cut: its peer does not take its answers");
                    return;
                }
            }
            () = line.cut.notified() => {
                tracing::debug!(%address, "connection cut: others who hold less need what it holds");
                return;
            }
            () = leave.notified() => {
                // Between being asked and now a request may have come.
                if activity.is_idle() {
                    tracing::debug!(%address, "connection closed: its place was needed");
                    return;
                }
                break;
            }
            () = sleep_until(idle_end), if activity.is_idle() => break,
            () = sleep_until(age_end) => break,
            _ = closing.wait_for(|closing| *closing) => break,
        }
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection => {}
        () = line.cut.notified() => {}
        () = sleep(ms(limits.drain_ms)) => tracing::debug!(%address, "connection cut: it was still busy after its grace"),
    }
}

/// The age a connection may reach: `age_max_ms`, but not beyond the client certificate's end.
fn age_ms(age_max_ms: u64, identity: Option<&PeerIdentity>, now: i64) -> u64 {
    identity.map_or(age_max_ms, |identity| {
        let left = u64::try_from(identity.not_after.saturating_sub(now)).unwrap_or(0);
        age_max_ms.min(left.saturating_mul(1000))
    })
}

fn builder(is_h2: bool, limits: ServeLimits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(ms(limits.header_ms))
        .max_buf_size(64 * 1024)
        .max_headers(64);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(ms(20_000))
        .keep_alive_timeout(ms(10_000))
        .max_concurrent_streams(limits.streams_max)
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(BODY_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .max_header_list_size(32 * 1024);
    // ALPN has decided, so the protocol need not be guessed from the first bytes.
    if is_h2 { builder.http2_only() } else { builder.http1_only() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_does_not_outlive_the_certificate() {
        let identity = |not_after| PeerIdentity {
            spiffe: None,
            leaf_sha256: [0; 32],
            spki_sha256: [0; 32],
            not_before: 0,
            not_after,
        };
        assert_eq!(age_ms(60_000, None, 1_000), 60_000);
        assert_eq!(age_ms(60_000, Some(&identity(1_010)), 1_000), 10_000);
        assert_eq!(age_ms(60_000, Some(&identity(9_000)), 1_000), 60_000);
        assert_eq!(age_ms(60_000, Some(&identity(-5)), 1_000), 0);
    }
}
