//! Processor and wall time of the whole process, which it keeps on one processor. Reads `/proc` of Linux; judges nothing.

use std::time::Instant;

use anyhow::Context as _;
use serde_json::{Value, json};

/// What a repetition took: processor time of all threads, and time that passed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    pub(crate) cpu_ms: f64,
    pub(crate) wall_ms: f64,
}

/// A repetition in progress.
pub(crate) struct Clock {
    cpu_ns: u64,
    wall: Instant,
}

impl Clock {
    pub(crate) fn start() -> anyhow::Result<Self> {
        Ok(Self { cpu_ns: cpu_ns()?, wall: Instant::now() })
    }

    pub(crate) fn stop(&self) -> anyhow::Result<Spent> {
        let wall_ms = self.wall.elapsed().as_secs_f64() * 1e3;
        Ok(Spent { cpu_ms: (cpu_ns()?.saturating_sub(self.cpu_ns)) as f64 / 1e6, wall_ms })
    }
}

/// Nanoseconds that the threads alive have run.
fn cpu_ns() -> anyhow::Result<u64> {
    let mut sum = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        match std::fs::read_to_string(task?.path().join("schedstat")) {
            Ok(text) => sum += text.split_whitespace().next().context("an empty `schedstat`")?.parse::<u64>()?,
            // A thread that ended meanwhile, such as the planner's.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(sum)
}

/// Binds this process, and every thread it starts from now on, to the last processor it may use.
pub(crate) fn pin_to_one_processor() -> anyhow::Result<String> {
    let allowed = allowed()?;
    let last = allowed.rsplit([',', '-']).next().unwrap_or(&allowed).to_owned();
    let status =
        std::process::Command::new("taskset").args(["-a", "-c", "-p", &last, &std::process::id().to_string()]).output();
    anyhow::ensure!(status.context("`taskset` of util-linux is needed")?.status.success(), "`taskset` failed");
    let now = self::allowed()?;
    anyhow::ensure!(now == last, "the process may still use processors {now}");
    Ok(now)
}

fn allowed() -> anyhow::Result<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    Ok(line.context("no `Cpus_allowed_list`")?.trim().to_owned())
}

/// The load averages of the machine.
pub(crate) fn load() -> anyhow::Result<Value> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().take(3).collect::<Vec<_>>().join(" ").into())
}

pub(crate) fn median(values: Vec<f64>) -> f64 {
    at(&sorted(values), 50)
}

pub(crate) fn spread(values: Vec<f64>) -> Value {
    if values.is_empty() {
        return Value::Null;
    }
    let values = sorted(values);
    let at = |part| rounded(at(&values, part));
    json!({"median": at(50), "p10": at(10), "p90": at(90)})
}

pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

fn at(sorted: &[f64], part: usize) -> f64 {
    sorted[(sorted.len() - 1) * part / 100]
}
