//! `iog gateway …` and `iog enroll`: the provider's side of the command line.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use iog_desk::decide::endpoints::moved;
use iog_gateway::config::GatewayConfig;
use iog_gateway::memory::MemoryBound;
use iog_gateway::{Deps, Gateway};
use iog_home::Home;
use iog_home::enroll::{self, EnrollOptions};
use iog_machine::Machine;
use iog_machine::files::{self, Readers};
use iog_protocol::enroll::JoinToken;
use iog_protocol::statements::Statement;
use iog_sandbox::Sandbox;
use serde_json::json;
use tokio::net::TcpListener;

use crate::args::{EnrollArgs, EnrollCommand, EnrollUpdateArgs, GatewayCommand};
use crate::link::{Link, clock};
use crate::ui::Ui;
use crate::{runtime, signals};

/// What `iog gateway init` writes; `{home}` and `{listen}` are filled in.
const TEMPLATE: &str = include_str!("gateway.template.toml");

pub(crate) fn run(ui: Ui, command: GatewayCommand) -> Result<ExitCode> {
    match command {
        GatewayCommand::Init { config, home } => init(ui, &config, &home.home)?,
        GatewayCommand::Serve { config } => runtime::start()?.block_on(serve(ui, &config))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// `iog enroll`.
pub(crate) fn enroll(ui: Ui, args: &EnrollArgs) -> Result<ExitCode> {
    if let Some(EnrollCommand::Update(update)) = &args.command {
        runtime::start()?.block_on(enroll_update(ui, update))?;
        return Ok(ExitCode::SUCCESS);
    }
    let token = args.token.as_deref().context("name the join token with --token")?;
    let token: JoinToken = token.trim().parse().context("this is not a join token")?;
    let options = EnrollOptions { endpoints: args.endpoint.clone(), ..EnrollOptions::default() };
    let spinner = ui.spinner(&format!("enrolling `{}` at {}", token.domain, token.center));
    let home = runtime::start()?.block_on(enroll::enroll(&args.home.home, &token, &options, &Machine::default()))?;
    spinner.end();
    let caller = home.caller_key()?.public();
    ui.line(format!(
        "enrolled `{}` of `{}` in `{}`",
        home.domain(),
        home.domain_file().organisation,
        home.root().display()
    ));
    ui.named(&[
        ("caller key", caller.to_string().into()),
        ("receipt key", home.receipt_key()?.public().to_string().into()),
    ]);
    ui.gap();
    ui.prose("next: tell root these keys by another way than the network; root admits the domain with");
    ui.line(format!("  iog root admit {} --caller-key {caller} --key ROOT.key", home.domain()));
    ui.prose("then ask others, or offer data of your own:");
    ui.line(format!("  iog catalog search --home {}", home.root().display()));
    ui.line(format!("  iog gateway init --home {}", home.root().display()));
    ui.object(&json!({"domain": home.domain(), "home": home.root(), "caller_key": caller.to_string(), "genesis": home.domain_file().genesis}));
    Ok(ExitCode::SUCCESS)
}

/// `iog enroll update`: the domain's next statement, signed with its caller key; it waits until root has admitted it.
async fn enroll_update(ui: Ui, args: &EnrollUpdateArgs) -> Result<()> {
    let home = Home::open(&args.home.home).context("there is no domain to update")?;
    let key = home.caller_key()?;
    let mut link = Link::of_home(&home, clock())?;
    let registry = link.registry().await?;
    let next = moved(&registry, home.domain(), &key.public(), &args.endpoint)?;
    let envelope = Statement::new(registry.genesis_digest(), next.clone()).sign(&[&key]).context("cannot sign it")?;
    let posted =
        link.center.post_statement(envelope.to_json()).await.context("the center did not take the statement")?;
    let index = posted.logged().map(|logged| logged.index);
    ui.line(format!("signed statement {} of `{}`: {}", next.sequence, next.id, args.endpoint.join(" ")));
    if index.is_none() {
        ui.line("next: root admits it; tell them the caller key again");
        ui.line(format!("  iog root admit {} --caller-key {}", next.id, key.public()));
    }
    let named = &home.domain_file().names;
    for address in &args.endpoint {
        let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
        if !named.iter().any(|name| name == host) {
            ui.prose(format!("note: `{host}` is not among the names of the certificate ({})", named.join(" ")));
        }
    }
    ui.object(&json!({"domain": next.id, "sequence": next.sequence, "endpoints": args.endpoint, "index": index}));
    Ok(())
}

fn init(ui: Ui, config: &Path, home: &Path) -> Result<()> {
    let opened = Home::open(home).context("a gateway needs a home")?;
    ensure!(!config.exists(), "`{}` exists already", config.display());
    let home = home.canonicalize().with_context(|| format!("cannot find `{}`", home.display()))?;
    let text = TEMPLATE.replace("{home}", &home.display().to_string()).replace("{domain}", opened.domain().as_str());
    files::replace(config, text.as_bytes(), Readers::All)
        .with_context(|| format!("cannot write `{}`", config.display()))?;
    GatewayConfig::load(config).context("the template does not fit this version")?;
    ui.prose(format!("wrote `{}`: bind your datasets and services in it, then run", config.display()));
    ui.line(format!("  iog data check --config {}", config.display()));
    ui.line(format!("  iog gateway serve --config {}", config.display()));
    ui.object(&json!({"config": config.to_string_lossy(), "home": home.to_string_lossy()}));
    Ok(())
}

async fn serve(ui: Ui, config: &Path) -> Result<()> {
    let config = GatewayConfig::load(config).context("the gateway does not start")?;
    let listen = config
        .listen
        .context("the gateway does not start: `listen` is missing; write for example `listen = \"0.0.0.0:8443\"`")?;
    let home = Home::open(&config.home).context("the gateway does not start")?;
    ensure!(!home.trust_domain().is_demo(), "`{}` is reserved for `iog demo`", home.trust_domain());
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on `{listen}`"))?;
    let address = listener.local_addr().context("the listener has no address")?;
    let sandbox = config.sandbox();
    let memory = MemoryBound::of(&config, &sandbox);
    let sandbox = Sandbox::new(&sandbox)?;
    let deps = Deps { sandbox, machine: Machine::default() };
    let gateway = Gateway::open(config, deps).await.context("the gateway does not start")?;
    let domain = gateway.home().domain().clone();
    let services: Vec<String> = gateway.config().service.keys().map(ToString::to_string).collect();
    let compiling = gateway.compiling().to_string();
    ui.line(format!("gateway of `{domain}` listens on {address}"));
    let named =
        if services.is_empty() { "none; bind some in the configuration".to_owned() } else { services.join(", ") };
    ui.prose(format!("services: {named}"));
    ui.prose(format!("modules are compiled {compiling}"));
    ui.prose(format!("it takes at most {} MiB of memory by its configuration", memory.total_mib()));
    ui.object(&json!({
        "listening": address.to_string(),
        "domain": domain,
        "services": services,
        "compiling": compiling,
        "memory_bytes_max": memory,
    }));
    gateway.serve(listener, signals::interrupted()).await.context("the gateway did not end well")?;
    Ok(())
}
