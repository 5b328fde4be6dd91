//! Requests that must be refused before anything else is asked, and the JSON forms of outcomes and results.

use serde_json::Value;

use super::*;

fn request() -> RunRequest {
    RunRequest {
        request_id: RequestId::from_bytes([7; 16]),
        audience: "as64500".parse().unwrap(),
        caller: "as64501".parse().unwrap(),
        module: Digest::of(b"module"),
        entry: "trace".parse().unwrap(),
        params: serde_json::json!({"target": "192.0.2.1"}).into(),
        purpose: "incident 4711".to_owned(),
        service: None,
        actor: None,
        agreement: None,
        issued: Timestamp::from_unix(1_000_000),
        expires: Timestamp::from_unix(1_000_300),
    }
}

fn check(change: impl FnOnce(&mut RunRequest), now: i64) -> Result<(), RunRequestError> {
    let mut request = request();
    change(&mut request);
    request.check(&"as64500".parse().unwrap(), Timestamp::from_unix(now))
}

#[test]
fn a_request_counts_from_issue_to_expiry_with_the_leeway() {
    for (now, fits) in [(999_939, false), (999_940, true), (1_000_000, true), (1_000_359, true), (1_000_360, false)] {
        assert_eq!(check(|_| (), now).is_ok(), fits, "{now}");
    }
    assert!(matches!(check(|_| (), 999_000), Err(RunRequestError::NotYet { .. })));
    assert!(matches!(check(|_| (), 2_000_000), Err(RunRequestError::Expired { .. })));
}

#[test]
fn members_out_of_bounds_are_named() {
    type Change = fn(&mut RunRequest);
    let cases: [(Change, &str); 9] = [
        (|r| r.params = serde_json::json!([1]).into(), "`params`"),
        (|r| r.params = Value::from_iter((0..65).map(|i| (i.to_string(), 0))).into(), "`params`"),
        (|r| r.purpose = " ".into(), "`purpose`"),
        (|r| r.purpose = "a\nb".into(), "`purpose`"),
        (|r| r.purpose = "é".repeat(501), "`purpose`"),
        (|r| r.actor = Some(String::new()), "`actor`"),
        (|r| r.expires = r.issued, "`expires`"),
        (|r| r.expires = r.issued.plus_seconds(3601), "`expires`"),
        (|r| r.audience = r.caller.clone(), "for domain `as64501`, this is `as64500`"),
    ];
    for (change, expected) in cases {
        let error = check(change, 1_000_000).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn outcomes_have_one_documented_json_form() {
    let cases = [
        (Outcome::Succeeded, r#"{"state":"succeeded"}"#),
        (Outcome::Trapped { kind: "unreachable".into() }, r#"{"state":"trapped","kind":"unreachable"}"#),
        (Outcome::Limit { which: LimitKind::HostCalls }, r#"{"state":"limit","which":"host_calls"}"#),
        (
            Outcome::refused(ApiErrorCode::PolicyDenied, "no"),
            r#"{"state":"refused","code":"policy-denied","reason":"no"}"#,
        ),
        (Outcome::Cancelled, r#"{"state":"cancelled"}"#),
        (Outcome::Failed { reason: "disk".into() }, r#"{"state":"failed","reason":"disk"}"#),
    ];
    for (outcome, json) in cases {
        assert_eq!(serde_json::to_string(&outcome).unwrap(), json);
        assert_eq!(serde_json::from_str::<Outcome>(json).unwrap(), outcome);
        let state = serde_json::to_value(outcome.state()).unwrap();
        assert_eq!(serde_json::to_value(&outcome).unwrap()["state"], state);
        assert!(outcome.state().is_final());
    }
    assert!(!RunState::Queued.is_final() && !RunState::Running.is_final());
    for limit in LimitKind::ALL {
        assert_eq!(serde_json::to_value(limit).unwrap(), limit.name());
    }
}

#[test]
fn results_keep_every_byte() {
    for text in [r#"{"z":1.10,"a":1e2,"n":null}"#, "null", "[0.1000000000000000055]"] {
        let result = ResultJson::parse(text.to_owned()).unwrap();
        let again: ResultJson = serde_json::from_str(&serde_json::to_string(&result).unwrap()).unwrap();
        assert_eq!(again.as_str(), text);
        assert_eq!(again.digest(), Digest::of(text.as_bytes()));
    }
    assert!(ResultJson::parse("{".to_owned()).is_err());
}

#[test]
fn signed_requests_round_trip() {
    let key = crate::keys::SecretKey::from_seed([3; 32]);
    let signed = crate::dsse::Signed::sign(&request(), &[&key]).unwrap();
    let read = crate::dsse::Signed::<RunRequest>::parse(&signed.to_bytes()).unwrap();
    assert_eq!(read.verify(&[key.public()]).unwrap().into_inner(), request());
    let other = crate::keys::SecretKey::from_seed([4; 32]).public();
    assert!(read.verify(&[other]).is_err());
}
