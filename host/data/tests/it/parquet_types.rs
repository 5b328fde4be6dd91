//! Types of Parquet as libraries write them: the true value, or a refusal that names column and reason.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::common::{flows, open, query, rows, run, write};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{
    ArrayRef, BinaryArray, Date32Array, Date64Array, Decimal128Array, DictionaryArray, Float64Array, Int32Array,
    Int64Array, NullArray, RecordBatch, StringArray, Time64MicrosecondArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt8Array, UInt16Array, UInt32Array,
    UInt64Array,
};
use iog_data::{
    ColumnSpec, ColumnType, DataError, Dataset, ParamType, QueryError, SourceSpec, TableSchema, TimestampUnit, Value,
    write_parquet,
};
use parquet::arrow::ArrowWriter;
use parquet::data_type::{Int96, Int96Type};
use parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter, RowGroupMetaData,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;

/// Two rows in foreign types.
fn foreign() -> Vec<(&'static str, ArrayRef)> {
    vec![
        ("start", Arc::new(TimestampMillisecondArray::from(vec![1_000, 2_000]).with_timezone("+02:00")) as ArrayRef),
        ("end", Arc::new(Int64Array::from(vec![3, 4]))),
        ("src", Arc::new(UInt32Array::from(vec![0x0a00_0001, 0x0a00_0002]))),
        ("dst", Arc::new(BinaryArray::from_vec(vec![&[192, 0, 2, 1], &[0x20; 16]]))),
        ("proto", Arc::new(UInt8Array::from(vec![6, 17]))),
        ("packets", Arc::new(Int32Array::from(vec![1, 2]))),
        ("bytes", Arc::new(UInt16Array::from(vec![40, 65_535]))),
        ("note", Arc::new(StringArray::from(vec![Some("a"), None]))),
    ]
}

/// Those rows with another column in place of one.
pub(crate) fn replace(name: &str, array: ArrayRef) -> RecordBatch {
    let columns = foreign().into_iter().map(|(at, old)| if at == name { (at, Arc::clone(&array)) } else { (at, old) });
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
}

async fn parquet(batch: &RecordBatch) -> Result<Arc<Dataset>, DataError> {
    let dir = tempfile::tempdir().unwrap().keep();
    let path = dir.join("flows.parquet");
    write_parquet(&path, batch.schema(), std::slice::from_ref(batch)).unwrap();
    open(SourceSpec::Parquet { path, columns: BTreeMap::new(), timestamp: TimestampUnit::Seconds }).await
}

#[tokio::test]
async fn foreign_parquet_types_are_cast_exactly() {
    let dataset = parquet(&replace("", Arc::new(Int32Array::from(vec![0, 0])))).await.unwrap();
    let sql = "SELECT start, \"end\", ip_text(src) AS s, ip_text(dst) AS d, bytes, ingress_as FROM flows WHERE ip_in(src, '10.0.0.2')";
    let batches = run(&dataset, query(sql, &[]), vec![]).await.unwrap();
    let shown = datafusion_common::arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
    let line: String = shown.lines().nth(3).unwrap().split_whitespace().collect();
    assert_eq!(line, "|2000000|4000000|10.0.0.2|2020:2020:2020:2020:2020:2020:2020:2020|65535||");

    let table: Vec<(&str, ArrayRef, Option<u64>, &str)> = vec![
        ("packets", Arc::new(Int32Array::from(vec![1, -2])), Some(2), "-2"),
        ("packets", Arc::new(Float64Array::from(vec![1.0, 2.0])), None, "Float64"),
        ("packets", Arc::new(Int32Array::from(vec![Some(1), None])), Some(2), "missing"),
        ("src", Arc::new(StringArray::from(vec!["10.0.0.1", "ten"])), Some(2), "`ten`"),
        ("src", Arc::new(BinaryArray::from_vec(vec![&[1, 2, 3, 4], &[1, 2, 3]])), Some(2), "3 bytes"),
        ("src", Arc::new(Int64Array::from(vec![1, 2])), None, "Int64"),
        ("end", Arc::new(Int64Array::from(vec![1, i64::MAX])), Some(2), "out of range"),
        ("end", Arc::new(Float64Array::from(vec![1.0, 2.0])), None, "Float64"),
        ("note", Arc::new(Int64Array::from(vec![1, 2])), None, "Int64"),
    ];
    for (column, array, line, reason) in table {
        let Err(DataError::Misfit(misfit)) = parquet(&replace(column, array)).await else {
            panic!("{column} {reason}")
        };
        assert_eq!((misfit.line, misfit.column.as_deref()), (line, Some(column)), "{misfit}");
        assert!(misfit.reason.contains(reason) && !misfit.fits.is_empty(), "{misfit}");
    }
    let missing = replace("", Arc::new(Int32Array::from(vec![0, 0]))).project(&[0, 1, 2]).unwrap();
    assert!(parquet(&missing).await.unwrap_err().to_string().contains("no column `dst`"));
}

#[tokio::test]
async fn a_column_without_any_value_fits_where_values_may_be_missing() {
    let dataset = parquet(&replace("note", Arc::new(NullArray::new(2)))).await.unwrap();
    let report = dataset.clone().check().await.unwrap();
    assert_eq!((report.rows, report.nulls["note"]), (2, 2));
    let with = |sql: &str| (query(sql, &[]), dataset.clone());
    for (sql, rows_wanted) in [
        ("SELECT note FROM flows", 2),
        ("SELECT bytes FROM flows WHERE note = 'a'", 0),
        ("SELECT bytes FROM flows WHERE note IS NULL", 2),
    ] {
        let (spec, dataset) = with(sql);
        assert_eq!(rows(&run(&dataset, spec, vec![]).await.unwrap()), rows_wanted, "{sql}");
    }
    let dictionary = DictionaryArray::new(Int32Array::from(vec![Some(0), None]), Arc::new(NullArray::new(1)));
    for array in [Arc::new(NullArray::new(2)) as ArrayRef, Arc::new(dictionary)] {
        let refused = open(SourceSpec::Memory(vec![replace("packets", array)])).await;
        let Err(DataError::Misfit(misfit)) = refused else { panic!("a required column without values fits") };
        assert_eq!(misfit.column.as_deref(), Some("packets"));
        assert!(misfit.reason.contains("of type Null, which has no value, and the column is required"), "{misfit}");
    }
    let Err(DataError::Misfit(misfit)) = parquet(&replace("packets", Arc::new(NullArray::new(2)))).await else {
        panic!()
    };
    assert_eq!(misfit.column.as_deref(), Some("packets"));
    assert!(misfit.reason.starts_with("`packets` is of type Null"), "{misfit}");
}

#[tokio::test]
async fn a_column_that_is_there_twice_is_refused() {
    let twice = |name: &str| {
        let mut columns = foreign();
        let again = columns.iter().find(|(at, _)| *at == name).unwrap().1.clone();
        columns.push((columns.iter().find(|(at, _)| *at == name).unwrap().0, again));
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
    };
    for column in ["src", "note"] {
        for refused in [parquet(&twice(column)).await, open(SourceSpec::Memory(vec![twice(column)])).await] {
            let Err(DataError::Misfit(misfit)) = refused else { panic!("two columns `{column}` fit") };
            assert_eq!(misfit.column.as_deref(), Some(column));
            assert!(misfit.reason.contains("several columns"), "{misfit}");
        }
    }
}

#[tokio::test]
async fn times_of_every_unit_and_age_keep_their_value_or_are_refused() {
    // 9999-12-31T23:59:59Z, 0001-01-01T00:00:00Z and half a second before 1970.
    let micros = [253_402_300_799_000_000_i64, -62_135_596_800_000_000];
    let at = |dataset: Arc<Dataset>| async move {
        let batches = run(&dataset, query("SELECT start FROM flows", &[]), vec![]).await.unwrap();
        batches[0].column(0).as_primitive::<Int64Type>().values().to_vec()
    };
    let seconds = TimestampSecondArray::from(micros.map(|v| v / 1_000_000).to_vec());
    let millis = TimestampMillisecondArray::from(micros.map(|v| v / 1_000).to_vec());
    let exact = TimestampMicrosecondArray::from(micros.to_vec());
    for array in [Arc::new(seconds) as ArrayRef, Arc::new(millis), Arc::new(exact)] {
        assert_eq!(
            at(parquet(&replace("start", Arc::clone(&array))).await.unwrap()).await,
            micros,
            "{}",
            array.data_type()
        );
    }
    let nanos = TimestampNanosecondArray::from(vec![i64::MAX, -500_000_001]);
    assert_eq!(at(parquet(&replace("start", Arc::new(nanos))).await.unwrap()).await, [i64::MAX / 1000, -500_001]);
    for array in [
        Arc::new(TimestampMillisecondArray::from(vec![0, i64::MAX])) as ArrayRef,
        Arc::new(TimestampSecondArray::from(vec![0, i64::MIN])),
        Arc::new(UInt64Array::from(vec![0, u64::MAX])),
    ] {
        let Err(DataError::Misfit(misfit)) = parquet(&replace("start", array)).await else {
            panic!("a time overflows")
        };
        assert_eq!((misfit.line, misfit.column.as_deref()), (Some(2), Some("start")), "{misfit}");
    }
    for array in [
        Arc::new(Date32Array::from(vec![1, 2])) as ArrayRef,
        Arc::new(Date64Array::from(vec![1, 2])),
        Arc::new(Decimal128Array::from(vec![1, 2])),
        Arc::new(Time64MicrosecondArray::from(vec![1, 2])),
    ] {
        let ty = array.data_type().to_string();
        let Err(DataError::Misfit(misfit)) = parquet(&replace("start", array)).await else {
            panic!("{ty} is taken for a time")
        };
        assert!(misfit.reason.starts_with(&format!("`start` is of type {}", &ty[..6])), "{misfit}");
    }
    let Err(DataError::Misfit(misfit)) =
        parquet(&replace("packets", Arc::new(Decimal128Array::from(vec![1, 2])))).await
    else {
        panic!("decimals are taken for integers")
    };
    assert!(misfit.reason.contains("Decimal128"), "{misfit}");
}

/// A file of one column of times of twelve bytes: nanoseconds of the day, then the Julian day.
fn twelve_bytes(path: &Path, times: &[(i32, u64)]) {
    let schema = parquet::schema::parser::parse_message_type("message m { required int96 at; }").unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(WriterProperties::default())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let value = |(day, nanos): &(i32, u64)| {
        let mut value = Int96::new();
        value.set_data((*nanos & 0xffff_ffff) as u32, (*nanos >> 32) as u32, day.cast_unsigned());
        value
    };
    let values: Vec<Int96> = times.iter().map(value).collect();
    column.typed::<Int96Type>().write_batch(&values, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
}

#[tokio::test]
async fn times_of_twelve_bytes_are_read_beyond_the_range_of_nanoseconds() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("long.parquet");
    // 1970-01-01T00:00:00.000001999Z, 9999-12-31T23:59:59.999999Z, 1600-01-01, 2262-04-12.
    twelve_bytes(&path, &[(2_440_588, 1_999), (5_373_484, 86_399_999_999_000), (2_305_448, 0), (2_547_339, 0)]);
    let schema = TableSchema {
        id: "t".into(),
        columns: vec![ColumnSpec { name: "at".into(), ty: ColumnType::Timestamp, required: true }],
    };
    let dataset = Arc::new(Dataset::open("t", &schema, SourceSpec::parquet(path)).await.unwrap());
    let report = Arc::clone(&dataset).check().await.unwrap();
    let wanted = [1, 253_402_300_799_999_999, -11_676_096_000_000_000, 9_223_286_400_000_000];
    assert_eq!((report.rows, report.spans["at"]), (4, (wanted[2], wanted[1])));
    let batches = run(&dataset, query("SELECT at FROM flows", &[]), vec![]).await.unwrap();
    assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().values(), &wanted);
    let later = query("SELECT at FROM flows WHERE at > $from", &[("from", ParamType::Timestamp)]);
    let batches = run(&dataset, later, vec![Value::Int(9_223_286_399_999_999)]).await.unwrap();
    assert_eq!(rows(&batches), 2, "bounds of the file's statistics do not hide rows");
}

/// The file of a batch of flows with another footer.
fn with_footer(change: impl Fn(ColumnChunkMetaData) -> ColumnChunkMetaData) -> Vec<u8> {
    let batch = replace("", Arc::new(Int32Array::from(vec![0, 0])));
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    let file = writer.into_inner().unwrap();
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes::Bytes::from(file.clone())).unwrap();
    let group = |group: &RowGroupMetaData| {
        let columns = group.columns().iter().cloned().map(&change).collect();
        group.clone().into_builder().set_column_metadata(columns).build().unwrap()
    };
    let groups = metadata.row_groups().iter().map(group).collect();
    let metadata: ParquetMetaData = metadata.into_builder().set_row_groups(groups).build();
    let length = u32::from_le_bytes(file[file.len() - 8..file.len() - 4].try_into().unwrap()) as usize;
    let mut changed = file[..file.len() - 8 - length].to_vec();
    ParquetMetaDataWriter::new(&mut changed, &metadata).finish().unwrap();
    changed
}

async fn checked(bytes: &[u8]) -> Result<u64, DataError> {
    let dir = tempfile::tempdir().unwrap();
    let dataset = open(SourceSpec::parquet(write(dir.path(), "flows.parquet", bytes))).await?;
    Ok(dataset.check().await?.rows)
}

#[tokio::test]
async fn footers_of_old_writers_are_read() {
    // A dictionary at offset 0: it is where the column begins.
    let zero = with_footer(|column| {
        let begin = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
        column.into_builder().set_dictionary_page_offset(Some(0)).set_data_page_offset(begin).build().unwrap()
    });
    assert_eq!(checked(&zero).await.unwrap(), 2);
    // Something else in place of the statistics of sizes: here lists of another width than theirs.
    let mut odd = with_footer(|column| column);
    let footer = odd.len() - 8 - u32::from_le_bytes(odd[odd.len() - 8..odd.len() - 4].try_into().unwrap()) as usize;
    let end = odd.len() - 2;
    for at in footer..end {
        // A list of two 64-bit numbers as the next field but one: the levels of a column that may be null.
        if odd[at..at + 2] == [0x29, 0x26] || odd[at..at + 2] == [0x39, 0x26] {
            odd[at + 1] = 0x24;
        }
    }
    let refused = ParquetMetaDataReader::new().parse_and_finish(&bytes::Bytes::from(odd.clone())).unwrap_err();
    assert!(refused.to_string().contains("Expected list element type of I64 but got I16"), "{refused}");
    assert_eq!(checked(&odd).await.unwrap(), 2);
    let before = with_footer(|column| column.into_builder().set_data_page_offset(-9).build().unwrap());
    let error = checked(&before).await.unwrap_err();
    assert!(error.to_string().contains("a column begins before the file"), "{error}");
}

#[tokio::test]
async fn damaged_parquet_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("flows.parquet");
    write_parquet(&path, crate::common::schema_ref(), &[flows(0, 30_000)]).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for cut in [0, 3, 8, whole.len() / 2, whole.len() - 1, whole.len() - 9] {
        let path = write(dir.path(), &format!("cut-{cut}.parquet"), &whole[..cut]);
        let error = open(SourceSpec::parquet(path)).await.unwrap_err();
        assert!(matches!(error, DataError::Damaged { .. }), "{cut}: {error}");
    }
    for (at, seed) in (0..60usize).map(|at| (at, at.wrapping_mul(2_654_435_761))) {
        let mut bytes = whole.clone();
        let place = seed % bytes.len();
        bytes[place] ^= 1 << (at % 8);
        let path = write(dir.path(), &format!("flip-{at}.parquet"), &bytes);
        // A flipped bit may hit a value or padding and stay unseen; it must never panic or hang.
        if let Ok(dataset) = open(SourceSpec::parquet(path)).await {
            let _ = dataset.check().await;
        }
    }
    let text = write(dir.path(), "text.parquet", "start,end\n");
    assert!(matches!(open(SourceSpec::parquet(text)).await, Err(DataError::Damaged { .. })));
}

#[tokio::test]
async fn a_bad_value_behind_a_row_filter_is_our_error() {
    let bad = replace("src", Arc::new(StringArray::from(vec!["10.0.0.1", "10.0.0.2"])));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("late.parquet");
    let many = vec![bad; 9000];
    let last = replace("src", Arc::new(StringArray::from(vec!["10.0.0.1", "ten"])));
    write_parquet(&path, many[0].schema(), &[many, vec![last]].concat()).unwrap();
    let dataset =
        open(SourceSpec::Parquet { path, columns: BTreeMap::new(), timestamp: TimestampUnit::Seconds }).await.unwrap();
    let error =
        run(&dataset, query("SELECT bytes FROM flows WHERE ip_in(src, '10.0.0.0/8')", &[]), vec![]).await.unwrap_err();
    let QueryError::Data(DataError::Misfit(misfit)) = error else { panic!("{error:?}") };
    assert_eq!(misfit.column.as_deref(), Some("src"));
    assert!(misfit.reason.contains("`ten`"));
    let Err(DataError::Misfit(misfit)) = dataset.check().await else { panic!() };
    assert_eq!(misfit.line, Some(18_002));
}
