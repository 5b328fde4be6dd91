//! What a component is, as data: what it imports and exports, in which types, how large. Nothing here is the author's
//! word; all of it is read from the file.

use iog_protocol::ids::Digest;
use serde::Serialize;
use serde_json::Value;

use crate::schema::{params_schema, result_schema};
use crate::types::WitTypeFact;

/// Facts of one component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Size of the file, bytes.
    pub size: u64,
    /// Imported interfaces with version, sorted, for example `iog:guest/data@0.1.0`.
    pub imports: Vec<String>,
    /// Exported functions in the order of the component.
    pub exports: Vec<ExportFact>,
    /// The component's world as WIT text.
    pub wit: String,
    /// Whether it exports a function `merge`. Whether that one fits is for `check`.
    pub merge: bool,
    /// Sizes.
    pub core: CoreFacts,
}

impl Facts {
    /// The exported function of this name.
    #[must_use]
    pub fn export(&self, name: &str) -> Option<&ExportFact> {
        self.exports.iter().find(|export| export.name == name)
    }
}

/// An exported function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportFact {
    /// Its name.
    pub name: String,
    /// Parameters in order.
    pub params: Vec<(String, WitTypeFact)>,
    /// What it returns.
    pub result: Option<WitTypeFact>,
    /// The signature in WIT, with its named types and the comments of their author.
    pub wit: String,
}

impl ExportFact {
    /// JSON Schema (2020-12) of the parameters: an object with one member a parameter.
    #[must_use]
    pub fn params_schema(&self) -> Value {
        params_schema(&self.params)
    }

    /// JSON Schema (2020-12) of the result.
    #[must_use]
    pub fn result_schema(&self) -> Value {
        result_schema(self.result.as_ref())
    }
}

/// Sizes of a component, summed over everything in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CoreFacts {
    /// Core modules.
    pub modules: u64,
    /// Components, itself included.
    pub components: u64,
    /// Core instances.
    pub instances: u64,
    /// Functions with a body.
    pub functions: u64,
    /// Bytes of function bodies.
    pub code_bytes: u64,
    /// Types.
    pub types: u64,
    /// Linear memories.
    pub memories: u64,
    /// Tables.
    pub tables: u64,
    /// Globals.
    pub globals: u64,
    /// Data segments.
    pub data_segments: u64,
}
