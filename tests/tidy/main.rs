//! The house rules that a machine can hold. Here: sizes, module lines, links, one title for each document; larger rules have
//! a file each. A failure names the file and the rule. It reads files as text and runs nothing.

#![expect(clippy::unwrap_used, reason = "what cannot be read is a failed test")]

mod arrows;
mod circles;
mod desk;
mod held;
mod layout;
mod manifests;
mod names;
mod printing;
mod pure;
mod routes;
mod sql;
mod tokens;
mod tuples;
mod walk;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Lines a file may have.
const FILE_LINES_MAX: usize = 500;
/// Lines a function may have, from `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;
/// Bytes a committed text file may have; larger things are data and belong elsewhere.
const TEXT_BYTES_MAX: u64 = 512 * 1024;

#[test]
fn files_and_functions_stay_small() {
    let mut faults = String::new();
    for path in files(&["rs"]) {
        let source = read(&path);
        let lines: Vec<&str> = source.lines().collect();
        let shown = shown(&path);
        if lines.len() > FILE_LINES_MAX {
            writeln!(faults, "{shown}: {} lines, at most {FILE_LINES_MAX}", lines.len()).unwrap();
        }
        for (start, name, length) in functions(&lines) {
            if length > FUNCTION_LINES_MAX {
                writeln!(faults, "{shown}:{start}: `{name}` has {length} lines, at most {FUNCTION_LINES_MAX}").unwrap();
            }
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let silent: Vec<_> =
        files(&["rs"]).into_iter().filter(|path| !read(path).starts_with("//!")).map(|path| shown(&path)).collect();
    assert!(silent.is_empty(), "no `//!` line: {silent:#?}");
}

#[test]
fn nothing_unfinished_is_committed() {
    let mut faults = String::new();
    // Spelled in two halves so that this file does not find itself.
    let words = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("FIX", "ME"), concat!("XX", "X:")];
    for path in files(&["rs", "wit"]) {
        for (number, line) in read(&path).lines().enumerate() {
            let naked = line.contains(concat!("TO", "DO")) && !line.contains(concat!("TO", "DO(#"));
            let bare = line.trim_start().starts_with(concat!("#[all", "ow(")) && !line.contains("reason");
            if naked || bare || words.iter().any(|word| line.contains(word)) {
                writeln!(faults, "{}:{}: {}", shown(&path), number + 1, line.trim()).unwrap();
            }
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

#[test]
fn every_document_has_one_title() {
    let mut faults = String::new();
    for path in files(&["md"]) {
        let mut fenced = false;
        let mut titles = 0;
        for line in read(&path).lines() {
            fenced ^= line.trim_start().starts_with("```");
            titles += usize::from(!fenced && line.starts_with("# "));
        }
        if titles != 1 {
            writeln!(faults, "{}: {titles} titles", shown(&path)).unwrap();
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut faults = String::new();
    for path in files(&["md"]) {
        for target in links(&read(&path)) {
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !path.parent().unwrap().join(file).exists() {
                writeln!(faults, "{}: `{target}`", shown(&path)).unwrap();
            }
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

#[test]
fn no_large_text_is_committed() {
    let large: Vec<_> = files(&["rs", "md", "wit", "json", "toml"])
        .into_iter()
        .filter(|path| std::fs::metadata(path).unwrap().len() > TEXT_BYTES_MAX)
        .collect();
    assert!(large.is_empty(), "over {TEXT_BYTES_MAX} bytes: {large:?}");
}

/// First line, name and length of every function whose closing brace stands at its own indent (as rustfmt puts it).
fn functions<'a>(lines: &[&'a str]) -> Vec<(usize, &'a str, usize)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, usize, &str)> = None;
    for (number, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        if let Some(name) = function_name(line.trim_start()) {
            open = Some((number, indent, name));
        }
        if let Some((start, at, name)) = open
            && indent == at
            && line.trim_start() == "}"
        {
            found.push((start + 1, name, number - start + 1));
            open = None;
        }
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("fn ")?;
    let modifiers = ["pub", "async", "const", "unsafe", "extern"];
    let plain = before.split_whitespace().all(|word| modifiers.iter().any(|m| word.starts_with(m)));
    plain.then(|| rest.split(['(', '<']).next().unwrap_or(rest).trim())
}

fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in text.split("](").skip(1) {
        let Some((target, _)) = part.split_once(')') else { continue };
        if !target.contains("://") && !target.starts_with('#') && !target.contains(' ') {
            found.push(target.to_owned());
        }
    }
    found
}

/// All files of ours with one of these endings (any, where none is named), without build results and hidden folders.
fn files(endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if endings.is_empty() || path.extension().is_some_and(|e| endings.iter().any(|ending| e == *ending))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn root_join(path: &str) -> PathBuf {
    root().join(path)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
