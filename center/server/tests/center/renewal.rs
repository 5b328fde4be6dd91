//! Attacks on the renewal of certificates by somebody who copied a domain's TLS key and certificate, and nothing else.

use iog_protocol::{
    api::{ApiErrorCode, CertificateAnswer, CertificateRequest, StatementAccepted, paths},
    dsse::Signed,
    keys::SecretKey,
    renewal::{CertificateOrder, ORDER_LIFETIME_S},
    statements::{Domain, Revocation, RevocationSeverity, Statement, Target},
};
use iog_transport::{Response, ca};
use serde_json::json;

use crate::common::{Member, World, created, key, now, refused, signed};

/// The order of a domain for a signing request.
pub(crate) fn order(id: &str, csr: &str) -> CertificateOrder {
    CertificateOrder::new(&"net.example".parse().unwrap(), &id.parse().unwrap(), csr, now())
}

/// A request with its order, signed with these keys.
pub(crate) fn body(csr: &str, order: &CertificateOrder, keys: &[&SecretKey]) -> Vec<u8> {
    let order = Signed::sign(order, keys).unwrap().to_bytes().into();
    serde_json::to_vec(&CertificateRequest { csr: csr.to_owned(), order: Some(order) }).unwrap()
}

fn csr() -> String {
    ca::csr_pem(&ca::new_key_pem().unwrap()).unwrap()
}

async fn post(world: &World, member: &Member, body: Vec<u8>) -> Response {
    member.post(world, paths::CERTIFICATES, "application/json", body).await
}

#[tokio::test]
async fn a_stolen_tls_key_has_no_successor() {
    let world = World::new().await;
    let (victim, thief) = (world.member("as1", 31).await, key(99));
    let csr = csr();
    let good = order("as1", &csr);

    // What was enough until version 2026-11-22: the certificate and its key.
    let detail = refused(
        &post(&world, &victim, serde_json::to_vec(&json!({ "csr": csr })).unwrap()).await,
        ApiErrorCode::ClientTooOld,
    );
    assert!(detail.contains("update `iog`"), "{detail}");

    // Keys that are not the caller key: the thief's, the receipt key's, none.
    for keys in [&[&thief][..], &[&key(32)], &[]] {
        let answer = post(&world, &victim, body(&csr, &good, keys)).await;
        assert!(
            matches!(answer.status.as_u16(), 400 | 401),
            "{}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
    }
    // Another member's order over the victim's certificate.
    let other = world.member("as2", 41).await;
    refused(
        &post(&world, &victim, body(&csr, &order("as2", &csr), &[&other.caller])).await,
        ApiErrorCode::SignatureInvalid,
    );
    refused(&post(&world, &victim, body(&csr, &good, &[&other.caller])).await, ApiErrorCode::SignatureInvalid);

    // A signature that the caller key made for something else: another request, center, domain or time, a statement.
    let own = self::csr();
    let invalid = ApiErrorCode::CertificateRequestInvalid;
    refused(&post(&world, &victim, body(&own, &good, &[&victim.caller])).await, invalid);
    for wrong in [
        CertificateOrder { audience: "spiffe://other.example/center".into(), ..good.clone() },
        CertificateOrder { domain: "as2".parse().unwrap(), ..good.clone() },
        CertificateOrder { issued: now().plus_seconds(-ORDER_LIFETIME_S - 5), ..good.clone() },
        CertificateOrder { issued: now().plus_seconds(120), ..good.clone() },
    ] {
        refused(&post(&world, &victim, body(&csr, &wrong, &[&victim.caller])).await, invalid);
    }
    let statement = CertificateRequest { csr: csr.clone(), order: Some(victim.envelope.to_json().into()) };
    let statement = serde_json::to_vec(&statement).unwrap();
    refused(&post(&world, &victim, statement).await, ApiErrorCode::BadEnvelope);

    // The domain itself goes on.
    created::<CertificateAnswer>(&post(&world, &victim, body(&csr, &good, &[&victim.caller])).await);
}

#[tokio::test]
async fn a_thief_does_not_put_its_own_key_in_the_place_of_the_one_that_renews() {
    let world = World::new().await;
    let victim = world.enroll("as1", 31).await;
    let csr = csr();
    // It waits, and renews with the key of the statement that waits.
    created::<CertificateAnswer>(&post(&world, &victim, body(&csr, &order("as1", &csr), &[&victim.caller])).await);
    let domain = Domain {
        id: "as1".parse().unwrap(),
        organisation: "isp-as1".parse().unwrap(),
        asns: Vec::new(),
        endpoints: Vec::new(),
        caller_key: key(98).public(),
        receipt_key: key(97).public(),
        sequence: 1,
    };
    let statement = Statement::new(&world.registry_id, domain.clone());
    let envelope = "application/vnd.dsse+json";
    let stolen = signed(&statement, &[98]).to_json();
    refused(&victim.post(&world, paths::STATEMENTS, envelope, stolen).await, ApiErrorCode::SignatureInvalid);
    refused(&post(&world, &victim, body(&csr, &order("as1", &csr), &[&key(98)])).await, ApiErrorCode::SignatureInvalid);
    // The domain itself still corrects what waits.
    let corrected = Statement::new(&world.registry_id, Domain { caller_key: victim.caller.public(), ..domain });
    let corrected = signed(&corrected, &[31]).to_json();
    assert_eq!(victim.post(&world, paths::STATEMENTS, envelope, corrected).await.status.as_u16(), 202);
    created::<CertificateAnswer>(&post(&world, &victim, body(&csr, &order("as1", &csr), &[&victim.caller])).await);
}

#[tokio::test]
async fn a_stopped_domain_is_not_renewed() {
    let world = World::new().await;
    let member = world.member("as1", 31).await;
    let csr = csr();
    let renew = || post(&world, &member, body(&csr, &order("as1", &csr), &[&member.caller]));
    created::<CertificateAnswer>(&renew().await);
    for (severity, state) in [(RevocationSeverity::Suspend, "suspended"), (RevocationSeverity::Revoke, "revoked")] {
        let revocation = Revocation {
            severity,
            target: Target::Domain("as1".parse().unwrap()),
            reason_code: "compromised".into(),
            reason: "its TLS key was copied".into(),
            until: None,
            issued: now(),
        };
        let statement = Statement::new(&world.registry_id, revocation);
        created::<StatementAccepted>(&world.statement(&statement, &[1, 2]).await);
        let detail = refused(&renew().await, ApiErrorCode::DomainSuspended);
        assert!(detail.contains(state), "{detail}");
    }
}
