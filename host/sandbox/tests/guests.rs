//! Guests on threads of their own: what one of them does in a single step, which nothing can stop, holds up nobody on the
//! threads of whoever asks; and everything that ends a run or serves it goes on as ever.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use iog_sandbox::{
    CancelFlag, Guests, HostAnswer, HostPort, HostRequest, LimitKind, NothingGranted, RunOutcome, RunReport, RunSpec,
    Runner as _, Sandbox, SandboxConfig,
};
use serde_json::json;
use support::{data_guest, guest, spec};
use tokio::runtime::{Handle, Id};
use tokio::task::JoinHandle;

const RUNS_MAX: u32 = 8;
/// Waits that are measured.
const WAITS: usize = 40;
const MEMORY_BYTES: usize = 256 << 20;

fn sandbox(guests: Guests) -> Sandbox {
    Sandbox::new(&SandboxConfig { runs_max: RUNS_MAX, guests, ..SandboxConfig::compiling_here() }).unwrap()
}

/// Fills all of the largest memory, again and again.
fn fill() -> String {
    guest(
        "",
        "(drop (memory.grow (i32.const 4094)))
        (loop $l (memory.fill (i32.const 0) (i32.const 7) (i32.const 268435456)) (br $l)) unreachable",
    )
}

fn spin() -> String {
    guest("", "(loop $l (br $l)) unreachable")
}

async fn endless(sandbox: &Sandbox, wat: &str, wall: Duration) -> RunSpec {
    let module = sandbox.load(&wat::parse_str(wat).unwrap()).await.unwrap();
    let mut spec = spec(&module, json!({}));
    (spec.limits.fuel, spec.limits.memory_bytes, spec.limits.wall) = (1 << 50, MEMORY_BYTES, wall);
    spec
}

fn start(sandbox: &Sandbox, spec: RunSpec) -> JoinHandle<RunReport> {
    let sandbox = sandbox.clone();
    tokio::spawn(async move { sandbox.run(spec, Arc::new(NothingGranted)).await })
}

/// How long each of some waits of a millisecond took beyond it, sorted: what a request meets at every `await`.
async fn delays() -> Vec<Duration> {
    let mut all = Vec::new();
    for _ in 0..WAITS {
        let begun = Instant::now();
        tokio::spawn(tokio::time::sleep(Duration::from_millis(1))).await.unwrap();
        all.push(begun.elapsed().saturating_sub(Duration::from_millis(1)));
    }
    all.sort();
    all
}

async fn beside_six(guests: Guests) -> Vec<Duration> {
    let sandbox = sandbox(guests);
    let spec = endless(&sandbox, &fill(), Duration::from_secs(300)).await;
    let cancel = spec.cancel.clone();
    let filling: Vec<_> = (0..6).map(|_| start(&sandbox, spec.clone())).collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let delays = delays().await;
    cancel.cancel();
    for run in filling {
        assert_eq!(run.await.unwrap().outcome, RunOutcome::Cancelled);
    }
    delays
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_guests_that_fill_all_of_their_memory_hold_up_nobody() {
    let idle = delays().await;
    let here = beside_six(Guests::Here).await;
    let apart = beside_six(Guests::Apart(2)).await;
    for (name, delays) in [("idle", &idle), ("beside six, on these threads", &here), ("apart", &apart)] {
        let (half, most) = (delays[WAITS / 2], delays[WAITS - 2]);
        eprintln!("{name}: half the waits took at most {half:?} too long, all but one {most:?}");
    }
    // It is far less than half; but other programs want the processors too.
    assert!(apart[WAITS / 2] < here[WAITS / 2] / 2, "{:?} is not half of {:?}", apart[WAITS / 2], here[WAITS / 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_and_cancelling_end_a_guest_that_only_computes() {
    let sandbox = sandbox(Guests::Apart(1));
    for wat in [spin(), fill()] {
        let spec = endless(&sandbox, &wat, Duration::from_millis(200)).await;
        let begun = Instant::now();
        let report = sandbox.run(spec, Arc::new(NothingGranted)).await;
        assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Time));
        // 0.2 s and a step on an idle machine; the tests beside this one want both processors too.
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());

        let spec = RunSpec { cancel: CancelFlag::new(), ..endless(&sandbox, &wat, Duration::from_secs(300)).await };
        let (cancel, run) = (spec.cancel.clone(), start(&sandbox, spec));
        tokio::time::sleep(Duration::from_millis(100)).await;
        cancel.cancel();
        assert_eq!(run.await.unwrap().outcome, RunOutcome::Cancelled);
    }
}

#[tokio::test]
async fn a_run_that_nobody_waits_for_gives_its_place_back() {
    let one = SandboxConfig { runs_max: 1, guests: Guests::Apart(1), ..SandboxConfig::compiling_here() };
    let sandbox = Sandbox::new(&one).unwrap();
    let spinning = endless(&sandbox, &spin(), Duration::from_secs(60)).await;
    for _ in 0..3 {
        let run = sandbox.run(spinning.clone(), Arc::new(NothingGranted));
        assert!(tokio::time::timeout(Duration::from_millis(50), run).await.is_err());
    }
    let five = endless(&sandbox, &guest("", "(i32.const 5)"), Duration::from_secs(10)).await;
    let report = sandbox.run(five, Arc::new(NothingGranted)).await;
    assert_eq!(report.outcome, RunOutcome::Succeeded { json: "5".into() });
}

/// Uses what a host's data use of the runtime, and remembers which one it was and on which thread.
#[derive(Default)]
struct Ordinary(Mutex<Vec<(Id, Option<String>)>>);

#[async_trait]
impl HostPort for Ordinary {
    async fn call(&self, request: HostRequest) -> HostAnswer {
        let thread = std::thread::current().name().map(str::to_owned);
        self.0.lock().unwrap().push((Handle::current().id(), thread));
        tokio::time::sleep(Duration::from_millis(5)).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (near, far) = tokio::join!(tokio::net::TcpStream::connect(address), listener.accept());
        drop((near.unwrap(), far.unwrap()));
        tokio::task::spawn_blocking(move || request.unserved()).await.unwrap()
    }
}

#[tokio::test]
async fn the_host_is_asked_within_the_runtime_of_whoever_asks() {
    let sandbox = sandbox(Guests::Apart(1));
    let open = "(call $open (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 64)) (i32.const 1)";
    let spec = endless(&sandbox, &data_guest(open), Duration::from_secs(10)).await;
    let host = Arc::new(Ordinary::default());
    let report = sandbox.run(spec, host.clone()).await;
    assert_eq!(report.outcome, RunOutcome::Succeeded { json: "1".into() });
    let asked = host.0.lock().unwrap().clone();
    assert_eq!(asked, [(Handle::current().id(), Some("guest".to_owned()))]);
}

/// Panics when it is asked.
struct Broken;

#[async_trait]
impl HostPort for Broken {
    async fn call(&self, _: HostRequest) -> HostAnswer {
        panic!("a defect of the host")
    }
}

#[tokio::test]
async fn a_defect_of_the_host_reaches_whoever_asked_and_nobody_else() {
    let sandbox = sandbox(Guests::Apart(1));
    let open = "(call $open (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 64)) (i32.const 1)";
    let spec = endless(&sandbox, &data_guest(open), Duration::from_secs(10)).await;
    let (asking, broken) = (sandbox.clone(), spec.clone());
    let ended = tokio::spawn(async move { asking.run(broken, Arc::new(Broken)).await }).await;
    assert!(ended.unwrap_err().is_panic());
    let report = sandbox.run(spec, Arc::new(NothingGranted)).await;
    assert_eq!(report.outcome, RunOutcome::Succeeded { json: "1".into() });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_threads_costs_little_beside_a_request() {
    let mut each = Vec::new();
    for guests in [Guests::Here, Guests::Apart(2)] {
        let sandbox = sandbox(guests);
        let spec = endless(&sandbox, &guest("", "(i32.const 5)"), Duration::from_secs(10)).await;
        let begun = Instant::now();
        for _ in 0..200 {
            let report = sandbox.run(spec.clone(), Arc::new(NothingGranted)).await;
            assert_eq!(report.outcome, RunOutcome::Succeeded { json: "5".into() });
        }
        each.push(begun.elapsed() / 200);
        eprintln!("{guests:?}: {:?} a run", each[each.len() - 1]);
    }
    assert!(each[1] < each[0] + Duration::from_millis(5), "{each:?}");
}
