//! The attacker copied a domain's `tls/` folder, key and certificate, and nothing else. It has them for as long as the
//! certificate lives; it gets no successor, whatever it signs with, and is out when the three days are over.

use iog_client::CenterClient;
use iog_home::renewal::{RenewError, Renewal};
use iog_home::{Home, connect};
use iog_protocol::api::{ApiErrorCode, CertificateRequest, JSON_MEDIA_TYPE, paths};
use iog_protocol::dsse::Signed;
use iog_protocol::keys::SecretKey;
use iog_protocol::renewal::CertificateOrder;
use iog_protocol::run::Outcome;
use iog_transport::ca::{self, LEAF_SECONDS};
use iog_transport::{HttpClient, Request};

use crate::harness::caller::{Caller, alert, declined, problem};
use crate::harness::net::{ASKER, Net, PROVIDER};
use crate::harness::play;

/// Three ways to ask for a successor of a stolen certificate, all of which must fail.
async fn no_successor(net: &Net, center: &CenterClient, stolen: &HttpClient, victim: &Home) {
    let csr = ca::csr_pem(&ca::new_key_pem().expect("a key")).expect("a request");
    // As every version until 2026-11-22 asked, and got three generations.
    let body = serde_json::to_vec(&CertificateRequest { csr: csr.clone(), order: None }).expect("JSON");
    let url = format!("https://{}{}", center.remote().address(), paths::CERTIFICATES);
    let response = stolen.send(Request::post(url, JSON_MEDIA_TYPE, body)).await.expect("the center answers");
    assert_eq!(problem(&response), (400, ApiErrorCode::ClientTooOld));
    // With an order of a key that is not the domain's caller key.
    let order = CertificateOrder::new(victim.trust_domain(), victim.domain(), &csr, net.now());
    for key in [SecretKey::from_seed([0xee; 32]), victim.receipt_key().expect("even the key of receipts")] {
        let order = Signed::sign(&order, &[&key]).expect("it can be signed");
        let error = center.renew_certificate(&csr, &order).await.expect_err("not the caller key");
        assert_eq!(declined(&error), ApiErrorCode::SignatureInvalid);
    }
    // With an order that the domain made for another request, as a man in the middle of an older center would have it.
    let order = CertificateOrder { csr_sha256: iog_protocol::ids::Digest::of(b"another"), ..order };
    let order = Signed::sign(&order, &[&victim.caller_key().expect("the domain's own")]).expect("it can be signed");
    let error = center.renew_certificate(&csr, &order).await.expect_err("another request");
    assert_eq!(declined(&error), ApiErrorCode::CertificateRequestInvalid);
}

#[test]
fn it_lapses_with_its_certificate() {
    play(async {
        let (net, module) = Net::usual().await;
        let home = Home::open(&net.home_of(ASKER)).expect("the victim's home");
        let thief = Caller::of(&net, ASKER).await;
        let center = connect::center(&home, &thief.http);
        // The victim renews each day, as its software does; the copy ends.
        for _ in 0..3 {
            no_successor(&net, &center, &thief.http, &home).await;
            net.advance(1, &[]).await;
        }
        net.clock.advance(1);
        let said = alert(async || center.token().await).await;
        assert!(said.contains("certificateexpired"), "the copy has ended: {said}");
        let victim = Caller::of(&net, ASKER).await;
        connect::center(&home, &victim.http).token().await.expect("the center is there for who renewed");
        let outcome = victim.outcome(net.address(PROVIDER), victim.ask(PROVIDER, module)).await.expect("an answer");
        assert_eq!(outcome, Outcome::Succeeded);
        net.close().await;
    });
}

#[test]
fn a_home_without_its_caller_key_renews_nothing() {
    play(async {
        let net = Net::of(&[], &[ASKER]).await;
        let home = Home::open(&net.home_of(ASKER)).expect("a home");
        let http = connect::http(&home, &(net.clock.clone() as std::sync::Arc<dyn iog_machine::Clock>)).expect("TLS");
        let center = connect::center(&home, &http);
        let leaf = http.tls().leaf().expect("it shows one");
        let before = home.tls().expect("it has one");
        net.clock.advance(LEAF_SECONDS / 2);
        std::fs::remove_file(home.caller_key_path()).expect("the key is taken away");
        let renewal = Renewal { home: &home, http: &http, center: &center, server: None };
        let error = renewal.renew_if_due(&leaf, net.now()).await.expect_err("no key");
        assert!(matches!(error, RenewError::Home(_)), "{error:?}");
        assert_eq!(home.tls().expect("the old one is there").cert_pem, before.cert_pem);
        net.close().await;
    });
}
