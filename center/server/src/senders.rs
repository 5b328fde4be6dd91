//! Who sends a statement, by its signatures alone. Whoever holds a key may send from anywhere, so what a sender may take of the center is
//! counted by key and not by connection: strangers who fill what strangers have do not stop an auditor who halts a module, nor the root.
//! Each purse of the rates has places of its own, so that nobody fills those of who stops something. Pure, but for the places.

use iog_protocol::{
    dsse::Envelope,
    ids::KeyId,
    registry::{Registry, Said},
    statements::{Domain, Predicate, Statement},
    time::Timestamp,
};
use iog_transport::{PeerKey, Share, ShareLimits, Shares};

use crate::{
    rates::{Purse, SharedRates},
    refusal::Refusal,
};

/// Statements of daily work that are being judged and written, in all; strangers who send what is signed by nobody we know have a
/// quarter, one signer an eighth.
const ORDINARY_MAX: usize = 128;
/// Suspensions and revocations, in all; one signer has an eighth.
const HALTING_MAX: usize = 64;
/// Statements of the root.
const GOVERNING_MAX: usize = 32;

/// Who sends a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sender {
    /// From which purse it is paid.
    purse: Purse,
    /// By which key it is counted: one that signed, else the connection's.
    pub(crate) key: PeerKey,
}

/// A statement as it came.
#[derive(Clone, Copy)]
pub(crate) struct Sent<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) envelope: &'a Envelope,
    pub(crate) statement: &'a Statement,
    pub(crate) peer: &'a PeerKey,
}

impl Sender {
    /// Who sends it. A statement that comes whole must hold, and be what its signers may say by now; one that collects signatures needs
    /// one of somebody who is known, or counts as the connection's.
    fn of(sent: Sent<'_>, registry: &Registry, rates: &SharedRates, now: Timestamp) -> Result<Self, Refusal> {
        if let Predicate::Domain(domain) = &sent.statement.predicate {
            return Self::of_collecting(sent, domain, registry, now);
        }
        registry.check(sent.bytes).map_err(|invalid| Refusal::from(&invalid))?;
        let Some(said) = Said::read(sent.bytes) else { return Ok(Self::unknown(sent.peer)) };
        rates.lock().check(registry, &said, sent.bytes.len(), now)?;
        let Some(signer) = said.signers.first() else { return Ok(Self::unknown(sent.peer)) };
        let purse = Purse::of(registry, &said);
        let key = if purse == Purse::Governing { named("root") } else { named(&format!("key {signer}")) };
        Ok(Self { purse, key })
    }

    /// The sender of a statement that root holders or members sign one after the other. Everybody can read those that are in the log and
    /// send them again, with some of their signatures: they count as nobody's.
    fn of_collecting(sent: Sent<'_>, domain: &Domain, registry: &Registry, now: Timestamp) -> Result<Self, Refusal> {
        let former = registry.domain_history(&domain.id).map(|(former, _)| former.sequence);
        if former.is_some_and(|former| domain.sequence <= former) {
            registry.check(sent.bytes).map_err(|invalid| Refusal::from(&invalid))?;
        }
        let root = registry.root();
        if sent.envelope.first_signer(|id| root.keys.iter().find(|key| key.id() == *id).copied()).is_some() {
            return Ok(Self { purse: Purse::Governing, key: named("root") });
        }
        let member = |id: &KeyId| registry.domain_by_key_id(id, now);
        let signer = sent.envelope.first_signer(|id| member(id).map(|record| record.caller_key));
        let record = signer.and_then(|key| member(&key.id()));
        Ok(record.map_or_else(
            || Self::unknown(sent.peer),
            |record| Self { purse: Purse::Ordinary, key: named(&format!("domain {}", record.id)) },
        ))
    }

    fn unknown(peer: &PeerKey) -> Self {
        Self { purse: Purse::Ordinary, key: peer.clone() }
    }

    /// Somebody who is known by another proof than a key of the registry's.
    pub(crate) fn proven(name: &str) -> Self {
        Self { purse: Purse::Ordinary, key: named(name) }
    }
}

fn named(name: &str) -> PeerKey {
    PeerKey::Named(name.into())
}

/// Places for statements whose senders are known, until they are answered.
pub(crate) struct Desks {
    rates: SharedRates,
    ordinary: Shares,
    halting: Shares,
    governing: Shares,
}

impl Desks {
    pub(crate) fn new(rates: SharedRates) -> Self {
        let of = |total: usize| ShareLimits { unnamed: total.div_ceil(4), ..ShareLimits::of(total) };
        Self {
            rates,
            ordinary: Shares::new(of(ORDINARY_MAX)),
            halting: Shares::new(of(HALTING_MAX)),
            // All of it is the root's.
            governing: Shares::new(ShareLimits { per_peer: GOVERNING_MAX, ..of(GOVERNING_MAX) }),
        }
    }

    /// Who sends a statement: see [`Sender::of`].
    pub(crate) fn sender(&self, sent: Sent<'_>, registry: &Registry, now: Timestamp) -> Result<Sender, Refusal> {
        Sender::of(sent, registry, &self.rates, now)
    }

    /// A place for one more of this sender, if there is one.
    pub(crate) fn take(&self, sender: &Sender) -> Option<Share> {
        let desk = match sender.purse {
            Purse::Ordinary => &self.ordinary,
            Purse::Halting => &self.halting,
            Purse::Governing => &self.governing,
        };
        desk.take(&sender.key, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rates::tests::{NOW, key, registry};

    /// A domain statement that the root and the domain's own key have signed.
    fn domain(registry: &Registry, sequence: u64) -> (Statement, Envelope) {
        let domain = Domain {
            id: "isp-1".parse().unwrap(),
            organisation: "isp".parse().unwrap(),
            asns: Vec::new(),
            endpoints: Vec::new(),
            caller_key: key(7).public(),
            receipt_key: key(8).public(),
            sequence,
        };
        let statement = Statement::new(registry.genesis_digest(), domain);
        let envelope = statement.sign(&[&key(1), &key(2), &key(7)]).unwrap();
        (statement, envelope)
    }

    #[test]
    fn what_everybody_can_read_in_the_log_is_nobodys_when_it_comes_again() {
        let (mut registry, peer) = (registry(), PeerKey::Network([192, 0, 2, 1].into()));
        let (statement, envelope) = domain(&registry, 1);
        let entry = envelope.to_json();
        let of = |registry: &Registry, statement: &Statement, envelope: &Envelope| {
            let bytes = envelope.to_json();
            Sender::of(Sent { bytes: &bytes, envelope, statement, peer: &peer }, registry, &SharedRates::default(), NOW)
        };
        let root = Sender { purse: Purse::Governing, key: named("root") };
        assert_eq!(of(&registry, &statement, &envelope).unwrap(), root);
        registry.apply(&entry).unwrap();
        of(&registry, &statement, &envelope).unwrap_err();
        let (next, signed) = domain(&registry, 2);
        assert_eq!(of(&registry, &next, &signed).unwrap(), root);
        let alone = next.sign(&[&key(7)]).unwrap();
        assert_eq!(of(&registry, &next, &alone).unwrap().key, named("domain isp-1"));
        let stranger = next.sign(&[&key(9)]).unwrap();
        assert_eq!(of(&registry, &next, &stranger).unwrap(), Sender::unknown(&peer));
    }

    #[test]
    fn who_fills_a_purse_takes_nothing_of_another() {
        let desks = Desks::new(SharedRates::default());
        let of = |purse, name: &str| Sender { purse, key: named(name) };
        let taken: Vec<_> =
            (0..400).filter_map(|at| desks.take(&of(Purse::Ordinary, &format!("key {}", at % 40)))).collect();
        assert_eq!(taken.len(), ORDINARY_MAX);
        assert!(desks.take(&of(Purse::Ordinary, "another")).is_none());
        assert!(desks.take(&of(Purse::Governing, "root")).is_some());
        let halting: Vec<_> = (0..20).filter_map(|_| desks.take(&of(Purse::Halting, "rogue"))).collect();
        assert_eq!(halting.len(), 8);
        assert!(desks.take(&of(Purse::Halting, "auditor")).is_some());
        drop(taken);
        let strangers = (0..=255).map(|at: u8| PeerKey::Network([192, 0, at, 1].into()));
        let strangers: Vec<_> = strangers.filter_map(|key| desks.take(&Sender::unknown(&key))).collect();
        assert_eq!(strangers.len(), ORDINARY_MAX / 4);
    }
}
