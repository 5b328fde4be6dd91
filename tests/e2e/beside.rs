//! All hostile modules beside an honest caller, in turn and then as many at once as get a place: a gateway stays within the
//! memory it is configured for, every run within its wall time, and the honest caller gets every answer. The gateway is a
//! process of its own, so that it is measured from outside.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use iog_machine::SystemClock;
use iog_protocol::ids::Digest;
use iog_protocol::manifest::Manifest;
use iog_protocol::run::Outcome;
use serde_json::{Value, json};

use crate::bombs::children;
use crate::crowding;
use crate::harness::caller::{Caller, through};
use crate::harness::deployment::Deployment;
use crate::harness::play;
use crate::harness::process::status;
use crate::harness::settings::{BORDER, HELLO, TARGET, dataset, hostile, service, service_over};
use crate::inputs;

const DOMAIN: &str = "as64500";
/// What the gateway is configured for: places, and MiB of a run and of its queries. A run may have the memory that its
/// service is given; `query_memory_mib` comes on top of it.
const PLACES: u64 = 4;
const RUN_MIB: u64 = 64;
const QUERY_MIB: u64 = 32;
/// Percent that it may take of that, beside what it is when idle: engine, registry, pool of instances.
const MEMORY_PERCENT: u64 = 125;
/// Seconds that a run may take, and milliseconds beyond that.
const WALL_S: u64 = 2;
const OVER_MS: u64 = 1_000;
/// Callers of the hostile domain that ask at once: more than it has places, so that some wait.
const ATTACKERS: usize = 6;
/// Calls of the honest caller before anybody else calls.
const IDLE_CALLS: usize = 60;
/// How many times slower the honest caller's 99th percentile may be beside them: its runs share two processors with three
/// that never end by themselves.
const SLOWER_MAX: u32 = 30;
/// Threads that a runtime keeps for further use, far fewer than there were attacks: those that block, while now and then one of
/// them is used, and those of guests.
const THREADS_KEPT: u64 = 16;
/// Rows of what the exploding queries read.
const ROWS: u32 = 60_000;

/// A call of a hostile module.
#[derive(Clone)]
struct Attack {
    service: String,
    module: Digest,
    entry: String,
    params: Value,
}

struct Stage {
    network: Deployment,
    address: String,
    hello: Digest,
    attacks: Vec<Attack>,
}

/// The guest that misbehaves, with another query behind its own name for it and one byte of its own.
fn exploding(at: u8, name: &str, sql: &str) -> (Vec<u8>, String) {
    let (wasm, manifest) = hostile();
    let wasm = [wasm, &[0, 2, 1, b'a' + at]].concat();
    let manifest = manifest.replace("iog/hostile", &format!("iog/{name}")).replace("SELECT packets FROM flows", sql);
    (wasm, open(&manifest))
}

/// The manifest with nothing to hide: a caller then sees what a run took, exactly.
fn open(manifest: &str) -> String {
    manifest.replace("class = \"reviewed\"", "class = \"open\"")
}

/// Queries that would go on for minutes, or keep gigabytes.
fn explosions() -> Vec<(&'static str, String)> {
    let patterns: Vec<_> = (0..40).map(|at| format!("ip_text(src) LIKE ip_text(dst) || '%{at}%'")).collect();
    let mut sorted = "WITH c0 AS (SELECT bytes, ip_text(dst) AS t FROM flows)".to_owned();
    for at in 1..=7 {
        write!(sorted, ", c{at} AS (SELECT bytes, t || t AS t FROM c{})", at - 1).expect("texts grow");
    }
    vec![
        ("sorted", format!("{sorted} SELECT bytes AS packets FROM c7 ORDER BY t")),
        ("patterns", format!("SELECT packets FROM flows WHERE {}", patterns.join(" OR "))),
        (
            "pairs",
            "SELECT a.packets FROM flows a JOIN flows b ON ip_text(a.src) || ip_text(b.src) < ip_text(b.dst)"
                .to_owned(),
        ),
    ]
}

/// Publishes one module and adds its calls, and its service.
fn offer(
    network: &Deployment,
    tables: &mut String,
    wasm: &[u8],
    manifest: &str,
    calls: Vec<(String, Value)>,
) -> Vec<Attack> {
    let declared = Manifest::parse(manifest).expect("a good manifest");
    let service = declared.module.name.to_string().replace("iog/", "");
    let has_data = !declared.data.is_empty();
    let digest = network.publish_with(if has_data { 2 } else { 1 }, wasm, manifest);
    *tables += &service_over(&service, &format!("iog/{service}@1.0.0"), if has_data { "flows = \"big\"" } else { "" });
    writeln!(tables, "[service.{service}.limits]\nmemory_mib = {RUN_MIB}\nwall_s = {WALL_S}").expect("texts grow");
    let module = digest.parse().expect("a digest");
    let attack = |(entry, params)| Attack { service: service.clone(), module, entry, params };
    calls.into_iter().map(attack).collect()
}

fn stage() -> Stage {
    let network = Deployment::found();
    for domain in [DOMAIN, "crowd", "response"] {
        network.join(domain);
    }
    let hello = network.publish(HELLO.wasm, HELLO.manifest).parse().expect("a digest");
    let big = dataset("big", "flow/1", "big.csv").replace("reviewed", "open");
    let mut tables = format!(
        "[capacity]\nruns_max = {PLACES}\nquery_memory_mib = {QUERY_MIB}\n{BORDER}{big}{}",
        service("hello", "iog/hello@1.0.0")
    );
    let of = |name: &str| -> Vec<(String, Value)> {
        let named = inputs::guests().into_iter().filter(|guest| guest.0 == name);
        named.map(|(_, entry, params, _)| (entry.to_owned(), params)).collect()
    };
    let mut calls = of("hostile");
    calls.extend([("sum".to_owned(), json!({})), ("leak-by-error".to_owned(), json!({}))]);
    let (wasm, manifest) = hostile();
    let mut attacks = offer(&network, &mut tables, wasm, &open(&manifest), calls);
    let machine = inputs::machine();
    attacks.extend(offer(&network, &mut tables, &machine, &open(&inputs::manifest_of_machine()), of("machine")));
    let many = open(&crowding::manifest("many", "spin", 2));
    attacks.extend(offer(&network, &mut tables, &crowding::many(), &many, vec![("spin".to_owned(), json!({}))]));
    let records = open(&crowding::manifest("records", "take", 10));
    let grows = vec![("take".to_owned(), json!({"p": vec![json!({}); 40_000]}))];
    attacks.extend(offer(&network, &mut tables, &crowding::records(), &records, grows));
    for (at, (name, sql)) in (0..).zip(explosions()) {
        let (wasm, manifest) = exploding(at, name, &sql);
        attacks.extend(offer(&network, &mut tables, &wasm, &manifest, vec![("sum".to_owned(), json!({}))]));
    }
    network.configure(DOMAIN, &tables);
    fs::write(network.folder().join("big.csv"), rows()).expect("a file is written");
    let port = fs::read_to_string(network.folder().join(format!("{DOMAIN}.port"))).expect("it enrolled");
    Stage { address: format!("localhost:{port}"), network, hello, attacks }
}

fn rows() -> String {
    let mut text = "start,end,src,dst,proto,packets,bytes,ingress_as\n".to_owned();
    for row in 0..ROWS {
        let (a, b) = (row % 250, row / 250 % 250);
        writeln!(text, "1000,1001,198.51.{b}.{a},203.0.{a}.{b},17,{row},{row},64510").expect("texts grow");
    }
    text
}

impl Stage {
    /// How many services there are: `hello` and every hostile module.
    fn services(&self) -> usize {
        1 + self.attacks.iter().map(|attack| attack.service.as_str()).collect::<BTreeSet<_>>().len()
    }

    fn caller(&self, domain: &str) -> Caller {
        play(Caller::at(&self.network.home_of(domain), Arc::new(SystemClock)))
    }

    /// One honest call, and how long it took.
    async fn honest(&self, asker: &Caller) -> Duration {
        let request = asker.ask_for(DOMAIN, self.hello, "packets-to", json!({"target": TARGET}));
        let begun = Instant::now();
        let outcome = asker.outcome(&self.address, through("hello", request)).await;
        assert_eq!(outcome, Ok(Outcome::Succeeded), "the honest caller is served");
        begun.elapsed()
    }

    /// One hostile call: it ends by its own doing or its own limits, within its wall time; in milliseconds.
    async fn attack(&self, crowd: &Caller, attack: &Attack) -> u64 {
        let Attack { service, module, entry, params } = attack;
        let request = crowd.ask_for(DOMAIN, *module, entry, params.clone());
        let believed = crowd.run(&self.address, through(service, request)).await;
        let believed = believed.unwrap_or_else(|code| panic!("{service}, {entry}: {code}"));
        let outcome = &believed.answer().outcome;
        let is_theirs = matches!(outcome, Outcome::Succeeded | Outcome::Limit { .. } | Outcome::Trapped { .. });
        assert!(is_theirs, "{service}, {entry}: {outcome}");
        let took = believed.receipt().cost.wall_ms;
        assert!(took <= WALL_S * 1_000 + OVER_MS, "{service}, {entry}: {took} ms of {WALL_S} s, {outcome}");
        took
    }

    /// All attacks, the honest caller meanwhile; how long its calls took, and the longest run of the others.
    async fn beside(&self, asker: &Caller, crowd: &Caller) -> (Vec<Duration>, u64) {
        let over = AtomicBool::new(false);
        let honest = async {
            let mut took = Vec::new();
            while !over.load(Ordering::Relaxed) {
                took.push(self.honest(asker).await);
            }
            took
        };
        let hostile = async {
            let mut longest = 0;
            for attack in &self.attacks {
                longest = longest.max(self.attack(crowd, attack).await);
            }
            let shares = (0..ATTACKERS).map(|attacker| async move {
                let mut longest = 0;
                for attack in self.attacks.iter().skip(attacker).step_by(ATTACKERS) {
                    longest = longest.max(self.attack(crowd, attack).await);
                }
                longest
            });
            let at_once = futures::future::join_all(shares).await;
            over.store(true, Ordering::Relaxed);
            at_once.into_iter().fold(longest, u64::max)
        };
        tokio::join!(honest, hostile)
    }
}

/// The time within which so many in a hundred were done.
fn within(percent: usize, mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all[(all.len() * percent).div_ceil(100) - 1]
}

#[test]
fn all_hostile_modules_together_stay_within_what_is_configured_and_hinder_nobody() {
    let stage = stage();
    let entries = Manifest::parse(&hostile().1).expect("a good manifest").module.entry;
    let called: BTreeSet<&str> = stage.attacks.iter().map(|attack| attack.entry.as_str()).collect();
    assert!(entries.iter().all(|entry| called.contains(entry.as_str())), "each way to misbehave is tried: {called:?}");
    let log = stage.network.folder().join("gateway.log");
    let gateway = stage.network.serve_logging(DOMAIN, &log);
    stage.network.wait_for_services("response", stage.services());
    let (asker, crowd, pid) = (stage.caller("response"), stage.caller("crowd"), gateway.pid());

    let idle: Vec<_> = (0..IDLE_CALLS).map(|_| play(stage.honest(&asker))).collect();
    let cleared = fs::write(format!("/proc/{pid}/clear_refs"), "5");
    let (resident, threads) = (status(pid, "VmRSS:") >> 10, status(pid, "Threads:"));
    let (beside, longest) = play(stage.beside(&asker, &crowd));
    let grown = (status(pid, "VmHWM:") >> 10).saturating_sub(resident);
    let configured = PLACES * (RUN_MIB + QUERY_MIB);
    let (usual, slow, calls) = (within(99, idle), within(99, beside.clone()), beside.len());
    eprintln!(
        "figures: {} attacks twice beside {calls} honest calls, none failed; their p99 {usual:?} → {slow:?}; \
         longest hostile run {longest} ms of {} ms; resident {resident} MiB + {grown} MiB, configured {configured} MiB",
        stage.attacks.len(),
        WALL_S * 1_000,
    );
    assert!(calls >= IDLE_CALLS / 2, "the honest caller gets on: {calls} calls");
    assert!(slow <= usual * SLOWER_MAX, "p99 {usual:?} idle, {slow:?} beside them");
    assert!(cleared.is_err() || grown * 100 <= configured * MEMORY_PERCENT, "{grown} MiB of {configured} MiB");
    assert!(children(pid).is_empty(), "nobody compiles any more");
    let begun = Instant::now();
    while status(pid, "Threads:") > threads + THREADS_KEPT {
        assert!(begun.elapsed() < Duration::from_secs(60), "{threads} threads before");
        std::thread::sleep(Duration::from_millis(100));
    }
    let log = fs::read_to_string(&log).expect("it has a log");
    assert!(!log.contains("panicked"), "{log}");
    play(stage.honest(&asker));
}
