//! The parts of a gateway that serve requests, put together once and handed to each route as it needs them.

use std::sync::Arc;

use iog_sandbox::Compiling;

use crate::config::CapacityConfig;
use crate::db::Store;
use crate::executor::Executor;
use crate::queue::FairQueue;
use crate::receipts::Receipts;
use crate::refusals::Refusals;
use crate::routes::Api;
use crate::runs::lifecycle::Lifecycle;
use crate::runs::submit::Submitter;
use crate::runs::under_way::UnderWay;
use crate::services::Services;
use crate::vantage::Vantage;

/// What decides, runs and records.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) vantage: Arc<Vantage>,
    pub(crate) executor: Executor,
    pub(crate) store: Arc<Store>,
    pub(crate) receipts: Receipts,
    pub(crate) compiling: Arc<Compiling>,
}

/// The parts, each of which knows only those it needs.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) submitter: Arc<Submitter>,
    pub(crate) lifecycle: Arc<Lifecycle>,
    compiling: Arc<Compiling>,
}

impl Parts {
    /// Puts them together for a gateway that offers so many modules.
    pub(crate) fn new(
        capacity: &CapacityConfig,
        modules: usize,
        services: Arc<Services>,
        recording: Recording,
    ) -> Self {
        let Recording { vantage, executor, store, receipts, compiling } = recording;
        let refusals = Arc::new(Refusals::new(capacity.refusals_per_hour_max));
        let queue = FairQueue::new(capacity.queue(modules));
        let lifecycle = Arc::new(Lifecycle {
            vantage: Arc::clone(&vantage),
            store,
            executor,
            receipts,
            refusals: Arc::clone(&refusals),
            under_way: Arc::new(UnderWay::default()),
        });
        let submitter = Submitter { vantage, services, queue, refusals, lifecycle: Arc::clone(&lifecycle) };
        Self { submitter: Arc::new(submitter), lifecycle, compiling }
    }

    /// Where modules are compiled and what holds it.
    pub(crate) fn compiling(&self) -> &Compiling {
        &self.compiling
    }

    /// What the routes are given.
    pub(crate) fn api(&self) -> Api {
        Api {
            vantage: Arc::clone(&self.submitter.vantage),
            submitter: Arc::clone(&self.submitter),
            services: Arc::clone(&self.submitter.services),
            queue: Arc::clone(&self.submitter.queue),
            store: Arc::clone(&self.lifecycle.store),
            under_way: Arc::clone(&self.lifecycle.under_way),
            compiling: Arc::clone(&self.compiling),
            log: self.lifecycle.receipts.log().clone(),
        }
    }
}
