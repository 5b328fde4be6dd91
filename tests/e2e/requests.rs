//! Bad requests at a gateway: each gets its own code, and only what was accepted leaves a receipt.

use std::sync::Arc;

use iog_client::RunReply;
use iog_client::gateway::believe;
use iog_protocol::api::{ApiErrorCode, ENVELOPE_MEDIA_TYPE, JSON_MEDIA_TYPE};
use iog_protocol::dsse::Envelope;
use iog_protocol::ids::Digest;
use iog_protocol::run::{Outcome, RunRequest};
use iog_protocol::token::{TokenClaims, issue};
use iog_transport::ca::{Ca, SubjectNames, Validity};
use iog_transport::{ClientTls, HttpClient, Identity, Request};
use serde_json::json;

use crate::harness::caller::{Caller, fresh_id, problem, refused, sign_with, through};
use crate::harness::evil::StolenKeys;
use crate::harness::net::{ASKER, Net, PROVIDER};
use crate::harness::play;
use crate::harness::settings::{TALKERS, TRACEBACK, traceback};

/// Another member that only asks.
const OTHER: &str = "other";

async fn stage() -> (Net, Digest) {
    let mut net = Net::of(&[PROVIDER], &[ASKER, OTHER]).await;
    let module = net.publish(&TRACEBACK).await;
    net.start(PROVIDER, &traceback()).await;
    (net, module)
}

/// Entries of the provider's receipt log.
fn receipts(net: &Net) -> u64 {
    net.receipts(PROVIDER)
}

fn leaf(http: &HttpClient) -> [u8; 32] {
    http.tls().leaf().expect("it shows a certificate").leaf_sha256
}

#[test]
fn tokens_that_do_not_hold() {
    play(async {
        let (net, module) = stage().await;
        let caller = Caller::of(&net, ASKER).await;
        let other = Caller::of(&net, OTHER).await;
        let keys = StolenKeys::of(&net, caller.home.trust_domain());
        let good = keys.claims(&caller.domain(), &leaf(&caller.http), net.now());
        let signed = |claims: TokenClaims| issue(&claims, &keys.token).expect("it can be signed");
        let later = |by_s: i64| TokenClaims {
            iat: good.iat + by_s,
            nbf: good.nbf + by_s,
            exp: good.exp + by_s,
            ..good.clone()
        };
        let mut halves = caller.token.split('.');
        let (_, payload) = (halves.next(), halves.next().expect("a token has three parts"));
        let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{payload}.");
        let of_other = keys.claims(&other.domain(), &leaf(&caller.http), net.now());
        let table = [
            ("none", None, 401, ApiErrorCode::TokenRequired),
            ("empty", Some(String::new()), 401, ApiErrorCode::TokenInvalid),
            ("nonsense", Some("a.b.c".to_owned()), 401, ApiErrorCode::TokenInvalid),
            ("too long", Some("a".repeat(5000)), 401, ApiErrorCode::TokenInvalid),
            ("algorithm none", Some(unsigned), 401, ApiErrorCode::TokenInvalid),
            ("expired", Some(signed(later(-7200))), 401, ApiErrorCode::TokenExpired),
            ("from the future", Some(signed(later(7200))), 401, ApiErrorCode::TokenInvalid),
            (
                "for another network",
                Some(signed(TokenClaims { aud: "other.test".into(), ..good.clone() })),
                401,
                ApiErrorCode::TokenInvalid,
            ),
            (
                "by another center",
                Some(signed(TokenClaims { iss: "spiffe://other.test/center".into(), ..good.clone() })),
                401,
                ApiErrorCode::TokenInvalid,
            ),
            (
                "signed by the caller itself",
                Some(issue(&good, &caller.key).expect("signed")),
                401,
                ApiErrorCode::TokenInvalid,
            ),
            ("signed by the log key", Some(issue(&good, &keys.log).expect("signed")), 401, ApiErrorCode::TokenInvalid),
            ("of another certificate", Some(other.token.clone()), 401, ApiErrorCode::TokenInvalid),
            ("of another domain", Some(signed(of_other)), 403, ApiErrorCode::IdentityMismatch),
        ];
        let address = net.address(PROVIDER);
        for (name, token, status, code) in table {
            let body = caller.sign(caller.ask(PROVIDER, module)).envelope.to_bytes();
            let response = caller.post(address, token.as_deref(), body).await;
            assert_eq!(problem(&response), (status, code), "token {name}");
        }
        assert_eq!(receipts(&net), 0, "nothing was accepted");
        let outcome = caller.outcome(address, caller.ask(PROVIDER, module)).await.expect("the good token");
        assert_eq!(outcome, Outcome::Succeeded);
        assert_eq!(receipts(&net), 1);
        net.close().await;
    });
}

#[test]
fn certificates_and_keys_of_others() {
    play(async {
        let (net, module) = stage().await;
        let caller = Caller::of(&net, ASKER).await;
        let other = Caller::of(&net, OTHER).await;
        let address = net.address(PROVIDER);
        let keys = StolenKeys::of(&net, caller.home.trust_domain());
        let bare = HttpClient::new(Arc::new(ClientTls::new(&keys.ca_pem, None, net.clock.clone()).expect("roots")));
        let foreign =
            SubjectNames { spiffe_uri: format!("spiffe://other.test/domain/{ASKER}"), ..SubjectNames::default() };
        let foreign = keys.ca.issue_with_new_key(&foreign, Validity::leaf(net.now().unix())).expect("it signs");
        let foreign = keys.client(Identity::from_pem(&foreign.chain_pem, &foreign.key_pem).expect("good"));
        let ghost = keys.client(keys.identity("ghost", Validity::leaf(net.now().unix())));
        let ghost_token = keys.token(&"ghost".parse().expect("an id"), &leaf(&ghost), net.now());

        let ask = || caller.ask(PROVIDER, module);
        let own = |request: RunRequest| sign_with(request, &caller.key);
        let token = caller.token.clone();
        let named_other = own(RunRequest { caller: other.domain(), ..ask() });
        let table = [
            ("no certificate", &bare, &token, own(ask()), ApiErrorCode::CertificateRequired),
            ("a certificate of another network", &foreign, &token, own(ask()), ApiErrorCode::CertificateRequired),
            ("a certificate of nobody", &ghost, &ghost_token, own(ask()), ApiErrorCode::NotAMember),
            ("another domain's certificate", &other.http, &token, own(ask()), ApiErrorCode::TokenInvalid),
            (
                "another domain's certificate and token",
                &other.http,
                &other.token,
                own(ask()),
                ApiErrorCode::SignatureInvalid,
            ),
            (
                "another domain's key",
                &caller.http,
                &token,
                sign_with(ask(), &other.key),
                ApiErrorCode::SignatureInvalid,
            ),
            ("another domain as the caller", &caller.http, &token, named_other, ApiErrorCode::IdentityMismatch),
        ];
        for (name, http, token, run, code) in table {
            let attempt = Caller { http: http.clone(), token: token.clone(), ..caller.clone() };
            assert_eq!(attempt.answer(address, &run).await.expect_err(name), code, "{name}");
        }

        // A certificate of an authority that is not the center's does not get through the handshake.
        let forged = Ca::create("demo.invalid", Validity::authority(net.now().unix())).expect("anybody can be one");
        let names =
            SubjectNames { spiffe_uri: format!("spiffe://demo.invalid/domain/{ASKER}"), ..SubjectNames::default() };
        let forged = forged.issue_with_new_key(&names, Validity::leaf(net.now().unix())).expect("it signs");
        let forged = keys.client(Identity::from_pem(&forged.chain_pem, &forged.key_pem).expect("well formed"));
        let attempt = Caller { http: forged, ..caller.clone() };
        let error = attempt.gateway(address).run(&own(ask()), &token, 5).await.expect_err("no handshake");
        assert_eq!(error.code(), None, "{error:?}");
        assert_eq!(receipts(&net), 0, "nothing was accepted");
        net.close().await;
    });
}

#[test]
fn a_certificate_that_expires() {
    play(async {
        let (net, module) = stage().await;
        let caller = Caller::of(&net, ASKER).await;
        let keys = StolenKeys::of(&net, caller.home.trust_domain());
        let start = net.now().unix();
        let short = keys.identity(ASKER, Validity { not_before: start - 60, not_after: start + 3 });
        let token = keys.token(&caller.domain(), &short.leaf().leaf_sha256, net.now());
        let fresh = || Caller { http: keys.client(short.clone()), token: token.clone(), ..caller.clone() };

        let outcome = fresh().outcome(net.address(PROVIDER), caller.ask(PROVIDER, module)).await.expect("in time");
        assert_eq!(outcome, Outcome::Succeeded);
        net.clock.advance(4);
        let run = caller.sign(caller.ask(PROVIDER, module));
        let late = fresh();
        let error = late.gateway(net.address(PROVIDER)).run(&run, &token, 5).await.expect_err("too late");
        assert_eq!(error.code(), None, "the handshake fails: {error:?}");
        assert_eq!(receipts(&net), 1);
        net.close().await;
    });
}

#[test]
fn requests_that_are_not_accepted() {
    play(async {
        let (net, module) = stage().await;
        let caller = Caller::of(&net, ASKER).await;
        let address = net.address(PROVIDER);
        let ask = || caller.ask(PROVIDER, module);
        let moved = |issued_s: i64, expires_s: i64| {
            let request = ask();
            let (issued, expires) = (request.issued.plus_seconds(issued_s), request.issued.plus_seconds(expires_s));
            RunRequest { issued, expires, ..request }
        };
        let table = [
            (
                "for another gateway",
                RunRequest { audience: "as64999".parse().expect("an id"), ..ask() },
                ApiErrorCode::WrongAudience,
            ),
            ("expired", moved(-600, -300), ApiErrorCode::RequestExpired),
            ("from the future", moved(300, 600), ApiErrorCode::RequestExpired),
            ("good for too long", moved(0, 601), ApiErrorCode::RequestExpired),
            ("good for hours", moved(0, 7200), ApiErrorCode::BadRequest),
            ("good for no time", moved(0, 0), ApiErrorCode::BadRequest),
            ("without a purpose", RunRequest { purpose: " ".to_owned(), ..ask() }, ApiErrorCode::BadRequest),
            (
                "with a purpose of two lines",
                RunRequest { purpose: "a\nb".to_owned(), ..ask() },
                ApiErrorCode::BadRequest,
            ),
            (
                "with parameters in a list",
                RunRequest { params: json!(["203.0.113.10"]).into(), ..ask() },
                ApiErrorCode::BadRequest,
            ),
        ];
        for (name, request, code) in table {
            assert_eq!(caller.outcome(address, request).await.expect_err(name), code, "{name}");
        }
        let run = caller.sign(through("ip-traceback", ask()));
        let elsewhere = Request::post(
            format!("https://{address}/v1/services/top-talkers/runs"),
            ENVELOPE_MEDIA_TYPE,
            run.envelope.to_bytes(),
        );
        let bearer = http::HeaderValue::from_str(&format!("Bearer {}", caller.token)).expect("a header");
        let elsewhere = elsewhere.header(http::header::AUTHORIZATION, bearer);
        let response = caller.http.send(elsewhere).await.expect("an answer");
        assert_eq!(problem(&response), (400, ApiErrorCode::BadRequest), "path and request name different services");
        assert_eq!(receipts(&net), 0, "nothing was accepted");
        net.close().await;
    });
}

#[test]
fn bodies_that_are_no_signed_request() {
    play(async {
        let (net, module) = stage().await;
        let caller = Caller::of(&net, ASKER).await;
        let address = net.address(PROVIDER);
        let good = caller.sign(caller.ask(PROVIDER, module)).envelope.to_bytes();
        let envelope = Envelope::parse(&good).expect("it is one");
        let mut payload = envelope.payload().to_vec();
        let digit = payload.iter().position(|byte| *byte == b'2').expect("an address has one");
        payload[digit] = b'3';
        let tampered: serde_json::Value = serde_json::from_slice(&good).expect("JSON");
        let with = |member: &str, value: serde_json::Value| {
            let mut changed = tampered.clone();
            changed[member] = value;
            changed.to_string().into_bytes()
        };
        let unsigned = Envelope::new(envelope.payload_type(), envelope.payload().to_vec()).to_json();
        let mut changed = Envelope::new(envelope.payload_type(), payload);
        changed.add_signature(&iog_protocol::keys::SecretKey::from_seed([1; 32]));
        let mut moved: serde_json::Value = serde_json::from_slice(&changed.to_json()).expect("JSON");
        moved["signatures"] = tampered["signatures"].clone();
        let table = [
            ("nothing", Vec::new(), 400, ApiErrorCode::BadEnvelope),
            ("no JSON", b"run this".to_vec(), 400, ApiErrorCode::BadEnvelope),
            ("cut off", good[..good.len() / 2].to_vec(), 400, ApiErrorCode::BadEnvelope),
            ("without signature", unsigned, 400, ApiErrorCode::BadEnvelope),
            (
                "of another type",
                with("payloadType", json!("application/vnd.in-toto+json")),
                400,
                ApiErrorCode::BadEnvelope,
            ),
            (
                "with other content under the signature",
                moved.to_string().into_bytes(),
                401,
                ApiErrorCode::SignatureInvalid,
            ),
            ("too large", vec![b' '; 600 * 1024], 413, ApiErrorCode::TooLarge),
        ];
        for (name, body, status, code) in table {
            let response = caller.post(address, Some(&caller.token), body).await;
            assert_eq!(problem(&response), (status, code), "a body {name}");
        }
        let plain = Request::post(format!("https://{address}/v1/runs"), JSON_MEDIA_TYPE, good);
        let response = caller.http.send(plain).await.expect("an answer");
        assert_eq!(problem(&response), (415, ApiErrorCode::UnsupportedMediaType));
        assert_eq!(receipts(&net), 0, "nothing was accepted");
        net.close().await;
    });
}

#[test]
fn accepted_requests_that_may_not_run_end_in_one_receipt_each() {
    play(async {
        let mut net = Net::of(&[PROVIDER], &[ASKER]).await;
        let module = net.publish(&TRACEBACK).await;
        let talkers = net.publish(&TALKERS).await;
        net.start(PROVIDER, &traceback()).await;
        let caller = Caller::of(&net, ASKER).await;
        let ask = |entry: &str, params| caller.ask_for(PROVIDER, module, entry, params);
        let target = || json!({"target": "203.0.113.10"});
        let table = [
            ("a service that is not there", through("nothing", ask("trace", target())), "unknown-service"),
            ("a module that no service runs", caller.ask(PROVIDER, talkers), "unknown-service"),
            (
                "a module that nobody submitted",
                through("ip-traceback", caller.ask(PROVIDER, Digest::of(b"?"))),
                "module-not-effective",
            ),
            (
                "another module than the service's",
                through("ip-traceback", caller.ask(PROVIDER, talkers)),
                "unknown-module",
            ),
            ("an entry that is not there", ask("forget", target()), "unknown-entry"),
            ("the merge, which is the caller's", ask("merge", json!({"parts": []})), "unknown-entry"),
            ("a parameter missing", ask("trace", json!({})), "bad-params"),
            ("a parameter of another type", ask("trace", json!({"target": 7})), "bad-params"),
            ("a parameter too many", ask("trace", json!({"target": "203.0.113.10", "who": "me"})), "bad-params"),
            ("a number out of range", ask("trace", json!({"target": "203.0.113.10", "start-us": 1e300})), "bad-params"),
        ];
        let count = table.len() as u64;
        for (name, request, code) in table {
            let believed =
                caller.run(net.address(PROVIDER), request).await.unwrap_or_else(|code| panic!("{name}: {code}"));
            assert_eq!(refused(&believed.answer().outcome), code, "{name}");
            assert!(believed.answer().result.is_none() && believed.receipt().result_digest.is_none(), "{name}");
        }
        assert_eq!(receipts(&net), count, "one receipt each");

        // What the analysis itself cannot read is its own answer.
        let believed =
            caller.run(net.address(PROVIDER), ask("trace", json!({"target": "nowhere"}))).await.expect("it runs");
        assert_eq!(believed.answer().outcome, Outcome::Succeeded);
        let result = believed.answer().result.as_ref().expect("a result").to_value().expect("JSON");
        assert!(result["err"].is_string(), "{result}");
        net.close().await;
    });
}

#[test]
fn a_repeated_request_gets_the_stored_answer() {
    play(async {
        let (net, module) = stage().await;
        let caller = Caller::of(&net, ASKER).await;
        let other = Caller::of(&net, OTHER).await;
        let address = net.address(PROVIDER);
        let run = caller.sign(caller.ask(PROVIDER, module));
        let id = run.request.request_id.clone();
        let first = caller.answer(address, &run).await.expect("an answer");
        assert_eq!(caller.answer(address, &run).await.expect("an answer"), first, "the same answer and receipt");
        assert_eq!(receipts(&net), 1, "it ran once");
        match caller.gateway(address).status(&id, &caller.token).await.expect("it is kept") {
            RunReply::Ended(kept) => assert_eq!(*kept, first),
            RunReply::Running(status) => panic!("{status:?}"),
        }
        let receipt = caller.gateway(address).receipt(&id, &caller.token).await.expect("it is kept");
        assert_eq!(receipt, first.receipt);

        let altered = RunRequest { purpose: "something else".to_owned(), ..run.request.clone() };
        let error = caller.outcome(address, altered).await.expect_err("the id is taken");
        assert_eq!(error, ApiErrorCode::RequestIdReused);

        // Ids are each caller's own: another one may use it, and does not see this answer.
        let error = other.gateway(address).status(&id, &other.token).await.expect_err("not its run");
        assert_eq!(error.code(), Some(ApiErrorCode::UnknownRun));
        let theirs = other.sign(RunRequest { request_id: id, ..other.ask(PROVIDER, module) });
        let answer = other.answer(address, &theirs).await.expect("an answer");
        let log = other.log_of(&theirs.request.audience);
        assert_eq!(believe(answer, &theirs, &log).expect("it holds").receipt().caller, other.domain());
        let error = caller.gateway(address).status(&fresh_id(), &caller.token).await.expect_err("no such run");
        assert_eq!(error.code(), Some(ApiErrorCode::UnknownRun));
        assert_eq!(receipts(&net), 2);
        net.close().await;
    });
}

#[test]
fn the_same_request_many_times_at_once_runs_once() {
    play(async {
        let (net, module) = stage().await;
        let caller = Caller::of(&net, ASKER).await;
        let address = net.address(PROVIDER);
        let run = caller.sign(caller.ask(PROVIDER, module));
        let answers = futures::future::join_all((0..8).map(|_| caller.answer(address, &run))).await;
        let kept = caller.answer(address, &run).await.expect("it has ended");
        for answer in answers {
            match answer {
                Ok(answer) => assert_eq!(answer, kept),
                Err(code) => assert_eq!(code, ApiErrorCode::AlreadyExists, "it is under way"),
            }
        }
        assert_eq!(receipts(&net), 1);
        net.close().await;
    });
}
