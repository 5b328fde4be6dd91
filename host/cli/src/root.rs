//! `iog root …`: what holders of root keys do with them, offline wherever that is possible. Members with a say in
//! admissions use `admit` with their caller key.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use iog_protocol::dsse::Envelope;
use iog_protocol::statements::{Predicate, parse_payload};
use serde_json::json;

use crate::args::{CenterArg, RootCommand};
use crate::link::Link;
use crate::ui::{Tone, Ui};
use crate::{keys, runtime};

/// Bytes a genesis may have: an entry of the log, which is at most 65,535.
const GENESIS_BYTES_MAX: u64 = 65_535;

pub(crate) fn run(ui: Ui, command: RootCommand) -> Result<ExitCode> {
    match command {
        RootCommand::Sign { file, key, out } => sign(ui, &file, &key, &out)?,
        RootCommand::Domains { center } => runtime()?.block_on(domains(ui, &center))?,
        RootCommand::Admit { domain, key, center } => runtime()?.block_on(admit(ui, &domain, &key, &center))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn sign(ui: Ui, file: &Path, key: &Path, out: &Path) -> Result<()> {
    let key = keys::secret(key)?;
    let statement = read_small(file)?;
    if let Ok(Predicate::Genesis(genesis)) = parse_payload(&statement).map(|statement| statement.predicate) {
        ui.line(format!("trust domain  {}\nlog key       {}", genesis.trust_domain, genesis.log_key));
        ui.line(format!(
            "thresholds    k = {}, root {} of {}",
            genesis.thresholds.k,
            genesis.root.threshold,
            genesis.root.keys.len()
        ));
        for auditor in &genesis.keyset.auditors {
            ui.line(format!("auditor       {} of {}  {}", auditor.id, auditor.organisation, auditor.key));
        }
    }
    let so_far = if out.exists() { Some(read_small(out)?) } else { None };
    let (bytes, state) = iog_center::sign_genesis(&statement, so_far.as_deref(), &key).context("not signed")?;
    replace(out, &bytes)?;
    ui.line(format!("signed `{}`: {} of {} signatures", out.display(), state.signatures, state.needed));
    if state.signatures >= state.needed {
        ui.line(format!("the genesis is complete; its digest, which members pin, is\n{}", state.digest));
    }
    ui.object(&json!({"file": out, "signatures": state.signatures, "needed": state.needed, "digest": state.digest}));
    Ok(())
}

fn read_small(file: &Path) -> Result<Vec<u8>> {
    let show = || format!("cannot read `{}`", file.display());
    let length = std::fs::metadata(file).with_context(show)?.len();
    if length > GENESIS_BYTES_MAX {
        bail!("`{}` has {length} bytes; a genesis has at most {GENESIS_BYTES_MAX}", file.display());
    }
    std::fs::read(file).with_context(show)
}

async fn domains(ui: Ui, arg: &CenterArg) -> Result<()> {
    let mut link = Link::open(arg)?;
    let registry = link.registry().await?;
    let listed = link.center.domains().await?;
    let mut rows: Vec<Vec<String>> = registry
        .domains(crate::link::now())
        .map(|domain| {
            let asns: Vec<String> = domain.asns.iter().map(ToString::to_string).collect();
            let state = ui.paint(Tone::Good, "in force");
            vec![domain.id.to_string(), domain.organisation.to_string(), asns.join(" "), state]
        })
        .collect();
    for waiting in &listed.pending {
        let state = ui.paint(Tone::Warn, "waits to be admitted");
        rows.push(vec![waiting.id.to_string(), waiting.organisation.to_string(), String::new(), state]);
    }
    ui.table(&["domain", "organisation", "AS", "state"], &rows);
    ui.object(&serde_json::to_value(&listed)?);
    Ok(())
}

async fn admit(ui: Ui, domain: &str, key: &Path, arg: &CenterArg) -> Result<()> {
    let key = keys::secret(key)?;
    let mut link = Link::open(arg)?;
    link.registry().await?;
    let listed = link.center.domains().await?;
    let waiting = listed
        .pending
        .iter()
        .find(|pending| pending.id.as_str() == domain)
        .with_context(|| format!("no domain `{domain}` waits to be admitted; `iog root domains` lists them"))?;
    let mut envelope = Envelope::parse(&waiting.statement.0).context("the center gave a malformed statement")?;
    let statement = parse_payload(envelope.payload()).context("the center gave a malformed statement")?;
    let Predicate::Domain(asked) = &statement.predicate else {
        bail!("the center gave a {}, not a domain's statement; not signed", statement.predicate.type_uri());
    };
    if asked.id.as_str() != domain || statement.registry().as_ref() != Some(&link.replica.pins().genesis) {
        bail!("the center gave a statement of another domain or registry; not signed");
    }
    ui.line(format!("domain        {}\norganisation  {}", asked.id, asked.organisation));
    ui.line(format!(
        "AS numbers    {:?}\nendpoints     {:?}",
        asked.asns.iter().map(|a| a.0).collect::<Vec<_>>(),
        asked.endpoints.iter().map(|e| &e.address).collect::<Vec<_>>()
    ));
    ui.line(format!("caller key    {}\nreceipt key   {}", asked.caller_key, asked.receipt_key));
    envelope.add_signature(&key);
    let accepted =
        link.center.post_statement(envelope.to_json()).await.context("the center did not take the statement")?;
    let index = accepted.logged().map(|logged| logged.index);
    match index {
        Some(index) => ui.line(format!("admitted: entry {index} of the log")),
        None => ui.line("signed; it waits for further signatures"),
    }
    ui.object(&json!({"domain": domain, "index": index}));
    Ok(())
}

/// Replaces a file as a whole, so that a failure leaves the old one.
fn replace(file: &Path, bytes: &[u8]) -> Result<()> {
    let beside = file.with_extension("new");
    std::fs::write(&beside, bytes).with_context(|| format!("cannot write `{}`", beside.display()))?;
    std::fs::rename(&beside, file).with_context(|| format!("cannot replace `{}`", file.display()))
}
