//! Machine code on its way into this process. Whoever can make one of these makes this process run what it likes, so there is
//! one constructor: the answer of a child that this process itself started, through a pipe that nobody else holds, about
//! the component that it was given and for the engine that is here. Nothing is ever loaded from a disk or the network.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use wasmtime::Engine;
use wasmtime::component::Component;

use super::job::Made;
use crate::config::LoadError;
use crate::module::refused;

/// Machine code of one component for one engine.
pub(super) struct Artefact(Vec<u8>);

impl Artefact {
    /// What a child answered, if it is about this component and this engine.
    pub(super) fn made(engine: &Engine, digest: [u8; 32], made: &Made, code: Vec<u8>) -> Result<Self, LoadError> {
        if made.component != hex(digest) {
            return Err(LoadError::Internal("the compile child compiled another component".to_owned()));
        }
        if made.engine != fingerprint(engine) {
            let problem = "the compile child is of another version or has another processor; restart this program";
            return Err(LoadError::Internal(problem.to_owned()));
        }
        Ok(Self(code))
    }

    /// Loads it, after wasmtime has compared version and settings once more.
    #[expect(
        unsafe_code,
        reason = "wasmtime cannot check machine code: that it comes from our own compiler is its contract"
    )]
    pub(super) fn load(self, engine: &Engine) -> Result<Component, LoadError> {
        // SAFETY: the bytes are what `Engine::precompile_component` made: `made` above takes them only from a child of this
        // process, which runs this program's own compiler and which the component cannot leave unless it breaks the compiler
        // itself. What such a break would give, and what not, stands in `docs/threat-model.md`.
        let loaded = unsafe { Component::deserialize(engine, &self.0) };
        loaded.map_err(|error| match refused(error) {
            LoadError::Invalid(problem) => LoadError::Internal(format!("the compiled module does not load: {problem}")),
            other => other,
        })
    }
}

/// What the engine's version, settings and processor come to.
pub(super) fn fingerprint(engine: &Engine) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Lower-case hexadecimal.
pub(super) fn hex(digest: [u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
