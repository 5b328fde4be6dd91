//! Compares the answers of many domains: who sees which origin, whether they agree, and what is left over for suspicion.
//! Pure. A domain can speak for itself only: whatever it writes, it has one vote on each route, and a prefix that is none,
//! lies elsewhere or comes twice is passed over.

use std::collections::BTreeMap;

use iog_guest::Prefix;

use crate::bindings::{
    Agreement, JointOrigin, JointPrefix, JointReport, Origin, Part, Report, Silent, Validity, Votes,
};
use crate::rpki::covers;
use crate::suspects;

/// Routes inside the prefix that a joint answer lists at most.
const MORE_SPECIFICS_MAX: usize = 600;
/// Suspects that a joint answer lists at most.
const SUSPECTS_MAX: usize = 300;
/// Names of domains that the lists hold together at most, about 20 bytes each; so many fewer routes for many domains.
const NAMES_MAX: usize = 15_000;
/// However many domains there are, so many routes are listed.
const LISTED_MIN: usize = 20;

/// A prefix and who originates it.
pub(crate) type Route = (Prefix, Option<u32>);

/// One domain's answer.
pub(crate) struct View {
    pub(crate) domain: String,
    /// Peers that announced the very prefix asked for.
    pub(crate) peers: u64,
    /// Peers that announced it or something inside it.
    pub(crate) peers_all: u64,
    pub(crate) routes: BTreeMap<Route, Origin>,
}

impl View {
    fn new(domain: String, target: Prefix, report: Report) -> Self {
        let mut routes = BTreeMap::new();
        let mut add = |prefix: Prefix, origins: Vec<Origin>| {
            for origin in origins {
                routes.entry((prefix, origin.asn)).or_insert(origin);
            }
        };
        add(target, report.origins);
        for inside in report.more_specifics {
            match inside.prefix.parse() {
                Ok(prefix) if prefix != target && covers(target, prefix) => add(prefix, inside.origins),
                _ => (),
            }
        }
        Self { domain, peers: report.peers, peers_all: report.peers_all, routes }
    }

    /// Origins of one prefix.
    pub(crate) fn origins(&self, prefix: Prefix) -> impl Iterator<Item = (Option<u32>, &Origin)> + '_ {
        self.routes.range((prefix, None)..=(prefix, Some(u32::MAX))).map(|(&(_, asn), origin)| (asn, origin))
    }

    /// Whether it could see a route: it sees the prefix, or for one inside it anything at all.
    pub(crate) fn could_see(&self, target: Prefix, prefix: Prefix) -> bool {
        if prefix == target { self.origins(target).next().is_some() } else { !self.routes.is_empty() }
    }
}

/// The joint answer of all parts.
pub(crate) fn merge(parts: Vec<Part>) -> JointReport {
    let asked = count(parts.len());
    let target = agreed_target(&parts);
    let (views, silent) = views(parts, target);
    let mut report = JointReport {
        prefix: target.map(|target| target.to_string()),
        agreement: Agreement::Nobody,
        expected: None,
        suspects: Vec::new(),
        suspects_found: 0,
        origins: Vec::new(),
        more_specifics: Vec::new(),
        more_specifics_found: 0,
        unaware: views.iter().filter(|view| view.routes.is_empty()).map(|view| view.domain.clone()).collect(),
        silent,
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
    let listed = |most: usize, names: usize| most.min(names / views.len().max(1)).max(LISTED_MIN);
    let judged = suspects::judge(target, views, &joined);
    report.agreement = agreement(target, views);
    report.expected = judged.expected;
    report.suspects_found = count(judged.suspects.len());
    report.suspects = judged.suspects;
    report.suspects.truncate(listed(SUSPECTS_MAX, NAMES_MAX / 3));
    report.more_specifics_found = count(joined.keys().filter(|(prefix, _)| *prefix != target).count());
    let mut left = listed(MORE_SPECIFICS_MAX, NAMES_MAX / 3 * 2);
    for ((prefix, _), origin) in joined {
        if prefix == target {
            report.origins.push(origin);
            continue;
        }
        if left == 0 {
            break;
        }
        left -= 1;
        let prefix = prefix.to_string();
        match report.more_specifics.last_mut() {
            Some(last) if last.prefix == prefix => last.origins.push(origin),
            _ => report.more_specifics.push(JointPrefix { prefix, origins: vec![origin] }),
        }
    }
}

/// The answers about the target, by domain, and the domains that gave none.
fn views(parts: Vec<Part>, target: Option<Prefix>) -> (Vec<View>, Vec<Silent>) {
    let (mut views, mut silent) = (Vec::new(), Vec::new());
    for Part { domain, asn, outcome } in parts {
        match outcome {
            Ok(report) => match target.filter(|&target| report.prefix.parse() == Ok(target)) {
                Some(target) => views.push(View::new(domain, target, report)),
                None => {
                    let reason = format!("answered for another prefix, `{}`", report.prefix);
                    silent.push(Silent { domain, asn, reason });
                }
            },
            Err(reason) => silent.push(Silent { domain, asn, reason }),
        }
    }
    views.sort_by(|a, b| a.domain.cmp(&b.domain));
    silent.sort_by(|a, b| a.domain.cmp(&b.domain));
    (views, silent)
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
fn join(target: Prefix, views: &[View]) -> BTreeMap<Route, JointOrigin> {
    let mut joined = BTreeMap::<Route, JointOrigin>::new();
    for view in views {
        for (&route, origin) in &view.routes {
            let joint = joined.entry(route).or_insert_with(|| fresh(origin));
            joint.seen_by.push(view.domain.clone());
            joint.peers = joint.peers.saturating_add(origin.peers);
            joint.observations = joint.observations.saturating_add(origin.observations);
            joint.first_us = joint.first_us.min(origin.first_us);
            joint.last_us = joint.last_us.max(origin.last_us);
            *vote(&mut joint.votes, origin.validity) += 1;
        }
    }
    for (route, joint) in &mut joined {
        let blind = views.iter().filter(|view| view.could_see(target, route.0) && !view.routes.contains_key(route));
        joint.not_seen_by = blind.map(|view| view.domain.clone()).collect();
        joint.validity = majority(&joint.votes);
    }
    joined
}

fn fresh(origin: &Origin) -> JointOrigin {
    JointOrigin {
        asn: origin.asn,
        seen_by: Vec::new(),
        not_seen_by: Vec::new(),
        peers: 0,
        observations: 0,
        first_us: origin.first_us,
        last_us: origin.last_us,
        validity: Validity::NotFound,
        votes: Votes { valid: 0, invalid_asn: 0, invalid_length: 0, not_found: 0 },
    }
}

fn vote(votes: &mut Votes, validity: Validity) -> &mut u32 {
    match validity {
        Validity::Valid => &mut votes.valid,
        Validity::InvalidAsn => &mut votes.invalid_asn,
        Validity::InvalidLength => &mut votes.invalid_length,
        Validity::NotFound => &mut votes.not_found,
    }
}

/// What most domains say that have a ROA for the route; of equal votes the worse.
fn majority(votes: &Votes) -> Validity {
    let most = votes.valid.max(votes.invalid_asn).max(votes.invalid_length);
    match () {
        () if most == 0 => Validity::NotFound,
        () if votes.invalid_asn == most => Validity::InvalidAsn,
        () if votes.invalid_length == most => Validity::InvalidLength,
        () => Validity::Valid,
    }
}

fn agreement(target: Prefix, views: &[View]) -> Agreement {
    let origins = |view: &View| view.origins(target).map(|(asn, _)| asn).collect::<Vec<_>>();
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

pub(crate) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bindings::MoreSpecific;

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
            majority(&Votes { valid, invalid_asn, invalid_length, not_found })
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
        let inside: Vec<_> = (0..700u32).map(|n| (format!("10.{}.{}.0/24", n / 256, n % 256), known(n + 2))).collect();
        let inside: Vec<_> = inside.iter().map(|(prefix, origin)| (prefix.as_str(), *origin)).collect();
        let report = merge(vec![part("a", &[known(1)], &inside)]);
        assert_eq!((report.more_specifics.len(), report.more_specifics_found), (MORE_SPECIFICS_MAX, 700));
        assert_eq!((report.suspects.len(), report.suspects_found), (SUSPECTS_MAX, 700));
        let many = (0..100).map(|n| part(&format!("as{n}"), &[known(1)], &inside)).collect();
        let report = merge(many);
        assert_eq!((report.more_specifics.len(), report.suspects.len()), (100, 50));
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
