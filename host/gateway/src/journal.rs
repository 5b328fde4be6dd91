//! What was accepted and what came of it. A request id of a caller is taken once, for ever: this file answers whether a
//! request is new, known, under way or another one of the same id. It decides nothing and signs nothing.

use iog_protocol::dsse::{Content as _, Envelope};
use iog_protocol::ids::{Digest, DomainId, EntryName, RequestId, ServiceName};
use iog_protocol::run::RunRequest;
use iog_protocol::time::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{Any, Executor, Row, Transaction};

use crate::policy::Used;
use crate::store::{Store, StoreError};

/// Seconds of the hourly quota.
const HOUR_S: i64 = 3_600;
/// Seconds of the daily quotas.
const DAY_S: i64 = 86_400;

/// A request that is to be accepted.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Who asks.
    pub caller: DomainId,
    /// The caller's name for the request.
    pub request_id: RequestId,
    /// The signed request, kept so that the provider can show who asked for what.
    pub envelope: Vec<u8>,
    /// The digest of the signed request.
    pub request_digest: Digest,
    /// The service, where one could be told.
    pub service: Option<ServiceName>,
    /// The module asked for.
    pub module: Digest,
    /// The entry asked for.
    pub entry: EntryName,
    /// When it came.
    pub accepted_at: Timestamp,
    /// The parameter whose distinct values the service's policy counts, with this request's value.
    pub target: Option<Target>,
}

/// A counted parameter with its value.
#[derive(Debug, Clone)]
pub struct Target {
    /// The parameter's name.
    pub parameter: String,
    /// The digest of the value's canonical text, by which distinct values are counted.
    pub value: Digest,
}

/// What the journal says to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// It is new and now recorded; what the caller used before it.
    New(Used),
    /// It was answered before, with these bytes.
    Answered(Vec<u8>),
    /// It is under way.
    InFlight,
    /// Another request of this caller has the id.
    OtherRequest,
}

/// A request that has no receipt yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The digest of the signed request.
    pub request_digest: Digest,
    /// What was asked; its signature was verified when it was accepted.
    pub request: RunRequest,
    /// The service, where one could be told.
    pub service: Option<ServiceName>,
}

/// What a stored run looks like to its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredRun {
    /// Accepted, no answer yet.
    UnderWay {
        /// When it came.
        accepted_at: Timestamp,
    },
    /// Answered with these bytes.
    Answered(Vec<u8>),
}

/// Takes a request in, in one durable transaction, or says what is known of its id.
///
/// # Errors
/// [`StoreError`]: nothing was recorded, the request was not accepted.
pub async fn begin(store: &Store, run: &NewRun) -> Result<Begin, StoreError> {
    let mut transaction = store.writer().begin_with("BEGIN IMMEDIATE").await?;
    if let Some(known) = known(&mut *transaction, run).await? {
        return Ok(known);
    }
    let used = used(&mut transaction, run).await?;
    insert(&mut transaction, run).await?;
    transaction.commit().await?;
    Ok(Begin::New(used))
}

/// What is known of a request's id, without taking it in.
///
/// # Errors
/// [`StoreError`].
pub async fn look(store: &Store, run: &NewRun) -> Result<Option<Begin>, StoreError> {
    known(store.readers(), run).await
}

async fn known<'e>(database: impl Executor<'e, Database = Any>, run: &NewRun) -> Result<Option<Begin>, StoreError> {
    let row = sqlx::query("SELECT request_digest, answer FROM runs WHERE caller = $1 AND request_id = $2")
        .bind(run.caller.as_str())
        .bind(run.request_id.as_str())
        .fetch_optional(database)
        .await?;
    let Some(row) = row else { return Ok(None) };
    if row.try_get::<String, _>(0)? != run.request_digest.to_string() {
        return Ok(Some(Begin::OtherRequest));
    }
    Ok(Some(row.try_get::<Option<Vec<u8>>, _>(1)?.map_or(Begin::InFlight, Begin::Answered)))
}

async fn used(transaction: &mut Transaction<'_, Any>, run: &NewRun) -> Result<Used, StoreError> {
    let (hour, day) = runs_of(&mut **transaction, &run.caller, service_text(run), run.accepted_at).await?;
    let other_targets = match &run.target {
        None => 0,
        Some(target) => other_targets(transaction, run, target).await?,
    };
    Ok(Used { runs_last_hour: hour, runs_last_day: day, other_targets_last_day: other_targets })
}

/// Runs of a caller at a service in the last hour and in the last day.
///
/// # Errors
/// [`StoreError`].
pub async fn used_by(
    store: &Store,
    caller: &DomainId,
    service: &ServiceName,
    now: Timestamp,
) -> Result<(u64, u64), StoreError> {
    runs_of(store.readers(), caller, service.as_str(), now).await
}

async fn runs_of<'e>(
    database: impl Executor<'e, Database = Any>,
    caller: &DomainId,
    service: &str,
    now: Timestamp,
) -> Result<(u64, u64), StoreError> {
    let row = sqlx::query(
        "SELECT coalesce(sum(CASE WHEN accepted_at > $3 THEN 1 ELSE 0 END), 0), count(*) FROM runs
         WHERE caller = $1 AND service = $2 AND counted = 1 AND accepted_at > $4",
    )
    .bind(caller.as_str())
    .bind(service)
    .bind(now.unix() - HOUR_S)
    .bind(now.unix() - DAY_S)
    .fetch_one(database)
    .await?;
    Ok((count(row.try_get(0)?), count(row.try_get(1)?)))
}

async fn other_targets(
    transaction: &mut Transaction<'_, Any>,
    run: &NewRun,
    target: &Target,
) -> Result<u64, StoreError> {
    let others: i64 = sqlx::query_scalar(
        "SELECT count(DISTINCT value) FROM targets
         WHERE caller = $1 AND service = $2 AND parameter = $3 AND value <> $4 AND asked_at > $5",
    )
    .bind(run.caller.as_str())
    .bind(service_text(run))
    .bind(target.parameter.as_str())
    .bind(target.value.to_string())
    .bind(run.accepted_at.unix() - DAY_S)
    .fetch_one(&mut **transaction)
    .await?;
    Ok(count(others))
}

async fn insert(transaction: &mut Transaction<'_, Any>, run: &NewRun) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO runs (caller, request_id, request_digest, service, module, entry, accepted_at, envelope, counted)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1)",
    )
    .bind(run.caller.as_str())
    .bind(run.request_id.as_str())
    .bind(run.request_digest.to_string())
    .bind(service_text(run))
    .bind(run.module.to_string())
    .bind(run.entry.as_str())
    .bind(run.accepted_at.unix())
    .bind(run.envelope.clone())
    .execute(&mut **transaction)
    .await?;
    let Some(target) = &run.target else { return Ok(()) };
    sqlx::query(
        "INSERT INTO targets (caller, request_id, service, parameter, value, asked_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(run.caller.as_str())
    .bind(run.request_id.as_str())
    .bind(service_text(run))
    .bind(target.parameter.as_str())
    .bind(target.value.to_string())
    .bind(run.accepted_at.unix())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Records that a request was refused: it no longer counts against quotas. Part of the answer's transaction.
///
/// # Errors
/// [`StoreError`].
pub async fn uncount(
    transaction: &mut Transaction<'_, Any>,
    caller: &DomainId,
    id: &RequestId,
) -> Result<(), StoreError> {
    for statement in [
        "UPDATE runs SET counted = 0 WHERE caller = $1 AND request_id = $2",
        "DELETE FROM targets WHERE caller = $1 AND request_id = $2",
    ] {
        sqlx::query(statement).bind(caller.as_str()).bind(id.as_str()).execute(&mut **transaction).await?;
    }
    Ok(())
}

/// Every accepted request without a receipt, oldest first; after a crash these are the ones that were cut off.
///
/// # Errors
/// [`StoreError`].
pub async fn unfinished(store: &Store) -> Result<Vec<Unfinished>, StoreError> {
    let rows = sqlx::query(
        "SELECT request_digest, service, envelope FROM runs
         WHERE answer IS NULL ORDER BY accepted_at, caller, request_id",
    )
    .fetch_all(store.readers())
    .await?;
    rows.iter().map(cut_off).collect()
}

fn cut_off(row: &AnyRow) -> Result<Unfinished, StoreError> {
    let digest: String = row.try_get(0)?;
    let service: String = row.try_get(1)?;
    let envelope: Vec<u8> = row.try_get(2)?;
    let envelope = Envelope::parse_bounded(&envelope, RunRequest::ENVELOPE_BYTES_MAX).map_err(decode)?;
    Ok(Unfinished {
        request_digest: digest.parse().map_err(decode)?,
        request: serde_json::from_slice(envelope.payload()).map_err(decode)?,
        service: service.parse().ok(),
    })
}

fn decode(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    sqlx::Error::Decode(Box::new(error)).into()
}

/// What is known of one caller's request.
///
/// # Errors
/// [`StoreError`].
pub async fn stored(store: &Store, caller: &DomainId, id: &RequestId) -> Result<Option<StoredRun>, StoreError> {
    let row = sqlx::query("SELECT accepted_at, answer FROM runs WHERE caller = $1 AND request_id = $2")
        .bind(caller.as_str())
        .bind(id.as_str())
        .fetch_optional(store.readers())
        .await?;
    let Some(row) = row else { return Ok(None) };
    let accepted_at = Timestamp::from_unix(row.try_get(0)?);
    let answer = row.try_get::<Option<Vec<u8>>, _>(1)?;
    Ok(Some(answer.map_or(StoredRun::UnderWay { accepted_at }, StoredRun::Answered)))
}

fn service_text(run: &NewRun) -> &str {
    run.service.as_ref().map_or("", ServiceName::as_str)
}

fn count(found: i64) -> u64 {
    u64::try_from(found).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use iog_protocol::dsse::Signed;
    use iog_protocol::keys::SecretKey;

    fn run(id: u8, at: i64) -> NewRun {
        let request = RunRequest {
            request_id: RequestId::from_bytes([id; 16]),
            audience: "gateway".parse().unwrap(),
            caller: "caller".parse().unwrap(),
            module: Digest::of(b"module"),
            entry: "trace".parse().unwrap(),
            params: serde_json::json!({}),
            purpose: "test".into(),
            service: None,
            actor: None,
            agreement: None,
            issued: Timestamp::from_unix(at),
            expires: Timestamp::from_unix(at + 60),
        };
        let signed = Signed::sign(&request, &[&SecretKey::from_seed([1; 32])]).unwrap();
        NewRun {
            caller: request.caller.clone(),
            request_id: request.request_id.clone(),
            envelope: signed.to_bytes(),
            request_digest: signed.digest(),
            service: Some("trace".parse().unwrap()),
            module: Digest::of(b"module"),
            entry: "trace".parse().unwrap(),
            accepted_at: Timestamp::from_unix(at),
            target: None,
        }
    }

    fn about(mut run: NewRun, value: &str) -> NewRun {
        run.target = Some(Target { parameter: "target".into(), value: Digest::of(value.as_bytes()) });
        run
    }

    async fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("journal.sqlite")).await.unwrap();
        (folder, store)
    }

    async fn answer(store: &Store, run: &NewRun, body: &[u8]) {
        sqlx::query("UPDATE runs SET answer = $1 WHERE request_id = $2")
            .bind(body.to_vec())
            .bind(run.request_id.as_str())
            .execute(store.writer())
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn an_id_is_taken_once_and_says_what_became_of_it() {
        let (_folder, store) = store().await;
        let first = run(1, 1_000);
        assert_eq!(begin(&store, &first).await.unwrap(), Begin::New(Used::default()));
        assert_eq!(begin(&store, &first).await.unwrap(), Begin::InFlight);
        let mut other = first.clone();
        other.request_digest = Digest::of(b"another");
        assert_eq!(begin(&store, &other).await.unwrap(), Begin::OtherRequest);
        answer(&store, &first, b"the answer").await;
        assert_eq!(begin(&store, &first).await.unwrap(), Begin::Answered(b"the answer".to_vec()));
        assert_eq!(begin(&store, &other).await.unwrap(), Begin::OtherRequest);
        let mut stranger = first.clone();
        stranger.caller = "stranger".parse().unwrap();
        assert_eq!(begin(&store, &stranger).await.unwrap(), Begin::New(Used::default()), "ids are each caller's own");
    }

    #[tokio::test]
    async fn a_crash_leaves_exactly_the_unanswered_requests() {
        let (folder, store) = store().await;
        for id in 1..=3 {
            begin(&store, &run(id, 1_000 + i64::from(id))).await.unwrap();
        }
        answer(&store, &run(2, 0), b"done").await;
        drop(store);
        let store = Store::open(&folder.path().join("journal.sqlite")).await.unwrap();
        let ids: Vec<_> = unfinished(&store).await.unwrap().into_iter().map(|u| u.request.request_id).collect();
        assert_eq!(ids, [run(1, 0).request_id, run(3, 0).request_id]);
        assert_eq!(begin(&store, &run(1, 1_001)).await.unwrap(), Begin::InFlight);
    }

    #[tokio::test]
    async fn quotas_count_what_is_young_enough_and_was_not_refused() {
        let (_folder, store) = store().await;
        for (id, at) in [(1, 0), (2, 50_000), (3, 86_000)] {
            begin(&store, &run(id, at)).await.unwrap();
        }
        let used = |hour, day| Begin::New(Used { runs_last_hour: hour, runs_last_day: day, other_targets_last_day: 0 });
        assert_eq!(begin(&store, &run(4, 86_400)).await.unwrap(), used(1, 2), "a run 86,400 s ago is out");
        let mut transaction = store.writer().begin().await.unwrap();
        uncount(&mut transaction, &run(4, 0).caller, &run(4, 0).request_id).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(begin(&store, &run(5, 86_400)).await.unwrap(), used(1, 2));
    }

    #[tokio::test]
    async fn a_target_asked_about_before_is_not_another_target() {
        let (_folder, store) = store().await;
        let mut others = Vec::new();
        for (id, value) in [(1, "a"), (2, "b"), (3, "a"), (4, "c")] {
            let Begin::New(used) = begin(&store, &about(run(id, 1_000), value)).await.unwrap() else { panic!() };
            others.push(used.other_targets_last_day);
        }
        assert_eq!(others, [0, 1, 1, 2]);
    }

    #[tokio::test]
    async fn racing_requests_each_see_the_ones_before() {
        let (_folder, store) = store().await;
        let store = std::sync::Arc::new(store);
        let tasks: Vec<_> = (0..20)
            .map(|id| {
                let store = std::sync::Arc::clone(&store);
                tokio::spawn(async move { begin(&store, &run(id, 1_000)).await.unwrap() })
            })
            .collect();
        let mut seen = Vec::new();
        for task in tasks {
            let Begin::New(used) = task.await.unwrap() else { panic!() };
            seen.push(used.runs_last_hour);
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..20).collect::<Vec<_>>());
    }
}
