//! `iog catalog …`: what services there are. A descriptor is shown only when the provider's signature on it holds.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use iog_gateway::config::GatewayConfig;
use iog_gateway::{Deps, Gateway};
use iog_home::Home;
use iog_machine::Machine;
use iog_protocol::catalog::{CatalogQuery, Descriptor};
use iog_protocol::ids::Asn;
use iog_sandbox::{Sandbox, SandboxConfig};
use serde_json::json;

use crate::args::{CatalogCommand, HomeArg};
use crate::link::{Link, now};
use crate::runtime;
use crate::ui::{Ui, escaped, grouped};

pub(crate) fn run(ui: Ui, command: CatalogCommand) -> Result<ExitCode> {
    let runtime = runtime()?;
    match command {
        CatalogCommand::Search { query, schema, asn, home } => {
            let query = CatalogQuery { q: query, schema, asn: asn.map(Asn), ..CatalogQuery::default() };
            runtime.block_on(search(ui, &query, &home))?;
        }
        CatalogCommand::Show { service, domain, home } => {
            runtime.block_on(show(ui, (&service, domain.as_deref()), &home))?;
        }
        CatalogCommand::Publish { config } => return runtime.block_on(publish(ui, &config)),
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(query: &CatalogQuery, home: &HomeArg) -> Result<(Vec<Descriptor>, usize)> {
    let mut link = Link::of_home(&Home::open(&home.home)?)?;
    let registry = link.registry().await?;
    let found = link.center.search(query, &registry, now()).await.context("the catalog cannot be searched")?;
    let mut descriptors: Vec<Descriptor> =
        found.descriptors.into_iter().map(|verified| verified.into_inner()).collect();
    descriptors.sort_by(|a, b| (&a.service, &a.domain).cmp(&(&b.service, &b.domain)));
    Ok((descriptors, found.refused))
}

async fn search(ui: Ui, query: &CatalogQuery, home: &HomeArg) -> Result<()> {
    let (found, refused) = find(query, home).await?;
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|descriptor| {
            let asns: Vec<String> = descriptor.coverage.asns.iter().map(ToString::to_string).collect();
            vec![
                descriptor.service.to_string(),
                descriptor.domain.to_string(),
                format!("{}@{}", descriptor.module_name, descriptor.module_version),
                asns.join(" "),
                descriptor.summary.clone(),
            ]
        })
        .collect();
    if rows.is_empty() {
        ui.line("no service matches");
    }
    ui.table(&["service", "domain", "module", "AS", "summary"], &rows);
    if refused > 0 {
        ui.line(format!(
            "{refused} entries of the catalog are left out: their signature does not hold or they expired"
        ));
    }
    ui.object(&json!({"services": found, "refused": refused}));
    Ok(())
}

async fn show(ui: Ui, (service, domain): (&str, Option<&str>), home: &HomeArg) -> Result<()> {
    let (found, _) = find(&CatalogQuery::default(), home).await?;
    let wanted = |descriptor: &&Descriptor| {
        descriptor.service.as_str() == service && domain.is_none_or(|domain| descriptor.domain.as_str() == domain)
    };
    let found: Vec<&Descriptor> = found.iter().filter(wanted).collect();
    ensure!(!found.is_empty(), "the catalog has no service `{service}`; `iog catalog search` lists what there is");
    for descriptor in &found {
        ui.title(&format!("{} of {}", descriptor.service, descriptor.domain));
        ui.line(escaped(&descriptor.summary));
        ui.line(format!(
            "module   {}@{}\n         {}",
            descriptor.module_name, descriptor.module_version, descriptor.module
        ));
        for entry in &descriptor.entries {
            ui.line(format!("entry    {}\n{}", entry.name, escaped(&entry.wit)));
        }
        for dataset in &descriptor.datasets {
            let rows = dataset.rows.map_or("unknown".to_owned(), grouped);
            ui.line(format!("data     {} ({}), class {}, rows {rows}", dataset.slot, dataset.schema, dataset.class));
        }
        let limits = &descriptor.limits;
        ui.line(format!(
            "limits   {} fuel, {} MiB, {} s, {} KiB",
            grouped(limits.fuel),
            limits.memory_mib,
            limits.wall_s,
            limits.result_kib
        ));
        ui.line(format!("access   {}\nexpires  {}", escaped(&descriptor.access), descriptor.expires));
    }
    ui.object(&json!({"services": found}));
    Ok(())
}

/// Opens the gateway as `serve` does, which publishes what is effective, and closes it again.
async fn publish(ui: Ui, config: &Path) -> Result<ExitCode> {
    let mut config = GatewayConfig::load(config).context("cannot read the gateway's configuration")?;
    config.sync.publish = true;
    let sandbox = Sandbox::new(&SandboxConfig { runs_max: 1, ..SandboxConfig::default() })?;
    let deps = Deps { sandbox, machine: Machine::default() };
    let gateway = Gateway::open(config, deps).await.context("the gateway does not open; is it running already?")?;
    let published = iog_gateway::background::publish::publish(gateway.background()).await;
    let (mut rows, mut objects, mut all_good) = (Vec::new(), Vec::new(), true);
    for (service, outcome) in published {
        all_good &= outcome.is_ok();
        let state = outcome.map_or_else(|why| escaped(&why), |()| "in the catalog".to_owned());
        rows.push(vec![service.to_string(), state.clone()]);
        objects.push(json!({"service": service, "state": state}));
    }
    gateway.close().await;
    ui.table(&["service", "state"], &rows);
    ui.object(&json!({"services": objects}));
    Ok(if all_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
