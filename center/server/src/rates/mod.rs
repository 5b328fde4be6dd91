//! How much may be said. The registry decides what is valid, this decides what becomes an entry now: how often each signer
//! speaks, how much is said of one target and in all, whether a statement's time is near the center's clock, and how large the
//! log and the registry become. The rules hold where the center takes a statement and nowhere else: whoever folds the log
//! takes what is in it. What was said lately follows from the log, so that a restart forgives nothing. Pure: the time is
//! passed in.

mod alarms;
mod asking;
mod bucket;
mod declined;
mod table;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use iog_protocol::{
    manifest::MANIFEST_BYTES_MAX,
    registry::{DOMAINS_MAX, LOG_BYTES_MAX, LOG_ENTRIES_MAX, MODULES_MAX, REVIEWS_OF_KEY_MAX, Registry, Said},
    statements::{Predicate, Submission},
    time::Timestamp,
};

use alarms::Alarms;
pub(crate) use alarms::Usage;
pub(crate) use asking::{Asking, Askings};
use bucket::BUCKETS_MIN;
pub(crate) use declined::Declined;
use table::{AHEAD_MAX_S, Account, Cost, Dated, cost};
pub(crate) use table::{Purse, memory_s};

/// Bytes of all submitted files at most: 1 MiB for each module that there may be, four times the largest of the platform's own.
const BLOB_BYTES_MAX: u64 = (MODULES_MAX as u64) << 20;
/// The part of the log's entries and bytes that is left to the root and to who stops something: one in so many.
const RESERVED_PART: u64 = 16;

/// The rates of a center. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedRates(Arc<Mutex<Rates>>);

impl SharedRates {
    pub(crate) fn new(rates: Rates) -> Self {
        Self(Arc::new(Mutex::new(rates)))
    }

    /// Whoever counts or asks, for a moment.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Rates> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was said lately, and how large the log is.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    /// When each bucket is full again, POSIX seconds; one that is full is not kept.
    buckets: BTreeMap<Account, i64>,
    forget_at: usize,
    log_bytes: u64,
    blob_bytes: u64,
    alarms: Alarms,
}

impl Rates {
    /// Whether the statement of an entry of so many bytes may become the registry's next entry at `now`.
    pub(crate) fn check(&self, registry: &Registry, said: &Said, bytes: usize, now: Timestamp) -> Result<(), Declined> {
        self.judge(registry, said, bytes, now).map(drop)
    }

    /// The same, and counts it.
    pub(crate) fn admit(
        &mut self,
        registry: &Registry,
        said: &Said,
        bytes: usize,
        now: Timestamp,
    ) -> Result<(), Declined> {
        let buckets = self.judge(registry, said, bytes, now)?;
        self.buckets.extend(buckets);
        self.log_bytes += bytes as u64;
        self.blob_bytes += blob_bytes(said);
        self.forget(now);
        self.look(registry, now);
        Ok(())
    }

    /// Logs the alarms that begin and end. Buckets fill while nobody says anything, so somebody has to look now and then.
    pub(crate) fn look(&mut self, registry: &Registry, now: Timestamp) {
        self.alarms.raise(self.usages(registry, now));
    }

    /// Counts the bytes of an entry.
    pub(crate) const fn count_bytes(&mut self, bytes: usize) {
        self.log_bytes += bytes as u64;
    }

    /// Counts the files of all modules that a registry has.
    pub(crate) fn count_blobs(&mut self, registry: &Registry) {
        self.blob_bytes = registry.modules().map(|module| of_submission(&module.submission)).sum();
    }

    /// Counts what was said in an entry that was appended at `at`, POSIX seconds, whatever the rates were then. The registry
    /// is the one without it.
    pub(crate) fn count_said(&mut self, registry: &Registry, said: &Said, at: i64) {
        for (account, rate) in cost(registry, said).accounts {
            let full_at = rate.take(self.buckets.get(&account).copied(), at).unwrap_or(at + rate.whole_s());
            self.buckets.insert(account, full_at);
        }
    }

    /// Whether the center's own statements still have room in the log.
    pub(crate) fn has_room(registry: &Registry) -> bool {
        registry.size() < LOG_ENTRIES_MAX
    }

    /// What is used of each bound.
    pub(crate) fn usages(&self, registry: &Registry, now: Timestamp) -> Vec<Usage> {
        let mut usages = vec![
            Usage::new("entries of the log", registry.size(), LOG_ENTRIES_MAX),
            Usage::new("bytes of the log", self.log_bytes, LOG_BYTES_MAX),
            Usage::new("bytes of modules' files", self.blob_bytes, BLOB_BYTES_MAX),
            Usage::new("domains", registry.domain_count() as u64, DOMAINS_MAX as u64),
            Usage::new("modules", registry.module_count() as u64, MODULES_MAX as u64),
        ];
        let of_purse = |purse: Purse| {
            let (rate, full_at) = (purse.rate(), self.buckets.get(&Account::All(purse)).copied());
            Usage::new(purse.name(), rate.used(full_at, now.unix()), rate.burst.into())
        };
        usages.extend(Purse::ALL.map(of_purse));
        usages
    }

    /// The moments at which the buckets that it takes from are full again.
    fn judge(
        &self,
        registry: &Registry,
        said: &Said,
        bytes: usize,
        now: Timestamp,
    ) -> Result<Vec<(Account, i64)>, Declined> {
        let Cost { purse, accounts, dated } = cost(registry, said);
        dated.map_or(Ok(()), |dated| check_time(dated, now))?;
        self.check_room(registry, said, purse, bytes)?;
        let take = |(account, rate): (Account, bucket::Rate)| {
            let full_at = rate.take(self.buckets.get(&account).copied(), now.unix());
            let who = account.who();
            full_at.map(|at| (account, at)).map_err(|retry_after_s| Declined::Rate { who, retry_after_s })
        };
        accounts.into_iter().map(take).collect()
    }

    fn check_room(&self, registry: &Registry, said: &Said, purse: Purse, bytes: usize) -> Result<(), Declined> {
        let reserved = |max: u64| if purse == Purse::Ordinary { max - max / RESERVED_PART } else { max };
        room("entries of the log", registry.size(), reserved(LOG_ENTRIES_MAX))?;
        room("bytes of the log", self.log_bytes + bytes as u64, reserved(LOG_BYTES_MAX))?;
        match &said.statement.predicate {
            Predicate::Domain(domain) if registry.domain_history(&domain.id).is_none() => {
                room("domains", registry.domain_count() as u64, DOMAINS_MAX as u64)
            }
            Predicate::Submission(_) => {
                room("bytes of modules' files", self.blob_bytes + blob_bytes(said), BLOB_BYTES_MAX)?;
                room("modules", registry.module_count() as u64, MODULES_MAX as u64)
            }
            Predicate::Review(_) => {
                let record = said.statement.module().and_then(|subject| registry.module(&subject.digest()));
                let keys = registry.keyset().auditors.iter().map(|auditor| &auditor.key);
                let key = keys.into_iter().find(|key| said.signers.contains(&key.id()));
                let times = record.zip(key).map_or(0, |(record, key)| record.reviews_by(key));
                room("reviews of one key about one module", times.into(), REVIEWS_OF_KEY_MAX.into())
            }
            _ => Ok(()),
        }
    }

    /// Forgets buckets that are full, now and then: there are as many others as entries of the last days at most.
    fn forget(&mut self, now: Timestamp) {
        if self.buckets.len() >= self.forget_at.max(BUCKETS_MIN) {
            self.buckets.retain(|_, full_at| *full_at > now.unix());
            self.forget_at = self.buckets.len() * 2;
        }
    }
}

impl Account {
    /// Who said enough, in words.
    const fn who(&self) -> &'static str {
        match self {
            Self::All(Purse::Ordinary) => "all members, auditors and publishers together",
            Self::All(Purse::Halting) => "all who suspend or revoke together",
            Self::All(Purse::Governing) => "the root",
            Self::Signer(..) => "a key that signed this",
            Self::SignerAbout(..) => "a key that signed this, about the same,",
            Self::About(..) => "all who speak about the same together",
        }
    }
}

fn check_time(Dated { issued, behind_max_s }: Dated, now: Timestamp) -> Result<(), Declined> {
    let behind_s = now.unix().saturating_sub(issued.unix());
    if behind_s < -AHEAD_MAX_S {
        return Err(Declined::Early { issued, now });
    }
    if behind_s > behind_max_s { Err(Declined::Late { issued, now, behind_max_s }) } else { Ok(()) }
}

/// Bytes of the files that a statement brings.
fn blob_bytes(said: &Said) -> u64 {
    match &said.statement.predicate {
        Predicate::Submission(submission) => of_submission(submission),
        _ => 0,
    }
}

/// Of the manifest a submission says no size; it counts as the longest.
const fn of_submission(submission: &Submission) -> u64 {
    submission.size.saturating_add(MANIFEST_BYTES_MAX as u64)
}

fn room(what: &'static str, used: u64, max: u64) -> Result<(), Declined> {
    if used >= max { Err(Declined::Full { what, max }) } else { Ok(()) }
}

#[cfg(test)]
pub(crate) mod tests;
