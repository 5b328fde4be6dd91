//! Every column method of `iog:guest/data.rows`, read by a guest and given back: what Arrow holds is what a guest sees.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod support;

use std::sync::Arc;

use arrow_array::types::{Int32Type, UInt16Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, DictionaryArray, FixedSizeBinaryArray, Float32Array, Float64Array,
    Int16Array, Int64Array, LargeStringArray, RecordBatch, RunArray, StringArray, StringViewArray,
    TimestampMicrosecondArray, UInt8Array, UInt64Array,
};
use arrow_schema::{Field, Schema};
use iog_sandbox::{ColumnInfo, ColumnKind, RunOutcome};
use support::{MEMORY, Scripted, run_with};

/// A guest that opens `flows`, advances once, calls one method on column 0 and gives back what it answers.
fn reader(method: &str, answer: &str, result: &str) -> String {
    format!(
        r#"(component
          (import "iog:guest/data@0.1.0" (instance $data
            (type $param' (variant (case "text" string) (case "int" s64) (case "uint" u64) (case "float" f64)
              (case "flag" bool)))
            (export "param" (type $param (eq $param')))
            (type $kind' (enum "int" "uint" "float" "boolean" "text" "bytes" "address"))
            (export "kind" (type $kind (eq $kind')))
            (type $column' (record (field "name" string) (field "kind" $kind)))
            (export "column" (type $column (eq $column')))
            (type $fault' (variant (case "not-granted") (case "unknown-query" string) (case "bad-param" string)
              (case "bad-column" string) (case "unavailable")))
            (export "fault" (type $fault (eq $fault')))
            (type $texts' (record (field "offsets" (list u32)) (field "bytes" (list u8))))
            (export "texts" (type $texts (eq $texts')))
            (export "rows" (type $rows (sub resource)))
            (export "open" (func (param "query" string) (param "params" (list $param))
              (result (result (own $rows) (error $fault)))))
            (export "[method]rows.columns" (func (param "self" (borrow $rows)) (result (list $column))))
            (export "[method]rows.advance" (func (param "self" (borrow $rows)) (result (result u32 (error $fault)))))
            (export "[method]rows.{method}" (func (param "self" (borrow $rows)) (param "column" u32)
              (result (result {answer} (error $fault)))))))
          {MEMORY}
          (core func $open (canon lower (func $data "open") (memory (core memory $m "memory"))
            (realloc (core func $m "realloc"))))
          (core func $advance (canon lower (func $data "[method]rows.advance") (memory (core memory $m "memory"))
            (realloc (core func $m "realloc"))))
          (core func $read (canon lower (func $data "[method]rows.{method}") (memory (core memory $m "memory"))
            (realloc (core func $m "realloc"))))
          (core module $main
            (import "m" "memory" (memory 1))
            (import "" "open" (func $open (param i32 i32 i32 i32 i32)))
            (import "" "advance" (func $advance (param i32 i32)))
            (import "" "read" (func $read (param i32 i32 i32)))
            (data (i32.const 16) "flows")
            (func (export "run") (result i32) (local $rows i32)
              (call $open (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 64))
              (local.set $rows (i32.load (i32.const 68)))
              (call $advance (local.get $rows) (i32.const 64))
              (call $read (local.get $rows) (i32.const 0) (i32.const 64))
              (if (i32.load8_u (i32.const 64)) (then unreachable))
              (i32.const 68)))
          (core instance $i (instantiate $main (with "m" (instance $m))
            (with "" (instance (export "open" (func $open)) (export "advance" (func $advance))
              (export "read" (func $read))))))
          (func (export "run") (result {result})
            (canon lift (core func $i "run") (memory (core memory $m "memory")))))"#
    )
}

async fn read(kind: ColumnKind, array: ArrayRef) -> (String, u64) {
    let (method, answer, result) = match kind {
        ColumnKind::Int => ("ints", "(list s64)", "(list s64)"),
        ColumnKind::Uint => ("uints", "(list u64)", "(list u64)"),
        ColumnKind::Float => ("floats", "(list f64)", "(list f64)"),
        ColumnKind::Boolean => ("bools", "(list u8)", "(list u8)"),
        ColumnKind::Text | ColumnKind::Bytes => ("texts", "$texts", "(tuple (list u32) (list u8))"),
        ColumnKind::Address => ("addresses", "(list u8)", "(list u8)"),
    };
    call(&reader(method, answer, result), kind, array).await
}

async fn nulls(kind: ColumnKind, array: ArrayRef) -> (String, u64) {
    call(&reader("nulls", "(list u8)", "(list u8)"), kind, array).await
}

async fn call(wat: &str, kind: ColumnKind, array: ArrayRef) -> (String, u64) {
    let schema = Arc::new(Schema::new(vec![Field::new("c", array.data_type().clone(), true)]));
    let batch = RecordBatch::try_new(schema, vec![array]).unwrap();
    let host =
        Scripted { columns: vec![ColumnInfo { name: "c".into(), kind }], batches: vec![batch], ..Scripted::default() };
    let report = run_with(wat, Arc::new(host), |_| ()).await;
    match report.outcome {
        RunOutcome::Succeeded { json } => (json, report.usage.bytes),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn numbers_of_every_width() {
    let int = async |array: ArrayRef| read(ColumnKind::Int, array).await.0;
    assert_eq!(int(Arc::new(Int64Array::from(vec![i64::MIN, -1, 7]))).await, "[\"-9223372036854775808\",-1,7]");
    assert_eq!(int(Arc::new(Int16Array::from(vec![-300, 300]))).await, "[-300,300]");
    let zoned = TimestampMicrosecondArray::from(vec![1_000_000, 5]).with_timezone("UTC");
    assert_eq!(int(Arc::new(zoned)).await, "[1000000,5]");
    let uint = async |array: ArrayRef| read(ColumnKind::Uint, array).await.0;
    assert_eq!(uint(Arc::new(UInt64Array::from(vec![u64::MAX, 0]))).await, "[\"18446744073709551615\",0]");
    assert_eq!(uint(Arc::new(UInt8Array::from(vec![255, 1]))).await, "[255,1]");
    let float = async |array: ArrayRef| read(ColumnKind::Float, array).await.0;
    assert_eq!(float(Arc::new(Float64Array::from(vec![0.5, -0.0]))).await, "[0.5,-0.0]");
    assert_eq!(float(Arc::new(Float32Array::from(vec![0.5]))).await, "[0.5]");
}

#[tokio::test]
async fn nulls_are_zero_or_empty_and_marked() {
    let hidden = Int64Array::new(vec![7, 8, 9].into(), Some(vec![true, false, true].into()));
    assert_eq!(read(ColumnKind::Int, Arc::new(hidden.clone())).await, ("[7,0,9]".into(), 24));
    assert_eq!(nulls(ColumnKind::Int, Arc::new(hidden.clone())).await, ("\"Ag==\"".into(), 1));
    assert_eq!(nulls(ColumnKind::Int, Arc::new(hidden.slice(1, 2))).await.0, "\"AQ==\"");
    assert_eq!(nulls(ColumnKind::Int, Arc::new(Int64Array::from(vec![1, 2]))).await, ("\"\"".into(), 0));
    let many: Int64Array = (0..17).map(|i| (i != 16).then_some(i)).collect();
    assert_eq!(nulls(ColumnKind::Int, Arc::new(many)).await.0, "\"AAAB\"");
    let bools = BooleanArray::from(vec![Some(true), None, Some(false)]);
    assert_eq!(read(ColumnKind::Boolean, Arc::new(bools)).await, ("\"AQAA\"".into(), 3));
    let texts = StringArray::from(vec![Some("a"), None, Some("bc")]);
    assert_eq!(read(ColumnKind::Text, Arc::new(texts)).await.0, "[[0,1,1,3],\"YWJj\"]");
}

#[tokio::test]
async fn texts_of_every_kind() {
    let text = async |array: ArrayRef| read(ColumnKind::Text, array).await;
    let plain = StringArray::from(vec!["a", "", "bé"]);
    assert_eq!(text(Arc::new(plain.clone())).await, ("[[0,1,1,4],\"YWLDqQ==\"]".into(), 4 * 4 + 4));
    assert_eq!(text(Arc::new(plain.slice(1, 2))).await.0, "[[0,0,3],\"YsOp\"]");
    assert_eq!(text(Arc::new(LargeStringArray::from(vec!["x", "yz"]))).await.0, "[[0,1,3],\"eHl6\"]");
    let long = "a text that is longer than twelve bytes";
    assert!(text(Arc::new(StringViewArray::from(vec!["s", long]))).await.0.starts_with("[[0,1,40],"));
    let dictionary: DictionaryArray<Int32Type> = vec![Some("x"), Some("y"), None, Some("x")].into_iter().collect();
    assert_eq!(text(Arc::new(dictionary)).await.0, "[[0,1,2,2,3],\"eHl4\"]");
    let runs: RunArray<Int32Type> = vec!["x", "x", "y"].into_iter().collect();
    assert_eq!(text(Arc::new(runs.slice(1, 2))).await.0, "[[0,1,2],\"eHk=\"]");
    let binary = BinaryArray::from(vec![&b"\xff\x00"[..], b"z"]);
    assert_eq!(read(ColumnKind::Bytes, Arc::new(binary)).await.0, "[[0,2,3],\"/wB6\"]");
    assert_eq!(text(Arc::new(StringArray::from(Vec::<Option<&str>>::from([None])))).await.0, "[[0,0],\"\"]");
}

#[tokio::test]
async fn runs_of_numbers_are_expanded() {
    let runs: RunArray<Int32Type> = RunArray::try_new(
        &arrow_array::Int32Array::from(vec![2, 3, 6]),
        &Int64Array::from(vec![Some(10), None, Some(30)]),
    )
    .unwrap();
    let whole: ArrayRef = Arc::new(runs.clone());
    assert_eq!(read(ColumnKind::Int, whole).await.0, "[10,10,0,30,30,30]");
    for (from, rows, expected) in [(1, 3, "[10,0,30]"), (0, 2, "[10,10]"), (4, 2, "[30,30]"), (2, 1, "[0]")] {
        assert_eq!(read(ColumnKind::Int, Arc::new(runs.slice(from, rows))).await.0, expected);
    }
}

#[tokio::test]
async fn a_dictionary_of_numbers_is_expanded() {
    let keys = arrow_array::UInt16Array::from(vec![1, 0, 1]);
    let values = Int64Array::from(vec![10, 20]);
    let array = DictionaryArray::<UInt16Type>::new(keys, Arc::new(values));
    assert_eq!(read(ColumnKind::Int, Arc::new(array)).await.0, "[20,10,20]");
}

#[tokio::test]
async fn addresses_are_sixteen_bytes_each() {
    let rows = [Some([1u8; 16]), None, Some([3u8; 16])];
    let array = FixedSizeBinaryArray::try_from_sparse_iter_with_size(rows.into_iter(), 16).unwrap();
    let (json, bytes) = read(ColumnKind::Address, Arc::new(array.clone())).await;
    assert_eq!(bytes, 48);
    assert_eq!(json, "\"AQEBAQEBAQEBAQEBAQEBAQAAAAAAAAAAAAAAAAAAAAADAwMDAwMDAwMDAwMDAwMD\"");
    let (json, bytes) = read(ColumnKind::Address, Arc::new(array.slice(2, 1))).await;
    assert_eq!((&*json, bytes), ("\"AwMDAwMDAwMDAwMDAwMDAw==\"", 16));
}

#[tokio::test]
async fn columns_are_listed_with_name_and_kind() {
    let wat = reader("ints", "(list s64)", "(list s64)")
        .replace("[method]rows.ints\") (memory", "[method]rows.columns\") (memory")
        .replace("(import \"\" \"read\" (func $read (param i32 i32 i32)))", "(import \"\" \"read\" (func $read (param i32 i32)))")
        .replace(
            "(call $read (local.get $rows) (i32.const 0) (i32.const 64))\n              (if (i32.load8_u (i32.const 64)) (then unreachable))",
            "(call $read (local.get $rows) (i32.const 68))",
        )
        .replace("(func (export \"run\") (result (list s64))", "(func (export \"run\") (result (list (tuple string u8)))");
    let (json, _) = call(&wat, ColumnKind::Float, Arc::new(Float64Array::from(vec![1.0]))).await;
    assert_eq!(json, "[[\"c\",2]]");
}
