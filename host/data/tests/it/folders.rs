//! Folders of Parquet files: columns in the names of folders, files that come while the dataset is open.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use iog_data::{DataError, Dataset, ParamType, SourceSpec, TimestampUnit, Value};

use crate::common::{flow_schema, flows, memory, open, query, rows, run, schema_ref, text};

/// Writes flows without the columns that the folders are to have.
fn put(root: &std::path::Path, folder: &str, batch: &RecordBatch) {
    let kept: Vec<usize> = (0..batch.num_columns()).filter(|at| ![4, 8].contains(at)).collect();
    let folder = root.join(folder);
    std::fs::create_dir_all(&folder).unwrap();
    let batch = batch.project(&kept).unwrap();
    iog_data::write_parquet(&folder.join("part.parquet"), batch.schema(), &[batch]).unwrap();
}

/// The same rows with `proto` and `note` as the folders have them.
fn with(batch: &RecordBatch, proto: u64, note: Option<&str>) -> RecordBatch {
    let mut columns = batch.columns().to_vec();
    columns[4] = Arc::new(arrow_array::UInt64Array::from(vec![proto; batch.num_rows()]));
    columns[8] = Arc::new(arrow_array::StringArray::from(vec![note; batch.num_rows()]));
    RecordBatch::try_new(schema_ref(), columns).unwrap()
}

#[tokio::test]
async fn columns_in_the_names_of_folders_are_columns() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "proto=17/note=a%2Fb", &flows(0, 500));
    put(dir.path(), "proto=6/note=__HIVE_DEFAULT_PARTITION__", &flows(500, 700));
    let expected = memory(vec![with(&flows(0, 500), 17, Some("a/b")), with(&flows(500, 700), 6, None)]).await;
    for path in [dir.path().to_owned(), dir.path().join("**/*.parquet"), dir.path().join("proto=*/*/part.parquet")] {
        let dataset = open(SourceSpec::parquet(&path)).await.unwrap();
        assert_eq!(dataset.snapshot().rows, Some(1200));
        for (sql, params, values) in [
            ("SELECT src, proto, note, bytes FROM flows", vec![], vec![]),
            ("SELECT note FROM flows WHERE proto = $p", vec![("p", ParamType::Uint)], vec![Value::Uint(6)]),
            ("SELECT proto FROM flows WHERE note = $n", vec![("n", ParamType::Text)], vec![text("a/b")]),
            ("SELECT bytes FROM flows WHERE proto = 17 AND packets > 500", vec![], vec![]),
        ] {
            let a = run(&expected, query(sql, &params), values.clone()).await.unwrap();
            let b = run(&dataset, query(sql, &params), values).await.unwrap();
            assert_eq!(a, b, "{}: {sql}", path.display());
        }
        assert_eq!(dataset.check().await.unwrap().files, 2);
    }
}

#[tokio::test]
async fn a_folder_with_another_condition_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "proto=17", &flows(0, 500));
    put(dir.path(), "proto=6", &flows(500, 700));
    let dataset = open(SourceSpec::parquet(dir.path())).await.unwrap();
    // The file of the other folder is gone: whoever looks into it fails.
    std::fs::remove_file(dir.path().join("proto=6/part.parquet")).unwrap();
    let read = run(&dataset, query("SELECT bytes FROM flows WHERE proto = 17", &[]), vec![]).await.unwrap();
    assert_eq!(rows(&read), 500);
    assert!(run(&dataset, query("SELECT bytes FROM flows WHERE proto = 6", &[]), vec![]).await.is_err());
}

#[tokio::test]
async fn a_folder_that_grows_is_another_dataset_when_it_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "proto=17", &flows(0, 500));
    let before = open(SourceSpec::parquet(dir.path())).await.unwrap();
    assert!(before.is_current().await);
    // What a writer has not finished is not there yet.
    std::fs::create_dir_all(dir.path().join("proto=6")).unwrap();
    std::fs::write(dir.path().join("proto=6/_part.parquet"), b"PAR1").unwrap();
    std::fs::write(dir.path().join("proto=6/part.parquet.partial"), b"PAR1").unwrap();
    assert!(before.is_current().await);
    put(dir.path(), "proto=6", &flows(500, 700));
    assert!(!before.is_current().await);
    let select = || query("SELECT bytes FROM flows", &[]);
    assert_eq!(rows(&run(&before, select(), vec![]).await.unwrap()), 500, "what is open stays as it was");
    let after = open(SourceSpec::parquet(dir.path())).await.unwrap();
    assert_eq!(rows(&run(&after, select(), vec![]).await.unwrap()), 1200);
    assert_ne!(before.snapshot().digest, after.snapshot().digest);
    // The same files under other names of folders are other rows.
    std::fs::rename(dir.path().join("proto=6"), dir.path().join("proto=60")).unwrap();
    assert_ne!(open(SourceSpec::parquet(dir.path())).await.unwrap().snapshot().digest, after.snapshot().digest);
}

#[tokio::test]
async fn a_folder_name_that_does_not_fit_is_named() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "proto=udp", &flows(0, 5));
    let Err(DataError::Misfit(misfit)) = open(SourceSpec::parquet(dir.path())).await else { panic!() };
    assert_eq!(misfit.column.as_deref(), Some("proto"));
    assert!(misfit.reason.contains("`udp` in its path does not fit") && misfit.file.contains("proto=udp"), "{misfit}");
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(open(SourceSpec::parquet(empty.path())).await, Err(DataError::NoFile { .. })));
}

#[tokio::test]
async fn a_mapped_column_may_lie_in_the_path() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "protocol=17", &flows(0, 5));
    let spec = SourceSpec::Parquet {
        path: dir.path().to_owned(),
        columns: BTreeMap::from([("proto".to_owned(), "protocol".to_owned())]),
        timestamp: TimestampUnit::Micros,
    };
    let dataset = Arc::new(Dataset::open("t", &flow_schema(), spec).await.unwrap());
    let batches = run(&dataset, query("SELECT proto FROM flows", &[]), vec![]).await.unwrap();
    assert_eq!(batches[0].column(0).as_primitive::<UInt64Type>().values(), &[17; 5]);
}
