//! Times both sides in turns and prints a line for each.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use iog_import::{FileReport, ImportError};

/// How one of our importers reads a file.
pub(crate) type Ours = fn(&Path, &mut File) -> Result<FileReport, ImportError>;

/// A file to read.
pub(crate) struct Input<'a> {
    pub(crate) name: &'a str,
    pub(crate) path: &'a Path,
    pub(crate) runs: usize,
    pub(crate) slow_runs: usize,
}

/// A side is slow when a run takes so long, in seconds.
const SLOW_S: f64 = 3.0;

/// Median, tenth and ninetieth percentile.
struct Spread {
    median: f64,
    p10: f64,
    p90: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |percent: usize| sorted[((sorted.len() - 1) * percent + 50) / 100];
        Self { median: at(50), p10: at(10), p90: at(90) }
    }
}

/// What a run took, in seconds.
#[derive(Clone, Copy)]
struct Took {
    wall: f64,
    /// On a processor, which a busy machine does not lengthen by waiting.
    processor: f64,
}

/// The first lines of the table.
pub(crate) fn heading() {
    println!(
        "| file | side | MB | rows | seconds (p10, p90) | processor s | MB/s | million rows/s | times as fast: wall (p10, p90), processor |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
}

/// Times ours and each of theirs on one file.
pub(crate) fn compare(input: &Input<'_>, ours: Ours, theirs: &[&str]) {
    let bytes = input.path.metadata().expect("the file was written").len();
    let open = || File::open(input.path).expect("the file was written");
    let rows = ours(input.path, &mut open()).expect("the file is sound").rows;
    let size = Size { bytes, rows };
    let read = || {
        let mut file = open();
        took(own_s, || drop(std::hint::black_box(ours(input.path, &mut file).expect("the file is sound"))))
    };
    if theirs.is_empty() {
        let times: Vec<_> = (0..input.runs).map(|_| read()).collect();
        line((input.name, "ours"), size, &times, None);
    }
    for command in theirs {
        let Some(first) = external(command, input.path) else {
            println!("skipped: {}: `{command}` cannot be run", input.name);
            continue;
        };
        let runs = if first.wall > SLOW_S { input.slow_runs } else { input.runs };
        let (mut mine, mut other) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            mine.push(read());
            other.push(external(command, input.path).expect("it ran before"));
        }
        line((input.name, "ours"), size, &mine, Some(&other));
        line((input.name, command), size, &other, None);
    }
}

/// Times something; `clock` tells the seconds on a processor.
fn took(clock: fn() -> f64, run: impl FnOnce()) -> Took {
    let (processor, begun) = (clock(), Instant::now());
    run();
    Took { wall: begun.elapsed().as_secs_f64(), processor: clock() - processor }
}

/// Seconds that this thread has been on a processor; 0 where Linux does not say it.
fn own_s() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

/// Seconds that ended children have been on a processor; 0 where Linux does not say it. Its unit is 10 ms.
fn children_s() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit(") ").next().unwrap_or_default().split(' ');
    fields.skip(13).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// What a command takes on a file; none when it cannot be run or fails.
fn external(command: &str, path: &Path) -> Option<Took> {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let mut words = command.split(' ');
    let mut call = Command::new(words.next()?);
    for word in words {
        match word {
            "FILE" => call.arg(path),
            "FOLDER" => call.arg(folder.path()),
            word => call.arg(word),
        };
    }
    call.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut status = None;
    let took = took(children_s, || status = call.status().ok());
    status?.success().then_some(took)
}

/// What is in a file.
#[derive(Clone, Copy)]
struct Size {
    bytes: u64,
    rows: u64,
}

/// Prints one side; `than` is what the other one took, run by run.
fn line((name, side): (&str, &str), size: Size, times: &[Took], than: Option<&[Took]>) {
    let of = |times: &[Took], what: fn(&Took) -> f64| Spread::of(&times.iter().map(what).collect::<Vec<_>>());
    let (wall, processor) = (of(times, |took| took.wall), of(times, |took| took.processor).median);
    let megabytes = size.bytes as f64 / 1e6;
    let faster = than.map_or_else(String::new, |than| {
        let ratios: Vec<_> = times.iter().zip(than).map(|(ours, theirs)| theirs.wall / ours.wall).collect();
        let ratio = Spread::of(&ratios);
        let theirs = of(than, |took| took.processor).median;
        format!("{:.2} ({:.2}, {:.2}), {:.2}", ratio.median, ratio.p10, ratio.p90, theirs / processor)
    });
    println!(
        "| {name} | {side} | {megabytes:.0} | {} | {:.3} ({:.3}, {:.3}) | {processor:.3} | {:.0} | {:.2} | {faster} |",
        size.rows,
        wall.median,
        wall.p10,
        wall.p90,
        megabytes / wall.median,
        size.rows as f64 / wall.median / 1e6,
    );
}

/// Numbers that look random and are the same every time.
pub(crate) struct Numbers(u64);

impl Numbers {
    /// The numbers of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next one, of 32 bits.
    pub(crate) fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.0 >> 32).expect("the upper half of 64 bits")
    }

    /// The next one below `end`.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        self.next() % end
    }
}
