//! Why a call did not come to be. What one provider did or did not do is not an error here; it is in `report.rs`.

use crate::params::ParamsMisfit;
use iog_client::ClientError;
use iog_home::blobs::BlobError;
use iog_home::{HomeError, SessionError, TokenError};
use iog_machine::entropy::NoEntropy;
use iog_module::{ExamineError, NotAsSigned};
use iog_protocol::ids::{Digest, EntryName, ServiceName};

/// Why a call did not come to be. A domain that does not answer is not an error: it is in the report.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// This domain cannot call.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The registry has no such module that may run.
    #[error("the registry has no module `{what}`; `iog catalog search` lists what is offered")]
    NoModule {
        /// What was asked for.
        what: String,
    },
    /// The module may not run.
    #[error("module `{module}` may not run: {reason}")]
    NotEffective {
        /// The module.
        module: Digest,
        /// Why.
        reason: String,
    },
    /// Providers offer different modules under one service name.
    #[error("service `{service}` stands for several modules: {modules}; name one of them")]
    Ambiguous {
        /// The service.
        service: ServiceName,
        /// The modules.
        modules: String,
    },
    /// Nobody offers it.
    #[error("no provider in the catalog offers {what}; `iog catalog search` lists what is offered")]
    NoProviders {
        /// What was asked for.
        what: String,
    },
    /// The catalog is away and was never seen.
    #[error("the catalog cannot be reached and none is kept; name domains instead")]
    NoCatalog {
        /// Why it was not reached.
        #[source]
        source: Box<ClientError>,
    },
    /// The catalog's answer is not a catalog.
    #[error("the catalog's answer cannot be read")]
    BadCatalog,
    /// The module or its manifest cannot be had.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The module cannot be used.
    #[error("the module cannot be used")]
    Examine(#[from] ExamineError),
    /// The module is not what its submission says.
    #[error(transparent)]
    NotAsSigned(#[from] NotAsSigned),
    /// The manifest has no such entry.
    #[error("the module has no entry `{entry}`; its entries are {known}")]
    NoEntry {
        /// The entry.
        entry: EntryName,
        /// What there is.
        known: String,
    },
    /// The parameters do not fit the entry: nobody was asked.
    #[error("nobody was asked")]
    Params(#[from] ParamsMisfit),
    /// The bundles cannot be stored.
    #[error(transparent)]
    Home(#[from] HomeError),
}

impl From<NoEntropy> for CallError {
    fn from(error: NoEntropy) -> Self {
        Self::Session(error.into())
    }
}

impl From<TokenError> for CallError {
    fn from(error: TokenError) -> Self {
        Self::Session(error.into())
    }
}
