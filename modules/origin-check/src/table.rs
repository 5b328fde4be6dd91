//! Gathers what peers stated about a prefix and what lies inside it. Pure. Exact: where there is more than the answer
//! holds, it gives up with an error instead of leaving something out, for what is left out might be the hijack.

use std::collections::BTreeSet;

use iog_guest::bounded::{BoundedMap, Budget};
use iog_guest::{Address, Prefix};

use crate::bindings::{MoreSpecific, Origin, Report, Roa as RoaShown};
use crate::bits::Bits;
use crate::rpki::{Roa, Roas, covers, prefix};

/// Different pairs of prefix and origin in one answer: 2,000 take about 450 KiB of JSON.
pub(crate) const ROUTES_MAX: usize = 2_000;

/// Peers at most, which take 2 KiB for each route. The largest collectors have about a thousand.
const PEERS_MAX: u32 = 16_384;

/// ROAs in one answer at most.
const ROAS_SHOWN_MAX: usize = 500;

/// What the tables of peers and prefixes may take: far more than `PEERS_MAX` and `ROUTES_MAX` need.
const TABLE_BYTES_MAX: usize = 8 << 20;

/// Where the statements about a prefix go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// No such prefix exists.
    Unusable,
    /// It does not lie in the target.
    Outside,
    /// Its number in `Table::seen`.
    At(u32),
}

/// One row of a kind that can be used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Statement {
    pub(crate) time: i64,
    pub(crate) peer: Address,
    /// Network address of the prefix, and its length.
    pub(crate) prefix: (Address, u64),
    pub(crate) said: Said,
}

/// What a peer said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Said {
    Withdrawn,
    /// The origin; `None` where it is no single AS.
    Announced(Option<u32>),
}

impl Said {
    /// What the columns `kind` and `origin_as` say; `None` for a kind or AS number that does not exist.
    pub(crate) fn new(kind: &[u8], origin: Option<u64>) -> Option<Self> {
        // Byte by byte: a call that compares memory costs a guest several times the fuel.
        match kind {
            [b'r', b'i', b'b'] | [b'a', b'n', b'n', b'o', b'u', b'n', b'c', b'e'] => {
                Some(Self::Announced(origin.map(u32::try_from).transpose().ok()?))
            }
            [b'w', b'i', b't', b'h', b'd', b'r', b'a', b'w'] => Some(Self::Withdrawn),
            _ => None,
        }
    }
}

/// More than one answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooMany {
    Routes,
    Peers,
}

impl From<TooMany> for String {
    fn from(error: TooMany) -> Self {
        match error {
            TooMany::Routes => format!("more than {ROUTES_MAX} routes at this prefix: ask for a longer one"),
            TooMany::Peers => format!("more than {PEERS_MAX} peers stated these routes: ask for a shorter time"),
        }
    }
}

/// Everything stated about one prefix.
#[derive(Debug, Default)]
struct Seen {
    /// By AS number; most prefixes have one.
    origins: Vec<(Option<u32>, Announced)>,
    withdrawals: u64,
}

impl Seen {
    /// An origin, and whether it is new.
    fn origin(&mut self, asn: Option<u32>, time: i64) -> (&mut Announced, bool) {
        let (place, new) = match self.origins.as_slice() {
            [(only, _)] if *only == asn => (0, false),
            all => match all.binary_search_by_key(&asn, |&(asn, _)| asn) {
                Ok(place) => (place, false),
                Err(place) => (place, true),
            },
        };
        if new {
            let announced = Announced { peers: Bits::default(), observations: 0, first: time, last: time };
            self.origins.insert(place, (asn, announced));
        }
        (&mut self.origins[place].1, new)
    }
}

/// One origin of one prefix.
#[derive(Debug)]
struct Announced {
    peers: Bits,
    observations: u64,
    first: i64,
    last: i64,
}

/// Everything stated about the prefix asked for and what lies inside it.
pub(crate) struct Table {
    target: Prefix,
    seen: Vec<(Prefix, Seen)>,
    /// Where in `seen` a prefix is. A tree of prefixes costs a guest ten times the fuel.
    places: BoundedMap<(Address, u64), u32>,
    /// The last prefix and its place: a table dump has all peers' entries of a prefix one after another.
    last: ((Address, u64), Place),
    routes: usize,
    /// Numbers of peers, in the order in which they come.
    peers: BoundedMap<Address, u32>,
    /// The peers by number.
    addresses: Vec<Address>,
    /// The number of the last row's peer: updates come in bursts of one peer, and a table dump has the peers of each
    /// prefix in the same order, so that the next row's is mostly the same or the next number.
    last_peer: u32,
    pub(crate) skipped: u64,
}

impl Table {
    /// An empty table; for `seed` see `BoundedMap::new`.
    pub(crate) fn new(target: Prefix, seed: u64) -> Self {
        let budget = Budget::new(TABLE_BYTES_MAX);
        let (places, peers) = (BoundedMap::new(seed, &budget), BoundedMap::new(seed, &budget));
        let nowhere = (Address::from_bytes([0; 16]), u64::MAX);
        Self {
            target,
            seen: Vec::new(),
            places,
            last: (nowhere, Place::Unusable),
            routes: 0,
            peers,
            addresses: Vec::new(),
            last_peer: 0,
            skipped: 0,
        }
    }

    /// Adds one statement; one about a prefix outside the target is none of ours.
    pub(crate) fn add(&mut self, statement: &Statement) -> Result<(), TooMany> {
        let &Statement { time, peer, prefix, said } = statement;
        if self.last.0 != prefix {
            self.last = (prefix, self.place(prefix)?);
        }
        let at = match self.last.1 {
            Place::At(at) => at,
            Place::Outside => return Ok(()),
            Place::Unusable => {
                self.skipped = self.skipped.saturating_add(1);
                return Ok(());
            }
        };
        let peer = self.peer(peer)?;
        let (_, seen) = &mut self.seen[at as usize];
        match said {
            Said::Withdrawn => seen.withdrawals = seen.withdrawals.saturating_add(1),
            Said::Announced(origin) => {
                // The first origin of a prefix was counted with the prefix.
                let another = !seen.origins.is_empty();
                let (announced, new) = seen.origin(origin, time);
                self.routes += usize::from(new && another);
                announced.peers.set(peer);
                announced.observations = announced.observations.saturating_add(1);
                announced.first = announced.first.min(time);
                announced.last = announced.last.max(time);
            }
        }
        if self.routes > ROUTES_MAX { Err(TooMany::Routes) } else { Ok(()) }
    }

    /// Where a prefix is. Only what lies in the target is remembered, so that other rows take no memory.
    fn place(&mut self, key: (Address, u64)) -> Result<Place, TooMany> {
        let Some(prefix) = prefix(key.0, key.1) else { return Ok(Place::Unusable) };
        if !covers(self.target, prefix) {
            return Ok(Place::Outside);
        }
        let (place, new) = self.places.entry(key).map_err(|_| TooMany::Routes)?;
        if new {
            self.routes += 1;
            *place = u32::try_from(self.seen.len()).map_err(|_| TooMany::Routes)?;
            self.seen.push((prefix, Seen::default()));
        }
        Ok(Place::At(*place))
    }

    fn peer(&mut self, address: Address) -> Result<u32, TooMany> {
        for number in [self.last_peer, self.last_peer + 1] {
            if self.addresses.get(number as usize) == Some(&address) {
                self.last_peer = number;
                return Ok(number);
            }
        }
        let (number, new) = self.peers.entry(address).map_err(|_| TooMany::Peers)?;
        if new {
            let known = u32::try_from(self.addresses.len()).map_err(|_| TooMany::Peers)?;
            if known >= PEERS_MAX {
                return Err(TooMany::Peers);
            }
            *number = known;
            self.addresses.push(address);
        }
        self.last_peer = *number;
        Ok(*number)
    }

    /// The answer. `roas_skipped` is the number of rows that `roas` does not have.
    pub(crate) fn report(mut self, roas: &Roas, roas_skipped: u64) -> Report {
        self.seen.sort_unstable_by_key(|&(prefix, _)| prefix);
        let mut of_target = Bits::default();
        let mut of_all = Bits::default();
        let mut covering: BTreeSet<&Roa> = roas.covering(self.target).collect();
        let mut more_specifics = Vec::new();
        let (mut origins, mut withdrawals) = (Vec::new(), 0);
        for (prefix, seen) in self.seen {
            let first = seen.origins.iter().map(|(_, announced)| announced.first).min();
            covering.extend(roas.covering(prefix).filter(|roa| !roa.ended_before(first.unwrap_or(i64::MIN))));
            for (_, announced) in &seen.origins {
                of_all.add(&announced.peers);
                if prefix == self.target {
                    of_target.add(&announced.peers);
                }
            }
            let shown = shown(prefix, seen.origins, roas);
            if prefix == self.target {
                (origins, withdrawals) = (shown, seen.withdrawals);
            } else {
                let (prefix, withdrawals) = (prefix.to_string(), seen.withdrawals);
                more_specifics.push(MoreSpecific { prefix, origins: shown, withdrawals });
            }
        }
        let mut roas: Vec<_> = covering.into_iter().map(|roa| (roa.prefix, roa.asn, roa.max_length)).collect();
        roas.dedup();
        let roas_found = roas.len() as u64;
        roas.truncate(ROAS_SHOWN_MAX);
        Report {
            prefix: self.target.to_string(),
            origins,
            withdrawals,
            more_specifics,
            roas: roas.into_iter().map(roa_shown).collect(),
            roas_found,
            peers: of_target.count(),
            peers_all: of_all.count(),
            skipped: self.skipped,
            roas_skipped,
        }
    }
}

fn shown(prefix: Prefix, origins: Vec<(Option<u32>, Announced)>, roas: &Roas) -> Vec<Origin> {
    let shown = |(asn, announced): (Option<u32>, Announced)| Origin {
        asn,
        peers: announced.peers.count(),
        observations: announced.observations,
        first_us: announced.first,
        last_us: announced.last,
        validity: roas.validity(prefix, asn, announced.first),
    };
    origins.into_iter().map(shown).collect()
}

fn roa_shown((prefix, asn, max_length): (Prefix, u32, u8)) -> RoaShown {
    RoaShown { prefix: prefix.to_string(), max_length, asn }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::Validity;

    fn statement(time: i64, peer: &str, prefix: &str, said: Said) -> Statement {
        let prefix: Prefix = prefix.parse().unwrap();
        let prefix = (prefix.first(), u64::from(prefix.length()));
        Statement { time, peer: peer.parse().unwrap(), prefix, said }
    }

    fn from(asn: u32) -> Said {
        Said::Announced(Some(asn))
    }

    fn table(target: &str, rows: &[(i64, &str, &str, Said)]) -> Table {
        let mut table = Table::new(target.parse().unwrap(), 0);
        for &(time, peer, prefix, said) in rows {
            table.add(&statement(time, peer, prefix, said)).unwrap();
        }
        table
    }

    fn roas() -> Roas {
        let mut roas = Roas::default();
        for (prefix, max_length, asn) in [("10.0.0.0/8", 9, 1), ("10.1.0.0/16", 16, 2), ("10.9.0.0/16", 16, 2)] {
            roas.push(Roa { prefix: prefix.parse().unwrap(), asn, max_length, until: None }).unwrap();
        }
        roas.prepare();
        roas
    }

    #[test]
    fn origins_and_more_specifics_are_told_apart_and_counted() {
        let rows = [
            (30, "192.0.2.1", "10.0.0.0/8", from(1)),
            (10, "192.0.2.2", "10.0.0.0/8", from(1)),
            (20, "192.0.2.1", "10.0.0.0/8", from(1)),
            (40, "192.0.2.3", "10.0.0.0/8", from(3)),
            (50, "192.0.2.3", "10.0.0.0/8", Said::Withdrawn),
            (60, "192.0.2.4", "10.1.0.0/16", from(2)),
            (60, "192.0.2.4", "10.1.0.0/17", Said::Announced(None)),
            (70, "192.0.2.4", "10.2.0.0/16", Said::Withdrawn),
            (80, "192.0.2.5", "0.0.0.0/0", from(9)),
        ];
        let report = table("10.0.0.0/8", &rows).report(&roas(), 5);
        let seen = |o: &Origin| (o.asn, o.peers, o.observations, o.first_us, o.last_us, o.validity);
        let origins: Vec<_> = report.origins.iter().map(seen).collect();
        assert_eq!(origins, [(Some(1), 2, 3, 10, 30, Validity::Valid), (Some(3), 1, 1, 40, 40, Validity::InvalidAsn)]);
        let inside: Vec<_> = report.more_specifics.iter().map(|m| (m.prefix.as_str(), m.withdrawals)).collect();
        assert_eq!(inside, [("10.1.0.0/16", 0), ("10.1.0.0/17", 0), ("10.2.0.0/16", 1)]);
        assert_eq!(seen(&report.more_specifics[0].origins[0]), (Some(2), 1, 1, 60, 60, Validity::Valid));
        assert_eq!(report.more_specifics[1].origins[0].asn, None);
        assert_eq!((report.withdrawals, report.peers, report.peers_all, report.roas_skipped), (1, 3, 4, 5));
        let roas: Vec<_> = report.roas.iter().map(|r| (r.prefix.as_str(), r.asn, r.max_length)).collect();
        assert_eq!(roas, [("10.0.0.0/8", 1, 9), ("10.1.0.0/16", 2, 16)], "what covers nothing seen is not shown");
        assert_eq!(report.roas_found, 2);
    }

    #[test]
    fn the_order_of_rows_does_not_matter() {
        let peers = ["192.0.2.1", "192.0.2.2", "2001:db8::1"].into_iter().cycle();
        let prefixes = ["10.0.0.0/8", "10.1.0.0/16"].into_iter().cycle();
        let said = [from(1), from(2), Said::Withdrawn, from(3), Said::Announced(None)].into_iter().cycle();
        let rows = (0..200i64).zip(peers).zip(prefixes).zip(said);
        let mut rows: Vec<_> = rows.map(|(((time, peer), prefix), said)| (time, peer, prefix, said)).collect();
        let one = format!("{:?}", table("10.0.0.0/8", &rows).report(&roas(), 0));
        rows.reverse();
        assert_eq!(one, format!("{:?}", table("10.0.0.0/8", &rows).report(&roas(), 0)));
    }

    #[test]
    fn more_than_an_answer_holds_is_an_error() {
        let mut table = Table::new("10.0.0.0/8".parse().unwrap(), 0);
        let mut add = |n: u32, said| {
            let address = Address::from(std::net::IpAddr::from((10 << 24 | n << 8).to_be_bytes()));
            let peer = "192.0.2.1".parse().unwrap();
            table.add(&Statement { time: 0, peer, prefix: (address, 24), said })
        };
        assert_eq!((0..1_000).try_for_each(|n| add(n, from(1))), Ok(()));
        assert_eq!((0..1_000).try_for_each(|n| add(n, Said::Withdrawn)), Ok(()), "no more routes");
        assert_eq!((0..1_000).try_for_each(|n| add(0, from(2 + n))), Ok(()));
        assert_eq!(add(0, from(1)), Ok(()));
        assert_eq!(add(0, from(7_000)), Err(TooMany::Routes));
        assert_eq!(String::from(TooMany::Routes), "more than 2000 routes at this prefix: ask for a longer one");
    }

    #[test]
    fn more_peers_than_can_be_numbered_are_an_error() {
        let mut table = Table::new("10.0.0.0/8".parse().unwrap(), 0);
        let refused = (0..u32::MAX).find(|n| {
            let peer = Address::from(std::net::IpAddr::from(n.to_be_bytes()));
            let prefix = ("10.0.0.0".parse().unwrap(), 8);
            table.add(&Statement { time: 0, peer, prefix, said: from(1) }).is_err()
        });
        assert_eq!(refused, Some(PEERS_MAX));
    }

    #[test]
    fn prefixes_that_do_not_exist_or_lie_elsewhere_take_no_memory() {
        let mut table = Table::new("2001:db8::/32".parse().unwrap(), 0);
        let mut add = |address: &str, length| {
            let (peer, address) = ("192.0.2.1".parse().unwrap(), address.parse().unwrap());
            table.add(&Statement { time: 0, peer, prefix: (address, length), said: from(1) })
        };
        for (address, length) in [("2001:db8::1", 32), ("2001:db8::", 129), ("10.0.0.0", 8), ("2001:db9::", 32)] {
            assert_eq!(add(address, length), Ok(()));
        }
        assert_eq!((0..1 << 20).try_for_each(|n| add("2001:db8::1", 200 + n)), Ok(()));
        assert_eq!((table.seen.len(), table.places.len(), table.skipped), (0, 0, 2 + (1 << 20)));
    }

    #[test]
    fn kinds_and_numbers_that_do_not_exist_say_nothing() {
        assert_eq!(Said::new(b"rib", Some(64500)), Some(from(64500)));
        assert_eq!(Said::new(b"announce", None), Some(Said::Announced(None)));
        assert_eq!(Said::new(b"withdraw", Some(1 << 40)), Some(Said::Withdrawn));
        assert_eq!(Said::new(b"rib", Some(1 << 32)), None);
        assert_eq!(Said::new(b"RIB", Some(1)), None);
    }
}
