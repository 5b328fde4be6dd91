//! Files as they come: well-formed in every permitted way, and damaged in every way we know. Each refusal names file,
//! line, column, reason and what would fit.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::common::{all, flow_schema, flows, gzip, memory, open, plan, query, rows, run, write};
use arrow_array::Int32Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use iog_data::{
    ColumnSpec, ColumnType, DataError, Dataset, Misfit, ParamType, QueryError, QueryLimits, SourceSpec, TableSchema,
    TimestampUnit, Value, write_parquet,
};

use crate::parquet_types::replace;

const HEADER: &str = "start,end,src,dst,proto,packets,bytes,ingress_as,note";
const GOOD: &str = "1626105669.291849,1626105670,10.0.0.1,2001:db8::1,6,1,40,64500,hello";

async fn csv(bytes: impl AsRef<[u8]>) -> Result<Arc<Dataset>, DataError> {
    let dir = tempfile::tempdir().unwrap();
    open(SourceSpec::csv(write(dir.path(), "flows.csv", bytes))).await
}

#[tokio::test]
async fn csv_in_every_permitted_form_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let long = "x".repeat(300_000);
    let forms: Vec<(String, usize)> = vec![
        (format!("{HEADER}\n{GOOD}\n"), 1),
        (format!("{HEADER}\n{GOOD}"), 1),
        (format!("{HEADER}\r\n{GOOD}\r\n{GOOD}\r\n"), 2),
        (format!("\u{feff}{HEADER}\n{GOOD}\n"), 1),
        (format!("{HEADER}\n\n{GOOD}\n\n\n"), 1),
        (format!("{HEADER}\n"), 0),
        (HEADER.to_owned(), 0),
        (format!("{HEADER}\n\"1626105669.291849\",1626105670,\"10.0.0.1\",::1,6,1,40,,\"a, \"\"b\"\"\nc\"\n"), 1),
        (format!("extra,{HEADER}\nignored,{GOOD}\n"), 1),
        (format!("{HEADER}\n1,2,10.0.0.1,::1,6,1,40,,{long}\n"), 1),
        ("dst,bytes,packets,proto,src,end,start\n::1,18446744073709551615,0,6,1.2.3.4,0.5,-1\n".to_owned(), 1),
    ];
    for (at, (text, expected)) in forms.iter().enumerate() {
        for bytes in [text.clone().into_bytes(), gzip(text.as_bytes())] {
            let path = write(dir.path(), &format!("form-{at}-{}.csv", bytes.len()), &bytes);
            let dataset = open(SourceSpec::csv(path)).await.unwrap_or_else(|e| panic!("form {at}: {e}"));
            assert_eq!(dataset.check().await.unwrap().rows as usize, *expected, "form {at}");
            assert_eq!(dataset.snapshot().stored_bytes, bytes.len() as u64);
        }
    }
    let members =
        [gzip(format!("{HEADER}\n{GOOD}").as_bytes()), gzip(format!("\n{GOOD}\n").as_bytes()), gzip(b"")].concat();
    let path = write(dir.path(), "members.csv.gz", members);
    assert_eq!(open(SourceSpec::csv(path)).await.unwrap().check().await.unwrap().rows, 2);
}

#[tokio::test]
async fn damaged_csv_is_refused_with_its_place() {
    let line = |row: &str| format!("{HEADER}\n{GOOD}\n{row}\n");
    let table: Vec<(String, Option<u64>, Option<&str>, &str)> = vec![
        (String::new(), None, None, "empty"),
        ("a,b,c\n1,2,3\n".into(), Some(1), Some("start"), "no column `start`"),
        (format!("{HEADER},src\n{GOOD},x\n"), Some(1), Some("src"), "twice"),
        (HEADER.replace(',', ";"), Some(1), None, "separated by semicolons; fields that are separated by commas"),
        (HEADER.replace(',', "\t"), Some(1), None, "separated by tabs"),
        (format!("\u{feff}{}\r\n", HEADER.replace(',', "\";\"")), Some(1), None, "separated by semicolons"),
        (HEADER.replace(',', "|"), Some(1), None, "separated by vertical bars"),
        ("when;where\n".into(), Some(1), Some("start"), "no column `start`"),
        (line("1,2,10.0.0.1"), Some(3), None, "3 fields"),
        (line(&format!("{GOOD},more")), Some(3), None, "10 fields"),
        (line(&format!("{GOOD},more,and,more")), Some(3), None, "more fields"),
        (line("x,2,10.0.0.1,::1,6,1,40,,"), Some(3), Some("start"), "`x` does not fit"),
        (line("1e9,2,10.0.0.1,::1,6,1,40,,"), Some(3), Some("start"), "`1e9`"),
        (line(",2,10.0.0.1,::1,6,1,40,,"), Some(3), Some("start"), "missing"),
        (line("1,2,10.0.0.300,::1,6,1,40,,"), Some(3), Some("src"), "`10.0.0.300`"),
        (line("1,2,10.0.0.1,::1,-6,1,40,,"), Some(3), Some("proto"), "`-6`"),
        (line("1,2,10.0.0.1,::1,6,1,18446744073709551616,,"), Some(3), Some("bytes"), "`18446744073709551616`"),
        (line("1,2,10.0.0.1,::1,6,1,4 0,,"), Some(3), Some("bytes"), "`4 0`"),
        (line("1,2,10.0.0.1,::1,6,1,40.0,,"), Some(3), Some("bytes"), "`40.0`"),
        (line("99999999999999,2,10.0.0.1,::1,6,1,40,,"), Some(3), Some("start"), "`99999999999999`"),
        (line("1,2,10.0.0.1,::1,6,1,40,,\"open"), Some(3), None, "inside a quoted field"),
        (format!("{HEADER}\r\n{GOOD}\r\n\r\n{GOOD}\r\nx\r\n"), Some(5), None, "1 fields"),
        (format!("{HEADER}\n1,2,10.0.0.1,::1,6,1,40,,\"two\nlines\"\nx\n"), Some(4), None, "1 fields"),
        (line(&format!("1,2,10.0.0.1,::1,6,1,40,,{}", "x".repeat(2 << 20))), Some(3), None, "too long"),
    ];
    for (text, line, column, reason) in table {
        let shown: String = text.chars().skip(HEADER.len()).take(200).collect();
        let Err(error) = csv(&text).await else { panic!("accepted: {shown}") };
        let DataError::Misfit(misfit) = &error else { panic!("{shown}: {error}") };
        assert_eq!((misfit.line, misfit.column.as_deref()), (line, column), "{shown}: {misfit}");
        assert!(misfit.to_string().contains(reason), "{shown}: {misfit}");
        assert!(misfit.file.ends_with("flows.csv") && !misfit.fits.is_empty() && misfit.to_string().len() < 700);
    }
    let bad_text = [line("1,2,10.0.0.1,::1,6,1,40,,").trim_end().as_bytes(), b"\xff\xfe\n"].concat();
    let Err(DataError::Misfit(misfit)) = csv(bad_text).await else { panic!() };
    assert_eq!((misfit.line, misfit.column.as_deref()), (Some(3), Some("note")));
    let wide: Vec<u8> = HEADER.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let error = csv([b"\xff\xfe", &wide[..]].concat()).await.unwrap_err();
    assert!(
        error.to_string().contains("line 1: the file is text in UTF-16; a header line in UTF-8 would fit"),
        "{error}"
    );
}

#[tokio::test]
async fn damaged_gzip_is_refused() {
    let whole = gzip(crate::common::csv_text(&flows(0, 2000)).as_bytes());
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x55;
    let trailing = [whole.as_slice(), b"garbage"].concat();
    for bytes in [&whole[..whole.len() - 9], &whole[..whole.len() / 2], &whole[..11], &flipped, &trailing] {
        let error = csv(bytes).await.unwrap_err();
        assert!(matches!(error, DataError::Damaged { .. } | DataError::Misfit(_)), "{error}");
    }
    assert!(matches!(csv(&whole[..whole.len() - 9]).await, Err(DataError::Damaged { .. })));
}

#[tokio::test]
async fn a_bad_row_far_into_a_file_fails_check_and_run_alike() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("{}x,2,10.0.0.1,::1,6,1,40,,\n", crate::common::csv_text(&flows(0, 40_000)));
    let dataset = open(SourceSpec::csv(write(dir.path(), "late.csv", text))).await.unwrap();
    let Err(DataError::Misfit(misfit)) = dataset.check().await else { panic!() };
    assert_eq!((misfit.line, misfit.column.as_deref()), (Some(40_002), Some("start")));
    let planned = plan(&dataset, query("SELECT start FROM flows", &[])).await.unwrap();
    let mut cursor = planned.open("q", vec![], QueryLimits::default()).await.unwrap();
    let error = loop {
        match cursor.next().await {
            Ok(batch) => assert!(batch.is_some(), "the bad row was skipped"),
            Err(error) => break error,
        }
    };
    let QueryError::Data(DataError::Misfit(again)) = error else { panic!("{error}") };
    assert_eq!(again, misfit);
    assert!(cursor.next().await.unwrap().is_none());
}

#[tokio::test]
async fn columns_are_mapped_and_units_declared() {
    let dir = tempfile::tempdir().unwrap();
    let schema = TableSchema {
        id: "t".into(),
        columns: vec![
            ColumnSpec { name: "at".into(), ty: ColumnType::Timestamp, required: true },
            ColumnSpec { name: "up".into(), ty: ColumnType::Flag, required: false },
            ColumnSpec { name: "rtt".into(), ty: ColumnType::Float, required: false },
            ColumnSpec { name: "delta".into(), ty: ColumnType::Int, required: false },
        ],
    };
    let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    };
    for (text, timestamp) in [
        ("1626105669.291849", TimestampUnit::Seconds),
        ("1626105669291.849", TimestampUnit::Millis),
        ("1626105669291849", TimestampUnit::Micros),
        ("2021-07-12T16:01:09.291849Z", TimestampUnit::Rfc3339),
    ] {
        let path = write(dir.path(), "t.csv", format!("When,Alive,rtt,delta\n{text},true,1.5,-7\n{text},,,\n"));
        let columns = map(&[("at", "When"), ("up", "Alive")]);
        let dataset = Dataset::open("t", &schema, SourceSpec::Csv { path, columns, timestamp }).await.unwrap();
        let batches =
            run(&Arc::new(dataset), query("SELECT at, up, rtt, delta FROM flows", &[]), vec![]).await.unwrap();
        assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().values(), &[1_626_105_669_291_849; 2]);
        assert_eq!(batches[0].column(3).null_count(), 1);
    }
    let path = write(dir.path(), "t.csv", "When\n1\n");
    for (columns, reason) in
        [(map(&[("nope", "When")]), "names `nope`"), (map(&[("at", "When"), ("up", "Gone")]), "no column `Gone`")]
    {
        let spec = SourceSpec::Csv { path: path.clone(), columns, timestamp: TimestampUnit::Seconds };
        let error = Dataset::open("t", &schema, spec).await.unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
    let missing = Dataset::open("t", &schema, SourceSpec::csv(dir.path().join("absent.csv"))).await.unwrap_err();
    assert!(matches!(missing, DataError::Io { .. }), "{missing}");
}

#[tokio::test]
async fn row_groups_are_skipped_by_their_statistics() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("flows.parquet");
    let total = 3 * iog_data::ROW_GROUP_ROWS as u64;
    write_parquet(&path, crate::common::schema_ref(), &[flows(0, total)]).unwrap();
    let dataset = open(SourceSpec::parquet(path)).await.unwrap();
    assert_eq!(dataset.snapshot().rows, Some(total));
    let times = query("SELECT bytes FROM flows WHERE start >= $from", &[("from", ParamType::Timestamp)]);
    let planned = plan(&dataset, times).await.unwrap();
    let last_group = 1_626_105_669_000_000 + 2 * iog_data::ROW_GROUP_ROWS as i64 * 1_234;
    for (from, expected) in [(0, total), (last_group, total / 3), (i64::MAX, 0)] {
        let mut cursor = planned.open("q", vec![Value::Int(from)], QueryLimits::default()).await.unwrap();
        let mut found = 0;
        while let Some(batch) = cursor.next().await.unwrap() {
            found += batch.num_rows() as u64;
        }
        assert_eq!((found, cursor.rows_scanned()), (expected, expected));
    }
    // Sources lie in 100.0.0.0/8 to 149.0.0.0/8: a prefix outside is answered by the footer alone.
    let nets = query("SELECT bytes FROM flows WHERE ip_in(src, $net)", &[("net", ParamType::Prefix)]);
    let planned = plan(&dataset, nets).await.unwrap();
    let removed = dir.path().join("gone.parquet");
    for (net, some) in [("198.51.100.0/24", false), ("120.0.0.0/8", true)] {
        let answer = all(planned.open("q", vec![crate::common::text(net)], QueryLimits::default()).await.unwrap())
            .await
            .unwrap();
        assert_eq!(rows(&answer) > 0, some, "{net}");
    }
    std::fs::rename(dir.path().join("flows.parquet"), &removed).unwrap();
    let error = all(planned.open("q", vec![crate::common::text("120.0.0.0/8")], QueryLimits::default()).await.unwrap())
        .await
        .unwrap_err();
    assert!(matches!(error, QueryError::Data(DataError::Io { .. })), "{error}");
}

#[tokio::test]
async fn snapshots_identify_content() {
    let dir = tempfile::tempdir().unwrap();
    let text = crate::common::csv_text(&flows(0, 100));
    let path = write(dir.path(), "a.csv", &text);
    let copy = write(dir.path(), "b.csv", &text);
    let (a, b) = (open(SourceSpec::csv(&path)).await.unwrap(), open(SourceSpec::csv(&copy)).await.unwrap());
    assert_eq!(a.snapshot(), b.snapshot());
    write(dir.path(), "a.csv", format!("{text}{GOOD}\n"));
    let error = run(&a, query("SELECT bytes FROM flows", &[]), vec![]).await.unwrap_err();
    assert!(matches!(error, QueryError::Data(DataError::Changed { .. })), "{error}");
    let again = open(SourceSpec::csv(&path)).await.unwrap();
    assert_ne!(again.snapshot().digest, a.snapshot().digest);
    let (whole, cut) = (memory(vec![flows(0, 100)]).await, memory(vec![flows(0, 40), flows(40, 60)]).await);
    assert_eq!(whole.snapshot().digest, cut.snapshot().digest);
    assert_ne!(whole.snapshot().digest, memory(vec![flows(0, 99)]).await.snapshot().digest);
}

#[tokio::test]
async fn batches_in_memory_must_fit_too() {
    let bad = replace("bytes", Arc::new(Int32Array::from(vec![1, -1])));
    let Err(DataError::Misfit(misfit)) = open(SourceSpec::Memory(vec![bad])).await else { panic!() };
    let expected = Misfit { line: Some(2), column: Some("bytes".into()), ..(*misfit).clone() };
    assert_eq!(*misfit, expected);
    assert_eq!(misfit.file, "flows-at-home");
    let empty = memory(vec![]).await;
    assert_eq!(rows(&run(&empty, query("SELECT bytes FROM flows", &[]), vec![]).await.unwrap()), 0);
    let mut twice = flow_schema();
    twice.columns.push(twice.columns[0].clone());
    assert!(matches!(Dataset::open("x", &twice, SourceSpec::Memory(vec![])).await, Err(DataError::Config { .. })));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    /// Whatever bytes follow the header, the answer is rows or a typed error, and a record is never lost in silence.
    #[test]
    fn any_csv_is_read_or_refused(
        lines in proptest::collection::vec("([0-9.,:\"a-f\\-\\PC]{0,40}|1,2,10\\.0\\.0\\.1,::1,6,1,40,,x)", 0..6),
        zipped: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let text = format!("{HEADER}\n{}", lines.join("\n"));
        let bytes = if zipped { gzip(text.as_bytes()) } else { text.clone().into_bytes() };
        let checked = runtime.block_on(async { csv_report(&bytes).await });
        if let Ok(found) = checked {
            let expected = lines.iter().filter(|line| !line.trim_matches(['\r', '\n']).is_empty()).count() as u64;
            proptest::prop_assert!(found == expected || text.contains('"') || text.contains('\r'), "{} rows of {:?}", found, lines);
        }
    }
}

async fn csv_report(bytes: &[u8]) -> Result<u64, DataError> {
    let dir = tempfile::tempdir().unwrap();
    let dataset = open(SourceSpec::csv(write(dir.path(), "any.csv", bytes))).await?;
    Ok(dataset.check().await?.rows)
}
