//! `iog root keyset`: the next `keyset/v1`, made from the one in force by naming what changes, signed by one root holder after
//! another in a file, and submitted. What it would change is shown to each; the registry's own rules judge it beforehand.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use iog_desk::decide::keyset::{KeysetDecision, Signing, changes, signing};
use iog_desk::views::SigningSheet;
use iog_protocol::dsse::Envelope;
use iog_protocol::ids::Digest;
use iog_protocol::registry::Registry;
use iog_protocol::statements::{Keyset, Predicate, Statement, parse_payload};
use serde_json::json;

use super::consent::consent;
use super::files::{read_small, replace};
use super::shown::show;
use crate::args::KeysetArgs;
use crate::center::{auditor, publisher};
use crate::keys;
use crate::link::{self, now};
use crate::ui::Ui;

pub(super) async fn keyset(ui: Ui, args: &KeysetArgs) -> Result<()> {
    let signers: Vec<_> = args.key.iter().map(|file| keys::secret(file)).collect::<Result<_>>()?;
    let mut link = link::open(&args.center)?;
    let registry = link.registry().await?;
    let (mut envelope, next) = open(args, &registry)?;
    let changes = changes(registry.keyset(), &next);
    let sheet = SigningSheet::of(envelope.payload()).context("the keyset cannot be shown; not signed")?;
    ui.title(&format!("what keyset {} changes after {}", next.version, registry.keyset().version));
    ui.lines(changes.iter().map(|change| format!("  {change}")));
    show(ui, &sheet);
    if !signers.is_empty() {
        for key in &signers {
            ensure!(registry.root().keys.contains(&key.public()), "{} is not a root key; not signed", key.public());
            envelope.add_signature(key);
        }
        let Signing { missing, .. } = signing(&registry, &envelope)?;
        let instead = || format!("say --yes to sign a keyset that {}", changes.join("; "));
        consent(args.yes, || ui.ask("Sign all of this keyset?"), instead)?;
        replace(&args.file, &envelope.to_json())?;
        ui.line(match missing {
            0 => format!("signed `{}`: complete", args.file.display()),
            missing => format!("signed `{}`: {missing} more root signatures are needed", args.file.display()),
        });
    }
    let Signing { signatures, missing } = signing(&registry, &envelope)?;
    let mut index = None;
    if args.submit {
        ensure!(missing == 0, "not submitted: {missing} more root signatures are needed");
        let posted = link.center.post_statement(envelope.to_json()).await;
        index = posted.context("the center did not take the keyset")?.logged().map(|logged| logged.index);
        ui.line(format!("keyset {} is in force: entry {} of the log", next.version, index.unwrap_or_default()));
    }
    ui.object(&json!({"file": args.file.to_string_lossy(), "version": next.version, "expires": next.expires, "changes": changes, "statement": sheet,
        "signatures": signatures, "needed": signatures + missing, "index": index}));
    Ok(())
}

/// The keyset of the file as it is, or a new one with the changes that were named.
fn open(args: &KeysetArgs, registry: &Registry) -> Result<(Envelope, Keyset)> {
    if !args.file.exists() {
        ensure!(!args.key.is_empty(), "`{}` does not exist; make it with --key", args.file.display());
        let next = decision(args)?.after(registry.keyset())?;
        let envelope = Statement::new(registry.genesis_digest(), next.clone()).sign(&[]).context("cannot write it")?;
        return Ok((envelope, next));
    }
    let named = [&args.add_auditor, &args.remove_auditor, &args.add_publisher, &args.remove_publisher];
    let named =
        named.into_iter().chain([&args.approval, &args.token, &args.authority]).any(|changes| !changes.is_empty());
    ensure!(!named, "`{}` exists: what others may have signed is not changed; write another file", args.file.display());
    let next = read(&args.file, registry)?;
    Ok(next)
}

fn read(file: &Path, registry: &Registry) -> Result<(Envelope, Keyset)> {
    let envelope =
        Envelope::parse(&read_small(file)?).with_context(|| format!("`{}` is not an envelope", file.display()))?;
    let statement =
        parse_payload(envelope.payload()).with_context(|| format!("`{}` does not hold a statement", file.display()))?;
    ensure!(statement.registry().as_ref() == Some(registry.genesis_digest()), "the statement is of another registry");
    match statement.predicate {
        Predicate::Keyset(keyset) => Ok((envelope, *keyset)),
        other => bail!("`{}` holds a {}, not a keyset", file.display(), other.type_uri()),
    }
}

fn authority(text: &str) -> Result<Digest> {
    text.parse().with_context(|| format!("`{text}` is not a digest; `iog center authority` shows those of the center"))
}

fn decision(args: &KeysetArgs) -> Result<KeysetDecision> {
    let keys = |texts: &[String]| texts.iter().map(|text| keys::public(text)).collect::<Result<Vec<_>>>();
    Ok(KeysetDecision {
        remove_auditors: args.remove_auditor.clone(),
        add_auditors: args.add_auditor.iter().map(|text| auditor(text)).collect::<Result<_>>()?,
        remove_publishers: args.remove_publisher.clone(),
        add_publishers: args.add_publisher.iter().map(|text| publisher(text)).collect::<Result<_>>()?,
        approval: keys(&args.approval)?,
        token: keys(&args.token)?,
        authorities: args.authority.iter().map(|text| authority(text)).collect::<Result<_>>()?,
        expires: now().plus_days(args.expires_days.into()),
    })
}
