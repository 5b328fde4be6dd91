//! What a module takes and returns, in the words of its author: looked up as a call does, and nobody is asked.

use iog_home::Session;
use iog_home::blobs;
use iog_protocol::ids::{Digest, EntryName, ModuleName, ModuleVersion};
use iog_protocol::registry::EffectiveModule;

use crate::call::{Caller, as_signed};
use crate::error::CallError;
use crate::params;
use crate::providers;
use crate::spec::What;

/// A module that may run. Summary and signatures are its author's: foreign text.
#[derive(Debug, Clone)]
pub struct About {
    /// Its name.
    pub name: ModuleName,
    /// Its version.
    pub version: ModuleVersion,
    /// SHA-256 of the component.
    pub digest: Digest,
    /// What it is for.
    pub summary: String,
    /// Its entries, in the order of the manifest.
    pub entries: Vec<AboutEntry>,
}

/// What can be called.
#[derive(Debug, Clone)]
pub struct AboutEntry {
    /// Its name.
    pub name: EntryName,
    /// Its signature in WIT, with its types and comments.
    pub wit: String,
    /// The parameters that it needs, each as `NAME=VALUE` for a shell.
    pub example: Vec<String>,
}

/// Looks a module up.
///
/// # Errors
/// [`CallError`], when there is no such module or this domain cannot call.
pub async fn about(caller: Caller<'_>, what: &What) -> Result<About, CallError> {
    let session = Session::open(caller.home, caller.machine).await?;
    let effective: EffectiveModule = providers::module(&session, what).await?;
    let wasm = blobs::module(&session.home, &session.center, &effective.digest).await?;
    let module = as_signed(&session, &wasm, &effective).await?;
    let (manifest, facts) = (module.examined().manifest(), module.examined().facts());
    let entry = |name: &EntryName| {
        let export = facts.export(name.as_str())?;
        Some(AboutEntry { name: name.clone(), wit: export.wit.clone(), example: params::example_of(export) })
    };
    Ok(About {
        name: effective.submission.name.clone(),
        version: effective.submission.version.clone(),
        digest: effective.digest,
        summary: manifest.module.summary.clone(),
        entries: manifest.module.entry.iter().filter_map(entry).collect(),
    })
}
