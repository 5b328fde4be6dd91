//! A parameter is one thing with a name: no function outside tests takes a tuple that bundles several. Where two belong
//! together there is a struct that says so. It reads signatures as words and knows no aliases of types.

use std::fmt::Write as _;

use crate::tokens::{closing, tokens};

/// Pairs that are one thing: the ends of a range, and what a map holds. Lists and maps of tuples are tables, and may stay.
const IDIOMS: &[&str] = &["( low , high )", "( first , last )", "( key , value )"];

/// What is not code of ours that runs: tests, benchmarks, and guests, whose components have to be built again when they
/// change.
const OUTSIDE: &[&str] = &["tests/", "modules/", "guest-sdk/", "host/import/fuzz/"];

#[test]
fn no_parameter_is_a_bundle() {
    let mut faults = String::new();
    for path in crate::files(&["rs"]) {
        let shown = crate::shown(&path);
        let tests = ["/tests/", "/benches/", "tests.rs"].iter().any(|part| shown.contains(part));
        if tests || OUTSIDE.iter().any(|folder| shown.starts_with(folder)) {
            continue;
        }
        let source = crate::read(&path);
        let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (function, parameter) in bundles(code) {
            writeln!(faults, "{shown}: `{function}` takes `{parameter}`: part it, or give it a struct").unwrap();
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

/// Functions with their parameters that are tuples, or may be one, and no idiom.
fn bundles(source: &str) -> Vec<(String, String)> {
    let words = tokens(source);
    let mut found = Vec::new();
    for at in 0..words.len() {
        let Some(open) = parameters(&words, at) else { continue };
        let close = closing(&words, open);
        for parameter in parts(&words[open + 1..close]) {
            let Some(colon) = parameter.iter().position(|word| *word == ":") else { continue };
            let pattern = parameter[..colon].join(" ");
            if is_tuple(&parameter[colon + 1..]) && !IDIOMS.contains(&pattern.as_str()) {
                found.push((words[at + 1].to_owned(), parameter.join(" ")));
            }
        }
    }
    found
}

/// Where the parameters begin of the function whose `fn` stands here.
fn parameters(words: &[&str], at: usize) -> Option<usize> {
    let named = words[at] == "fn" && words.get(at + 1).is_some_and(|word| *word != "(");
    let mut next = if named { at + 2 } else { return None };
    if words.get(next) == Some(&"<") {
        let mut depth = 0;
        while let Some(word) = words.get(next) {
            depth += angle(words, next, word);
            next += 1;
            if depth == 0 {
                break;
            }
        }
    }
    (words.get(next) == Some(&"(")).then_some(next)
}

/// The parts between the commas outside all brackets.
fn parts<'a, 'w>(words: &'a [&'w str]) -> Vec<&'a [&'w str]> {
    let (mut depth, mut from, mut found) = (0, 0, Vec::new());
    for (at, word) in words.iter().enumerate() {
        depth += match *word {
            "(" | "[" | "{" => 1,
            ")" | "]" | "}" => -1,
            word => angle(words, at, word),
        };
        if *word == "," && depth == 0 {
            found.push(&words[from..at]);
            from = at + 1;
        }
    }
    found.push(&words[from..]);
    found
}

/// 1 where an angle bracket opens, -1 where one closes, which the end of an arrow does not.
fn angle(words: &[&str], at: usize, word: &str) -> i32 {
    match word {
        "<" => 1,
        ">" if at == 0 || words[at - 1] != "-" => -1,
        _ => 0,
    }
}

/// Whether a type is a tuple, a reference to one, or an optional one. Brackets around one type do not make one.
fn is_tuple(ty: &[&str]) -> bool {
    let start = ty.iter().position(|word| !["&", "mut", "Option", "<"].contains(word)).unwrap_or(ty.len());
    ty.get(start) == Some(&"(") && parts(&ty[start + 1..closing(ty, start)]).len() > 1
}

#[test]
fn bundles_are_found_and_idioms_are_not() {
    let found = |source: &str| bundles(source).into_iter().map(|(_, parameter)| parameter).collect::<Vec<_>>();
    assert_eq!(
        found("fn a<'a, F: Fn(u8) -> u8>(&self, (x, y): (&'a str, u8), z: u8) {}"),
        ["( x , y ) : ( & str , u8 )"]
    );
    assert_eq!(found("fn b(x: Option<(u8, Vec<u8>)>);"), ["x : Option < ( u8 , Vec < u8 > ) >"]);
    let fine = "fn c((low, high): (u8, u8), list: &[(u8, u8)], error: &(dyn A + B), f: impl Fn(u8, u8) -> (u8, u8),
        State(x): State<X>, map: BTreeMap<u8, (u8, u8)>, g: fn(u8, u8)) { let z = |(a, b): (u8, u8)| a; }";
    assert_eq!(found(fine), Vec::<String>::new());
}
