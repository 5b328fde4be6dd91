//! `iog demo` as a newcomer runs it, on generated flows and on real ones. Real flows lie beside the project; without them
//! the stories say that they were skipped.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde_json::{Value, json};

use crate::harness::process::Iog;

/// Flow logs with what is true about them, from the workspace's root.
fn real_data(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/traceback").join(folder);
    if path.join("truth.json").is_file() {
        return Some(path);
    }
    eprintln!("SKIPPED: there is no `{}`", path.display());
    None
}

fn demo(args: &[&str]) -> Value {
    let folder = tempfile::tempdir().expect("a temporary folder");
    Iog::at(folder.path()).json(&[&["demo"], args].concat())
}

/// What every demo's object has, whatever the data.
fn assert_shape(object: &Value, domains: usize) {
    let members: BTreeSet<&str> = object.as_object().expect("one object").keys().map(String::as_str).collect();
    let documented = ["dataset_bytes", "domains", "left_bytes", "log_size", "module", "result", "runs"];
    assert!(documented.iter().all(|member| members.contains(member)), "{members:?}");
    assert_eq!(object["domains"], json!(domains));
    assert_eq!(
        (&object["module"]["name"], &object["module"]["version"]),
        (&json!("iog/ip-traceback"), &json!("1.0.0"))
    );
    assert!(object["module"]["digest"].as_str().expect("a digest").starts_with("sha256:"));
    let (dataset, left) =
        (object["dataset_bytes"].as_u64().expect("bytes"), object["left_bytes"].as_u64().expect("bytes"));
    assert!(left > 0 && dataset > 0);
    let runs = object["runs"].as_array().expect("runs");
    assert_eq!(runs.len(), domains);
    for run in runs {
        assert_eq!((&run["outcome"], &run["receipt_ok"]), (&json!("succeeded"), &json!(true)), "{run}");
        for cost in ["rows_read", "bytes_read", "fuel"] {
            let cost = run[cost].as_u64().expect("a number");
            assert!(cost == 0 || cost.is_power_of_two(), "costs are those of the caller's receipt: {run}");
        }
        assert!(run["result_bytes"].as_u64().is_some_and(|bytes| bytes > 0) && run["domain"].is_string(), "{run}");
    }
}

/// Edges without anything but ends and sums, in one order.
fn edges(of: &Value) -> Vec<[u64; 4]> {
    let number = |edge: &Value, member: &str| edge[member].as_u64().unwrap_or_else(|| panic!("`{member}` in {edge}"));
    let short = |edge: &Value| ["from", "to", "flows", "bytes"].map(|member| number(edge, member));
    let mut edges: Vec<_> = of.as_array().expect("edges").iter().map(short).collect();
    edges.sort_unstable();
    edges
}

fn real_traces_give_the_true_edges(folder: &str, target: &str, domains: usize) {
    let Some(data) = real_data(folder) else { return };
    let truth = std::fs::read(data.join("truth.json")).expect("it is there");
    let truth: Value = serde_json::from_slice(&truth).expect("JSON");
    let object = demo(&["--data", data.to_str().expect("UTF-8"), "--target", target]);
    assert_shape(&object, domains);
    let expected = edges(&truth["edges_seen_by_answering_ases"]);
    assert!(!expected.is_empty() && expected.iter().all(|[from, ..]| *from != 0), "0 is not a neighbour");
    assert_eq!(edges(&object["result"]["edges"]), expected);
    let stored: u64 = std::fs::read_dir(&data)
        .expect("it is there")
        .filter_map(|entry| {
            let entry = entry.expect("readable");
            let is_log = entry.file_name().to_string_lossy().ends_with(".csv.gz");
            is_log.then(|| entry.metadata().expect("readable").len())
        })
        .sum();
    assert_eq!(object["dataset_bytes"], json!(stored));
}

#[test]
fn a_real_snmp_reflection_is_traced_through_27_domains() {
    real_traces_give_the_true_edges("snmp_reflection", "10.10.10.10", 27);
}

#[test]
fn a_real_bacnet_reflection_is_traced_through_16_domains() {
    real_traces_give_the_true_edges("bacnet_iot_reflection", "10.10.10.1", 16);
}

#[test]
fn the_generated_world_is_traced() {
    let object = demo(&[]);
    assert_shape(&object, 12);
    let rows: u64 = object["runs"].as_array().expect("runs").iter().filter_map(|run| run["rows_read"].as_u64()).sum();
    assert!(rows > 0, "{object}");
    let dataset = object["dataset_bytes"].as_u64().expect("bytes");
    let left = object["left_bytes"].as_u64().expect("bytes");
    assert!(dataset > 50 * left, "answers are small beside the data: {left} of {dataset}");
    let edges = edges(&object["result"]["edges"]);
    assert!(edges.iter().any(|[from, to, ..]| (*from, *to) == (64497, 64496)), "{edges:?}");
    assert!(object["result"]["entry-points"].as_array().is_some_and(|entries| !entries.is_empty()), "{object}");
}

#[test]
fn a_million_flows_are_generated_and_always_the_same() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let generate = |name: &str| iog_cli::demo::inputs::generated(&folder.path().join(name)).expect("it can be written");
    let rows = |file: &Path| {
        let file = std::fs::File::open(file).expect("it was written");
        let reader = SerializedFileReader::new(file).expect("it is Parquet");
        reader.metadata().file_metadata().num_rows()
    };
    let (once, again) = (generate("once"), generate("again"));
    let total: i64 = once.iter().map(|input| rows(&input.file)).sum();
    assert!(total >= 1_000_000, "{total} flows");
    for (one, other) in once.iter().zip(&again) {
        let bytes = |file: &Path| std::fs::read(file).expect("it was written");
        assert!(bytes(&one.file) == bytes(&other.file), "AS{} is generated as it was before", one.asn);
    }
}

#[test]
fn real_data_need_a_target_and_real_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let iog = Iog::at(folder.path());
    let without_target = iog.run(&["demo", "--data", "."]);
    assert_eq!(
        (without_target.code, without_target.stderr.contains("--target")),
        (1, true),
        "{}",
        without_target.stderr
    );
    let without_files = iog.run(&["demo", "--data", ".", "--target", "192.0.2.1"]);
    assert_eq!(
        (without_files.code, without_files.stderr.contains("as<N>.csv.gz")),
        (1, true),
        "{}",
        without_files.stderr
    );
}
