//! The accept loop of every server: caps, timeouts, peer identity, bounded connection age, drain. It knows nothing of what the router
//! does, nothing here waits without a limit, and nobody waits for a stranger: whoever connects is taken at once, or somebody is closed.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{
    connection::{self, Arrival},
    context::{App, Context},
    limits::{ServeLimits, ms},
    tls::ServerTls,
};

/// Bytes that the system keeps of what was written to a connection and not acknowledged; it takes twice as many for itself. Without a
/// bound it keeps up to some MiB for each. At 100 ms of distance it carries 2.5 MB a second.
const SEND_BUFFER_BYTES: usize = 256 * 1024;

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were open at shutdown and ended by themselves.
    pub completed: usize,
    /// Connections cut because they were still busy after `drain_ms`.
    pub aborted: usize,
}

/// Serves `app` on `listener` until `shutdown` completes, then lets running requests finish for at most `drain_ms`.
///
/// Requests carry [`crate::PeerAddr`], [`crate::PeerKey`] and, if the client showed a certificate, [`crate::PeerIdentity`] as extensions.
/// The error of a request body that was cut off has a [`crate::BodyError`] among its causes.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerTls>,
    app: impl Into<App>,
    limits: ServeLimits,
    shutdown: impl Future<Output = ()> + Send,
) -> Drained {
    let (close, closing) = watch::channel(false);
    let context = Arc::new(Context::new(tls, app.into(), limits));
    let mut connections = JoinSet::new();
    // Connections have it from their listener.
    if let Err(error) = SockRef::from(&listener).set_send_buffer_size(SEND_BUFFER_BYTES) {
        tracing::warn!(%error, "the system's own buffers for answers stay as large as it makes them");
    }
    tokio::pin!(shutdown);
    loop {
        while connections.try_join_next().is_some() {}
        let (stream, address) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener) => accepted,
        };
        let Some(arrival) = Arrival::of(&context, address) else {
            tracing::debug!(%address, "connection refused: too many handshakes from there");
            continue;
        };
        connections.spawn(connection::run(Arc::clone(&context), stream, arrival, closing.clone()));
    }
    drop(listener);
    let _ = close.send(true);
    drain(connections, ms(limits.drain_ms)).await
}

/// Accepts one connection; an error such as too many open files is waited out.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                // Answers are written whole, so there is nothing to gain from waiting for more.
                let _ = stream.set_nodelay(true);
                return (stream, address);
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn drain(mut connections: JoinSet<()>, limit: Duration) -> Drained {
    let mut drained = Drained { completed: 0, aborted: 0 };
    let end = Instant::now() + limit;
    while !connections.is_empty() {
        match timeout(end.saturating_duration_since(Instant::now()), connections.join_next()).await {
            Ok(_) => drained.completed += 1,
            Err(_) => break,
        }
    }
    drained.aborted = connections.len();
    connections.shutdown().await;
    drained
}
