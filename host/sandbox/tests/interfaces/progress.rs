//! `progress`: only forward, in steps of ten.

use std::sync::Arc;

use iog_sandbox::{HostRequest, LimitKind, RunOutcome};

use super::hostile::{Hostile, succeeded};
use super::support::{Scripted, run_with};

/// Reports for ever, up and down.
pub(super) const HOSTILE: Hostile = Hostile {
    interface: "iog:guest/progress@0.1.0",
    guest: || {
        reporter(
            "(loop $l (call $report (i32.const 255)) (call $report (i32.const 0)) (br_if $l (i32.const 1))) (i32.const 0)",
        )
    },
    ends: || RunOutcome::Limit(LimitKind::Fuel),
};

/// A guest whose `run` has `progress.report` as `$report`.
fn reporter(body: &str) -> String {
    format!(
        r#"(component
          (import "iog:guest/progress@0.1.0" (instance $progress (export "report" (func (param "percent" u8)))))
          (core func $report (canon lower (func $progress "report")))
          (core module $main
            (import "" "report" (func $report (param i32)))
            (func (export "run") (result i32) {body}))
          (core instance $i (instantiate $main (with "" (instance (export "report" (func $report))))))
          (func (export "run") (result u32) (canon lift (core func $i "run"))))"#
    )
}

#[tokio::test]
async fn progress_moves_forward_in_steps_of_ten() {
    let reports: String = [5, 11, 19, 20, 15, 99, 255, 100].map(|p| format!("(call $report (i32.const {p}))")).concat();
    let host = Arc::new(Scripted::default());
    let report = run_with(&reporter(&format!("{reports} (i32.const 0)")), host.clone(), |_| ()).await;
    assert_eq!(report.outcome, succeeded("0"));
    let steps: Vec<_> = host
        .asked
        .lock()
        .unwrap()
        .iter()
        .map(|r| match r {
            HostRequest::Progress(request) => request.percent,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(steps, [10, 20, 90, 100]);
}
