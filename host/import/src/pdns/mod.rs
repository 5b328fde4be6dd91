//! Passive DNS in the Common Output Format (draft-dulaunoy-dnsop-passive-dns-cof): one JSON object a line, into
//! `pdns/1`, bare or framed as DNSDB of version 2 answers. Streaming; a line that is not such an object is counted and passed over.

mod framing;
mod object;
mod rrtype;

use std::io::Read;
use std::path::Path;

use crate::columns::Sink;
use crate::rows::PdnsBuilder;
use crate::tally::Tally;
use crate::text::{self, unmarked};
use crate::{FileReport, ImportError};
use framing::Framing;
use object::{Object, blame, push_object};

pub use object::{LABEL_BYTES_MAX, NAME_BYTES_MAX, VALUES_MAX};

/// Bytes a line may have: a record of 65,535 bytes, the most that DNS carries, as an array of many, escaped.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Lines between two calls of `progress`.
const PROGRESS_LINES: u64 = 4096;

/// Whether a file (decompressed) begins like the Common Output Format.
#[must_use]
pub fn looks_like(head: &[u8]) -> bool {
    let mut lines = unmarked(head).split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii);
    let Some(line) = lines.find(|line| !line.is_empty()) else { return false };
    let has = |keys: [&[u8]; 2]| keys.iter().all(|key| contains(line, key));
    line.first() == Some(&b'{') && (has([b"\"rrname\"", b"\"rrtype\""]) || has([b"\"cond\"", b"\"begin\""]))
}

fn contains(line: &[u8], part: &[u8]) -> bool {
    line.windows(part.len()).any(|window| window == part)
}

/// Decodes a file, plain or compressed, into rows of `pdns/1`. `progress` is told the bytes of the file read so far,
/// compressed as stored.
///
/// # Errors
/// When the file cannot be read, has a line longer than [`LINE_BYTES_MAX`], or nothing in it could be used; when the
/// sink fails.
pub fn read(
    input: &mut dyn Read,
    path: &Path,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(u64),
) -> Result<FileReport, ImportError> {
    let mut stored = text::open(input, path)?;
    let (mut builder, mut tally, mut line) = (PdnsBuilder::default(), Tally::default(), Vec::new());
    let mut framing = Framing::default();
    loop {
        let offset = stored.offset();
        if !stored.read_line(LINE_BYTES_MAX, &mut line)? {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let read = serde_json::from_slice::<Object<'_>>(&line);
        let object = match &read {
            Ok(object) => framing.object(object, offset, &mut tally),
            Err(_) => {
                tally.messages += 1;
                tally.malformed(offset, blame(&line));
                None
            }
        };
        if let Some(object) = object {
            tally.messages += 1;
            push_object(object, &mut builder, &mut tally, sink)?;
        }
        if tally.messages.is_multiple_of(PROGRESS_LINES) {
            progress(stored.bytes());
        }
    }
    framing.end(stored.offset(), &mut tally);
    builder.flush(sink)?;
    progress(stored.bytes());
    tally.finish(&stored, path, "passive dns")
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_array::{Array, RecordBatch};
    use proptest::prelude::*;

    use super::*;
    use crate::Skip;
    use crate::columns::address;

    #[derive(Default)]
    struct Batches(Vec<RecordBatch>);

    impl Sink for Batches {
        fn batch(&mut self, batch: RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            self.0.push(batch);
            Ok(())
        }
    }

    fn decode(text: &[u8]) -> Result<(FileReport, Vec<RecordBatch>), ImportError> {
        let (mut input, mut sink) = (text, Batches::default());
        read(&mut input, Path::new("file"), &mut sink, &mut |_| ()).map(|report| (report, sink.0))
    }

    fn texts(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
        let column = batch.column_by_name(column).unwrap().as_string::<i32>();
        column.iter().map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn objects_become_rows_one_a_value() {
        let text = concat!(
            r#"{"rrname":"WWW.Example.org.","rrtype":"a","rdata":["192.0.2.1","192.0.2.2"],"time_first":1,"time_last":2,"count":3,"sensor_id":"s","other":{"x":[1]}}"#,
            "\r\n\n",
            r#"{"rrname":".","rrtype":65280,"rdata":"\\# 0","time_first":1,"time_last":9,"time_last_ms":2001,"zone_time_first":5,"bailiwick":"."}"#,
            "\n",
            r#"{"rrname":"x","rrtype":"28","rdata":"2001:db8::1","time_first":-1,"time_last":2}"#
        );
        let (report, batches) = decode(text.as_bytes()).unwrap();
        assert_eq!((report.messages, report.rows, report.skipped.len()), (3, 4, 0));
        let batch = &batches[0];
        let wanted = |texts: [&str; 4]| texts.map(|text| Some(text.to_owned())).to_vec();
        assert_eq!(texts(batch, "rrname"), wanted(["www.example.org", "www.example.org", ".", "x"]));
        assert_eq!(texts(batch, "rrtype"), wanted(["A", "A", "TYPE65280", "AAAA"]));
        assert_eq!(texts(batch, "rdata"), wanted(["192.0.2.1", "192.0.2.2", "\\# 0", "2001:db8::1"]));
        let last = batch.column_by_name("time_last").unwrap().as_primitive::<Int64Type>();
        assert_eq!(last.values(), &[2_000_000, 2_000_000, 2_001_000, 2_000_000]);
        let addresses = batch.column_by_name("address").unwrap().as_fixed_size_binary();
        assert_eq!(addresses.value(1), address("192.0.2.2".parse().unwrap()));
        assert!(addresses.is_null(2) && addresses.is_valid(3));
    }

    #[test]
    fn what_gives_no_row_is_counted_and_a_file_of_nothing_else_is_damaged() {
        let good = r#"{"rrname":"x","rrtype":"NS","rdata":"y","time_first":1,"time_last":2}"#;
        let text = format!(
            "{good}\n{{\"rrname\":\"x\"}}\nnonsense\n{}\n{}\n",
            good.replace("time_last", "time_lost"),
            good.replace(":2}", ":9223372036854775807}")
        );
        let (report, _) = decode(text.as_bytes()).unwrap();
        assert_eq!((report.messages, report.rows), (5, 1));
        assert_eq!(report.skipped[&Skip::Incomplete("rrtype".to_owned())], 1);
        assert_eq!(report.skipped[&Skip::Incomplete("time_last".to_owned())], 1);
        assert_eq!(report.skipped[&Skip::Malformed("a time is out of range".to_owned())], 1);
        assert_eq!(report.skipped.len(), 4);
        let error = decode(b"\nnonsense\n").unwrap_err();
        assert!(matches!(error, ImportError::Damaged { offset: 1, .. }), "{error}");
        assert!(looks_like(good.as_bytes()) && !looks_like(b"{}") && !looks_like(b"rrname rrtype"));
    }

    fn line(name: &str) -> String {
        format!(r#"{{"rrname":"{name}","rrtype":"NS","rdata":"y","time_first":1,"time_last":2}}"#)
    }

    #[test]
    fn framed_answers_are_read_and_how_they_ended_is_told() {
        let framed = |lines: &[&str]| {
            let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
            assert!(looks_like(text.as_bytes()), "{text}");
            let (report, batches) = decode(text.as_bytes()).unwrap();
            let names = batches.first().map(|batch| texts(batch, "rrname")).unwrap_or_default();
            (report.messages, names.len(), report.skipped)
        };
        let (a, b) = (format!("{{\"obj\":{}}}", line("a")), format!("{{\"cond\":\"ongoing\",\"obj\":{}}}", line("b")));
        let begin = r#"{"cond":"begin"}"#;
        let whole = framed(&[begin, &a, &b, r#"{"cond":"ongoing"}"#, r#"{"cond":"succeeded","msg":"all"}"#]);
        assert_eq!(whole, (2, 2, [].into()));
        let again = framed(&[begin, &a, r#"{"cond":"succeeded"}"#, begin, &b, r#"{"cond":"succeeded"}"#]);
        assert_eq!(again, (2, 2, [].into()));
        let limited = Skip::NotApplicable("answers that the server cut off at a limit".to_owned());
        assert_eq!(framed(&[begin, &a, r#"{"cond":"limited","msg":"x"}"#]).2, [(limited, 1)].into());
        let malformed = |reason: &str| [(Skip::Malformed(reason.to_owned()), 1)].into();
        let cut = "an answer ends before the server says that it is complete";
        assert_eq!(framed(&[begin, &a]).2, malformed(cut));
        assert_eq!(framed(&[begin, &a, begin, &b, r#"{"cond":"succeeded"}"#]).2, malformed(cut));
        let failed = "an answer that the server failed to complete";
        assert_eq!(framed(&[begin, &a, r#"{"cond":"failed","msg":"x"}"#]).2, malformed(failed));
        let unknown = "a framed line has a condition that is not known";
        assert_eq!(framed(&[begin, &a, r#"{"cond":"paused"}"#, r#"{"cond":"succeeded"}"#]).2, malformed(unknown));
        assert_eq!(decode(format!("{begin}\n{{\"cond\":\"succeeded\"}}\n").as_bytes()).unwrap().0.messages, 0);
        let error = decode(format!("{begin}\n").as_bytes()).unwrap_err();
        assert!(error.to_string().ends_with(cut), "{error}");
    }

    #[test]
    fn a_member_of_the_wrong_type_is_named() {
        let reasons = [
            (":1,", r#":"2026-01-01T00:00:00Z","#, "`time_first` is not a whole number of seconds since 1970"),
            (":2}", ":2.5}", "`time_last` is not a whole number of seconds since 1970"),
            (r#":"NS""#, ":[]", "`rrtype` is neither text nor the number of a type"),
            (r#":"y""#, ":7", "`rdata` is neither text nor a list of texts"),
            (r#":"a""#, ":7", "`rrname` is not text"),
        ];
        for (from, to, reason) in reasons {
            let wrong = line("a").replacen(from, to, 1);
            for text in [wrong.clone(), format!("{{\"obj\":{wrong}}}")] {
                let error = decode(text.as_bytes()).unwrap_err();
                assert!(error.to_string().ends_with(reason), "{error}");
            }
        }
    }

    #[test]
    fn text_of_any_system_is_read() {
        for text in [format!("\u{feff}{}\r\n{}\r\n", line("a"), line("b")), format!("{}\r{}", line("a"), line("b"))] {
            assert!(looks_like(text.as_bytes()));
            assert_eq!(decode(text.as_bytes()).unwrap().0.rows, 2);
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn damaged_objects_never_panic(place in 0_usize..80, byte in any::<u8>()) {
            let mut text = br#"{"rrname":"x.","rrtype":1,"rdata":["192.0.2.1"],"time_first":1,"time_last":2,"count":3}"#.to_vec();
            text[place] = byte;
            let _ = decode(&text);
        }
    }
}
