//! What outsiders see, as tables that change only on purpose: the answer of every route to a stranger, to a certificate
//! without a token, and to a member; and the help of every command. `INSTA_UPDATE=always` writes them anew.

use std::fmt::Write as _;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, header};
use iog_protocol::api::{ENVELOPE_MEDIA_TYPE, JSON_MEDIA_TYPE, Problem, paths};
use iog_protocol::ids::Digest;
use iog_transport::{ClientTls, HttpClient, Request};

use crate::harness::caller::Caller;
use crate::harness::net::{ASKER, Net, PROVIDER};
use crate::harness::play;
use crate::harness::process::Iog;

const FORM: &str = "application/x-www-form-urlencoded";
const NO_RUN: &str = "00000000000000000000000000000000";

/// A method on a path, the media type of its empty body, and what stands for the path's parameter.
type Route = (Method, &'static str, &'static str, String);

fn center_routes() -> Vec<Route> {
    let nothing = Digest::of(b"nothing").to_string();
    let get = |path| (Method::GET, path, JSON_MEDIA_TYPE, nothing.clone());
    let post = |path, media_type| (Method::POST, path, media_type, nothing.clone());
    vec![
        get(paths::HEALTH),
        get(paths::LOG_CHECKPOINT),
        (Method::GET, paths::LOG_TILE, JSON_MEDIA_TYPE, "0/000.p/1".to_owned()),
        (Method::GET, paths::LOG_TILE, JSON_MEDIA_TYPE, "9/999".to_owned()),
        get(paths::GENESIS),
        get(paths::BLOB),
        (Method::GET, paths::BLOB, JSON_MEDIA_TYPE, "%ff".to_owned()),
        get(paths::MODULES),
        post(paths::MODULES, JSON_MEDIA_TYPE),
        get(paths::MODULE),
        post(paths::STATEMENTS, ENVELOPE_MEDIA_TYPE),
        post(paths::ENROLL, JSON_MEDIA_TYPE),
        get(paths::DOMAINS),
        post(paths::CERTIFICATES, JSON_MEDIA_TYPE),
        post(paths::TOKEN, FORM),
        get(paths::CATALOG),
        post(paths::CATALOG, ENVELOPE_MEDIA_TYPE),
        get(paths::RUNS),
        (Method::DELETE, paths::GENESIS, JSON_MEDIA_TYPE, nothing.clone()),
    ]
}

fn gateway_routes() -> Vec<Route> {
    let get = |path| (Method::GET, path, JSON_MEDIA_TYPE, NO_RUN.to_owned());
    vec![
        get(paths::HEALTH),
        get(paths::LOG_CHECKPOINT),
        (Method::GET, paths::LOG_TILE, JSON_MEDIA_TYPE, "0/000.p/1".to_owned()),
        (Method::POST, paths::RUNS, ENVELOPE_MEDIA_TYPE, String::new()),
        (Method::POST, paths::RUNS, JSON_MEDIA_TYPE, String::new()),
        (Method::POST, paths::SERVICE_RUNS, ENVELOPE_MEDIA_TYPE, "ip-traceback".to_owned()),
        (Method::POST, paths::SERVICE_RUNS, ENVELOPE_MEDIA_TYPE, "No%20Name".to_owned()),
        get(paths::RUN),
        (Method::GET, paths::RUN, JSON_MEDIA_TYPE, "%ff".to_owned()),
        get(paths::RUN_RECEIPT),
        get(paths::SERVICES),
        get(paths::LIMITS),
        get(paths::GENESIS),
        (Method::DELETE, paths::RUN, JSON_MEDIA_TYPE, NO_RUN.to_owned()),
    ]
}

/// Who asks: a client and what it shows.
struct Visitor<'a> {
    name: &'static str,
    http: &'a HttpClient,
    token: Option<&'a str>,
}

async fn answer(visitor: &Visitor<'_>, address: &str, (method, path, media_type, value): &Route) -> String {
    let url = format!("https://{address}{}", paths::fill(path, value));
    let mut request = match *method {
        Method::POST => Request::post(url, media_type, body_of(media_type)),
        _ => Request::new(method.clone(), url),
    };
    if let Some(token) = visitor.token {
        let value = HeaderValue::from_str(&format!("Bearer {token}")).expect("a token fits a header");
        request = request.header(header::AUTHORIZATION, value);
    }
    let response =
        visitor.http.send(request).await.unwrap_or_else(|error| panic!("{} {path}: {error:?}", visitor.name));
    let status = response.status.as_u16();
    if response.status.is_success() {
        return status.to_string();
    }
    if *path == paths::TOKEN {
        let error: serde_json::Value = serde_json::from_slice(&response.body).expect("RFC 6749, section 5.2");
        return format!("{status} {}", error["error"].as_str().or(error["code"].as_str()).expect("a code"));
    }
    let media_type = media_type_of(&response.headers);
    assert_eq!(media_type, "application/problem+json", "{} {method} {path}", visitor.name);
    let problem: Problem = serde_json::from_slice(&response.body).expect("a problem document");
    assert_eq!(problem.status, status);
    format!("{status} {}", problem.code)
}

/// The least that is a body of this type.
fn body_of(media_type: &str) -> &'static [u8] {
    if media_type == FORM { b"grant_type=client_credentials" } else { b"{}" }
}

fn media_type_of(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn table(visitors: &[Visitor<'_>], address: &str, routes: &[Route]) -> String {
    let mut text = format!("{:<6} {:<34}", "", "");
    for visitor in visitors {
        write!(text, " | {:<26}", visitor.name).expect("texts grow");
    }
    for route in routes {
        write!(text, "\n{:<6} {:<34}", route.0.as_str(), route.1).expect("texts grow");
        for visitor in visitors {
            write!(text, " | {:<26}", answer(visitor, address, route).await).expect("texts grow");
        }
    }
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_route_to_everybody() {
    let listed = |path| center_routes().iter().chain(&gateway_routes()).any(|route| route.1 == path);
    let forgotten: Vec<_> = paths::ALL.into_iter().filter(|path| !listed(*path)).collect();
    assert!(forgotten.is_empty(), "{forgotten:?}");
    play(async {
        let (net, _) = Net::usual().await;
        let member = Caller::of(&net, ASKER).await;
        let ca = std::fs::read_to_string(net.center_folder().join("ca.pem")).expect("it is public");
        let stranger = HttpClient::new(Arc::new(ClientTls::new(&ca, None, net.clock.clone()).expect("roots")));
        let visitors = [
            Visitor { name: "stranger", http: &stranger, token: None },
            Visitor { name: "certificate, no token", http: &member.http, token: None },
            Visitor { name: "member", http: &member.http, token: Some(&member.token) },
        ];
        let center = member.home.domain_file().center.clone();
        insta::assert_snapshot!("center_routes", table(&visitors, &center, &center_routes()).await);
        insta::assert_snapshot!("gateway_routes", table(&visitors, net.address(PROVIDER), &gateway_routes()).await);
        net.close().await;
    });
}

/// The commands that a help text lists.
fn commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

fn help_of(iog: &Iog, path: &[String], text: &mut String) {
    let mut args: Vec<&str> = path.iter().map(String::as_str).collect();
    args.push("--help");
    let help = iog.run(&args);
    assert_eq!((help.code, help.stderr.as_str()), (0, ""), "{args:?}");
    writeln!(text, "$ iog {}\n{}", args.join(" "), help.stdout.trim_end()).expect("texts grow");
    text.push('\n');
    for command in commands(&help.stdout) {
        help_of(iog, &[path, &[command]].concat(), text);
    }
}

#[test]
fn the_help_of_every_command() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut text = String::new();
    help_of(&Iog::at(folder.path()), &[], &mut text);
    let trimmed: Vec<&str> = text.lines().map(str::trim_end).collect();
    insta::assert_snapshot!("help", trimmed.join("\n"));
}
