//! The hostile inputs of docs/reliability.md, "Bad input", against a center and a gateway that are processes of their own, so
//! that they can be looked at from outside: nothing panics, memory stays within its cap, and threads, files and the number of
//! receipts afterwards are what they should be.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use iog_client::ClientError;
use iog_home::connect;
use iog_machine::SystemClock;
use iog_protocol::api::{ApiErrorCode, paths};
use iog_protocol::ids::Digest;
use iog_protocol::keys::SecretKey;
use iog_protocol::run::{LimitKind, Outcome};
use iog_tlog::Checkpoint;
use iog_transport::Request;
use serde_json::{Value, json};

use crate::bytes;
use crate::harness::caller::{Caller, through};
use crate::harness::deployment::Deployment;
use crate::harness::play;
use crate::harness::process::Server;
use crate::harness::settings::{BORDER, TRACEBACK, hostile, service, service_over};
use crate::modules::{Offer, honest};

const DOMAIN: &str = "as64500";
/// Memory of a run, MiB.
const MEMORY_MIB: u64 = 64;
/// What a server may take beside that, MiB: its caches and the parts of answers, which grow with the first requests.
const SLACK_MIB: u64 = 48;
/// How long threads and files may take to be gone: idle connections and idle threads end by themselves.
const SETTLED_MAX: Duration = Duration::from_secs(60);

/// A server that is looked at from outside.
struct Watched {
    server: Server,
    log: PathBuf,
    resident_kib: u64,
    threads: u64,
    files: usize,
}

impl Watched {
    /// From now on.
    fn new(server: Server, log: PathBuf) -> Self {
        let pid = server.pid();
        let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
        let (resident_kib, threads, files) = (status(pid, "VmRSS:"), status(pid, "Threads:"), open_files(pid));
        Self { server, log, resident_kib, threads, files }
    }

    /// Holds it to what it may take, and to what it may keep.
    fn is_as_it_was(&self) {
        let pid = self.server.pid();
        let grown = status(pid, "VmHWM:").saturating_sub(self.resident_kib) >> 10;
        assert!(grown < MEMORY_MIB + SLACK_MIB, "{grown} MiB were taken");
        let begun = Instant::now();
        // A connection of this caller may stay open, and a thread of the pool may come with it.
        while status(pid, "Threads:") > self.threads + 1 || open_files(pid) > self.files + 2 {
            let (threads, files) = (status(pid, "Threads:"), open_files(pid));
            let was = (self.threads, self.files);
            assert!(begun.elapsed() < SETTLED_MAX, "{threads} threads and {files} files, {was:?} before");
            std::thread::sleep(Duration::from_millis(100));
        }
        let log = fs::read_to_string(&self.log).expect("it has a log");
        assert!(!log.contains("panicked"), "{log}");
        assert!(log.lines().all(|line| !line.contains(|c: char| c.is_control() && c != '\t')), "{log}");
        eprintln!(
            "{}: resident {} MiB, at most {grown} MiB more; {} threads and {} files before, {} and {} afterwards",
            self.log.file_name().unwrap_or_default().display(),
            self.resident_kib >> 10,
            self.threads,
            self.files,
            status(pid, "Threads:"),
            open_files(pid),
        );
    }
}

/// The number in one line of a process's status.
fn status(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel says it");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

fn open_files(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).expect("it is ours").count()
}

/// What needs no data: each entry is one way to want more than there is.
pub(crate) fn machine() -> Vec<u8> {
    let entries = [
        ("fill", "", "(loop $l (memory.fill (i32.const 0) (i32.const 7) (i32.const 65536)) (br $l))"),
        ("copies", "", "(loop $l (memory.copy (i32.const 0) (i32.const 8) (i32.const 65528)) (br $l))"),
        ("grows", "", "(loop $l (drop (memory.grow (i32.const 16))) (br $l))"),
        ("recurses", "", "(call $deep)"),
        ("tails", "", "(call $tail)"),
        ("divides", "(result i32)", "(i32.div_u (i32.const 1) (i32.const 0))"),
        ("letters", "(result i32)", "(i32.const 0xd800)"),
        (
            "texts",
            "(result i32)",
            "(i32.store (i32.const 0) (i32.const -4)) (i32.store (i32.const 4) (i32.const 9)) (i32.const 0)",
        ),
    ];
    let core: String =
        entries.iter().map(|(name, result, body)| format!("(func (export \"{name}\") {result} {body})")).collect();
    let lifted: String = entries
        .iter()
        .map(|(name, ..)| {
            let (result, memory) = match *name {
                "divides" => ("(result u32)", ""),
                "letters" => ("(result char)", ""),
                "texts" => ("(result string)", "(memory (core memory $i \"memory\"))"),
                _ => ("", ""),
            };
            format!("(func (export \"{name}\") {result} (canon lift (core func $i \"{name}\") {memory}))")
        })
        .collect();
    let text = format!(
        r#"(component (core module $m (memory (export "memory") 1) (func $deep (call $deep) (call $deep))
             (func $tail (return_call $tail)) {core}) (core instance $i (instantiate $m)) {lifted})"#
    );
    wat::parse_str(text).expect("good WAT")
}

pub(crate) fn manifest_of_machine() -> String {
    "[module]\nname = \"iog/machine\"\nversion = \"1.0.0\"\nsummary = \"Wants more than there is\"\n\
     entry = [\"fill\", \"copies\", \"grows\", \"recurses\", \"tails\", \"divides\", \"letters\", \"texts\"]\n\
     [limits]\nfuel = 2_000_000_000\nmemory_mib = 64\nwall_s = 10\nresult_kib = 64\n\
     [release]\nclass = \"reviewed\"\n[source]\nrepository = \"https://iog.example/iog\"\ncommit = \"0\"\n"
        .to_owned()
}

/// How a run should end.
pub(crate) enum End {
    Limit(LimitKind),
    Trap,
    /// It succeeds, and its result is this, where it matters.
    Result(Option<Value>),
}

pub(crate) fn guests() -> Vec<(&'static str, &'static str, Value, End)> {
    use End::{Limit, Result, Trap};
    let odd = json!(["NaN", "NaN", "Infinity", "-Infinity", -0.0, 5e-324, 0.300_000_000_000_000_04]);
    let error = |text: &str| Result(Some(json!({ "err": text })));
    vec![
        ("hostile", "spin", json!({}), Limit(LimitKind::Fuel)),
        ("hostile", "grow", json!({"mebibytes": 4_000}), Result(None)),
        ("hostile", "flood-log", json!({"messages": 20_000, "bytes": 100}), Result(None)),
        ("hostile", "flood-progress", json!({"times": 50_000}), Result(None)),
        ("hostile", "flood-progress", json!({"times": 1_000_000}), Limit(LimitKind::HostCalls)),
        ("hostile", "open-undeclared", json!({"name": "../\u{1b}[2J\u{202e}"}), Result(None)),
        ("hostile", "open-with-too-many-params", json!({}), Result(None)),
        ("hostile", "read-wrong-kind", json!({}), Result(None)),
        ("hostile", "read-missing-column", json!({"column": u32::MAX}), Result(None)),
        ("hostile", "read-before-advance", json!({}), error("bad-column: there is no batch: call `advance` first")),
        ("hostile", "hoard-cursors", json!({"cursors": 10_000}), Trap),
        ("hostile", "huge-result", json!({"bytes": 60_000_000}), Limit(LimitKind::Memory)),
        ("hostile", "panics", json!({"message": "\n{\"level\":\"ERROR\"}\n"}), Trap),
        ("hostile", "recurse", json!({"depth": 10_000_000}), Trap),
        ("hostile", "hash-order", json!({"n": 1_000}), Result(None)),
        ("hostile", "odd-floats", json!({}), Result(Some(odd))),
        ("machine", "fill", json!({}), Limit(LimitKind::Fuel)),
        ("machine", "copies", json!({}), Limit(LimitKind::Fuel)),
        ("machine", "grows", json!({}), Limit(LimitKind::Fuel)),
        ("machine", "recurses", json!({}), Trap),
        ("machine", "tails", json!({}), Limit(LimitKind::Fuel)),
        ("machine", "divides", json!({}), Trap),
        ("machine", "letters", json!({}), Trap),
        ("machine", "texts", json!({}), Trap),
    ]
}

/// One run, its receipt verified; the result, where it has one.
fn run(
    asker: &Caller,
    address: &str,
    module: Digest,
    (service, entry, params, end): &(&str, &str, Value, End),
) -> Option<Value> {
    let request = through(service, asker.ask_for(DOMAIN, module, entry, params.clone()));
    let believed = play(asker.run(address, request)).unwrap_or_else(|code| panic!("{entry}: {code}"));
    let answer = believed.answer();
    let result = answer.result.as_ref().map(|result| result.to_value().expect("JSON"));
    match (end, &answer.outcome) {
        (End::Limit(which), outcome) => assert_eq!(*outcome, Outcome::Limit { which: *which }, "{entry}"),
        (End::Trap, Outcome::Trapped { kind }) => {
            assert!(*service == "machine" || kind == "trap", "{entry}: of data that are not open only that it trapped");
        }
        (End::Result(expected), Outcome::Succeeded) => {
            assert!(expected.is_none() || *expected == result, "{entry}: {result:?}");
            return result;
        }
        (_, outcome) => panic!("{entry}: {outcome}"),
    }
    assert!(result.is_none() && believed.receipt().result_digest.is_none(), "{entry}: nothing is kept of a result");
    None
}

/// Receipts in a gateway's log, by its signed head.
fn receipts(asker: &Caller, address: &str) -> u64 {
    let url = format!("https://{address}{}", paths::LOG_CHECKPOINT);
    let response = play(asker.http.send(Request::get(url))).expect("the log is public");
    let log = asker.log_of(&DOMAIN.parse().expect("a domain id"));
    Checkpoint::open(&response.body, &log).expect("its head is signed").size
}

#[test]
fn hostile_guests_leave_a_gateway_as_it_was() {
    let network = Deployment::found();
    network.join(DOMAIN);
    network.join("response");
    let (wasm, manifest) = hostile();
    let misbehaving: Digest = network.publish(wasm, &manifest).parse().expect("a digest");
    let machine: Digest = network.publish_with(1, &machine(), &manifest_of_machine()).parse().expect("a digest");
    let tables = format!(
        "{BORDER}{}{}",
        service("hostile", "iog/hostile@1.0.0"),
        service_over("machine", "iog/machine@1.0.0", "")
    );
    network.configure(DOMAIN, &tables);
    let log = network.folder().join("gateway.log");
    let server = network.serve_logging(DOMAIN, &log);
    network.wait_for_services("response", 2);
    let port = fs::read_to_string(network.folder().join(format!("{DOMAIN}.port"))).expect("it enrolled");
    let address = format!("localhost:{port}");
    let asker = play(Caller::at(&network.home_of("response"), Arc::new(SystemClock)));
    let sum = ("hostile", "sum", json!({}), End::Result(Some(json!({"ok": 14}))));
    run(&asker, &address, misbehaving, &sum);

    let watched = Watched::new(server, log);
    let mut ran = 1;
    let mut orders = Vec::new();
    for round in 0..2 {
        for guest in guests() {
            let module = if guest.0 == "machine" { machine } else { misbehaving };
            let begun = Instant::now();
            let result = run(&asker, &address, module, &guest);
            assert!(begun.elapsed() < Duration::from_secs(11), "{}: its own wall time ends it", guest.1);
            orders.extend(result.filter(|_| guest.1 == "hash-order"));
            ran += 1;
        }
        run(&asker, &address, misbehaving, &sum);
        ran += 1;
        assert_eq!(receipts(&asker, &address), ran, "one receipt each, round {round}");
    }
    assert_eq!(orders[0], orders[1], "a module has no chance of its own");
    watched.is_as_it_was();
    let text = fs::read_to_string(&watched.log).expect("it has a log");
    assert!(
        text.contains("the module wrote more to the log than is kept"),
        "the operators are told of what is missing"
    );
}

/// Files that no center may take, each with what its publisher signed for exactly these bytes.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let name = |name: &str| {
        let honest = wat::parse_str("(component (import \"abcdefgh\" (func)))").expect("good WAT");
        bytes::replaced(&honest, b"abcdefgh", name.as_bytes())
    };
    vec![
        ("a million types", bytes::types(1_000_000)),
        ("a million functions", bytes::functions(1_000_000)),
        ("a million globals", bytes::globals(1_000_000)),
        ("half a million exports", bytes::exports(500_000)),
        ("100,000 data segments", bytes::data_segments(100_000)),
        ("a function of 5 MB", bytes::function(0, &vec![1; 5_000_000])),
        ("50,000 locals", bytes::function(50_000, &[])),
        ("10,000 lists in each other", bytes::nested_lists(10_000)),
        ("300 kB of a section that nobody reads", bytes::with_custom(TRACEBACK.wasm, "x", &vec![0; 300_000])),
        ("a name that clears the screen", name("\u{1b}[2Jabcd")),
        ("a name that turns the line", name("ab\u{202e}cde")),
        ("a name with an end of line", name("ab\0\r\ncde")),
    ]
}

#[test]
fn hostile_files_leave_a_center_as_it_was() {
    let mut network = Deployment::found();
    network.join("response");
    let log = network.folder().join("center.log");
    network.center.take().expect("it runs").kill();
    let server = network.iog.serve_logging(&["center", "serve"], &log);
    let asker = play(Caller::at(&network.home_of("response"), Arc::new(SystemClock)));
    let center = connect::center(&asker.home, &asker.http);
    let pem = fs::read_to_string(network.folder().join("publisher.key")).expect("it was made");
    let key = SecretKey::from_pkcs8_pem(&pem).expect("a key");
    let size = asker.registry.size();
    let watched = Watched::new(server, log);
    for (name, wasm) in files() {
        let offer = Offer { wasm: &wasm, manifest: TRACEBACK.manifest, capabilities: honest(), key: &key };
        let begun = Instant::now();
        let problem = match play(center.submit_module(&offer.sign(&asker.registry))) {
            Err(ClientError::Declined { problem, .. }) => problem,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(problem.code, ApiErrorCode::InspectionFailed, "{name}: {problem}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{name}: {:?}", begun.elapsed());
        let shown = problem.to_string();
        assert!(shown.len() < 1_000 && !shown.contains(char::is_control), "{name}: {shown:?}");
        inspects_quietly(&network, &wasm, name);
    }
    let again = play(Caller::at(&network.home_of("response"), Arc::new(SystemClock)));
    assert_eq!(again.registry.size(), size, "nothing of all this is in the log");
    watched.is_as_it_was();
}

/// Whoever looks at such a file at a terminal sees what it is and nothing that drives the terminal.
fn inspects_quietly(network: &Deployment, wasm: &[u8], name: &str) {
    let file = Path::new("hostile.wasm");
    fs::write(network.folder().join(file), wasm).expect("a file is written");
    let done = network.iog.run_with(&["module", "inspect"], &[file.to_owned()]);
    assert_eq!(done.code, 1, "{name}: {}{}", done.stdout, done.stderr);
    let shown = done.stdout + &done.stderr;
    let is_quiet = |c: char| c == '\n' || !c.is_control() && !('\u{202a}'..='\u{202e}').contains(&c);
    assert!(shown.len() < 2_000 && shown.chars().all(is_quiet), "{name}: {shown:?}");
}
