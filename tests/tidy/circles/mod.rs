//! No circle between files: inside a crate (a library, a program, a test, a benchmark) no file uses, directly or through
//! others, what is defined in a file that uses what it defines itself. Who reads a file then knows everything that it rests
//! on by reading downwards.

mod modules;
mod names;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use names::{Arrows, add_arrows};

#[test]
fn no_file_uses_a_file_that_uses_it() {
    let mut faults = String::new();
    let roots: BTreeSet<PathBuf> = crate::manifests::all().iter().flat_map(|manifest| manifest.roots()).collect();
    for root in roots {
        let mut arrows = Arrows::new();
        add_arrows(&modules::modules_of(&root), &mut arrows);
        for circle in circles(&arrows) {
            faults.push_str(&explain(&circle, &arrows));
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

/// The strongly connected sets of more than one file.
fn circles(arrows: &Arrows) -> BTreeSet<BTreeSet<PathBuf>> {
    let reach = |from: &Path| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from.to_owned()];
        while let Some(file) = open.pop() {
            for next in arrows.get(&file).into_iter().flat_map(|to| to.keys()) {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen
    };
    let reached: Vec<(&PathBuf, BTreeSet<PathBuf>)> = arrows.keys().map(|file| (file, reach(file))).collect();
    let mutual = |a: &(&PathBuf, BTreeSet<PathBuf>)| {
        reached.iter().filter(|b| a.1.contains(b.0) && b.1.contains(a.0)).map(|b| b.0.clone()).collect()
    };
    reached.iter().map(mutual).filter(|circle: &BTreeSet<PathBuf>| circle.len() > 1).collect()
}

fn explain(circle: &BTreeSet<PathBuf>, arrows: &Arrows) -> String {
    let mut text = format!("a circle of {} files:\n", circle.len());
    for from in circle {
        for (to, items) in arrows[from].iter().filter(|(to, _)| circle.contains(*to)) {
            let items: Vec<&str> = items.iter().map(String::as_str).collect();
            writeln!(text, "  {} -> {}: {}", crate::shown(from), crate::shown(to), items.join(", ")).unwrap();
        }
    }
    text
}
