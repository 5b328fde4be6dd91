//! How often a domain may ask for what is not in the log: tokens, certificates, places in the catalog. What a logged key signed
//! counts for its domain. What shows a certificate alone counts for that certificate, so that whoever copied one leaves its
//! domain the next. It is forgotten when the center stops. Pure.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use iog_protocol::{ids::DomainId, time::Timestamp};

use super::{
    bucket::{BUCKETS_MIN, Rate},
    declined::Declined,
};

/// Who asks for what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Asking {
    /// A domain, to list a newer descriptor that it signed.
    Catalog(DomainId),
    /// Whoever shows the certificate with this digest, a token.
    Token([u8; 32]),
    /// A domain, a new certificate by an order that it signed.
    Certificate(DomainId),
}

impl Asking {
    /// A gateway publishes its services when it starts and when one changes, then twice a day. A command asks for one token. A
    /// home renews once in two days, and once more for each try that fails.
    const fn rate(&self) -> Rate {
        match self {
            Self::Catalog(_) => Rate { burst: 512, every_s: 10 },
            Self::Token(_) => Rate { burst: 1_200, every_s: 1 },
            Self::Certificate(_) => Rate { burst: 64, every_s: 300 },
        }
    }

    const fn who(&self) -> &'static str {
        match self {
            Self::Catalog(_) => "this domain, about its services,",
            Self::Token(_) => "this certificate, asking for tokens,",
            Self::Certificate(_) => "this domain, asking for certificates,",
        }
    }
}

/// What was asked for lately. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Askings(Arc<Mutex<Buckets>>);

/// When each bucket is full again, POSIX seconds; one that is full is not kept, so that there are no more than askers of
/// the last hours.
#[derive(Debug, Default)]
struct Buckets {
    full_at: BTreeMap<Asking, i64>,
    forget_at: usize,
}

impl Askings {
    /// Counts that somebody asks.
    ///
    /// # Errors
    /// [`Declined::Rate`]; it is not counted then.
    pub(crate) fn take(&self, asking: Asking, now: Timestamp) -> Result<(), Declined> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Buckets { full_at, forget_at } = &mut *buckets;
        let declined = |retry_after_s| Declined::Rate { who: asking.who(), retry_after_s };
        let full = asking.rate().take(full_at.get(&asking).copied(), now.unix()).map_err(declined)?;
        full_at.insert(asking, full);
        if full_at.len() >= (*forget_at).max(BUCKETS_MIN) {
            full_at.retain(|_, full_at| *full_at > now.unix());
            *forget_at = full_at.len() * 2;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn domain(number: u8) -> DomainId {
        format!("as{number}").parse().unwrap()
    }

    #[test]
    fn who_asks_without_end_is_told_when_to_come_back_and_delays_nobody() {
        type Kind = (fn(u8) -> Asking, usize, u64);
        let kinds: [Kind; 3] = [
            (|who| Asking::Catalog(domain(who)), 512, 10),
            (|who| Asking::Token([who; 32]), 1_200, 1),
            (|who| Asking::Certificate(domain(who)), 64, 300),
        ];
        let askings = Askings::default();
        for (of, burst, every_s) in kinds {
            let taken = (0..10_000).filter(|_| askings.take(of(1), NOW).is_ok()).count();
            assert_eq!(taken, burst);
            let declined = askings.take(of(1), NOW).unwrap_err();
            assert!(matches!(declined, Declined::Rate { retry_after_s, .. } if retry_after_s == every_s), "{declined}");
            askings.take(of(2), NOW).unwrap();
            let later = NOW.plus_seconds(i64::try_from(every_s).unwrap());
            askings.take(of(1), later).unwrap();
            askings.take(of(1), later).unwrap_err();
        }
    }

    #[test]
    fn what_is_full_again_is_forgotten() {
        let askings = Askings::default();
        for number in 0..100_000_u32 {
            let mut certificate = [0; 32];
            certificate[..4].copy_from_slice(&number.to_be_bytes());
            askings.take(Asking::Token(certificate), NOW.plus_seconds(number.into())).unwrap();
        }
        assert!(askings.0.lock().unwrap().full_at.len() <= BUCKETS_MIN);
    }
}
