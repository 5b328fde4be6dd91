//! Runs: ask for one, look at one, fetch its receipt. Parses and answers; who may do what is decided in `identity` and `admit`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use iog_protocol::api::{ApiErrorCode, ENVELOPE_MEDIA_TYPE, JSON_MEDIA_TYPE, RunStatus, paths};
use iog_protocol::dsse::Content as _;
use iog_protocol::ids::{RequestId, ServiceName};
use iog_protocol::run::{RunAnswer, RunRequest, RunState};
use iog_transport::BodyError;

use super::identified::Identified;
use super::problem::{Named, Refused};
use crate::db::Store;
use crate::journal::{self, StoredRun};
use crate::policy::Caller;
use crate::runs::submit::{Submitted, Submitter};
use crate::runs::under_way::{Stage, UnderWay};

/// How long an answer is held back where the caller does not say (RFC 7240 `wait`).
const WAIT_DEFAULT: Duration = Duration::from_secs(60);
/// How long it is held back at most.
const WAIT_S_MAX: u64 = 300;
/// Percent in one step of the progress that callers see.
const PROGRESS_STEP: u8 = 10;
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The media type of a signed request; nothing else is looked at.
pub(super) struct SignedType;

impl<S: Send + Sync> FromRequestParts<S> for SignedType {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let media_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if media_type.and_then(|value| value.split(';').next()).map(str::trim) == Some(ENVELOPE_MEDIA_TYPE) {
            return Ok(Self);
        }
        let expected = format!("a run request is of type `{ENVELOPE_MEDIA_TYPE}`");
        Err(Refused::new(ApiErrorCode::UnsupportedMediaType, expected))
    }
}

/// The body whole, or a problem document instead of the framework's own text.
pub(super) struct Envelope(Bytes);

impl<S: Send + Sync> FromRequest<S> for Envelope {
    type Rejection = Refused;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refused> {
        let whole = Bytes::from_request(request, &()).await;
        whole.map(Self).map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                let most = RunRequest::ENVELOPE_BYTES_MAX;
                Refused::new(ApiErrorCode::TooLarge, format!("a run request has at most {most} bytes"))
            }
            _ => match BodyError::among(&rejection) {
                Some(no_room @ BodyError::NoRoom) => Refused::new(ApiErrorCode::Busy, no_room.to_string()),
                Some(crumbs @ BodyError::Crumbs) => Refused::new(ApiErrorCode::BadRequest, crumbs.to_string()),
                Some(late) => Refused::new(ApiErrorCode::RequestTimeout, late.to_string()),
                None => Refused::new(ApiErrorCode::BadRequest, "the body could not be read"),
            },
        })
    }
}

pub(super) async fn submit(
    State(submitter): State<Arc<Submitter>>,
    _: SignedType,
    Identified { shown, .. }: Identified,
    headers: HeaderMap,
    Envelope(envelope): Envelope,
) -> Result<Response, Refused> {
    answer(submitter.submit(&shown, &envelope, None, wait(&headers)).await?)
}

pub(super) async fn submit_to_service(
    State(submitter): State<Arc<Submitter>>,
    ServiceNamed(service): ServiceNamed,
    _: SignedType,
    Identified { shown, .. }: Identified,
    headers: HeaderMap,
    Envelope(envelope): Envelope,
) -> Result<Response, Refused> {
    answer(submitter.submit(&shown, &envelope, Some(&service), wait(&headers)).await?)
}

/// The service of a path.
pub(super) struct ServiceNamed(ServiceName);

impl<S: Send + Sync> FromRequestParts<S> for ServiceNamed {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let Named(name) = Named::from_request_parts(parts, state).await?;
        let nothing = |_| Refused::new(ApiErrorCode::UnknownService, "this is not the name of a service");
        name.parse().map(Self).map_err(nothing)
    }
}

fn answer(submitted: Submitted) -> Result<Response, Refused> {
    match submitted {
        Submitted::Answer(answer) => Ok(json(answer)),
        Submitted::UnderWay { id, stage } => accepted(id, stage),
    }
}

pub(super) async fn show(
    State(store): State<Arc<Store>>,
    State(under_way): State<Arc<UnderWay>>,
    Named(id): Named,
    Identified { caller, .. }: Identified,
) -> Result<Response, Refused> {
    let id = parse(&id)?;
    // Asked before the journal: a run leaves the list only when the journal has its answer.
    let stage = under_way.stage(&caller.domain, &id);
    match stored(&store, &caller, &id).await? {
        StoredRun::Answered(answer) => Ok(json(answer)),
        StoredRun::UnderWay => Ok(axum::Json(status(id, stage)).into_response()),
    }
}

pub(super) async fn receipt(
    State(store): State<Arc<Store>>,
    Named(id): Named,
    Identified { caller, .. }: Identified,
) -> Result<Response, Refused> {
    let StoredRun::Answered(answer) = stored(&store, &caller, &parse(&id)?).await? else {
        return Err(Refused::new(ApiErrorCode::UnknownRun, "the run has not ended, so there is no receipt yet"));
    };
    let answer: RunAnswer = serde_json::from_slice(&answer).map_err(|error| {
        tracing::error!(%error, "a stored answer cannot be read");
        Refused::new(ApiErrorCode::Internal, "the stored answer cannot be read")
    })?;
    Ok(axum::Json(answer.receipt).into_response())
}

/// A run of the domain that asks; of other domains' runs nobody learns that they exist.
async fn stored(store: &Store, caller: &Caller, id: &RequestId) -> Result<StoredRun, Refused> {
    journal::stored(store, &caller.domain, id).await?.ok_or_else(unknown)
}

fn parse(id: &str) -> Result<RequestId, Refused> {
    id.parse().map_err(|_| unknown())
}

fn unknown() -> Refused {
    Refused::new(ApiErrorCode::UnknownRun, "this domain has no such run here")
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

fn accepted(id: RequestId, stage: Stage) -> Result<Response, Refused> {
    let location = HeaderValue::from_str(&paths::fill(paths::RUN, id.as_str()))
        .map_err(|_| Refused::new(ApiErrorCode::Internal, "the run has no address"))?;
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], axum::Json(status(id, stage))).into_response())
}

/// A run that has no answer yet. Callers see progress in steps of ten only.
fn status(request_id: RequestId, stage: Stage) -> RunStatus {
    let (state, progress_percent) = match stage {
        Stage::Queued => (RunState::Queued, 0),
        Stage::Running { percent } => (RunState::Running, percent - percent % PROGRESS_STEP),
    };
    RunStatus { request_id, state, progress_percent, outcome: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_status_says_where_a_run_is_in_steps_of_ten() {
        let status = |stage| status(RequestId::from_bytes([1; 16]), stage);
        let told = |stage| (status(stage).state, status(stage).progress_percent);
        assert_eq!(told(Stage::Queued), (RunState::Queued, 0));
        assert_eq!(told(Stage::Running { percent: 9 }), (RunState::Running, 0));
        assert_eq!(told(Stage::Running { percent: 59 }), (RunState::Running, 50));
        assert_eq!(told(Stage::Running { percent: 100 }), (RunState::Running, 100));
    }

    #[test]
    fn waiting_is_bounded() {
        assert_eq!(wait(&headers(PREFER, "respond-async, wait=5")), Duration::from_secs(5));
        assert_eq!(wait(&headers(PREFER, "wait=99999")), Duration::from_secs(WAIT_S_MAX));
        assert_eq!(wait(&headers(PREFER, "wait=x")), WAIT_DEFAULT);
        assert_eq!(wait(&HeaderMap::new()), WAIT_DEFAULT);
    }
}
