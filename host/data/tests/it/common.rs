//! What the tests of this crate share: a flow schema, generated flows, and short ways to open, plan and run.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::SchemaRef;
use iog_data::{
    ColumnSpec, ColumnType, DataError, Dataset, Engine, ParamType, PlanError, Planned, QueryError, QueryLimits,
    QuerySpec, Rows, SourceSpec, TableSchema, Value,
};

/// A flow table like `flow/1`, with an optional text column.
pub(crate) fn flow_schema() -> TableSchema {
    let column = |name: &str, ty, required| ColumnSpec { name: name.into(), ty, required };
    TableSchema {
        id: "flow/test".into(),
        columns: vec![
            column("start", ColumnType::Timestamp, true),
            column("end", ColumnType::Timestamp, true),
            column("src", ColumnType::Address, true),
            column("dst", ColumnType::Address, true),
            column("proto", ColumnType::Uint, true),
            column("packets", ColumnType::Uint, true),
            column("bytes", ColumnType::Uint, true),
            column("ingress_as", ColumnType::Uint, false),
            column("note", ColumnType::Text, false),
        ],
    }
}

/// Deterministic flows: `rows` of them from the `from`-th on, times ascending, one target in ten.
pub(crate) fn flows(from: u64, rows: u64) -> RecordBatch {
    let ids = || from..from + rows;
    let mix = |id: u64| (id ^ (id >> 7)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let address = |bytes: [u8; 4]| iog_data::address_bytes(std::net::IpAddr::from(bytes));
    let addresses = |of: &dyn Fn(u64) -> [u8; 16]| -> ArrayRef {
        Arc::new(FixedSizeBinaryArray::try_from_iter(ids().map(of)).unwrap())
    };
    let src = addresses(&|id| {
        let [a, b, c, ..] = mix(id).to_le_bytes();
        address([100 + a % 50, b, c, 1])
    });
    let dst = addresses(&|id| {
        if id % 10 == 0 { address([192, 0, 2, 1]) } else { address([203, 0, 113, (mix(id) >> 40) as u8]) }
    });
    let uint = |of: &dyn Fn(u64) -> Option<u64>| -> ArrayRef { Arc::new(ids().map(of).collect::<UInt64Array>()) };
    let time = |plus: i64| -> ArrayRef {
        Arc::new(ids().map(|id| 1_626_105_669_000_000 + id as i64 * 1_234 + plus).collect::<Int64Array>())
    };
    let arrays = vec![
        time(0),
        time(5_000_001),
        src,
        dst,
        uint(&|id| Some([6, 17, 1][(id % 3) as usize])),
        uint(&|id| Some(1 + mix(id) % 1000)),
        uint(&|id| Some(40 + (mix(id) >> 20) % 1_000_000)),
        uint(&|id| (id % 7 != 3).then_some(64_500 + id % 5)),
        Arc::new(ids().map(|id| (id % 4 == 1).then(|| format!("n,\"{}\"", id % 11))).collect::<StringArray>())
            as ArrayRef,
    ];
    RecordBatch::try_new(schema_ref(), arrays).unwrap()
}

pub(crate) fn schema_ref() -> SchemaRef {
    flow_schema().arrow()
}

/// The same rows as CSV text, timestamps in seconds.
pub(crate) fn csv_text(batch: &RecordBatch) -> String {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Int64Type, UInt64Type};
    let mut text = String::from("start,end,src,dst,proto,packets,bytes,ingress_as,note\n");
    let seconds = |at: usize, row: usize| {
        let micros = batch.column(at).as_primitive::<Int64Type>().value(row);
        format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
    };
    let address = |at: usize, row: usize| {
        iog_data::address_text(&batch.column(at).as_fixed_size_binary().value(row).try_into().unwrap())
    };
    let uint = |at: usize, row: usize| {
        let array = batch.column(at);
        if array.is_null(row) { String::new() } else { array.as_primitive::<UInt64Type>().value(row).to_string() }
    };
    for row in 0..batch.num_rows() {
        let note = batch.column(8).as_string::<i32>();
        let note = if batch.column(8).is_null(row) {
            String::new()
        } else {
            format!("\"{}\"", note.value(row).replace('"', "\"\""))
        };
        text.push_str(&format!(
            "{},{},{},{},{},{},{},{},{note}\n",
            seconds(0, row),
            seconds(1, row),
            address(2, row),
            address(3, row),
            uint(4, row),
            uint(5, row),
            uint(6, row),
            uint(7, row)
        ));
    }
    text
}

pub(crate) fn query(sql: &str, params: &[(&str, ParamType)]) -> QuerySpec {
    let params = params.iter().map(|(name, ty)| ((*name).to_owned(), *ty)).collect();
    QuerySpec { name: "q".into(), sql: sql.into(), params }
}

pub(crate) async fn open(spec: SourceSpec) -> Result<Arc<Dataset>, DataError> {
    Ok(Arc::new(Dataset::open("flows-at-home", &flow_schema(), spec).await?))
}

pub(crate) async fn memory(batches: Vec<RecordBatch>) -> Arc<Dataset> {
    open(SourceSpec::Memory(batches)).await.unwrap()
}

pub(crate) async fn plan(dataset: &Arc<Dataset>, spec: QuerySpec) -> Result<Planned, PlanError> {
    let slots = BTreeMap::from([("flows".to_owned(), Arc::clone(dataset)), ("other".to_owned(), Arc::clone(dataset))]);
    Engine::new().unwrap().plan(slots, &[spec]).await
}

pub(crate) async fn all(mut rows: Rows) -> Result<Vec<RecordBatch>, QueryError> {
    let mut batches = Vec::new();
    while let Some(batch) = rows.next().await? {
        batches.push(batch);
    }
    Ok(batches)
}

pub(crate) async fn run(
    dataset: &Arc<Dataset>,
    spec: QuerySpec,
    values: Vec<Value>,
) -> Result<Vec<RecordBatch>, QueryError> {
    let planned = plan(dataset, spec).await.unwrap();
    all(planned.open("q", values, QueryLimits::default()).await?).await
}

pub(crate) fn rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

pub(crate) fn write(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) -> std::path::PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn text(value: &str) -> Value {
    Value::Text(value.into())
}
