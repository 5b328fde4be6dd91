//! The decision table: every way in which a request is not accepted, and every way in which an accepted one is refused,
//! each with its stable code.

use super::*;
use crate::identity::{Shown, identify};
use crate::policy::{Quotas, TargetQuota};
use crate::testkit::{LEAF, World, hello, id, now, request, signed};
use iog_protocol::statements::Target;
use iog_transport::PeerIdentity;

/// What `gateway` knows in this world.
fn here(world: &World) -> Here {
    Here { registry: Arc::new(world.registry.clone()), domain: id("gateway"), now: now(), stale_after_h: None }
}

/// What is presented, in parts that a case changes.
struct Case {
    world: World,
    peer: Option<PeerIdentity>,
    token: Option<String>,
    request: RunRequest,
    signer: u8,
    envelope: Option<Vec<u8>>,
}

impl Case {
    fn new() -> Self {
        let world = World::new();
        let (peer, token) = (Some(world.peer("caller")), Some(world.token("caller", 3, |_| ())));
        Self { world, peer, token, request: request(1), signer: 21, envelope: None }
    }

    fn authenticate(&self) -> Result<Authenticated, NotAccepted> {
        let own = || signed(&self.request, self.signer).to_bytes();
        let envelope = self.envelope.clone().unwrap_or_else(own);
        let here = here(&self.world);
        accept(&envelope, identify(&Shown { peer: self.peer.clone(), token: self.token.clone() }, &here)?, &here)
    }

    fn code(change: impl FnOnce(&mut Self)) -> &'static str {
        let mut case = Self::new();
        change(&mut case);
        case.authenticate().map_or_else(|why| why.code().code(), |_| "accepted")
    }
}

#[test]
fn a_good_request_is_its_senders() {
    let case = Case::new();
    let accepted = case.authenticate().unwrap();
    assert_eq!(accepted.caller.domain, id("caller"));
    assert_eq!(accepted.caller.organisation, "org-caller".parse().unwrap());
    assert_eq!(accepted.request, case.request);
    assert_eq!(accepted.digest, signed(&case.request, 21).digest());
}

#[test]
fn what_is_not_accepted_says_why() {
    type Change = fn(&mut Case);
    let cases: [(&str, &str, Change); 20] = [
        ("no certificate", "certificate-required", |c| c.peer = None),
        ("no name in it", "certificate-required", |c| c.peer.as_mut().unwrap().spiffe = None),
        ("another trust domain", "certificate-required", |c| {
            c.peer.as_mut().unwrap().spiffe = Some("spiffe://elsewhere.example/domain/caller".into());
        }),
        ("no token", "token-required", |c| c.token = None),
        ("no JWT", "token-invalid", |c| c.token = Some("abc".into())),
        ("another key", "token-invalid", |c| c.token = Some(c.world.token("caller", 9, |_| ()))),
        ("another audience", "token-invalid", |c| {
            c.token = Some(c.world.token("caller", 3, |t| t.aud = "elsewhere.example".into()));
        }),
        ("another certificate", "token-invalid", |c| c.peer.as_mut().unwrap().leaf_sha256 = [9; 32]),
        ("spent", "token-expired", |c| {
            c.token = Some(c.world.token("caller", 3, |t| (t.iat, t.nbf, t.exp) = (1, 1, 100)));
        }),
        ("another domain's token", "identity-mismatch", |c| c.token = Some(c.world.token("other", 3, |_| ()))),
        ("a domain nobody knows", "not-a-member", |c| {
            c.peer = Some(c.world.peer("nobody"));
            c.token = Some(c.world.token("nobody", 3, |_| ()));
        }),
        ("a revoked domain", "domain-suspended", |c| c.world.revoke(Target::Domain(id("caller")))),
        ("no envelope", "bad-envelope", |c| c.envelope = Some(b"{}".to_vec())),
        ("another domain's key", "signature-invalid", |c| c.signer = 22),
        ("another gateway", "wrong-audience", |c| c.request.audience = id("other")),
        ("another caller", "identity-mismatch", |c| c.request.caller = id("other")),
        ("expired", "request-expired", |c| {
            (c.request.issued, c.request.expires) = (now().plus_seconds(-500), now().plus_seconds(-100));
        }),
        ("from the future", "request-expired", |c| {
            (c.request.issued, c.request.expires) = (now().plus_seconds(100), now().plus_seconds(200));
        }),
        ("good for too long", "request-expired", |c| c.request.expires = now().plus_seconds(601)),
        ("no purpose", "bad-request", |c| c.request.purpose = String::new()),
    ];
    for (what, code, change) in cases {
        assert_eq!(Case::code(change), code, "{what}");
    }
    assert_eq!(Case::code(|c| c.request.expires = now().plus_seconds(600)), "accepted");
}

#[test]
fn no_changed_byte_of_the_envelope_changes_what_is_asked() {
    let case = Case::new();
    let good = signed(&case.request, 21).to_bytes();
    let mut refused = 0;
    for at in (0..good.len()).step_by(7) {
        let mut envelope = good.clone();
        envelope[at] ^= 1;
        let changed = Case { envelope: Some(envelope), ..Case::new() };
        match changed.authenticate() {
            Err(_) => refused += 1,
            // The key id is a hint that nothing rests on; everything else is signed.
            Ok(accepted) => assert_eq!(accepted.request, case.request, "byte {at}"),
        }
    }
    assert!(refused * 8 > good.len() / 7 * 7, "{refused} of {}", good.len() / 7);
}

/// What is decided on, in parts that a case changes.
struct Choice {
    world: World,
    stale_after_h: Option<u64>,
    asked: Authenticated,
    policy: Policy,
    prepared: Result<(Digest, Digest), NotReady>,
    offered: bool,
    used: Used,
}

impl Choice {
    fn new() -> Self {
        let case = Case::new();
        let asked = case.authenticate().unwrap();
        let manifest = case.world.registry.module(&hello()).unwrap().submission.manifest;
        Self {
            world: case.world,
            stale_after_h: None,
            asked,
            policy: Policy { callers: ["members".parse().unwrap()].into(), ..Policy::default() },
            prepared: Ok((hello(), manifest)),
            offered: true,
            used: Used::default(),
        }
    }

    fn decide(&self) -> Result<Admitted, Refusal> {
        let name = "hello".parse().unwrap();
        let here = Here { stale_after_h: self.stale_after_h, ..here(&self.world) };
        let entries = ["packets-to".parse().unwrap()];
        let prepared = self.prepared.as_ref();
        let prepared = prepared.map(|(module, manifest)| PreparedFacts {
            module: *module,
            manifest: *manifest,
            entries: &entries,
        });
        let offer = Offer { name: &name, policy: &self.policy, prepared };
        decide(&self.asked, &here, self.offered.then_some(&offer), self.used).verdict
    }

    fn code(change: impl FnOnce(&mut Self)) -> &'static str {
        let mut choice = Self::new();
        change(&mut choice);
        choice.decide().map_or_else(|refusal| refusal.code().code(), |_| "admitted")
    }
}

#[test]
fn a_good_request_is_admitted_on_the_logged_approval() {
    let choice = Choice::new();
    let approval = choice.world.registry.module(&hello()).unwrap().approval().unwrap().index;
    assert_eq!(choice.decide(), Ok(Admitted { approval_index: approval, asn: Some(64_520) }));
}

#[test]
fn what_is_refused_says_why() {
    let other = Digest::of(b"other");
    let quota = |hour, day, targets| Quotas {
        runs_per_hour_max: hour,
        runs_per_day_max: day,
        targets: Option::map(targets, |max| TargetQuota {
            parameter: "target".into(),
            distinct_per_day_max: max,
            min_prefix_v4: None,
            min_prefix_v6: None,
        }),
    };
    assert_eq!(Choice::code(|_| ()), "admitted");
    assert_eq!(Choice::code(|c| c.stale_after_h = Some(24)), "registry-stale");
    assert_eq!(Choice::code(|c| c.offered = false), "unknown-service");
    assert_eq!(Choice::code(|c| c.asked.request.module = other), "module-not-effective");
    assert_eq!(Choice::code(|c| c.world.revoke(Target::Module(hello()))), "module-not-effective");
    assert_eq!(Choice::code(|c| c.world.revoke(Target::Domain(id("caller")))), "domain-suspended");
    assert_eq!(Choice::code(|c| c.prepared = Err(NotReady::NotFetched)), "unavailable");
    let class = NotReady::Class { reason: "dp".into() };
    assert_eq!(Choice::code(|c| c.prepared = Err(class)), "release-denied");
    assert_eq!(Choice::code(|c| c.prepared.as_mut().unwrap().0 = other), "unknown-module");
    assert_eq!(Choice::code(|c| c.prepared.as_mut().unwrap().1 = other), "module-not-effective");
    assert_eq!(Choice::code(|c| c.asked.request.entry = "other".parse().unwrap()), "unknown-entry");
    assert_eq!(Choice::code(|c| c.policy = Policy::default()), "policy-denied");
    assert_eq!(Choice::code(|c| c.policy.entries = Some(["x".parse().unwrap()].into())), "policy-denied");
    assert_eq!(Choice::code(|c| c.policy.purposes = Some(["research".to_owned()].into())), "policy-denied");
    assert_eq!(Choice::code(|c| c.policy.quotas = quota(Some(0), None, None)), "quota-exceeded");
    assert_eq!(Choice::code(|c| c.policy.quotas = quota(None, Some(0), None)), "quota-exceeded");
    assert_eq!(Choice::code(|c| c.policy.quotas = quota(None, None, Some(0))), "quota-exceeded");
    let params = Refusal::Params { problem: String::new() };
    let granted = Refusal::NotGranted { interface: String::new() };
    assert_eq!((params.code().code(), granted.code().code()), ("bad-params", "not-granted"));
}

#[test]
fn a_token_holds_for_its_certificate_only() {
    assert_eq!(Case::new().peer.unwrap().leaf_sha256, LEAF);
}
