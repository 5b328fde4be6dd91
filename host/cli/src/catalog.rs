//! `iog catalog …`: what services there are. A descriptor is shown only when the provider's signature on it holds.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use iog_desk::views::Services;
use iog_desk::views::services::{Published, PublishedService};
use iog_gateway::config::GatewayConfig;
use iog_gateway::{Deps, Gateway};
use iog_home::Home;
use iog_machine::Machine;
use iog_protocol::catalog::{CatalogQuery, Descriptor};
use iog_protocol::ids::Asn;
use iog_sandbox::{Sandbox, SandboxConfig};

use crate::args::{CatalogCommand, HomeArg};
use crate::link::{Link, clock, now};
use crate::ui::{Text, Tone, Ui, counted};
use crate::{catalog_page, runtime};

pub(crate) fn run(ui: Ui, command: CatalogCommand) -> Result<ExitCode> {
    let runtime = runtime::start()?;
    match command {
        CatalogCommand::Search { query, schema, asn, home } => {
            let query = CatalogQuery { q: query, schema, asn: asn.map(Asn), ..CatalogQuery::default() };
            runtime.block_on(search(ui, &query, &home))?;
        }
        CatalogCommand::Show { service, domain, home } => {
            runtime.block_on(show(ui, &service, domain.as_deref(), &home))?;
        }
        CatalogCommand::Publish { config } => return runtime.block_on(publish(ui, &config)),
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(query: &CatalogQuery, home: &HomeArg) -> Result<Services> {
    let mut link = Link::of_home(&Home::open(&home.home)?, clock())?;
    let registry = link.registry().await?;
    let found = link.center.search(query, &registry, now()).await.context("the catalog cannot be searched")?;
    Ok(Services::of(found.descriptors, found.refused))
}

async fn search(ui: Ui, query: &CatalogQuery, home: &HomeArg) -> Result<()> {
    let found = find(query, home).await?;
    if found.services.is_empty() {
        ui.line("no service matches; `iog catalog search` without words lists all");
    }
    let rows: Vec<_> = alike(&found.services).iter().map(|group| row(group)).collect();
    ui.table_with(&["service", "domain", "module", "summary"], &rows);
    if found.refused > 0 {
        let entries = counted(found.refused as u64, "entry", "entries");
        ui.prose(format!("left out: {entries} of the catalog, expired or with a signature that does not hold"));
    }
    ui.view(&found)
}

/// Services of one name, module and summary together, where the first of them is.
fn alike(services: &[Descriptor]) -> Vec<Vec<&Descriptor>> {
    let key = |one: &Descriptor| (one.service.clone(), one.module, one.summary.clone());
    let mut groups: Vec<Vec<&Descriptor>> = Vec::new();
    for service in services {
        match groups.iter_mut().find(|group| key(group[0]) == key(service)) {
            Some(group) => group.push(service),
            None => groups.push(vec![service]),
        }
    }
    groups
}

/// A row of the catalog, and under it the domains where it stands for several.
fn row(group: &[&Descriptor]) -> (Vec<Text>, Option<Text>) {
    let first = group[0];
    let domains: Vec<String> = group.iter().map(|descriptor| catalog_page::domain(descriptor)).collect();
    let (domain, under) = match domains.as_slice() {
        [one] => (one.clone(), None),
        several => (format!("{} domains", several.len()), Some(Text::toned(Tone::Faint, &several.join(", ")))),
    };
    let module = format!("{}@{}", first.module_name, first.module_version);
    (vec![first.service.to_string().into(), domain.into(), module.into(), first.summary.as_str().into()], under)
}

async fn show(ui: Ui, service: &str, domain: Option<&str>, home: &HomeArg) -> Result<()> {
    let found = find(&CatalogQuery::default(), home).await?.named(service, domain);
    let of = domain.map_or(String::new(), |domain| format!(" of domain `{domain}`"));
    let any = !found.services.is_empty();
    ensure!(any, "the catalog has no service `{service}`{of}; `iog catalog search` lists what there is");
    catalog_page::print(ui, &found.services);
    ui.view(&found)
}

/// Opens the gateway as `serve` does, which publishes what is effective, and closes it again.
async fn publish(ui: Ui, config: &Path) -> Result<ExitCode> {
    let mut config = GatewayConfig::load(config).context("cannot read the gateway's configuration")?;
    config.sync.publish = true;
    let sandbox = Sandbox::new(&SandboxConfig { runs_max: 1, ..SandboxConfig::default() })?;
    let deps = Deps { sandbox, machine: Machine::default() };
    let gateway = Gateway::open(config, deps).await.context("the gateway does not open; is it running already?")?;
    // All of them, however long it takes: the start waits for some seconds only.
    gateway.background().refresh().await;
    let published = gateway.background().publish().await;
    let (mut rows, mut services, mut all_good) = (Vec::new(), Vec::new(), true);
    for (service, outcome) in published {
        all_good &= outcome.is_ok();
        let state = outcome.map_or_else(|why| why, |()| "in the catalog".to_owned());
        rows.push(vec![service.to_string(), state.clone()]);
        services.push(PublishedService { service, state });
    }
    gateway.close().await;
    ui.table(&["service", "state"], &rows);
    ui.view(&Published { services })?;
    Ok(if all_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
