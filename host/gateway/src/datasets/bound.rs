//! A dataset that can be read.

use std::sync::Arc;

use iog_data::Dataset;
use iog_protocol::ids::Digest;
use iog_protocol::manifest::ReleaseClass;

/// One dataset that can be read.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The schema's id.
    pub schema: String,
    /// What may leave.
    pub class: ReleaseClass,
    /// The engine's handle.
    pub data: Arc<Dataset>,
}

impl Bound {
    /// Identifies the data this handle reads. Not salted: it must not leave the gateway as it is.
    #[must_use]
    pub fn snapshot(&self) -> Digest {
        Digest::from_bytes(self.data.snapshot().digest)
    }
}
