//! One server to talk to: its address, who it must be, and calls with bounded, typed answers.
//! It knows no path and no meaning of its own; `center` and `gateway` do.

use crate::error::ClientError;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use iog_protocol::api::Problem;
use iog_transport::{HttpClient, Request, Response};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Largest JSON answer accepted, in bytes.
pub const JSON_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long a plain call may take.
pub const CALL_LIMIT: Duration = Duration::from_secs(30);
/// The least rate at which a file must come, bytes a second: half of what servers ask of whoever reads their answers, so that they see
/// first who is too slow.
const FILE_BYTES_PER_S: u64 = 8 * 1024;
const JSON: &str = "application/json";
const PROBLEM_JSON: &str = "application/problem+json";

/// A server, and the client to reach it with. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Remote {
    http: HttpClient,
    address: String,
    peer: Option<String>,
    /// Bytes of all response bodies so far; shared by clones.
    received: Arc<AtomicU64>,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("address", &self.address).field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// A call: what to ask and how much to take.
pub(crate) struct Call<'a> {
    pub(crate) path: &'a str,
    pub(crate) body: Option<(&'static str, Bytes)>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) bytes_max: usize,
    pub(crate) limit: Duration,
    /// Where it is given, the limit is that of pauses, and the answer has a second more for each so many bytes.
    pub(crate) bytes_per_s: Option<u64>,
}

impl<'a> Call<'a> {
    pub(crate) fn get(path: &'a str) -> Self {
        Self { path, body: None, headers: Vec::new(), bytes_max: JSON_BYTES_MAX, limit: CALL_LIMIT, bytes_per_s: None }
    }

    pub(crate) fn post(path: &'a str, media_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { body: Some((media_type, body.into())), ..Self::get(path) }
    }
}

impl Remote {
    /// A server at `host:port` whose certificate must name that host.
    #[must_use]
    pub fn new(http: HttpClient, address: &str) -> Self {
        Self { http, address: address.to_owned(), peer: None, received: Arc::default() }
    }

    /// A server at `host:port` whose certificate must carry this SPIFFE id; its DNS name does not matter.
    #[must_use]
    pub fn of_peer(http: HttpClient, address: &str, spiffe: &str) -> Self {
        Self { peer: Some(spiffe.to_owned()), ..Self::new(http, address) }
    }

    /// Where the server is, `host:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Bytes of all response bodies that came over this remote and its clones, those of errors included.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// The client behind it, to exchange certificate or roots.
    #[must_use]
    pub fn http(&self) -> &HttpClient {
        &self.http
    }

    /// Fetches a file of at most `bytes_max` bytes. It may take its time, as long as it comes.
    ///
    /// # Errors
    /// [`ClientError`]; anything but 200 is one.
    pub async fn get(&self, path: &str, bytes_max: usize) -> Result<Vec<u8>, ClientError> {
        self.get_beside(path, bytes_max, 0).await
    }

    /// The same, while as many as `others` share the connection.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(crate) async fn get_beside(&self, path: &str, bytes_max: usize, others: u32) -> Result<Vec<u8>, ClientError> {
        let bytes_per_s = Some(FILE_BYTES_PER_S / (u64::from(others) + 1));
        let response = self.call(Call { bytes_max, bytes_per_s, ..Call::get(path) }).await?;
        match response.status {
            StatusCode::OK => Ok(response.body.into()),
            status => Err(self.status(path, status)),
        }
    }

    /// Calls and reads a JSON answer.
    pub(crate) async fn json<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, ClientError> {
        let path = call.path.to_owned();
        let response = self.call(call).await?;
        self.decode(&path, &response.body)
    }

    /// Calls with a JSON body and reads a JSON answer.
    pub(crate) async fn post_json<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl serde::Serialize,
    ) -> Result<T, ClientError> {
        let bytes = serde_json::to_vec(body)
            .map_err(|error| ClientError::Input { what: "request body", reason: error.to_string() })?;
        self.json(Call::post(path, JSON, bytes)).await
    }

    pub(crate) fn decode<T: DeserializeOwned>(&self, path: &str, body: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(body).map_err(|error| self.malformed(path, error))
    }

    /// Calls; a status below 200 or from 300 on is an error, with the problem document decoded if there is one.
    pub(crate) async fn call(&self, call: Call<'_>) -> Result<Response, ClientError> {
        let path = call.path.to_owned();
        let server = self.address.clone();
        let sent = self.http.send(self.request(call)).await;
        let response = sent.map_err(|source| ClientError::Transport { server, source })?;
        self.received.fetch_add(response.body.len() as u64, Ordering::Relaxed);
        if response.status.is_success() { Ok(response) } else { Err(self.failure(&path, &response)) }
    }

    fn request(&self, call: Call<'_>) -> Request {
        let url = format!("https://{}{}", self.address, call.path);
        let mut request = match call.body {
            Some((media_type, body)) => Request::post(url, media_type, body),
            None => Request::get(url),
        };
        if let Some(peer) = &self.peer {
            request = request.peer(peer.clone());
        }
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        if let Some(rate) = call.bytes_per_s {
            request = request.at_least(rate);
        }
        request.response_bytes_max(call.bytes_max).timeout(call.limit)
    }

    fn failure(&self, path: &str, response: &Response) -> ClientError {
        let media_type = response.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_problem = media_type.is_some_and(|value| value.split(';').next() == Some(PROBLEM_JSON));
        let problem = is_problem.then(|| serde_json::from_slice::<Problem>(&response.body).ok()).flatten();
        match problem {
            Some(problem) if problem.status == response.status.as_u16() => {
                ClientError::Declined { server: self.address.clone(), problem: Box::new(problem) }
            }
            _ => self.status(path, response.status),
        }
    }

    pub(crate) fn status(&self, path: &str, status: StatusCode) -> ClientError {
        ClientError::Status { server: self.address.clone(), path: path.to_owned(), status }
    }

    pub(crate) fn malformed(
        &self,
        path: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> ClientError {
        ClientError::Answer { server: self.address.clone(), path: path.to_owned(), source: source.into() }
    }
}
