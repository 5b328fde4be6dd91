//! Both versions meet on the wire: a request and a token as an old caller sent them are accepted by a gateway of today, and
//! a request that was answered before gets the very bytes of the old answer. That a caller of today believes old answers is
//! in `receipts`; `tests/long/run versions` lets processes of both versions talk to each other.

use http::{HeaderName, HeaderValue};
use iog_client::gateway::{believe, receipt_log};
use iog_home::connect;
use iog_protocol::api::{ENVELOPE_MEDIA_TYPE, paths};
use iog_protocol::run::RunAnswer;
use iog_protocol::time::Timestamp;
use iog_transport::{Request, Response};

use super::receipts::{replica, request};
use super::recorded::{ASKER, Exchange, FRESH, OLD_HAND, Recorded};
use super::revived::{Revived, turn};
use crate::harness::play;

/// Posts an old request with the old token and the old certificate, as it stood in the recorded run.
async fn post(network: &Revived<'_>, exchange: &Exchange, service: &str) -> Response {
    let http =
        connect::http(&network.recorded.home(ASKER), &network.recorded.clock()).expect("the old certificate is good");
    let url = format!("https://{}{}", network.address(&exchange.domain), paths::fill(paths::SERVICE_RUNS, service));
    let token = HeaderValue::from_str(&format!("Bearer {}", network.recorded.token())).expect("it fits a header");
    let request = Request::post(url, ENVELOPE_MEDIA_TYPE, exchange.request.clone())
        .header(HeaderName::from_static("authorization"), token);
    http.send(request).await.expect("the gateway answers")
}

#[test]
fn an_old_request_is_run_and_a_repeated_one_gets_its_old_answer() {
    let _turn = turn();
    for recorded in Recorded::every() {
        play(async {
            let network = Revived::start(&recorded).await;
            let registry = replica(&recorded, ASKER).registry().expect("it has entries");
            for exchange in recorded.exchanges() {
                let run = request(&registry, &recorded, &exchange);
                let service = run.request.service.as_ref().expect("it was asked of a service").as_str();
                let response = post(&network, &exchange, service).await;
                assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
                if exchange.domain == OLD_HAND {
                    assert_eq!(response.body, exchange.answer, "answered before: the same bytes");
                    continue;
                }
                assert_eq!(exchange.domain, FRESH, "this home never saw the request");
                let answer: RunAnswer = serde_json::from_slice(&response.body).expect("an answer");
                let old: RunAnswer = serde_json::from_slice(&exchange.answer).expect("an answer");
                assert_eq!((&answer.outcome, &answer.result), (&old.outcome, &old.result), "the same run");
                let gateway = registry.domain(&answer.domain, Timestamp::from_unix(recorded.facts.moment));
                let log = receipt_log(recorded.home(ASKER).trust_domain(), gateway.expect("in force"));
                believe(answer, &run, &log.expect("a good key")).expect("with a receipt of today");
            }
            network.close().await;
        });
    }
}
