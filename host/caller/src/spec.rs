//! A call as its caller words it: what is asked, of whom, why and for how long. Nothing of it has been looked up yet.

use std::time::Duration;

use crate::merge_limits::MergeLimits;
use iog_module::{ModuleNamed, ModuleRef};
use iog_protocol::ids::{Asn, DomainId, EntryName, ModuleName, ServiceName};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The module behind a service of the catalog.
    Service(ServiceName),
    /// One module.
    Module(ModuleRef),
    /// The newest effective version of a module.
    Name(ModuleName),
}

impl std::str::FromStr for What {
    type Err = String;

    /// `service`, `namespace/name`, `namespace/name@version` or `sha256:…`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(ModuleNamed::Exactly(module)) => return Ok(Self::Module(module)),
            Ok(ModuleNamed::Newest(name)) => return Ok(Self::Name(name)),
            Err(_) => {}
        }
        text.parse().map(Self::Service).map_err(|_| {
            format!("`{text}` names neither a service nor a module; write `service`, `namespace/name[@version]` or `sha256:…`")
        })
    }
}

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Every provider of the catalog, or those that cover an AS.
    Relevant {
        /// The AS.
        asn: Option<Asn>,
    },
    /// These domains.
    Domains(Vec<DomainId>),
}

/// One question.
#[derive(Debug, Clone)]
pub struct CallSpec {
    /// What is asked.
    pub what: What,
    /// The entry; `None`: the manifest's first.
    pub entry: Option<EntryName>,
    /// Parameters by name.
    pub params: serde_json::Value,
    /// Why, for the providers' policies.
    pub purpose: String,
    /// Who is asked.
    pub whom: Whom,
    /// How long a provider may take.
    pub deadline: Duration,
    /// Providers asked at the same time, at least 1.
    pub parallel_max: usize,
    /// Whether the answers are merged, where the module can.
    pub merge: bool,
    /// What merging may use here.
    pub merge_limits: MergeLimits,
}
