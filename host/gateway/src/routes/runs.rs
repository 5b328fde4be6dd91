//! Runs: ask for one, look at one, fetch its receipt. Parses and answers; who may do what is decided in `admit`.

use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use iog_protocol::api::{ApiErrorCode, BODY_BYTES_MAX, ENVELOPE_MEDIA_TYPE, JSON_MEDIA_TYPE, RunStatus, paths};
use iog_protocol::ids::{RequestId, ServiceName};
use iog_protocol::run::{RunAnswer, RunState};
use iog_transport::PeerIdentity;

use super::problem::Named;
use super::{Api, Refused};
use crate::admit::{self, Here, Presented};
use crate::journal::StoredRun;
use crate::policy::Caller;
use crate::runs::Submitted;

/// How long an answer is held back where the caller does not say (RFC 7240 `wait`).
const WAIT_DEFAULT: Duration = Duration::from_secs(60);
/// How long it is held back at most.
const WAIT_S_MAX: u64 = 300;
const PREFER: HeaderName = HeaderName::from_static("prefer");

type Peer = Option<Extension<PeerIdentity>>;

pub(super) async fn submit(State(api): State<Api>, peer: Peer, request: Request) -> Result<Response, Refused> {
    run(&api, peer.as_ref(), None, request).await
}

pub(super) async fn submit_to_service(
    State(api): State<Api>,
    peer: Peer,
    Named(name): Named,
    request: Request,
) -> Result<Response, Refused> {
    let name: ServiceName =
        name.parse().map_err(|_| Refused::new(ApiErrorCode::UnknownService, "this is no name of a service"))?;
    run(&api, peer.as_ref(), Some(&name), request).await
}

/// The body, or a problem document instead of the framework's own text.
async fn whole(request: Request) -> Result<Bytes, Refused> {
    Bytes::from_request(request, &()).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Refused::new(ApiErrorCode::TooLarge, format!("a run request has at most {BODY_BYTES_MAX} bytes"))
        }
        _ => Refused::new(ApiErrorCode::BadRequest, "the body could not be read"),
    })
}

async fn run(
    api: &Api,
    peer: Option<&Extension<PeerIdentity>>,
    service: Option<&ServiceName>,
    request: Request,
) -> Result<Response, Refused> {
    let headers = request.headers().clone();
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if media_type.and_then(|value| value.split(';').next()).map(str::trim) != Some(ENVELOPE_MEDIA_TYPE) {
        let expected = format!("a run request is of type `{ENVELOPE_MEDIA_TYPE}`");
        return Err(Refused::new(ApiErrorCode::UnsupportedMediaType, expected));
    }
    // Strangers do not get to fill the memory: nothing is read of a body before it is known who sends it.
    who(api, peer, &headers)?;
    let body = whole(request).await?;
    let presented = Presented { peer: peer.map(|Extension(peer)| peer), token: bearer(&headers), envelope: &body };
    match api.runs.submit(&presented, service, wait(&headers)).await? {
        Submitted::Answer(answer) => Ok(json(answer)),
        Submitted::UnderWay(id) => accepted(&id),
    }
}

pub(super) async fn show(
    State(api): State<Api>,
    peer: Peer,
    Named(id): Named,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let (_, id, stored) = stored(&api, peer.as_ref(), &headers, &id).await?;
    match stored {
        StoredRun::Answered(answer) => Ok(json(answer)),
        StoredRun::UnderWay { .. } => Ok(axum::Json(under_way(&id)).into_response()),
    }
}

pub(super) async fn receipt(
    State(api): State<Api>,
    peer: Peer,
    Named(id): Named,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let (_, _, stored) = stored(&api, peer.as_ref(), &headers, &id).await?;
    let StoredRun::Answered(answer) = stored else {
        return Err(Refused::new(ApiErrorCode::UnknownRun, "the run has not ended, so there is no receipt yet"));
    };
    let answer: RunAnswer = serde_json::from_slice(&answer).map_err(|error| {
        tracing::error!(%error, "a stored answer cannot be read");
        Refused::new(ApiErrorCode::Internal, "the stored answer cannot be read")
    })?;
    Ok(axum::Json(answer.receipt).into_response())
}

/// A run of the domain that asks; of other domains' runs nobody learns that they exist.
async fn stored(
    api: &Api,
    peer: Option<&Extension<PeerIdentity>>,
    headers: &HeaderMap,
    id: &str,
) -> Result<(Caller, RequestId, StoredRun), Refused> {
    let caller = who(api, peer, headers)?;
    let unknown = || Refused::new(ApiErrorCode::UnknownRun, "this domain has no such run here");
    let id: RequestId = id.parse().map_err(|_| unknown())?;
    let stored = api.runs.stored(&caller.domain, &id).await?.ok_or_else(unknown)?;
    Ok((caller, id, stored))
}

/// Who is at the other end, by certificate, token and registry.
pub(super) fn who(api: &Api, peer: Option<&Extension<PeerIdentity>>, headers: &HeaderMap) -> Result<Caller, Refused> {
    let registry = api.runs.registry.current();
    let here = Here { registry: &registry, domain: &api.runs.domain, now: api.runs.clock.now() };
    Ok(admit::identify(peer.map(|Extension(peer)| peer), bearer(headers), &here)?)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// `Prefer: wait=N`, bounded.
fn wait(headers: &HeaderMap) -> Duration {
    let preferences = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    preferences
        .flat_map(|value| value.split([',', ';']))
        .find_map(|preference| preference.trim().strip_prefix("wait=")?.parse::<u64>().ok())
        .map_or(WAIT_DEFAULT, |seconds| Duration::from_secs(seconds.min(WAIT_S_MAX)))
}

fn json(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(JSON_MEDIA_TYPE))], body).into_response()
}

fn accepted(id: &RequestId) -> Result<Response, Refused> {
    let location = HeaderValue::from_str(&paths::fill(paths::RUN, id.as_str()))
        .map_err(|_| Refused::new(ApiErrorCode::Internal, "the run has no address"))?;
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], axum::Json(under_way(id))).into_response())
}

fn under_way(id: &RequestId) -> RunStatus {
    RunStatus { request_id: id.clone(), state: RunState::Running, progress_percent: 0, outcome: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn only_bearer_tokens_count() {
        assert_eq!(bearer(&headers(header::AUTHORIZATION, "Bearer abc")), Some("abc"));
        assert_eq!(bearer(&headers(header::AUTHORIZATION, "bearer  abc")), Some("abc"));
        assert_eq!(bearer(&headers(header::AUTHORIZATION, "Basic abc")), None);
        assert_eq!(bearer(&headers(header::AUTHORIZATION, "abc")), None);
        assert_eq!(bearer(&HeaderMap::new()), None);
    }

    #[test]
    fn waiting_is_bounded() {
        assert_eq!(wait(&headers(PREFER, "respond-async, wait=5")), Duration::from_secs(5));
        assert_eq!(wait(&headers(PREFER, "wait=99999")), Duration::from_secs(WAIT_S_MAX));
        assert_eq!(wait(&headers(PREFER, "wait=x")), WAIT_DEFAULT);
        assert_eq!(wait(&HeaderMap::new()), WAIT_DEFAULT);
    }
}
