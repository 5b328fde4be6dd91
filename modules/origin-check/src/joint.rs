//! Compares the answers of many domains: who sees which origin, whether they agree, and what is left over for suspicion.
//! Pure. A domain can speak for itself only: whatever it writes, it has one vote on each route, and a prefix that is none,
//! lies elsewhere or comes twice is passed over. However large the answers are, what is kept of them is bounded.

use std::collections::BTreeMap;

use iog_guest::Prefix;

use crate::bindings::{Agreement, JointOrigin, JointPrefix, JointReport, Part};
use crate::bits::Bits;
use crate::room::{ITEM_BYTES, LIST_BYTES_MAX, count, fitting, json_bytes, names_bytes};
use crate::route::Route;
use crate::seen::{Joint, names};
use crate::suspects;
use crate::view::{View, views};

/// What the domains without an answer take at most, and again those that see nothing.
const NAMES_BYTES_MAX: usize = 48 << 10;
/// The joint answer of all parts.
pub(crate) fn merge(parts: Vec<Part>) -> JointReport {
    let asked = count(parts.len());
    let target = agreed_target(&parts);
    let (views, silent) = views(parts, target);
    let unaware = views.iter().filter(|view| view.routes.is_empty()).map(|view| view.domain.clone());
    let mut report = JointReport {
        prefix: target.map(|target| target.to_string()),
        agreement: Agreement::Nobody,
        expected: None,
        suspects: Vec::new(),
        suspects_found: 0,
        origins: Vec::new(),
        origins_found: 0,
        more_specifics: Vec::new(),
        more_specifics_found: 0,
        unaware: fitting(unaware, NAMES_BYTES_MAX, |domain| json_bytes(domain)),
        silent: fitting(silent, NAMES_BYTES_MAX, |silent| {
            ITEM_BYTES / 4 + json_bytes(&silent.domain) + json_bytes(&silent.reason)
        }),
        answered: count(views.len()),
        asked,
    };
    if let Some(target) = target {
        fill(&mut report, target, &views);
    }
    report
}

fn fill(report: &mut JointReport, target: Prefix, views: &[View]) {
    let joined = join(target, views);
    let judged = suspects::judge(target, views, &joined);
    report.agreement = agreement(target, views);
    report.expected = judged.expected;
    report.suspects_found = judged.suspects_found;
    report.suspects = judged.suspects;
    let origins = joined.range((target, None)..=(target, Some(u32::MAX)));
    report.origins_found = count(origins.clone().count());
    report.more_specifics_found = count(joined.len()) - report.origins_found;
    let shown = |((prefix, asn), joint): (&Route, &Joint)| shown(views, target, (*prefix, *asn), joint);
    report.origins = fitting(origins.map(shown), LIST_BYTES_MAX, origin_bytes);
    let inside = joined.iter().filter(|((prefix, _), _)| *prefix != target);
    let inside = inside.map(|(route, joint)| (route.0.to_string(), shown((route, joint))));
    for (prefix, origin) in fitting(inside, LIST_BYTES_MAX, |(_, origin)| origin_bytes(origin)) {
        match report.more_specifics.last_mut() {
            Some(last) if last.prefix == prefix => last.origins.push(origin),
            _ => report.more_specifics.push(JointPrefix { prefix, origins: vec![origin] }),
        }
    }
}

fn origin_bytes(origin: &JointOrigin) -> usize {
    ITEM_BYTES + names_bytes(&origin.seen_by) + names_bytes(&origin.not_seen_by)
}

/// The prefix that most answers are about; of equally many the first in order.
fn agreed_target(parts: &[Part]) -> Option<Prefix> {
    let mut votes = BTreeMap::<Prefix, u32>::new();
    for report in parts.iter().filter_map(|part| part.outcome.as_ref().ok()) {
        if let Ok(prefix) = report.prefix.parse() {
            *votes.entry(prefix).or_default() += 1;
        }
    }
    let most = votes.values().copied().max()?;
    votes.iter().find(|&(_, &votes)| votes == most).map(|(&prefix, _)| prefix)
}

/// Every route that any domain sees.
fn join(target: Prefix, views: &[View]) -> BTreeMap<Route, Joint> {
    let mut joined = BTreeMap::<Route, Joint>::new();
    for (number, view) in (0u32..).zip(views) {
        for (route, origin) in &view.routes {
            let fresh = || Joint { first_us: origin.first_us, last_us: origin.last_us, ..Joint::default() };
            let joint = joined.entry(*route).or_insert_with(fresh);
            joint.seen_by.set(number);
            joint.peers = joint.peers.saturating_add(origin.peers);
            joint.observations = joint.observations.saturating_add(origin.observations);
            joint.first_us = joint.first_us.min(origin.first_us);
            joint.last_us = joint.last_us.max(origin.last_us);
            joint.votes.cast(origin.validity);
        }
    }
    votes_of_others(target, views, &mut joined);
    joined
}

/// The votes of domains that do not see a route but can judge it all the same: their answer lists every ROA that covers
/// the prefix, because it is the one asked for or they see it from another origin.
fn votes_of_others(target: Prefix, views: &[View], joined: &mut BTreeMap<Route, Joint>) {
    let mut judges = BTreeMap::<Prefix, (Bits, u32)>::new();
    for ((prefix, _), joint) in &*joined {
        let (seeing, routes) = judges.entry(*prefix).or_default();
        seeing.add(&joint.seen_by);
        *routes += 1;
    }
    if let Some((all, _)) = judges.get_mut(&target) {
        (0u32..).zip(views).for_each(|(number, _)| all.set(number));
    }
    // Where there is one route, only the prefix asked for has judges that do not see it.
    for (prefix, (judges, _)) in judges.iter().filter(|&(prefix, &(_, routes))| routes > 1 || *prefix == target) {
        // Without ROAs there is nothing to go by: the domain may have no table of them.
        for number in judges.numbers().filter(|&number| !views[number as usize].roas.is_empty()) {
            let verdicts = views[number as usize].roas.verdicts(*prefix);
            for ((_, asn), joint) in joined.range_mut((*prefix, None)..=(*prefix, Some(u32::MAX))) {
                if !joint.seen_by.has(number) {
                    joint.votes.cast(verdicts.of(*asn));
                }
            }
        }
    }
}

/// A route with the names of the domains.
pub(crate) fn shown(views: &[View], target: Prefix, (prefix, asn): Route, joint: &Joint) -> JointOrigin {
    let (seen_by, not_seen_by) = names(views, target, prefix, joint);
    JointOrigin {
        asn,
        seen_by,
        not_seen_by,
        peers: joint.peers,
        observations: joint.observations,
        first_us: joint.first_us,
        last_us: joint.last_us,
        validity: joint.votes.majority(),
        votes: joint.votes.shown(),
    }
}

fn agreement(target: Prefix, views: &[View]) -> Agreement {
    let origins = |view: &View| view.origins(target).iter().map(|&((_, asn), _)| asn).collect::<Vec<_>>();
    let mut seen: Vec<_> = views.iter().map(origins).filter(|origins| !origins.is_empty()).collect();
    let domains = seen.len();
    seen.dedup();
    match (domains, seen.len()) {
        (0, _) => Agreement::Nobody,
        (1, _) => Agreement::OneDomain,
        (_, 1) => Agreement::Same,
        _ => Agreement::Differ,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bindings::{MoreSpecific, Origin, Report, Roa};

    /// An origin seen by two of the domain's peers.
    pub(crate) fn origin(asn: u32, first_us: i64, validity: Validity) -> Origin {
        Origin { asn: Some(asn), peers: 2, observations: 4, first_us, last_us: first_us + 100, validity }
    }

    /// A domain with three peers that sees these origins of `10.0.0.0/8`, and these routes inside it.
    pub(crate) fn part(domain: &str, origins: &[Origin], inside: &[(&str, Origin)]) -> Part {
        let more = |(prefix, origin): &(&str, Origin)| MoreSpecific {
            prefix: (*prefix).to_owned(),
            origins: vec![*origin],
            withdrawals: 0,
        };
        let report = Report {
            prefix: "10.0.0.0/8".into(),
            origins: origins.to_vec(),
            withdrawals: 0,
            more_specifics: inside.iter().map(more).collect(),
            roas: Vec::new(),
            roas_found: 0,
            peers: 3,
            peers_all: 3,
            skipped: 0,
            roas_skipped: 0,
        };
        Part { domain: domain.into(), asn: None, outcome: Ok(report) }
    }

    fn known(asn: u32) -> Origin {
        origin(asn, 0, Validity::NotFound)
    }

    #[test]
    fn routes_are_joined_with_who_sees_them_and_who_does_not() {
        let inside = [("10.1.0.0/16", known(2))];
        let report = merge(vec![
            part("c", &[], &inside),
            part("b", &[known(1), known(3)], &[]),
            part("a", &[origin(1, -5, Validity::Valid)], &inside),
            part("d", &[], &[]),
        ]);
        let shown =
            |o: &JointOrigin| (o.asn, o.seen_by.concat(), o.not_seen_by.concat(), o.peers, o.first_us, o.last_us);
        let origins: Vec<_> = report.origins.iter().map(shown).collect();
        assert_eq!(
            origins,
            [(Some(1), "ab".into(), String::new(), 4, -5, 100), (Some(3), "b".into(), "a".into(), 2, 0, 100)]
        );
        assert_eq!((report.origins[0].validity, report.origins[0].votes.not_found), (Validity::Valid, 1));
        let inside = &report.more_specifics[0];
        assert_eq!((inside.prefix.as_str(), shown(&inside.origins[0]).1), ("10.1.0.0/16", "ac".into()));
        assert_eq!((inside.origins[0].not_seen_by.concat(), report.unaware.concat()), ("b".into(), "d".into()));
        assert_eq!((report.agreement, report.answered, report.asked), (Agreement::Differ, 4, 4));
    }

    #[test]
    fn agreement_compares_those_that_see_the_prefix() {
        let agree = |parts| merge(parts).agreement;
        assert_eq!(agree(vec![]), Agreement::Nobody);
        assert_eq!(agree(vec![part("a", &[], &[])]), Agreement::Nobody);
        assert_eq!(agree(vec![part("a", &[known(1)], &[]), part("b", &[], &[])]), Agreement::OneDomain);
        assert_eq!(agree(vec![part("a", &[known(1)], &[]), part("b", &[known(1)], &[])]), Agreement::Same);
        let moas = || [known(1), known(2)];
        assert_eq!(agree(vec![part("a", &moas(), &[]), part("b", &moas(), &[])]), Agreement::Same);
        assert_eq!(agree(vec![part("a", &moas(), &[]), part("b", &[known(2)], &[])]), Agreement::Differ);
    }

    #[test]
    fn the_worse_of_equal_votes_counts_and_not_found_says_nothing() {
        let votes = |valid, invalid_asn, invalid_length, not_found| {
            Ballot([valid, invalid_asn, invalid_length, not_found]).majority()
        };
        assert_eq!(votes(0, 0, 0, 9), Validity::NotFound);
        assert_eq!(votes(1, 0, 0, 9), Validity::Valid);
        assert_eq!(votes(2, 1, 1, 0), Validity::Valid);
        assert_eq!(votes(1, 1, 1, 0), Validity::InvalidAsn);
        assert_eq!(votes(1, 0, 1, 0), Validity::InvalidLength);
    }

    #[test]
    fn other_questions_and_failures_are_named_and_left_out() {
        let mut other = part("c", &[known(9)], &[]);
        other.outcome.as_mut().unwrap().prefix = "192.0.2.0/24".into();
        let mut nonsense = part("d", &[known(9)], &[]);
        nonsense.outcome.as_mut().unwrap().prefix = "x".into();
        let failed = Part { domain: "b".into(), asn: Some(7), outcome: Err("down".into()) };
        let parts = vec![other, nonsense, failed, part("a", &[known(1)], &[]), part("e", &[known(1)], &[])];
        let report = merge(parts);
        let silent: Vec<_> = report.silent.iter().map(|s| (s.domain.as_str(), s.reason.as_str())).collect();
        assert_eq!(
            silent,
            [
                ("b", "down"),
                ("c", "answered for another prefix, `192.0.2.0/24`"),
                ("d", "answered for another prefix, `x`")
            ]
        );
        assert_eq!((report.prefix.as_deref(), report.answered, report.asked), (Some("10.0.0.0/8"), 2, 5));
    }

    #[test]
    fn what_a_domain_repeats_or_invents_is_passed_over() {
        let inside = [
            ("10.1.0.0/16", known(2)),
            ("10.1.0.0/16", known(2)),
            ("x", known(3)),
            ("11.0.0.0/16", known(4)),
            ("10.0.0.0/8", known(5)),
        ];
        let report = merge(vec![part("a", &[known(1), known(1)], &inside)]);
        assert_eq!(report.origins.iter().map(|o| (o.asn, o.observations)).collect::<Vec<_>>(), [(Some(1), 4)]);
        assert_eq!((report.more_specifics_found, report.more_specifics[0].origins[0].observations), (1, 4));
    }

    #[test]
    fn lists_are_cut_to_what_an_answer_holds_and_say_how_many_there_were() {
        let inside: Vec<_> = (0..900u32).map(|n| (format!("10.{}.{}.0/24", n / 256, n % 256), known(n + 2))).collect();
        let inside: Vec<_> = inside.iter().map(|(prefix, origin)| (prefix.as_str(), *origin)).collect();
        let origins: Vec<_> = (1..=900).map(known).collect();
        let report = merge(vec![part("a", &origins, &inside)]);
        let cut = LIST_BYTES_MAX / (ITEM_BYTES + json_bytes("a"));
        assert_eq!((report.more_specifics.len(), report.more_specifics_found), (cut, 900));
        assert_eq!((report.origins.len(), report.origins_found), (cut, 900));
        assert!(report.suspects.len() < 700 && report.suspects_found > 1_700, "{}", report.suspects_found);
        let many = (0..100).map(|n| part(&format!("as{n:02}"), &[known(1)], &inside)).collect();
        let report = merge(many);
        assert_eq!(report.more_specifics.len(), LIST_BYTES_MAX / (ITEM_BYTES + 100 * json_bytes("as00")));
    }

    #[test]
    fn a_domain_that_does_not_see_an_origin_judges_it_by_the_roas_it_lists() {
        let with_roas = |domain, roas: &[(&str, u8, u32)], found| {
            let mut part = part(domain, &[origin(1, 0, Validity::Valid)], &[("10.1.0.0/16", known(2))]);
            let report = part.outcome.as_mut().unwrap();
            let shown = |&(prefix, max_length, asn): &(&str, u8, u32)| Roa { prefix: prefix.into(), max_length, asn };
            (report.roas, report.roas_found) = (roas.iter().map(shown).collect(), found);
            part
        };
        let taken = || part("z", &[known(9)], &[("10.1.0.0/16", known(9)), ("10.2.0.0/16", known(9))]);
        let roas = [("10.0.0.0/8", 8, 1), ("10.1.0.0/16", 16, 2)];
        let report = merge(vec![with_roas("a", &roas, 2), with_roas("b", &roas, 2), taken()]);
        let votes = |o: &JointOrigin| (o.votes.valid, o.votes.invalid_asn, o.votes.not_found);
        assert_eq!(votes(&report.origins[1]), (0, 2, 1), "it was asked for");
        assert_eq!(votes(&report.more_specifics[0].origins[1]), (0, 2, 1), "they see it from another origin");
        assert_eq!(votes(&report.more_specifics[1].origins[0]), (0, 0, 1), "its ROAs are unknown to them");
        let cut = merge(vec![with_roas("a", &roas, 3), with_roas("b", &[], 0), taken()]);
        assert_eq!(votes(&cut.origins[1]), (0, 0, 1), "some ROAs or none are no ground to judge");
    }

    #[test]
    fn an_item_takes_no_more_than_is_reckoned_for_it() {
        let longest = "2001:db8:1111:2222:3333:4444:5555:6666/128";
        let origin = r#"{"asn":4294967295,"seen-by":[],"not-seen-by":[],"peers":18446744073709551615,"observations":18446744073709551615,"first-us":-9223372036854775808,"last-us":-9223372036854775808,"validity":"invalid-length","votes":{"valid":4294967295,"invalid-asn":4294967295,"invalid-length":4294967295,"not-found":4294967295}},"#;
        let around = format!(r#"{{"prefix":"{longest}","origins":[]}},"#);
        assert!(origin.len() + around.len() <= ITEM_BYTES, "{}", origin.len() + around.len());
        let more = r#""reasons":["rpki-invalid-asn","other-origin","more-specific","new","seen-by-some"],"assessment":"likely-hijack","prefix":,"#;
        // A suspect has `peers-of` in place of `observations`.
        let suspect = origin.len() + more.len() + longest.len();
        assert!(suspect <= ITEM_BYTES, "{suspect}");
    }

    #[test]
    fn the_order_of_parts_does_not_matter() {
        let parts = || {
            let inside = [("10.1.0.0/16", known(2))];
            vec![part("b", &[known(1)], &inside), part("a", &[known(3)], &[]), part("c", &[known(3), known(1)], &[])]
        };
        let mut turned = parts();
        turned.reverse();
        assert_eq!(format!("{:?}", merge(parts())), format!("{:?}", merge(turned)));
    }
}
