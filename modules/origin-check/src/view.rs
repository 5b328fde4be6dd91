//! One domain's answer, checked before anything is compared: its part in `merge` is whatever its gateway wrote. Pure.

use iog_guest::Prefix;

use crate::bindings::{Origin, Part, Report, Roa as RoaShown, Silent};
use crate::rpki::{Roa, Roas, bits, covers};
use crate::route::Route;
use crate::table::ROUTES_MAX;

/// Routes of all answers together at most, about 300 bytes each while they are compared: fifty full answers.
const ROUTES_TOTAL_MAX: usize = 100_000;
/// Characters of a reason that are shown.
const REASON_CHARS_MAX: usize = 160;

/// One domain's answer.
pub(crate) struct View {
    pub(crate) domain: String,
    /// Peers that announced the very prefix asked for.
    pub(crate) peers: u64,
    /// Peers that announced it or something inside it.
    pub(crate) peers_all: u64,
    /// In order, each once.
    pub(crate) routes: Vec<(Route, Origin)>,
    /// The ROAs that cover what it sees; none where it lists only some of them.
    pub(crate) roas: Roas,
}

impl View {
    fn new(domain: String, target: Prefix, report: Report) -> Self {
        let mut routes = Vec::new();
        let mut add = |prefix: Prefix, origins: Vec<Origin>| {
            routes.extend(origins.into_iter().map(|origin| ((prefix, origin.asn), origin)));
        };
        add(target, report.origins);
        for inside in report.more_specifics {
            match inside.prefix.parse() {
                Ok(prefix) if prefix != target && covers(target, prefix) => add(prefix, inside.origins),
                _ => (),
            }
        }
        // Of a route that comes twice the first counts: the sort keeps their order.
        routes.sort_by_key(|&(route, _)| route);
        routes.dedup_by_key(|&mut (route, _)| route);
        let complete = report.roas_found == report.roas.len() as u64;
        let roas = if complete { roas(&report.roas) } else { Roas::default() };
        Self { domain, peers: report.peers, peers_all: report.peers_all, routes, roas }
    }

    /// Origins of one prefix.
    pub(crate) fn origins(&self, prefix: Prefix) -> &[(Route, Origin)] {
        let start = self.routes.partition_point(|(route, _)| route.0 < prefix);
        let rest = &self.routes[start..];
        &rest[..rest.partition_point(|(route, _)| route.0 == prefix)]
    }

    /// What it says of a route.
    pub(crate) fn get(&self, route: Route) -> Option<&Origin> {
        let place = self.routes.binary_search_by_key(&route, |&(route, _)| route).ok()?;
        Some(&self.routes[place].1)
    }

    /// Whether it could see a route: it sees the prefix, or for one inside it anything at all.
    pub(crate) fn could_see(&self, target: Prefix, prefix: Prefix) -> bool {
        if prefix == target { !self.origins(target).is_empty() } else { !self.routes.is_empty() }
    }

    /// Peers that could have announced a prefix.
    pub(crate) fn peers_of(&self, target: Prefix, prefix: Prefix) -> u64 {
        if prefix == target { self.peers } else { self.peers_all }
    }
}

/// The ROAs of an answer that can be.
fn roas(shown: &[RoaShown]) -> Roas {
    let mut roas = Roas::default();
    for RoaShown { prefix, max_length, asn } in shown {
        let Ok(prefix) = prefix.parse::<Prefix>() else { continue };
        if (prefix.length()..=bits(prefix.is_ipv4())).contains(max_length) {
            // More than can be kept are more than any answer lists.
            let _ = roas.push(Roa { prefix, asn: *asn, max_length: *max_length, until: None });
        }
    }
    roas.prepare();
    roas
}

/// The answers about the target, by domain, and the domains that gave none, with the reason.
pub(crate) fn views(mut parts: Vec<Part>, target: Option<Prefix>) -> (Vec<View>, impl Iterator<Item = Silent>) {
    parts.sort_by(|a, b| a.domain.cmp(&b.domain));
    let (mut views, mut silent) = (Vec::new(), Vec::new());
    let mut left = ROUTES_TOTAL_MAX;
    for Part { domain, asn, outcome } in parts {
        match outcome.and_then(|report| usable(report, target, &mut left)) {
            Ok((target, report)) => views.push(View::new(domain, target, report)),
            Err(reason) => silent.push(Silent { domain, asn, reason: shortened(&reason) }),
        }
    }
    (views, silent.into_iter())
}

/// An answer that is about the target and no larger than one of this analysis can be; else why it is left out.
fn usable(report: Report, target: Option<Prefix>, left: &mut usize) -> Result<(Prefix, Report), String> {
    let Some(target) = target.filter(|&target| report.prefix.parse() == Ok(target)) else {
        return Err(format!("answered for another prefix, `{}`", shortened(&report.prefix)));
    };
    let inside = report.more_specifics.iter().map(|inside| inside.origins.len().max(1));
    let routes = report.origins.len() + inside.sum::<usize>();
    // A prefix inside that was only withdrawn counts as a route.
    if routes > ROUTES_MAX {
        return Err(format!("listed {routes} routes where no answer has more than {ROUTES_MAX}"));
    }
    *left = left.checked_sub(routes).ok_or_else(|| {
        format!("not compared: with its answer there are more than {ROUTES_TOTAL_MAX} routes; ask for a longer prefix")
    })?;
    Ok((target, report))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::Validity;
    use crate::joint::merge;
    use crate::joint::tests::{origin, part};

    fn reasons(parts: Vec<Part>) -> Vec<(String, String)> {
        merge(parts).silent.into_iter().map(|silent| (silent.domain, silent.reason)).collect()
    }

    #[test]
    fn texts_of_others_are_cut() {
        let failed = Part { domain: "a".into(), asn: None, outcome: Err("x\n".repeat(1 << 20)) };
        let mut other = part("b", &[], &[]);
        other.outcome.as_mut().unwrap().prefix = "é".repeat(1 << 20);
        let reasons = reasons(vec![failed, other, part("c", &[], &[])]);
        assert_eq!(reasons[0], ("a".to_owned(), format!("{}…", "x ".repeat(REASON_CHARS_MAX / 2))));
        assert!(reasons[1].1.starts_with("answered for another prefix, `ééé") && reasons[1].1.chars().count() < 200);
    }

    #[test]
    fn an_answer_larger_than_any_is_left_out() {
        let many: Vec<_> = (0..2_001).map(|asn| origin(asn, 0, Validity::Valid)).collect();
        assert_eq!(reasons(vec![part("a", &many[1..], &[])]), []);
        let reasons = reasons(vec![part("a", &many, &[]), part("b", &[origin(1, 0, Validity::Valid)], &[])]);
        assert_eq!(reasons, [("a".into(), "listed 2001 routes where no answer has more than 2000".into())]);
    }

    #[test]
    fn more_answers_than_can_be_compared_are_named() {
        let many: Vec<_> = (0..2_000).map(|asn| origin(asn, 0, Validity::NotFound)).collect();
        let report = merge((0..52).map(|n| part(&format!("as{n:02}"), &many, &[])).collect());
        assert_eq!((report.answered, report.asked, report.origins_found), (50, 52, 2_000));
        assert_eq!(report.silent.iter().map(|silent| silent.domain.as_str()).collect::<Vec<_>>(), ["as50", "as51"]);
        assert!(report.silent[0].reason.starts_with("not compared: "), "{}", report.silent[0].reason);
    }

    #[test]
    fn roas_that_cannot_be_are_passed_over() {
        let shown = |prefix: &str, max_length| RoaShown { prefix: prefix.into(), max_length, asn: 1 };
        let roas = roas(&[shown("10.0.0.0/8", 7), shown("10.0.0.0/8", 33), shown("x", 8), shown("10.0.0.0/8", 9)]);
        let target = "10.0.0.0/8".parse().unwrap();
        assert_eq!(roas.covering(target).map(|roa| roa.max_length).collect::<Vec<_>>(), [9]);
    }
}
