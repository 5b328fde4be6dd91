//! A module that nobody can compile, approved by auditors who did not try: a gateway refuses it, and neither the gateway nor
//! those who ask it for something else feel anything. The gateway is a process of its own here, so that it can be measured.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::deployment::{Deployment, home};
use crate::harness::process::status;
use crate::harness::settings::{TARGET, TRACEBACK, service_over, traceback};

/// How long the gateway may take until it has given the bomb up: its wall time and what the machine takes besides.
const GIVEN_UP_MAX: Duration = Duration::from_secs(60);
/// What the gateway may grow by, in KiB. The bomb takes a gigabyte where it is compiled.
const GROWTH_MAX_KIB: u64 = 64 << 10;

/// A component that passes every count: five thousand values on the stack, alive over ten thousand branches. No counting of
/// variables sees them, and a compiler has to keep all of them apart.
fn bomb() -> Vec<u8> {
    let mut code = String::from("(func (param i32) (result i32) ");
    for value in 0..5_000 {
        write!(code, "(i32.load offset={} (local.get 0)) ", value * 4).expect("texts grow");
    }
    for block in 0..9_900 {
        write!(code, "(if (local.get 0) (then (i32.store offset={block} (local.get 0) (local.get 0)))) ")
            .expect("texts grow");
    }
    code += &"(i32.xor) ".repeat(4_999);
    let text = format!(
        r#"(component (core module $m (memory 1) {code}) (func (export "run")))
           (core instance $i (instantiate $m))
           (func (export "run") (canon lift (core func $i "run"))))"#
    );
    wat::parse_str(text).expect("it is valid")
}

/// Its manifest: it asks for no data.
fn manifest() -> String {
    let head = "[module]\nname = \"iog/bomb\"\nversion = \"1.0.0\"\nsummary = \"Does nothing\"\nentry = [\"run\"]\n";
    let (_, tail) = TRACEBACK.manifest.split_once("[limits]").expect("it has limits");
    format!("{head}\n[limits]{tail}")
}

/// Children of a process.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let parent = format!("PPid:\t{pid}\n");
    let all = fs::read_dir("/proc")
        .expect("there is a `/proc`")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let pids = all.filter_map(|name| name.parse().ok());
    pids.filter(|child| fs::read_to_string(format!("/proc/{child}/status")).is_ok_and(|text| text.contains(&parent)))
        .collect()
}

/// One honest call, and how long it took.
fn ask(network: &Deployment) -> (Value, Duration) {
    let (home, target) = (home("response"), format!("target={TARGET}"));
    let begun = Instant::now();
    let args = ["call", "ip-traceback", "--domain", "as64500", "--param", &target, "--home", &home];
    (network.iog.json(&args), begun.elapsed())
}

#[test]
fn a_module_that_nobody_can_compile_is_the_matter_of_its_author_alone() {
    let network = Deployment::found();
    for domain in ["as64500", "response"] {
        network.join(domain);
    }
    network.publish(TRACEBACK.wasm, TRACEBACK.manifest);
    let unbound = service_over("bomb", "iog/bomb@1.0.0", "");
    network.configure("as64500", &format!("{}{unbound}", traceback()));
    let gateway = network.serve("as64500");
    assert!(gateway.said_first["compiling"].as_str().is_some_and(|text| text.starts_with("in a child (limits")));
    network.wait_for_services("response", 1);
    let pid = gateway.pid();
    let (_, usual) = ask(&network);
    let (resident, threads) = (status(pid, "VmRSS:"), status(pid, "Threads:"));

    network.publish_with(1, &bomb(), &manifest());
    let begun = Instant::now();
    while children(pid).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(30), "the gateway tries the module");
        std::thread::sleep(Duration::from_millis(20));
    }
    let begun = Instant::now();
    let (mut asked, mut slowest) = (0, Duration::ZERO);
    while !children(pid).is_empty() {
        assert!(begun.elapsed() < GIVEN_UP_MAX, "the gateway gives the module up");
        let (answer, took) = ask(&network);
        assert_eq!(answer["answered"], json!(1), "{answer}");
        (asked, slowest) = (asked + 1, slowest.max(took));
    }
    let (given_up, peak) = (begun.elapsed(), status(pid, "VmHWM:"));
    assert!(asked > 0 && peak < resident + GROWTH_MAX_KIB, "{asked} asked, {resident} KiB grew to {peak} KiB");
    eprintln!(
        "given up after {given_up:?}; {asked} honest calls meanwhile, the slowest {slowest:?}, before {usual:?}; \
         resident {resident} KiB, at most {peak} KiB"
    );

    // Idle threads end after ten seconds; the module is not tried again at the next rounds.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(12) {
        assert!(children(pid).is_empty(), "it is remembered");
        std::thread::sleep(Duration::from_millis(100));
    }
    let after = status(pid, "Threads:");
    assert!(after <= threads + 1, "{threads} threads before, {after} after");
    assert_eq!(ask(&network).0["answered"], json!(1));
}
