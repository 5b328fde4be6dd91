//! What a gateway does by itself: follow the registry (`follow`), make services ready (`ready`), publish them (`publish`), renew
//! its certificate (`renew`), each in its own time (`rounds`). Each task has only what it needs. Nothing here stands in the way
//! of a request; what fails is logged and tried again.

mod follow;
pub mod publish;
mod ready;
mod renew;
mod rounds;

use std::fmt;

use iog_protocol::ids::DatasetName;

use crate::config::SyncConfig;
use crate::registry::RegistryCell;

pub(crate) use follow::{Follower, follow_authorities, missed};
pub(crate) use publish::Publisher;
pub(crate) use ready::{Modules, Preparer, Turns};
pub(crate) use renew::Renewer;

/// The background work of one gateway.
pub struct Background {
    pub(crate) follower: Follower,
    pub(crate) preparer: Preparer,
    pub(crate) publisher: Publisher,
    pub(crate) renewer: Renewer,
    pub(crate) times: SyncConfig,
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background").field("times", &self.times).finish_non_exhaustive()
    }
}

impl Background {
    /// Brings the registry up to date; without the center it stays as it is.
    pub async fn sync(&self) {
        self.follower.sync().await;
    }

    /// Prepares every service that is not ready or whose module or data have changed.
    pub async fn refresh(&self) {
        self.preparer.refresh().await;
    }

    /// Publishes every service that is ready and says what came of each; failures are logged as well.
    pub async fn publish(&self) -> Vec<publish::Offered> {
        self.publisher.publish().await
    }

    /// Withdraws everything that is published. Failures are logged: the descriptors then end by themselves.
    pub async fn withdraw(&self) {
        self.publisher.withdraw().await;
    }

    /// The registry in force, and what is known of its age.
    #[must_use]
    pub fn registry(&self) -> &RegistryCell {
        &self.follower.registry
    }

    /// Why datasets that services need cannot be used, for the operator.
    #[must_use]
    pub fn data_problems(&self) -> Vec<(DatasetName, String)> {
        self.preparer.data_problems()
    }
}
