//! What the center refuses, and that nothing of it reaches the log.

use std::sync::Arc;

use crate::common::{Member, Module, World, created, json, key, now, refused, signed};
use http::{Method, StatusCode};
use iog_center::{Center, CenterError, InviteOptions, init, sign_genesis_in};
use iog_machine::SystemClock;
use iog_protocol::{
    api::{ApiErrorCode, Health, ModuleSubmission, ModuleSubmitted, paths},
    enroll::JoinToken,
    statements::{Keyset, Revocation, RevocationSeverity, Statement, Submission, Target, Verdict},
};
use iog_transport::{ClientTls, HttpClient, Identity, Request, Response, TransportError};

async fn size(world: &World) -> u64 {
    json::<Health>(&world.get(paths::HEALTH).await).log_size
}

async fn enroll(world: &World, body: Vec<u8>) -> Response {
    world.post(paths::ENROLL, body).await
}

fn request(member: &Member, token: &JoinToken) -> Vec<u8> {
    serde_json::to_vec(&member.request(token)).unwrap()
}

#[tokio::test]
async fn join_tokens_admit_once_and_only_their_own_domain() {
    let world = World::new().await;
    let token = world.invite("as1").await;
    let member = Member::new(&world, &token, 31);
    // Another domain, organisation, AS number or secret than the token's.
    let other = Member::new(&world, &JoinToken { domain: "as2".parse().unwrap(), ..token.clone() }, 31);
    refused(&enroll(&world, request(&other, &token)).await, ApiErrorCode::StatementInvalid);
    let other = Member::new(&world, &JoinToken { organisation: "x".parse().unwrap(), ..token.clone() }, 31);
    refused(&enroll(&world, request(&other, &token)).await, ApiErrorCode::StatementInvalid);
    let other = Member::new(&world, &JoinToken { asns: vec![iog_protocol::ids::Asn(1)], ..token.clone() }, 31);
    refused(&enroll(&world, request(&other, &token)).await, ApiErrorCode::StatementInvalid);
    let forged = JoinToken { secret: iog_protocol::enroll::JoinSecret::from_bytes([7; 32]), ..token.clone() };
    refused(&enroll(&world, request(&member, &forged)).await, ApiErrorCode::JoinTokenInvalid);
    // A statement signed by another key than the one it names.
    let mut stranger = Member::new(&world, &token, 31);
    let statement = iog_protocol::statements::parse_payload(stranger.envelope.payload()).unwrap();
    stranger.envelope = signed(&statement, &[40]);
    refused(&enroll(&world, request(&stranger, &token)).await, ApiErrorCode::SignatureInvalid);
    // What is not a certificate request does not use the token up.
    let mut bad = member.request(&token);
    bad.csr_pem = "none".into();
    refused(&enroll(&world, serde_json::to_vec(&bad).unwrap()).await, ApiErrorCode::CertificateRequestInvalid);

    let twice = [request(&member, &token), request(&member, &token)];
    let [a, b] = twice.map(|body| enroll(&world, body));
    let (a, b) = tokio::join!(a, b);
    let admitted = [&a, &b].iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    assert_eq!(admitted, 1, "{a:?} {b:?}");
    refused(&enroll(&world, request(&member, &token)).await, ApiErrorCode::JoinTokenInvalid);
    assert_eq!(size(&world).await, 1);
    // Only the hash of the secret is stored.
    let secret = serde_json::to_value(&token.secret).unwrap();
    for file in ["center.db", "center.db-wal"] {
        let bytes = std::fs::read(world.path(file)).unwrap_or_default();
        let text = secret.as_str().unwrap().as_bytes();
        assert!(!bytes.windows(text.len()).any(|window| window == text), "{file}");
    }
}

#[tokio::test]
async fn invitations_have_bounds() {
    let world = World::new().await;
    let good = InviteOptions {
        domain: "as1".parse().unwrap(),
        organisation: "x".parse().unwrap(),
        names: vec!["localhost".into()],
        asns: vec![],
        hours: 1,
    };
    for bad in [
        InviteOptions { hours: 0, ..good.clone() },
        InviteOptions { hours: 721, ..good.clone() },
        InviteOptions { names: vec!["*.example".into()], ..good.clone() },
        InviteOptions { names: vec!["a".into(); 33], ..good.clone() },
    ] {
        let answer = iog_center::invite(&world.config, &bad, now()).await;
        assert!(matches!(answer, Err(CenterError::Invitation { .. })), "{bad:?}");
    }
    // One whose hours are over.
    let past = iog_center::invite(&world.config, &good, now().plus_hours(-2)).await.unwrap();
    let member = Member::new(&world, &past, 31);
    refused(&enroll(&world, request(&member, &past)).await, ApiErrorCode::JoinTokenInvalid);
}

/// A submission with one thing changed after or before signing.
async fn tampered(world: &World, change: impl FnOnce(&mut Module, &mut ModuleSubmission)) -> Response {
    let mut module = Module::load("hello");
    let mut body: ModuleSubmission = serde_json::from_slice(&module.body(world, crate::common::PUBLISHER)).unwrap();
    change(&mut module, &mut body);
    world.post(paths::MODULES, serde_json::to_vec(&body).unwrap()).await
}

async fn with_submission(world: &World, seed: u8, change: impl FnOnce(&mut Submission)) -> Response {
    let registry = world.registry_id;
    tampered(world, |module, body| {
        change(&mut module.submission);
        let statement = Statement::submission(&registry, module.submission.clone());
        body.submission = signed(&statement, &[seed]).to_json().into();
    })
    .await
}

#[tokio::test]
async fn modules_that_are_not_what_was_signed_are_refused() {
    use ApiErrorCode as Code;
    let world = World::new().await;
    refused(&tampered(&world, |_, body| body.module.0.push(0)).await, Code::InspectionFailed);
    refused(&tampered(&world, |_, body| body.module.0.truncate(100)).await, Code::InspectionFailed);
    refused(&tampered(&world, |_, body| body.manifest.push('\n')).await, Code::InspectionFailed);
    refused(&tampered(&world, |_, body| body.submission.0.truncate(50)).await, Code::BadEnvelope);
    let publisher = crate::common::PUBLISHER;
    refused(&with_submission(&world, 40, |_| {}).await, Code::SignatureInvalid);
    let foreign = with_submission(&world, publisher, |s| s.name = "other/hello".parse().unwrap()).await;
    refused(&foreign, Code::StatementInvalid);
    let renamed = with_submission(&world, publisher, |s| s.name = "iog/other".parse().unwrap()).await;
    assert!(refused(&renamed, Code::ManifestInvalid).contains("module.name"));
    let version = with_submission(&world, publisher, |s| s.version = "9.0.0".parse().unwrap()).await;
    assert!(refused(&version, Code::ManifestInvalid).contains("module.version"));
    let source = with_submission(&world, publisher, |s| s.source.commit = "1".into()).await;
    assert!(refused(&source, Code::ManifestInvalid).contains("source"));
    // The publisher signs that it reads less than it does.
    let less = with_submission(&world, publisher, |s| s.capabilities.datasets.clear()).await;
    assert!(refused(&less, Code::InspectionFailed).contains("capabilities"));
    let size_lie = with_submission(&world, publisher, |s| s.size += 1).await;
    refused(&size_lie, Code::InspectionFailed);
    assert_eq!(size(&world).await, 1);
}

#[tokio::test]
async fn files_that_are_no_components_are_refused() {
    let world = World::new().await;
    let hello = Module::load("hello");
    let mut core = b"\0asm\x01\0\0\0".to_vec();
    core.extend_from_slice(&[0, 5, 4, b'n', b'a', b'm', b'e']);
    let half = hello.wasm[..hello.wasm.len() / 2].to_vec();
    for wasm in [b"no wasm at all".to_vec(), core, half] {
        let mut module = hello.clone();
        module.submission.module = iog_protocol::ids::Digest::of(&wasm);
        module.submission.size = wasm.len() as u64;
        module.wasm = wasm;
        refused(&module.submit(&world).await, ApiErrorCode::InspectionFailed);
    }
    let mut module = hello.clone();
    module.manifest = module.manifest.replace("SELECT packets", "SELECT *");
    module.submission.manifest = iog_protocol::ids::Digest::of(module.manifest.as_bytes());
    refused(&module.submit(&world).await, ApiErrorCode::InspectionFailed);
    let mut module = hello;
    module.manifest = module.manifest.replace("[limits]", "[limitz]");
    module.submission.manifest = iog_protocol::ids::Digest::of(module.manifest.as_bytes());
    refused(&module.submit(&world).await, ApiErrorCode::ManifestInvalid);
    assert_eq!(size(&world).await, 1);
}

#[tokio::test]
async fn over_large_bodies_are_refused() {
    let mut world = World::new().await;
    world.stop().await;
    world.config.limits.module_bytes_max = 10_000;
    world.start().await;
    assert!(refused(&Module::load("hello").submit(&world).await, ApiErrorCode::TooLarge).contains("10000"));
    let huge = world.post(paths::MODULES, vec![b' '; 400_000]).await;
    refused(&huge, ApiErrorCode::TooLarge);
    for path in [paths::STATEMENTS, paths::ENROLL] {
        let answer = world.post(path, vec![b' '; 600_000]).await;
        refused(&answer, ApiErrorCode::TooLarge);
    }
}

#[tokio::test]
async fn statements_by_the_wrong_keys_or_at_the_wrong_door_are_refused() {
    use ApiErrorCode as Code;
    let world = World::new().await;
    let module = Module::load("hello");
    let review = module.review(&world, Verdict::Approve);
    refused(&world.statement(&review, &[11]).await, Code::UnknownModule);
    created::<ModuleSubmitted>(&module.submit(&world).await);
    refused(&module.submit(&world).await, Code::AlreadyExists);
    refused(&world.statement(&review, &[40]).await, Code::SignatureInvalid);
    refused(&world.statement(&review, &[crate::common::PUBLISHER]).await, Code::SignatureInvalid);
    refused(&world.statement(&review, &[11, 12]).await, Code::SignatureInvalid);
    refused(&world.post(paths::STATEMENTS, b"{}".to_vec()).await, Code::BadEnvelope);
    let mut spaced = signed(&review, &[11]).to_json();
    spaced.push(b' ');
    refused(&world.post(paths::STATEMENTS, spaced).await, Code::BadEnvelope);
    let other_registry = Statement { subjects: Vec::new(), ..review.clone() };
    refused(&world.statement(&other_registry, &[11]).await, Code::BadEnvelope);

    let submission = Statement::submission(&world.registry_id, module.submission.clone());
    refused(&world.statement(&submission, &[crate::common::PUBLISHER]).await, Code::StatementInvalid);
    let registry = world.registry().await;
    let keyset = Keyset { version: 2, ..registry.keyset().clone() };
    let keyset = Statement::new(&world.registry_id, keyset);
    refused(&world.statement(&keyset, &[1]).await, Code::SignatureInvalid);
    let revocation = Revocation {
        severity: RevocationSeverity::Revoke,
        target: Target::Module(module.digest()),
        reason_code: "vulnerability".into(),
        reason: "test".into(),
        until: None,
        issued: now(),
    };
    let revocation = Statement::about(&world.registry_id, module.subject(), revocation);
    refused(&world.statement(&revocation, &[40]).await, Code::SignatureInvalid);
    assert_eq!(size(&world).await, 2);
    // The same statement by the root.
    created::<iog_protocol::api::StatementAccepted>(&world.statement(&revocation, &[1, 2]).await);
    created::<iog_protocol::api::StatementAccepted>(&world.statement(&keyset, &[1, 2]).await);
}

#[tokio::test]
async fn a_waiting_domain_is_not_replaced_or_spoiled_by_strangers() {
    let world = World::new().await;
    let member = world.enroll("as1", 31).await;
    // A statement about the same domain with the stranger's keys, over an anonymous connection.
    let token = JoinToken { ..world.invite("as1").await };
    let stranger = Member::new(&world, &token, 35);
    refused(&world.post(paths::STATEMENTS, stranger.envelope.to_json()).await, ApiErrorCode::SignatureInvalid);
    // A signature of somebody unknown on the right statement.
    let mut spoiled = member.envelope.clone();
    spoiled.add_signature(&key(99));
    refused(&world.post(paths::STATEMENTS, spoiled.to_json()).await, ApiErrorCode::SignatureInvalid);
    let mut good = member.envelope.clone();
    good.add_signature(&key(1));
    good.add_signature(&key(2));
    let answer = world.post(paths::STATEMENTS, good.to_json()).await;
    created::<iog_protocol::api::StatementAccepted>(&answer);
    refused(&world.post(paths::STATEMENTS, good.to_json()).await, ApiErrorCode::StaleSequence);
}

#[tokio::test]
async fn tokens_need_a_members_certificate_and_a_proper_form() {
    let world = World::new().await;
    let member = world.member("as1", 31).await;
    let form = "application/x-www-form-urlencoded";
    let good = b"grant_type=client_credentials".to_vec();
    let anonymous = world.public.send(Request::post(world.url(paths::TOKEN), form, good.clone())).await.unwrap();
    let error = |answer: &Response| -> String {
        let value: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer.headers["cache-control"], "no-store");
        format!("{} {}", answer.status.as_u16(), value["error"].as_str().unwrap())
    };
    assert_eq!(error(&anonymous), "401 invalid_client");
    let bodies: [(&[u8], &str); 4] = [
        (b"grant_type=password", "400 unsupported_grant_type"),
        (b"", "400 invalid_request"),
        (b"grant_type=client_credentials&client_id=as2", "401 invalid_client"),
        (b"grant_type=client_credentials&grant_type=client_credentials", "400 invalid_request"),
    ];
    for (body, expected) in bodies {
        assert_eq!(error(&member.post(&world, paths::TOKEN, form, body.to_vec()).await), expected);
    }
    let as_json = member.post(&world, paths::TOKEN, "application/json", good).await;
    assert_eq!(error(&as_json), "400 invalid_request");
}

#[tokio::test]
async fn foreign_and_expired_certificates_do_not_get_in() {
    let world = World::new().await;
    let ca_pem = std::fs::read_to_string(world.path("ca.pem")).unwrap();
    let names =
        iog_transport::ca::SubjectNames { spiffe_uri: "spiffe://net.example/domain/as1".into(), ..Default::default() };
    let connect = |identity: Identity| {
        HttpClient::new(Arc::new(ClientTls::new(&ca_pem, Some(identity), Arc::new(SystemClock)).unwrap()))
    };
    let at = now().unix();
    let foreign = iog_transport::ca::Ca::create("net.example", iog_transport::ca::Validity::authority(at)).unwrap();
    let issued = foreign.issue_with_new_key(&names, iog_transport::ca::Validity::leaf(at)).unwrap();
    let forged = connect(Identity::from_pem(&issued.chain_pem, &issued.key_pem).unwrap());
    let answer = forged.send(Request::get(world.url(paths::HEALTH))).await;
    assert!(matches!(answer, Err(TransportError::Tls { .. } | TransportError::Http { .. })), "{answer:?}");

    let key_pem = std::fs::read_to_string(world.path("keys/ca.pem")).unwrap();
    let own = iog_transport::ca::Ca::load(&ca_pem, &key_pem).unwrap();
    let validity = iog_transport::ca::Validity { not_before: at - 100, not_after: at - 1 };
    let issued = own.issue_with_new_key(&names, validity).unwrap();
    let expired = connect(Identity::from_pem(&issued.chain_pem, &issued.key_pem).unwrap());
    let answer = expired.send(Request::get(world.url(paths::HEALTH))).await;
    assert!(matches!(&answer, Err(TransportError::Tls { reason, .. }) if reason.contains("Expired")), "{answer:?}");
}

#[tokio::test]
async fn unknown_paths_methods_and_names_have_problems_too() {
    let world = World::new().await;
    refused(&world.get("/nothing").await, ApiErrorCode::NotFound);
    refused(&world.get("/v1/blobs/sha256:zz").await, ApiErrorCode::BadRequest);
    let absent = iog_protocol::ids::Digest::of(b"absent").to_string();
    refused(&world.get(&format!("/v1/blobs/{absent}")).await, ApiErrorCode::NotFound);
    refused(&world.get(&format!("/v1/modules/{absent}")).await, ApiErrorCode::UnknownModule);
    refused(&world.get("/v1/catalog?price=1").await, ApiErrorCode::BadRequest);
    refused(&world.get("/log/tile/0/001").await, ApiErrorCode::NotFound);
    refused(&world.get("/log/tile/entries/000").await, ApiErrorCode::NotFound);
    refused(&world.get("/log/tile/../keys/log.pem").await, ApiErrorCode::NotFound);
    let delete = world.public.send(Request::new(Method::DELETE, world.url(paths::MODULES))).await.unwrap();
    refused(&delete, ApiErrorCode::MethodNotAllowed);
}

#[tokio::test]
async fn an_unsigned_or_foreign_setup_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let made = init(dir.path(), &crate::common::options(), now()).unwrap();
    let config = iog_center::CenterConfig::load(&made.config).unwrap();
    let open = || Center::open(config.clone(), Arc::new(SystemClock));
    let reason = |result: Result<Center, CenterError>| match result {
        Err(CenterError::Genesis { reason, .. }) => reason,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it opened"),
    };
    assert!(reason(open().await).contains("no root holder"));
    assert!(matches!(sign_genesis_in(&config, &key(50)), Err(CenterError::Init { .. })));
    sign_genesis_in(&config, &key(1)).unwrap();
    assert!(reason(open().await).contains("needs 2 signatures"));
    sign_genesis_in(&config, &key(2)).unwrap();
    assert!(matches!(sign_genesis_in(&config, &key(3)), Err(CenterError::Init { .. })));
    drop(open().await.unwrap());
    // Again over the same folder.
    assert!(matches!(init(dir.path(), &crate::common::options(), now()), Err(CenterError::AlreadyInitialised { .. })));
    // Another approval key than the genesis names, and a key others may read.
    let path = dir.path().join("keys/approval.pem");
    let pem = key(77).to_pkcs8_pem().unwrap();
    iog_machine::files::replace(&path, pem.as_bytes(), iog_machine::files::Readers::Owner).unwrap();
    assert!(matches!(open().await, Err(CenterError::ForeignKey { role: "approval" })));
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let exposed = open().await;
    assert!(matches!(exposed, Err(CenterError::Transport(TransportError::KeyExposed { .. }))));
    for name in ["log", "approval", "token", "ca"] {
        assert!(dir.path().join(format!("keys/{name}.pem")).exists());
    }
}

#[tokio::test]
async fn every_door_that_changes_something_refuses_strangers_with_nothing_in_their_hands() {
    let world = World::new().await;
    for (path, code) in [
        (paths::MODULES, ApiErrorCode::BadRequest),
        (paths::STATEMENTS, ApiErrorCode::BadEnvelope),
        (paths::ENROLL, ApiErrorCode::BadRequest),
        (paths::CERTIFICATES, ApiErrorCode::CertificateRequired),
        (paths::CATALOG, ApiErrorCode::CertificateRequired),
    ] {
        refused(&world.post(path, b"{}".to_vec()).await, code);
    }
    assert_eq!(world.post(paths::TOKEN, Vec::new()).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(size(&world).await, 1);
}

#[tokio::test]
async fn a_flood_is_told_to_come_back() {
    let mut world = World::new().await;
    world.stop().await;
    world.config.limits.requests_at_once = 1;
    world.start().await;
    let body = Module::load("top-talkers").body(&world, crate::common::PUBLISHER);
    // Whoever is known by a signature needs none of the places that others have.
    let (submitted, ()) = tokio::join!(world.post(paths::MODULES, body), async {
        for _ in 0..50 {
            refused(&world.post(paths::STATEMENTS, b"{}".to_vec()).await, ApiErrorCode::BadEnvelope);
            assert_eq!(world.get(paths::DOMAINS).await.status, StatusCode::OK);
        }
    });
    assert_eq!(submitted.status, StatusCode::CREATED, "{submitted:?}");
    // The others have one place, and one of two at once is told to come back.
    let mut busy = Vec::new();
    for _ in 0..200 {
        let ask = || world.post(paths::TOKEN, vec![b' '; 4_000]);
        let answers = tokio::join!(ask(), ask(), ask());
        busy.extend(
            [answers.0, answers.1, answers.2].into_iter().filter(|it| it.status == StatusCode::SERVICE_UNAVAILABLE),
        );
        if let Some(answer) = busy.first() {
            refused(answer, ApiErrorCode::Busy);
            assert!(answer.headers.contains_key("retry-after"));
            break;
        }
    }
    assert!(!busy.is_empty());
}

/// The same file with the length of its first section in five bytes, which is allowed and means the same.
fn padded(wasm: &[u8]) -> Vec<u8> {
    let end = 9 + wasm[9..].iter().position(|byte| byte & 0x80 == 0).unwrap();
    let length = wasm[9..=end].iter().rev().fold(0u32, |n, byte| n << 7 | u32::from(byte & 0x7f));
    let seven = |place: u32| u8::try_from(length >> (7 * place) & 0x7f).unwrap();
    let long = [seven(0) | 0x80, seven(1) | 0x80, seven(2) | 0x80, seven(3) | 0x80, seven(4)];
    [&wasm[..9], &long, &wasm[end + 1..]].concat()
}

#[tokio::test]
async fn other_bytes_that_mean_the_same_are_refused() {
    let world = World::new().await;
    let hello = Module::load("hello");
    let with = |names: &[u8]| {
        let sections: Vec<u8> = names.iter().flat_map(|name| [0, 2, 1, *name]).collect();
        [&hello.wasm[..], &sections].concat()
    };
    let honest = with(b"ab");
    let of = |wasm: Vec<u8>| {
        let mut module = hello.clone();
        module.submission.module = iog_protocol::ids::Digest::of(&honest);
        module.submission.size = wasm.len() as u64;
        module.wasm = wasm;
        module
    };
    for (name, wasm) in [
        ("with a section more", with(b"abc")),
        ("with a length in more bytes", padded(&honest)),
        ("with sections in another order", with(b"ba")),
    ] {
        assert_ne!(wasm, honest);
        let limits = iog_inspect::InspectLimits::default();
        iog_inspect::inspect(&wasm, &limits).unwrap_or_else(|error| panic!("{name} it is as good: {error}"));
        assert!(refused(&of(wasm).submit(&world).await, ApiErrorCode::InspectionFailed).contains("digest"), "{name}");
    }
    assert_eq!(size(&world).await, 1);
    created::<ModuleSubmitted>(&of(honest.clone()).submit(&world).await);
}
