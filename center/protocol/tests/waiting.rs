//! Requests that wait: each holds what it was sent as and nothing that its parameters would become. The allocator counts.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::time::Instant;

use iog_protocol::dsse::{Content as _, Signed};
use iog_protocol::ids::{Digest, RequestId};
use iog_protocol::keys::SecretKey;
use iog_protocol::run::RunRequest;
use iog_protocol::time::Timestamp;
use peak_alloc::PeakAlloc;
use serde_json::Value;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Running and waiting at a gateway, by default.
const REQUESTS: usize = 72;

/// The heaviest JSON that a request has room for.
fn envelope() -> Vec<u8> {
    let objects = vec![serde_json::json!({"": {}}); 23_500];
    let key = SecretKey::from_seed([1; 32]);
    let request = RunRequest {
        request_id: RequestId::from_bytes([1; 16]),
        audience: "gateway".parse().unwrap(),
        caller: "caller".parse().unwrap(),
        module: Digest::of(b"module"),
        entry: "trace".parse().unwrap(),
        params: serde_json::json!({"p": objects}).into(),
        purpose: "test".into(),
        service: None,
        actor: None,
        agreement: None,
        issued: Timestamp::from_unix(0),
        expires: Timestamp::from_unix(60),
    };
    Signed::sign(&request, &[&key]).unwrap().to_bytes()
}

#[test]
fn a_request_that_waits_holds_its_text() {
    let envelope = envelope();
    assert!(envelope.len() > RunRequest::ENVELOPE_BYTES_MAX * 9 / 10, "{}", envelope.len());
    assert!(envelope.len() <= RunRequest::ENVELOPE_BYTES_MAX, "{}", envelope.len());
    let key = SecretKey::from_seed([1; 32]).public();
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let begun = Instant::now();
    let waiting: Vec<RunRequest> = (0..REQUESTS)
        .map(|_| Signed::<RunRequest>::parse(&envelope).unwrap().verify(&[key]).unwrap().into_inner())
        .collect();
    let (each, peak) = ((ALLOCATOR.current_usage() - before) / REQUESTS, ALLOCATOR.peak_usage().saturating_sub(before));
    eprintln!("{REQUESTS} requests: {each} bytes each, {peak} at the peak, {:?}", begun.elapsed());
    assert!(each < RunRequest::ENVELOPE_BYTES_MAX, "{each}");
    assert!(peak < (REQUESTS + 8) * RunRequest::ENVELOPE_BYTES_MAX, "{peak}");

    let one = ALLOCATOR.current_usage();
    let read: Value = serde_json::from_str(waiting[0].params.text()).unwrap();
    let as_json = ALLOCATOR.current_usage() - one;
    assert!(as_json > 40 * each, "{as_json} as JSON of {} members", read.as_object().unwrap().len());
}
