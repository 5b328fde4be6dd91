//! What decides is pure: these crates read no file, socket, clock, environment or randomness, neither by themselves nor
//! through a dependency that is for that. Time and random bytes are passed in.

use std::fmt::Write as _;

use crate::manifests::{self, For};
use crate::tokens::code;

/// The pure crates and their folders.
const PURE: &[(&str, &str)] = &[
    ("iog-bulk", "center/bulk/src/"),
    ("iog-prefix", "center/prefix/src/"),
    ("iog-tlog", "center/tlog/src/"),
    ("iog-protocol", "center/protocol/src/"),
    ("iog-inspect", "center/inspect/src/"),
    ("iog-query", "center/query/src/"),
    ("iog-synth", "host/synth/src/"),
];

/// All that they depend on; each computes and nothing else. (`jsonwebtoken` is never asked to read a clock: it is told not to
/// look at times.)
const COMPUTES: &[&str] = &[
    "arrow-array",
    "arrow-schema",
    "base64",
    "ed25519-dalek",
    "hex",
    "iog-bulk",
    "iog-prefix",
    "iog-protocol",
    "iog-query",
    "iog-tlog",
    "jsonwebtoken",
    "pkcs8",
    "semver",
    "serde",
    "serde_json",
    "sha2",
    "sqlparser",
    "thiserror",
    "toml",
    "wasmparser",
    "wit-component",
    "wit-parser",
];

/// Modules and types of the standard library that reach out of the program.
const REACHES_OUT: &[&str] = &[
    "fs",
    "env",
    "process",
    "thread",
    "SystemTime",
    "Instant",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "stdin",
    "stdout",
    "stderr",
    "RandomState",
    "OsRng",
];

#[test]
fn what_decides_reaches_for_nothing() {
    let mut faults = String::new();
    for manifest in manifests::all().iter().filter(|manifest| PURE.iter().any(|(name, _)| *name == manifest.name)) {
        for found in manifest.dependencies(For::Itself).iter().filter(|found| !COMPUTES.contains(&found.as_str())) {
            writeln!(faults, "`{}` is pure: is `{found}`? then add it to the list", manifest.name).unwrap();
        }
    }
    for path in crate::files(&["rs"]) {
        let shown = crate::shown(&path);
        if PURE.iter().any(|(_, folder)| shown.starts_with(folder)) && !shown.contains("/tests") {
            for found in reaches(&crate::read(&path)) {
                writeln!(faults, "{shown} is pure and names `{found}`").unwrap();
            }
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

/// What a file names that reaches out, in a path or a `use`; modules of tests may.
fn reaches(source: &str) -> Vec<&str> {
    let words = code(source);
    let reaches = |at: usize| {
        let in_path = words[..at].ends_with(&["::"]) || words.get(at + 1) == Some(&"::") || in_tree(&words[..at]);
        REACHES_OUT.contains(&words[at]) && in_path
    };
    (0..words.len()).filter(|at| reaches(*at)).map(|at| words[at]).collect()
}

/// Whether what comes next stands in the braces of a `use`.
fn in_tree(before: &[&str]) -> bool {
    let start = before.iter().rposition(|word| *word == ";" || *word == "}" || *word == "use");
    start.is_some_and(|at| before[at] == "use")
}

#[test]
fn every_way_to_reach_out_is_seen() {
    for source in [
        "std::fs::read(p)",
        "use std::{fs, fmt};",
        "use std::time::Instant;",
        "use std::time::{Duration, SystemTime};",
        "#[cfg(test)]\nfn only_here() {}\nfn a() { std::fs::read(p) }",
    ] {
        assert!(!reaches(source).is_empty(), "{source}");
    }
    for source in
        ["let env = 1;", "// std::fs", "\"std::env\"", "#[cfg(test)]\nmod tests { use std::fs; }", "process(x)"]
    {
        assert!(reaches(source).is_empty(), "{source}");
    }
}
