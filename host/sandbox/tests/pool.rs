//! One module against the pool of all: as many core instances and tables as a component may have, in all places but one, and
//! what becomes of everybody else.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use iog_sandbox::{
    LimitKind, LoadError, Module, NothingGranted, RunOutcome, RunReport, Runner as _, Sandbox, SandboxConfig,
};
use serde_json::json;
use support::{guest, spec};

const RUNS_MAX: u32 = 8;

/// Others' runs beside an attack may take so many times what they take alone, and a moment for being disturbed.
const SLOWER_MAX: u32 = 20;
const LATE_MAX: Duration = Duration::from_secs(1);
/// MiB that the attack may have resident: seven runs of tables of 20,000 elements and of 32 instances, and room for tests beside.
const GROWN_MIB_MAX: u64 = 96;

/// 32 core instances whose entry spins for ever, as an outside audit wrote it: 388 bytes.
fn many() -> String {
    let instances: String = (0..32).map(|i| format!("(core instance $i{i} (instantiate $m))")).collect();
    format!(
        r#"(component (core module $m (func (export "spin") (loop $l (br $l)))) {instances}
          (func (export "run") (canon lift (core func $i0 "spin"))))"#
    )
}

/// Eight tables, likewise.
fn tables() -> String {
    let instances: String = (0..8).map(|i| format!("(core instance $i{i} (instantiate $m))")).collect();
    format!(
        r#"(component (core module $m (table 20000 funcref) (func (export "spin") (loop $l (br $l)))) {instances}
          (func (export "run") (canon lift (core func $i0 "spin"))))"#
    )
}

fn pooled() -> Sandbox {
    Sandbox::new(&SandboxConfig { runs_max: RUNS_MAX, ..SandboxConfig::compiling_here() }).unwrap()
}

async fn module(sandbox: &Sandbox, wat: &str) -> Arc<Module> {
    sandbox.load(&wat::parse_str(wat).unwrap()).await.unwrap()
}

/// Starts a run of its own task with so much time.
fn start(sandbox: &Sandbox, module: &Arc<Module>, wall: Duration) -> tokio::task::JoinHandle<RunReport> {
    let (sandbox, mut spec) = (sandbox.clone(), spec(module, json!({})));
    spec.limits.fuel = u64::MAX >> 1;
    spec.limits.wall = wall;
    tokio::spawn(async move { sandbox.run(spec, Arc::new(NothingGranted)).await })
}

/// So many runs one after the other, all of which succeed; the slowest.
async fn slowest(sandbox: &Sandbox, hello: &Arc<Module>) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let started = Instant::now();
        let report = start(sandbox, hello, Duration::from_secs(20)).await.unwrap();
        assert_eq!(report.outcome, RunOutcome::Succeeded { json: "5".into() });
        slowest = slowest.max(started.elapsed());
    }
    slowest
}

/// Memory of this process that is resident, in MiB.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_module_that_takes_much_of_the_pool_fails_nobody_elses_run() {
    for heavy in [many(), tables()] {
        let sandbox = pooled();
        let (heavy, hello) = (module(&sandbox, &heavy).await, module(&sandbox, &guest("", "(i32.const 5)")).await);
        let (idle, resident) = (slowest(&sandbox, &hello).await, resident_mib());
        let spinning: Vec<_> = (1..RUNS_MAX).map(|_| start(&sandbox, &heavy, Duration::from_secs(2))).collect();
        tokio::time::sleep(Duration::from_millis(200)).await;
        let (beside, grown) = (slowest(&sandbox, &hello).await, resident_mib().saturating_sub(resident));
        eprintln!(
            "50 runs: the slowest took {idle:?} alone and {beside:?} beside {} heavy ones, {grown} MiB",
            RUNS_MAX - 1
        );
        assert!(beside <= idle * SLOWER_MAX + LATE_MAX, "{beside:?}, {idle:?} alone");
        assert!(grown <= GROWN_MIB_MAX, "{grown} MiB");
        for run in spinning {
            assert_eq!(run.await.unwrap().outcome, RunOutcome::Limit(LimitKind::Time));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_finds_all_places_taken_waits_and_never_fails() {
    let sandbox = pooled();
    let (heavy, hello) = (module(&sandbox, &many()).await, module(&sandbox, &guest("", "(i32.const 5)")).await);
    let spinning: Vec<_> = (0..2 * RUNS_MAX).map(|_| start(&sandbox, &heavy, Duration::from_secs(1))).collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let waited = start(&sandbox, &hello, Duration::from_secs(20)).await.unwrap();
    assert_eq!(waited.outcome, RunOutcome::Succeeded { json: "5".into() });
    let mut in_time = 0;
    for run in spinning {
        match run.await.unwrap().outcome {
            RunOutcome::Limit(LimitKind::Time) => in_time += 1,
            // Its time went by before it had a place: that is ours, and no limit of the module's.
            RunOutcome::Failed(problem) => assert!(problem.contains("no slot became free"), "{problem}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(in_time >= RUNS_MAX, "{in_time}");
}

#[tokio::test]
async fn what_can_never_run_is_refused_when_it_is_loaded() {
    let core = r#"(core module $m (memory 1)) (core instance (instantiate $m))"#;
    let twice = format!("(component (component $c {core}) (instance (instantiate $c)) (instance (instantiate $c)))");
    let wasm = wat::parse_str(&twice).unwrap();
    let plain = Sandbox::new(&SandboxConfig { pooled: false, ..SandboxConfig::compiling_here() }).unwrap();
    for sandbox in [pooled(), plain] {
        let error = sandbox.load(&wasm).await.unwrap_err();
        assert!(matches!(&error, LoadError::NeverFits { .. }), "{error:?}");
        eprintln!("{error}");
    }
}
