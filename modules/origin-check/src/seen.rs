//! What many domains say of one route: who sees it, since when, and how they judge it.

use iog_guest::Prefix;

use crate::bindings::{Validity, Votes};
use crate::bits::Bits;
use crate::view::View;

/// An origin over all answers, with domains as their places in the list of views.
#[derive(Debug, Default)]
pub(crate) struct Joint {
    pub(crate) seen_by: Bits,
    pub(crate) peers: u64,
    pub(crate) observations: u64,
    pub(crate) first_us: i64,
    pub(crate) last_us: i64,
    pub(crate) votes: Ballot,
}

/// Domains by what they say of a route: valid, invalid-asn, invalid-length, not-found.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Ballot([u32; 4]);

impl Ballot {
    pub(crate) fn cast(&mut self, validity: Validity) {
        let place = match validity {
            Validity::Valid => 0,
            Validity::InvalidAsn => 1,
            Validity::InvalidLength => 2,
            Validity::NotFound => 3,
        };
        self.0[place] += 1;
    }

    /// What most domains say that have a ROA for the route; of equal votes the worse.
    pub(crate) fn majority(self) -> Validity {
        let [valid, invalid_asn, invalid_length, _] = self.0;
        let most = valid.max(invalid_asn).max(invalid_length);
        match () {
            () if most == 0 => Validity::NotFound,
            () if invalid_asn == most => Validity::InvalidAsn,
            () if invalid_length == most => Validity::InvalidLength,
            () => Validity::Valid,
        }
    }

    pub(crate) fn shown(self) -> Votes {
        let [valid, invalid_asn, invalid_length, not_found] = self.0;
        Votes { valid, invalid_asn, invalid_length, not_found }
    }
}

/// The domains that see a route, and those that could and do not.
pub(crate) fn names(views: &[View], target: Prefix, prefix: Prefix, joint: &Joint) -> (Vec<String>, Vec<String>) {
    let (mut seen_by, mut not_seen_by) = (Vec::new(), Vec::new());
    for (number, view) in (0u32..).zip(views) {
        if joint.seen_by.has(number) {
            seen_by.push(view.domain.clone());
        } else if view.could_see(target, prefix) {
            not_seen_by.push(view.domain.clone());
        }
    }
    (seen_by, not_seen_by)
}
