//! The HTTP client: pooled TLS connections, whole requests in, whole bounded answers out. It follows no redirects, decodes no
//! compression and keeps no cookies.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::body::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};

use tokio::time::{Instant, timeout_at};

use crate::{
    connector::{Connector, Issuer},
    error::{Cause, TransportError, io_kind, tls_reason},
    peer::PeerIdentity,
    tls::ClientTls,
    trust::AuthorityKey,
};

/// Answers larger than this are refused unless the request says otherwise, in bytes.
pub const RESPONSE_BYTES_DEFAULT: usize = 1024 * 1024;
/// How long a request may take unless it says otherwise.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Pools kept at once: one for each server identity asked for.
const POOLS_MAX: usize = 4096;

/// One request. Everything about it is bounded.
#[derive(Debug, Clone)]
pub struct Request {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Bytes,
    response_bytes_max: usize,
    timeout: Duration,
    bytes_per_s: Option<u64>,
    peer: Option<String>,
}

impl Request {
    /// A request with a method, without a body.
    #[must_use]
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            response_bytes_max: RESPONSE_BYTES_DEFAULT,
            timeout: TIMEOUT_DEFAULT,
            bytes_per_s: None,
            peer: None,
        }
    }

    /// A GET.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::GET, url)
    }

    /// A POST with a body of the given media type.
    #[must_use]
    pub fn post(url: impl Into<String>, media_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut request =
            Self::new(Method::POST, url).header(http::header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        request.body = body.into();
        request
    }

    /// Sets a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Refuses answers with more than this many bytes of body.
    #[must_use]
    pub const fn response_bytes_max(mut self, bytes: usize) -> Self {
        self.response_bytes_max = bytes;
        self
    }

    /// Gives up after this long, from connecting to the last byte of the answer.
    #[must_use]
    pub const fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Gives the answer a second more for each so many bytes of it. The limit of time is then that of the answer's beginning and of every
    /// pause in it, so that a slow link is told from one that stands still.
    #[must_use]
    pub const fn at_least(mut self, bytes_per_s: u64) -> Self {
        self.bytes_per_s = Some(bytes_per_s);
        self
    }

    /// Sends the request only to a server whose certificate carries this SPIFFE id; its DNS name is then not compared.
    #[must_use]
    pub fn peer(mut self, spiffe: impl Into<String>) -> Self {
        self.peer = Some(spiffe.into());
        self
    }
}

/// One answer, whole.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, as sent.
    pub body: Bytes,
    /// Who answered.
    pub peer: Option<PeerIdentity>,
    /// The key of the authority that the answerer's certificate is under.
    pub issuer: Option<AuthorityKey>,
}

/// Connections to servers of one identity.
struct Pool {
    client: Client<Connector, Full<Bytes>>,
    /// When the first certificate of its connections ends, POSIX seconds.
    end: Arc<AtomicI64>,
}

#[derive(Default)]
struct Pools {
    generation: u64,
    by_peer: HashMap<Option<String>, Pool>,
}

/// A client with pooled connections. Cheap to clone; clones share the pool.
#[derive(Clone)]
pub struct HttpClient {
    tls: Arc<ClientTls>,
    pools: Arc<Mutex<Pools>>,
}

impl HttpClient {
    /// A client that connects as `tls` says.
    #[must_use]
    pub fn new(tls: Arc<ClientTls>) -> Self {
        Self { tls, pools: Arc::default() }
    }

    /// The TLS configuration, to exchange certificate or roots.
    #[must_use]
    pub const fn tls(&self) -> &Arc<ClientTls> {
        &self.tls
    }

    /// Sends a request and reads the whole answer. A status of 4xx or 5xx is an answer, not an error.
    ///
    /// # Errors
    /// [`TransportError::Url`] (the caller's fault); [`TransportError::Connect`], [`TransportError::Tls`],
    /// [`TransportError::Timeout`], [`TransportError::ResponseTooLarge`], [`TransportError::Http`] (the server's or the network's).
    pub async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let wrong = || TransportError::Url { url: request.url.clone() };
        let uri: Uri = request.url.parse().map_err(|_| wrong())?;
        if uri.scheme_str() != Some("https") || uri.host().is_none_or(str::is_empty) {
            return Err(wrong());
        }
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        self.exchange(request, uri, &authority).await
    }

    async fn exchange(&self, request: Request, uri: Uri, authority: &str) -> Result<Response, TransportError> {
        let Request { method, headers, body, response_bytes_max, timeout, bytes_per_s, peer, .. } = request;
        let mut message = http::Request::new(Full::new(body));
        *message.method_mut() = method;
        *message.uri_mut() = uri;
        *message.headers_mut() = headers;
        let begun = Instant::now();
        let late = |_| TransportError::Timeout { authority: authority.to_owned(), limit: timeout };
        let asked = timeout_at(begun + timeout, self.connections(peer).request(message)).await.map_err(late)?;
        let (head, body) = asked.map_err(|error| explain(authority, Box::new(error)))?.into_parts();
        let mut whole = Whole::of(body, response_bytes_max);
        let mut last = begun;
        loop {
            let end = bytes_per_s.map_or(begun + timeout, |rate| {
                let given = Duration::from_millis((whole.read.len() as u64).saturating_mul(1_000) / rate.max(1));
                (last + timeout).min(begun + timeout.saturating_add(given))
            });
            if !timeout_at(end, whole.more(authority)).await.map_err(late)?? {
                break;
            }
            last = Instant::now();
        }
        let peer = head.extensions.get::<Option<PeerIdentity>>().cloned().flatten();
        let issuer = head.extensions.get::<Issuer>().and_then(|issuer| issuer.0);
        Ok(Response { status: head.status, headers: head.headers, body: whole.read.into(), peer, issuer })
    }

    /// The connections to servers that must be `peer`. None of them outlives a certificate that it was made with.
    fn connections(&self, peer: Option<String>) -> Client<Connector, Full<Bytes>> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let (generation, now) = (self.tls.generation(), self.tls.now());
        if pools.generation != generation || pools.by_peer.len() >= POOLS_MAX {
            pools.by_peer.clear();
            pools.generation = generation;
        }
        pools.by_peer.retain(|_, pool| now <= pool.end.load(Ordering::SeqCst));
        pools.by_peer.entry(peer).or_insert_with_key(|peer| self.pool(peer.as_deref())).client.clone()
    }

    fn pool(&self, peer: Option<&str>) -> Pool {
        // The end of our own certificate; the connector lowers it to the servers'.
        let end = Arc::new(AtomicI64::new(self.tls.leaf().map_or(i64::MAX, |leaf| leaf.not_after)));
        let connector = Connector {
            tls: Arc::clone(&self.tls),
            peer: peer.map(Arc::from),
            limit: CONNECT_LIMIT,
            end: Arc::clone(&end),
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(5))
            .http1_max_buf_size(64 * 1024)
            .http2_max_header_list_size(32 * 1024)
            .build(connector);
        Pool { client, end }
    }
}

/// An answer while it comes: one copy of it, as large as it says it is.
struct Whole {
    body: Limited<Incoming>,
    bytes_max: usize,
    read: Vec<u8>,
}

impl Whole {
    fn of(body: Incoming, bytes_max: usize) -> Self {
        let told = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
        Self { body: Limited::new(body, bytes_max), bytes_max, read: Vec::with_capacity(told.min(bytes_max)) }
    }

    /// Reads some more; `false` at the end.
    async fn more(&mut self, authority: &str) -> Result<bool, TransportError> {
        let Some(frame) = self.body.frame().await else { return Ok(false) };
        let frame = frame.map_err(|error| {
            if error.is::<LengthLimitError>() {
                TransportError::ResponseTooLarge { authority: authority.to_owned(), limit_bytes: self.bytes_max }
            } else {
                explain(authority, error)
            }
        })?;
        if let Some(bytes) = frame.data_ref() {
            self.read.extend_from_slice(bytes);
        }
        Ok(true)
    }
}

/// Finds our own error, or a TLS reason, inside what the HTTP layers wrapped around it.
fn explain(authority: &str, error: Cause) -> TransportError {
    let authority = authority.to_owned();
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&*error);
    while let Some(inner) = next {
        match inner.downcast_ref::<TransportError>() {
            Some(TransportError::Tls { reason, .. }) => {
                return TransportError::Tls { authority, reason: reason.clone() };
            }
            Some(TransportError::Timeout { limit, .. }) => return TransportError::Timeout { authority, limit: *limit },
            Some(TransportError::Url { url }) => return TransportError::Url { url: url.clone() },
            Some(TransportError::Connect { source, .. }) => {
                return TransportError::Connect {
                    authority,
                    source: std::io::Error::new(source.kind(), source.to_string()),
                };
            }
            _ => next = inner.source(),
        }
    }
    if let Some(reason) = tls_reason(&*error) {
        return TransportError::Tls { authority, reason };
    }
    // A server that refuses our certificate may close before its alert can be read.
    match io_kind(&*error) {
        Some(kind @ std::io::ErrorKind::ConnectionRefused) => {
            TransportError::Connect { authority, source: kind.into() }
        }
        _ => TransportError::Http { authority, source: error },
    }
}
