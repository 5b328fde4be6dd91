//! Which of our crates may depend on which, and which heavy dependencies only one of them may name: for itself, for its build
//! script and on every platform. Tests may need more, and each case is listed with its reason.

use std::fmt::Write as _;

use crate::manifests::{self, For};

/// Which crate may depend on which of ours, by their names without `iog-` (`docs/architecture.md`, "Arrows").
const ARROWS: &[(&str, &str)] = &[
    ("iog-bulk", ""),
    ("iog-prefix", ""),
    ("iog-tlog", ""),
    ("iog-sandbox", "bulk"),
    ("iog-synth", ""),
    ("iog-query", ""),
    ("iog-data", "prefix query"),
    ("iog-import", "prefix"),
    ("iog-protocol", "prefix tlog"),
    ("iog-machine", "protocol"),
    ("iog-transport", "machine protocol"),
    ("iog-keeper", "machine tlog"),
    ("iog-inspect", "bulk protocol query"),
    ("iog-client", "machine protocol tlog transport"),
    ("iog-center", "inspect keeper machine protocol tlog transport"),
    ("iog-home", "client machine protocol tlog transport"),
    ("iog-module", "inspect machine protocol sandbox"),
    ("iog-caller", "client home inspect machine module protocol sandbox tlog transport"),
    ("iog-desk", "caller client home inspect machine module protocol tlog transport"),
    ("iog-gateway", "client data home inspect keeper machine module protocol sandbox tlog transport"),
    (
        "iog",
        "caller center client data desk gateway home import inspect machine module prefix protocol query sandbox synth tlog transport",
    ),
    ("iog-tests", ""),
];

/// Dependencies that only these crates may name, with their parts (`name-…`): the heavy ones, databases, the machine's
/// randomness, and what speaks to a terminal.
const CONFINED: &[(&str, &[&str])] = &[
    ("wasmtime", &["iog-sandbox"]),
    ("libc", &["iog-sandbox"]),
    ("seccompiler", &["iog-sandbox"]),
    ("datafusion", &["iog-data", "iog-tests"]),
    ("sqlparser", &["iog-inspect", "iog-query"]),
    ("sqlx", &["iog-center", "iog-data", "iog-gateway"]),
    ("jsonwebtoken", &["iog-protocol"]),
    ("tokio-rustls", &["iog-transport"]),
    ("getrandom", &["iog-machine"]),
    ("anyhow", &["iog"]),
    ("clap", &["iog"]),
    ("indicatif", &["iog"]),
];

/// What the tests of a crate need beyond that.
const FOR_TESTS: &[(&str, &[&str], &str)] = &[
    (
        "iog-gateway",
        &["iog-caller"],
        "runs are asked for as callers ask, and what they get is believed as callers believe",
    ),
    (
        "iog",
        &["sqlx", "tokio-rustls"],
        "stories fill databases and read journals; attackers speak TLS and HTTP/2 as no client of ours does",
    ),
    ("iog-import", &["iog-protocol"], "the rows of the decoders are compared with the schemas"),
    (
        "iog-tests",
        &[
            "anyhow",
            "iog-data",
            "iog-gateway",
            "iog-inspect",
            "iog-machine",
            "iog-module",
            "iog-protocol",
            "iog-sandbox",
            "wasmtime",
        ],
        "benchmarks measure modules against the same work without the platform; random modules go through a gateway's own steps",
    ),
];

/// What is in another workspace, and what it may use of ours.
const OUTSIDE: &[(&str, &str)] = &[
    ("iog-guest", ""),
    ("dns-watch", "guest"),
    ("hello", "guest"),
    ("hostile", "guest"),
    ("ip-traceback", "guest"),
    ("origin-check", "guest"),
    ("top-talkers", "guest"),
    ("iog-import-fuzz", "import"),
    ("iog-smith-generators", ""),
];

fn arrows_of(name: &str) -> Option<Vec<&'static str>> {
    ARROWS.iter().chain(OUTSIDE).find(|(of, _)| *of == name).map(|(_, allowed)| allowed.split_whitespace().collect())
}

/// Why a crate may not name a dependency, if so.
fn fault(name: &str, dependency: &str) -> Option<String> {
    let is_ours = arrows_of(dependency).is_some();
    let short = dependency.strip_prefix("iog-").unwrap_or(dependency);
    if is_ours && !arrows_of(name).unwrap_or_default().contains(&short) {
        return Some(format!("`{name}` must not depend on `{dependency}`"));
    }
    let part_of =
        |heavy: &str| dependency.strip_prefix(heavy).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    let (_, owners) = CONFINED.iter().find(|(heavy, _)| part_of(heavy))?;
    (!owners.contains(&name)).then(|| format!("`{dependency}` belongs to {owners:?} alone, `{name}` names it"))
}

#[test]
fn crates_depend_only_along_the_arrows() {
    let mut faults = String::new();
    for manifest in manifests::all() {
        for problem in manifest.dependencies(For::Itself).iter().filter_map(|found| fault(&manifest.name, found)) {
            writeln!(faults, "{problem}").unwrap();
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

#[test]
fn tests_depend_along_the_arrows_or_say_why_not() {
    let mut faults = String::new();
    for manifest in manifests::all() {
        let name = &manifest.name;
        let needed = FOR_TESTS.iter().find(|(of, ..)| of == name).map(|(_, needed, _)| *needed).unwrap_or_default();
        let found = manifest.dependencies(For::Tests);
        for (dependency, problem) in found.iter().filter_map(|found| Some((found, fault(name, found)?))) {
            if !needed.contains(&dependency.as_str()) {
                writeln!(faults, "tests: {problem}").unwrap();
            }
        }
        for stale in needed.iter().filter(|needed| !found.contains(**needed) || fault(name, needed).is_none()) {
            writeln!(faults, "tests of `{name}` need no exception for `{stale}`").unwrap();
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

#[test]
fn every_crate_has_its_arrows_written_down() {
    let listed = |name: &str, is_member| if is_member { ARROWS } else { OUTSIDE }.iter().any(|(of, _)| *of == name);
    let all = manifests::all();
    let unknown: Vec<_> = all.iter().filter(|m| !listed(&m.name, m.is_member)).map(|m| m.name.as_str()).collect();
    assert!(unknown.is_empty(), "no arrows for {unknown:?}: add them here and to docs/architecture.md");
    let gone: Vec<_> = ARROWS.iter().chain(OUTSIDE).filter(|(of, _)| all.iter().all(|m| m.name != *of)).collect();
    assert!(gone.is_empty(), "arrows of crates that are not there: {gone:?}");
}

#[test]
fn the_architecture_shows_the_arrows_that_are_held() {
    let document = crate::read(&crate::root_join("docs/architecture.md"));
    let section = document.split("\n## Arrows\n").nth(1).unwrap_or_default().split("\n## ").next().unwrap_or_default();
    let mut faults = String::new();
    for (name, allowed) in ARROWS {
        let Some(row) = section.lines().find(|line| line.starts_with('|') && line.contains(&format!("`{name}`")))
        else {
            writeln!(faults, "`{name}` has no row").unwrap();
            continue;
        };
        let said = row.split('|').nth(2).unwrap_or_default().trim();
        let expected = expected(name, &allowed.split_whitespace().collect::<Vec<_>>());
        if said != expected {
            writeln!(faults, "`{name}`: the page says `{said}`, held is `{expected}`").unwrap();
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

/// The cell of a crate: short names, or what little is missing.
fn expected(name: &str, allowed: &[&str]) -> String {
    let others = ARROWS.iter().filter(|(of, _)| *of != name && *of != "iog-tests");
    let others = others.filter_map(|(of, _)| of.strip_prefix("iog-"));
    let missing: Vec<&str> = others.filter(|of| !allowed.contains(of)).collect();
    match (allowed.len(), missing.len()) {
        (0, _) => "none of ours".to_owned(),
        (_, 1 | 2) => format!("all of them but {}", missing.join(", ")),
        _ => allowed.join(", "),
    }
}
