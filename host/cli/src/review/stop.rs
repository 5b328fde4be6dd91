//! `iog review suspend` and `iog review revoke`: a signed `revocation/v1`. Who may stop what is the registry's rule; it is asked
//! before anything is sent.

use anyhow::{Context as _, Result};
use iog_protocol::ids::DomainId;
use iog_protocol::registry::{Halts, Registry};
use iog_protocol::statements::{Predicate, Revocation, RevocationSeverity, Statement, Target};
use serde_json::json;

use crate::args::StopArgs;
use crate::keys;
use crate::link::{Link, module, now};
use crate::ui::Ui;

pub(super) async fn stop(ui: Ui, args: &StopArgs, severity: RevocationSeverity) -> Result<()> {
    let signers: Vec<_> = args.key.iter().map(|file| keys::secret(file)).collect::<Result<_>>()?;
    let mut link = Link::open(&args.center)?;
    let registry = link.registry().await?;
    let statement = statement(&registry, args, severity)?;
    let target = target_of(&statement);
    let envelope = statement.sign(&signers.iter().collect::<Vec<_>>()).context("cannot sign the statement")?.to_json();
    let mut after = registry;
    Registry::apply_shared(&mut after, &envelope).context("the registry would not take this statement; not sent")?;
    let posted = link.center.post_statement(envelope).await.context("the center did not take the statement")?;
    let accepted = posted.logged().context("the center answered as if it were a domain's statement")?;
    let state = target.as_ref().map_or("unknown", |target| state(after.halts(target)));
    ui.line(format!("{} is {state}: entry {} of the log", args.target, accepted.index));
    if severity == RevocationSeverity::Revoke && state != "revoked" {
        ui.line("your vote to revoke it is logged; another organisation, its owner or root has to agree");
    }
    ui.object(&json!({"target": target, "state": state, "index": accepted.index}));
    Ok(())
}

fn statement(registry: &Registry, args: &StopArgs, severity: RevocationSeverity) -> Result<Statement> {
    let revocation = |target| Revocation {
        severity,
        target,
        reason_code: args.reason_code.clone(),
        reason: args.reason.clone(),
        until: None,
        issued: now(),
    };
    if let Some(id) = args.target.strip_prefix("domain:") {
        let id: DomainId = id.parse().with_context(|| format!("`{id}` is not a domain id"))?;
        return Ok(Statement::new(registry.genesis_digest(), revocation(Target::Domain(id))));
    }
    let record = module(registry, &args.target)?;
    let target = Target::Module(record.submission.module);
    Ok(Statement::about(registry.genesis_digest(), record.subject(), revocation(target)))
}

fn target_of(statement: &Statement) -> Option<Target> {
    match &statement.predicate {
        Predicate::Revocation(revocation) => Some(revocation.target.clone()),
        _ => None,
    }
}

fn state(halts: &Halts) -> &'static str {
    if halts.revoked().is_some() {
        "revoked"
    } else if halts.suspension(now()).is_some() {
        "suspended"
    } else {
        "not stopped"
    }
}
