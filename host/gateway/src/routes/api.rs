//! What the handlers are given: each takes only the parts that it asks for.

use std::sync::Arc;

use axum::extract::FromRef;
use iog_keeper::Log;
use iog_sandbox::Compiling;

use crate::db::Store;
use crate::queue::FairQueue;
use crate::runs::submit::Submitter;
use crate::runs::under_way::UnderWay;
use crate::services::Services;
use crate::vantage::Vantage;

/// What the handlers have, each only what it asks for.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) vantage: Arc<Vantage>,
    pub(crate) submitter: Arc<Submitter>,
    pub(crate) services: Arc<Services>,
    pub(crate) queue: Arc<FairQueue>,
    pub(crate) store: Arc<Store>,
    pub(crate) under_way: Arc<UnderWay>,
    pub(crate) compiling: Arc<Compiling>,
    pub(crate) log: Log,
}

/// A handler takes one part of the state as an argument of its own.
macro_rules! part {
    ($($field:ident: $part:ty),+ $(,)?) => {
        $(impl FromRef<Api> for Arc<$part> {
            fn from_ref(api: &Api) -> Self {
                Self::clone(&api.$field)
            }
        })+
    };
}

part!(
    vantage: Vantage,
    submitter: Submitter,
    services: Services,
    queue: FairQueue,
    store: Store,
    under_way: UnderWay,
    compiling: Compiling,
);

impl FromRef<Api> for Log {
    fn from_ref(api: &Api) -> Self {
        api.log.clone()
    }
}
