//! The notices, in the order of the log.

use crate::ids::{Digest, DomainId};
use crate::statements::Genesis;

/// All notices with their authors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) notices: Vec<(DomainId, String)>,
}

impl State {
    pub(crate) fn founded(_genesis: &Genesis, _digest: Digest) -> Self {
        Self::default()
    }
}
