//! What was accepted and what came of it. A request id of a caller is taken once, for ever: this file answers whether a
//! request is new, known, under way or another one of the same id. It decides nothing and signs nothing.

use iog_protocol::dsse::{Content as _, Envelope};
use iog_protocol::ids::{Digest, DomainId, EntryName, RequestId, ServiceName};
use iog_protocol::run::RunRequest;
use iog_protocol::time::Timestamp;

use crate::db::ledger;
use crate::db::runs::{self, Accepted, Known, RunKey, Unanswered};
use crate::db::{self, Store, StoreError};
use crate::policy::Used;
use crate::quotas::{self, Target};

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
}

/// What a stored run looks like to its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredRun {
    /// Accepted, no answer yet.
    UnderWay,
    /// Answered with these bytes.
    Answered(Vec<u8>),
}

impl NewRun {
    fn key(&self) -> RunKey<'_> {
        RunKey { caller: &self.caller, request_id: &self.request_id }
    }

    fn service_text(&self) -> &str {
        self.service.as_ref().map_or("", ServiceName::as_str)
    }

    fn accepted(&self) -> Accepted<'_> {
        Accepted {
            key: self.key(),
            request_digest: &self.request_digest,
            service: self.service_text(),
            module: &self.module,
            entry: &self.entry,
            accepted_at: self.accepted_at,
            envelope: &self.envelope,
        }
    }
}

/// Takes a request in and reserves what it uses up, in one durable transaction, or says what is known of its id.
///
/// # Errors
/// [`StoreError`]: nothing was recorded, the request was not accepted.
pub async fn begin(store: &Store, run: &NewRun) -> Result<Begin, StoreError> {
    let mut write = store.write().await?;
    if let Some(known) = runs::find(&mut *write, run.key()).await? {
        return Ok(what_is_known(known, run));
    }
    let (service, target, now) = (run.service_text(), run.target.as_ref(), run.accepted_at);
    let used = quotas::used(&mut write, &run.caller, service, target, now).await?;
    runs::insert(&mut write, &run.accepted()).await?;
    ledger::reserve(&mut write, run.key(), service, now, &quotas::entries(target)).await?;
    write.commit().await?;
    Ok(Begin::New(used))
}

/// What is known of a request's id, without taking it in.
///
/// # Errors
/// [`StoreError`].
pub async fn look(store: &Store, run: &NewRun) -> Result<Option<Begin>, StoreError> {
    let known = runs::find(store.readers(), run.key()).await?;
    Ok(known.map(|known| what_is_known(known, run)))
}

fn what_is_known(known: Known, run: &NewRun) -> Begin {
    if known.request_digest != run.request_digest {
        return Begin::OtherRequest;
    }
    known.answer.map_or(Begin::InFlight, Begin::Answered)
}

/// Every accepted request without a receipt, oldest first; after a crash these are the ones that were cut off.
///
/// # Errors
/// [`StoreError`].
pub async fn unfinished(store: &Store) -> Result<Vec<Unfinished>, StoreError> {
    runs::unanswered(store.readers()).await?.into_iter().map(cut_off).collect()
}

fn cut_off(run: Unanswered) -> Result<Unfinished, StoreError> {
    let envelope = Envelope::parse_bounded(&run.envelope, RunRequest::ENVELOPE_BYTES_MAX).map_err(db::damaged)?;
    Ok(Unfinished {
        request_digest: run.request_digest,
        request: serde_json::from_slice(envelope.payload()).map_err(db::damaged)?,
    })
}

/// What is known of one caller's request.
///
/// # Errors
/// [`StoreError`].
pub async fn stored(store: &Store, caller: &DomainId, id: &RequestId) -> Result<Option<StoredRun>, StoreError> {
    let known = runs::find(store.readers(), RunKey { caller, request_id: id }).await?;
    Ok(known.map(|known| known.answer.map_or(StoredRun::UnderWay, StoredRun::Answered)))
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
            params: serde_json::json!({}).into(),
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
        let mut write = store.write().await.unwrap();
        runs::answer(&mut write, run.key(), 0, body).await.unwrap();
        write.commit().await.unwrap();
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
        let mut write = store.write().await.unwrap();
        ledger::close(&mut write, run(4, 0).key(), ledger::Spent::Nothing).await.unwrap();
        write.commit().await.unwrap();
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
