//! Compares what many domains saw of one name: who has which record, who lacks it, and what changed. Pure. A domain can
//! speak for itself only: a record that it lists twice counts once. However large the answers are, what is kept of them is
//! bounded.

use std::collections::{BTreeMap, BTreeSet};

use crate::bindings::{Agreement, Answer, Change, JointAnswer, JointReport, Part, Report, Sighting, Silent, What};
use crate::name::owner;
use crate::table::{can_be, json_bytes, sum};

/// How far from the beginning or end of what a domain saw of a type a record must lie to be a change: a day, the longest
/// time to live that is common, after which a sensor has seen all records of a set.
const SETTLED_US: i64 = 86_400_000_000;

/// What the records of a joint answer take at most of its 768 KiB of JSON.
const ANSWERS_BYTES_MAX: usize = 384 << 10;
/// What the changes take at most.
const CHANGES_BYTES_MAX: usize = 160 << 10;
/// What each of the other lists takes at most.
const LIST_BYTES_MAX: usize = 48 << 10;
/// JSON of any item without the texts in it, in bytes; measured, with the largest numbers.
const ITEM_BYTES: usize = 160;
/// Records of all answers together at most, about 400 bytes each while they are compared, with their data.
const RECORDS_TOTAL_MAX: usize = 40_000;
/// Text of all answers together at most, in bytes of JSON.
const TEXT_TOTAL_BYTES_MAX: usize = 4 << 20;
/// Characters of a reason that are shown.
const REASON_CHARS_MAX: usize = 160;

/// A record: type and data.
type Record = (String, String);

/// One domain's view of a record; the domain is its place in the list of those that answered.
#[derive(Debug, Clone, Copy)]
struct Seen {
    domain: u32,
    first_us: i64,
    last_us: i64,
    count: Option<u64>,
}

/// The joint answer of all parts.
pub(crate) fn merge(parts: Vec<Part>) -> JointReport {
    let asked = count(parts.len());
    let name = agreed_name(&parts);
    let Views { domains, records, silent } = views(parts, name.as_deref());
    let types = types(&records);
    let having: BTreeSet<u32> = types.iter().flat_map(|of| of.spans.keys().copied()).collect();
    let unaware = (0u32..).zip(&domains).filter(|(number, _)| !having.contains(number));
    let joined = types.iter().flat_map(|of| of.records.iter().filter_map(|record| of.joint(&domains, record)));
    let mut changes: Vec<_> = types.iter().flat_map(OfType::changes).collect();
    // Records are in order already, and the sort keeps it.
    changes.sort_by_key(|change| (change.at_us, matches!(change.what, What::Vanished)));
    JointReport {
        name,
        answers: fitting(joined, ANSWERS_BYTES_MAX, answer_bytes),
        answers_found: count(records.len()),
        agreements: fitting(types.iter().map(OfType::agreement), LIST_BYTES_MAX, |agreement| {
            ITEM_BYTES + json_bytes(&agreement.rrtype)
        }),
        changes_found: count(changes.len()),
        changes: fitting(changes.into_iter().map(Came::shown), CHANGES_BYTES_MAX, |change| {
            ITEM_BYTES + json_bytes(&change.rrtype) + json_bytes(&change.rdata)
        }),
        unaware: fitting(unaware.map(|(_, domain)| domain.clone()), LIST_BYTES_MAX, |domain| 1 + json_bytes(domain)),
        silent: fitting(silent.into_iter(), LIST_BYTES_MAX, |silent| {
            ITEM_BYTES + json_bytes(&silent.domain) + json_bytes(&silent.reason)
        }),
        answered: count(domains.len()),
        asked,
    }
}

/// What the parts hold.
struct Views {
    /// Domains that answered about the name, in order.
    domains: Vec<String>,
    /// Every record with the domains that saw it, in order, each once.
    records: BTreeMap<Record, Vec<Seen>>,
    /// Domains that did not, with the reason.
    silent: Vec<Silent>,
}

fn views(mut parts: Vec<Part>, name: Option<&str>) -> Views {
    parts.sort_by(|a, b| a.domain.cmp(&b.domain));
    let mut views = Views { domains: Vec::new(), records: BTreeMap::new(), silent: Vec::new() };
    let mut left = (RECORDS_TOTAL_MAX, TEXT_TOTAL_BYTES_MAX);
    for Part { domain, asn, outcome } in parts {
        match outcome.and_then(|report| usable(report, name, &mut left)) {
            Ok(report) => views.add(domain, report),
            Err(reason) => views.silent.push(Silent { domain, asn, reason: shortened(&reason) }),
        }
    }
    views
}

impl Views {
    fn add(&mut self, domain: String, report: Report) {
        let number = count(self.domains.len());
        self.domains.push(domain);
        for Answer { rrtype, rdata, first_us, last_us, count, .. } in report.answers {
            let seen = self.records.entry((rrtype, rdata)).or_default();
            // Of a record that comes twice the first counts.
            if seen.last().is_none_or(|last| last.domain != number) {
                seen.push(Seen { domain: number, first_us, last_us, count });
            }
        }
    }
}

/// An answer that is about the name and no larger than one of this analysis can be; else why it is left out.
fn usable(report: Report, name: Option<&str>, left: &mut (usize, usize)) -> Result<Report, String> {
    if name != Some(&report.name) {
        return Err(format!("answered for another name, `{}`", shortened(&report.name)));
    }
    let records = report.answers.len();
    if !can_be(&report) {
        return Err(format!("listed {records} records, which are more than an answer holds"));
    }
    let text = report.answers.iter().map(|answer| json_bytes(&answer.rrtype) + json_bytes(&answer.rdata)).sum();
    let rest = left.0.checked_sub(records).zip(left.1.checked_sub(text));
    *left = rest.ok_or("not compared: with its answer there are too many records; ask for a shorter time")?;
    Ok(report)
}

/// A text of somebody else, in one line of bounded length.
fn shortened(text: &str) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = chars.by_ref().take(REASON_CHARS_MAX).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}

/// The first items of a list, as many as take so many bytes of JSON.
fn fitting<T>(items: impl Iterator<Item = T>, bytes_max: usize, bytes: impl Fn(&T) -> usize) -> Vec<T> {
    let mut left = bytes_max;
    let fits = items.take_while(|item| {
        let rest = left.checked_sub(bytes(item));
        left = rest.unwrap_or_default();
        rest.is_some()
    });
    fits.collect()
}

fn answer_bytes(answer: &JointAnswer) -> usize {
    let seen: usize = answer.seen_by.iter().map(|seen| ITEM_BYTES + json_bytes(&seen.domain)).sum();
    let not_seen: usize = answer.not_seen_by.iter().map(|domain| 1 + json_bytes(domain)).sum();
    2 * ITEM_BYTES + json_bytes(&answer.rrtype) + json_bytes(&answer.rdata) + seen + not_seen
}

/// The name that most answers are about; of equally many the first in order. What is no name in its one form is none.
fn agreed_name(parts: &[Part]) -> Option<String> {
    let mut votes = BTreeMap::<&str, u32>::new();
    for report in parts.iter().filter_map(|part| part.outcome.as_ref().ok()) {
        if owner(&report.name).as_ref() == Ok(&report.name) {
            *votes.entry(&report.name).or_default() += 1;
        }
    }
    let most = votes.values().copied().max()?;
    votes.iter().find(|&(_, &votes)| votes == most).map(|(&name, _)| name.to_owned())
}

/// All records of one type.
struct OfType<'a> {
    rrtype: &'a str,
    records: Vec<(&'a Record, &'a [Seen])>,
    /// For each domain that has any, when the first was first seen and the last one last.
    spans: BTreeMap<u32, (i64, i64)>,
}

/// The records by type. Texts are compared here for the last time.
fn types(records: &BTreeMap<Record, Vec<Seen>>) -> Vec<OfType<'_>> {
    let mut types = Vec::<OfType<'_>>::new();
    for (record, seen) in records {
        if types.last().is_none_or(|last| last.rrtype != record.0) {
            types.push(OfType { rrtype: &record.0, records: Vec::new(), spans: BTreeMap::new() });
        }
        let Some(of) = types.last_mut() else { continue };
        of.records.push((record, seen));
        for &Seen { domain, first_us, last_us, .. } in seen {
            let span = of.spans.entry(domain).or_insert((first_us, last_us));
            *span = (span.0.min(first_us), span.1.max(last_us));
        }
    }
    types
}

impl OfType<'_> {
    /// One record over all domains that have records of its type.
    fn joint(&self, domains: &[String], (record, seen): &(&Record, &[Seen])) -> Option<JointAnswer> {
        let name = |number: u32| domains[number as usize].clone();
        let sighting = |&Seen { domain, first_us, last_us, count }: &Seen| Sighting {
            domain: name(domain),
            first_us,
            last_us,
            count,
        };
        let lacking =
            self.spans.keys().filter(|number| seen.binary_search_by_key(number, |seen| &seen.domain).is_err());
        let (rrtype, rdata) = (*record).clone();
        Some(JointAnswer {
            rrtype,
            rdata,
            first_us: seen.iter().map(|seen| seen.first_us).min()?,
            last_us: seen.iter().map(|seen| seen.last_us).max()?,
            count: seen.iter().fold(None, |all, seen| sum(all, seen.count)),
            seen_by: seen.iter().map(sighting).collect(),
            not_seen_by: lacking.map(|&number| name(number)).collect(),
        })
    }

    fn agreement(&self) -> Agreement {
        let common = self.records.iter().filter(|(_, seen)| seen.len() == self.spans.len());
        Agreement {
            rrtype: self.rrtype.to_owned(),
            domains: count(self.spans.len()),
            answers: count(self.records.len()),
            common: count(common.count()),
        }
    }

    /// Records that came or went.
    fn changes(&self) -> Vec<Came<'_>> {
        let mut changes = Vec::new();
        for &(record, seen) in &self.records {
            let mut add = |what, at_us: Option<i64>| changes.extend(at_us.map(|at_us| Came { at_us, what, record }));
            if seen.iter().all(|seen| seen.first_us.saturating_sub(self.spans[&seen.domain].0) > SETTLED_US) {
                add(What::Appeared, seen.iter().map(|seen| seen.first_us).min());
            }
            if seen.iter().all(|seen| self.spans[&seen.domain].1.saturating_sub(seen.last_us) > SETTLED_US) {
                add(What::Vanished, seen.iter().map(|seen| seen.last_us).max());
            }
        }
        changes
    }
}

/// A change, before its texts are copied.
struct Came<'a> {
    at_us: i64,
    what: What,
    record: &'a Record,
}

impl Came<'_> {
    fn shown(self) -> Change {
        let (rrtype, rdata) = self.record.clone();
        Change { at_us: self.at_us, what: self.what, rrtype, rdata }
    }
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
        let names: Vec<_> = (0..2_000).map(|n| format!("{n:04}")).collect();
        let many: Vec<_> = names.iter().map(|name| ("A", name.as_str(), 0, 0)).collect();
        let one = 3 * ITEM_BYTES + 3 + 6 + 3;
        let report = merge(vec![part("a", &many)]);
        assert_eq!((report.answers.len(), report.answers_found), (ANSWERS_BYTES_MAX / one, 2_000));
        let report = merge((0..18).map(|n| part(&format!("as{n:02}"), &many)).collect());
        let one = 2 * ITEM_BYTES + 3 + 6 + 18 * (ITEM_BYTES + 6);
        assert_eq!((report.answers.len(), report.agreements[0].common), (ANSWERS_BYTES_MAX / one, 2_000));
        let gone: Vec<_> =
            names.iter().map(|name| ("A", name.as_str(), 0, 0)).chain([("A", "x", 0, 9 * DAY)]).collect();
        let report = merge(vec![part("a", &gone[1..])]);
        assert_eq!(report.changes_found, 1_999);
        assert_eq!(report.changes.len(), CHANGES_BYTES_MAX / (ITEM_BYTES + 3 + 6));
    }

    #[test]
    fn an_item_takes_no_more_than_is_reckoned_for_it() {
        for (item, reckoned) in [
            (
                r#"{"domain":,"first-us":-9223372036854775808,"last-us":-9223372036854775808,"count":18446744073709551615},"#,
                1,
            ),
            (
                r#"{"rrtype":,"rdata":,"first-us":-9223372036854775808,"last-us":-9223372036854775808,"count":18446744073709551615,"seen-by":[],"not-seen-by":[]},"#,
                2,
            ),
            (r#"{"rrtype":,"domains":4294967295,"answers":4294967295,"common":4294967295},"#, 1),
            (r#"{"at-us":-9223372036854775808,"what":"appeared","rrtype":,"rdata":},"#, 1),
            (r#"{"domain":,"asn":4294967295,"reason":},"#, 1),
        ] {
            assert!(item.len() <= reckoned * ITEM_BYTES, "{item}");
        }
    }

    #[test]
    fn an_answer_larger_than_any_is_left_out_and_texts_of_others_are_cut() {
        let names: Vec<_> = (0..2_001).map(|n| format!("{n:04}")).collect();
        let many: Vec<_> = names.iter().map(|name| ("A", name.as_str(), 0, 0)).collect();
        let long = "x".repeat(300 << 10);
        let mut other = part("c", &[]);
        other.outcome.as_mut().unwrap().name = "é".repeat(1 << 20);
        let failed = Part { domain: "d".into(), asn: None, outcome: Err("x\n".repeat(1 << 20)) };
        let parts = vec![part("a", &many), part("b", &[("TXT", &long, 0, 0)]), other, failed, part("e", &many[1..])];
        let report = merge(parts);
        let reasons: Vec<_> = report.silent.iter().map(|silent| silent.reason.as_str()).collect();
        assert_eq!(reasons[0], "listed 2001 records, which are more than an answer holds");
        assert_eq!(reasons[1], "listed 1 records, which are more than an answer holds");
        assert!(reasons[2].starts_with("answered for another name, `éé") && reasons[2].chars().count() <= 161);
        assert_eq!(reasons[3], format!("{}…", "x ".repeat(REASON_CHARS_MAX / 2)));
        assert_eq!((report.answered, report.answers_found), (1, 2_000));
    }

    #[test]
    fn more_answers_than_can_be_compared_are_named() {
        let names: Vec<_> = (0..2_000).map(|n| format!("{n:04}")).collect();
        let many: Vec<_> = names.iter().map(|name| ("A", name.as_str(), 0, 0)).collect();
        let report = merge((0..22).map(|n| part(&format!("as{n:02}"), &many)).collect());
        assert_eq!(report.silent.iter().map(|silent| silent.domain.as_str()).collect::<Vec<_>>(), ["as20", "as21"]);
        assert!(report.silent[0].reason.starts_with("not compared: "), "{}", report.silent[0].reason);
    }

    #[test]
    fn what_is_no_name_does_not_become_the_name() {
        let mut other = part("a", &[]);
        other.outcome.as_mut().unwrap().name = "..".into();
        assert_eq!(merge(vec![other, part("b", &[])]).name.as_deref(), Some("example.net"));
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
