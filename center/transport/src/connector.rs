//! Opens one TLS connection for the client's pool.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use rustls_pki_types::ServerName;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    error::{TransportError, tls_reason},
    peer::PeerIdentity,
    tls::ClientTls,
    trust::{AuthorityKey, authorities_of},
};

/// Makes connections to servers that must be `peer` if that is given.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) tls: Arc<ClientTls>,
    pub(crate) peer: Option<Arc<str>>,
    pub(crate) limit: Duration,
    /// When the first certificate of the pool's connections ends, POSIX seconds.
    pub(crate) end: Arc<AtomicI64>,
}

/// A client's connection with the server's identity.
pub(crate) struct Stream {
    inner: TokioIo<TlsStream<TcpStream>>,
    identity: Option<PeerIdentity>,
    issuer: Issuer,
    is_h2: bool,
}

/// The key of the authority that a server's chain ends with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Issuer(pub(crate) Option<AuthorityKey>);

impl Connector {
    async fn open(self, uri: Uri) -> Result<Stream, TransportError> {
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        let limit = self.limit;
        match timeout(limit, self.open_unbounded(uri, &authority)).await {
            Ok(result) => result,
            Err(_) => Err(TransportError::Timeout { authority, limit }),
        }
    }

    async fn open_unbounded(self, uri: Uri, authority: &str) -> Result<Stream, TransportError> {
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(|_| TransportError::Url { url: uri.to_string() })?;
        let config = self.tls.config(self.peer.as_deref())?;
        let failed = |source| TransportError::Connect { authority: authority.to_owned(), source };
        let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(443))).await.map_err(failed)?;
        let _ = stream.set_nodelay(true);
        let stream = TlsConnector::from(config).connect(name, stream).await.map_err(|error| TransportError::Tls {
            authority: authority.to_owned(),
            reason: tls_reason(&error).unwrap_or_else(|| error.to_string()),
        })?;
        let (_, session) = stream.get_ref();
        let chain = session.peer_certificates().unwrap_or_default();
        let identity = chain.first().and_then(PeerIdentity::from_certificate);
        let issuer = Issuer(authorities_of(chain).last().copied());
        if let Some(identity) = &identity {
            self.end.fetch_min(identity.not_after, Ordering::SeqCst);
        }
        let is_h2 = session.alpn_protocol() == Some(b"h2");
        Ok(Stream { inner: TokioIo::new(stream), identity, issuer, is_h2 })
    }
}

impl tower::Service<Uri> for Connector {
    type Response = Stream;
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, TransportError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().open(uri))
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        let connected = Connected::new().extra(self.identity.clone()).extra(self.issuer);
        if self.is_h2 { connected.negotiated_h2() } else { connected }
    }
}

impl Read for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }
}
