//! The limits of a manifest in the sandbox's terms.

use std::time::Duration;

use iog_protocol::manifest::LimitsDecl;
use iog_sandbox::Limits;

/// What a run may use; what a manifest does not say has the platform's defaults.
#[must_use]
pub fn limits(declared: &LimitsDecl) -> Limits {
    Limits {
        fuel: declared.fuel,
        memory_bytes: usize::try_from(declared.memory_bytes()).unwrap_or(usize::MAX),
        wall: Duration::from_secs(declared.wall_s.into()),
        result_bytes: usize::try_from(declared.result_bytes()).unwrap_or(usize::MAX),
        ..Limits::default()
    }
}
