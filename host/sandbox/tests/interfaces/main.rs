//! Each interface of `iog:guest` in a file of its own: what a guest gets of it, and a hostile guest that abuses it. The
//! table here is compared with the sandbox's own, so that no interface comes without its hostile guest.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod context;
mod data;
mod hostile;
mod log;
mod progress;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::sync::Arc;

use hostile::Hostile;
use iog_sandbox::{Grants, RunOutcome};
use support::{Scripted, run_with, without};

const HOSTILE: &[Hostile] = &[context::HOSTILE, data::HOSTILE, log::HOSTILE, progress::HOSTILE];

#[test]
fn every_interface_has_its_hostile_guest() {
    let tested: Vec<_> = HOSTILE.iter().map(|hostile| hostile.interface).collect();
    assert_eq!(tested, Grants::ALL.names().collect::<Vec<_>>());
}

#[test]
fn every_interface_has_its_wit_and_its_rows_on_the_pages() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap();
    let glossary = read("docs/glossary.md");
    let contract = read("docs/spec/guest-contract.md");
    let auditors = read("docs/guides/auditor.md");
    let sdk = read("guest-sdk/wit/iog-guest.wit");
    for name in Grants::ALL.names() {
        let short = name.strip_prefix("iog:guest/").and_then(|rest| rest.split('@').next()).unwrap();
        let wit = read(&format!("guest-sdk/wit/{short}.wit"));
        assert!(wit.contains(&format!("\ninterface {short} {{")), "{short}");
        assert!(glossary.contains(&format!("\n| **`{short}`** |")), "{short} in the glossary");
        assert!(contract.contains(&format!("\n| `{short}` |")), "{short} in the guest contract");
        assert!(auditors.contains(&format!("\n| imports `iog:guest/{short}` |")), "{short} in the auditor's guide");
        assert!(sdk.contains(&format!("\n    import {short};\n")), "{short} in the world `sdk`");
    }
}

#[tokio::test]
async fn each_grant_is_needed_for_its_interface() {
    for hostile in HOSTILE.iter().filter(|hostile| !Grants::default().has(hostile.interface)) {
        let wat = (hostile.guest)();
        let host = Arc::new(Scripted::default());
        let report = run_with(&wat, host.clone(), |spec| spec.grants = without(hostile.interface)).await;
        assert_eq!(report.outcome, RunOutcome::NotGranted { interface: hostile.interface.into() });
        assert_eq!(report.usage.fuel, 0, "{}", hostile.interface);
        assert_eq!(host.asked.lock().unwrap().len(), 0, "{}", hostile.interface);
    }
}

#[tokio::test]
async fn abuse_ends_as_data() {
    for hostile in HOSTILE {
        let report = run_with(&(hostile.guest)(), Arc::new(Scripted::default()), |_| ()).await;
        assert_eq!(report.outcome, (hostile.ends)(), "{}", hostile.interface);
    }
}
