//! Reads cargo's files of a module's crates and writes them anew for the build's own folder, where every crate lies under
//! its name: paths point there, and what only tests or other modules use is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::files::read_text;

/// Tables of a manifest that name what a crate is built from.
const DEPENDENCIES: [&str; 2] = ["dependencies", "build-dependencies"];

/// What a manifest says for tests, benchmarks and examples only, or about where it lies.
const LEFT_OUT: [&str; 4] = ["dev-dependencies", "test", "bench", "example"];

/// A crate of the checkout.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) name: String,
    manifest: Table,
}

/// A dependency on a crate of the checkout.
pub(super) struct LocalDependency {
    /// As written.
    pub(super) path: String,
    /// Whether it is written in the workspace's manifest, and so relative to it.
    pub(super) inherited: bool,
}

impl Local {
    /// The crate in a folder.
    pub(super) fn read(dir: &Path) -> Result<Self> {
        let manifest = parse(&dir.join("Cargo.toml"))?;
        let name = manifest.get("package").and_then(|package| package.get("name")).and_then(Value::as_str);
        let name = name.with_context(|| format!("`{}` holds no package", dir.display()))?.to_owned();
        Ok(Self { name, manifest })
    }

    /// The crates of the checkout that it is built from.
    pub(super) fn local_dependencies(&self, workspace: &Table) -> Vec<LocalDependency> {
        let shared = workspace.get("workspace").and_then(|workspace| workspace.get("dependencies"));
        let tables = DEPENDENCIES.iter().filter_map(|table| self.manifest.get(*table)?.as_table());
        let local = |(name, dependency): (&String, &Value)| {
            if let Some(path) = path_of(dependency) {
                return Some(LocalDependency { path, inherited: false });
            }
            dependency.get("workspace").and_then(Value::as_bool).filter(|&inherited| inherited)?;
            let path = shared.and_then(|shared| shared.get(name)).and_then(path_of)?;
            Some(LocalDependency { path, inherited: true })
        };
        tables.flatten().filter_map(local).collect()
    }
}

/// Reads a TOML file.
pub(super) fn parse(path: &Path) -> Result<Table> {
    read_text(path)?.parse().with_context(|| format!("`{}` is not TOML", path.display()))
}

/// A crate's manifest for the build's folder. `places` has the name of each crate by its folder.
pub(super) fn member(found: &Local, dir: &Path, places: &BTreeMap<PathBuf, String>) -> Result<String> {
    let mut manifest = found.manifest.clone();
    LEFT_OUT.iter().for_each(|key| drop(manifest.remove(*key)));
    if let Some(package) = manifest.get_mut("package").and_then(Value::as_table_mut) {
        package.remove("workspace");
    }
    // A crate that was a workspace of its own is a member here.
    manifest.remove("workspace");
    for table in DEPENDENCIES {
        if let Some(dependencies) = manifest.get_mut(table).and_then(Value::as_table_mut) {
            move_paths(dependencies, dir, places, "..")?;
        }
    }
    write(manifest)
}

/// The workspace's manifest for the build's folder: its members are the crates of the build.
pub(super) fn workspace(manifest: &Table, dir: &Path, places: &BTreeMap<PathBuf, String>) -> Result<String> {
    let mut manifest: Table =
        manifest.iter().filter(|(key, _)| matches!(key.as_str(), "workspace" | "profile")).map(owned).collect();
    if let Some(workspace) = manifest.get_mut("workspace").and_then(Value::as_table_mut) {
        workspace.retain(|key, _| matches!(key, "resolver" | "package" | "dependencies" | "lints"));
        let members: BTreeSet<_> = places.values().cloned().collect();
        workspace.insert("members".to_owned(), Value::Array(members.into_iter().map(Value::String).collect()));
        if let Some(dependencies) = workspace.get_mut("dependencies").and_then(Value::as_table_mut) {
            // Crates of the checkout that this module does not use are not there.
            dependencies.retain(|_, dependency| {
                path_of(dependency).is_none_or(|path| place(&dir.join(path), places).is_some())
            });
            move_paths(dependencies, dir, places, ".")?;
        }
    }
    write(manifest)
}

/// The part of a lock file that is about the crates of the build and what they need.
pub(super) fn lock(text: &str, places: &BTreeMap<PathBuf, String>) -> Result<String> {
    let mut lock: Table = text.parse().context("`Cargo.lock` is not TOML")?;
    let Some(Value::Array(packages)) = lock.get_mut("package") else { return Ok(text.to_owned()) };
    let mut needed = BTreeSet::new();
    let mut left: Vec<&str> = places.values().map(String::as_str).collect();
    while let Some(name) = left.pop() {
        if !needed.insert(name) {
            continue;
        }
        for package in packages.iter().filter(|package| name_of(package) == name) {
            let dependencies = package.get("dependencies").and_then(Value::as_array).into_iter().flatten();
            // A dependency is written as its name, where needed followed by version and source.
            left.extend(dependencies.filter_map(Value::as_str).filter_map(|text| text.split(' ').next()));
        }
    }
    let kept: Vec<_> = packages.iter().filter(|package| needed.contains(name_of(package))).cloned().collect();
    lock.insert("package".to_owned(), Value::Array(kept));
    write(lock)
}

/// TOML with keys in order, whichever order the tables keep.
fn write(table: Table) -> Result<String> {
    toml::to_string(&ordered(Value::Table(table))).context("cannot write TOML")
}

fn ordered(value: Value) -> Value {
    match value {
        Value::Table(table) => {
            let sorted: BTreeMap<_, _> = table.into_iter().map(|(key, value)| (key, ordered(value))).collect();
            Value::Table(sorted.into_iter().collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(ordered).collect()),
        other => other,
    }
}

fn name_of(package: &Value) -> &str {
    package.get("name").and_then(Value::as_str).unwrap_or_default()
}

fn owned((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

/// Points path dependencies of a manifest in `dir` to where the crates lie in the build's folder.
fn move_paths(dependencies: &mut Table, dir: &Path, places: &BTreeMap<PathBuf, String>, root: &str) -> Result<()> {
    for (_, dependency) in dependencies.iter_mut() {
        let Some(path) = path_of(dependency) else { continue };
        let name = place(&dir.join(&path), places).with_context(|| format!("there is no crate in `{path}`"))?;
        if let Some(table) = dependency.as_table_mut() {
            table.insert("path".to_owned(), Value::String(format!("{root}/{name}")));
        }
    }
    Ok(())
}

fn place<'a>(dir: &Path, places: &'a BTreeMap<PathBuf, String>) -> Option<&'a String> {
    places.get(&dir.canonicalize().ok()?)
}

fn path_of(dependency: &Value) -> Option<String> {
    dependency.get("path").and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> BTreeMap<PathBuf, String> {
        BTreeMap::from([(PathBuf::from("/checkout/a"), "a".to_owned())])
    }

    #[test]
    fn a_lock_file_keeps_what_is_reached_and_nothing_else() {
        let text = r#"
version = 4
[[package]]
name = "a"
version = "1.0.0"
dependencies = ["b 2.0.0"]
[[package]]
name = "b"
version = "2.0.0"
dependencies = ["a", "c"]
[[package]]
name = "c"
version = "3.0.0"
[[package]]
name = "d"
version = "4.0.0"
"#;
        let kept: Table = lock(text, &places()).unwrap().parse().unwrap();
        let names: Vec<_> = kept["package"].as_array().unwrap().iter().map(name_of).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(kept["version"].as_integer(), Some(4));
    }

    #[test]
    fn a_member_loses_what_only_tests_need() {
        let manifest = "[package]\nname = \"a\"\nworkspace = \"..\"\n[dev-dependencies]\nx = { path = \"../x\" }\n[dependencies]\ny = \"1\"\n";
        let found = Local { name: "a".into(), manifest: manifest.parse().unwrap() };
        let written = member(&found, Path::new("/checkout/a"), &places()).unwrap();
        assert_eq!(written, "[dependencies]\ny = \"1\"\n\n[package]\nname = \"a\"\n");
    }
}
