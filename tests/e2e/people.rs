//! Attacks on the people at the terminal: what others wrote is shown to them, and what others wrote is built by them.

use std::path::PathBuf;

use iog_protocol::keys::SecretKey;
use serde_json::{Value, json};

use crate::harness::deployment::words;
use crate::harness::process::Iog;

/// What drives a terminal, begins a line of its own, or cannot be seen.
const HOSTILE: &str =
    "alice\n  keyset.auditors[0].key  ed25519:FORGED\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}1A\u{202e}\u{2028}\u{200b}\r";

/// A center's folder with the unsigned genesis as the center's operator changed it.
fn genesis(iog: &Iog, change: impl FnOnce(&mut Value)) {
    for name in ["root", "alice", "iog"] {
        iog.json(&["key", "new", &format!("{name}.key")]);
    }
    let init = "center init --trust-domain e2e.test --k 1 --root root.key.pub --auditor alice@university=alice.key.pub \
                --publisher iog@iog-project=iog.key.pub --listen 127.0.0.1:8443";
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
    let done = iog.run(&words("root sign center/genesis.unsigned.json --key root.key --out signed.json --yes"));
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
fn a_root_holder_who_cannot_be_asked_signs_nothing_unless_it_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let iog = Iog::at(folder.path());
    genesis(&iog, |_| {});
    let sign = words("root sign center/genesis.unsigned.json --key root.key --out signed.json");
    // Standard output is a pipe here, as in `iog root sign … | tee log`; `--json` asks nobody either.
    for asked in [sign.clone(), [&sign[..], &["--json"]].concat()] {
        let done = iog.run(&asked);
        assert_eq!(done.code, 1, "{}", done.stdout);
        assert!(format!("{}{}", done.stdout, done.stderr).contains("--yes"), "{}{}", done.stdout, done.stderr);
        assert!(!folder.path().join("signed.json").exists(), "silence is no consent");
    }
    iog.json(&[&sign[..], &["--yes"]].concat());
    assert!(folder.path().join("signed.json").exists());
}

#[test]
fn a_root_holder_signs_nothing_that_its_software_does_not_know() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let iog = Iog::at(folder.path());
    genesis(&iog, |genesis| genesis["predicate"]["keyset"]["rule_alone"] = json!(["mallory"]));
    let done = iog.run(&words("root sign center/genesis.unsigned.json --key root.key --out signed.json --yes"));
    assert_eq!(done.code, 1, "{}", done.stdout);
    assert!(done.stderr.contains("rule_alone"), "{}", done.stderr);
    assert!(!folder.path().join("signed.json").exists());
}

const MODULE: &str =
    "[package]\nname = \"m\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n";

/// A stranger's module in the folder `m`, and where its attacks would leave a mark.
struct Stranger {
    folder: tempfile::TempDir,
    mark: PathBuf,
}

impl Stranger {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let stranger = Self { mark: folder.path().join("was-here"), folder };
        stranger.write("m/Cargo.toml", MODULE);
        stranger.write("m/Cargo.lock", "version = 4\n[[package]]\nname = \"m\"\nversion = \"1.0.0\"\n");
        stranger.write("m/src/lib.rs", "");
        stranger.write("m/iog.toml", "");
        stranger
    }

    /// Where cargo worked on it.
    fn built(&self) -> PathBuf {
        let modules = std::fs::read_dir(self.path(".cache/iog/modules")).expect("something was built");
        modules.map(|entry| entry.expect("it is listed").path()).next().expect("one module")
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
        std::fs::write(path, text).expect("it is written");
    }

    /// A program that leaves the mark.
    fn program(&self, path: &str) {
        self.write(path, &format!("#!/bin/sh\ntouch {}\n", self.mark.display()));
        let rights = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(self.path(path), rights).expect("it may be run");
    }

    /// What building the folder `module` from the folder `from` says; it must fail and run nothing of the stranger's.
    fn refused(&self, from: &str, module: &str) -> String {
        let done = Iog::at(&self.path(from)).run(&["module", "build", module]);
        assert_eq!(done.code, 1, "{}", done.stdout);
        assert!(!self.mark.exists(), "it ran");
        done.stderr
    }
}

#[test]
fn a_strangers_module_runs_nothing_while_it_is_built() {
    let stranger = Stranger::new();
    stranger.write("m/build.rs", &format!("fn main() {{ std::fs::write({:?}, \"\").unwrap(); }}", stranger.mark));
    let said = stranger.refused("", "m");
    assert!(said.contains("code of strangers") && said.contains("`m 1.0.0`"), "{said}");

    std::fs::remove_file(stranger.path("m/build.rs")).expect("it is removed");
    stranger.program("m/wrapper");
    stranger.write("m/.cargo/config.toml", "[build]\nrustc-wrapper = \"./wrapper\"\n");
    let said = stranger.refused("", "m");
    assert!(said.contains("can name programs"), "{said}");
}

#[test]
fn a_strangers_toolchain_is_not_asked_anything() {
    let stranger = Stranger::new();
    let toolchain = stranger.path("toolchain");
    for program in ["rustc", "cargo"] {
        stranger.program(&format!("toolchain/bin/{program}"));
    }
    let file = format!("[toolchain]\npath = {toolchain:?}\n");
    // In the module's folder, above it, and where whoever builds happens to stand.
    for (named, from, module) in [
        ("m/rust-toolchain.toml", "m", "."),
        ("rust-toolchain.toml", "m", "."),
        ("here/rust-toolchain", "here", "../m"),
    ] {
        stranger.write(named, &file);
        let said = stranger.refused(from, module);
        assert!(said.contains("can name programs") && said.contains("rust-toolchain"), "{named}: {said}");
        std::fs::remove_file(stranger.path(named)).expect("it is removed");
    }
}

#[test]
fn a_strangers_module_is_built_of_nothing_that_its_digest_does_not_cover() {
    let stranger = Stranger::new();
    stranger.write("other.rs", "");
    for (change, named) in [
        (MODULE.replace("[lib]", &format!("[lib]\npath = {:?}", stranger.path("other.rs"))), "other.rs"),
        (MODULE.replace("[lib]", "[lib]\npath = \"../other.rs\""), "../other.rs"),
        (
            format!("{MODULE}[target.'cfg(all())'.dependencies]\nevil = {{ path = \"/nowhere/evil\" }}\n"),
            "/nowhere/evil",
        ),
    ] {
        stranger.write("m/Cargo.toml", &change);
        let said = stranger.refused("", "m");
        assert!(said.contains(named), "{said}");
    }
    // A lock file that is older than the manifest would be completed with whatever is newest on that day.
    stranger.write("m/Cargo.toml", &MODULE.replace("1.0.0", "1.0.1"));
    let said = stranger.refused("", "m");
    assert!(said.contains("m/Cargo.lock") && said.contains("cargo update --workspace"), "{said}");
}

#[test]
fn a_strangers_package_name_leads_nowhere() {
    let stranger = Stranger::new();
    stranger.write("victim/id", "secret");
    for name in [stranger.path("victim").display().to_string(), "../../../victim".to_owned()] {
        stranger.write("m/Cargo.toml", &MODULE.replace("\"m\"", &format!("{name:?}")));
        let said = stranger.refused("", "m");
        assert!(said.contains("is not a name of a package"), "{said}");
        assert_eq!(std::fs::read_to_string(stranger.path("victim/id")).expect("it is there"), "secret");
    }
}

/// A source that takes a file of the builder's.
/// What a checkout brings as cargo's work: an artefact that is newer than any source, and what cargo would have noted about it.
#[test]
fn a_strangers_checkout_brings_no_work_of_cargos() {
    let stranger = Stranger::new();
    let exported = |name: &str| format!("#[unsafe(no_mangle)]\npub extern \"C\" fn {name}() {{}}\n");
    let build = || Iog::at(&stranger.path("")).run(&["module", "build", "m", "--trust-build-scripts"]);
    stranger.write("m/src/lib.rs", &exported("evil"));
    let done = build();
    if done.stderr.contains("no Rust compiler for") {
        eprintln!("skipped: {}", done.stderr);
        assert!(std::env::var_os("IOG_REBUILT_MODULES").is_none(), "no compiler, but modules were built");
        return;
    }
    // The stranger's own work becomes part of the checkout; its sources say something else.
    let built = stranger.built();
    std::fs::rename(&built, stranger.path("m/target")).expect("it is moved");
    stranger.write("m/src/lib.rs", &exported("fine"));
    let listed =
        || std::process::Command::new("find").arg(stranger.path("m/target")).output().expect("it lists").stdout;
    let before = listed();
    build();
    let artefact =
        std::fs::read(built.join("wasm32-unknown-unknown/release/m.wasm")).expect("it is compiled, elsewhere");
    let has = |name: &[u8]| artefact.windows(name.len()).any(|bytes| bytes == name);
    assert!(has(b"fine") && !has(b"evil"));
    assert_eq!(listed(), before, "nobody works in the checkout");
}

fn takes(file: &str) -> String {
    format!(
        "static TAKEN: &[u8] = include_bytes!({file:?});\n\
         #[unsafe(no_mangle)]\npub extern \"C\" fn taken() -> *const u8 {{ TAKEN.as_ptr() }}\n"
    )
}

#[test]
fn a_strangers_module_takes_no_file_of_the_builders_into_the_component() {
    const SECRET: &str = "the secret of whoever builds";
    let stranger = Stranger::new();
    stranger.write("home/id", SECRET);
    let secret = stranger.path("home/id").to_str().expect("text").to_owned();
    let build = |file: &str, more: &[&str]| {
        stranger.write("m/src/lib.rs", &takes(file));
        Iog::at(&stranger.path("")).run(&[&["module", "build", "m"], more].concat())
    };
    let compiled = || std::fs::read(stranger.built().join("wasm32-unknown-unknown/release/m.wasm"));
    let done = build(&secret, &[]);
    if done.stderr.contains("no Rust compiler for") {
        eprintln!("skipped: {}", done.stderr);
        assert!(std::env::var_os("IOG_REBUILT_MODULES").is_none(), "no compiler, but modules were built");
        return;
    }
    for file in
        [&secret, "../../../../../../../../home/id", "/etc/passwd", "/proc/self/environ", "/proc/self/root/etc/passwd"]
    {
        let done = build(file, &[]);
        assert_eq!(done.code, 1, "{file}: {}", done.stdout);
        assert!(done.stderr.contains("Permission denied"), "{file}: {}", done.stderr);
        assert!(compiled().is_err(), "{file}: it was compiled");
    }
    // Who trusts it has it: nothing else held it.
    build(&secret, &["--trust-build-scripts"]);
    let compiled = compiled().expect("it is compiled");
    assert!(compiled.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes()));
}
