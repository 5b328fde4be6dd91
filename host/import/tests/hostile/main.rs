//! Files that mean harm, through the bodies of the fuzz targets: every file of their corpora, thousands of changed ones,
//! and changed real files where these are. What is held true stands in `fuzz/src/targets.rs`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking and says what it skips")]

mod changes;
mod seeds;
#[expect(unreachable_pub, reason = "the fuzz targets' own crate makes it public")]
#[path = "../../fuzz/src/targets.rs"]
mod targets;
#[path = "../nfdump/writer.rs"]
mod writer;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use changes::{Numbers, changed};
use targets::{TARGETS, Target};

/// Changed files of each target, made from its corpus.
const CHANGED: usize = 1500;
/// Changed files of each real file.
const CHANGED_REAL: usize = 20;
/// Bytes of a real file that are used, decompressed: more takes time and no other way.
const REAL_BYTES: usize = 16 * 1024;
/// Bytes that are printed of a file on which a target panics.
const SHOWN_BYTES: usize = 1024;
/// What all changed files may take together, far more than they do: a decoder that has become slow is an attack as well.
const TIME_MAX: Duration = Duration::from_secs(60);

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

/// The files of a target's corpus, by name.
fn files(target: &str) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(corpus(target)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "`{target}` has no corpus");
    files
}

#[test]
fn the_corpora_are_the_seeds_and_regressions() {
    let mut wanted = BTreeSet::new();
    for (target, name, bytes) in seeds::all() {
        // What a compressor makes of the same bytes may change with its version.
        let packed = target == "stored"
            || name.starts_with("stored_")
            || ["bzip2", "zstd", "lz4"].iter().any(|method| name.contains(method));
        let found = std::fs::read(corpus(target).join(&name));
        let found = found.unwrap_or_else(|error| panic!("`{target}/{name}`: {error}; run `write_the_corpora`"));
        assert!(
            packed || found == bytes,
            "`{target}/{name}` is not what its generator writes; run `write_the_corpora`"
        );
        assert!(wanted.insert((target, name)), "two seeds have one name");
    }
    for (target, _) in TARGETS {
        for (name, _) in files(target) {
            let known = name.starts_with("regression_") || wanted.contains(&(target, name.clone()));
            assert!(known, "`{target}/{name}` is neither a seed nor called `regression_…`");
        }
    }
}

#[test]
#[ignore = "writes the seeds into the source tree"]
fn write_the_corpora() {
    for (target, name, bytes) in seeds::all() {
        std::fs::create_dir_all(corpus(target)).unwrap();
        std::fs::write(corpus(target).join(name), bytes).unwrap();
    }
}

#[test]
fn every_file_of_the_corpora_ends_well() {
    for (target, body) in TARGETS {
        for (name, bytes) in files(target) {
            println!("{target}/{name}");
            body(&bytes);
        }
    }
}

#[test]
fn changed_files_end_well() {
    let begun = Instant::now();
    for (target, body) in TARGETS {
        let files: Vec<_> = files(target).into_iter().map(|(_, bytes)| bytes).collect();
        let mut numbers = Numbers::new(target);
        for _ in 0..CHANGED {
            run((target, body), &changed(&files, &mut numbers));
        }
    }
    assert!(begun.elapsed() < TIME_MAX, "{:?}", begun.elapsed());
}

/// The targets that read real files, with the folder of those, and whether names end so.
const REAL: [(&str, &str, &str); 9] = [
    ("exports", "netflow_exports", ".dat"),
    ("datagrams", "netflow_exports", ".dat"),
    ("pcap", "ddos_captures", ".pcap"),
    ("exports_capture", "ddos_captures", ".pcap"),
    ("mrt", "ris_updates", "z"),
    ("mrt", "routeviews_rib_2014", ".bz2"),
    ("pdns", "dns_rootzone_pdns", "pdns_cof.jsonl.gz"),
    ("tables", "asn_geo_db", ".csv.gz"),
    ("stored", "dns_rootzone_pdns", "pdns_cof.jsonl.gz"),
];

#[test]
fn changed_real_files_end_well() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    for (target, folder, ending) in REAL {
        let Ok(entries) = std::fs::read_dir(shared.join(folder)) else {
            println!("skipped: no `{}`", shared.join(folder).display());
            continue;
        };
        let body = TARGETS.iter().find(|(name, _)| *name == target).unwrap().1;
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.to_str().unwrap().ends_with(ending));
        paths.sort();
        assert!(!paths.is_empty(), "`{folder}` has no files that end in `{ending}`");
        for path in paths {
            let real = [beginning(&path, target)];
            let mut numbers = Numbers::new(path.to_str().unwrap());
            for _ in 0..CHANGED_REAL {
                run((target, body), &changed(&real, &mut numbers));
            }
        }
    }
}

/// The beginning of a real file as the target takes it.
fn beginning(path: &Path, target: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    if target == "stored" {
        bytes = std::fs::read(path).unwrap();
        bytes.truncate(REAL_BYTES);
        return bytes;
    }
    let mut file = std::fs::File::open(path).unwrap();
    iog_import::stored::Stored::open(&mut file, path).unwrap().read_up_to(REAL_BYTES, &mut bytes).unwrap();
    match target {
        "tables" => bytes.insert(0, if path.to_str().unwrap().contains("country") { 3 } else { 1 }),
        "datagrams" => {
            let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
            bytes.splice(..0, [1, 0, length[0], length[1]]);
        }
        _ => {}
    }
    bytes
}

/// Runs a target; when it panics, prints the first bytes so that they can be kept as a regression.
fn run((target, body): Target, bytes: &[u8]) {
    let result = std::panic::catch_unwind(|| body(bytes));
    if let Err(panic) = result {
        let hex: String = bytes.iter().take(SHOWN_BYTES).map(|byte| format!("{byte:02x}")).collect();
        println!("{target} panics on {} bytes: {hex}", bytes.len());
        std::panic::resume_unwind(panic);
    }
}
