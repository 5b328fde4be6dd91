//! Which routes may be a hijack, and why. Pure, and the same on every machine. It proves nothing: it says which reasons
//! there are, by a rule that the README states.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use iog_guest::Prefix;

use crate::bindings::{Assessment, Basis, Expected, Reason, Suspect, Validity};
use crate::room::{ITEM_BYTES, LIST_BYTES_MAX, count, fitting, names_bytes};
use crate::route::Route;
use crate::seen::{Joint, names};
use crate::view::View;

/// Expected origins that are named at most.
const EXPECTED_MAX: usize = 1_000;

/// What was found.
pub(crate) struct Judged {
    pub(crate) expected: Option<Expected>,
    /// Likely hijacks first, then what more domains see, then by prefix and AS number; as many as an answer holds.
    pub(crate) suspects: Vec<Suspect>,
    pub(crate) suspects_found: u32,
}

/// Judges every route of the joint answer.
pub(crate) fn judge(target: Prefix, views: &[View], joined: &BTreeMap<Route, Joint>) -> Judged {
    let expected = expected(target, views, joined);
    let case = Case::new(target, views, expected.as_ref());
    let assessed = joined.iter().filter_map(|(route, joint)| {
        let assessment = assess(&case.reasons(*route, joint), joint.votes.majority())?;
        Some((matches!(assessment, Assessment::Unusual), Reverse(joint.seen_by.count()), *route, joint))
    });
    let mut found: Vec<_> = assessed.collect();
    found.sort_unstable_by_key(|&(unusual, domains, route, _)| (unusual, domains, route));
    let suspects_found = count(found.len());
    let suspects = found.into_iter().filter_map(|(_, _, route, joint)| case.suspect(route, joint));
    let bytes = |suspect: &Suspect| ITEM_BYTES + names_bytes(&suspect.seen_by) + names_bytes(&suspect.not_seen_by);
    let suspects = fitting(suspects, LIST_BYTES_MAX, bytes);
    Judged { suspects, suspects_found, expected }
}

/// Who is expected to originate the prefix asked for: whoever the RPKI authorises, else whoever most domains saw first.
fn expected(target: Prefix, views: &[View], joined: &BTreeMap<Route, Joint>) -> Option<Expected> {
    let origins = || joined.range((target, Some(0))..=(target, Some(u32::MAX)));
    let authorised: Vec<_> =
        origins().filter(|(_, joint)| matches!(joint.votes.majority(), Validity::Valid)).take(EXPECTED_MAX).collect();
    if !authorised.is_empty() {
        return Some(Expected {
            asns: authorised.iter().filter_map(|(route, _)| route.1).collect(),
            basis: Basis::Rpki,
            first_us: authorised.iter().map(|(_, joint)| joint.first_us).min()?,
        });
    }
    // One vote a domain, whatever numbers it writes: who was first, and who has most peers.
    let (mut first_in, mut most_in) = (BTreeMap::<Option<u32>, u32>::new(), BTreeMap::<Option<u32>, u32>::new());
    for origins in views.iter().map(|view| view.origins(target)) {
        let first = origins.iter().map(|(_, origin)| origin.first_us).min();
        let most = origins.iter().map(|(_, origin)| origin.peers).max();
        for ((_, asn), origin) in origins {
            *first_in.entry(*asn).or_default() += u32::from(Some(origin.first_us) == first);
            *most_in.entry(*asn).or_default() += u32::from(Some(origin.peers) == most);
        }
    }
    let votes = |votes: &BTreeMap<Option<u32>, u32>, asn| votes.get(&asn).copied().unwrap_or_default();
    let rank = |&(&(_, asn), joint): &(&Route, &Joint)| {
        (votes(&first_in, asn), joint.seen_by.count(), votes(&most_in, asn), Reverse(asn))
    };
    let known = origins().filter(|(_, joint)| !matches!(joint.votes.majority(), Validity::InvalidAsn));
    let (route, joint) = known.max_by_key(rank)?;
    Some(Expected { asns: route.1.into_iter().collect(), basis: Basis::SeenFirst, first_us: joint.first_us })
}

/// What every route is judged against.
struct Case<'a> {
    target: Prefix,
    views: &'a [View],
    expected: Option<&'a Expected>,
    /// When each domain saw the expected origins of the prefix asked for first, where it does.
    known_us: Vec<Option<i64>>,
    /// How many domains could see the prefix asked for, and anything inside it.
    could_see: (u64, u64),
}

impl<'a> Case<'a> {
    fn new(target: Prefix, views: &'a [View], expected: Option<&'a Expected>) -> Self {
        let known = |view: &View| {
            let origins = view.origins(target).iter();
            origins.filter(|((_, asn), _)| is_expected(expected, *asn)).map(|(_, origin)| origin.first_us).min()
        };
        let could = |sees: fn(&View, Prefix) -> bool| views.iter().filter(|view| sees(view, target)).count() as u64;
        let could_see =
            (could(|view, target| !view.origins(target).is_empty()), could(|view, _| !view.routes.is_empty()));
        Self { target, views, expected, known_us: views.iter().map(known).collect(), could_see }
    }

    /// What speaks against a route, in the order of declaration.
    fn reasons(&self, route: Route, joint: &Joint) -> Vec<Reason> {
        let validity = joint.votes.majority();
        let (foreign, inside) = (self.is_foreign(route.1, validity), route.0 != self.target);
        [
            (matches!(validity, Validity::InvalidAsn), Reason::RpkiInvalidAsn),
            (matches!(validity, Validity::InvalidLength), Reason::RpkiInvalidLength),
            (foreign, Reason::OtherOrigin),
            (inside, Reason::MoreSpecific),
            ((foreign || inside) && self.is_new(route, joint), Reason::New),
            (self.is_seen_by_some(route, joint), Reason::SeenBySome),
        ]
        .into_iter()
        .filter_map(|(holds, reason)| holds.then_some(reason))
        .collect()
    }

    /// Whether the origin is none of the expected ones. Where nobody is expected, it is so if ROAs name others.
    fn is_foreign(&self, asn: Option<u32>, validity: Validity) -> bool {
        match self.expected {
            Some(_) => !is_expected(self.expected, asn),
            None => matches!(validity, Validity::InvalidAsn),
        }
    }

    /// The domains that see a route, with their places.
    fn seeing(&self, joint: &'a Joint) -> impl Iterator<Item = (usize, &'a View)> {
        joint.seen_by.numbers().map(|number| (number as usize, &self.views[number as usize]))
    }

    /// Whether every domain that sees both saw the route later than the expected origins of the prefix asked for.
    fn is_new(&self, route: Route, joint: &Joint) -> bool {
        let mut later =
            self.seeing(joint).filter_map(|(number, view)| Some(view.get(route)?.first_us > self.known_us[number]?));
        later.next().is_some_and(|first| first && later.all(|later| later))
    }

    /// Whether a domain that could see it does not, or in most that do fewer than half of the peers announced it.
    fn is_seen_by_some(&self, route: Route, joint: &Joint) -> bool {
        let domains = joint.seen_by.count();
        let could_see = if route.0 == self.target { self.could_see.0 } else { self.could_see.1 };
        let rare = self.seeing(joint).filter(|(_, view)| {
            let peers = view.get(route).map_or(0, |origin| origin.peers);
            peers.saturating_mul(2) < view.peers_of(self.target, route.0)
        });
        domains < could_see || rare.count() as u64 * 2 > domains
    }

    fn suspect(&self, route: Route, joint: &Joint) -> Option<Suspect> {
        let reasons = self.reasons(route, joint);
        let validity = joint.votes.majority();
        let (seen_by, not_seen_by) = names(self.views, self.target, route.0, joint);
        let peers = self.seeing(joint).map(|(_, view)| view.peers_of(self.target, route.0));
        Some(Suspect {
            assessment: assess(&reasons, validity)?,
            prefix: route.0.to_string(),
            asn: route.1,
            reasons,
            validity,
            votes: joint.votes.shown(),
            seen_by,
            not_seen_by,
            peers: joint.peers,
            peers_of: peers.fold(0, u64::saturating_add),
            first_us: joint.first_us,
            last_us: joint.last_us,
        })
    }
}

/// Whether an origin is one of the expected ones, which are in order.
fn is_expected(expected: Option<&Expected>, asn: Option<u32>) -> bool {
    expected.zip(asn).is_some_and(|(expected, asn)| expected.asns.binary_search(&asn).is_ok())
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
    fn numbers_of_one_domain_make_no_origin_expected_or_rare_elsewhere() {
        let mut boast = origin(64666, OLD, Validity::NotFound);
        (boast.peers, boast.observations) = (u64::MAX, u64::MAX);
        let known = |domain| part(domain, &[origin(64500, OLD, Validity::NotFound)], &[]);
        let mut liar = part("z", &[origin(64500, OLD, Validity::NotFound), boast], &[]);
        liar.outcome.as_mut().unwrap().peers = u64::MAX;
        let report = merge(vec![known("a"), known("b"), liar]);
        assert_eq!(report.expected.as_ref().map(|e| e.asns.clone()), Some(vec![64500]));
        assert_eq!(named(&report), [(false, "10.0.0.0/8", 64666, &[Reason::OtherOrigin, Reason::SeenBySome][..])]);
        assert_eq!((report.suspects[0].peers, report.suspects[0].peers_of), (u64::MAX, u64::MAX));
    }

    #[test]
    fn what_more_domains_see_comes_before_what_one_alone_claims() {
        let invalid = |asn| origin(asn, LATER, Validity::InvalidAsn);
        let known = origin(64500, OLD, Validity::Valid);
        let seen = ("10.9.0.0/16", invalid(64666));
        let parts = vec![
            part("a", &[known], &[seen]),
            part("b", &[known], &[("10.1.0.0/16", invalid(64667)), seen]),
            part("c", &[known], &[]),
        ];
        let report = merge(parts);
        assert_eq!(named(&report).iter().map(|suspect| suspect.1).collect::<Vec<_>>(), ["10.9.0.0/16", "10.1.0.0/16"]);
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
