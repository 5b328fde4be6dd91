//! Compares what many domains saw of one name: who has which record, who lacks it, and what changed. Pure. A domain can
//! speak for itself only: a record that it lists twice counts once.

use std::collections::{BTreeMap, BTreeSet};

use crate::bindings::{Agreement, Answer, Change, JointAnswer, JointReport, Part, Report, Sighting, Silent, What};
use crate::table::sum;

/// How far from the beginning or end of what a domain saw of a type a record must lie to be a change: a day, the longest
/// time to live that is common, after which a sensor has seen all records of a set.
const SETTLED_US: i64 = 86_400_000_000;

/// Records that a joint answer lists at most, and changes.
const LISTED_MAX: usize = 1_000;
/// Names of domains that the records hold together at most, 80 bytes each with their times.
const NAMES_MAX: usize = 4_000;
/// Text of the data of records, and again of changes, in bytes.
const TEXT_BYTES_MAX: usize = 96 << 10;

/// A record: type and data.
type Record = (String, String);

/// One domain's answer.
struct View {
    domain: String,
    records: BTreeMap<Record, Answer>,
    /// When the first record of a type was first seen, and the last one last.
    spans: BTreeMap<String, (i64, i64)>,
}

impl View {
    fn new(domain: String, report: Report) -> Self {
        let mut records = BTreeMap::new();
        let mut spans = BTreeMap::<String, (i64, i64)>::new();
        for answer in report.answers {
            let span = spans.entry(answer.rrtype.clone()).or_insert((answer.first_us, answer.last_us));
            *span = (span.0.min(answer.first_us), span.1.max(answer.last_us));
            records.entry((answer.rrtype.clone(), answer.rdata.clone())).or_insert(answer);
        }
        Self { domain, records, spans }
    }
}

/// The joint answer of all parts.
pub(crate) fn merge(parts: Vec<Part>) -> JointReport {
    let asked = count(parts.len());
    let name = agreed_name(&parts);
    let (mut views, mut silent) = (Vec::new(), Vec::new());
    for Part { domain, asn, outcome } in parts {
        match outcome {
            Ok(report) if name.as_ref() == Some(&report.name) => views.push(View::new(domain, report)),
            Ok(report) => {
                let reason = format!("answered for another name, `{}`", report.name);
                silent.push(Silent { domain, asn, reason });
            }
            Err(reason) => silent.push(Silent { domain, asn, reason }),
        }
    }
    views.sort_by(|a, b| a.domain.cmp(&b.domain));
    silent.sort_by(|a, b| a.domain.cmp(&b.domain));
    let records: BTreeSet<&Record> = views.iter().flat_map(|view| view.records.keys()).collect();
    let (answers, changes) = (answers(&views, &records), changes(&views, &records));
    JointReport {
        name,
        answers_found: count(records.len()),
        agreements: agreements(&views, &records),
        changes_found: count(changes.len()),
        unaware: views.iter().filter(|view| view.records.is_empty()).map(|view| view.domain.clone()).collect(),
        silent,
        answered: count(views.len()),
        asked,
        answers,
        changes: fitting(changes, |change| change.rrtype.len() + change.rdata.len()),
    }
}

/// The name that most answers are about; of equally many the first in order.
fn agreed_name(parts: &[Part]) -> Option<String> {
    let mut votes = BTreeMap::<&str, u32>::new();
    for report in parts.iter().filter_map(|part| part.outcome.as_ref().ok()) {
        *votes.entry(&report.name).or_default() += 1;
    }
    let most = votes.values().copied().max()?;
    votes.iter().find(|&(_, &votes)| votes == most).map(|(&name, _)| name.to_owned())
}

fn answers(views: &[View], records: &BTreeSet<&Record>) -> Vec<JointAnswer> {
    let most = LISTED_MAX.min(NAMES_MAX / views.len().max(1)).max(1);
    let joined = records.iter().take(most).filter_map(|record| joint(views, record));
    fitting(joined.collect(), |answer| answer.rrtype.len() + answer.rdata.len())
}

/// The first of a list whose texts fit.
fn fitting<T>(mut list: Vec<T>, text_bytes: impl Fn(&T) -> usize) -> Vec<T> {
    let mut left = TEXT_BYTES_MAX;
    let fits = list.iter().take(LISTED_MAX).take_while(|item| {
        let rest = left.checked_sub(text_bytes(item));
        left = rest.unwrap_or_default();
        rest.is_some()
    });
    let fits = fits.count();
    list.truncate(fits);
    list
}

/// One record over all domains that have records of its type.
fn joint(views: &[View], record: &Record) -> Option<JointAnswer> {
    let (mut seen_by, mut not_seen_by) = (Vec::new(), Vec::new());
    for view in views.iter().filter(|view| view.spans.contains_key(&record.0)) {
        let domain = view.domain.clone();
        match view.records.get(record) {
            Some(&Answer { first_us, last_us, count, .. }) => {
                seen_by.push(Sighting { domain, first_us, last_us, count });
            }
            None => not_seen_by.push(domain),
        }
    }
    let (rrtype, rdata) = record.clone();
    Some(JointAnswer {
        rrtype,
        rdata,
        first_us: seen_by.iter().map(|seen| seen.first_us).min()?,
        last_us: seen_by.iter().map(|seen| seen.last_us).max()?,
        count: seen_by.iter().fold(None, |all, seen| sum(all, seen.count)),
        seen_by,
        not_seen_by,
    })
}

fn agreements(views: &[View], records: &BTreeSet<&Record>) -> Vec<Agreement> {
    let mut agreements = Vec::<Agreement>::new();
    for record in records {
        let rrtype = &record.0;
        if agreements.last().is_none_or(|last| last.rrtype != *rrtype) {
            let domains = count(views.iter().filter(|view| view.spans.contains_key(rrtype)).count());
            agreements.push(Agreement { rrtype: rrtype.clone(), domains, answers: 0, common: 0 });
        }
        let Some(last) = agreements.last_mut() else { continue };
        let having = count(views.iter().filter(|view| view.records.contains_key(*record)).count());
        last.answers += 1;
        last.common += u32::from(having == last.domains);
    }
    agreements.truncate(LISTED_MAX);
    agreements
}

/// Records that came or went, by time.
fn changes(views: &[View], records: &BTreeSet<&Record>) -> Vec<Change> {
    let mut changes = Vec::new();
    for &record in records {
        let seen = || views.iter().filter_map(|view| Some((view.records.get(record)?, *view.spans.get(&record.0)?)));
        let mut add = |what, at_us: Option<i64>| {
            if let Some(at_us) = at_us {
                changes.push(Change { at_us, what, rrtype: record.0.clone(), rdata: record.1.clone() });
            }
        };
        if seen().all(|(answer, (first, _))| answer.first_us.saturating_sub(first) > SETTLED_US) {
            add(What::Appeared, seen().map(|(answer, _)| answer.first_us).min());
        }
        if seen().all(|(answer, (_, last))| last.saturating_sub(answer.last_us) > SETTLED_US) {
            add(What::Vanished, seen().map(|(answer, _)| answer.last_us).max());
        }
    }
    // Records are in order already, and the sort keeps it.
    changes.sort_by_key(|change| (change.at_us, matches!(change.what, What::Vanished)));
    changes
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = SETTLED_US;

    fn part(domain: &str, answers: &[(&str, &str, i64, i64)]) -> Part {
        let answer = |&(rrtype, rdata, first_us, last_us): &(&str, &str, i64, i64)| Answer {
            rrtype: rrtype.into(),
            rdata: rdata.into(),
            first_us,
            last_us,
            records: 1,
            count: Some(2),
        };
        let answers = answers.iter().map(answer).collect();
        Part {
            domain: domain.into(),
            asn: None,
            outcome: Ok(Report { name: "example.net".into(), answers, skipped: 0 }),
        }
    }

    #[test]
    fn who_has_a_record_and_who_lacks_it() {
        let report = merge(vec![
            part("b", &[("A", "192.0.2.1", 5, 20), ("AAAA", "2001:db8::1", 1, 2)]),
            part("a", &[("A", "192.0.2.1", 10, 15), ("A", "192.0.2.9", 10, 15)]),
            part("c", &[]),
        ]);
        let shown = |a: &JointAnswer| {
            let seen: String = a.seen_by.iter().map(|s| s.domain.as_str()).collect();
            (a.rrtype.clone(), a.rdata.clone(), a.first_us, a.last_us, a.count, seen, a.not_seen_by.concat())
        };
        let seen: Vec<_> = report.answers.iter().map(shown).collect();
        assert_eq!(
            seen,
            [
                ("A".into(), "192.0.2.1".into(), 5, 20, Some(4), "ab".into(), String::new()),
                ("A".into(), "192.0.2.9".into(), 10, 15, Some(2), "a".into(), "b".into()),
                ("AAAA".into(), "2001:db8::1".into(), 1, 2, Some(2), "b".into(), String::new()),
            ]
        );
        let agreements: Vec<_> =
            report.agreements.iter().map(|a| (a.rrtype.as_str(), a.domains, a.answers, a.common)).collect();
        assert_eq!(agreements, [("A", 2, 2, 1), ("AAAA", 1, 1, 1)]);
        assert_eq!((report.unaware.concat(), report.answered, report.asked), ("c".into(), 3, 3));
    }

    fn changed(parts: Vec<Part>) -> Vec<(i64, bool, String)> {
        let changes = merge(parts).changes;
        changes.into_iter().map(|c| (c.at_us / DAY, matches!(c.what, What::Appeared), c.rdata)).collect()
    }

    #[test]
    fn what_came_and_went_is_told_by_time() {
        let moved = [("A", "old", 0, 10 * DAY), ("A", "new", 10 * DAY, 30 * DAY), ("NS", "ns", 0, DAY)];
        assert_eq!(changed(vec![part("a", &moved)]), [(10, true, "new".into()), (10, false, "old".into())]);
        let set = [("A", "one", 0, 30 * DAY), ("A", "two", DAY, 29 * DAY)];
        assert_eq!(changed(vec![part("a", &set)]), [], "a day is how long a set takes to be seen");
    }

    #[test]
    fn a_domain_that_began_to_look_later_makes_no_change() {
        let early = [("A", "old", 0, 30 * DAY)];
        let late = [("A", "old", 20 * DAY, 30 * DAY), ("A", "there", 20 * DAY, 30 * DAY)];
        assert_eq!(changed(vec![part("a", &early), part("b", &late)]), []);
        let seen_coming = [("A", "old", 0, 30 * DAY), ("A", "there", 5 * DAY, 30 * DAY)];
        assert_eq!(changed(vec![part("a", &seen_coming), part("b", &early)]), [(5, true, "there".into())]);
        assert_eq!(changed(vec![part("a", &seen_coming), part("b", &late)]), [], "there from the beginning at `b`");
    }

    #[test]
    fn times_at_the_ends_of_what_can_be_written_do_not_overflow() {
        let ends = [("A", "x", i64::MIN, i64::MIN), ("A", "y", i64::MAX, i64::MAX)];
        assert_eq!(merge(vec![part("a", &ends)]).changes_found, 2);
    }

    #[test]
    fn other_names_and_failures_are_named_and_left_out() {
        let mut other = part("c", &[("A", "192.0.2.1", 0, 0)]);
        other.outcome.as_mut().unwrap().name = "example.org".into();
        let failed = Part { domain: "b".into(), asn: Some(7), outcome: Err("down".into()) };
        let report = merge(vec![other, failed, part("a", &[]), part("d", &[])]);
        let silent: Vec<_> = report.silent.iter().map(|s| (s.domain.as_str(), s.reason.as_str())).collect();
        assert_eq!(silent, [("b", "down"), ("c", "answered for another name, `example.org`")]);
        assert_eq!((report.name.as_deref(), report.answered, report.asked), (Some("example.net"), 2, 4));
        assert_eq!(merge(Vec::new()).name, None);
    }

    #[test]
    fn a_domain_cannot_count_twice_by_repeating_a_record() {
        let report = merge(vec![part("a", &[("A", "x", 0, 1), ("A", "x", 0, 1)])]);
        assert_eq!((report.answers[0].seen_by.len(), report.answers[0].count), (1, Some(2)));
    }

    #[test]
    fn lists_are_cut_to_what_an_answer_holds_and_say_how_many_there_were() {
        let names: Vec<_> = (0..1_500).map(|n| format!("{n:04}")).collect();
        let many: Vec<_> = names.iter().map(|name| ("A", name.as_str(), 0, 0)).collect();
        let report = merge(vec![part("a", &many)]);
        assert_eq!((report.answers.len(), report.answers_found), (LISTED_MAX, 1_500));
        let report = merge((0..40).map(|n| part(&format!("as{n}"), &many)).collect());
        assert_eq!((report.answers.len(), report.agreements[0].common), (NAMES_MAX / 40, 1_500));
        let long: Vec<_> = (0..4).map(|n| format!("{n}{}", "x".repeat(30 << 10))).collect();
        let long: Vec<_> = long.iter().map(|text| ("TXT", text.as_str(), 0, 0)).collect();
        assert_eq!(merge(vec![part("a", &long)]).answers.len(), 3);
    }

    #[test]
    fn the_order_of_parts_does_not_matter() {
        let parts =
            || vec![part("b", &[("A", "x", 0, 9 * DAY)]), part("a", &[("A", "y", 3 * DAY, 9 * DAY), ("A", "z", 0, 0)])];
        let mut turned = parts();
        turned.reverse();
        assert_eq!(format!("{:?}", merge(parts())), format!("{:?}", merge(turned)));
    }
}
