//! Every route says who may ask. A handler takes who asks as an argument, as the type that only certificate and token can
//! make, or it is listed here as public, with the reason. What the golden tables of `tests/e2e` say of strangers must fit.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::tokens::{closing, tokens};

/// A server: its table of routes, the folder of its handlers, what strangers get of it, and what of it is public.
struct Server {
    table: &'static str,
    handlers: &'static str,
    golden: &'static str,
    /// Handlers that do not ask who it is, and why they need not.
    public: &'static [(&'static str, &'static str)],
}

/// The types of arguments that only an authenticated caller has: whoever is nobody is turned away where one is made. An
/// `Option` of one is not one of them.
const CALLERS: &[&str] = &["Identified", "Connected", "Certified"];

const GATEWAY: Server = Server {
    table: "host/gateway/src/routes/mod.rs",
    handlers: "host/gateway/src/routes",
    golden: "tests/e2e/snapshots/e2e__golden__gateway_routes.snap",
    public: &[
        ("log::checkpoint", "the receipt log holds commitments"),
        ("log::tile", "the receipt log holds commitments"),
        ("log::health", "for monitoring"),
    ],
};

const CENTER: Server = Server {
    table: "center/server/src/router.rs",
    handlers: "center/server/src/routes",
    golden: "tests/e2e/snapshots/e2e__golden__center_routes.snap",
    public: &[
        ("health::get", "for monitoring"),
        ("log::checkpoint", "the registry is public"),
        ("log::tile", "the registry is public"),
        ("genesis::get", "the registry is public"),
        ("blobs::get", "what is reviewed is public; readers compare the digest"),
        ("module_show::get", "the registry is public"),
        ("module_list::get", "the registry is public"),
        ("module_submit::post", "the publisher's signature counts, not the connection"),
        ("statements::post", "signatures count, not the connection"),
        ("enroll::post", "who joins has no certificate yet; the secret of its join token counts"),
        ("domains::get", "the registry is public"),
        ("catalog_search::get", "descriptors are what domains want to be known"),
    ],
};

/// A row of a table of routes.
#[derive(Debug, PartialEq, Eq)]
struct Route {
    method: String,
    /// The name of its constant.
    path: String,
    /// File and function.
    handler: String,
}

#[test]
fn every_route_knows_who_asks_or_is_public() {
    let mut faults = String::new();
    for server in [GATEWAY, CENTER] {
        let routes = routes(&read(server.table));
        assert!(routes.len() > 5, "{}: the table was not found: {routes:?}", server.table);
        let source = |file: &str| read(&format!("{}/{file}.rs", server.handlers));
        faults.push_str(&unguarded(&routes, &server, &source));
        faults.push_str(&told_otherwise(&routes, &server, &read(server.golden)));
    }
    assert!(faults.is_empty(), "\n{faults}");
}

fn read(path: &str) -> String {
    crate::read(&crate::root_join(path))
}

/// The rows `.route(paths::X, get(a::b).post(c::d))`.
fn routes(table: &str) -> Vec<Route> {
    let words = tokens(table);
    let mut found = Vec::new();
    let mut path = String::new();
    for at in 0..words.len() {
        match words[at..] {
            ["route", "(", "paths", "::", name, ..] => name.clone_into(&mut path),
            [method @ ("get" | "post" | "put" | "patch" | "delete" | "any"), "(", ..] => {
                let end = words[at..].iter().position(|word| *word == ")").map_or(words.len(), |length| at + length);
                let handler = words[at + 2..end].join("");
                let handler = handler.strip_prefix("routes::").unwrap_or(&handler).to_owned();
                found.push(Route { method: method.to_uppercase(), path: path.clone(), handler });
            }
            _ => {}
        }
    }
    found
}

/// Handlers that neither know who asks nor are listed as public, and lines of that list that mean nothing.
fn unguarded(routes: &[Route], server: &Server, source: &dyn Fn(&str) -> String) -> String {
    let mut faults = String::new();
    for Route { method, path, handler } in routes {
        let Some((file, function)) = handler.split_once("::") else {
            writeln!(faults, "{method} {path}: `{handler}` is not a function of a file in {}", server.handlers)
                .unwrap();
            continue;
        };
        let is_public = server.public.iter().any(|(public, _)| public == handler);
        match (knows_who_asks(&source(file), function), is_public) {
            (false, false) => writeln!(faults, "{method} {path}: `{handler}` takes none of {CALLERS:?}").unwrap(),
            (true, true) => writeln!(faults, "`{handler}` is listed as public and takes the caller").unwrap(),
            _ => {}
        }
    }
    for (public, _) in server.public.iter().filter(|(public, _)| routes.iter().all(|route| route.handler != *public)) {
        writeln!(faults, "`{public}` is listed as public and is not a route of {}", server.table).unwrap();
    }
    faults
}

/// Whether an argument of a function is of a type that only an authenticated caller has.
fn knows_who_asks(source: &str, function: &str) -> bool {
    let words = tokens(source);
    let Some(start) = words.windows(3).position(|three| three == ["fn", function, "("]) else { return false };
    let end = (start..words.len()).find(|at| matches!(words[*at], "{" | ";") && balanced(&words[start..*at]));
    let signature = &words[start..end.unwrap_or(words.len())];
    signature.windows(2).any(|two| two[0] == ":" && CALLERS.contains(&two[1]))
}

/// Types of `CALLERS` that somebody who is nobody could have too: what their extractor gives is an `Option`, or it refuses nobody.
fn given_to_anybody(source: &str) -> Vec<&'static str> {
    let words = tokens(source);
    let block = |open: usize| &words[open..=closing(&words, open)];
    let is_open = |caller: &&&str| {
        let starts = |form: &[&str]| words.windows(form.len()).position(|found| found == form);
        let optional = starts(&["struct", caller, "("]).is_some_and(|at| block(at + 2).contains(&"Option"));
        let extractor = starts(&["FromRequestParts", "<", "S", ">", "for", caller]);
        let refuses_nobody = extractor
            .and_then(|at| (at..words.len()).find(|at| words[*at] == "{"))
            .is_some_and(|open| block(open).windows(4).any(|four| four == ["type", "Rejection", "=", "Infallible"]));
        optional || refuses_nobody
    };
    CALLERS.iter().filter(is_open).copied().collect()
}

#[test]
fn who_asks_is_somebody() {
    let mut made = 0;
    for server in [GATEWAY, CENTER] {
        for path in crate::files(&["rs"]).into_iter().filter(|path| crate::shown(path).starts_with(server.handlers)) {
            let source = crate::read(&path);
            made += source.matches(" FromRequestParts<S> for ").count();
            assert_eq!(given_to_anybody(&source), [""; 0], "{}: nobody is turned away", crate::shown(&path));
        }
    }
    assert!(made >= CALLERS.len(), "where callers are made was not found");
    let optional = "pub struct Connected(pub Option<DomainId>);";
    assert_eq!(given_to_anybody(optional), ["Connected"]);
    let harmless =
        "struct Certified(Id); impl<S: Sync> FromRequestParts<S> for Certified { type Rejection = Infallible; }";
    assert_eq!(given_to_anybody(harmless), ["Certified"]);
    let refusing =
        "struct Certified(Id); impl<S> FromRequestParts<S> for Certified where X: Y { type Rejection = Refused; }
        impl<S> OptionalFromRequestParts<S> for Certified { type Rejection = Infallible; }";
    assert_eq!(given_to_anybody(refusing), [""; 0], "`Option<Certified>` is not `Certified`");
}

fn balanced(words: &[&str]) -> bool {
    let count =
        |open, close| words.iter().filter(|w| **w == open).count() == words.iter().filter(|w| **w == close).count();
    count("(", ")") && count("{", "}")
}

/// Routes that the golden table lacks, or of which it says something else: strangers are sent away where a handler asks who
/// it is, and nowhere else.
fn told_otherwise(routes: &[Route], server: &Server, golden: &str) -> String {
    let paths = paths(&read("center/protocol/src/api/paths.rs"));
    let mut faults = String::new();
    for Route { method, path, handler } in routes {
        let begins = |line: &&str| {
            let mut words = line.split_whitespace();
            words.next() == Some(method.as_str()) && words.next() == paths.get(path).map(String::as_str)
        };
        let rows: Vec<&str> = golden.lines().filter(begins).collect();
        let turned_away =
            rows.iter().any(|row| row.split('|').nth(1).is_some_and(|said| said.trim().starts_with("401")));
        let is_public = server.public.iter().any(|(public, _)| public == handler);
        if rows.is_empty() {
            writeln!(faults, "{method} {path} is not in {}", server.golden).unwrap();
        } else if turned_away == is_public {
            writeln!(faults, "{method} {path}: {} shows a stranger turned away: {turned_away}", server.golden).unwrap();
        }
    }
    faults
}

/// The paths by the names of their constants.
fn paths(source: &str) -> BTreeMap<String, String> {
    let constant = |line: &str| {
        let (name, value) = line.strip_prefix("pub const ")?.split_once(": &str = \"")?;
        Some((name.to_owned(), value.trim_end_matches("\";").to_owned()))
    };
    source.lines().filter_map(constant).collect()
}

#[test]
fn a_handler_that_asks_nobody_is_noticed() {
    let table =
        "Router::new().route(paths::RUN, get(runs::show).delete(runs::cancel)).route(paths::LIMITS, get(limits::show))";
    let routes = routes(table);
    let shown: Vec<String> = routes.iter().map(|r| format!("{} {} {}", r.method, r.path, r.handler)).collect();
    assert_eq!(shown, ["GET RUN runs::show", "DELETE RUN runs::cancel", "GET LIMITS limits::show"]);
    let source = |file: &str| match file {
        "runs" => {
            "async fn show(Named(id): Named, Identified { caller, .. }: Identified) -> Response { … }
                   async fn cancel(State(x): State<X>, who: Option<Identified>) -> Response { let y: Identified = x; }"
        }
        _ => "async fn show(_: Identified) -> Response { … }",
    };
    let server = Server { public: &[("limits::show", "a wrong line"), ("gone::get", "an old line")], ..GATEWAY };
    let said = unguarded(&routes, &server, &|file| source(file).to_owned());
    assert!(said.contains("DELETE RUN: `runs::cancel` takes none of"), "{said}");
    assert!(said.contains("`limits::show` is listed as public and takes the caller"), "{said}");
    assert!(said.contains("`gone::get` is listed as public and is not a route"), "{said}");
    assert_eq!(said.lines().count(), 3, "{said}");
    let golden = "GET    /v1/runs/{request_id}  | 200  | 200 | 200\nGET    /v1/limits  | 401 x | 200 | 200";
    let said = told_otherwise(&routes, &server, golden);
    assert!(said.contains("GET RUN: "), "a stranger gets what only members may: {said}");
    assert!(said.contains("DELETE RUN is not in"), "{said}");
    assert!(said.contains("GET LIMITS: "), "what is public turns a stranger away: {said}");
}
