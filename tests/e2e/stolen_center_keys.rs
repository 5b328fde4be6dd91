//! The attacker has all of the center's online keys (log, approval, token, certificate authority), its address and its
//! log. It can delay; it cannot run an unapproved module, impersonate a domain, forge a receipt or rewrite history.

use iog_client::gateway::{BeliefError, believe};
use iog_client::{CenterClient, Remote, ReplicaError};
use iog_inspect::{InspectLimits, check, inspect};
use iog_protocol::api::{ApiErrorCode, Base64Bytes, ModuleSubmission};
use iog_protocol::catalog::{CatalogQuery, Descriptor};
use iog_protocol::dsse::Signed;
use iog_protocol::ids::Digest;
use iog_protocol::keys::SecretKey;
use iog_protocol::manifest::Manifest;
use iog_protocol::receipt::{CallerFields, ReceiptError, log_origin};
use iog_protocol::registry::{Fault, Invalid, Registry, modules};
use iog_protocol::renewal::CertificateOrder;
use iog_protocol::run::{Outcome, ResultJson, RunAnswer, RunRequest};
use iog_protocol::statements::{
    Approval, Auditor, DigestSet, Domain, Keyset, PolicyRef, ResourceRef, Review, Scope, Source, Statement, Submission,
    Verdict, VerificationResult, Verifier,
};
use iog_transport::ca::{self, Validity};

use crate::harness::caller::{Caller, declined, fresh_id, problem, refused, sign_with, through};
use crate::harness::evil::{EvilCenter, Extras, StolenKeys, entries, entry};
use crate::harness::evil_gateway::forge;
use crate::harness::net::{ASKER, BEGIN, Net, PROVIDER};
use crate::harness::play;
use crate::harness::settings::{TRACEBACK, hostile, service, traceback};

/// The attacker's own key, which nobody logged.
fn attackers_key() -> SecretKey {
    SecretKey::from_seed([0xee; 32])
}

/// A module that an honest or bribed publisher submitted and nobody reviewed.
async fn submit_unreviewed(net: &Net) -> Digest {
    let (wasm, manifest) = hostile();
    let registry = net.registry().await;
    let body = iog_cli::module::submission(&registry, wasm, &manifest, &net.world.parties.publisher).expect("it fits");
    let link = net.world.link().expect("a link");
    link.center.submit_module(&body).await.expect("the center takes submissions of publishers").digest
}

/// The approval that the stolen key can sign: everything in it is right but the reviews behind it.
fn fake_approval(registry: &Registry, module: &Digest, reviews: Vec<ResourceRef>, key: &SecretKey) -> Vec<u8> {
    let record = registry.module(module).expect("it was submitted");
    let subject = record.subject();
    let approval = Approval {
        verifier: Verifier { id: format!("spiffe://{}/center", registry.founding().trust_domain) },
        time_verified: BEGIN,
        resource_uri: format!("iog:module:{}", subject.name),
        policy: PolicyRef {
            uri: "https://iog.example/rules/1".to_owned(),
            digest: DigestSet(*registry.genesis_digest()),
        },
        input_attestations: reviews,
        verification_result: VerificationResult::Passed,
        verified_levels: vec!["IOG_REVIEWED".to_owned()],
        manifest: record.submission.manifest,
        expires: None,
    };
    let statement = Statement::about(registry.genesis_digest(), subject, approval);
    entry(statement.sign(&[key]).expect("a statement can be signed"))
}

fn fake_review(registry: &Registry, module: &Digest, key: &SecretKey) -> Vec<u8> {
    let record = registry.module(module).expect("it was submitted");
    let review = Review {
        verdict: Verdict::Approve,
        criteria: vec!["iog-safe-to-run".to_owned()],
        scope: Scope::Full,
        manifest: record.submission.manifest,
        findings: Vec::new(),
        closes: Vec::new(),
        issued: BEGIN,
        expires: None,
    };
    let statement = Statement::about(registry.genesis_digest(), record.subject(), review);
    entry(statement.sign(&[key]).expect("a statement can be signed"))
}

/// A keyset in which the attacker is the auditor, signed by all online keys.
fn fake_keyset(registry: &Registry, keys: &StolenKeys) -> Vec<u8> {
    let mut keyset: Keyset = registry.keyset().clone();
    keyset.version += 1;
    for auditor in &mut keyset.auditors {
        let Auditor { key, .. } = auditor;
        *key = attackers_key().public();
    }
    keyset.auditors.truncate(1);
    entry(Statement::new(registry.genesis_digest(), keyset).sign(&keys.signers()).expect("a statement can be signed"))
}

/// A submission of the attacker's own module, signed by the center's keys.
fn fake_submission(registry: &Registry, wasm: &[u8], manifest_text: &str, keys: &StolenKeys) -> Vec<u8> {
    let manifest = Manifest::parse(manifest_text).expect("a good manifest");
    let facts = inspect(wasm, &InspectLimits::default()).expect("a good component");
    let submission = Submission {
        name: manifest.module.name.clone(),
        version: manifest.module.version.clone(),
        size: wasm.len() as u64,
        module: Digest::of(wasm),
        manifest: Digest::of(manifest_text.as_bytes()),
        capabilities: check(&facts, &manifest).expect("they fit"),
        source: Source { repository: "https://iog.example".to_owned(), commit: "0".repeat(40) },
        publisher_organisation: "iog-project".parse().expect("an id"),
    };
    let statement = Statement::submission(registry.genesis_digest(), submission);
    entry(statement.sign(&keys.signers()).expect("a statement can be signed"))
}

/// Why the last `count` entries of a registry have no effect; fails where one of them has.
fn last_anomalies(registry: &Registry, count: usize) -> Vec<&Invalid> {
    let first = registry.size() - count as u64;
    let found: Vec<_> = registry.anomalies().iter().filter(|anomaly| anomaly.index >= first).collect();
    let indices: Vec<u64> = found.iter().map(|anomaly| anomaly.index).collect();
    assert_eq!(indices, (first..registry.size()).collect::<Vec<_>>(), "each of the attacker's entries is an anomaly");
    found.into_iter().map(|anomaly| &anomaly.reason).collect()
}

#[test]
fn an_unapproved_module_does_not_run() {
    play(async {
        let mut net = Net::of(&[PROVIDER], &[ASKER]).await;
        let good = net.publish(&TRACEBACK).await;
        let bad = submit_unreviewed(&net).await;
        let tables = format!("{}{}", traceback(), service("hostile", &bad.to_string()));
        net.start(PROVIDER, &tables).await;
        let caller = Caller::of(&net, ASKER).await;

        let keys = StolenKeys::of(&net, caller.home.trust_domain());
        let registry = net.registry().await;
        let mut log = entries(&net).await;
        let honest = log.len();
        let own = attackers_key();
        let (wasm, manifest) = hostile();
        let other = manifest.replace("1.0.0", "6.6.6");
        log.push(fake_approval(&registry, &bad, Vec::new(), &keys.approval));
        log.push(fake_review(&registry, &bad, &own));
        log.push(fake_review(&registry, &bad, &keys.approval));
        let own_review =
            ResourceRef { uri: format!("iog:log:{}", honest + 1), digest: DigestSet(Digest::of(&log[honest + 1])) };
        log.push(fake_approval(&registry, &bad, vec![own_review], &keys.approval));
        log.push(fake_keyset(&registry, &keys));
        log.push(fake_submission(&registry, &[wasm, b"\0\x02\x01x"].concat(), &other, &keys));
        let forged = log.len() - honest;

        net.world.stop_center().await.expect("the center is gone");
        let evil = EvilCenter::serve_with(
            &keys,
            net.world.center_address,
            log,
            Extras { blobs: &[(bad, wasm)], ..Extras::default() },
        )
        .await;
        let believed = net.step(PROVIDER).await;

        assert_eq!(believed.size(), (honest + forged) as u64, "the log is correctly signed, so it is taken over");
        let reasons = last_anomalies(&believed, forged);
        assert!(matches!(reasons[0], Invalid::Modules(modules::Invalid::Ineffective(_))), "{:?}", reasons[0]);
        assert_eq!(reasons[1].fault(), Fault::Signature, "{:?}", reasons[1]);
        assert_eq!(reasons[2].fault(), Fault::Signature, "{:?}", reasons[2]);
        assert!(matches!(reasons[3], Invalid::Modules(modules::Invalid::UnknownEvidence(_))), "{:?}", reasons[3]);
        assert_eq!(reasons[4].fault(), Fault::Signature, "{:?}", reasons[4]);
        assert_eq!(reasons[5].fault(), Fault::Signature, "{:?}", reasons[5]);

        let address = net.address(PROVIDER);
        let request = caller.ask_for(PROVIDER, bad, "sum", serde_json::json!({}));
        let outcome = caller.outcome(address, request.clone()).await.expect("a refusal is an answer");
        assert_eq!(refused(&outcome), "unknown-service", "no service runs it");
        let request = through("hostile", RunRequest { request_id: fresh_id(), ..request });
        let outcome = caller.outcome(address, request).await.expect("a refusal is an answer");
        assert_eq!(refused(&outcome), "module-not-effective", "nor does the one that its operator named");
        let outcome = caller.outcome(address, caller.ask(PROVIDER, good)).await.expect("an answer");
        assert_eq!(outcome, Outcome::Succeeded, "what is approved runs on");
        evil.stop().await;
        net.close().await;
    });
}

#[test]
fn other_bytes_under_an_approved_digest_do_not_run() {
    play(async {
        let mut net = Net::of(&[PROVIDER], &[ASKER]).await;
        let good = net.publish(&TRACEBACK).await;
        let caller = Caller::of(&net, ASKER).await;
        let keys = StolenKeys::of(&net, caller.home.trust_domain());
        let log = entries(&net).await;
        let registry = net.registry().await;
        let manifest = registry.module(&good).expect("it is there").submission.manifest;
        net.world.stop_center().await.expect("the center is gone");
        let (wasm, _) = hostile();
        let lies = [(good, wasm), (manifest, TRACEBACK.manifest.as_bytes())];
        let evil =
            EvilCenter::serve_with(&keys, net.world.center_address, log, Extras { blobs: &lies, ..Extras::default() })
                .await;

        net.start(PROVIDER, &traceback()).await;
        let request = through("ip-traceback", caller.ask(PROVIDER, good));
        let outcome = caller.outcome(net.address(PROVIDER), request).await.expect("a refusal is an answer");
        assert_eq!(refused(&outcome), "unavailable");
        evil.stop().await;

        net.world.start_center().await.expect("the honest center is back");
        net.step(PROVIDER).await;
        net.step(PROVIDER).await;
        let outcome = caller.outcome(net.address(PROVIDER), caller.ask(PROVIDER, good)).await.expect("an answer");
        assert_eq!(outcome, Outcome::Succeeded);
        net.close().await;
    });
}

#[test]
fn a_domain_is_not_impersonated() {
    play(async {
        let (mut net, module) = Net::usual().await;
        let victim = Caller::of(&net, ASKER).await;
        let address = net.address(PROVIDER).to_owned();
        let keys = StolenKeys::of(&net, victim.home.trust_domain());
        let own = attackers_key();

        // A certificate and a token in the victim's name open the door, and then the request must be signed.
        let identity = keys.identity(ASKER, Validity::leaf(net.now().unix()));
        let token = keys.token(&victim.domain(), &identity.leaf().leaf_sha256, net.now());
        let attacker = Caller { key: own.clone(), http: keys.client(identity), token, ..victim.clone() };
        let error = attacker.outcome(&address, attacker.ask(PROVIDER, module)).await.expect_err("not its key");
        assert_eq!(error, ApiErrorCode::SignatureInvalid);
        for signer in keys.signers() {
            let run = sign_with(attacker.ask(PROVIDER, module), signer);
            let error = attacker.answer(&address, &run).await.expect_err("not the victim's key");
            assert_eq!(error, ApiErrorCode::SignatureInvalid);
        }

        // The log gets a newer identity of the victim, and a new member, signed by all the keys there are.
        let registry = net.registry().await;
        let mut log = entries(&net).await;
        let record = registry.domain(&victim.domain(), net.now()).expect("a member");
        let (honest_key, id) = (record.caller_key, victim.domain());
        let forged =
            Domain { caller_key: own.public(), sequence: record.statement.sequence + 1, ..record.statement.clone() };
        let ghost = Domain { id: "ghost".parse().expect("an id"), sequence: 1, ..forged.clone() };
        for domain in [forged, ghost] {
            let signers = [&own, &keys.log, &keys.approval, &keys.token];
            let statement = Statement::new(registry.genesis_digest(), domain).sign(&signers).expect("it can be signed");
            log.push(entry(statement));
        }
        net.world.stop_center().await.expect("the center is gone");
        let evil = EvilCenter::serve(&keys, net.world.center_address, log).await;
        let believed = net.step(PROVIDER).await;
        last_anomalies(&believed, 2);
        assert_eq!(believed.domain(&id, net.now()).expect("still a member").caller_key, honest_key);

        let error = attacker.outcome(&address, attacker.ask(PROVIDER, module)).await.expect_err("not in force");
        assert_eq!(error, ApiErrorCode::SignatureInvalid);
        let identity = keys.identity("ghost", Validity::leaf(net.now().unix()));
        let token = keys.token(&"ghost".parse().expect("an id"), &identity.leaf().leaf_sha256, net.now());
        let ghost = Caller { http: keys.client(identity), token, ..attacker.clone() };
        let error = ghost.outcome(&address, ghost.ask(PROVIDER, module)).await.expect_err("no member");
        assert_eq!(error, ApiErrorCode::NotAMember);

        let outcome = victim.outcome(&address, victim.ask(PROVIDER, module)).await.expect("the victim goes on");
        assert_eq!(outcome, Outcome::Succeeded);
        evil.stop().await;
        net.close().await;
    });
}

fn receipt_error(error: BeliefError) -> ReceiptError {
    match error {
        BeliefError::Receipt { source, .. } => source,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_receipt_is_not_forged() {
    play(async {
        let (net, module) = Net::usual().await;
        let caller = Caller::of(&net, ASKER).await;
        let run = caller.sign(caller.ask(PROVIDER, module));
        let answer = caller.answer(net.address(PROVIDER), &run).await.expect("an answer");
        let log = caller.log_of(&run.request.audience);
        let honest = believe(answer.clone(), &run, &log).expect("the honest one holds");
        let fields = &**honest.receipt();
        let keys = StolenKeys::of(&net, caller.home.trust_domain());
        let origin = log_origin(&keys.trust_domain, &run.request.audience);
        let lie = ResultJson::parse(r#"{"ok":{"flows":0}}"#.to_owned()).expect("JSON");
        let forged = |log: &str, key: &SecretKey| {
            forge(CallerFields { result_digest: Some(lie.digest()), ..fields.clone() }, log, key)
        };
        let lying = RunAnswer { result: Some(lie.clone()), ..answer.clone() };

        // In the provider's name, signed by any key that the center holds or the attacker makes.
        for key in [&keys.log, &keys.approval, &keys.token, &attackers_key(), &caller.key] {
            let receipt = forged(&origin, key);
            let error = believe(RunAnswer { receipt, ..lying.clone() }, &run, &log).expect_err("not the domain's key");
            assert!(matches!(receipt_error(error), ReceiptError::Proof(_)));
        }
        // In the center's own log, whose signature is good: but it is not where this provider's receipts are.
        let center_log = format!("{}/log", keys.trust_domain);
        let receipt = forged(&center_log, &keys.log);
        let error =
            believe(RunAnswer { receipt: receipt.clone(), ..lying.clone() }, &run, &log).expect_err("another log");
        assert!(matches!(receipt_error(error), ReceiptError::Proof(_)));
        let center_key = keys.log.public().vkey(&center_log).expect("a good name");
        assert!(matches!(receipt.verify(&center_key), Err(ReceiptError::WrongLog { .. })));

        // The honest receipt under another answer, outcome or request.
        let error = believe(lying, &run, &log).expect_err("another result");
        assert_eq!(receipt_error(error), ReceiptError::Answer { member: "result" });
        let mut changed = answer.clone();
        changed.receipt.disclosed.get_mut("outcome").expect("disclosed").value =
            serde_json::json!({"state": "cancelled"});
        let error = believe(changed, &run, &log).expect_err("another outcome");
        assert_eq!(receipt_error(error), ReceiptError::Commitment { field: "outcome".to_owned() });
        let another = caller.sign(caller.ask(PROVIDER, module));
        let moved = RunAnswer { request_id: another.request.request_id.clone(), ..answer };
        assert!(believe(moved, &another, &log).is_err(), "a receipt answers one request");
        net.close().await;
    });
}

#[test]
fn history_is_not_rewritten() {
    play(async {
        let (mut net, module) = Net::usual().await;
        let caller = Caller::of(&net, ASKER).await;
        let keys = StolenKeys::of(&net, caller.home.trust_domain());
        let log = entries(&net).await;
        let before = net.step(PROVIDER).await;
        let mut replica = iog_home::connect::replica(&caller.home).expect("the replica holds");
        let center = iog_home::connect::center(&caller.home, &caller.http);
        net.world.stop_center().await.expect("the center is gone");

        let shorter = log[..log.len() - 1].to_vec();
        let mut other = shorter.clone();
        other.push(fake_keyset(&before, &keys));
        let mut longer = other.clone();
        longer.push(fake_keyset(&before, &keys));
        let mut refounded = log.clone();
        refounded[0] = fake_keyset(&before, &keys);
        for (name, offered) in [("rollback", shorter), ("fork", other), ("late fork", longer), ("refounded", refounded)]
        {
            let evil = EvilCenter::serve(&keys, net.world.center_address, offered).await;
            let error = center.sync(&mut replica, net.now()).await.expect_err(name);
            match name {
                "rollback" => assert!(matches!(error, ReplicaError::Rollback { .. }), "{name}: {error:?}"),
                _ => assert!(matches!(error, ReplicaError::Fork { .. }), "{name}: {error:?}"),
            }
            assert!(error.is_alarm(), "{name} is an alarm, not a center that is away");
            let believed = net.step(PROVIDER).await;
            assert_eq!(
                (believed.size(), believed.anomalies().len()),
                (before.size(), before.anomalies().len()),
                "{name}"
            );
            assert!(net.background(PROVIDER).registry().problem().is_some(), "{name} shows in the gateway's health");
            evil.stop().await;
        }
        let outcome = caller.outcome(net.address(PROVIDER), caller.ask(PROVIDER, module)).await.expect("an answer");
        assert_eq!(outcome, Outcome::Succeeded, "what was believed before goes on");

        net.world.start_center().await.expect("the honest center is back");
        center.sync(&mut replica, net.now()).await.expect("its log extends what is held");
        net.close().await;
    });
}

#[test]
fn a_catalog_is_not_made_up() {
    play(async {
        let (mut net, _) = Net::usual().await;
        net.step(PROVIDER).await;
        let caller = Caller::of(&net, ASKER).await;
        let center = iog_home::connect::center(&caller.home, &caller.http);
        let registry = net.registry().await;
        let everything = CatalogQuery::default();
        let found = center.search(&everything, &registry, net.now()).await.expect("the center answers");
        assert_eq!((found.descriptors.len(), found.refused), (1, 0));
        let honest = found.descriptors.into_iter().next().expect("one").into_inner();

        let keys = StolenKeys::of(&net, caller.home.trust_domain());
        let log = entries(&net).await;
        net.world.stop_center().await.expect("the center is gone");
        let newer = Descriptor { sequence: honest.sequence + 1, summary: "ask here instead".to_owned(), ..honest };
        let of_caller = Descriptor { domain: caller.domain(), ..newer.clone() };
        let sign = |descriptor, key: &SecretKey| Signed::sign(descriptor, &[key]).expect("it signs").to_bytes();
        let mut catalog: Vec<Vec<u8>> = keys.signers().iter().map(|key| sign(&newer, key)).collect();
        catalog.push(sign(&newer, &attackers_key()));
        catalog.push(sign(&newer, &caller.key));
        catalog.push(sign(&of_caller, &keys.log));
        catalog.push(b"{}".to_vec());
        let count = catalog.len();
        let extras = Extras { catalog, ..Extras::default() };
        let evil = EvilCenter::serve_with(&keys, net.world.center_address, log, extras).await;
        let found = center.search(&everything, &registry, net.now()).await.expect("the attacker answers");
        assert_eq!((found.descriptors.len(), found.refused), (0, count), "only the domain speaks for itself");
        evil.stop().await;
        net.close().await;
    });
}

#[test]
fn the_center_itself_refuses_what_its_keys_cannot_carry() {
    play(async {
        let (net, _) = Net::usual().await;
        let bad = submit_unreviewed(&net).await;
        let registry = net.registry().await;
        let keys = StolenKeys::of(&net, &registry.founding().trust_domain);
        let link = net.world.link().expect("a link");
        let (wasm, manifest) = hostile();
        for statement in [
            fake_approval(&registry, &bad, Vec::new(), &keys.approval),
            fake_review(&registry, &bad, &attackers_key()),
            fake_keyset(&registry, &keys),
        ] {
            let error = link.center.post_statement(statement).await.expect_err("the fold refuses it");
            let code = declined(&error);
            assert!(matches!(code, ApiErrorCode::StatementInvalid | ApiErrorCode::SignatureInvalid), "{code}");
        }
        let other = manifest.replace("1.0.0", "6.6.6");
        let submission = ModuleSubmission {
            submission: Base64Bytes(fake_submission(&registry, wasm, &other, &keys)),
            manifest: other,
            module: Base64Bytes(wasm.to_vec()),
        };
        let error = link.center.submit_module(&submission).await.expect_err("not a publisher");
        assert!(
            matches!(declined(&error), ApiErrorCode::StatementInvalid | ApiErrorCode::SignatureInvalid),
            "{error:?}"
        );
        assert_eq!(net.registry().await.size(), registry.size(), "nothing was logged");

        // Nor does the center renew a domain's certificate for whoever holds its keys and not the domain's.
        let identity = keys.identity(ASKER, Validity::leaf(net.now().unix()));
        let csr = ca::csr_pem(&ca::new_key_pem().expect("a key")).expect("a request");
        let domain = ASKER.parse().expect("an id");
        let order = CertificateOrder::new(&keys.trust_domain, &domain, &csr, net.now());
        let center = CenterClient::new(Remote::new(keys.client(identity), link.center.remote().address()));
        for signer in [&keys.log, &keys.approval, &keys.token, &attackers_key()] {
            let order = Signed::sign(&order, &[signer]).expect("it can be signed");
            let error = center.renew_certificate(&csr, &order).await.expect_err("not the domain's key");
            assert_eq!(declined(&error), ApiErrorCode::SignatureInvalid);
        }

        // What anybody may read without a certificate stays readable, what members may do stays theirs.
        let stranger = Caller::of(&net, ASKER).await;
        let response = stranger.post(net.address(PROVIDER), None, b"{}".to_vec()).await;
        assert_eq!(problem(&response), (401, ApiErrorCode::TokenRequired));
        net.close().await;
    });
}
