//! `iog center …`: setting a governance center up and running it. It never sees a root or auditor secret key.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use iog_center::{Center, CenterConfig, HeldAuthority, InitOptions, InviteOptions, Standing, init, invite};
use iog_machine::SystemClock;
use iog_protocol::ids::{Asn, OrganisationId};
use iog_protocol::statements::{Auditor, Publisher, Root, Thresholds};
use serde_json::json;
use tokio::net::TcpListener;

use crate::args::{CenterCommand, CenterInitArgs, InviteArgs};
use crate::link::{Network, now};
use crate::ui::Ui;
use crate::{keys, runtime, signals};

/// Hours until a suspension by one auditor lapses.
const SUSPENSION_HOURS: u32 = 72;
/// Days the first keyset lasts; root renews it before.
const KEYSET_DAYS: i64 = 366;

pub(crate) fn run(ui: Ui, command: CenterCommand) -> Result<ExitCode> {
    match command {
        CenterCommand::Init(args) => start(ui, &args)?,
        CenterCommand::Serve { config } => runtime::start()?.block_on(serve(ui, &config))?,
        CenterCommand::Network { config, out } => network(ui, &config, &out)?,
        CenterCommand::Authority { config } => authority(ui, &config)?,
        CenterCommand::Invite(args) => runtime::start()?.block_on(invitation(ui, &args))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn start(ui: Ui, args: &CenterInitArgs) -> Result<()> {
    let trust_domain: iog_protocol::ids::TrustDomain =
        args.trust_domain.parse().with_context(|| format!("`{}` is not a trust domain", args.trust_domain))?;
    anyhow::ensure!(!trust_domain.is_demo(), "`{trust_domain}` is reserved for `iog demo`");
    let port = args.listen.rsplit_once(':').map(|(_, port)| port).context("--listen must be address:port")?;
    let first = args.name.first().context("a center needs a --name")?;
    let config = CenterConfig {
        trust_domain,
        listen: args.listen.clone(),
        public_address: format!("{first}:{port}"),
        names: args.name.clone(),
        data_dir: ".".into(),
        database: None,
        limits: iog_center::config::Limits::default(),
        connections: iog_center::config::Connections::default(),
    };
    let root = args.root.iter().map(|text| keys::public(text)).collect::<Result<Vec<_>>>()?;
    let options = InitOptions {
        config,
        root: Root { keys: root, threshold: args.root_threshold },
        auditors: args.auditor.iter().map(|text| auditor(text)).collect::<Result<_>>()?,
        publishers: args.publisher.iter().map(|text| publisher(text)).collect::<Result<_>>()?,
        thresholds: Thresholds { k: args.k, suspension_hours: SUSPENSION_HOURS, member_cosigners: 0 },
        witness_policy: None,
        keyset_expires: now().plus_days(KEYSET_DAYS),
    };
    let made = init(&args.dir, &options, now()).context("the center was not set up")?;
    let unsigned = made.genesis_statement.display();
    let signed = made.genesis_statement.with_file_name("genesis.json");
    ui.named(&[
        ("configuration", made.config.display().to_string().into()),
        ("genesis", format!("{unsigned} (not signed yet)").into()),
    ]);
    ui.gap();
    ui.prose("next, each root holder, with a key that never lies on this machine for longer:");
    ui.line(format!("  iog root sign {unsigned} --key ROOT.key --out {}", signed.display()));
    ui.prose("then start it, and write the network file for publishers, auditors and root holders:");
    ui.line(format!("  iog center serve --config {}", made.config.display()));
    ui.line(format!("  iog center network --config {}", made.config.display()));
    ui.object(&json!({"config": made.config, "genesis_unsigned": made.genesis_statement, "genesis": signed}));
    Ok(())
}

/// `ID@ORGANISATION=KEY`.
pub(crate) fn auditor(text: &str) -> Result<Auditor> {
    let (id, organisation, key) = party(text)?;
    Ok(Auditor { id, organisation, key })
}

/// `NAMESPACE@ORGANISATION=KEY`.
pub(crate) fn publisher(text: &str) -> Result<Publisher> {
    let (namespace, organisation, key) = party(text)?;
    Ok(Publisher { namespace, organisation, keys: vec![key] })
}

fn party(text: &str) -> Result<(String, OrganisationId, iog_protocol::keys::PublicKey)> {
    let split = || {
        let (who, key) = text.split_once('=')?;
        let (id, organisation) = who.split_once('@')?;
        Some((id.to_owned(), organisation, key))
    };
    let (id, organisation, key) = split()
        .with_context(|| format!("`{text}` should be NAME@ORGANISATION=KEY, for example alice@university=alice.pub"))?;
    let organisation = organisation.parse().with_context(|| format!("`{organisation}` is not an organisation id"))?;
    Ok((id, organisation, keys::public(key)?))
}

async fn serve(ui: Ui, config: &Path) -> Result<()> {
    let config = CenterConfig::load(config).context("the center does not start")?;
    refuse_demo(&config)?;
    let listener =
        TcpListener::bind(&config.listen).await.with_context(|| format!("cannot listen on `{}`", config.listen))?;
    let center = Center::open(config, Arc::new(SystemClock)).await.context("the center does not start")?;
    let genesis = center.genesis_digest();
    let size = center.registry().size();
    let handle = center.serve(listener).context("the center does not start")?;
    ui.line(format!("center listens on {}", handle.address()));
    ui.line(format!("genesis {genesis}"));
    ui.line(format!("log has {size} entries"));
    ui.object(&json!({"listening": handle.address().to_string(), "genesis": genesis, "log_size": size}));
    signals::interrupted().await;
    ui.line("draining");
    handle.shutdown().await.context("the center did not end well")?;
    Ok(())
}

fn network(ui: Ui, config: &Path, out: &Path) -> Result<()> {
    let config = CenterConfig::load(config).context("cannot read the center's configuration")?;
    let genesis = config.data_dir.join("genesis.json");
    let ca = config.data_dir.join("ca.pem");
    let read = |file: &Path| std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()));
    let next = config.data_dir.join("ca-next.pem");
    let next = if next.exists() { read(&next)? } else { String::new() };
    let ca_pem = read(&ca)? + &next;
    let network = Network { center: config.public_address.clone(), ca_pem, genesis: read(&genesis)? };
    let pins =
        iog_desk::reach::pins(network.genesis.as_bytes()).context("have the root holders signed the genesis?")?;
    let text = serde_json::to_string_pretty(&network).context("cannot write the network file")?;
    std::fs::write(out, text).with_context(|| format!("cannot write `{}`", out.display()))?;
    ui.named(&[
        ("file", out.display().to_string().into()),
        ("center", network.center.as_str().into()),
        ("genesis", pins.genesis.to_string().into()),
    ]);
    ui.gap();
    ui.prose("next: hand it to publishers, auditors and root holders, who name it with --network or in IOG_NETWORK");
    ui.object(&json!({"file": out.to_string_lossy(), "center": network.center, "genesis": pins.genesis}));
    Ok(())
}

fn authority(ui: Ui, config: &Path) -> Result<()> {
    let config = CenterConfig::load(config).context("cannot read the center's configuration")?;
    let held = iog_center::next_authority(&config, now()).context("no authority was made")?;
    let of = |standing: Standing| held.iter().filter(move |held| held.standing == standing).map(|held| held.digest);
    ui.lines(of(Standing::Retired).map(|digest| format!("retired  {digest}")));
    ui.lines(of(Standing::Named).map(|digest| format!("named    {digest}")));
    ui.lines(of(Standing::Next).map(|digest| format!("next     {digest}")));
    if of(Standing::Next).next().is_some() {
        ui.prose(
            "next: start the center again, and have root name all but retired ones with `iog root keyset --authority`",
        );
    }
    if of(Standing::Retired).next().is_some() {
        ui.prose("the retired one counts nowhere; put `ca-next.pem` and its key in its place before you make another");
    }
    let (retired, named): (Vec<_>, Vec<_>) = held.iter().partition(|held| held.standing == Standing::Retired);
    let digests = |held: Vec<&HeldAuthority>| held.into_iter().map(|held| held.digest).collect::<Vec<_>>();
    ui.object(&json!({"authorities": digests(named), "retired": digests(retired)}));
    Ok(())
}

async fn invitation(ui: Ui, args: &InviteArgs) -> Result<()> {
    let config = CenterConfig::load(&args.config).context("cannot read the center's configuration")?;
    let options = InviteOptions {
        domain: args.domain.parse().with_context(|| format!("`{}` is not a domain id", args.domain))?,
        organisation: args
            .organisation
            .parse()
            .with_context(|| format!("`{}` is not an organisation id", args.organisation))?,
        names: args.name.clone(),
        asns: args.asn.iter().copied().map(Asn).collect(),
        hours: args.hours.into(),
    };
    let token = invite(&config, &options, now()).await.context("nobody was invited")?;
    ui.prose(format!("join token for `{}`, good until {}; hand it over in confidence:", token.domain, token.expires));
    ui.line(token.to_string());
    ui.gap();
    ui.line("the domain's operator runs:");
    ui.line(format!("  iog enroll --home HOME --endpoint HOST:PORT --token {token}"));
    ui.object(&json!({"domain": token.domain, "expires": token.expires, "token": token.to_string()}));
    Ok(())
}

/// The demonstration's trust domain belongs to `iog demo` alone.
fn refuse_demo(config: &CenterConfig) -> Result<()> {
    anyhow::ensure!(!config.trust_domain.is_demo(), "`{}` is reserved for `iog demo`", config.trust_domain);
    Ok(())
}
