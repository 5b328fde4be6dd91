//! `iog root domains` and `iog root admit`: who waits, with which keys, and the signature that lets a domain in. A waiting
//! statement is the center's word until its keys were compared with what the domain told by another way.

use anyhow::{Context as _, Result, bail};
use iog_desk::views::domains::{Asked, Pending, Replaced, Waiting};
use iog_desk::views::{Domains, SigningSheet};
use iog_protocol::api::DomainSummary;
use iog_protocol::ids::Asn;
use iog_protocol::keys::PublicKey;
use iog_protocol::registry::Registry;
use iog_protocol::statements::Domain;
use serde_json::json;

use super::consent::consent;
use crate::args::{AdmitArgs, CenterArg};
use crate::keys;
use crate::link::{self, now};
use crate::ui::{Text, Tone, Ui};

pub(super) async fn domains(ui: Ui, arg: &CenterArg) -> Result<()> {
    let mut link = link::open(arg)?;
    let registry = link.registry().await?;
    let domains = Domains::of(&registry, &link.center.domains().await?.pending, now());
    let mut rows: Vec<Vec<Text>> = domains.in_force.iter().map(row).collect();
    rows.extend(domains.pending.iter().map(waiting_row));
    if rows.is_empty() {
        ui.prose("no domains yet; `iog center invite` makes a join token for one");
    }
    ui.table(&["domain", "organisation", "AS", "endpoints", "state"], &rows);
    let keys: Vec<Vec<String>> = domains.pending.iter().filter_map(keys_row).collect();
    if !keys.is_empty() {
        ui.title("keys of those that wait");
        ui.words("compare them with what each domain told you by another way than the network, then admit it:");
        ui.table(&["domain", "caller key", "receipt key"], &keys);
        ui.gap();
        ui.line(format!("  iog root admit DOMAIN --key ROOT.key --caller-key KEY {}", link::again(arg)));
    }
    ui.view(&domains)
}

fn row(domain: &DomainSummary) -> Vec<Text> {
    let (id, organisation) = (domain.id.to_string(), domain.organisation.to_string());
    let state = Text::toned(Tone::Good, "in force");
    vec![id.into(), organisation.into(), numbers(&domain.asns).into(), domain.endpoints.join(" ").into(), state]
}

fn waiting_row(waiting: &Pending) -> Vec<Text> {
    let (asns, endpoints, state) = match &waiting.asked {
        Some(asked) => {
            let state = Text::toned(Tone::Warn, "waits to be admitted");
            (numbers(&asked.asns), asked.endpoints.join(" "), state)
        }
        None => (String::new(), String::new(), Text::toned(Tone::Bad, "malformed statement")),
    };
    let (id, organisation) = (waiting.id.to_string(), waiting.organisation.to_string());
    vec![id.into(), organisation.into(), asns.into(), endpoints.into(), state]
}

fn keys_row(waiting: &Pending) -> Option<Vec<String>> {
    let Asked { caller_key, receipt_key, .. } = waiting.asked.as_ref()?;
    Some(vec![waiting.id.to_string(), caller_key.to_string(), receipt_key.to_string()])
}

fn numbers(asns: &[Asn]) -> String {
    asns.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

pub(super) async fn admit(ui: Ui, args: &AdmitArgs) -> Result<()> {
    let key = keys::secret(&args.key)?;
    let told = args.caller_key.as_deref().map(keys::public).transpose()?;
    let mut link = link::open(&args.center)?;
    let registry = link.registry().await?;
    let listed = link.center.domains().await?;
    let domain = args.domain.as_str();
    let waiting = listed
        .pending
        .iter()
        .find(|pending| pending.id.as_str() == domain)
        .with_context(|| format!("no domain `{domain}` waits to be admitted; `iog root domains` lists them"))?;
    let mut waiting = Waiting::read(waiting, registry.genesis_digest()).context("not signed")?;
    let sheet = SigningSheet::of(waiting.envelope.payload()).context("not signed")?;
    show(ui, &waiting.domain, &registry);
    super::shown::show(ui, &sheet);
    compare(&waiting.domain, told.as_ref(), args.yes, || ui.ask("Are these the keys that the domain told you? Sign?"))?;
    waiting.envelope.add_signature(&key);
    let posted = link.center.post_statement(waiting.envelope.to_json()).await;
    let index = posted.context("the center did not take the statement")?.logged().map(|logged| logged.index);
    match index {
        Some(index) => ui.line(format!("admitted: entry {index} of the log")),
        None => ui.prose("signed; it waits for further signatures, by the same command with another key"),
    }
    ui.object(&json!({"domain": domain, "index": index, "caller_key": waiting.domain.caller_key.to_string(), "statement": sheet}));
    Ok(())
}

fn show(ui: Ui, domain: &Domain, registry: &Registry) {
    let asked = Asked::of(registry, domain);
    let mut fields: Vec<(&str, Text)> = vec![
        ("domain", domain.id.to_string().into()),
        ("organisation", domain.organisation.to_string().into()),
        ("AS numbers", numbers(&asked.asns).into()),
    ];
    fields.extend(asked.endpoints.iter().map(|endpoint| ("endpoint", Text::from(endpoint))));
    fields.push(("caller key", asked.caller_key.to_string().into()));
    fields.push(("receipt key", asked.receipt_key.to_string().into()));
    if let Some(old) = Replaced::of(registry, domain) {
        fields.push(("replaces", format!("statement {} of the log, sequence {}", old.index, old.sequence).into()));
        fields.extend(old.changes.iter().map(|name| ("changes", Text::from(*name))));
    }
    ui.named(&fields);
}

/// Whether root may sign: the key it was told is the statement's, it said so beforehand, or it says so when asked.
fn compare(asked: &Domain, told: Option<&PublicKey>, yes: bool, ask: impl FnOnce() -> Option<bool>) -> Result<()> {
    match told {
        Some(told) if *told == asked.caller_key => Ok(()),
        Some(told) => bail!("the statement has caller key {}, you were told {told}; not signed", asked.caller_key),
        None => consent(yes, ask, || {
            "name the key that the domain told you with --caller-key, or say --yes to sign what the center shows"
                .to_owned()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iog_protocol::keys::SecretKey;

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
        compare(&domain, Some(&domain.caller_key), false, never).unwrap();
        let error = compare(&domain, Some(&asked(2).caller_key), false, never).unwrap_err().to_string();
        assert!(error.contains("you were told") && error.ends_with("not signed"), "{error}");
        compare(&domain, None, true, never).unwrap();
        compare(&domain, None, false, || Some(true)).unwrap();
        assert_eq!(compare(&domain, None, false, || Some(false)).unwrap_err().to_string(), "not signed");
        assert!(compare(&domain, None, false, || None).unwrap_err().to_string().contains("--caller-key"));
    }
}
