//! The registry and the time, as a request finds them.

use std::sync::Arc;

use iog_machine::Clock;
use iog_protocol::{registry::Registry, time::Timestamp};

use crate::head::Published;

/// What every decision is made against: what is published, and when it is.
#[derive(Clone)]
pub(crate) struct Present {
    pub(crate) published: Published,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Present {
    pub(crate) fn registry(&self) -> Arc<Registry> {
        self.published.registry()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
