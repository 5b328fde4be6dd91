//! Random components and random manifests through everything that a gateway does with a module: inspect, compare with what was
//! signed, compile in a child, bind, plan, call once. Nothing may panic, here or in a child, no process, thread, file or memory
//! may be left, and nothing may take longer than it is allowed.
//!
//! The same seeds give the same cases. A seed that fails is printed with the command that repeats it. Short without being
//! told otherwise; docs/reliability.md, "Random modules", has the long form. It has a main function of its own since it is
//! also the program of its children.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod asking;
mod case;
mod held;
mod kinds;
mod manifests;
mod mutated;
mod panics;
mod params;
mod random;
mod rounds;
mod settings;
mod sql;
mod stage;
#[path = "../../host/sandbox/tests/support/mod.rs"]
mod support;
mod typed;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use rounds::Found;
use settings::Settings;

fn main() -> ExitCode {
    if let Some(code) = iog_sandbox::child_main(std::env::args_os()) {
        return code;
    }
    if !settings::is_asked_for() {
        return ExitCode::SUCCESS;
    }
    let settings = Settings::read();
    // Idle threads end soon, so that what is left can be told from what waits for more.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .thread_keep_alive(Duration::from_secs(1))
        .enable_all()
        .build()
        .unwrap();
    panics::watch();
    if let Some(one) = settings.only {
        let came = runtime.block_on(rounds::alone(one));
        eprintln!("{came:?}");
        return if came.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let begun = Instant::now();
    let found = runtime.block_on(rounds::all(&settings));
    report(&found, begun.elapsed());
    if found.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn report(found: &Found, took: Duration) {
    for ((kind, came), count) in &found.came {
        eprintln!("{kind}: {count} {came}");
    }
    for fault in &found.faults {
        eprintln!("FAULT {fault}");
    }
    let sum = |is: &dyn Fn(&str, &str) -> bool| -> u64 {
        found.came.iter().filter(|((kind, came), _)| is(kind, came)).map(|(_, count)| count).sum()
    };
    let called = |came: &str| ["succeeded", "trapped", "at a limit", "time", "parameters refused"].contains(&came);
    let manifests = sum(&|kind, _| kind == "manifest");
    let slowest = found.slowest.as_ref().map(|(took, which)| format!("{:.1} s ({which})", took.as_secs_f64()));
    let held = found.held.map(|(before, after)| {
        format!(
            "{} children, {} → {} threads, {} → {} files, {} → {} MiB",
            after.children,
            before.threads,
            after.threads,
            before.files,
            after.files,
            before.resident_mib,
            after.resident_mib
        )
    });
    eprintln!(
        "figures: {} components and {manifests} manifests, {} called, {} faults; slowest {}; late beside others {}; \
         the reader of WIT broke off {} times and was caught; {}; {:.0} s",
        sum(&|_, _| true) - manifests,
        sum(&|_, came| called(came)),
        found.faults.len(),
        slowest.unwrap_or_default(),
        found.late_beside_others,
        found.caught,
        held.unwrap_or_default(),
        took.as_secs_f64()
    );
}
