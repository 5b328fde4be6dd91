//! What this process holds: children, threads, open files, resident memory. It is compared after each batch with what it was
//! after the first ones, when all that is made once had been made.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use crate::stage::MODULES_MAX;

/// How long what is not needed any more may take to be gone: idle threads of the runtime end after a second.
const SETTLED_MAX: Duration = Duration::from_secs(30);
/// What resident memory may grow by while the cases go on: a quarter of what it was, as an allocator that has seen larger
/// cases keeps more, and so many MiB. A leak of a kilobyte a case shows after a hundred thousand.
const GROWTH_SHARE: u64 = 4;
const GROWTH_MIB: u64 = 32;
/// Open files that may come and go: the modules that are kept have images of their memories, in files without names.
const FILES_MAX: usize = 4 * MODULES_MAX;

/// What is held at one time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) children: usize,
    pub(crate) threads: usize,
    pub(crate) files: usize,
    pub(crate) resident_mib: u64,
}

impl Held {
    pub(crate) fn now() -> Self {
        Self {
            children: children(),
            threads: fs::read_dir("/proc/self/task").unwrap().count(),
            files: fs::read_dir("/proc/self/fd").unwrap().count(),
            resident_mib: resident_kib() >> 10,
        }
    }

    /// What is held when what ends by itself has ended.
    pub(crate) async fn settled() -> Self {
        let begun = Instant::now();
        let mut last = Self::now();
        while begun.elapsed() < Duration::from_secs(3) || last.children > 0 && begun.elapsed() < SETTLED_MAX {
            tokio::time::sleep(Duration::from_millis(100)).await;
            last = Self::now();
        }
        last
    }

    /// What is held now that was not held before, if anything is.
    pub(crate) async fn kept_since(&self) -> Result<Self, String> {
        let begun = Instant::now();
        loop {
            let now = Self::now();
            let Some(more) = self.more(&now) else { return Ok(now) };
            if begun.elapsed() > SETTLED_MAX {
                return Err(format!("{more}: {self:?} before, {now:?} now"));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn more(&self, now: &Self) -> Option<&'static str> {
        let resident_max = self.resident_mib + self.resident_mib / GROWTH_SHARE + GROWTH_MIB;
        let kinds = [
            ("children are left", now.children > 0),
            ("threads are left", now.threads > self.threads),
            ("files are left open", now.files > self.files + FILES_MAX),
            ("memory is left", now.resident_mib > resident_max),
        ];
        kinds.into_iter().find_map(|(what, is_more)| is_more.then_some(what))
    }
}

/// Processes whose parent this one is, also those that nobody has waited for yet.
fn children() -> usize {
    let parent = std::process::id().to_string();
    let stats =
        fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("stat")).ok());
    // Number, name in parentheses, state, parent.
    stats
        .filter(|stat| stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)) == Some(&parent))
        .count()
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// How long each thread of this process has waited for a processor so far.
pub(crate) struct Waited(BTreeMap<String, Duration>);

impl Waited {
    pub(crate) fn now() -> Self {
        let tasks = fs::read_dir("/proc/self/task").unwrap().filter_map(|task| task.ok());
        let waited = tasks.filter_map(|task| {
            let stat = fs::read_to_string(task.path().join("schedstat")).ok()?;
            let waited = stat.split_whitespace().nth(1)?.parse().ok()?;
            Some((task.file_name().to_string_lossy().into_owned(), Duration::from_nanos(waited)))
        });
        Self(waited.collect())
    }

    /// What they have waited since then.
    pub(crate) fn since(&self) -> Duration {
        let before = |thread: &String| self.0.get(thread).copied().unwrap_or_default();
        Self::now().0.iter().map(|(thread, now)| now.saturating_sub(before(thread))).sum()
    }
}
