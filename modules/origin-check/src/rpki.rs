//! Route origin validation as RFC 6811 defines it. Pure. It takes the authorisations as the provider's table has them: it
//! verifies no signature and fetches nothing.

use std::collections::BTreeSet;

use iog_guest::{Address, Prefix};

use crate::bindings::Validity;

/// Authorisations that are kept at most: about 10 MiB, twice that while they grow. All of the RPKI has three times as
/// many, but only those at the prefix asked for are read.
const ROAS_MAX: usize = 200_000;

/// One authorisation: an AS may originate a prefix, and prefixes inside it up to a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Roa {
    pub(crate) prefix: Prefix,
    /// 0 where nobody may.
    pub(crate) asn: u32,
    /// At least the length of `prefix`.
    pub(crate) max_length: u8,
    /// When it ended or will end, in microseconds since the epoch.
    pub(crate) until: Option<i64>,
}

impl Roa {
    /// The authorisation of a row: prefix, its length, greatest length and AS number, then what kind of row it is and
    /// until when it holds. `None` for a row of another kind than `roa`, and for lengths (RFC 9582 §4.3.2.2) or AS
    /// numbers that do not exist.
    pub(crate) fn new(
        (address, length, most, asn): (Address, u64, Option<u64>, u64),
        kind: Option<&[u8]>,
        until: Option<i64>,
    ) -> Option<Self> {
        if kind != Some(b"roa") {
            return None;
        }
        let prefix = prefix(address, length)?;
        let max_length = u8::try_from(most.unwrap_or(length)).ok()?;
        let fits = (prefix.length()..=bits(prefix.is_ipv4())).contains(&max_length);
        fits.then_some(Self { prefix, asn: u32::try_from(asn).ok()?, max_length, until })
    }

    /// Whether it had ended before a time.
    pub(crate) fn ended_before(&self, time_us: i64) -> bool {
        self.until.is_some_and(|until| until < time_us)
    }
}

/// A prefix out of two columns; `None` for a length that the family does not have, or bits beyond it.
pub(crate) fn prefix(address: Address, length: u64) -> Option<Prefix> {
    let length = u8::try_from(length).ok().filter(|&length| length <= bits(address.is_ipv4()))?;
    Some(address.prefix(length, length)).filter(|prefix| prefix.first() == address)
}

/// Bits of an address.
pub(crate) fn bits(ipv4: bool) -> u8 {
    if ipv4 { 32 } else { 128 }
}

/// Whether all of `inner` lies in `outer`; a prefix lies in itself.
pub(crate) fn covers(outer: Prefix, inner: Prefix) -> bool {
    outer.is_ipv4() == inner.is_ipv4() && outer.length() <= inner.length() && outer.contains(inner.first())
}

/// Authorisations, ready to be asked.
#[derive(Debug, Default)]
pub(crate) struct Roas {
    /// By prefix.
    sorted: Vec<Roa>,
    /// Every length that one of their prefixes has, ascending.
    lengths: Vec<u8>,
}

/// What authorisations say about every origin of one prefix.
#[derive(Debug)]
pub(crate) struct Verdicts {
    covered: bool,
    /// By AS number, whether its routes may be that long.
    named: Vec<(u32, bool)>,
}

impl Verdicts {
    /// As `Roas::validity`.
    pub(crate) fn of(&self, origin: Option<u32>) -> Validity {
        let named = origin.and_then(|asn| self.named.binary_search_by_key(&asn, |&(asn, _)| asn).ok());
        match (self.covered, named.map(|place| self.named[place].1)) {
            (_, Some(true)) => Validity::Valid,
            (_, Some(false)) => Validity::InvalidLength,
            (true, None) => Validity::InvalidAsn,
            (false, None) => Validity::NotFound,
        }
    }
}

/// There are more authorisations than can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyRoas;

impl From<TooManyRoas> for String {
    fn from(_: TooManyRoas) -> Self {
        format!("more than {ROAS_MAX} ROAs at this prefix: ask for a longer one")
    }
}

impl Roas {
    /// Adds one, for `prepare` to put in its place.
    pub(crate) fn push(&mut self, roa: Roa) -> Result<(), TooManyRoas> {
        if self.sorted.len() >= ROAS_MAX {
            return Err(TooManyRoas);
        }
        self.sorted.push(roa);
        Ok(())
    }

    /// Sorts what was added. Whatever the order of rows was, the answers are the same.
    pub(crate) fn prepare(&mut self) {
        self.sorted.sort_unstable();
        self.sorted.dedup();
        let lengths: BTreeSet<_> = self.sorted.iter().map(|roa| roa.prefix.length()).collect();
        self.lengths = lengths.into_iter().collect();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// Those that cover a prefix, shortest first.
    pub(crate) fn covering(&self, prefix: Prefix) -> impl Iterator<Item = &Roa> + '_ {
        let lengths = self.lengths.iter().take_while(move |&&length| length <= prefix.length());
        lengths.flat_map(move |&length| {
            let outer = prefix.first().prefix(length, length);
            let start = self.sorted.partition_point(|roa| roa.prefix < outer);
            self.sorted[start..].iter().take_while(move |roa| roa.prefix == outer)
        })
    }

    /// What is known of all routes to one prefix, whenever they were seen.
    pub(crate) fn verdicts(&self, prefix: Prefix) -> Verdicts {
        let covering = || self.covering(prefix);
        let named = covering().filter(|roa| roa.asn != 0);
        let mut named: Vec<_> = named.map(|roa| (roa.asn, prefix.length() <= roa.max_length)).collect();
        // The best of each AS comes first and stays.
        named.sort_unstable_by_key(|&(asn, fits)| (asn, !fits));
        named.dedup_by_key(|&mut (asn, _)| asn);
        Verdicts { covered: covering().next().is_some(), named }
    }

    /// What is known of a route first seen at `first_us`. `origin` is `None` where no single AS originates it, which no
    /// ROA can match (RFC 6811 §2). One that ended before the route was seen does not count; when one began does not
    /// matter, because its certificate begins anew whenever it is issued again.
    pub(crate) fn validity(&self, prefix: Prefix, origin: Option<u32>, first_us: i64) -> Validity {
        let (mut covered, mut named) = (false, false);
        for roa in self.covering(prefix).filter(|roa| !roa.ended_before(first_us)) {
            covered = true;
            // AS 0 matches nothing, not even a route that claims it (RFC 6483 §4, RFC 7607).
            if roa.asn == 0 || Some(roa.asn) != origin {
                continue;
            }
            if prefix.length() <= roa.max_length {
                return Validity::Valid;
            }
            named = true;
        }
        match (covered, named) {
            (_, true) => Validity::InvalidLength,
            (true, false) => Validity::InvalidAsn,
            (false, false) => Validity::NotFound,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roas(all: &[(&str, u8, u32)]) -> Roas {
        let mut roas = Roas::default();
        for &(prefix, max_length, asn) in all {
            roas.push(Roa { prefix: prefix.parse().unwrap(), asn, max_length, until: None }).unwrap();
        }
        roas.prepare();
        roas
    }

    fn say(roas: &Roas, prefix: &str, origin: u32) -> Validity {
        roas.validity(prefix.parse().unwrap(), Some(origin), 0)
    }

    #[test]
    fn the_states_of_rfc_6811() {
        let roas = roas(&[
            ("10.0.0.0/16", 20, 64500),
            ("10.0.0.0/16", 16, 64501),
            ("10.0.128.0/17", 17, 0),
            ("2001:db8::/32", 48, 64500),
        ]);
        for (prefix, origin, expected) in [
            ("10.0.0.0/16", 64500, Validity::Valid),
            ("10.0.0.0/20", 64500, Validity::Valid),
            ("10.0.0.0/21", 64500, Validity::InvalidLength),
            ("10.0.0.0/16", 64501, Validity::Valid),
            ("10.0.0.0/17", 64501, Validity::InvalidLength),
            ("10.0.0.0/16", 64502, Validity::InvalidAsn),
            ("10.0.0.0/24", 64502, Validity::InvalidAsn),
            // A ROA of AS 0 does not undo another that matches.
            ("10.0.128.0/20", 64500, Validity::Valid),
            ("10.0.128.0/17", 0, Validity::InvalidAsn),
            ("10.0.0.0/15", 64500, Validity::NotFound),
            ("10.1.0.0/16", 64500, Validity::NotFound),
            ("2001:db8::/48", 64500, Validity::Valid),
            ("2001:db8::/49", 64500, Validity::InvalidLength),
            ("2001:db8::/32", 64501, Validity::InvalidAsn),
            ("2001:db9::/32", 64500, Validity::NotFound),
            ("::/0", 64500, Validity::NotFound),
        ] {
            assert_eq!(say(&roas, prefix, origin), expected, "{prefix} from {origin}");
        }
    }

    #[test]
    fn as_zero_forbids_and_a_set_of_ases_matches_nothing() {
        let roas = roas(&[("192.0.2.0/24", 32, 0), ("198.51.100.0/24", 24, 64500)]);
        assert_eq!(say(&roas, "192.0.2.0/24", 64500), Validity::InvalidAsn);
        assert_eq!(say(&roas, "192.0.2.0/24", 0), Validity::InvalidAsn);
        assert_eq!(roas.validity("198.51.100.0/24".parse().unwrap(), None, 0), Validity::InvalidAsn);
        assert_eq!(roas.validity("203.0.113.0/24".parse().unwrap(), None, 0), Validity::NotFound);
    }

    #[test]
    fn families_are_apart_though_ipv4_is_mapped_into_ipv6() {
        let roas = roas(&[("::/0", 128, 64500), ("0.0.0.0/0", 0, 64501)]);
        assert_eq!(say(&roas, "10.0.0.0/8", 64500), Validity::InvalidAsn);
        assert_eq!(say(&roas, "10.0.0.0/8", 64501), Validity::InvalidLength);
        assert_eq!(say(&roas, "2001:db8::/32", 64500), Validity::Valid);
        assert!(!covers("::/0".parse().unwrap(), "10.0.0.0/8".parse().unwrap()));
    }

    #[test]
    fn what_ended_before_the_route_was_seen_does_not_count() {
        let mut roas = Roas::default();
        let prefix = "192.0.2.0/24".parse().unwrap();
        roas.push(Roa { prefix, asn: 64500, max_length: 24, until: Some(1_000) }).unwrap();
        roas.prepare();
        assert_eq!(roas.validity(prefix, Some(64500), 1_000), Validity::Valid);
        assert_eq!(roas.validity(prefix, Some(64501), 1_000), Validity::InvalidAsn);
        assert_eq!(roas.validity(prefix, Some(64501), 1_001), Validity::NotFound);
    }

    #[test]
    fn prefixes_of_columns_need_a_length_of_their_family_and_no_bits_beyond() {
        let column = |address: &str, length| prefix(address.parse().unwrap(), length).map(|prefix| prefix.to_string());
        assert_eq!(column("10.0.0.0", 8).as_deref(), Some("10.0.0.0/8"));
        assert_eq!(column("2001:db8::", 32).as_deref(), Some("2001:db8::/32"));
        assert_eq!(column("0.0.0.0", 0).as_deref(), Some("0.0.0.0/0"));
        assert_eq!(
            [column("10.0.0.1", 8), column("10.0.0.0", 33), column("::", 129), column("::", 256)],
            [const { None }; 4]
        );
    }

    #[test]
    fn rows_that_are_no_roa_are_none() {
        let row = |length, most, asn, kind: &str| {
            Roa::new(("10.0.0.0".parse().unwrap(), length, most, asn), Some(kind.as_bytes()), None)
                .map(|roa| (roa.prefix.to_string(), roa.max_length, roa.asn))
        };
        assert_eq!(row(8, None, 64500, "roa"), Some(("10.0.0.0/8".into(), 8, 64500)));
        assert_eq!(row(8, Some(24), 0, "roa"), Some(("10.0.0.0/8".into(), 24, 0)));
        for refused in [
            row(8, None, 64500, "bgp"),
            row(8, None, 64500, ""),
            row(8, Some(7), 64500, "roa"),
            row(8, Some(33), 64500, "roa"),
            row(33, None, 64500, "roa"),
            row(8, None, 1 << 32, "roa"),
        ] {
            assert_eq!(refused, None);
        }
        assert_eq!(Roa::new(("10.0.0.0".parse().unwrap(), 8, None, 1), None, None), None, "a row of no kind");
    }

    #[test]
    fn coverage_agrees_with_a_look_at_every_roa() {
        let mut state = 7u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut any = || {
            let address: Address = format!("10.{}.{}.0", random(4), random(256)).parse().unwrap();
            let length = 8 + u8::try_from(random(17)).unwrap();
            (address.prefix(length, length), u32::try_from(random(3)).unwrap(), u8::try_from(random(9)).unwrap())
        };
        let mut roas = Roas::default();
        for (prefix, asn, more) in std::iter::repeat_with(&mut any).take(300) {
            roas.push(Roa { prefix, asn, max_length: (prefix.length() + more).min(32), until: None }).unwrap();
        }
        roas.prepare();
        for (prefix, asn, _) in std::iter::repeat_with(&mut any).take(2_000) {
            let covering: Vec<_> = roas.sorted.iter().filter(|roa| covers(roa.prefix, prefix)).collect();
            let named = covering.iter().any(|roa| asn != 0 && roa.asn == asn);
            let matched = covering.iter().any(|roa| asn != 0 && roa.asn == asn && prefix.length() <= roa.max_length);
            let expected = match (covering.is_empty(), named, matched) {
                (_, _, true) => Validity::Valid,
                (_, true, false) => Validity::InvalidLength,
                (false, false, _) => Validity::InvalidAsn,
                (true, ..) => Validity::NotFound,
            };
            assert_eq!(roas.validity(prefix, Some(asn), 0), expected, "{prefix} from {asn}");
            assert_eq!(roas.verdicts(prefix).of(Some(asn)), expected, "{prefix} from {asn}");
            assert_eq!(roas.verdicts(prefix).of(None), roas.validity(prefix, None, 0), "{prefix} from a set");
        }
    }
}
