//! `iog root domains` and `iog root admit`: who waits, with which keys, and the signature that lets a domain in. A waiting
//! statement is the center's word until its keys were compared with what the domain told by another way.

use anyhow::{Context as _, Result, bail, ensure};
use iog_protocol::api::PendingDomain;
use iog_protocol::dsse::Envelope;
use iog_protocol::ids::Digest;
use iog_protocol::keys::PublicKey;
use iog_protocol::registry::Registry;
use iog_protocol::statements::{Domain, Predicate, parse_payload};
use serde_json::{Value, json};

use crate::args::{AdmitArgs, CenterArg};
use crate::keys;
use crate::link::{Link, now};
use crate::ui::{Tone, Ui};

pub(super) async fn domains(ui: Ui, arg: &CenterArg) -> Result<()> {
    let mut link = Link::open(arg)?;
    let registry = link.registry().await?;
    let listed = link.center.domains().await?;
    let in_force = ui.paint(Tone::Good, "in force");
    let mut rows: Vec<Vec<String>> = registry.domains(now()).map(|domain| row(domain, in_force.clone())).collect();
    let (mut keys, mut pending) = (Vec::new(), Vec::new());
    for waiting in &listed.pending {
        let mut object = serde_json::to_value(waiting)?;
        match read(waiting, registry.genesis_digest()) {
            Ok((_, asked)) => {
                rows.push(row(&asked, ui.paint(Tone::Warn, "waits to be admitted")));
                keys.push(vec![asked.id.to_string(), asked.caller_key.to_string(), asked.receipt_key.to_string()]);
                describe(&mut object, &asked, &registry);
            }
            Err(error) => {
                let state = ui.paint(Tone::Bad, "malformed statement");
                rows.push(vec![
                    waiting.id.to_string(),
                    waiting.organisation.to_string(),
                    String::new(),
                    String::new(),
                    state,
                ]);
                object["problem"] = format!("{error:#}").into();
            }
        }
        pending.push(object);
    }
    ui.table(&["domain", "organisation", "AS", "endpoints", "state"], &rows);
    if !keys.is_empty() {
        ui.title("keys of those that wait: compare them with what each domain told you by another way");
        ui.table(&["domain", "caller key", "receipt key"], &keys);
    }
    ui.object(&json!({"in_force": serde_json::to_value(&listed.in_force)?, "pending": pending}));
    Ok(())
}

fn row(domain: &Domain, state: String) -> Vec<String> {
    let asns: Vec<String> = domain.asns.iter().map(ToString::to_string).collect();
    vec![domain.id.to_string(), domain.organisation.to_string(), asns.join(" "), addresses(domain).join(" "), state]
}

fn addresses(domain: &Domain) -> Vec<&str> {
    domain.endpoints.iter().map(|endpoint| endpoint.address.as_str()).collect()
}

/// What a waiting statement says, beside the envelope that says it.
fn describe(object: &mut Value, asked: &Domain, registry: &Registry) {
    object["asns"] = json!(asked.asns);
    object["endpoints"] = json!(addresses(asked));
    object["caller_key"] = asked.caller_key.to_string().into();
    object["receipt_key"] = asked.receipt_key.to_string().into();
    object["sequence"] = asked.sequence.into();
    object["replaces"] = registry.domain_history(&asked.id).map(|(record, _)| record.sequence).into();
}

/// A waiting statement: of this domain and registry, and signed with the caller key it names.
fn read(waiting: &PendingDomain, genesis: &Digest) -> Result<(Envelope, Domain)> {
    let envelope = Envelope::parse(&waiting.statement.0).context("the center gave a malformed statement")?;
    let statement = parse_payload(envelope.payload()).context("the center gave a malformed statement")?;
    let of_here = statement.registry().as_ref() == Some(genesis);
    let Predicate::Domain(asked) = statement.predicate else {
        bail!("the center gave a {}, not a domain's statement", statement.predicate.type_uri());
    };
    ensure!(asked.id == waiting.id && of_here, "the center gave a statement of another domain or registry");
    let own = envelope.signers_among(&[asked.caller_key]);
    ensure!(!own.is_empty(), "the statement is not signed with the caller key it names");
    Ok((envelope, *asked))
}

pub(super) async fn admit(ui: Ui, args: &AdmitArgs) -> Result<()> {
    let key = keys::secret(&args.key)?;
    let told = args.caller_key.as_deref().map(keys::public).transpose()?;
    let mut link = Link::open(&args.center)?;
    let registry = link.registry().await?;
    let listed = link.center.domains().await?;
    let domain = args.domain.as_str();
    let waiting = listed
        .pending
        .iter()
        .find(|pending| pending.id.as_str() == domain)
        .with_context(|| format!("no domain `{domain}` waits to be admitted; `iog root domains` lists them"))?;
    let (mut envelope, asked) = read(waiting, registry.genesis_digest()).context("not signed")?;
    show(ui, &asked, &registry);
    consent(&asked, told.as_ref(), args.yes, || ui.ask("Are these the keys that the domain told you? Sign?"))?;
    envelope.add_signature(&key);
    let accepted =
        link.center.post_statement(envelope.to_json()).await.context("the center did not take the statement")?;
    let index = accepted.logged().map(|logged| logged.index);
    match index {
        Some(index) => ui.line(format!("admitted: entry {index} of the log")),
        None => ui.line("signed; it waits for further signatures"),
    }
    ui.object(&json!({"domain": domain, "index": index, "caller_key": asked.caller_key.to_string()}));
    Ok(())
}

fn show(ui: Ui, asked: &Domain, registry: &Registry) {
    ui.line(format!("domain        {}\norganisation  {}", asked.id, asked.organisation));
    let asns: Vec<String> = asked.asns.iter().map(ToString::to_string).collect();
    ui.line(format!("AS numbers    {}\nendpoints     {}", asns.join(" "), addresses(asked).join(" ")));
    ui.line(format!("caller key    {}\nreceipt key   {}", asked.caller_key, asked.receipt_key));
    let Some((old, _)) = registry.domain_history(&asked.id) else { return };
    ui.line(format!("replaces      statement {} of the log, sequence {}", old.index, old.sequence));
    for (name, same) in [
        ("caller key", old.caller_key == asked.caller_key),
        ("receipt key", old.receipt_key == asked.receipt_key),
        ("organisation", old.organisation == asked.organisation),
        ("AS numbers", old.asns == asked.asns),
        ("endpoints", old.endpoints == asked.endpoints),
    ] {
        if !same {
            ui.line(format!("changes       {name}"));
        }
    }
}

/// Whether root may sign: the key it was told is the statement's, it said so beforehand, or it says so when asked.
fn consent(asked: &Domain, told: Option<&PublicKey>, yes: bool, ask: impl FnOnce() -> Option<bool>) -> Result<()> {
    match told {
        Some(told) if *told == asked.caller_key => Ok(()),
        Some(told) => bail!("the statement has caller key {}, you were told {told}; not signed", asked.caller_key),
        None if yes => Ok(()),
        None => match ask() {
            Some(true) => Ok(()),
            Some(false) => bail!("not signed"),
            None => bail!(
                "not signed: name the key that the domain told you with --caller-key, or say --yes to sign what the center shows"
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iog_protocol::keys::SecretKey;
    use iog_protocol::statements::Statement;
    use iog_protocol::time::Timestamp;

    fn asked(seed: u8) -> Domain {
        Domain {
            id: "as64500".parse().unwrap(),
            organisation: "north".parse().unwrap(),
            asns: Vec::new(),
            endpoints: Vec::new(),
            caller_key: SecretKey::from_seed([seed; 32]).public(),
            receipt_key: SecretKey::from_seed([9; 32]).public(),
            sequence: 1,
        }
    }

    #[test]
    fn nothing_is_signed_without_the_key_that_was_told_or_a_word() {
        let never = || -> Option<bool> { panic!("nobody is asked") };
        let domain = asked(1);
        consent(&domain, Some(&domain.caller_key), false, never).unwrap();
        let error = consent(&domain, Some(&asked(2).caller_key), false, never).unwrap_err().to_string();
        assert!(error.contains("you were told") && error.ends_with("not signed"), "{error}");
        consent(&domain, None, true, never).unwrap();
        consent(&domain, None, false, || Some(true)).unwrap();
        assert_eq!(consent(&domain, None, false, || Some(false)).unwrap_err().to_string(), "not signed");
        assert!(consent(&domain, None, false, || None).unwrap_err().to_string().contains("--caller-key"));
    }

    #[test]
    fn a_statement_that_its_own_key_did_not_sign_is_not_shown_as_one() {
        let genesis = Digest::of(b"genesis");
        let waiting = |signer: u8, registry: &Digest| PendingDomain {
            id: "as64500".parse().unwrap(),
            organisation: "north".parse().unwrap(),
            statement: Statement::new(registry, asked(1))
                .sign(&[&SecretKey::from_seed([signer; 32])])
                .unwrap()
                .to_json()
                .into(),
            since: Timestamp::from_unix(0),
        };
        assert_eq!(read(&waiting(1, &genesis), &genesis).unwrap().1, asked(1));
        assert!(read(&waiting(2, &genesis), &genesis).is_err());
        assert!(read(&waiting(1, &Digest::of(b"another")), &genesis).is_err());
    }
}
