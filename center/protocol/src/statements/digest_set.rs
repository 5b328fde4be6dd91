//! An in-toto digest set, as far as the registry uses one.

use serde::{Deserialize, Serialize};

use crate::ids::Digest;

/// An in-toto digest set with the one algorithm used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigestSet(pub Digest);

#[derive(Serialize, Deserialize)]
struct WireDigestSet {
    sha256: String,
}

impl Serialize for DigestSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WireDigestSet { sha256: self.0.hex() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for DigestSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = WireDigestSet::deserialize(deserializer)?;
        Digest::from_hex(&wire.sha256).map(Self).map_err(serde::de::Error::custom)
    }
}
