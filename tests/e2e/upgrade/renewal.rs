//! Old homes renew with the caller key they have; an old client, which signs no order, is told to update and keeps what
//! it has.

use iog_home::connect;
use iog_home::renewal::Renewal;
use iog_protocol::api::{JSON_MEDIA_TYPE, Problem, paths};
use iog_protocol::time::Timestamp;
use iog_transport::{Request, ca};

use super::recorded::{ASKER, FRESH, OLD_HAND, Recorded};
use super::revived::{Revived, turn};
use crate::harness::play;

#[test]
fn old_homes_renew_and_an_old_client_is_told_to_update() {
    let _turn = turn();
    for recorded in Recorded::every() {
        play(async {
            let network = Revived::start(&recorded).await;
            for domain in [ASKER, OLD_HAND, FRESH] {
                let home = recorded.home(domain);
                let http = connect::http(&home, &recorded.clock()).expect("the old certificate is good");
                let center = connect::center(&home, &http);
                let before = home.tls().expect("an old certificate");

                // Byte for byte what a client of 2026-11-22 sends.
                let csr = ca::csr_pem(&ca::new_key_pem().expect("a key")).expect("a request");
                let body = serde_json::to_vec(&serde_json::json!({ "csr": csr })).expect("JSON");
                let url = format!("https://{}{}", center.remote().address(), paths::CERTIFICATES);
                let response = http.send(Request::post(url, JSON_MEDIA_TYPE, body)).await.expect("an answer");
                let problem: Problem = serde_json::from_slice(&response.body).expect("a problem");
                assert_eq!((problem.code.code(), problem.status), ("client-too-old", 400));
                assert!(problem.detail.contains("update `iog`"), "{}", problem.detail);

                // A leaf that says it is old: the moment of the recording is its first minutes.
                let mut leaf = http.tls().leaf().expect("it shows one");
                leaf.not_after = leaf.not_before + 1;
                let now = Timestamp::from_unix(recorded.facts.moment);
                let renewal = Renewal { home: &home, http: &http, center: &center, server: None };
                renewal.renew_if_due(&leaf, now).await.expect("an old home has all that is needed");
                assert_ne!(home.tls().expect("a new certificate").cert_pem, before.cert_pem, "{domain}");
                center.token().await.expect("the new certificate is known");
            }
            network.close().await;
        });
    }
}
