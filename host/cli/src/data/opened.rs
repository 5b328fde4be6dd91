//! Datasets of a configuration, opened exactly as the gateway opens them and read to their end.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use iog_data::{DataError, Report};
use iog_gateway::config::{DatasetConfig, GatewayConfig};
use iog_gateway::datasets::{Bound, open_one};
use iog_protocol::ids::DatasetName;

use crate::args::DatasetArgs;
use crate::runtime;
use crate::ui::Ui;

/// A dataset that was read to its end, or what does not fit.
pub(super) type Read = Result<(Bound, Report), DataError>;

pub(super) fn load(path: &Path) -> Result<GatewayConfig> {
    GatewayConfig::load(path).context("the datasets are not known")
}

/// The dataset that was named, or all of them.
pub(super) fn chosen<'a>(
    config: &'a GatewayConfig,
    args: &DatasetArgs,
) -> Result<BTreeMap<&'a DatasetName, &'a DatasetConfig>> {
    let all: BTreeMap<_, _> = config.dataset.iter().collect();
    let Some(named) = &args.dataset else {
        if all.is_empty() {
            bail!("`{}` has no dataset; write a `[dataset.<name>]` table", args.config.display());
        }
        return Ok(all);
    };
    match all.iter().find(|(name, _)| name.as_str() == named) {
        Some((name, dataset)) => Ok(BTreeMap::from([(*name, *dataset)])),
        None => {
            let known: Vec<_> = all.keys().map(|name| format!("`{name}`")).collect();
            bail!("there is no dataset `{named}`; the datasets are {}", known.join(", "))
        }
    }
}

/// Opens a dataset as the gateway does and reads every row.
pub(super) fn read(ui: Ui, name: &DatasetName, config: &DatasetConfig) -> Result<Read> {
    let spinner = ui.spinner(&format!("reading {name}"));
    let read = runtime::start()?.block_on(async {
        let bound = open_one(name.as_str(), config).await?;
        let report = Arc::clone(&bound.data).check().await?;
        Ok((bound, report))
    });
    spinner.end();
    Ok(read)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A folder with a CSV file of `flow/1` and the configuration that binds it as `border`.
    pub(crate) fn configured(folder: &Path, csv: &str) -> DatasetArgs {
        std::fs::write(folder.join("flows.csv"), csv).unwrap();
        let text = "listen = \"127.0.0.1:0\"\n[dataset.border]\nschema = \"flow/1\"\npath = \"flows.csv\"\n\
                    format = \"csv\"\nclass = \"reviewed\"\ntimestamp = \"seconds\"\n";
        let config = folder.join("gateway.toml");
        std::fs::write(&config, text).unwrap();
        DatasetArgs { dataset: None, config }
    }

    pub(crate) const GOOD: &str = "start,end,src,dst,proto,packets,bytes,ingress_as\n\
                        1800000000,1800000001,198.51.100.1,192.0.2.1,17,3,300,64501\n";
}
