//! Which WebAssembly a module may be written in: validation with exactly these features. Compiles nothing.

use wasmparser::{Validator, WasmFeatures};

use crate::error::InspectError;

/// What is on. Everything else is off: memory64, threads, GC, function references, exceptions, relaxed SIMD, component
/// async, custom page sizes, multi-memory and whatever is proposed next.
pub(crate) const FEATURES: WasmFeatures = WasmFeatures::empty()
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::TAIL_CALL)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::COMPONENT_MODEL);

/// Validates the component, and tells a feature that is off from bytes that are not WebAssembly.
pub(crate) fn validate(wasm: &[u8]) -> Result<(), InspectError> {
    let Err(error) = Validator::new_with_features(FEATURES).validate_all(wasm) else { return Ok(()) };
    match Validator::new_with_features(WasmFeatures::all()).validate_all(wasm) {
        Ok(_) => Err(InspectError::feature(&error)),
        Err(_) => Err(InspectError::invalid(&error)),
    }
}
