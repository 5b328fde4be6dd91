//! Gathers the records of one name. Pure. Exact: where there are more than an answer holds, it gives up with an error
//! instead of leaving some out.

use std::collections::BTreeMap;

use crate::bindings::{Answer, Report};
use crate::name::{canonical, kind};

/// Different records in one answer: 2,000 take at most 450 KiB of JSON beside their text.
const ANSWERS_MAX: usize = 2_000;
/// Their types and data together, in bytes of JSON; with the rest it stays within the 768 KiB of a result.
const TEXT_BYTES_MAX: usize = 256 << 10;

/// One row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) rrtype: &'a str,
    pub(crate) rdata: &'a str,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) count: Option<u64>,
}

/// What is known of one record.
#[derive(Debug, Clone, Copy)]
struct Seen {
    first: i64,
    last: i64,
    records: u64,
    count: Option<u64>,
}

/// More different records than one answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

impl From<TooMany> for String {
    fn from(_: TooMany) -> Self {
        let kib = TEXT_BYTES_MAX >> 10;
        format!("more than {ANSWERS_MAX} different records or {kib} KiB of them: ask for a shorter time")
    }
}

/// The records of one name.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// By type, then data.
    seen: BTreeMap<String, BTreeMap<String, Seen>>,
    answers: usize,
    text_bytes: usize,
    pub(crate) skipped: u64,
}

impl Table {
    /// Adds one row.
    pub(crate) fn add(&mut self, row: &Row<'_>) -> Result<(), TooMany> {
        let &Row { rdata, first, last, count, .. } = row;
        let rrtype = &*kind(row.rrtype);
        let rdata = canonical(rrtype, rdata);
        let (first, last) = (first.min(last), first.max(last));
        if let Some(seen) = self.seen.get_mut(rrtype).and_then(|records| records.get_mut(&*rdata)) {
            seen.first = seen.first.min(first);
            seen.last = seen.last.max(last);
            seen.records = seen.records.saturating_add(1);
            seen.count = sum(seen.count, count);
            return Ok(());
        }
        self.answers += 1;
        self.text_bytes += json_bytes(rrtype) + json_bytes(&rdata);
        if self.answers > ANSWERS_MAX || self.text_bytes > TEXT_BYTES_MAX {
            return Err(TooMany);
        }
        let records = self.seen.entry(rrtype.to_owned()).or_default();
        records.insert(rdata.into_owned(), Seen { first, last, records: 1, count });
        Ok(())
    }

    /// The answer about `name`.
    pub(crate) fn report(self, name: String) -> Report {
        let answers = self.seen.into_iter().flat_map(|(rrtype, records)| {
            records.into_iter().map(move |(rdata, seen)| Answer {
                rrtype: rrtype.clone(),
                rdata,
                first_us: seen.first,
                last_us: seen.last,
                records: seen.records,
                count: seen.count,
            })
        });
        Report { name, answers: answers.collect(), skipped: self.skipped }
    }
}

/// A text in JSON with its quotes, at most.
pub(crate) fn json_bytes(text: &str) -> usize {
    let escaped = text.bytes().map(|byte| match byte {
        b'"' | b'\\' => 2,
        byte if byte < 0x20 => 6,
        _ => 1,
    });
    escaped.sum::<usize>() + 2
}

/// Whether an answer is no larger than one of this analysis can be.
pub(crate) fn can_be(report: &Report) -> bool {
    let bytes = |answer: &Answer| json_bytes(&answer.rrtype) + json_bytes(&answer.rdata);
    report.answers.len() <= ANSWERS_MAX && report.answers.iter().map(bytes).sum::<usize>() <= TEXT_BYTES_MAX
}

/// Both together, where at least one is known.
pub(crate) fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (known, None) | (None, known) => known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<'a>(rrtype: &'a str, rdata: &'a str, first: i64, last: i64, count: Option<u64>) -> Row<'a> {
        Row { rrtype, rdata, first, last, count }
    }

    #[test]
    fn rows_of_one_record_are_one_answer() {
        let rows = [
            row("NS", "b.example", 50, 60, Some(5)),
            row("ns", "B.example.", 10, 20, None),
            row("NS", "a.example", 70, 5, None),
            row("A", "192.0.2.1", 1, 2, Some(u64::MAX)),
            row("A", "192.0.2.1", 3, 4, Some(1)),
        ];
        let report = |rows: &[Row<'_>]| {
            let mut table = Table::default();
            rows.iter().for_each(|row| table.add(row).unwrap());
            table.report("example".into())
        };
        let shown = |a: &Answer| (a.rrtype.clone(), a.rdata.clone(), a.first_us, a.last_us, a.records, a.count);
        let forward: Vec<_> = report(&rows).answers.iter().map(shown).collect();
        assert_eq!(
            forward,
            [
                ("A".into(), "192.0.2.1".into(), 1, 4, 2, Some(u64::MAX)),
                ("NS".into(), "a.example".into(), 5, 70, 1, None),
                ("NS".into(), "b.example".into(), 10, 60, 2, Some(5)),
            ]
        );
        let mut turned = rows;
        turned.reverse();
        assert_eq!(report(&turned).answers.iter().map(shown).collect::<Vec<_>>(), forward);
    }

    #[test]
    fn more_than_an_answer_holds_is_an_error_and_known_records_still_count() {
        let mut table = Table::default();
        let mut add = |n: usize| table.add(&row("A", &n.to_string(), 0, 0, None));
        assert_eq!((0..ANSWERS_MAX).try_for_each(&mut add), Ok(()));
        assert_eq!(add(0), Ok(()));
        assert_eq!(add(ANSWERS_MAX), Err(TooMany));
        let mut table = Table::default();
        let long = "x".repeat(60_000);
        let added = (0..9).find(|n| table.add(&row("TXT", &format!("{n}{long}"), 0, 0, None)).is_err());
        assert_eq!(added, Some(4));
        let controls = "\u{1}".repeat(TEXT_BYTES_MAX / 6);
        assert_eq!(Table::default().add(&row("TXT", &controls, 0, 0, None)), Err(TooMany), "six bytes each in JSON");
        assert!(String::from(TooMany).starts_with("more than 2000 different records or 256 KiB"));
    }
}
