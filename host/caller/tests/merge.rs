//! Joining what many domains answered: it grows with them, its limits are the caller's, and where it fails the parts stay
//! and the limit is named.
#![expect(clippy::unwrap_used, reason = "a failed step of a test must panic")]

use std::time::{Duration, Instant};

use iog_caller::merge::{Answers, Joiner, merge};
use iog_caller::{LeftOut, LimitKind, MergeLimits, Merged, Part, PartOutcome, Spoils, Unmerged, Why};
use iog_module::{Examined, Source};
use iog_protocol::ids::Asn;
use iog_protocol::run::ResultJson;
use iog_sandbox::{Provider, Sandbox, SandboxConfig};
use serde_json::{Value, json};

const WASM: &[u8] = include_bytes!("../../../modules/prebuilt/ip-traceback.wasm");
const MANIFEST: &str = include_str!("../../../modules/ip-traceback/iog.toml");

/// A domain that names so many neighbours of its own.
fn answer(number: u32, neighbours: u32) -> Part {
    let ingress: Vec<Value> = (0..neighbours)
        .map(|n| {
            json!({"asn": 100_000 + n, "flows": 12_345 + n, "packets": 1_234_567, "bytes": 1_234_567_890,
                "sources": 4_321, "first-us": 1_763_000_000_000_000_i64, "last-us": 1_763_000_600_000_000_i64})
        })
        .collect();
    let nothing = json!({"flows": 0, "packets": 0, "bytes": 0, "sources": 0, "first-us": null, "last-us": null});
    let report = json!({"ok": {"target": "203.0.113.10/32", "ingress": ingress, "inside": nothing, "flows": 1,
        "packets": 1, "bytes": 1}});
    part(number, PartOutcome::Result(ResultJson::parse(report.to_string()).unwrap()))
}

fn part(number: u32, outcome: PartOutcome) -> Part {
    Part {
        domain: format!("as{}", 64_500 + number).parse().unwrap(),
        asn: Some(Asn(64_500 + number)),
        address: None,
        request_id: None,
        outcome,
        receipt: None,
        left_bytes: 0,
        bundle: None,
    }
}

async fn joined(parts: &[Part], limits: MergeLimits) -> Merged {
    joined_by(Source { wasm: WASM, manifest: MANIFEST }, "trace", parts, limits).await
}

async fn joined_by(source: Source<'_>, entry: &str, parts: &[Part], limits: MergeLimits) -> Merged {
    let sandbox = Sandbox::new(&SandboxConfig { runs_max: 1, ..SandboxConfig::compiling_here() }).unwrap();
    let module = Examined::examine(source).unwrap();
    let provider = Provider { domain: "response".into(), asn: None };
    let joiner = Joiner { wasm: source.wasm, module: &module, provider: &provider, limits: &limits };
    merge(&sandbox, joiner, &Answers { entry, parts }).await
}

/// A module whose `merge` adds up the answers, traps on 13 and never ends on 14.
const HATES_13_AND_14: &str = r#"(component
  (core module $m (memory (export "memory") 4) (global $top (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
      (global.set $top (i32.add (local.get $at) (local.get 3)))
      (local.get $at))
    (func (export "count") (result i32) (i32.const 1))
    (func (export "merge") (param $at i32) (param $left i32) (result i32) (local $sum i32)
      (block $done (loop $part
        (br_if $done (i32.eqz (local.get $left)))
        (if (i32.eqz (i32.load8_u offset=16 (local.get $at))) (then
          (if (i32.eq (i32.load offset=20 (local.get $at)) (i32.const 13)) (then unreachable))
          (if (i32.eq (i32.load offset=20 (local.get $at)) (i32.const 14)) (then (loop $ever (br $ever))))
          (local.set $sum (i32.add (local.get $sum) (i32.load offset=20 (local.get $at))))))
        (local.set $at (i32.add (local.get $at) (i32.const 28)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $part)))
      (local.get $sum)))
  (core instance $i (instantiate $m))
  (func (export "count") (result u32) (canon lift (core func $i "count")))
  (type $part' (record (field "domain" string) (field "asn" (option u32)) (field "outcome" (result u32 (error string)))))
  (import "part" (type $part (eq $part')))
  (func (export "merge") (param "parts" (list $part)) (result u32)
    (canon lift (core func $i "merge") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#;

#[tokio::test]
async fn a_hundred_domains_with_a_hundred_neighbours_each_are_joined() {
    let mut parts: Vec<Part> = (0..100).map(|number| answer(number, 100)).collect();
    parts.push(part(100, PartOutcome::Missing(Why::TimedOut { seconds: 60 })));
    let started = Instant::now();
    let merged = joined(&parts, MergeLimits::default()).await;
    let Merged::Result { result, usage, without } = merged else { panic!("not joined") };
    assert!(without.is_empty(), "{without:?}");
    let graph = result.to_value().unwrap();
    assert_eq!(graph["edges"].as_array().unwrap().len(), 10_000);
    assert_eq!((&graph["answered"], &graph["asked"]), (&json!(100), &json!(101)));
    let (kib, mib, ms) = (result.as_str().len() >> 10, usage.memory_peak_bytes >> 20, started.elapsed().as_millis());
    eprintln!("100 × 100: {kib} KiB, {mib} MiB, fuel {}, {ms} ms with compiling", usage.fuel);
    assert!(kib > 512, "more than the manifest allows one run: {kib} KiB");
}

#[tokio::test]
async fn a_merge_that_reaches_a_limit_says_which_and_whose_answer_is_the_largest() {
    let parts = [answer(0, 10), answer(1, 50), answer(2, 10)];
    let small = MergeLimits { result_bytes: Some(1_000), ..MergeLimits::default() };
    let Merged::Failed { why } = joined(&parts, small).await else { panic!("it does not fit") };
    let Unmerged::Limit { which, max, parts: 3, largest, .. } = &why else { panic!("{why:?}") };
    assert_eq!((*which, *max, largest.as_ref().unwrap().as_str()), (LimitKind::Output, 1_000, "as64501"));
    assert_eq!(why.whose(), "caller");
    assert!(why.to_string().contains("1000 bytes that the joint answer may have"), "{why}");

    let poor = MergeLimits { memory_bytes: Some(1 << 20), ..MergeLimits::default() };
    let Merged::Failed { why } = joined(&parts, poor).await else { panic!("it does not fit") };
    assert!(matches!(why, Unmerged::Limit { which: LimitKind::Memory, max: 0x10_0000, .. }), "{why:?}");

    let hasty = MergeLimits { wall: Duration::ZERO, ..MergeLimits::default() };
    assert!(matches!(joined(&parts, hasty).await, Merged::Failed { .. }));
}

const COUNT_MANIFEST: &str = "[module]\nname = \"iog/count\"\nversion = \"1.0.0\"\nsummary = \"counts\"\n\
    entry = [\"count\"]\n[limits]\nfuel = 20_000_000\n[release]\nclass = \"reviewed\"\n\
    [source]\nrepository = \"https://iog.example/iog\"\ncommit = \"0\"\n";
/// What a search among a few dozen answers may take in an unoptimised build beside other tests.
const SEARCH_MAX: Duration = Duration::from_secs(30);
/// MiB by which this process may grow meanwhile: a merge of these answers takes one.
const GROWN_MIB_MAX: u64 = 64;

/// Memory of this process that is resident, in MiB.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
}

fn numbers(answers: &[u32]) -> Vec<Part> {
    let one =
        |(place, answer): (u32, &u32)| part(place, PartOutcome::Result(ResultJson::parse(answer.to_string()).unwrap()));
    (0..).zip(answers).map(one).collect()
}

async fn counted(parts: &[Part]) -> Merged {
    let wasm = wat::parse_str(HATES_13_AND_14).unwrap();
    joined_by(Source { wasm: &wasm, manifest: COUNT_MANIFEST }, "count", parts, MergeLimits::default()).await
}

/// The sum, and who is not in it and why.
fn sum(merged: Merged) -> (String, Vec<LeftOut>) {
    let Merged::Result { result, without, .. } = merged else { panic!("{merged:?}") };
    (result.as_str().to_owned(), without)
}

fn left_out(place: usize, why: Spoils) -> LeftOut {
    LeftOut { domain: format!("as{}", 64_500 + place).parse().unwrap(), why }
}

#[tokio::test]
async fn an_answer_on_which_the_merge_traps_is_left_out_and_named() {
    for place in 0..9 {
        let mut answers = [1; 9];
        answers[place] = 13;
        let expected = ("8".to_owned(), vec![left_out(place, Spoils::Trapped)]);
        assert_eq!(sum(counted(&numbers(&answers)).await), expected);
    }
}

#[tokio::test]
async fn several_liars_are_left_out_however_they_spoil_it_and_in_whatever_order() {
    let fuel = Spoils::Limit { which: LimitKind::Fuel };
    for liars in [vec![(2, 13), (5, 13)], vec![(0, 13), (39, 14)], vec![(7, 14), (8, 13), (31, 14)]] {
        let mut answers = [1; 40];
        for (place, lie) in &liars {
            answers[*place] = *lie;
        }
        let named = liars.iter().map(|(place, lie)| left_out(*place, if *lie == 13 { Spoils::Trapped } else { fuel }));
        let expected = ((40 - liars.len()).to_string(), named.collect::<Vec<_>>());
        let (mut parts, started, before) = (numbers(&answers), Instant::now(), resident_mib());
        assert_eq!(sum(counted(&parts).await), expected);
        let (took, grown) = (started.elapsed(), resident_mib().saturating_sub(before));
        eprintln!("{} liars of 40: {took:?}, {grown} MiB", liars.len());
        assert!(took < SEARCH_MAX && grown < GROWN_MIB_MAX, "{took:?}, {grown} MiB");
        parts.reverse();
        parts.rotate_left(11);
        assert_eq!(sum(counted(&parts).await), expected, "in another order");
    }
}

#[tokio::test]
async fn where_all_lie_or_too_many_nobody_is_named_and_the_answers_stay() {
    let many: Vec<u32> = (0..40).map(|place| if place < 17 { 13 } else { 1 }).collect();
    for answers in [vec![13; 6], vec![13], many] {
        let started = Instant::now();
        let merged = counted(&numbers(&answers)).await;
        let Merged::Failed { why: why @ Unmerged::Trapped { .. } } = merged else { panic!("{merged:?}") };
        assert_eq!(why.whose(), "module");
        assert!(started.elapsed() < SEARCH_MAX, "{:?}", started.elapsed());
    }
    let merged = counted(&numbers(&[14; 3])).await;
    assert!(matches!(merged, Merged::Failed { why: Unmerged::Limit { which: LimitKind::Fuel, .. } }), "{merged:?}");
}

#[tokio::test]
async fn answers_that_are_too_much_together_lose_the_largest_and_not_an_honest_one() {
    // The liar's alone is more than the joint answer may be; the honest ones together are not.
    let mut parts: Vec<Part> = (0..8).map(|number| answer(number, 2 + number % 3)).collect();
    parts[3] = answer(3, 400);
    let limits = MergeLimits { result_bytes: Some(16_000), ..MergeLimits::default() };
    let Merged::Result { result, without, .. } = joined(&parts, limits).await else { panic!("not joined") };
    assert_eq!(without, [left_out(3, Spoils::Limit { which: LimitKind::Output })]);
    let graph = result.to_value().unwrap();
    assert_eq!((&graph["answered"], &graph["asked"]), (&json!(7), &json!(8)));
}
