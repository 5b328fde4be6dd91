//! The gateway's client: how runs are asked for and answered, and every way in which an answer is not to be believed.
#![expect(clippy::unwrap_used, reason = "a failed step of a test must panic")]

mod common;

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use common::{NOW, Server, domain, genesis, key};
use iog_client::gateway::{BeliefError, SignedRun, believe, receipt_log};
use iog_client::{ClientError, GatewayClient, RunReply};
use iog_protocol::api::{ApiErrorCode, Problem, RunStatus, paths};
use iog_protocol::dsse::Signed;
use iog_protocol::ids::{Digest, RequestId};
use iog_protocol::receipt::{Audience, CallerFields, Cost, ProviderFields, ReceiptDraft, ReceiptView};
use iog_protocol::registry::Registry;
use iog_protocol::run::{Outcome, ResultJson, RunAnswer, RunRequest, RunState};
use iog_tlog::{Checkpoint, InclusionProof, NoteSigner, Tree, VerifierKey, leaf_hash};

const RESULT: &str = r#"{"edges":[1,null]}"#;
type Change = fn(&mut CallerFields);

const LOG: &str = "net.example/receipts/as64500";

fn request() -> RunRequest {
    RunRequest {
        request_id: RequestId::from_bytes([5; 16]),
        audience: "as64500".parse().unwrap(),
        caller: "as64501".parse().unwrap(),
        module: Digest::of(b"module"),
        entry: "trace".parse().unwrap(),
        params: serde_json::json!({}).into(),
        purpose: "test".into(),
        service: None,
        actor: None,
        agreement: None,
        issued: NOW,
        expires: NOW.plus_seconds(60),
    }
}

fn sign(request: RunRequest) -> SignedRun {
    let envelope = Signed::sign(&request, &[&key(30)]).unwrap();
    SignedRun { request, envelope }
}

fn fields(run: &SignedRun) -> CallerFields {
    CallerFields {
        request_id: run.request.request_id.clone(),
        request: run.envelope.digest(),
        caller: run.request.caller.clone(),
        gateway: run.request.audience.clone(),
        service: None,
        module: run.request.module,
        module_log_index: Some(3),
        registry_size: 9,
        entry: run.request.entry.clone(),
        policy: Digest::of(b"policy"),
        release: None,
        outcome: Outcome::Succeeded,
        result_digest: Some(Digest::of(RESULT.as_bytes())),
        engine: "wasmtime 48.0.8".into(),
        cost_table: Digest::of(b"costs"),
        cost: Cost::default(),
        issued: NOW,
    }
}

/// The receipt with these fields, in a log signed by the key of this seed.
fn receipt(caller: CallerFields, seed: u8) -> ReceiptView {
    let provider = ProviderFields {
        cost_exact: Cost::default(),
        snapshots: std::collections::BTreeMap::new(),
        purpose: "test".into(),
        actor: None,
        agreement: None,
        detail: None,
        logs: None,
    };
    let sealed = ReceiptDraft::new(caller, provider).seal(|| [1; 16]).unwrap();
    let leaves = [b"other".to_vec(), sealed.entry().unwrap(), b"more".to_vec()];
    let tree = Tree::from_leaves(leaves.iter().map(|leaf| leaf_hash(leaf)));
    let signer = NoteSigner::ed25519(LOG, key(seed).ed25519()).unwrap();
    let checkpoint = Checkpoint::new(LOG, 3, tree.root()).sign(&signer);
    sealed.view(Audience::Caller, &InclusionProof::new(1, tree.inclusion(1, 3).unwrap(), checkpoint))
}

fn answer(receipt: ReceiptView) -> RunAnswer {
    RunAnswer {
        request_id: request().request_id,
        domain: "as64500".parse().unwrap(),
        outcome: Outcome::Succeeded,
        result: Some(ResultJson::parse(RESULT.into()).unwrap()),
        receipt,
    }
}

/// The key of the gateway's log, from the registry; its domain's keys are 20 and 21.
fn log_key() -> VerifierKey {
    let entry = genesis(None);
    let mut registry = Registry::genesis(&entry, &Digest::of(&entry)).unwrap();
    registry.apply(&domain(&entry, "as64500", 20)).unwrap();
    let record = registry.domain(&"as64500".parse().unwrap(), NOW).unwrap();
    receipt_log(&registry.founding().trust_domain, record).unwrap()
}

#[test]
fn an_answer_is_believed_for_its_receipt() {
    let run = sign(request());
    let believed = believe(answer(receipt(fields(&run), 21)), &run, &log_key()).unwrap();
    assert_eq!(believed.receipt().module_log_index, Some(3));
    assert_eq!(believed.answer().result.as_ref().unwrap().as_str(), RESULT);
}

#[test]
fn answers_that_their_receipt_does_not_carry_are_refused() {
    let run = sign(request());
    let good = answer(receipt(fields(&run), 21));
    let mut other_result = good.clone();
    other_result.result = Some(ResultJson::parse(r#"{"edges":[]}"#.into()).unwrap());
    let lies = [
        answer(receipt(fields(&run), 20)),
        other_result,
        RunAnswer { outcome: Outcome::Cancelled, result: None, ..good.clone() },
        RunAnswer { domain: "as64501".parse().unwrap(), ..good.clone() },
        RunAnswer { request_id: RequestId::from_bytes([6; 16]), ..good },
    ];
    for lie in lies {
        assert!(matches!(believe(lie, &run, &log_key()), Err(BeliefError::Receipt { .. })));
    }
}

#[test]
fn receipts_of_other_requests_are_refused_and_say_where_they_differ() {
    let run = sign(request());
    let cases: [(Change, &str); 5] = [
        (|fields| fields.request = Digest::of(b"another"), "request"),
        (|fields| fields.caller = "as64502".parse().unwrap(), "caller"),
        (|fields| fields.module = Digest::of(b"another"), "module"),
        (|fields| fields.entry = "other".parse().unwrap(), "entry"),
        (|fields| fields.service = Some("traceback".parse().unwrap()), "service"),
    ];
    for (change, expected) in cases {
        let mut changed = fields(&run);
        change(&mut changed);
        match believe(answer(receipt(changed, 21)), &run, &log_key()) {
            Err(BeliefError::OtherRequest { member, .. }) => assert_eq!(member, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn runs_are_asked_for_with_token_and_wait() {
    let status = |state| RunStatus { request_id: request().request_id, state, progress_percent: 10, outcome: None };
    let run = sign(request());
    let sent = run.envelope.to_bytes();
    let ended = serde_json::to_vec(&answer(receipt(fields(&run), 21))).unwrap();
    let polled = ended.clone();
    let app = Router::new()
        .route(
            paths::RUNS,
            post(move |headers: HeaderMap, body: axum::body::Bytes| async move {
                assert_eq!(body, sent);
                assert_eq!(
                    (&headers["authorization"], &headers["content-type"]),
                    (&"Bearer tok".parse().unwrap(), &"application/vnd.dsse+json".parse().unwrap())
                );
                match headers["prefer"].to_str().unwrap() {
                    "wait=0" => (StatusCode::ACCEPTED, Json(status(RunState::Queued))).into_response(),
                    "wait=20" => ended.into_response(),
                    "wait=300" => (
                        StatusCode::FORBIDDEN,
                        [("content-type", "application/problem+json")],
                        Problem::new(ApiErrorCode::PolicyDenied, "no").to_json(),
                    )
                        .into_response(),
                    other => panic!("{other}"),
                }
            }),
        )
        .route(
            paths::SERVICE_RUNS,
            post(|Path(name): Path<String>| async move {
                assert_eq!(name, "traceback");
                let other = RunStatus {
                    request_id: RequestId::from_bytes([9; 16]),
                    state: RunState::Queued,
                    progress_percent: 0,
                    outcome: None,
                };
                (StatusCode::ACCEPTED, Json(other))
            }),
        )
        .route(paths::RUN, get(move |Path(_): Path<String>| async move { polled }))
        .route(paths::LIMITS, get(|| async { vec![b' '; 9 * 1024 * 1024] }));
    let server = Server::start(app).await;
    let gateway = GatewayClient::new(server.remote.clone());
    let reply = gateway.run(&run, "tok", 0).await.unwrap();
    assert!(matches!(reply, RunReply::Running(status) if status.state == RunState::Queued));
    let RunReply::Ended(answer) = gateway.run(&run, "tok", 20).await.unwrap() else { panic!("not ended") };
    believe(*answer, &run, &log_key()).unwrap();
    let error = gateway.run(&run, "tok", 9999).await.unwrap_err();
    assert_eq!(error.code(), Some(ApiErrorCode::PolicyDenied));
    let reply = gateway.status(&run.request.request_id, "tok").await.unwrap();
    assert!(matches!(reply, RunReply::Ended(_)));
    // A status of another request, a token that is not a header, an answer without end.
    let service = sign(RunRequest { service: Some("traceback".parse().unwrap()), ..request() });
    assert!(matches!(gateway.run(&service, "tok", 0).await, Err(ClientError::Answer { .. })));
    assert!(matches!(gateway.limits("a\nb").await, Err(ClientError::Input { what: "token", .. })));
    assert!(matches!(gateway.limits("tok").await, Err(ClientError::Transport { .. })));
}
