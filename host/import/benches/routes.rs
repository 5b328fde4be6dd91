//! How fast MRT is decoded, against `bgpdump -m` on the same files: one thread, from the file as stored to Arrow batches
//! (ours) or to lines written to nowhere (theirs). Names what is absent.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use iog_import::columns::Sink;
use iog_import::mrt;

const FILES: [&str; 2] =
    ["routeviews_rib_2014/rib.20140523.0600.first9072.mrt.bz2", "ris_updates/bview.20020722.2337.gz"];

/// Runs of which the fastest counts.
const RUNS: usize = 5;

/// Keeps nothing.
struct Nowhere;

impl Sink for Nowhere {
    fn batch(&mut self, batch: arrow_array::RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        std::hint::black_box(batch);
        Ok(())
    }
}

fn fastest(mut run: impl FnMut()) -> Duration {
    let times = (0..RUNS).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed()
    });
    times.min().expect("there are several runs")
}

fn import(path: &Path) -> u64 {
    let mut file = File::open(path).expect("the file is there");
    let report = mrt::read(&mut file, path, &mrt::Options::default(), &mut Nowhere, &mut |_| ());
    report.expect("the file is sound").rows
}

#[expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
fn main() {
    for name in FILES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
        let Ok(stored) = path.metadata() else {
            println!("skipped: {} is absent", path.display());
            continue;
        };
        let mut rows = 0;
        let ours = fastest(|| rows = import(&path)).as_secs_f64();
        let (mib, rate) = (stored.len() as f64 / 1_048_576.0 / ours, rows as f64 / ours);
        println!("{name}: {rows} rows in {ours:.3} s, {rate:.0} rows/s, {mib:.1} MiB/s as stored");
        let theirs =
            || Command::new("bgpdump").arg("-m").arg(&path).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if theirs().is_err() {
            println!("skipped: bgpdump is not installed");
            continue;
        }
        let theirs = fastest(|| drop(theirs())).as_secs_f64();
        println!("  bgpdump -m: {theirs:.3} s; ours takes {:.2} of it", ours / theirs);
    }
}
