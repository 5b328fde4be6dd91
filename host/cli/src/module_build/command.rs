//! `iog module build`: one module or all of a workspace, built or compared with what was built before.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::build::{BuildOptions, build};
use super::files;
use super::record::{Comparison, Record, compare};
use crate::module_files::{MANIFEST_FILE, component_file, is_module, prebuilt};
use crate::ui::{Text, Tone, Ui, size};

/// What `iog module build` was asked.
pub(crate) struct Order<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) out: Option<PathBuf>,
    pub(crate) check: bool,
    pub(crate) install_toolchain: bool,
    pub(crate) trust_build_scripts: bool,
}

pub(crate) fn run(ui: Ui, order: Order<'_>) -> Result<bool> {
    let mut all_good = true;
    let mut reported = Vec::new();
    for (module_dir, out) in jobs(order.dir, order.out)? {
        let spinner = ui.spinner(&format!("building {}", module_dir.display()));
        let target_dir = target_dir(&module_dir)?;
        let (install_toolchain, trust_build_scripts) = (order.install_toolchain, order.trust_build_scripts);
        let options = BuildOptions { module_dir, target_dir, install_toolchain, trust_build_scripts };
        let said = |line: &str| ui.foreign(line);
        if order.check {
            let (found, _) = compare(&options, &out, &said)?;
            spinner.end();
            let (good, words) = verdict(found);
            all_good &= good;
            let tone = if good { Tone::Good } else { Tone::Bad };
            ui.line(Text::from(format!("{}  ", out.display())).then(Text::toned(tone, words)));
            reported.push(json!({"file": out.to_string_lossy(), "belongs_to_source": good, "reason": words}));
            continue;
        }
        let built = build(&options, &said)?;
        spinner.end();
        Record::of(&built).write(&out, &built.component)?;
        let bytes = built.component.len() as u64;
        ui.line(format!("{}  {}  {}", out.display(), size(bytes), built.digest()));
        let (digest, source) = (built.digest(), &built.source);
        reported.push(
            json!({"file": out.to_string_lossy(), "bytes": bytes, "digest": digest, "source": source, "toolchain": built.toolchain}),
        );
    }
    ui.object(&json!({"built": reported}));
    Ok(all_good)
}

/// Which modules are built, and where each component goes.
fn jobs(dir: &Path, out: Option<PathBuf>) -> Result<Vec<(PathBuf, PathBuf)>> {
    if is_module(dir) {
        let name = dir.canonicalize().context("no such folder")?;
        let name = name.file_name().context("the folder has no name")?.to_string_lossy().into_owned();
        return Ok(vec![(dir.to_owned(), out.unwrap_or_else(|| component_file(dir, &name)))]);
    }
    let folder = out.unwrap_or_else(|| prebuilt(dir));
    let named = modules_of(dir)?.into_iter();
    Ok(named.map(|(name, module)| (module, component_file(&folder, &name))).collect())
}

/// Where cargo works: modules of one workspace share a folder, wherever the command was started. It is in the user's own cache and
/// never in the checkout, since cargo takes what it finds there for work of its own: libraries that it loads, components that it
/// need not compile.
fn target_dir(module_dir: &Path) -> Result<PathBuf> {
    let up = module_dir.join("..");
    let workspace = if up.join("Cargo.toml").is_file() { up } else { module_dir.to_owned() };
    let workspace = workspace.canonicalize().context("no such folder")?;
    let named = files::digest(workspace.as_os_str().as_encoded_bytes());
    Ok(cache()?.join("iog/modules").join(named.trim_start_matches("sha256:")))
}

/// The user's cache, as the XDG base directories have it.
fn cache() -> Result<PathBuf> {
    let named = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")));
    cache.context("nothing says where to build: set `HOME` or `XDG_CACHE_HOME`")
}

/// What a rebuild says, and whether the component may stay.
fn verdict(found: Comparison) -> (bool, &'static str) {
    match found {
        Comparison::Reproduced => (true, "reproduced byte for byte"),
        Comparison::OtherToolchain { same_bytes: true } => (true, "reproduced byte for byte by another toolchain"),
        Comparison::OtherToolchain { same_bytes: false } => {
            (true, "sources are the recorded ones; this toolchain gives other bytes than the recorded one")
        }
        Comparison::NotTheRecordedFile => (false, "the file is not the one its record speaks of"),
        Comparison::SourcesChanged => (false, "the sources changed since it was built: run `iog module build`"),
        Comparison::NotReproduced => (false, "the same sources and toolchain give other bytes"),
    }
}

/// The modules of a workspace: its folders with an `iog.toml`, by name.
fn modules_of(dir: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| format!("cannot read `{}`", dir.display()))? {
        let path = entry.with_context(|| format!("cannot read `{}`", dir.display()))?.path();
        if is_module(&path) {
            let name = path.file_name().context("a folder has a name")?.to_string_lossy().into_owned();
            found.push((name, path));
        }
    }
    ensure!(!found.is_empty(), "`{}` is not a module and holds none: there is no `{MANIFEST_FILE}`", dir.display());
    found.sort();
    Ok(found)
}
