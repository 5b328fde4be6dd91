//! The modules of one crate as its files declare them: what each defines, what it takes under another name (`use`),
//! and every path that it writes. Code under `#[cfg(test)]` is left out. It resolves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::tokens::{closing, tokens};

/// One module. A file has one for itself and one for each `mod name { … }` in it.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) file: PathBuf,
    pub(super) parent: Option<usize>,
    pub(super) children: BTreeMap<String, usize>,
    pub(super) items: BTreeSet<String>,
    pub(super) uses: Vec<Use>,
    /// Paths written in signatures and bodies, one name or more.
    pub(super) paths: BTreeSet<Vec<String>>,
    /// Where the files of its children lie.
    folder: PathBuf,
}

/// One leaf of a `use` tree.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) path: Vec<String>,
    /// The name it has here; none is a glob.
    pub(super) name: Option<String>,
    pub(super) public: bool,
}

/// The modules of the crate whose root file this is; the first is the root.
pub(super) fn modules_of(root: &Path) -> Vec<Module> {
    let mut modules = Vec::new();
    read_file(&mut modules, root.to_owned(), root.parent().unwrap().to_owned(), None);
    modules
}

fn read_file(modules: &mut Vec<Module>, file: PathBuf, folder: PathBuf, parent: Option<usize>) -> usize {
    let source = crate::read(&file);
    add(modules, &tokens(&source), file, folder, parent)
}

/// Adds a module with these words and all modules below it.
fn add(modules: &mut Vec<Module>, words: &[&str], file: PathBuf, folder: PathBuf, parent: Option<usize>) -> usize {
    let module = Module {
        file,
        parent,
        children: BTreeMap::new(),
        items: BTreeSet::new(),
        uses: Vec::new(),
        paths: BTreeSet::new(),
        folder,
    };
    modules.push(module);
    let id = modules.len() - 1;
    Reader { modules, id, words, at: 0, depth: 0, public: false }.read();
    id
}

struct Reader<'a> {
    modules: &'a mut Vec<Module>,
    id: usize,
    words: &'a [&'a str],
    at: usize,
    depth: usize,
    /// Whether the words before this one make what follows visible elsewhere.
    public: bool,
}

impl<'a> Reader<'a> {
    fn read(mut self) {
        let mut path_attribute = None;
        while let Some(&word) = self.words.get(self.at) {
            let next = self.peek(1);
            match word {
                "#" => path_attribute = self.attribute(),
                "pub" => self.visibility(),
                "use" if next.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '{') => self.use_tree(),
                "mod" if self.peek(2) == ";" || self.peek(2) == "{" => self.child(path_attribute.take()),
                "fn" | "struct" | "enum" | "trait" | "type" | "const" | "static" | "union" if self.depth == 0 => {
                    self.module().items.insert(next.to_owned());
                    self.at += if next == "fn" { 1 } else { 2 };
                }
                "macro_rules" if self.depth == 0 => {
                    let name = self.peek(2).to_owned();
                    self.module().items.insert(name);
                    self.at += 3;
                }
                "{" | "(" | "[" => (self.depth, self.at) = (self.depth + 1, self.at + 1),
                "}" | ")" | "]" => (self.depth, self.at) = (self.depth.saturating_sub(1), self.at + 1),
                _ if word.starts_with(|c: char| c.is_alphabetic() || c == '_') => self.path(),
                _ => self.at += 1,
            }
            self.public &= matches!(self.words.get(self.at), Some(&"use"));
        }
    }

    fn module(&mut self) -> &mut Module {
        &mut self.modules[self.id]
    }

    fn peek(&self, ahead: usize) -> &'a str {
        self.words.get(self.at + ahead).copied().unwrap_or_default()
    }

    /// Skips an attribute, and what it marks where that is compiled for tests only. Gives the file of `#[path]`.
    fn attribute(&mut self) -> Option<&'a str> {
        let open = self.at + if self.peek(1) == "!" { 2 } else { 1 };
        let end = closing(self.words, open);
        let inner = &self.words[(open + 1).min(end)..end];
        self.at = end + 1;
        match inner {
            ["cfg", "(", "test", ")"] | ["cfg", "(", "all", "(", "test", ..] => self.skip_item(),
            ["path", "=", file] => return Some(file.trim_matches('"')),
            _ => {}
        }
        None
    }

    fn skip_item(&mut self) {
        let is_use = self.words[self.at..].iter().take(5).any(|word| *word == "use");
        while let Some(&word) = self.words.get(self.at) {
            match word {
                ";" | "," if word == ";" || self.depth > 0 => break,
                "}" => return,
                "{" | "(" | "[" => {
                    self.at = closing(self.words, self.at);
                    if word == "{" && !is_use {
                        break;
                    }
                }
                _ => {}
            }
            self.at += 1;
        }
        self.at += 1;
    }

    fn visibility(&mut self) {
        self.at += 1;
        if self.peek(0) == "(" {
            self.at = closing(self.words, self.at) + 1;
        }
        self.public = true;
    }

    fn use_tree(&mut self) {
        let end = (self.at..self.words.len()).find(|at| self.words[*at] == ";").unwrap_or(self.words.len());
        let words = &self.words[self.at + 1..end];
        let mut leaves = Vec::new();
        flatten(words, &[], &mut leaves);
        let public = self.public;
        self.module().uses.extend(leaves.into_iter().map(|(path, name)| Use { path, name, public }));
        self.at = end;
    }

    fn child(&mut self, file: Option<&str>) {
        let name = self.peek(1).to_owned();
        let folder = self.module().folder.clone();
        let id = self.id;
        let child = if self.peek(2) == "{" {
            let end = closing(self.words, self.at + 2);
            let words = &self.words[self.at + 3..end];
            let same = self.module().file.clone();
            self.at = end + 1;
            add(self.modules, words, same, folder.join(&name), Some(id))
        } else {
            self.at += 3;
            let (path, below) = file_of(&folder, &name, file.map(|file| self.module().file.with_file_name(file)));
            read_file(self.modules, path, below, Some(id))
        };
        self.module().children.insert(name, child);
    }

    /// Reads `a::b::c`. What follows a dot or a qualified type is not a path of its own.
    fn path(&mut self) {
        let follows = self.at.checked_sub(1).map(|before| self.words[before]);
        let mut path = vec![self.peek(0).to_owned()];
        self.at += 1;
        while self.peek(0) == "::" && self.peek(1).starts_with(|c: char| c.is_alphabetic() || c == '_') {
            path.push(self.peek(1).to_owned());
            self.at += 2;
        }
        if !matches!(follows, Some("." | "::" | "let" | "mut" | "fn" | "for"))
            || path.len() > 1 && follows == Some("for")
        {
            self.module().paths.insert(path);
        }
    }
}

/// The file of `mod name;` and the folder of that module's children.
fn file_of(folder: &Path, name: &str, named: Option<PathBuf>) -> (PathBuf, PathBuf) {
    if let Some(file) = named {
        let below = file.parent().unwrap().to_owned();
        return (file, below);
    }
    let below = folder.join(name);
    let flat = folder.join(format!("{name}.rs"));
    if flat.exists() { (flat, below) } else { (below.join("mod.rs"), below) }
}

/// The leaves of a `use` tree: path and the name it has here.
fn flatten(words: &[&str], before: &[String], leaves: &mut Vec<(Vec<String>, Option<String>)>) {
    let mut path = before.to_vec();
    let mut rest = words;
    loop {
        match rest {
            [] => return,
            ["{", ..] => {
                let inner = &rest[1..closing(rest, 0)];
                split(inner).into_iter().for_each(|part| flatten(part, &path, leaves));
                return;
            }
            ["*", ..] => return leaves.push((path, None)),
            ["::", tail @ ..] => rest = tail,
            ["self", tail @ ..] if !path.is_empty() => rest = tail,
            ["as", name, ..] => return leaves.push((path, Some((*name).to_owned()))),
            [name, tail @ ..] => {
                path.push((*name).to_owned());
                rest = tail;
            }
        }
        if rest.is_empty() {
            let name = path.last().cloned();
            return leaves.push((path, name));
        }
    }
}

/// Splits at the commas that stand in no bracket.
fn split<'a>(words: &'a [&'a str]) -> Vec<&'a [&'a str]> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < words.len() {
        match words[at] {
            "," => {
                parts.push(&words[start..at]);
                start = at + 1;
            }
            "{" => at = closing(words, at),
            _ => {}
        }
        at += 1;
    }
    parts.push(&words[start..]);
    parts
}

#[test]
fn a_use_tree_has_leaves() {
    let words = tokens("crate::{a::{self, B as C}, d::*, super::e as _}");
    let mut leaves = Vec::new();
    flatten(&words, &[], &mut leaves);
    let shown: Vec<_> =
        leaves.into_iter().map(|(path, name)| format!("{} {}", path.join("::"), name.unwrap_or_default())).collect();
    assert_eq!(shown, ["crate::a a", "crate::a::B C", "crate::d ", "crate::super::e _"]);
}
