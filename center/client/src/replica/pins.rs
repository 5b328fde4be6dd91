//! What a replica is pinned to. Everything else about the log is checked against it.

use iog_protocol::ids::Digest;
use iog_tlog::VerifierKey;

/// What a replica trusts from the start, usually from a join token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pins {
    /// SHA-256 of the log's entry 0.
    pub genesis: Digest,
    /// The log's key; its name is the origin.
    pub log: VerifierKey,
}
