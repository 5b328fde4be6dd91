//! Modules whose declared queries explode, at a whole gateway that is a process of its own. The center refuses them; a stolen
//! center and bribed auditors put them into the log nevertheless, and the gateway refuses them itself. What is within all bounds
//! and heavy ends at its run's wall limit. Memory is measured from outside, and an honest caller asks all the time.

mod bribed;
mod honest;
mod manifests;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use iog_home::connect;
use iog_machine::SystemClock;
use iog_protocol::api::ApiErrorCode;
use iog_protocol::ids::Digest;
use iog_protocol::run::{LimitKind, Outcome};
use serde_json::json;

use self::bribed::Bribed;
use self::honest::{Asking, DOMAIN};
use self::manifests::{Written, doubled_texts, pairs, patterns, self_joins, wide_joins, written};
use crate::harness::caller::{Caller, declined, refused, through};
use crate::harness::deployment::Deployment;
use crate::harness::play;
use crate::harness::process::{Server, status};
use crate::harness::settings::{BORDER, HELLO, TARGET, dataset, service, service_over};

/// Rows of the dataset that heavy queries read.
const ROWS: usize = 60_000;
/// Memory of each heavy run: its module's and its queries', in MiB.
const MODULE_MIB: u64 = 64;
const QUERIES_MIB: u64 = 64;
/// Wall limit of each heavy run.
const WALL_S: u64 = 2;
/// What the gateway may grow by for modules that it refuses, in KiB. The first of the audit's took 9.3 GB.
const REFUSED_KIB_MAX: u64 = 64 << 10;
/// How long the gateway may take until it has refused all of them.
const REFUSED_MAX: Duration = Duration::from_secs(30);
/// The longest that an honest call may take, on a machine whose processors the heavy runs share with everything else.
const HONEST_MAX: Duration = Duration::from_secs(5);

/// What explodes when it is planned, and in one expression.
fn exploding() -> [Written; 4] {
    [
        written("ctes-few", &self_joins(12), MODULE_MIB, WALL_S),
        written("ctes-many", &self_joins(24), MODULE_MIB, WALL_S),
        written("texts", &doubled_texts(11), MODULE_MIB, WALL_S),
        written("joins", &wide_joins(60), MODULE_MIB, WALL_S),
    ]
}

/// What is within all bounds and does not end in time.
fn heavy() -> [Written; 3] {
    [
        written("heavy-pairs", &pairs(), MODULE_MIB, WALL_S),
        written("heavy-texts", &doubled_texts(8), MODULE_MIB, WALL_S),
        written("heavy-patterns", &patterns(), MODULE_MIB, WALL_S),
    ]
}

/// Flows to [`TARGET`] from many addresses.
fn many_flows() -> String {
    let mut text = "start,end,src,dst,proto,src_port,dst_port,packets,bytes,tcp_flags,ingress_as\n".to_owned();
    for row in 0..ROWS {
        let (high, low) = (row / 250, row % 250);
        writeln!(text, "{row},{row},10.1.{high}.{low},{TARGET},17,53,40000,2,3000,0,64510").expect("texts grow");
    }
    text
}

/// A network of processes whose one gateway offers `hello` and all of the attacker's modules.
struct Stage {
    network: Deployment,
    gateway: Server,
    log: std::path::PathBuf,
    address: String,
    hello: Digest,
    heavy: Vec<(&'static str, Digest)>,
}

impl Stage {
    fn set() -> Self {
        let network = Deployment::found();
        for domain in [DOMAIN, "response", "crowd"] {
            network.join(domain);
        }
        let hello = network.publish(HELLO.wasm, HELLO.manifest).parse().expect("a digest");
        let published = heavy().map(|module| (module.name, network.publish(&module.wasm, &module.manifest)));
        let mut tables = format!("[capacity]\nruns_max = 4\nquery_memory_mib = {QUERIES_MIB}\n{BORDER}");
        tables += &dataset("many", "flow/1", "many.csv");
        tables += &service("hello", "iog/hello@1.0.0");
        for module in heavy().iter().chain(&exploding()) {
            tables += &service_over(module.name, &format!("iog/{}@9.0.0", module.name), "flows = \"many\"");
        }
        network.configure(DOMAIN, &tables);
        std::fs::write(network.folder().join("many.csv"), many_flows()).expect("it is written");
        let log = network.folder().join("gateway.log");
        let gateway = network.serve_logging(DOMAIN, &log);
        network.wait_for_services("response", 1 + published.len());
        let port = std::fs::read_to_string(network.folder().join(format!("{DOMAIN}.port"))).expect("it enrolled");
        let heavy = published.into_iter().map(|(name, digest)| (name, digest.parse().expect("a digest"))).collect();
        Self { network, gateway, log, address: format!("localhost:{port}"), hello, heavy }
    }

    fn caller(&self, domain: &str) -> Caller {
        play(Caller::at(&self.network.home_of(domain), Arc::new(SystemClock)))
    }

    /// What the gateway had resident at most, and what it had before.
    fn grown_kib(&self, before: u64) -> u64 {
        status(self.gateway.pid(), "VmHWM:").saturating_sub(before)
    }

    /// Waits until the gateway has told its operator why it does not offer a module.
    fn refusal(&self, module: &str) -> String {
        let begun = Instant::now();
        loop {
            let log = std::fs::read_to_string(&self.log).expect("it logs");
            let mut lines = log.lines().map(plain).filter(|line| line.contains("a service cannot be prepared"));
            if let Some(line) = lines.find(|line| line.contains(&format!("service={module} "))) {
                return line;
            }
            assert!(begun.elapsed() < REFUSED_MAX, "the gateway says nothing of `{module}`: {log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A line of the log without colours.
fn plain(line: &str) -> String {
    line.split('\u{1b}')
        .enumerate()
        .map(|(at, part)| if at == 0 { part } else { part.split_once('m').map_or("", |p| p.1) })
        .collect()
}

#[test]
fn what_explodes_is_refused_and_what_is_heavy_ends_in_time() {
    let mut stage = Stage::set();
    let (asker, crowd) = (stage.caller("response"), stage.caller("crowd"));
    let resident = status(stage.gateway.pid(), "VmRSS:");
    let asking = Asking::begin(asker.clone(), stage.address.clone(), stage.hello);
    the_center_refuses_what_explodes(&stage, &asker);

    let bribed = Bribed::of(&stage.network, &asker);
    let log = bribed.log_with(&exploding());
    stage.network.center.take().expect("it runs").kill();
    let begun = Instant::now();
    let evil = play(bribed.serve(log, &exploding()));
    for Written { name, .. } in exploding() {
        let line = stage.refusal(name);
        assert!(line.contains("query `by-target`") && line.contains("are allowed"), "{line}");
    }
    let (refused_after, grown) = (begun.elapsed(), stage.grown_kib(resident));
    assert!(grown < REFUSED_KIB_MAX, "it grew by {grown} KiB");
    for Written { name, wasm, .. } in exploding() {
        let request = through(name, crowd.ask(DOMAIN, Digest::of(&wasm)));
        let outcome = play(crowd.outcome(&stage.address, request)).expect("a refusal is an answer");
        assert_eq!(refused(&outcome), "unavailable", "{name}: {outcome}");
    }
    eprintln!(
        "{} exploding modules refused after {refused_after:?}; the gateway grew by {grown} KiB",
        exploding().len()
    );
    let meanwhile = asking.end();
    assert!(meanwhile.slowest < HONEST_MAX, "{meanwhile}");
    eprintln!("honest calls meanwhile: {meanwhile}");

    what_is_heavy_ends_at_its_wall_limit(&stage, &asker, &crowd);
    play(evil.stop());
}

fn the_center_refuses_what_explodes(stage: &Stage, asker: &Caller) {
    let bribed = Bribed::of(&stage.network, asker);
    let center = connect::center(&asker.home, &asker.http);
    for module in exploding() {
        let error = play(center.submit_module(&bribed.submission_body(&module))).expect_err("it is refused");
        let said = iog_machine::error::chain(&error);
        assert_eq!(declined(&error), ApiErrorCode::InspectionFailed, "{said}");
        assert!(said.contains("query `by-target`") && said.contains("are allowed"), "{}: {said}", module.name);
    }
}

/// All of them at once, by one caller, beside the honest one.
fn what_is_heavy_ends_at_its_wall_limit(stage: &Stage, asker: &Caller, crowd: &Caller) {
    let resident = status(stage.gateway.pid(), "VmRSS:");
    let asking = Asking::begin(asker.clone(), stage.address.clone(), stage.hello);
    let runs = stage.heavy.iter().map(|(name, digest)| async move {
        let request = through(name, crowd.ask_for(DOMAIN, *digest, "trace", json!({"target": TARGET})));
        let begun = Instant::now();
        let outcome = crowd.outcome(&stage.address, request).await.expect("it is accepted");
        (*name, outcome, begun.elapsed())
    });
    let ended = play(futures::future::join_all(runs));
    let (meanwhile, grown) = (asking.end(), stage.grown_kib(resident));
    let configured_kib = (stage.heavy.len() as u64 * (MODULE_MIB + QUERIES_MIB)) << 10;
    eprintln!(
        "heavy: {ended:?}; honest calls meanwhile: {meanwhile}; grown by {grown} KiB of {configured_kib} configured"
    );
    for (name, outcome, took) in &ended {
        assert!(matches!(outcome, Outcome::Succeeded | Outcome::Limit { which: LimitKind::Time }), "{name}: {outcome}");
        // What an honest call takes meanwhile is what the machine adds to everything.
        let at_most = Duration::from_secs(WALL_S + 1) + meanwhile.slowest;
        assert!(*took < at_most, "{name} took {took:?}, {at_most:?} were allowed");
    }
    assert_eq!(ended[0].1, Outcome::Limit { which: LimitKind::Time }, "pairs of rows do not end by themselves");
    assert!(meanwhile.slowest < HONEST_MAX, "{meanwhile}");
    assert!(grown < configured_kib * 5 / 4, "it grew by {grown} KiB, {configured_kib} are configured");
}
