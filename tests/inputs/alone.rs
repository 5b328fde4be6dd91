//! One case at a time in this process, held to what it takes and to what it leaves: resident memory at its peak; afterwards
//! threads and open files as before; and no panic anywhere, not even in a task that nobody waits for.

use std::fs;
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

/// MiB that a case may take beside the memory of its runs: compiling in this process, and what the test itself writes, of
/// which there are several copies of up to eight.
const SLACK_MIB: u64 = 96;
/// How long threads and files may take to be gone.
const SETTLED_MAX: Duration = Duration::from_secs(10);

static ONE: Mutex<()> = Mutex::new(());
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// What this process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    threads: usize,
    files: usize,
}

impl Held {
    fn now() -> Self {
        let tasks = fs::read_dir("/proc/self/task").unwrap().filter_map(|task| task.ok());
        let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
        // The harness names the thread of a test by its path; those come and go.
        let threads = names.filter(|name| !name.contains("::")).count();
        Self { threads, files: fs::read_dir("/proc/self/fd").unwrap().count() }
    }
}

/// Runs a case whose runs may have so many MiB.
pub(crate) fn alone<T>(memory_mib: u64, case: impl AsyncFnOnce() -> T) -> T {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    prepare();
    let (before, panics) = (Held::now(), PANICS.load(Ordering::Relaxed));
    // The peak begins anew, where the kernel lets one say so.
    let measured = fs::write("/proc/self/clear_refs", "5").is_ok();
    let resident = status_kib("VmRSS:");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let out = runtime.block_on(case());
    drop(runtime);
    let grown = status_kib(if measured { "VmHWM:" } else { "VmRSS:" }).saturating_sub(resident) >> 10;
    assert!(grown < memory_mib + SLACK_MIB, "{grown} MiB were taken, {memory_mib} MiB and {SLACK_MIB} MiB may be");
    assert_eq!(PANICS.load(Ordering::Relaxed), panics, "something panicked");
    let (begun, mut after) = (Instant::now(), Held::now());
    while after.threads > before.threads || after.files > before.files {
        assert!(begun.elapsed() < SETTLED_MAX, "{before:?} before, {after:?} afterwards");
        std::thread::sleep(Duration::from_millis(20));
        after = Held::now();
    }
    eprintln!("resident +{grown} MiB at the peak, {} threads and {} files as before", after.threads, after.files);
    out
}

/// Makes what is made once in a process and kept: the engine, its threads, the descriptors of the runtime. Counts panics.
fn prepare() {
    static SET: Once = Once::new();
    SET.call_once(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(crate::support::run(&crate::support::guest("", "(i32.const 0)")));
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            usual(info);
        }));
    });
}

fn status_kib(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
