//! The center's client: declined and malformed answers, digests, bounds, the catalog, tokens and enrollment.
#![expect(clippy::unwrap_used, reason = "a failed step of a test must panic")]

mod common;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use common::{Log, NOW, Server, authority, chain, clock, domain, genesis, key};
use iog_client::enroll::{NewDomain, enroll};
use iog_client::{CenterClient, ClientError};
use iog_machine::{Clock, ManualClock};
use iog_protocol::api::{ApiErrorCode, Base64Bytes, CatalogAnswer, GenesisAnswer, Problem, paths};
use iog_protocol::catalog::{CatalogQuery, Coverage, DatasetDescription, Descriptor, EntryDescription, ServiceState};
use iog_protocol::dsse::Signed;
use iog_protocol::enroll::{JoinAnswer, JoinRequest, JoinSecret, JoinToken};
use iog_protocol::ids::{Asn, Digest};
use iog_protocol::manifest::{LimitsDecl, ReleaseClass};
use iog_protocol::registry::Registry;
use iog_transport::ca;
use std::sync::Arc;

fn problem(code: ApiErrorCode) -> Response {
    let status = StatusCode::from_u16(code.status()).unwrap();
    let media_type = [(header::CONTENT_TYPE, "application/problem+json; charset=utf-8")];
    (status, media_type, Problem::new(code, "because").to_json()).into_response()
}

async fn center(app: Router) -> (CenterClient, Server) {
    let server = Server::start(app).await;
    (CenterClient::new(server.remote.clone()), server)
}

#[tokio::test]
async fn problems_keep_their_code() {
    let app = Router::new()
        .route(paths::MODULES, get(|| async { problem(ApiErrorCode::NotAMember) }))
        .route(paths::DOMAINS, get(|| async { problem(ApiErrorCode::Busy) }))
        .route(paths::HEALTH, get(|| async { (StatusCode::BAD_GATEWAY, "<html>") }))
        .route(paths::STATEMENTS, post(|| async { "not JSON" }));
    let (center, _server) = center(app).await;
    let error = center.modules().await.unwrap_err();
    assert_eq!((error.code(), error.is_away()), (Some(ApiErrorCode::NotAMember), false));
    let address = center.remote().address();
    assert_eq!(error.to_string(), format!("`{address}` declined: because (not-a-member)"));
    let error = center.domains().await.unwrap_err();
    assert_eq!((error.code(), error.is_away()), (Some(ApiErrorCode::Busy), true));
    let error = center.health().await.unwrap_err();
    assert!(matches!(&error, ClientError::Status { status, .. } if *status == 502) && error.is_away());
    let error = center.post_statement(b"{}".to_vec()).await.unwrap_err();
    assert!(matches!(&error, ClientError::Answer { .. }) && !error.is_away());
    let error = center.post_statement(vec![0; 512 * 1024 + 1]).await.unwrap_err();
    assert!(matches!(error, ClientError::Input { what: "statement", .. }));
}

#[tokio::test]
async fn blobs_and_genesis_are_checked_against_their_digest() {
    let good = Digest::of(b"module");
    let app = Router::new().route(paths::BLOB, get(|Path(_): Path<String>| async { b"module".to_vec() })).route(
        paths::GENESIS,
        get(|| async { Json(GenesisAnswer { entry: b"entry".to_vec().into(), digest: Digest::of(b"pinned") }) }),
    );
    let (center, _server) = center(app).await;
    assert_eq!(center.blob(&good, 6).await.unwrap(), b"module");
    let error = center.blob(&Digest::of(b"other"), 100).await.unwrap_err();
    assert!(matches!(error, ClientError::WrongDigest { .. }), "{error:?}");
    let error = center.blob(&good, 5).await.unwrap_err();
    assert!(matches!(error, ClientError::Transport { .. }), "{error:?}");
    assert_eq!(center.genesis(&Digest::of(b"entry")).await.unwrap(), b"entry");
    // What the center says the digest is does not count.
    let error = center.genesis(&Digest::of(b"pinned")).await.unwrap_err();
    assert!(matches!(error, ClientError::WrongDigest { .. }), "{error:?}");
}

fn descriptor(domain: &str) -> Descriptor {
    Descriptor {
        domain: domain.parse().unwrap(),
        service: "traceback".parse().unwrap(),
        sequence: 1,
        state: ServiceState::Published,
        module: Digest::of(b"module"),
        module_name: "iog/ip-traceback".parse().unwrap(),
        module_version: "1.0.0".parse().unwrap(),
        summary: "Where traffic enters".into(),
        entries: vec![EntryDescription {
            name: "trace".parse().unwrap(),
            params: serde_json::json!({"type": "object"}),
            result: serde_json::json!(true),
            wit: "trace: func();".into(),
        }],
        datasets: vec![DatasetDescription {
            slot: "flows".parse().unwrap(),
            schema: "flow/1".into(),
            class: ReleaseClass::Reviewed,
            rows: None,
            span: None,
        }],
        coverage: Coverage { asns: vec![Asn(64500)], ..Coverage::default() },
        access: "members".into(),
        limits: LimitsDecl::default(),
        issued: NOW,
        expires: NOW.plus_days(7),
    }
}

#[tokio::test]
async fn a_search_gives_only_what_its_domain_signed() {
    let registry = {
        let entry = genesis(None);
        let mut registry = Registry::genesis(&entry, &Digest::of(&entry)).unwrap();
        registry.apply(&domain(&entry, "as64500", 20)).unwrap();
        registry.apply(&domain(&entry, "as64501", 30)).unwrap();
        registry
    };
    let signed = |descriptor: &Descriptor, seed: u8| -> Base64Bytes {
        Signed::sign(descriptor, &[&key(seed)]).unwrap().to_bytes().into()
    };
    let good = descriptor("as64500");
    let sent = vec![
        signed(&good, 20),
        signed(&good, 30),
        signed(&good, 40),
        signed(&descriptor("as64501"), 20),
        signed(&Descriptor { expires: NOW, issued: NOW.plus_days(-1), ..good.clone() }, 20),
        signed(&Descriptor { module_name: "iog/other".parse().unwrap(), ..good.clone() }, 20),
        signed(&Descriptor { state: ServiceState::Withdrawn, ..good.clone() }, 20),
        Base64Bytes(b"junk".to_vec()),
    ];
    let asked = |Query(query): Query<CatalogQuery>, State(sent): State<Vec<Base64Bytes>>| async move {
        assert_eq!(query.module.as_deref(), Some("iog/ip-traceback"));
        assert_eq!(query.q.as_deref(), Some("where & traffic"));
        Json(CatalogAnswer { descriptors: sent })
    };
    let (center, _server) = center(Router::new().route(paths::CATALOG, get(asked)).with_state(sent)).await;
    let query = CatalogQuery {
        module: Some("iog/ip-traceback".into()),
        q: Some("where & traffic".into()),
        ..CatalogQuery::default()
    };
    let found = center.search(&query, &registry, NOW.plus_hours(1)).await.unwrap();
    assert!(found.descriptors.is_empty() && found.refused == 8, "the word `&` occurs nowhere");
    let asked = |State(sent): State<Vec<Base64Bytes>>| async move { Json(CatalogAnswer { descriptors: sent }) };
    let sent = vec![signed(&good, 20), signed(&good, 30), signed(&descriptor("as64501"), 30)];
    let (center, _server) = self::center(Router::new().route(paths::CATALOG, get(asked)).with_state(sent)).await;
    let found = center.search(&CatalogQuery::default(), &registry, NOW.plus_hours(1)).await.unwrap();
    let domains: Vec<_> = found.descriptors.iter().map(|found| found.domain.to_string()).collect();
    assert_eq!((domains, found.refused), (vec!["as64500".to_owned(), "as64501".to_owned()], 1));
}

#[tokio::test]
async fn each_false_descriptor_is_refused() {
    let entry = genesis(None);
    let mut registry = Registry::genesis(&entry, &Digest::of(&entry)).unwrap();
    registry.apply(&domain(&entry, "as64500", 20)).unwrap();
    let check = |descriptor: &Descriptor, seed: u8| {
        let bytes = Signed::sign(descriptor, &[&key(seed)]).unwrap().to_bytes();
        iog_client::center::verify_descriptor(&bytes, &registry, NOW.plus_hours(1)).is_some()
    };
    let good = descriptor("as64500");
    assert!(check(&good, 20));
    assert!(!check(&good, 21), "the receipt key signs no descriptors");
    assert!(!check(&good, 30), "a stranger's key");
    assert!(!check(&descriptor("as64501"), 20), "another domain's service");
    assert!(
        !check(&Descriptor { issued: NOW.plus_days(-2), expires: NOW.plus_days(-1), ..good.clone() }, 20),
        "expired"
    );
    let mut bytes = Signed::sign(&good, &[&key(20)]).unwrap().to_bytes();
    let at = bytes.len() / 3;
    bytes[at] ^= 1;
    assert!(iog_client::center::verify_descriptor(&bytes, &registry, NOW.plus_hours(1)).is_none());
}

fn join_token(server: &Server, log: &Log, pin: [u8; 32]) -> JoinToken {
    JoinToken {
        domain: "as64500".parse().unwrap(),
        organisation: "isp-a".parse().unwrap(),
        names: vec!["localhost".into()],
        asns: vec![Asn(64500)],
        center: server.addr.to_string(),
        expires: NOW,
        secret: JoinSecret::from_bytes([7; 32]),
        center_spki_sha256: Digest::from_bytes(pin),
        log_key: log.log_key().to_string(),
        genesis: log.pins().genesis,
    }
}

#[tokio::test]
async fn enrollment_trusts_only_the_pinned_center_and_its_own_key() {
    let log = Log::new(3);
    let ca = authority();
    let signer = Arc::clone(&ca);
    let answer = move |Json(request): Json<JoinRequest>| async move {
        assert_eq!(request.secret.hash(), JoinSecret::from_bytes([7; 32]).hash());
        let bytes = base64::engine::general_purpose::STANDARD.decode(&request.statement).unwrap();
        let payload = iog_protocol::dsse::Envelope::parse(&bytes).unwrap().payload().to_vec();
        let (id, csr) = match request.domain.as_str() {
            "other-key" => ("other-key", ca::csr_pem(&ca::new_key_pem().unwrap()).unwrap()),
            "other-name" => ("as1", request.csr_pem),
            id => (id, request.csr_pem.clone()),
        };
        let statement = if id == "other-statement" { Digest::of(b"x") } else { Digest::of(&payload) };
        Json(JoinAnswer {
            certificate_pem: chain(&signer, id, &csr),
            authorities_pem: signer.certificate_pem().to_owned(),
            not_after: NOW.plus_hours(72),
            statement,
            in_force: None,
        })
    };
    let server = Server::start_with(Arc::clone(&ca), Router::new().route(paths::ENROLL, post(answer))).await;
    let (tls_key, statement) = (ca::new_key_pem().unwrap(), domain(&log.entries[0], "as64500", 20));
    let new = NewDomain { tls_key_pem: &tls_key, statement: &statement };
    let good = join_token(&server, &log, ca.spki_sha256());
    let joined = enroll(&good, new, &clock()).await.unwrap();
    assert_eq!((joined.pins, joined.in_force), (log.pins(), None));
    iog_transport::Identity::from_pem(&joined.chain_pem, &tls_key).unwrap();
    let wrong_pin = join_token(&server, &log, [1; 32]);
    let error = enroll(&wrong_pin, new, &clock()).await.unwrap_err();
    assert!(matches!(error, ClientError::Transport { .. }) && !error.is_away(), "{error:?}");
    let later: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW.plus_seconds(1)));
    let error = enroll(&good, new, &later).await.unwrap_err();
    assert!(matches!(error, ClientError::Input { what: "join token", .. }));
    for id in ["other-key", "other-name", "other-statement"] {
        let token = JoinToken { domain: id.parse().unwrap(), ..good.clone() };
        let error = enroll(&token, new, &clock()).await.unwrap_err();
        assert!(matches!(error, ClientError::Answer { .. }), "{id}: {error:?}");
    }
    let error = enroll(&good, NewDomain { statement: b"junk", ..new }, &clock()).await.unwrap_err();
    assert!(matches!(error, ClientError::Input { what: "domain statement", .. }));
}
