//! What takes a place in the queue, and what is told before.

use std::time::Duration;

use iog_protocol::run::{Outcome, RunRequest};

use super::Gateway;
use crate::config::QuotaConfig;
use crate::queue::Full;
use crate::runs::submit::{SubmitError, Submitted};
use crate::runs::under_way::Stage;
use crate::testkit::{hello, id, request, signed};

#[tokio::test]
async fn what_is_for_no_service_is_refused_though_the_queue_is_full() {
    let gateway = Gateway::new(QuotaConfig::default()).await;
    let queue = &gateway.parts.submitter.queue;
    let _places: Vec<_> =
        ["caller", "other"].iter().flat_map(|who| (0..4).map(|_| queue.enter(&id(who), &hello()).unwrap())).collect();
    assert!(matches!(gateway.submit(&request(1)).await, Err(SubmitError::Full(Full::Caller { .. }))));
    let nowhere = RunRequest { service: Some("nothing".parse().unwrap()), ..request(2) };
    let Outcome::Refused { code, .. } = gateway.answer(&nowhere).await.0.outcome else { panic!("not refused") };
    assert_eq!(code, "unknown-service");
    let module = RunRequest { service: None, module: iog_protocol::ids::Digest::of(b"another"), ..request(3) };
    let Outcome::Refused { code, .. } = gateway.answer(&module).await.0.outcome else { panic!("not refused") };
    assert_eq!(code, "unknown-service");
    assert_eq!((queue.load(), gateway.receipts().await), ((4, 4), 2));
    let path = "elsewhere".parse().unwrap();
    let (shown, envelope) = (gateway.shown("caller"), signed(&request(4), 21).to_bytes());
    let other = gateway.parts.submitter.submit(&shown, &envelope, Some(&path), Duration::from_secs(1)).await;
    assert!(matches!(other, Err(SubmitError::OtherService { .. })), "{other:?}");
}

#[tokio::test]
async fn who_does_not_wait_learns_how_far_the_run_is() {
    let gateway = Gateway::new(QuotaConfig::default()).await;
    let places: Vec<_> = (0..4).map(|_| gateway.parts.submitter.queue.enter(&id("other"), &hello()).unwrap()).collect();
    let (shown, envelope) = (gateway.shown("caller"), signed(&request(1), 21).to_bytes());
    let at_once = gateway.parts.submitter.submit(&shown, &envelope, None, Duration::ZERO).await.unwrap();
    assert_eq!(at_once, Submitted::UnderWay { id: request(1).request_id, stage: Stage::Queued });
    drop(places);
    tokio::time::timeout(Duration::from_secs(20), async {
        while !matches!(gateway.stored(&request(1)).await, Some(crate::journal::StoredRun::Answered(_))) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
}
