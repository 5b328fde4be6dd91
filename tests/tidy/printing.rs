//! One place prints. What a command says goes through `ui/` of the command line, which escapes it; a library says nothing,
//! and nobody else draws on a terminal. Tests, benchmarks and build scripts may.

use std::fmt::Write as _;

use crate::tokens::code;

/// Where printing is.
const PRINTS: &str = "host/cli/src/ui/";
/// A child, whose standard output is a pipe to its parent: nobody reads there.
const PIPE: &str = "host/sandbox/src/compile/role.rs";

/// What prints, and what shows progress, as words of a source.
const WORDS: &[&[&str]] = &[
    &["println", "!"],
    &["print", "!"],
    &["eprintln", "!"],
    &["eprint", "!"],
    &["dbg", "!"],
    &["stdout", "("],
    &["stderr", "(", ")"],
    &["indicatif"],
    &["with_ansi", "(", "true"],
];

/// Standard error of another program, which is not ours.
const CHILDREN: &[&[&str]] = &[&[".", "stdout", "("], &[".", "stderr", "("]];

#[test]
fn one_place_prints() {
    let mut faults = String::new();
    for path in crate::files(&["rs"]) {
        let shown = crate::shown(&path);
        let ours = shown.contains("/src/") && (shown.starts_with("host/") || shown.starts_with("center/"));
        if ours && !shown.starts_with(PRINTS) && shown != PIPE {
            for word in printing(&crate::read(&path)) {
                writeln!(faults, "{shown}: `{word}` belongs to `{PRINTS}`").unwrap();
            }
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

/// What prints in the code of a file; modules of tests may.
fn printing(source: &str) -> Vec<String> {
    let words = code(source);
    let is_child = |at: usize| at > 0 && CHILDREN.iter().any(|child| words[at - 1..].starts_with(child));
    let prints = |at: &usize| WORDS.iter().any(|word| words[*at..].starts_with(word)) && !is_child(*at);
    (0..words.len()).filter(prints).map(|at| words[at].to_owned()).collect()
}

#[test]
fn what_prints_is_found() {
    assert_eq!(printing("fn a() { println!(\"x\"); }"), ["println"]);
    assert_eq!(printing("use std::io; fn a() { writeln!(io::stderr(), \"x\"); }"), ["stderr"]);
    assert!(printing("fn a() { command.stdout(Stdio::null()).stderr(Stdio::null()); b(\"println!\"); }").is_empty());
    let tested =
        "#[cfg(test)] fn only_here() {} #[cfg(test)] mod tests { fn b() { println!() } } fn a() { eprintln!(\"x\"); }";
    assert_eq!(printing(tested), ["eprintln"], "what is for tests ends somewhere");
}
