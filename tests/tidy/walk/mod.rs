//! The walk of one run, as `docs/architecture.md` tells it: at most eight hops, and at most eight files with those of the
//! functions that call them. Each hop is called by one before it, directly or through functions of that one's file which the
//! table names, in the order in which the table has them.

mod code;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use code::{bodies, called_at};

/// Hops, and files, that a newcomer has to walk at most.
const HOPS_MAX: usize = 8;
/// Fewer are not a walk: the table was not found.
const HOPS_MIN: usize = 4;

/// One row of the table: `| 1 | `call` | `file` | `a` → `b` in `file` |`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hop {
    /// As it is called: `decide`, `admit::decide`, `self.executor.execute`.
    call: String,
    file: String,
    /// The functions through which the call comes, outermost first.
    through: Vec<String>,
    /// Where these are.
    from: String,
}

impl Hop {
    fn function(&self) -> &str {
        self.call.rsplit([':', '.']).next().unwrap_or(&self.call)
    }
}

/// A function in its file, and the call that leads to it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    file: String,
    function: String,
    call: String,
}

#[test]
fn a_run_takes_the_hops_that_the_architecture_names() {
    let document = crate::read(&crate::root_join("docs/architecture.md"));
    let faults = faults(&document, &source);
    assert!(faults.is_empty(), "\n{faults}");
}

fn source(file: &str) -> String {
    std::fs::read_to_string(crate::root_join(file)).unwrap_or_default()
}

/// What of the table does not hold.
fn faults(document: &str, source: &dyn Fn(&str) -> String) -> String {
    let hops = hops(document);
    let mut faults = String::new();
    if !(HOPS_MIN..=HOPS_MAX).contains(&hops.len()) {
        writeln!(faults, "{} hops, from {HOPS_MIN} to {HOPS_MAX} are a walk", hops.len()).unwrap();
    }
    let files: BTreeSet<&str> = hops.iter().flat_map(|hop| [hop.file.as_str(), hop.from.as_str()]).collect();
    if files.len() > HOPS_MAX {
        writeln!(faults, "{} files, at most {HOPS_MAX}: {files:?}", files.len()).unwrap();
    }
    let mut before: Vec<Step> = Vec::new();
    for hop in &hops {
        match way_to(hop, &before) {
            Some(way) => {
                faults.push_str(&broken(&way, source));
                faults.push_str(&out_of_order(&before, &way, source));
                before = way;
            }
            None => writeln!(faults, "`{}` is not called by a hop before it", hop.call).unwrap(),
        }
    }
    faults
}

/// The rows under the heading of a run.
fn hops(document: &str) -> Vec<Hop> {
    let section = document.split("## A run is made").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let row = |line: &str| {
        line.strip_prefix("| ")?.chars().next().filter(char::is_ascii_digit)?;
        let names: Vec<String> = line.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let [call, file, through @ .., from] = &names[..] else { return None };
        Some(Hop { call: call.clone(), file: file.clone(), through: through.to_vec(), from: from.clone() })
    };
    section.lines().filter_map(row).collect()
}

/// All functions on the way to a hop. It begins where the walk begins, or branches off the way to the hop before, from
/// whose functions one must be the first that this hop is called through.
fn way_to(hop: &Hop, before: &[Step]) -> Option<Vec<Step>> {
    let (first, rest) = hop.through.split_first()?;
    let step = |function: &String| Step { file: hop.from.clone(), function: function.clone(), call: function.clone() };
    let mut way = match before.iter().rposition(|step| step.file == hop.from && step.function == *first) {
        Some(at) => before[..=at].to_vec(),
        None if before.is_empty() => vec![step(first)],
        None => return None,
    };
    way.extend(rest.iter().map(step));
    way.push(Step { file: hop.file.clone(), function: hop.function().to_owned(), call: hop.call.clone() });
    Some(way)
}

/// What is not there on a way, and what is not called by what stands before it.
fn broken(way: &[Step], source: &dyn Fn(&str) -> String) -> String {
    let mut faults = String::new();
    for step in way {
        let found = bodies(&source(&step.file), &step.function).len();
        if found != 1 {
            writeln!(faults, "{} has {found} functions `{}`", step.file, step.function).unwrap();
        }
    }
    for pair in way.windows(2) {
        if place(&pair[0], &pair[1], source).is_none() {
            let (caller, file, call) = (&pair[0].function, &pair[0].file, &pair[1].call);
            writeln!(faults, "`{caller}` in {file} does not call `{call}`").unwrap();
        }
    }
    faults
}

/// Where the two ways part, the first must be called before the second.
fn out_of_order(before: &[Step], way: &[Step], source: &dyn Fn(&str) -> String) -> String {
    let shared = before.iter().zip(way).take_while(|(a, b)| a == b).count();
    let (Some(last), Some(first), Some(second)) =
        (shared.checked_sub(1).map(|at| &way[at]), before.get(shared), way.get(shared))
    else {
        return String::new();
    };
    if place(last, first, source) < place(last, second, source) {
        return String::new();
    }
    format!("`{}` in {} calls `{}` before `{}`\n", last.function, last.file, second.call, first.call)
}

/// Where in the body of a function another is called first.
fn place(caller: &Step, called: &Step, source: &dyn Fn(&str) -> String) -> Option<usize> {
    let is_same_file = caller.file == called.file;
    bodies(&source(&caller.file), &caller.function).iter().find_map(|body| called_at(body, &called.call, is_same_file))
}

#[cfg(test)]
mod tests;
