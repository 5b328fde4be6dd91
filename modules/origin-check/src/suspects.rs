//! Which routes may be a hijack, and why. Pure, and the same on every machine. It proves nothing: it says which reasons
//! there are, by a rule that the README states.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use iog_guest::Prefix;

use crate::bindings::{Assessment, Basis, Expected, JointOrigin, Reason, Suspect, Validity};
use crate::joint::{Route, View, count};

/// What was found.
pub(crate) struct Judged {
    pub(crate) expected: Option<Expected>,
    /// Likely hijacks first, then by prefix and AS number.
    pub(crate) suspects: Vec<Suspect>,
}

/// Judges every route of the joint answer.
pub(crate) fn judge(target: Prefix, views: &[View], joined: &BTreeMap<Route, JointOrigin>) -> Judged {
    let expected = expected(target, views, joined);
    let case = Case { target, views, expected: expected.as_ref() };
    let mut found = Vec::new();
    for (&(prefix, _), origin) in joined {
        let reasons = case.reasons(prefix, origin);
        if let Some(assessment) = assess(&reasons, origin.validity) {
            found.push((assessment, case.suspect(assessment, prefix, origin, reasons)));
        }
    }
    // The routes are in order already, and the sort keeps it.
    found.sort_by_key(|(assessment, _)| matches!(assessment, Assessment::Unusual));
    Judged { expected, suspects: found.into_iter().map(|(_, suspect)| suspect).collect() }
}

/// Who is expected to originate the prefix asked for: whoever the RPKI authorises, else whoever most domains saw first.
fn expected(target: Prefix, views: &[View], joined: &BTreeMap<Route, JointOrigin>) -> Option<Expected> {
    let origins = || joined.range((target, Some(0))..=(target, Some(u32::MAX))).map(|(_, origin)| origin);
    let authorised: Vec<_> = origins().filter(|origin| matches!(origin.validity, Validity::Valid)).collect();
    if !authorised.is_empty() {
        return Some(Expected {
            asns: authorised.iter().filter_map(|origin| origin.asn).collect(),
            basis: Basis::Rpki,
            first_us: authorised.iter().map(|origin| origin.first_us).min()?,
        });
    }
    let mut first_in = BTreeMap::<Option<u32>, u32>::new();
    for view in views {
        let Some(first) = view.origins(target).map(|(_, origin)| origin.first_us).min() else { continue };
        for (asn, _) in view.origins(target).filter(|(_, origin)| origin.first_us == first) {
            *first_in.entry(asn).or_default() += 1;
        }
    }
    let rank = |origin: &&JointOrigin| {
        let first_in = first_in.get(&origin.asn).copied().unwrap_or_default();
        (first_in, count(origin.seen_by.len()), origin.peers, Reverse(origin.asn))
    };
    let known = origins().filter(|origin| !matches!(origin.validity, Validity::InvalidAsn)).max_by_key(rank)?;
    Some(Expected { asns: known.asn.into_iter().collect(), basis: Basis::SeenFirst, first_us: known.first_us })
}

/// What every route is judged against.
struct Case<'a> {
    target: Prefix,
    views: &'a [View],
    expected: Option<&'a Expected>,
}

impl Case<'_> {
    /// What speaks against a route, in the order of declaration.
    fn reasons(&self, prefix: Prefix, origin: &JointOrigin) -> Vec<Reason> {
        let (foreign, inside) = (self.is_foreign(origin), prefix != self.target);
        [
            (matches!(origin.validity, Validity::InvalidAsn), Reason::RpkiInvalidAsn),
            (matches!(origin.validity, Validity::InvalidLength), Reason::RpkiInvalidLength),
            (foreign, Reason::OtherOrigin),
            (inside, Reason::MoreSpecific),
            ((foreign || inside) && self.is_new(prefix, origin.asn), Reason::New),
            (self.is_seen_by_some(prefix, origin), Reason::SeenBySome),
        ]
        .into_iter()
        .filter_map(|(holds, reason)| holds.then_some(reason))
        .collect()
    }

    /// Whether the origin is none of the expected ones. Where nobody is expected, it is so if ROAs name others.
    fn is_foreign(&self, origin: &JointOrigin) -> bool {
        match self.expected {
            Some(expected) => origin.asn.is_none_or(|asn| !expected.asns.contains(&asn)),
            None => matches!(origin.validity, Validity::InvalidAsn),
        }
    }

    /// Whether every domain that sees both saw the route later than the expected origins of the prefix asked for.
    fn is_new(&self, prefix: Prefix, asn: Option<u32>) -> bool {
        let Some(expected) = self.expected else { return false };
        let mut later = self.views.iter().filter_map(|view| {
            let known =
                view.origins(self.target).filter(|(asn, _)| asn.is_some_and(|asn| expected.asns.contains(&asn)));
            let known = known.map(|(_, origin)| origin.first_us).min()?;
            Some(view.routes.get(&(prefix, asn))?.first_us > known)
        });
        later.next().is_some_and(|first| first && later.all(|later| later))
    }

    fn is_seen_by_some(&self, prefix: Prefix, origin: &JointOrigin) -> bool {
        !origin.not_seen_by.is_empty() || origin.peers.saturating_mul(2) < self.peers_of(prefix, origin)
    }

    /// Peers that could have announced the route, in the domains that see it.
    fn peers_of(&self, prefix: Prefix, origin: &JointOrigin) -> u64 {
        let seeing: BTreeSet<&str> = origin.seen_by.iter().map(String::as_str).collect();
        let views = self.views.iter().filter(|view| seeing.contains(view.domain.as_str()));
        let peers = views.map(|view| if prefix == self.target { view.peers } else { view.peers_all });
        peers.fold(0, u64::saturating_add)
    }

    fn suspect(&self, assessment: Assessment, prefix: Prefix, origin: &JointOrigin, reasons: Vec<Reason>) -> Suspect {
        Suspect {
            assessment,
            prefix: prefix.to_string(),
            asn: origin.asn,
            reasons,
            validity: origin.validity,
            votes: origin.votes,
            seen_by: origin.seen_by.clone(),
            not_seen_by: origin.not_seen_by.clone(),
            peers: origin.peers,
            peers_of: self.peers_of(prefix, origin),
            first_us: origin.first_us,
            last_us: origin.last_us,
        }
    }
}

/// What the reasons amount to; `None` where there is nothing unusual.
fn assess(reasons: &[Reason], validity: Validity) -> Option<Assessment> {
    let has = |reason| reasons.contains(&reason);
    let (foreign, new, some) = (has(Reason::OtherOrigin), has(Reason::New), has(Reason::SeenBySome));
    let likely = match validity {
        // Whoever the RPKI authorises is no suspect, whatever else.
        Validity::Valid => return None,
        Validity::InvalidAsn => new || some || (foreign && has(Reason::MoreSpecific)),
        // Its holder may have forgotten to allow the length, or somebody else writes the holder's number into the path.
        Validity::InvalidLength => new || some,
        Validity::NotFound if foreign => new && some,
        Validity::NotFound => return None,
    };
    Some(if likely { Assessment::LikelyHijack } else { Assessment::Unusual })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::{JointReport, Origin, Part};
    use crate::joint::merge;
    use crate::joint::tests::{origin, part};

    const OLD: i64 = 1_000;
    const LATER: i64 = 2_000;

    fn named(report: &JointReport) -> Vec<(bool, &str, u32, &[Reason])> {
        let likely = |suspect: &Suspect| matches!(suspect.assessment, Assessment::LikelyHijack);
        let suspects = report.suspects.iter();
        suspects.map(|s| (likely(s), s.prefix.as_str(), s.asn.unwrap_or_default(), s.reasons.as_slice())).collect()
    }

    fn three(changed: Part) -> JointReport {
        let known = |domain| part(domain, &[origin(64500, OLD, Validity::NotFound)], &[]);
        merge(vec![known("a"), known("b"), changed])
    }

    #[test]
    fn a_new_origin_seen_by_some_only_is_a_likely_hijack() {
        let both = [origin(64500, OLD, Validity::NotFound), origin(64666, LATER, Validity::NotFound)];
        let report = three(part("c", &both, &[]));
        let reasons: &[Reason] = &[Reason::OtherOrigin, Reason::New, Reason::SeenBySome];
        assert_eq!(named(&report), [(true, "10.0.0.0/8", 64666, reasons)]);
        let suspect = &report.suspects[0];
        assert_eq!(
            (&suspect.seen_by, &suspect.not_seen_by),
            (&vec!["c".to_owned()], &vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!((suspect.peers, suspect.peers_of, suspect.first_us), (2, 3, LATER));
        let expected = report.expected.unwrap();
        assert_eq!((expected.asns, expected.basis, expected.first_us), (vec![64500], Basis::SeenFirst, OLD));
    }

    #[test]
    fn another_origin_from_the_beginning_is_unusual_and_no_more() {
        let both = [origin(64500, OLD, Validity::NotFound), origin(64501, OLD, Validity::NotFound)];
        let reasons: &[Reason] = &[Reason::OtherOrigin, Reason::SeenBySome];
        assert_eq!(named(&three(part("c", &both, &[]))), [(false, "10.0.0.0/8", 64501, reasons)]);
    }

    #[test]
    fn whom_the_rpki_authorises_is_no_suspect_even_where_new_and_rare() {
        let both = [origin(64500, OLD, Validity::Valid), origin(64501, LATER, Validity::Valid)];
        let inside = [("10.1.0.0/16", origin(64502, LATER, Validity::Valid))];
        let known = || part("a", &[origin(64500, OLD, Validity::Valid)], &[]);
        let report = merge(vec![known(), part("c", &both, &inside)]);
        assert_eq!(named(&report), []);
        assert_eq!(report.expected.map(|e| (e.asns, e.basis)), Some((vec![64500, 64501], Basis::Rpki)));
    }

    #[test]
    fn who_the_rpki_authorises_is_expected_though_others_were_first_and_are_many() {
        let taken = |domain| part(domain, &[origin(64666, OLD, Validity::InvalidAsn)], &[]);
        let report = merge(vec![taken("a"), taken("b"), part("c", &[origin(64500, LATER, Validity::Valid)], &[])]);
        let reasons: &[Reason] = &[Reason::RpkiInvalidAsn, Reason::OtherOrigin, Reason::SeenBySome];
        assert_eq!(named(&report), [(true, "10.0.0.0/8", 64666, reasons)]);
        assert_eq!(report.expected.map(|e| e.asns), Some(vec![64500]));
    }

    #[test]
    fn an_invalid_more_specific_of_another_is_likely_and_one_without_roa_is_not() {
        let one = |inside: &[(&str, Origin)]| merge(vec![part("a", &[origin(64500, OLD, Validity::NotFound)], inside)]);
        let reasons: &[Reason] = &[Reason::RpkiInvalidAsn, Reason::OtherOrigin, Reason::MoreSpecific];
        let report = one(&[("10.1.0.0/16", origin(64666, OLD, Validity::InvalidAsn))]);
        assert_eq!(named(&report), [(true, "10.1.0.0/16", 64666, reasons)]);
        let report = one(&[("10.1.0.0/16", origin(64501, OLD, Validity::NotFound))]);
        assert_eq!(named(&report), [(false, "10.1.0.0/16", 64501, &reasons[1..])]);
        assert_eq!(named(&one(&[("10.1.0.0/16", origin(64500, LATER, Validity::NotFound))])), [], "its own");
        let report = one(&[("10.1.0.0/16", origin(64500, OLD, Validity::InvalidAsn))]);
        assert!(!named(&report)[0].0, "its own, where the ROA names a customer");
    }

    #[test]
    fn a_forged_origin_shows_in_the_length_when_it_is_new() {
        let known = origin(64500, OLD, Validity::Valid);
        let forged = |first| [("10.1.0.0/24", origin(64500, first, Validity::InvalidLength))];
        let reasons: &[Reason] = &[Reason::RpkiInvalidLength, Reason::MoreSpecific, Reason::New];
        let report = merge(vec![part("a", std::slice::from_ref(&known), &forged(LATER))]);
        assert_eq!(named(&report), [(true, "10.1.0.0/24", 64500, reasons)]);
        let report = merge(vec![part("a", &[known], &forged(OLD))]);
        assert_eq!(named(&report), [(false, "10.1.0.0/24", 64500, &reasons[..2])]);
    }

    #[test]
    fn few_peers_of_one_domain_are_some_only() {
        let mut rare = origin(64666, LATER, Validity::NotFound);
        rare.peers = 1;
        let report = merge(vec![part("a", &[origin(64500, OLD, Validity::NotFound), rare], &[])]);
        let reasons: &[Reason] = &[Reason::OtherOrigin, Reason::New, Reason::SeenBySome];
        assert_eq!(named(&report), [(true, "10.0.0.0/8", 64666, reasons)]);
    }

    #[test]
    fn one_domain_cannot_make_an_origin_old_or_expected() {
        let both = |first| [origin(64500, OLD, Validity::NotFound), origin(64666, first, Validity::NotFound)];
        let liar = part("z", &[origin(64666, i64::MIN, Validity::NotFound)], &[]);
        let report = merge(vec![part("a", &both(LATER), &[]), part("b", &both(LATER), &[]), liar]);
        assert_eq!(report.expected.as_ref().map(|e| e.asns.clone()), Some(vec![64500]));
        assert_eq!(named(&report)[0].3, [Reason::OtherOrigin, Reason::New]);
    }

    #[test]
    fn a_set_of_ases_is_another_origin() {
        let mut set = origin(0, OLD, Validity::NotFound);
        set.asn = None;
        let report = merge(vec![part("a", &[set, origin(64500, OLD, Validity::NotFound)], &[])]);
        assert_eq!(report.suspects.iter().map(|s| s.asn).collect::<Vec<_>>(), [None]);
    }

    #[test]
    fn likely_ones_come_first() {
        let inside = [
            ("10.1.0.0/16", origin(64501, OLD, Validity::NotFound)),
            ("10.2.0.0/16", origin(64666, OLD, Validity::InvalidAsn)),
        ];
        let report = merge(vec![part("a", &[origin(64500, OLD, Validity::NotFound)], &inside)]);
        let order: Vec<_> = named(&report).iter().map(|suspect| (suspect.0, suspect.1)).collect();
        assert_eq!(order, [(true, "10.2.0.0/16"), (false, "10.1.0.0/16")]);
    }
}
