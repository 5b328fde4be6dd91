//! Who provides a run.

use wasmtime::component::{ComponentType, Lower};

/// The provider of a run, as the registry states it (`iog:guest/context.provider`).
#[derive(Clone, Debug, Default, PartialEq, Eq, ComponentType, Lower)]
#[component(record)]
pub struct Provider {
    /// Domain id.
    #[component(name = "domain")]
    pub domain: String,
    /// The domain's first AS number, where it has one.
    #[component(name = "asn")]
    pub asn: Option<u32>,
}
