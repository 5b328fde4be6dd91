//! What the manifests say: names of crates, what they depend on and for what, and the root files of all targets. It judges
//! nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A `Cargo.toml` with a package.
pub(crate) struct Manifest {
    pub(crate) name: String,
    /// In the workspace of the platform, not in that of the modules or of the fuzz targets.
    pub(crate) is_member: bool,
    folder: PathBuf,
    table: toml::Table,
}

/// What a dependency is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// The crate itself, or its build script.
    Itself,
    /// Its tests and benchmarks.
    Tests,
}

/// All manifests of ours with a package.
pub(crate) fn all() -> Vec<Manifest> {
    let root: toml::Table = crate::read(&crate::root_join("Cargo.toml")).parse().unwrap();
    let members = root["workspace"]["members"].as_array().unwrap();
    let members: BTreeSet<PathBuf> = members.iter().map(|member| crate::root_join(member.as_str().unwrap())).collect();
    let read = |path: PathBuf| {
        let table: toml::Table = crate::read(&path).parse().unwrap();
        let name = table.get("package")?.get("name")?.as_str()?.to_owned();
        let folder = path.parent().unwrap().to_owned();
        Some(Manifest { name, is_member: members.contains(&folder), folder, table })
    };
    crate::files(&["toml"]).into_iter().filter(|path| path.ends_with("Cargo.toml")).filter_map(read).collect()
}

impl Manifest {
    /// The crates that it depends on, under their own names, from every table that a manifest has for that.
    pub(crate) fn dependencies(&self, what_for: For) -> BTreeSet<String> {
        let kinds: &[&str] = match what_for {
            For::Itself => &["dependencies", "build-dependencies"],
            For::Tests => &["dev-dependencies"],
        };
        let targets = self.table.get("target").and_then(toml::Value::as_table);
        let places = targets.into_iter().flat_map(|all| all.values()).filter_map(toml::Value::as_table);
        let places: Vec<&toml::Table> = places.chain([&self.table]).collect();
        let tables = places.iter().flat_map(|place| kinds.iter().filter_map(|kind| place.get(*kind)?.as_table()));
        tables.flatten().map(|(key, value)| own_name(key, value)).collect()
    }

    /// The root files of all its targets: by their place, and by what the manifest says.
    pub(crate) fn roots(&self) -> BTreeSet<PathBuf> {
        let fixed = ["src/lib.rs", "src/main.rs", "build.rs"].map(|place| self.folder.join(place));
        let mut found: BTreeSet<PathBuf> = fixed.into_iter().filter(|path| path.exists()).collect();
        for folder in ["src/bin", "tests", "benches", "examples"] {
            found.extend(targets_in(&self.folder.join(folder)));
        }
        let listed = ["bin", "test", "bench", "example"].iter().filter_map(|kind| self.table.get(*kind)?.as_array());
        let paths = listed.flatten().chain(self.table.get("lib")).filter_map(|target| target.get("path")?.as_str());
        found.extend(paths.map(|path| self.folder.join(path).canonicalize().unwrap()));
        found
    }
}

/// A dependency may have another name in its user's manifest.
fn own_name(key: &str, value: &toml::Value) -> String {
    value.get("package").and_then(toml::Value::as_str).unwrap_or(key).to_owned()
}

/// `x.rs` and `x/main.rs` are targets where Cargo looks for them by itself.
fn targets_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let root = |path: PathBuf| if path.is_dir() { path.join("main.rs") } else { path };
    paths.map(root).filter(|path| path.exists() && path.extension().is_some_and(|ending| ending == "rs")).collect()
}

#[test]
fn dependencies_of_every_table_are_seen() {
    let text = r#"
        [dependencies]
        a = "1"
        renamed = { package = "b", version = "1" }
        [build-dependencies]
        c = "1"
        [target.'cfg(unix)'.dependencies]
        d = "1"
        [dev-dependencies]
        e = "1"
        [target.'cfg(unix)'.dev-dependencies]
        f = "1"
    "#;
    let table = text.parse().unwrap();
    let manifest = Manifest { name: "x".to_owned(), is_member: true, folder: PathBuf::new(), table };
    assert_eq!(Vec::from_iter(manifest.dependencies(For::Itself)), ["a", "b", "c", "d"]);
    assert_eq!(Vec::from_iter(manifest.dependencies(For::Tests)), ["e", "f"]);
}

#[test]
fn roots_of_every_kind_are_seen() {
    let roots: BTreeSet<String> = all().iter().flat_map(Manifest::roots).map(|path| crate::shown(&path)).collect();
    for known in [
        "center/tlog/src/lib.rs",
        "host/cli/src/main.rs",
        "tests/e2e/main.rs",
        "host/data/tests/it/main.rs",
        "center/tlog/tests/tree.rs",
        "tests/benches/flow_scan/main.rs",
        "host/import/fuzz/fuzz_targets/mrt.rs",
        "modules/hello/src/lib.rs",
    ] {
        assert!(roots.contains(known), "{known} is missing: {roots:#?}");
    }
}
