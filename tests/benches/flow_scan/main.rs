//! Ten million `flow/1` rows in one Parquet file through `ip-traceback`, a target that one row in ten or every row
//! matches: (a) the module as a gateway runs it, data engine and sandbox joined; (b) the same sums in native Rust over
//! the same batches; (c) the same sums in native Rust over Parquet read by hand; (d) the same question in DataFusion SQL.
//! Everything runs on one processor, every repetition decodes the file anew, and all answers must be equal.
//!
//! `cargo bench -p iog-tests --features sql-baseline --bench flow_scan -- [--rows 10000000] [--rounds 7] [--file kept.parquet]`

mod by_hand;
mod clock;
mod flows;
mod module;
mod native;
mod sql;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::clock::{Clock, Spent, spread};
use crate::flows::{CASES, Case};
use crate::native::Answer;

/// One side of the comparison and its repetitions.
#[derive(Default)]
struct Side {
    name: &'static str,
    run: Vec<Spent>,
    planning: Vec<Spent>,
}

struct Options {
    rows: u64,
    rounds: usize,
    file: Option<PathBuf>,
}

#[expect(clippy::print_stdout, reason = "the report is what the program is for")]
fn main() -> anyhow::Result<()> {
    let options = options()?;
    let processor = clock::pin_to_one_processor()?;
    let folder = tempfile::tempdir()?;
    let path = options.file.clone().unwrap_or_else(|| folder.path().join("flows.parquet"));
    if !path.exists() {
        flows::write(&path, options.rows)?;
    }
    // Threads stay, so that the time they ran is not lost with them.
    let keep = std::time::Duration::from_secs(86_400);
    let runtime = tokio::runtime::Builder::new_current_thread().thread_keep_alive(keep).enable_all().build()?;
    let mut report = json!({
        "rows": options.rows,
        "rounds": options.rounds,
        "parquet_bytes": std::fs::metadata(&path)?.len(),
        "processor": processor,
        "load_before": clock::load()?,
        "aim": "module / faster of native and sql <= 2",
    });
    for case in &CASES {
        report[format!("matches_{}_percent", case.percent)] = runtime.block_on(measure(&options, &path, case))?;
    }
    report["load_after"] = clock::load()?;
    println!("{report:#}");
    Ok(())
}

fn options() -> anyhow::Result<Options> {
    let given: Vec<String> = std::env::args().collect();
    let value = |name: &str| given.iter().position(|arg| arg == name).and_then(|at| given.get(at + 1));
    Ok(Options {
        rows: value("--rows").map_or(Ok(10_000_000), |text| text.parse())?,
        rounds: value("--rounds").map_or(Ok(7), |text| text.parse())?,
        file: value("--file").map(PathBuf::from),
    })
}

/// All sides in turns, so that a machine that changes its speed changes it for all.
async fn measure(options: &Options, path: &Path, case: &Case) -> anyhow::Result<Value> {
    let module = module::Module::load().await?;
    let mut sides = ["module", "native", "native_by_hand", "sql", "sql_filter_pushed", "decode_only"]
        .map(|name| Side { name, ..Side::default() });
    let mut usage = Value::Null;
    for _ in 0..options.rounds {
        let mut expected: Option<Answer> = None;
        for side in &mut sides {
            let clock = Clock::start()?;
            let planned = match side.name {
                "sql" | "sql_filter_pushed" => {
                    let plan = sql::plan(path, case, side.name == "sql_filter_pushed").await?;
                    side.planning.push(clock.stop()?);
                    let clock = Clock::start()?;
                    let answer = sql::run(plan).await?;
                    side.run.push(clock.stop()?);
                    Some(answer)
                }
                "native_by_hand" => {
                    let answer = by_hand::run(path, case)?;
                    side.run.push(clock.stop()?);
                    Some(answer)
                }
                name => {
                    let planned = module.plan(path).await?;
                    side.planning.push(clock.stop()?);
                    let clock = Clock::start()?;
                    let answer = match name {
                        "module" => Some(module.run(planned, case, &mut usage).await?),
                        "native" => Some(native::run(&planned, case).await?),
                        _ => native::drain(&planned, case).await?,
                    };
                    side.run.push(clock.stop()?);
                    answer
                }
            };
            if let Some(answer) = planned {
                let expected = expected.get_or_insert_with(|| answer.clone());
                anyhow::ensure!(*expected == answer, "`{}` answers otherwise: {answer:?}, not {expected:?}", side.name);
            }
        }
        let flows: u64 = expected.context("no answer")?.values().map(|sums| sums.flows).sum();
        let share = flows * 100 / options.rows;
        anyhow::ensure!(share.abs_diff(case.percent.into()) <= 1, "{flows} rows match, not {} %", case.percent);
    }
    Ok(report(options, &sides, usage))
}

fn report(options: &Options, sides: &[Side], usage: Value) -> Value {
    let medians = |pick: fn(&Spent) -> f64| -> Vec<f64> {
        sides.iter().map(|side| clock::median(side.run.iter().map(pick).collect())).collect()
    };
    let (cpu, wall) = (medians(|spent| spent.cpu_ms), medians(|spent| spent.wall_ms));
    let mut out = json!({ "usage": usage });
    for (at, side) in sides.iter().enumerate() {
        out[side.name] = json!({
            "cpu_ms": spread(side.run.iter().map(|spent| spent.cpu_ms).collect()),
            "wall_ms": spread(side.run.iter().map(|spent| spent.wall_ms).collect()),
            "planning_cpu_ms": spread(side.planning.iter().map(|spent| spent.cpu_ms).collect()),
            "rows_per_s": (options.rows as f64 / cpu[at] * 1e3).round(),
        });
    }
    // The sides by their place: 0 module, 1 native, 2 by hand, 3 and 4 SQL.
    for (name, of) in [("cpu", &cpu), ("wall", &wall)] {
        let sql = of[3].min(of[4]);
        out[format!("ratio_{name}")] = json!({
            "to_native_over_the_same_batches": clock::rounded(of[0] / of[1]),
            "to_native_by_hand": clock::rounded(of[0] / of[2]),
            "to_sql": clock::rounded(of[0] / sql),
            "to_the_fastest": clock::rounded(of[0] / of[1].min(of[2]).min(sql)),
        });
    }
    out
}
