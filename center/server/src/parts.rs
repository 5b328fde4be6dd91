//! What the routes are served from. No route gets all of it: a handler names the parts that it works with
//! (`State<Blobs>`), and can reach no other.

use std::sync::Arc;

use axum::extract::FromRef;
use iog_protocol::ids::TrustDomain;
use iog_transport::{ShareLimits, Shares};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    admissions::Admissions,
    blobs::Blobs,
    catalog::Catalog,
    certificates::Issuer,
    config::Limits,
    db::Database,
    head::Published,
    present::Present,
    rates::{Askings, SharedRates},
    senders::Desks,
    sequencer::Sequencer,
    tokens::TokenIssuer,
};

/// Uploads taken into memory for each inspection that runs.
const UPLOADS_PER_INSPECTION: usize = 5;
/// Uploads of one publisher at once, so that nobody who leaves them unfinished stops others.
const UPLOADS_PER_PEER: usize = 3;
/// Long lists counted at once, which takes a processor; they are made while they are sent.
const LISTS_AT_ONCE: usize = 2;

/// Entry 0 of the log, as its signers made it.
#[derive(Clone)]
pub(crate) struct GenesisEntry(pub(crate) Arc<[u8]>);

/// Places for long lists while they are counted.
#[derive(Clone)]
pub(crate) struct Lists(Arc<Semaphore>);

impl Lists {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(LISTS_AT_ONCE)))
    }

    /// Waits for a turn to count one; over when dropped.
    pub(crate) async fn turn(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.0).acquire_owned().await.expect("the semaphore is never closed")
    }
}

/// Places for submissions, which are large and take long.
pub(crate) struct Intake {
    pub(crate) module_bytes_max: usize,
    /// Places for uploads, which wait in memory: a few for each publisher, and a few of all for those whose signature is not known yet.
    pub(crate) uploads: Shares,
    /// Places for inspections.
    pub(crate) inspections: Arc<Semaphore>,
}

impl Intake {
    pub(crate) fn new(limits: &Limits) -> Self {
        let at_once = limits.submissions_at_once;
        let total = at_once * UPLOADS_PER_INSPECTION;
        let uploads = ShareLimits { total, unnamed: at_once, per_peer: UPLOADS_PER_PEER };
        Self {
            module_bytes_max: limits.module_bytes_max,
            uploads: Shares::new(uploads),
            inspections: Arc::new(Semaphore::new(at_once)),
        }
    }
}

/// All parts, for the router alone. Clones share them.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) trust_domain: TrustDomain,
    pub(crate) genesis: GenesisEntry,
    pub(crate) present: Present,
    pub(crate) sequencer: Sequencer,
    pub(crate) rates: SharedRates,
    pub(crate) askings: Askings,
    pub(crate) database: Database,
    pub(crate) blobs: Blobs,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) tokens: Arc<TokenIssuer>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) desks: Arc<Desks>,
    pub(crate) lists: Lists,
    pub(crate) admissions: Arc<Admissions>,
}

macro_rules! parts {
    ($($field:ident: $part:ty),* $(,)?) => {$(
        impl FromRef<Parts> for $part {
            fn from_ref(parts: &Parts) -> Self {
                parts.$field.clone()
            }
        }
    )*};
}

parts! {
    trust_domain: TrustDomain,
    genesis: GenesisEntry,
    present: Present,
    sequencer: Sequencer,
    rates: SharedRates,
    askings: Askings,
    database: Database,
    blobs: Blobs,
    catalog: Arc<Catalog>,
    issuer: Arc<Issuer>,
    tokens: Arc<TokenIssuer>,
    intake: Arc<Intake>,
    desks: Arc<Desks>,
    lists: Lists,
    admissions: Arc<Admissions>,
}

impl FromRef<Parts> for Published {
    fn from_ref(parts: &Parts) -> Self {
        parts.present.published.clone()
    }
}
