//! Attacks on the people at the terminal: what others wrote is shown to them, and what others wrote is built by them.

use iog_protocol::keys::SecretKey;
use serde_json::{Value, json};

use crate::harness::deployment::words;
use crate::harness::process::Iog;

/// What drives a terminal, begins a line of its own, or cannot be seen.
const HOSTILE: &str =
    "alice\n  keyset.auditors[0].key  ed25519:FORGED\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}1A\u{202e}\u{2028}\u{200b}\r";

/// A center's folder with the unsigned genesis as the center's operator changed it.
fn genesis(iog: &Iog, change: impl FnOnce(&mut Value)) {
    for name in ["root", "alice"] {
        iog.json(&["key", "new", &format!("{name}.key")]);
    }
    let init = "center init --trust-domain e2e.test --k 1 --root root.key.pub --auditor alice@university=alice.key.pub \
                --publisher iog@iog-project=alice.key.pub --listen 127.0.0.1:8443";
    iog.json(&words(init));
    let file = iog.dir.join("center/genesis.unsigned.json");
    let mut genesis: Value = serde_json::from_slice(&std::fs::read(&file).expect("it is there")).expect("JSON");
    change(&mut genesis);
    std::fs::write(&file, genesis.to_string()).expect("it is written");
}

#[test]
fn a_root_holder_sees_all_that_is_signed_and_nothing_forged() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let iog = Iog::at(folder.path());
    let mallory = SecretKey::from_seed([0xee; 32]).public().to_string();
    genesis(&iog, |genesis| {
        let keyset = &mut genesis["predicate"]["keyset"];
        keyset["auditors"][0]["id"] = json!(HOSTILE);
        keyset["publishers"][0]["keys"] = json!([mallory]);
    });
    let done = iog.run(&words("root sign center/genesis.unsigned.json --key root.key --out signed.json"));
    let drives = |c: char| c != '\n' && (c.is_control() || "\u{202e}\u{2028}\u{200b}".contains(c));
    for text in [&done.stdout, &done.stderr] {
        assert!(!text.contains(drives), "{text:?}");
        assert!(
            !text.lines().any(|line| line.trim_start().starts_with("keyset.auditors[0].key  ed25519:FORGED")),
            "{text}"
        );
    }
    // Publishers, authorities and numbers were not shown before: a key of the center's choice went through unseen.
    assert!(done.stdout.contains(&mallory), "{}", done.stdout);
    let spki = "keyset.ca_spki_sha256[0]";
    for shown in [spki, "keyset.token[0]", "root.keys[0]", "thresholds.suspension_hours", "keyset.expires", "log_key"] {
        assert!(done.stdout.contains(shown), "{shown}: {}", done.stdout);
    }
}

#[test]
fn a_root_holder_signs_nothing_that_its_software_does_not_know() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let iog = Iog::at(folder.path());
    genesis(&iog, |genesis| genesis["predicate"]["keyset"]["rule_alone"] = json!(["mallory"]));
    let done = iog.run(&words("root sign center/genesis.unsigned.json --key root.key --out signed.json"));
    assert_eq!(done.code, 1, "{}", done.stdout);
    assert!(done.stderr.contains("rule_alone"), "{}", done.stderr);
    assert!(!folder.path().join("signed.json").exists());
}

/// A module whose build script leaves a mark, and one whose configuration does.
#[test]
fn a_strangers_module_runs_nothing_while_it_is_built() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let iog = Iog::at(folder.path());
    let mark = folder.path().join("was-here");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
        std::fs::write(path, text).expect("it is written");
    };
    let script = format!("fn main() {{ std::fs::write({mark:?}, \"\").unwrap(); }}");
    write(
        "m/Cargo.toml",
        "[package]\nname = \"m\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n",
    );
    write("m/Cargo.lock", "version = 4\n[[package]]\nname = \"m\"\nversion = \"1.0.0\"\n");
    write("m/src/lib.rs", "");
    write("m/iog.toml", "");
    write("m/build.rs", &script);
    let done = iog.run(&words("module build m"));
    assert_eq!(done.code, 1, "{}", done.stdout);
    assert!(done.stderr.contains("code of strangers") && done.stderr.contains("`m 1.0.0`"), "{}", done.stderr);
    assert!(!mark.exists(), "it ran");

    std::fs::remove_file(folder.path().join("m/build.rs")).expect("it is removed");
    write("m/wrapper", &format!("#!/bin/sh\ntouch {}\n", mark.display()));
    write("m/.cargo/config.toml", "[build]\nrustc-wrapper = \"./wrapper\"\n");
    let done = iog.run(&words("module build m"));
    assert_eq!(done.code, 1, "{}", done.stdout);
    assert!(done.stderr.contains("can name programs"), "{}", done.stderr);
    assert!(!mark.exists(), "it ran");
}
