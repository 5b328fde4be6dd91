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
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{
    activity::Activity,
    context::Context,
    limits::{ServeLimits, ms},
    outflow::Outflow,
    peer::PeerIdentity,
    request::{self, Line},
    shares::PeerKey,
    trust::authorities_of,
};

/// Bytes of request bodies that one connection may send ahead of whoever reads them; nobody reads a request that waits, so these are
/// nobody's share and stay small.
const BODY_WINDOW_BYTES: u32 = 128 * 1024;
/// The same for one request. At 100 ms of distance it still carries 640 KB a second.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
/// Bytes of one answer that HTTP/2 takes over from its body at once. They are pieces of it, not copies.
const SEND_BUFFER_BYTES: usize = 32 * 1024;
/// Requests of one HTTP/2 connection that were reset by the peer before we looked at them; more, and it is closed.
const RESET_STREAMS_MAX: usize = 20;

/// Runs a connection to its end. `closing` turns true when the server shuts down.
pub(crate) async fn run(
    context: Arc<Context>,
    stream: TcpStream,
    address: SocketAddr,
    mut closing: watch::Receiver<bool>,
) {
    let opened = tokio::select! {
        opened = open(&context, stream) => opened,
        _ = closing.wait_for(|closing| *closing) => return,
    };
    match opened {
        Ok(Some(stream)) => exchange(context, stream, address, closing).await,
        Ok(None) => tracing::debug!(%address, "connection closed before its first request"),
        Err(error) => tracing::debug!(%address, %error, "connection refused"),
    }
}

/// Handshake and first byte; `None` if the client left or stayed silent.
async fn open(context: &Context, stream: TcpStream) -> std::io::Result<Option<TlsStream<TcpStream>>> {
    let acceptor = TlsAcceptor::from(context.tls.current());
    let late = |_| std::io::Error::from(std::io::ErrorKind::TimedOut);
    let mut stream = timeout(ms(context.limits.handshake_ms), acceptor.accept(stream)).await.map_err(late)??;
    let first = timeout(ms(context.limits.first_byte_ms), stream.fill_buf()).await.map_err(late)??;
    let silent = first.is_empty();
    Ok((!silent).then_some(stream))
}

async fn exchange(
    context: Arc<Context>,
    stream: TlsStream<TcpStream>,
    address: SocketAddr,
    mut closing: watch::Receiver<bool>,
) {
    let limits = context.limits;
    let (_, session) = stream.get_ref();
    let chain = session.peer_certificates().unwrap_or_default();
    let identity = chain.first().and_then(PeerIdentity::from_certificate);
    let authorities = authorities_of(chain);
    let is_h2 = session.alpn_protocol() == Some(b"h2");
    let now = || context.tls.clock().now().unix();
    // Its certificate has ended, or its authority does not count any more.
    let ended =
        || identity.as_ref().is_some_and(|identity| identity.has_ended(now()) || !context.tls.trusts(&authorities));
    let age_end = Instant::now() + ms(age_ms(limits.age_max_ms, identity.as_ref(), now()));

    let activity = Arc::new(Activity::default());
    let outflow = Arc::new(Outflow::new(&limits, Instant::now()));
    let line = Arc::new(Line {
        context: Arc::clone(&context),
        peer: PeerKey::of(identity.as_ref(), address.ip()),
        identity: identity.clone(),
        address,
        outflow: Arc::clone(&outflow),
    });
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
            () = sleep_until(idle_end), if activity.is_idle() => break,
            () = sleep_until(age_end) => break,
            _ = closing.wait_for(|closing| *closing) => break,
        }
    }
    connection.as_mut().graceful_shutdown();
    if timeout(ms(limits.drain_ms), connection).await.is_err() {
        tracing::debug!(%address, "connection cut: it was still busy after its grace");
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
