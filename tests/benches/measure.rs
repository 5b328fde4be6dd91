//! Two things timed in turns, so that a machine that changes its speed changes it for both. It judges nothing.

use std::time::Instant;

use serde_json::{Value, json};

/// Times `rounds` rounds of `each` calls of both sides in turns. Times are microseconds a call.
///
/// # Errors
/// The first error of either side.
pub(crate) async fn compare(
    rounds: u32,
    each: u32,
    mut ours: impl AsyncFnMut() -> anyhow::Result<()>,
    mut baseline: impl AsyncFnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Value> {
    let (mut our_times, mut baseline_times, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let our_time = time(each, &mut ours).await?;
        let baseline_time = time(each, &mut baseline).await?;
        ratios.push(our_time / baseline_time);
        our_times.push(our_time);
        baseline_times.push(baseline_time);
    }
    Ok(json!({
        "rounds": rounds,
        "calls_per_round": each,
        "ours_us": spread(our_times),
        "baseline_us": spread(baseline_times),
        "ratio": spread(ratios),
    }))
}

async fn time(calls: u32, what: &mut impl AsyncFnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let start = Instant::now();
    for _ in 0..calls {
        what().await?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(calls))
}

fn spread(mut values: Vec<f64>) -> Value {
    values.sort_by(f64::total_cmp);
    let at = |part: usize| (values[(values.len() - 1) * part / 100] * 1000.0).round() / 1000.0;
    json!({"median": at(50), "p10": at(10), "p90": at(90), "min": at(0), "max": at(100)})
}
