//! What one caller's module, approved as it is, does to a gateway and to everybody else there: all places, all of the pool,
//! parameters that grow. Another caller's runs go on.

use std::time::{Duration, Instant};

use iog_client::RunReply;
use iog_protocol::ids::Digest;
use iog_protocol::run::{LimitKind, Outcome};
use iog_sandbox::{Sandbox, SandboxConfig};
use serde_json::json;

use crate::harness::caller::{Caller, through};
use crate::harness::net::{ASKER, Net, PROVIDER};
use crate::harness::play;
use crate::harness::settings::{BORDER, HELLO, Shipped, TARGET, service, service_over};

/// Who brings the hostile modules.
const CROWD: &str = "crowd";
/// Places of the gateway.
const RUNS_MAX: u32 = 8;

/// 32 core instances whose entry spins for ever: 388 bytes.
fn many() -> Vec<u8> {
    let instances: String = (0..32).map(|i| format!("(core instance $i{i} (instantiate $m))")).collect();
    let wat = format!(
        r#"(component (core module $m (func (export "spin") (loop $l (br $l)))) {instances}
          (func (export "spin") (canon lift (core func $i0 "spin"))))"#
    );
    wat::parse_str(wat).expect("a component")
}

/// A list of records of 256 options with names of 60 bytes.
fn records() -> Vec<u8> {
    let fields: String = (0..256).map(|n| format!("(field \"f{n:03}{}\" $o)", "x".repeat(56))).collect();
    let wat = format!(
        r#"(component
          (core module $m (memory (export "memory") 1) (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "take") (param i32 i32)))
          (core instance $i (instantiate $m))
          (type $o (option bool)) (type $r' (record {fields})) (import "r" (type $r (eq $r')))
          (func (export "take") (param "p" (list $r))
            (canon lift (core func $i "take") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#
    );
    wat::parse_str(wat).expect("a component")
}

fn manifest(name: &str, entry: &str, wall_s: u32) -> String {
    format!(
        "[module]\nname = \"iog/{name}\"\nversion = \"1.0.0\"\nsummary = \"attack\"\nentry = [\"{entry}\"]\n\
         [limits]\nfuel = 1_000_000_000_000\nmemory_mib = 256\nwall_s = {wall_s}\nresult_kib = 64\n\
         [release]\nclass = \"reviewed\"\n[source]\nrepository = \"https://iog.example/iog\"\ncommit = \"0\"\n"
    )
}

struct Stage {
    net: Net,
    many: Digest,
    records: Digest,
    hello: Digest,
}

/// A gateway whose pool is that of its own places, as a process of its own has it.
async fn stage() -> Stage {
    let mut net = Net::of(&[PROVIDER], &[ASKER, CROWD]).await;
    let config = SandboxConfig { runs_max: RUNS_MAX, ..SandboxConfig::compiling_here() };
    net.world.sandbox = Sandbox::new(&config).expect("the sandbox starts");
    let many = net.world.publish(&many(), &manifest("many", "spin", 2)).await.expect("bribed auditors");
    let records = net.world.publish(&records(), &manifest("records", "take", 10)).await.expect("bribed auditors");
    let Shipped { wasm, manifest } = HELLO;
    let hello = net.world.publish(wasm, manifest).await.expect("honest ones");
    let tables = format!(
        "{BORDER}{}{}{}",
        service_over("many", "iog/many@1.0.0", ""),
        service_over("records", "iog/records@1.0.0", ""),
        service("hello", "iog/hello@1.0.0"),
    );
    net.start(PROVIDER, &tables).await;
    net.step(PROVIDER).await;
    Stage { net, many, records, hello }
}

#[test]
fn one_callers_heavy_modules_fail_nobody_elses_run() {
    play(async {
        let Stage { net, many, hello, .. } = stage().await;
        let (crowd, asker) = (Caller::of(&net, CROWD).await, Caller::of(&net, ASKER).await);
        let address = net.address(PROVIDER);
        let mut begun = Vec::new();
        for _ in 0..16 {
            let run = crowd.sign(through("many", crowd.ask_for(PROVIDER, many, "spin", json!({}))));
            let reply = crowd.gateway(address).run(&run, &crowd.token, 0).await.expect("it is accepted");
            assert!(matches!(reply, RunReply::Running(_)), "{reply:?}");
            begun.push(run);
        }
        let mut slowest = Duration::ZERO;
        for _ in 0..30 {
            let ask = through("hello", asker.ask_for(PROVIDER, hello, "packets-to", json!({"target": TARGET})));
            let started = Instant::now();
            let outcome = asker.outcome(address, ask).await.expect("an answer");
            assert_eq!(outcome, Outcome::Succeeded);
            slowest = slowest.max(started.elapsed());
        }
        eprintln!("30 hello beside 16 runs of 32 core instances: the slowest took {slowest:?}");
        for run in begun {
            let answer = loop {
                match crowd.gateway(address).status(&run.request.request_id, &crowd.token).await.expect("it is known") {
                    RunReply::Ended(answer) => break *answer,
                    RunReply::Running(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            };
            assert_eq!(answer.outcome, Outcome::Limit { which: LimitKind::Time }, "its own limit, no failure of ours");
        }
        net.close().await;
    });
}

#[test]
fn parameters_that_grow_end_at_the_runs_own_memory() {
    play(async {
        let Stage { net, records, hello, .. } = stage().await;
        let (crowd, asker) = (Caller::of(&net, CROWD).await, Caller::of(&net, ASKER).await);
        let address = net.address(PROVIDER);
        let params = json!({"p": vec![json!({}); 40_000]});
        let attacks = (0..8).map(|_| {
            let request = through("records", crowd.ask_for(PROVIDER, records, "take", params.clone()));
            crowd.outcome(address, request)
        });
        let honest = async {
            for _ in 0..10 {
                let ask = through("hello", asker.ask_for(PROVIDER, hello, "packets-to", json!({"target": TARGET})));
                assert_eq!(asker.outcome(address, ask).await.expect("an answer"), Outcome::Succeeded);
            }
        };
        let (attacked, ()) = tokio::join!(futures::future::join_all(attacks), honest);
        for outcome in attacked {
            // The type is the module's, so the caller is told of a limit and not of its own fault.
            assert_eq!(outcome.expect("an answer"), Outcome::Limit { which: LimitKind::Memory });
        }
        net.close().await;
    });
}
