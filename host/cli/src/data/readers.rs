//! Which services read a dataset, and which of its columns. Reads the configuration and the registry as it is held; reaches no
//! network and opens no data.

use std::collections::BTreeSet;

use iog_client::Replica;
use iog_gateway::config::{GatewayConfig, ServiceConfig};
use iog_gateway::not_ready::NotReady;
use iog_home::{Home, connect};
use iog_machine::error::chain;
use iog_module::ModuleRef;
use iog_protocol::ids::{DatasetName, ServiceName, SlotName};
use iog_protocol::registry::Registry;
use iog_protocol::time::Timestamp;

/// A service that reads a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reader {
    /// The service.
    pub(super) service: ServiceName,
    /// The slot of its module that the dataset is bound to.
    pub(super) slot: SlotName,
    /// The module as configured.
    pub(super) module: ModuleRef,
    /// Who may call it, in the words of the policy; empty: nobody.
    pub(super) callers: Vec<String>,
    /// The columns that its queries read, as signed in the registry; or why they are not known.
    pub(super) columns: Result<BTreeSet<String>, String>,
}

/// The services that read a dataset, with the columns that the registry in the home folder says.
pub(super) fn readers(config: &GatewayConfig, dataset: &DatasetName, now: Timestamp) -> Vec<Reader> {
    let replica = replica(config);
    let mut found = Vec::new();
    for (name, service) in &config.service {
        for (slot, _) in service.bind.iter().filter(|(_, bound)| *bound == dataset) {
            let columns = match &replica {
                Ok(replica) => match replica.registry() {
                    Some(registry) => columns(service, slot, &registry, now).map_err(|e| e.to_string()),
                    None => Err(NO_REGISTRY.to_owned()),
                },
                Err(problem) => Err(problem.clone()),
            };
            found.push(Reader {
                service: name.clone(),
                slot: slot.clone(),
                module: service.module.clone(),
                callers: service.policy().callers.iter().map(ToString::to_string).collect(),
                columns,
            });
        }
    }
    found
}

/// Why nothing is known of modules before the first start.
const NO_REGISTRY: &str = "this home holds no copy of the registry yet; start the gateway once";

fn replica(config: &GatewayConfig) -> Result<Replica, String> {
    let home = Home::open(&config.home).map_err(|e| chain(&e))?;
    connect::replica(&home).map_err(|e| chain(&e))
}

fn columns(
    service: &ServiceConfig,
    slot: &SlotName,
    registry: &Registry,
    now: Timestamp,
) -> Result<BTreeSet<String>, NotReady> {
    let digest = service.module.resolve(registry).ok_or(NotReady::NoModule)?;
    let effective = registry.effective(&digest, now).map_err(|e| NotReady::NotEffective { reason: e.to_string() })?;
    let used = effective.capabilities().datasets.get(slot).ok_or_else(|| NotReady::NoData { slot: slot.clone() })?;
    Ok(used.columns.iter().cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_the_services_that_bind_it() {
        let text = "listen = \"127.0.0.1:0\"\n\
            [dataset.border]\nschema = \"flow/1\"\npath = \"a.csv\"\nformat = \"csv\"\nclass = \"reviewed\"\n\
            [dataset.other]\nschema = \"flow/1\"\npath = \"b.csv\"\nformat = \"csv\"\nclass = \"reviewed\"\n\
            [service.one]\nmodule = \"iog/ip-traceback@1.0.0\"\nbind = { flows = \"border\" }\n\
            [service.one.allow]\ncallers = [\"members\"]\n\
            [service.two]\nmodule = \"iog/ip-traceback@1.0.0\"\nbind = { flows = \"other\" }\n";
        let folder = tempfile::tempdir().unwrap();
        let config = GatewayConfig::parse(text, folder.path()).unwrap();
        let found = readers(&config, &"border".parse().unwrap(), Timestamp::from_unix(1_800_000_000));
        assert_eq!(found.iter().map(|r| r.service.as_str()).collect::<Vec<_>>(), ["one"]);
        assert_eq!(found[0].callers, ["members"]);
        // There is no home in the folder, and that is said instead of guessed.
        assert!(found[0].columns.is_err());
    }
}
