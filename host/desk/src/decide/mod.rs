//! What people decide, one file a decision: a typed decision becomes the statement that they sign, without signatures. No
//! key is ever in here: signing happens on the signer's own machine, with the key's file. What a rule of the registry would
//! refuse anyway is refused here with a reason, before anybody signs.

pub mod endpoints;
pub mod keyset;
pub mod review;
pub mod stop;
pub mod submission;

use iog_module::ModuleNamed;
use iog_protocol::registry::{ModuleRecord, Registry};

/// A module that nobody submitted; whoever named it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the registry has no module `{named}`; `iog module show` lists them")]
pub struct NoModule {
    /// What was named.
    pub named: ModuleNamed,
}

/// The module that is meant, approved or not.
///
/// # Errors
/// [`NoModule`].
pub fn module<'a>(registry: &'a Registry, named: &ModuleNamed) -> Result<&'a ModuleRecord, NoModule> {
    named.find(registry).ok_or_else(|| NoModule { named: named.clone() })
}
