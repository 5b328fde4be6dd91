//! How fast files are decoded, against the tools that operators use on the same files: `nfdump`, `nfpcapd`, `tshark`,
//! `bgpdump`. `cargo bench -p iog-import --bench import -- [MB a file] [runs] [part of a name]`; the part is not a number.
//!
//! Ours is one thread, from the file as stored to Arrow batches, which are dropped; writing Parquet is another crate's
//! work and not in it. Theirs is the whole command as printed, its output written to nowhere. Both read the same file
//! from the page cache, in turns, so that a machine that slows down slows both. The files are generated, always the same
//! ones, and one real table of routes where it is there.
#![expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]

mod exports;
mod flows;
mod measure;
mod routes;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use arrow_array::RecordBatch;
use iog_import::columns::Sink;
use iog_import::exports::Exports;
use iog_import::flows::{FlowOptions, FlowTable};
use iog_import::netflow::ExportOptions;
use iog_import::{FileReport, ImportError, mrt, nfdump, pcap};

use measure::{Input, Ours, compare, heading};

/// Bytes of a generated file, in units of 10⁶, when the caller names no number.
const MEGABYTES: usize = 100;
/// Times that each side reads each file, when the caller names no number.
const RUNS: usize = 7;
/// Times that a tool reads a file when it is many times slower, and the part of the usual file that it is given.
const RUNS_OF_SLOW_TOOLS: usize = 3;
const PART_FOR_SLOW_TOOLS: usize = 10;

/// Takes batches and keeps nothing.
struct Nowhere;

impl Sink for Nowhere {
    fn batch(&mut self, batch: RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        std::hint::black_box(batch);
        Ok(())
    }
}

fn bare(path: &Path, file: &mut File) -> Result<FileReport, ImportError> {
    Exports::default().read(file, path, &mut Nowhere, &mut |_| ())
}

fn captured(path: &Path, file: &mut File) -> Result<FileReport, ImportError> {
    Exports::default().read_capture(file, path, &mut Nowhere, &mut |_| ())
}

fn nfdump(path: &Path, file: &mut File) -> Result<FileReport, ImportError> {
    nfdump::read(file, path, &ExportOptions::default(), &mut Nowhere, &mut |_| ())
}

fn pcap(path: &Path, file: &mut File) -> Result<FileReport, ImportError> {
    pcap::read(file, path, &mut FlowTable::new(FlowOptions::default()), &mut Nowhere, &mut |_| ())
}

fn mrt(path: &Path, file: &mut File) -> Result<FileReport, ImportError> {
    mrt::read(file, path, &mrt::Options::default(), &mut Nowhere, &mut |_| ())
}

/// What a tool is called with, `FILE` and `FOLDER` standing for the file and an empty folder.
const NFDUMP: [&str; 1] = ["nfdump -q -r FILE -o null"];
const NFDUMP_CSV: [&str; 1] = ["nfdump -q -r FILE -o csv"];
const NFPCAPD: [&str; 1] = ["nfpcapd -r FILE -w FOLDER"];
const TSHARK: [&str; 1] = ["tshark -n -r FILE -T fields -e ip.src -e ip.dst -e ip.proto -e ip.len"];
const CFLOW: [&str; 1] = ["tshark -n -r FILE -d udp.port==2055,cflow -T fields -e cflow.srcaddr -e cflow.octets"];
const BGPDUMP: [&str; 1] = ["bgpdump -m FILE"];

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse::<usize>().ok());
    let bytes = numbers.next().unwrap_or(MEGABYTES) * 1_000_000;
    let runs = numbers.next().unwrap_or(RUNS);
    let part = arguments.iter().find(|argument| argument.parse::<usize>().is_err()).map_or("", String::as_str);
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let store = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("there is room for temporary files");
        path
    };
    heading();
    let run = |name: &str, path: &Path, ours: Ours, theirs: &[&str]| {
        if name.contains(part) {
            compare(&Input { name, path, runs, slow_runs: RUNS_OF_SLOW_TOOLS.min(runs) }, ours, theirs);
        }
    };
    for (name, make) in exports::FILES {
        run(name, &store("exports", &make(bytes)), bare, &[]);
    }
    let small = bytes / PART_FOR_SLOW_TOOLS;
    run("netflow v9 in pcap", &store("v9.pcap", &exports::in_pcap(small)), captured, &CFLOW);
    run("nfdump, into text", &store("nfdump.small", &flows::nfdump(small)), nfdump, &NFDUMP_CSV);
    let plain = store("nfdump", &flows::nfdump(bytes));
    run("nfdump, not compressed", &plain, nfdump, &NFDUMP);
    for (name, option) in [("nfdump, lzo", "-z"), ("nfdump, lz4", "-y"), ("nfdump, bzip2", "-j")] {
        match packed(&plain, option) {
            Some(path) => run(name, &path, nfdump, &NFDUMP),
            None => println!("skipped: {name}: `nfdump` is not installed"),
        }
    }
    run("pcap into flows", &store("pcap", &flows::pcap(bytes)), pcap, &NFPCAPD);
    run("pcap, fields", &store("pcap.small", &flows::pcap(small)), pcap, &TSHARK);
    run("mrt table", &store("table", &routes::table(bytes)), mrt, &BGPDUMP);
    run("mrt updates", &store("updates", &routes::updates(bytes)), mrt, &BGPDUMP);
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/routeviews_rib_2014");
    let real = real.join("rib.20140523.0600.first9072.mrt.bz2");
    if real.exists() {
        run("mrt table of 2014, bzip2", &real, mrt, &BGPDUMP);
    } else {
        println!("skipped: {} is absent", real.display());
    }
}

/// The file as nfdump itself compresses it; none without nfdump.
fn packed(plain: &Path, option: &str) -> Option<PathBuf> {
    let path = plain.with_extension(option);
    let status = Command::new("nfdump").args(["-q", option, "-r"]).arg(plain).arg("-w").arg(&path).output().ok()?;
    (status.status.success() && path.exists()).then_some(path)
}
