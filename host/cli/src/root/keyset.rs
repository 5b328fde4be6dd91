//! `iog root keyset`: the next `keyset/v1`, made from the one in force by naming what changes, signed by one root holder after
//! another in a file, and submitted. What it would change is shown to each; the registry's own rules judge it beforehand.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use iog_protocol::dsse::Envelope;
use iog_protocol::keys::PublicKey;
use iog_protocol::registry::{Flaw, Registry};
use iog_protocol::statements::{Keyset, Predicate, Statement, parse_payload};
use iog_protocol::time::Timestamp;
use serde_json::json;

use super::{read_small, replace};
use crate::args::KeysetArgs;
use crate::center::{auditor, publisher};
use crate::keys;
use crate::link::{Link, now};
use crate::ui::Ui;

pub(super) async fn keyset(ui: Ui, args: &KeysetArgs) -> Result<()> {
    let signers: Vec<_> = args.key.iter().map(|file| keys::secret(file)).collect::<Result<_>>()?;
    let mut link = Link::open(&args.center)?;
    let registry = link.registry().await?;
    let (mut envelope, next) = open(args, &registry)?;
    let changes = changes(registry.keyset(), &next);
    ui.line(format!("keyset {} after {}:\n  {}", next.version, registry.keyset().version, changes.join("\n  ")));
    if !signers.is_empty() {
        for key in &signers {
            ensure!(registry.root().keys.contains(&key.public()), "{} is not a root key; not signed", key.public());
            envelope.add_signature(key);
        }
        let (_, missing) = judge(&registry, &envelope)?;
        if !args.yes {
            match ui.ask("Sign this keyset?") {
                Some(true) => {}
                Some(false) => bail!("not signed"),
                None => bail!("not signed: say --yes to sign a keyset that {}", changes.join("; ")),
            }
        }
        replace(&args.file, &envelope.to_json())?;
        ui.line(match missing {
            0 => format!("signed `{}`: complete", args.file.display()),
            missing => format!("signed `{}`: {missing} more root signatures are needed", args.file.display()),
        });
    }
    let (signatures, missing) = judge(&registry, &envelope)?;
    let mut index = None;
    if args.submit {
        ensure!(missing == 0, "not submitted: {missing} more root signatures are needed");
        let posted = link.center.post_statement(envelope.to_json()).await;
        index = posted.context("the center did not take the keyset")?.logged().map(|logged| logged.index);
        ui.line(format!("keyset {} is in force: entry {} of the log", next.version, index.unwrap_or_default()));
    }
    ui.object(&json!({"file": args.file.to_string_lossy(), "version": next.version, "expires": next.expires, "changes": changes,
        "signatures": signatures, "needed": signatures + missing, "index": index}));
    Ok(())
}

/// The keyset of the file as it is, or a new one with the changes that were named.
fn open(args: &KeysetArgs, registry: &Registry) -> Result<(Envelope, Keyset)> {
    if !args.file.exists() {
        ensure!(!args.key.is_empty(), "`{}` does not exist; make it with --key", args.file.display());
        let next = edited(registry.keyset(), args, now())?;
        let envelope = Statement::new(registry.genesis_digest(), next.clone()).sign(&[]).context("cannot write it")?;
        return Ok((envelope, next));
    }
    let named = [&args.add_auditor, &args.remove_auditor, &args.add_publisher, &args.remove_publisher];
    let named = named.into_iter().chain([&args.approval, &args.token]).any(|changes| !changes.is_empty());
    ensure!(!named, "`{}` exists: what others may have signed is not changed; write another file", args.file.display());
    let next = read(&args.file, registry)?;
    Ok(next)
}

fn read(file: &Path, registry: &Registry) -> Result<(Envelope, Keyset)> {
    let envelope =
        Envelope::parse(&read_small(file)?).with_context(|| format!("`{}` is not an envelope", file.display()))?;
    let statement =
        parse_payload(envelope.payload()).with_context(|| format!("`{}` holds no statement", file.display()))?;
    ensure!(statement.registry().as_ref() == Some(registry.genesis_digest()), "the statement is of another registry");
    match statement.predicate {
        Predicate::Keyset(keyset) => Ok((envelope, *keyset)),
        other => bail!("`{}` holds a {}, no keyset", file.display(), other.type_uri()),
    }
}

/// The keyset in force with the changes that were named, one version later.
fn edited(current: &Keyset, args: &KeysetArgs, now: Timestamp) -> Result<Keyset> {
    let mut next = current.clone();
    next.version += 1;
    next.expires = now.plus_days(args.expires_days.into());
    // A new root is a ceremony of its own: the root of before stays.
    next.root = None;
    for id in &args.remove_auditor {
        let before = next.auditors.len();
        next.auditors.retain(|auditor| auditor.id != *id);
        ensure!(next.auditors.len() < before, "there is no auditor `{id}` in the keyset in force");
    }
    for text in &args.add_auditor {
        let new = auditor(text)?;
        next.auditors.retain(|auditor| auditor.id != new.id);
        next.auditors.push(new);
    }
    for namespace in &args.remove_publisher {
        let before = next.publishers.len();
        next.publishers.retain(|publisher| publisher.namespace != *namespace);
        ensure!(next.publishers.len() < before, "there is no publisher `{namespace}` in the keyset in force");
    }
    for text in &args.add_publisher {
        let new = publisher(text)?;
        match next.publishers.iter_mut().find(|publisher| publisher.namespace == new.namespace) {
            None => next.publishers.push(new),
            Some(known) => {
                ensure!(known.organisation == new.organisation, "`{}` is of `{}`", new.namespace, known.organisation);
                known.keys.extend(new.keys);
            }
        }
    }
    for (texts, role) in [(&args.approval, &mut next.approval), (&args.token, &mut next.token)] {
        if !texts.is_empty() {
            *role = texts.iter().map(|text| keys::public(text)).collect::<Result<_>>()?;
        }
    }
    Ok(next)
}

/// What differs, a line each.
fn changes(old: &Keyset, new: &Keyset) -> Vec<String> {
    let mut lines = vec![format!("ends {} (before: {})", new.expires, old.expires)];
    let auditors = |set: &Keyset| -> Vec<String> {
        set.auditors.iter().map(|a| format!("auditor {} of {}  {}", a.id, a.organisation, a.key)).collect()
    };
    let publishers = |set: &Keyset| -> Vec<String> {
        let keys = |p: &iog_protocol::statements::Publisher| -> Vec<String> {
            p.keys.iter().map(|key| format!("publisher {} of {}  {key}", p.namespace, p.organisation)).collect()
        };
        set.publishers.iter().flat_map(keys).collect()
    };
    let online = |set: &Keyset| -> Vec<String> {
        let named =
            |role: &str, keys: &[PublicKey]| keys.iter().map(|key| format!("{role} key {key}")).collect::<Vec<_>>();
        let ca = set.ca_spki_sha256.iter().map(|digest| format!("authority {digest}"));
        [named("approval", &set.approval), named("token", &set.token)].concat().into_iter().chain(ca).collect()
    };
    for (before, after) in [auditors, publishers, online].map(|list| (list(old), list(new))) {
        lines.extend(before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}")));
        lines.extend(after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}")));
    }
    if let Some(root) = &new.root {
        lines.push(format!("+ A NEW ROOT of {} keys, threshold {}", root.keys.len(), root.threshold));
    }
    let required = new.required_families.iter().filter(|family| !old.required_families.contains(family));
    lines.extend(required.map(|r| format!("+ READERS MUST KNOW the family {}, version {}", r.family, r.version)));
    lines
}

/// How many root holders signed and how many lack, by the registry's own rules.
fn judge(registry: &Registry, envelope: &Envelope) -> Result<(u64, u64)> {
    let found = envelope.signers_among(&registry.root().keys).len() as u64;
    let Err(invalid) = registry.check(&envelope.to_json()) else { return Ok((found, 0)) };
    match invalid.flaw() {
        Some(Flaw::TooFewSigners { needed, found, .. }) => Ok((*found, needed - found)),
        _ => Err(invalid).context("the registry would not take this keyset; not signed"),
    }
}
