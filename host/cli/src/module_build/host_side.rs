//! Which crates of a build have code that runs on this machine: build scripts, macros, and the libraries below them, whichever
//! platform these are for and whichever features they are asked for with. It reads what cargo says, and judges nothing.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use super::metadata::{Metadata, Package};

/// A crate with code that runs on this machine while the module is built.
#[derive(Debug)]
pub(super) struct Runs {
    pub(super) name: String,
    pub(super) version: String,
    /// Absent for crates of the folder itself.
    pub(super) source: Option<String>,
    /// What of it runs.
    pub(super) what: &'static str,
}

/// Everything that runs here while what `module` knows is compiled. `all` knows the crates of this machine as well: what is
/// below a macro is compiled for the machine, and a crate may need others there than on the module's platform.
pub(super) fn runs(module: &Metadata, all: &Metadata) -> Result<Vec<Runs>> {
    let needs: BTreeMap<&str, _> = all.resolve.nodes.iter().map(|node| (node.id.as_str(), &node.deps)).collect();
    let packages: BTreeMap<&str, _> = all.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    // Of a crate with a build script only what that script needs runs; of macros, all that they need.
    let begins = module.packages.iter().filter(|package| own_code(package).is_some());
    let mut left: Vec<_> = begins.map(|package| (package.id.as_str(), package.makes("proc-macro"))).collect();
    let mut found: BTreeSet<&str> = left.iter().map(|(id, _)| *id).collect();
    let mut whole = BTreeSet::new();
    while let Some((id, is_whole)) = left.pop() {
        for edge in *needs.get(id).with_context(|| format!("cargo does not say what `{id}` needs"))? {
            let is_needed = edge.dep_kinds.is_empty()
                || edge.dep_kinds.iter().any(|needed| match needed.kind.as_deref() {
                    None => is_whole,
                    Some(kind) => kind == "build",
                });
            if is_needed && whole.insert(edge.pkg.as_str()) {
                found.insert(&edge.pkg);
                left.push((&edge.pkg, true));
            }
        }
    }
    let named = |id: &str| {
        let package = packages.get(id).with_context(|| format!("cargo does not say what `{id}` is"))?;
        let (name, version, source) = (package.name.clone(), package.version.clone(), package.source.clone());
        Ok(Runs { name, version, source, what: own_code(package).unwrap_or("library of those") })
    };
    found.into_iter().map(named).collect()
}

/// What of a crate runs wherever it is used.
fn own_code(package: &Package) -> Option<&'static str> {
    match (package.makes("custom-build"), package.makes("proc-macro")) {
        (true, true) => Some("build script and macros"),
        (true, false) => Some("build script"),
        (false, true) => Some("macros"),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn package(name: &str, kind: &str) -> Value {
        let target = json!({"name": name, "kind": [kind], "src_path": "/r/lib.rs"});
        json!({"id": name, "name": name, "version": "1.0.0", "source": "registry", "manifest_path": "/r/Cargo.toml",
            "targets": [{"name": name, "kind": ["lib"], "src_path": "/r/lib.rs"}, target]})
    }

    fn node(id: &str, needs: &[(&str, Option<&str>)]) -> Value {
        let deps: Vec<_> = needs
            .iter()
            .map(|(pkg, kind)| json!({"pkg": pkg, "dep_kinds": [{"kind": kind, "target": null}]}))
            .collect();
        json!({"id": id, "deps": deps})
    }

    fn metadata(packages: &[Value], nodes: &[Value]) -> Metadata {
        serde_json::from_value(json!({"packages": packages, "resolve": {"nodes": nodes}})).unwrap()
    }

    /// A module with a macro, a crate with a build script, and what these need.
    fn build() -> (Metadata, Metadata) {
        let for_module = [
            package("module", "cdylib"),
            package("derive", "proc-macro"),
            package("syntax", "lib"),
            package("scripted", "custom-build"),
            package("probe", "lib"),
            package("plain", "lib"),
        ];
        let nodes = [
            node("module", &[("derive", None), ("scripted", None), ("plain", None)]),
            node("derive", &[("syntax", None)]),
            node("syntax", &[("only-here", None), ("for-tests", Some("dev"))]),
            node("only-here", &[]),
            node("scripted", &[("probe", Some("build")), ("plain", None)]),
            node("probe", &[]),
            node("plain", &[("for-unix", None)]),
            node("for-unix", &[]),
            node("for-tests", &[]),
        ];
        let here =
            [package("only-here", "custom-build"), package("for-unix", "custom-build"), package("for-tests", "lib")];
        let all: Vec<Value> = for_module.iter().chain(&here).cloned().collect();
        (metadata(&for_module, &nodes), metadata(&all, &nodes))
    }

    #[test]
    fn libraries_below_macros_and_scripts_run_here_and_what_the_module_alone_uses_does_not() {
        let (module, all) = build();
        let found = runs(&module, &all).unwrap();
        let found: Vec<_> = found.iter().map(|run| (run.name.as_str(), run.what)).collect();
        let below = "library of those";
        assert_eq!(
            found,
            [
                ("derive", "macros"),
                ("only-here", "build script"),
                ("probe", below),
                ("scripted", "build script"),
                ("syntax", below)
            ],
            "`plain`, and what it needs on this machine only, is compiled for the module"
        );
    }

    #[test]
    fn what_cargo_does_not_explain_is_no_answer() {
        let (module, mut all) = build();
        all.resolve.nodes.retain(|node| node.id != "only-here");
        assert!(runs(&module, &all).unwrap_err().to_string().contains("only-here"));
    }
}
