//! Reads cargo's manifests of a module's crates and writes them anew for the build's own folder, where every crate lies under
//! its name: paths point there, and what only tests or other modules use is left out. A path that would still lead out of
//! that folder is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, ensure};
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
        // A folder is named after it, and what else lies in that folder is removed.
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        ensure!(!name.is_empty() && name.chars().all(is_name), "`{name}` is not a name of a package");
        Ok(Self { name, manifest })
    }

    /// The crates of the checkout that it is built from.
    pub(super) fn local_dependencies(&self, workspace: &Table) -> Vec<LocalDependency> {
        let local = |(name, dependency): (&String, &Value)| {
            if let Some(path) = path_of(dependency) {
                return Some(LocalDependency { path, inherited: false });
            }
            let path = inherited(workspace, name, dependency).and_then(path_of)?;
            Some(LocalDependency { path, inherited: true })
        };
        dependency_tables(&self.manifest).flatten().filter_map(local).collect()
    }

    /// The names of all packages that it is built from, as its lock file has them.
    pub(super) fn needs(&self, workspace: &Table) -> BTreeSet<String> {
        let named = |dependency: &Value| dependency.get("package").and_then(Value::as_str).map(str::to_owned);
        let package = |(name, dependency): (&String, &Value)| {
            let written = inherited(workspace, name, dependency).unwrap_or(dependency);
            named(written).unwrap_or_else(|| name.clone())
        };
        dependency_tables(&self.manifest).flatten().map(package).collect()
    }
}

/// What a manifest says it is built from, for every platform.
fn dependency_tables(manifest: &Table) -> impl Iterator<Item = &Table> {
    let platforms = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let parts = std::iter::once(manifest).chain(platforms.filter_map(Value::as_table));
    parts.flat_map(|part| DEPENDENCIES.iter().filter_map(|table| part.get(*table)?.as_table()))
}

/// What the workspace says of a dependency that is inherited from it.
fn inherited<'a>(workspace: &'a Table, name: &str, dependency: &Value) -> Option<&'a Value> {
    dependency.get("workspace").and_then(Value::as_bool).filter(|&inherited| inherited)?;
    workspace.get("workspace")?.get("dependencies")?.get(name)
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
    move_dependencies(&mut manifest, dir, places)?;
    let platforms = manifest.get_mut("target").and_then(Value::as_table_mut);
    for (_, platform) in platforms.into_iter().flatten() {
        let Some(platform) = platform.as_table_mut() else { continue };
        platform.remove("dev-dependencies");
        move_dependencies(platform, dir, places)?;
    }
    stays_inside(&manifest, places)?;
    write(manifest)
}

fn move_dependencies(part: &mut Table, dir: &Path, places: &BTreeMap<PathBuf, String>) -> Result<()> {
    for table in DEPENDENCIES {
        if let Some(dependencies) = part.get_mut(table).and_then(Value::as_table_mut) {
            move_paths(dependencies, dir, places, "..")?;
        }
    }
    Ok(())
}

/// Fails where a manifest for the build's folder names what lies elsewhere, in whatever place: a `path` or a build script. Cargo
/// reads nothing in `package.metadata`.
fn stays_inside(manifest: &Table, places: &BTreeMap<PathBuf, String>) -> Result<()> {
    for (key, value) in manifest {
        match value {
            Value::String(path) if matches!(key.as_str(), "path" | "build") => {
                let is_crate = path.strip_prefix("../").is_some_and(|name| places.values().any(|place| place == name));
                let is_below = |part| matches!(part, Component::Normal(_) | Component::CurDir);
                ensure!(
                    is_crate || Path::new(path).components().all(is_below),
                    "`{key} = \"{path}\"` in a `Cargo.toml` leads to what is not among the sources of the module"
                );
            }
            Value::Table(package) if key == "package" && package.contains_key("metadata") => {
                let read = package.iter().filter(|(key, _)| *key != "metadata").map(owned).collect();
                stays_inside(&read, places)?;
            }
            Value::Table(table) => stays_inside(table, places)?,
            Value::Array(values) => {
                values.iter().filter_map(Value::as_table).try_for_each(|table| stays_inside(table, places))?;
            }
            _ => {}
        }
    }
    Ok(())
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
    stays_inside(&manifest, places)?;
    write(manifest)
}

/// TOML with keys in order, whichever order the tables keep.
pub(super) fn write(table: Table) -> Result<String> {
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

    fn local(manifest: &str) -> Local {
        Local { name: "a".into(), manifest: manifest.parse().unwrap() }
    }

    fn written(manifest: &str) -> Result<String> {
        member(&local(manifest), Path::new("/checkout/a"), &places())
    }

    #[test]
    fn a_member_loses_what_only_tests_need() {
        let manifest = "[package]\nname = \"a\"\nworkspace = \"..\"\n[dev-dependencies]\nx = { path = \"../x\" }\n\
                        [target.'cfg(all())'.dev-dependencies]\nz = { path = \"/z\" }\n[dependencies]\ny = \"1\"\n";
        let expected = "[dependencies]\ny = \"1\"\n\n[package]\nname = \"a\"\n\n[target.\"cfg(all())\"]\n";
        assert_eq!(written(manifest).unwrap(), expected);
    }

    #[test]
    fn dependencies_for_a_platform_count_as_all_others() {
        let workspace: Table =
            "[workspace.dependencies]\nb = { path = \"../b\", package = \"real-b\" }".parse().unwrap();
        let found = local(
            "[target.'cfg(all())'.dependencies]\nevil = { path = \"/evil\" }\nb.workspace = true\n\
             [target.wasm32-unknown-unknown.build-dependencies]\nc = { version = \"1\", package = \"real-c\" }\n\
             [target.'cfg(unix)'.dev-dependencies]\nt = \"1\"\n",
        );
        let paths: Vec<_> =
            found.local_dependencies(&workspace).into_iter().map(|it| (it.path, it.inherited)).collect();
        assert_eq!(paths.len(), 2, "{paths:?}");
        assert!(paths.contains(&("/evil".into(), false)) && paths.contains(&("../b".into(), true)), "{paths:?}");
        assert_eq!(found.needs(&workspace).into_iter().collect::<Vec<_>>(), ["evil", "real-b", "real-c"]);
        // A crate that nobody collected is not written as it was.
        let error = written("[target.'cfg(all())'.dependencies]\nevil = { path = \"/evil\" }\n").unwrap_err();
        assert!(error.to_string().contains("no crate in `/evil`"), "{error}");
    }

    #[test]
    fn no_path_that_is_written_leads_elsewhere() {
        for (manifest, named) in [
            ("[lib]\npath = \"/abs/other.rs\"", "/abs/other.rs"),
            ("[lib]\npath = \"../other.rs\"", "../other.rs"),
            ("[[bin]]\nname = \"b\"\npath = \"src/../../b.rs\"", "src/../../b.rs"),
            ("[package]\nname = \"a\"\nbuild = \"/abs/build.rs\"\n[package.metadata]\nx = 1", "/abs/build.rs"),
            ("[build_dependencies]\ne = { path = \"/abs/e\" }", "/abs/e"),
        ] {
            let error = written(manifest).unwrap_err().to_string();
            assert!(error.contains(named) && error.contains("not among the sources"), "{manifest}: {error}");
        }
        let metadata = "[package]\nname = \"a\"\nbuild = false\n[package.metadata.tool]\npath = \"../wit\"\n";
        for manifest in ["[lib]\npath = \"src/other.rs\"\n", metadata, "[dependencies]\npath = \"1\"\n"] {
            written(manifest).unwrap();
        }
    }

    #[test]
    fn a_package_named_like_a_path_is_none() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["../../victim", "/victim", "", ".", "a/b"] {
            std::fs::write(dir.path().join("Cargo.toml"), format!("[package]\nname = \"{name}\"\n")).unwrap();
            let error = Local::read(dir.path()).unwrap_err().to_string();
            assert!(error.ends_with("is not a name of a package"), "{name}: {error}");
        }
    }
}
