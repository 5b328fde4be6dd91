//! The whole way of a member and of a module through the center, and a restart that loses nothing.

use crate::common::{Member, Module, World, created, json as ok, key, now, refused};
use http::StatusCode;
use iog_protocol::{
    api::{
        ApiErrorCode, CatalogAnswer, CatalogPublished, CertificateAnswer, DomainList, ModuleSubmitted, TokenAnswer,
        paths,
    },
    catalog::{Coverage, DatasetDescription, Descriptor, EntryDescription, ServiceState},
    dsse::Signed,
    ids::{Asn, TrustDomain},
    manifest::{LimitsDecl, ReleaseClass},
    statements::Verdict,
    token::{Expected, verify},
};
use iog_transport::{Identity, PeerIdentity};
use serde_json::json;

pub(crate) fn descriptor(module: &Module, domain: &str, sequence: u64, state: ServiceState) -> Descriptor {
    Descriptor {
        domain: domain.parse().unwrap(),
        service: "packets".parse().unwrap(),
        sequence,
        state,
        module: module.digest(),
        module_name: module.submission.name.clone(),
        module_version: module.submission.version.clone(),
        summary: "Packets to a target, seen from the border".into(),
        entries: vec![EntryDescription {
            name: "packets-to".parse().unwrap(),
            params: json!({"type": "object"}),
            result: json!({"type": "integer"}),
            wit: "packets-to: func(target: string) -> u64".into(),
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
        limits: LimitsDecl { fuel: 1_000_000, memory_mib: 16, wall_s: 10, result_kib: 1 },
        issued: now(),
        expires: now().plus_days(7),
    }
}

pub(crate) async fn publish(world: &World, member: &Member, descriptor: &Descriptor) -> iog_transport::Response {
    let signed = Signed::sign(descriptor, &[&member.caller]).unwrap();
    member.post(world, paths::CATALOG, "application/vnd.dsse+json", signed.to_bytes()).await
}

async fn found(world: &World, query: &str) -> usize {
    ok::<CatalogAnswer>(&world.get(&format!("{}?{query}", paths::CATALOG)).await).descriptors.len()
}

async fn a_token_is_bound_to_the_certificate(world: &World, member: &Member) {
    let token: TokenAnswer = ok(&member.token(world).await);
    let leaf: PeerIdentity = member.http.tls().leaf().unwrap();
    let trust_domain: TrustDomain = "net.example".parse().unwrap();
    let expected = Expected {
        issuer: "spiffe://net.example/center",
        audience: &trust_domain,
        now: now(),
        cert_sha256: &leaf.leaf_sha256,
    };
    let claims = verify(&token.access_token, &world.registry().await.keyset().token, &expected).unwrap();
    assert_eq!(claims.domain().unwrap().as_str(), "as1");
    assert_eq!((token.expires_in, token.token_type.as_str()), (12 * 3600, "Bearer"));
}

async fn a_module_is_approved_by_two_organisations(world: &World) -> Module {
    let module = Module::load("hello");
    let submitted: ModuleSubmitted = created(&module.submit(world).await);
    assert_eq!(submitted.digest, module.digest());
    let detail = world.module(&module.digest()).await;
    assert_eq!((&detail["state"], &detail["needed"]), (&json!("submitted"), &json!(2)));
    assert_eq!(module.approve(world, 11).await.approval_index, None);
    // Alice's colleague is of the same organisation and adds nothing.
    assert_eq!(module.approve(world, 13).await.approval_index, None);
    let completed = module.approve(world, 12).await;
    assert_eq!(completed.approval_index, Some(completed.index + 1));
    assert_eq!(world.module(&module.digest()).await["state"], "approved");
    let effective = world.registry().await.effective(&module.digest(), now()).unwrap();
    assert_eq!(Some(effective.approval_index), completed.approval_index);
    let wasm = world.get(&paths::fill(paths::BLOB, &module.digest().to_string())).await;
    assert_eq!(wasm.body, module.wasm);
    module
}

#[tokio::test]
async fn from_enrollment_to_catalog_and_through_a_restart() {
    let mut world = World::new().await;

    // A domain enrolls; it waits until the root co-signs.
    let member = world.enroll("as1", 31).await;
    let domains: DomainList = ok(&world.get(paths::DOMAINS).await);
    assert!(domains.in_force.is_empty());
    assert_eq!(domains.pending.len(), 1);
    let early = member.token(&world).await;
    assert_eq!(early.status, StatusCode::BAD_REQUEST);
    assert!(String::from_utf8_lossy(&early.body).contains("unauthorized_client"));

    // Each root holder signs a copy of the waiting statement; the center joins the signatures.
    let waiting = iog_protocol::dsse::Envelope::parse(&domains.pending[0].statement.0).unwrap();
    let cosign = |seed: u8| {
        let mut copy = waiting.clone();
        copy.add_signature(&key(seed));
        copy.to_json()
    };
    let first = world.post(paths::STATEMENTS, cosign(crate::common::ROOTS[0])).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    let second = world.post(paths::STATEMENTS, cosign(crate::common::ROOTS[1])).await;
    assert_eq!(created::<iog_protocol::api::StatementAccepted>(&second).index, 1);
    let domains: DomainList = ok(&world.get(paths::DOMAINS).await);
    assert_eq!((domains.in_force.len(), domains.pending.len()), (1, 0));

    // The next one is admitted by that member's signature: another organisation.
    let other = world.enroll("as2", 33).await;
    let mut copy = other.envelope.clone();
    copy.add_signature(&key(31));
    created::<iog_protocol::api::StatementAccepted>(&world.post(paths::STATEMENTS, copy.to_json()).await);

    a_token_is_bound_to_the_certificate(&world, &member).await;
    let module = a_module_is_approved_by_two_organisations(&world).await;

    // A service, in the catalog.
    let offered = descriptor(&module, "as1", 1, ServiceState::Published);
    created::<CatalogPublished>(&publish(&world, &member, &offered).await);
    assert_eq!(found(&world, "module=iog/hello").await, 1);
    assert_eq!(found(&world, "asn=64500&schema=flow/1&q=BORDER+packets").await, 1);
    assert_eq!(found(&world, "asn=64501").await, 0);
    refused(&publish(&world, &member, &offered).await, ApiErrorCode::StaleSequence);

    // Another start: the same log, the same answers.
    let entries = world.entries().await;
    world.stop().await;
    world.start().await;
    assert_eq!(world.entries().await, entries);
    assert_eq!(found(&world, "module=iog/hello").await, 1);
    assert_eq!(world.module(&module.digest()).await["state"], "approved");
    ok::<TokenAnswer>(&member.token(&world).await);
    let gone = descriptor(&module, "as1", 2, ServiceState::Withdrawn);
    created::<CatalogPublished>(&publish(&world, &member, &gone).await);
    assert_eq!(found(&world, "").await, 0);
    refused(&publish(&world, &member, &offered).await, ApiErrorCode::StaleSequence);
}

#[tokio::test]
async fn a_certificate_is_renewed_over_the_old_one_with_the_same_names() {
    let world = World::new().await;
    let member = world.member("as1", 31).await;
    let new_key = iog_transport::ca::new_key_pem().unwrap();
    let csr = iog_transport::ca::csr_pem(&new_key).unwrap();
    let body = crate::renewal::body(&csr, &crate::renewal::order(&member.id, &csr), &[&member.caller]);
    let answer = member.post(&world, paths::CERTIFICATES, "application/json", body.clone()).await;
    let answer: CertificateAnswer = created(&answer);
    let renewed = Identity::from_pem(&answer.certificate_chain, &new_key).unwrap();
    assert_eq!(renewed.leaf().spiffe.as_deref(), Some("spiffe://net.example/domain/as1"));
    assert_eq!(renewed.leaf().not_after, answer.expires.unix());
    assert!(answer.expires > now().plus_hours(71));
    member.http.tls().rotate_identity(Some(renewed));
    ok::<TokenAnswer>(&member.token(&world).await);
    refused(&world.post(paths::CERTIFICATES, body).await, ApiErrorCode::CertificateRequired);
    let garbage = crate::renewal::body("x", &crate::renewal::order(&member.id, "x"), &[&member.caller]);
    let garbage = member.post(&world, paths::CERTIFICATES, "application/json", garbage).await;
    refused(&garbage, ApiErrorCode::CertificateRequestInvalid);
}

#[tokio::test]
async fn reviews_that_reject_or_stop_are_shown() {
    let world = World::new().await;
    let module = Module::load("hello");
    created::<ModuleSubmitted>(&module.submit(&world).await);
    let reject = module.review(&world, Verdict::Reject);
    created::<iog_protocol::api::StatementAccepted>(&world.statement(&reject, &[11]).await);
    let detail = world.module(&module.digest()).await;
    assert_eq!(detail["state"], "rejected");
    assert!(detail["reason"].as_str().unwrap().contains("0 organisations approve, 2 must"), "{detail}");
    assert!(detail.to_string().contains(r#""verdict":"reject""#), "{detail}");
}

#[tokio::test]
async fn the_catalog_takes_a_domains_own_words_only() {
    let world = World::new().await;
    let (one, two) = (world.member("as1", 31).await, world.member("as2", 33).await);
    let waiting = world.enroll("as3", 35).await;
    let module = Module::load("hello");
    let good = descriptor(&module, "as1", 1, ServiceState::Published);
    refused(&publish(&world, &one, &good).await, ApiErrorCode::UnknownModule);
    created::<ModuleSubmitted>(&module.submit(&world).await);

    refused(&publish(&world, &two, &good).await, ApiErrorCode::IdentityMismatch);
    let by_two = Signed::sign(&good, &[&two.caller]).unwrap().to_bytes();
    let envelope = "application/vnd.dsse+json";
    let foreign_signature = one.post(&world, paths::CATALOG, envelope, by_two.clone()).await;
    refused(&foreign_signature, ApiErrorCode::SignatureInvalid);
    refused(&world.post(paths::CATALOG, by_two).await, ApiErrorCode::CertificateRequired);
    let early = descriptor(&module, "as3", 1, ServiceState::Published);
    refused(&publish(&world, &waiting, &early).await, ApiErrorCode::NotAMember);
    let old = Descriptor { issued: now().plus_days(-9), expires: now().plus_days(-2), ..good.clone() };
    refused(&publish(&world, &one, &old).await, ApiErrorCode::DescriptorInvalid);
    let renamed = Descriptor { module_name: "iog/other".parse().unwrap(), ..good.clone() };
    refused(&publish(&world, &one, &renamed).await, ApiErrorCode::DescriptorInvalid);
    assert_eq!(found(&world, "").await, 0);
    created::<CatalogPublished>(&publish(&world, &one, &good).await);
    assert_eq!(found(&world, "").await, 1);

    // When the domain is suspended its services are not shown.
    let revocation = iog_protocol::statements::Revocation {
        severity: iog_protocol::statements::RevocationSeverity::Suspend,
        target: iog_protocol::statements::Target::Domain("as1".parse().unwrap()),
        reason_code: "test".into(),
        reason: "test".into(),
        until: None,
        issued: now(),
    };
    let revocation = iog_protocol::statements::Statement::new(&world.registry_id, revocation);
    created::<iog_protocol::api::StatementAccepted>(&world.statement(&revocation, &[11]).await);
    assert_eq!(found(&world, "").await, 0);
    let token = one.token(&world).await;
    assert!(String::from_utf8_lossy(&token.body).contains("unauthorized_client"));
    ok::<TokenAnswer>(&two.token(&world).await);
}
