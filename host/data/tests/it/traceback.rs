//! The real flow logs beside the project, where they exist: counts agree with a plain line count, and the plain group-by
//! of the attack's target is found in each of them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use crate::common::{all, query};
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use iog_data::{Dataset, Engine, ParamType, QueryLimits, SourceSpec, Value};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/traceback/snmp_reflection");
const TARGET: &str = "10.10.10.10";

/// Flows, bytes by neighbour as a few lines of plain text work count them.
fn by_hand(path: &Path) -> (u64, BTreeMap<u64, (u64, u64)>) {
    let file = flate2::read::MultiGzDecoder::new(std::fs::File::open(path).unwrap());
    let (mut lines, mut groups) = (0, BTreeMap::new());
    for line in BufReader::new(file).lines().skip(1) {
        let line = line.unwrap();
        let fields: Vec<&str> = line.split(',').collect();
        lines += 1;
        if fields[3] == TARGET {
            let group: &mut (u64, u64) = groups.entry(fields[10].parse().unwrap()).or_default();
            group.0 += 1;
            group.1 += fields[8].parse::<u64>().unwrap();
        }
    }
    (lines, groups)
}

#[tokio::test]
async fn real_traces_are_counted_right() {
    if !Path::new(FOLDER).exists() {
        eprintln!("skipped: `{FOLDER}` is absent");
        return;
    }
    let mut files: Vec<_> = std::fs::read_dir(FOLDER).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "gz"));
    assert_eq!(files.len(), 27);
    let mut schema = crate::common::flow_schema();
    schema.columns.retain(|column| column.name != "note");
    let sql = "SELECT ingress_as, count(*) AS flows, sum(bytes) AS bytes FROM flows WHERE ip_in(dst, $target) GROUP BY ingress_as";
    let engine = Engine::new().unwrap();
    for path in files {
        let dataset = Arc::new(Dataset::open("as", &schema, SourceSpec::csv(&path)).await.unwrap());
        let (lines, expected) = by_hand(&path);
        assert_eq!(dataset.check().await.unwrap().rows, lines, "{}", path.display());
        let slots = BTreeMap::from([("flows".to_owned(), dataset)]);
        let planned = engine.plan(slots, &[query(sql, &[("target", ParamType::Prefix)])]).await.unwrap();
        let answer = planned.open("q", vec![Value::Text(TARGET.into())], QueryLimits::default()).await.unwrap();
        let mut found = BTreeMap::new();
        for batch in all(answer).await.unwrap() {
            let flows = arrow_cast::cast(batch.column(1), &arrow_schema::DataType::UInt64).unwrap();
            for row in 0..batch.num_rows() {
                let value = |at: usize| batch.column(at).as_primitive::<UInt64Type>().value(row);
                found.insert(value(0), (flows.as_primitive::<UInt64Type>().value(row), value(2)));
            }
        }
        assert_eq!(found, expected, "{}", path.display());
    }
}
