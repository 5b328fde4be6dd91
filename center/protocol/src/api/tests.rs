//! Codes, problems and paths: stable, complete, and read back as they were written.

use super::*;
use crate::ids::RequestId;
use std::collections::BTreeSet;

#[test]
fn every_code_round_trips_through_a_problem() {
    for code in ApiErrorCode::ALL.iter().copied() {
        let problem = Problem::new(code, "why").with_request(RequestId::from_bytes([1; 16]));
        let read: Problem = serde_json::from_slice(&problem.to_json()).unwrap();
        assert_eq!(read, problem);
        assert_eq!(read.status, code.status());
        assert_eq!(ApiErrorCode::from_code(code.code()), code);
        assert_eq!(serde_json::to_value(code).unwrap(), code.code());
        assert!((400..600).contains(&code.status()), "{code}");
        assert!(code.title().ends_with('.') && !code.title().starts_with(' '), "{:?}", code.title());
    }
}

#[test]
fn codes_are_kebab_case_and_unique() {
    let codes: BTreeSet<_> = ApiErrorCode::ALL.iter().map(|code| code.code()).collect();
    assert_eq!(codes.len(), ApiErrorCode::ALL.len());
    for code in codes {
        assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{code}");
    }
}

#[test]
fn an_unknown_code_is_read_as_unknown() {
    let json = r#"{"type":"x","title":"t","status":499,"code":"from-the-future","extra":1}"#;
    let problem: Problem = serde_json::from_str(json).unwrap();
    assert_eq!((problem.code, problem.status), (ApiErrorCode::Unknown, 499));
    assert_eq!(ApiErrorCode::from_code("from-the-future"), ApiErrorCode::Unknown);
}

#[test]
fn a_problem_has_the_documented_form() {
    let problem = Problem::new(ApiErrorCode::UnknownModule, "module `sha256:00` is not in the registry");
    insta::assert_snapshot!(String::from_utf8(problem.to_json()).unwrap(), @r#"{"type":"https://iog.example/problem/unknown-module","title":"No such module.","status":404,"detail":"module `sha256:00` is not in the registry","code":"unknown-module"}"#);
    assert_eq!(problem.to_string(), "module `sha256:00` is not in the registry (unknown-module)");
}

#[test]
fn waiting_helps_only_where_the_server_says_so() {
    let retryable: Vec<_> = ApiErrorCode::ALL.iter().filter(|code| code.is_retryable()).map(|c| c.code()).collect();
    let expected =
        ["request-timeout", "quota-exceeded", "rate-limited", "busy", "unavailable", "registry-stale", "rules-too-new"];
    assert_eq!(retryable, expected);
}

#[test]
fn paths_are_unique_and_filled() {
    assert_eq!(paths::ALL.iter().collect::<BTreeSet<_>>().len(), paths::ALL.len());
    assert!(paths::ALL.iter().all(|path| path.starts_with('/')));
    assert_eq!(paths::fill(paths::RUN_RECEIPT, "00ff"), "/v1/runs/00ff/receipt");
    assert_eq!(paths::fill(paths::LOG_TILE, "0/000"), "/log/tile/0/000");
    assert_eq!(paths::fill(paths::BLOB, "sha256:00"), "/v1/blobs/sha256:00");
    assert_eq!(paths::fill(paths::RUNS, "x"), "/v1/runs");
}

#[test]
fn bytes_are_standard_base64() {
    let json = serde_json::to_string(&Base64Bytes(vec![0xfb, 0xff])).unwrap();
    assert_eq!(json, "\"+/8=\"");
    assert_eq!(serde_json::from_str::<Base64Bytes>(&json).unwrap().0, [0xfb, 0xff]);
    for bad in ["\"-_8=\"", "\"+/8\"", "\"+/9=\"", "7"] {
        assert!(serde_json::from_str::<Base64Bytes>(bad).is_err(), "{bad}");
    }
}
