//! `iog review suspend` and `iog review revoke`: signs what was decided, asks the registry's rules, sends it.

use anyhow::{Context as _, Result};
use iog_desk::decide::stop::{StopDecision, StopLogged, Stopped, foreseen};
use iog_desk::reach::Statements;
use iog_protocol::statements::RevocationSeverity;

use crate::args::StopArgs;
use crate::keys;
use crate::link::{self, now};
use crate::ui::Ui;

pub(super) async fn stop(ui: Ui, args: &StopArgs, severity: RevocationSeverity) -> Result<()> {
    let signers: Vec<_> = args.key.iter().map(|file| keys::secret(file)).collect::<Result<_>>()?;
    let mut link = link::open(&args.center)?;
    let registry = link.registry().await?;
    let stop = decision(args, severity)?.statement(&registry, now())?;
    let signers: Vec<_> = signers.iter().collect();
    let envelope = stop.statement.sign(&signers).context("cannot sign the statement")?.to_json();
    let after = foreseen(&registry, &envelope)?;
    let accepted = link.hand_in(Statements::Revocation, envelope).await?;
    let logged = StopLogged::of(&after, stop.target, accepted.index, now());
    ui.line(format!("{} is {}: entry {} of the log", args.target, logged.state, logged.index));
    if severity == RevocationSeverity::Revoke && logged.state != "revoked" {
        ui.prose("your vote to revoke it is logged; another organisation, its owner or root has to agree");
    }
    ui.view(&logged)
}

fn decision(args: &StopArgs, severity: RevocationSeverity) -> Result<StopDecision> {
    let what = match args.target.strip_prefix("domain:") {
        Some(id) => Stopped::Domain(id.parse().with_context(|| format!("`{id}` is not a domain id"))?),
        None => Stopped::Module(args.target.parse()?),
    };
    Ok(StopDecision { what, severity, reason_code: args.reason_code.clone(), reason: args.reason.clone() })
}
