//! The walk of one run, as `docs/architecture.md` tells it: at most eight hops in at most eight files, each function where the
//! table says, each called by the function that the table names.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::{functions, read, root_join};

/// Hops, and files they are in, that a newcomer has to walk at most.
const HOPS_MAX: usize = 8;

/// One row of the table.
struct Hop {
    function: String,
    file: String,
    caller: String,
    caller_file: String,
}

#[test]
fn a_run_takes_the_hops_that_the_architecture_names() {
    let document = read(&root_join("docs/architecture.md"));
    let hops = hops(&document);
    assert!((4..=HOPS_MAX).contains(&hops.len()), "{} hops, at most {HOPS_MAX}", hops.len());
    let files: BTreeSet<&str> = hops.iter().map(|hop| hop.file.as_str()).collect();
    assert!(files.len() <= HOPS_MAX, "{files:?}");
    let mut faults = String::new();
    for hop in &hops {
        if bodies(&hop.file, &hop.function).is_empty() {
            writeln!(faults, "{} has no function `{}`", hop.file, hop.function).unwrap();
        }
        let callers = bodies(&hop.caller_file, &hop.caller);
        if callers.is_empty() {
            writeln!(faults, "{} has no function `{}`", hop.caller_file, hop.caller).unwrap();
        } else if !callers.iter().any(|body| calls(body, &hop.function)) {
            writeln!(faults, "`{}` in {} does not call `{}`", hop.caller, hop.caller_file, hop.function).unwrap();
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

/// The rows under the heading of a run: `| 1 | `function` | `file` | `caller` in `file` |`.
fn hops(document: &str) -> Vec<Hop> {
    let section = document.split("## A run is made").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let row = |line: &str| {
        line.strip_prefix("| ")?.chars().next().filter(char::is_ascii_digit)?;
        let names: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
        let [function, file, caller, caller_file] = names[..] else { return None };
        let own = str::to_owned;
        Some(Hop { function: own(function), file: own(file), caller: own(caller), caller_file: own(caller_file) })
    };
    section.lines().filter_map(row).collect()
}

/// The bodies of all functions of that name in a file.
fn bodies(file: &str, name: &str) -> Vec<String> {
    let source = read(&root_join(file));
    let lines: Vec<&str> = source.lines().collect();
    let found = functions(&lines).into_iter().filter(|(_, found, _)| *found == name);
    found.map(|(start, _, length)| lines[start..start - 1 + length].join("\n")).collect()
}

/// Whether a body names a function as a call, or hands it on as a value.
fn calls(body: &str, function: &str) -> bool {
    body.match_indices(function).any(|(at, _)| {
        let before = body[..at].chars().next_back();
        let after = body[at + function.len()..].chars().next();
        let own_word = !before.is_some_and(|c| c.is_alphanumeric() || c == '_');
        own_word && matches!(after, Some('(' | ')'))
    })
}

#[test]
fn the_walk_is_read_as_it_is_written() {
    let table =
        "## A run is made\n| hop | function |\n|---|---|\n| 1 | `a` | `x.rs` | `b` in `y.rs` |\n## Next\n| 2 | `c` |";
    let found = hops(table);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].function.as_str(), found[0].caller_file.as_str()), ("a", "y.rs"));
    assert!(calls("let x = self.decide(run)", "decide") && calls("post(runs::submit)", "submit"));
    assert!(!calls("redecide(x)", "decide") && !calls("decided", "decide"));
}
