//! What a module, approved as it is, does to a gateway and to everybody else there when one caller or a crowd brings it: all
//! places, all of the queue, all of the pool, all threads, parameters that grow. Another caller's runs go on.

use std::time::{Duration, Instant};

use iog_client::RunReply;
use iog_client::gateway::SignedRun;
use iog_protocol::api::ApiErrorCode;
use iog_protocol::ids::Digest;
use iog_protocol::run::{LimitKind, Outcome};
use iog_sandbox::{Guests, Sandbox, SandboxConfig};
use serde_json::json;

use crate::harness::caller::{Caller, declined, through};
use crate::harness::net::{ASKER, Net, PROVIDER};
use crate::harness::play;
use crate::harness::settings::{BORDER, HELLO, Shipped, TARGET, service, service_over};

/// Who brings the hostile modules.
const CROWD: &str = "crowd";
/// Others who bring the same.
const CROWDS: [&str; 2] = [CROWD, "crowd-too"];
/// Places of the gateway.
const RUNS_MAX: u32 = 8;

/// 32 core instances whose entry spins for ever: 388 bytes.
pub(crate) fn many() -> Vec<u8> {
    let instances: String = (0..32).map(|i| format!("(core instance $i{i} (instantiate $m))")).collect();
    let wat = format!(
        r#"(component (core module $m (func (export "spin") (loop $l (br $l)))) {instances}
          (func (export "spin") (canon lift (core func $i0 "spin"))))"#
    );
    wat::parse_str(wat).expect("a component")
}

/// Fills all of the largest memory, again and again: each time nothing can stop it before it is full.
fn fill() -> Vec<u8> {
    let wat = r#"(component
      (core module $m (memory (export "memory") 2)
        (func (export "fill") (drop (memory.grow (i32.const 4094)))
          (loop $l (memory.fill (i32.const 0) (i32.const 7) (i32.const 268435456)) (br $l))))
      (core instance $i (instantiate $m)) (func (export "fill") (canon lift (core func $i "fill"))))"#;
    wat::parse_str(wat).expect("a component")
}

/// A list of records of 256 options with names of 60 bytes.
pub(crate) fn records() -> Vec<u8> {
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

pub(crate) fn manifest(name: &str, entry: &str, wall_s: u32) -> String {
    format!(
        "[module]\nname = \"iog/{name}\"\nversion = \"1.0.0\"\nsummary = \"attack\"\nentry = [\"{entry}\"]\n\
         [limits]\nfuel = 1_000_000_000_000\nmemory_mib = 256\nwall_s = {wall_s}\nresult_kib = 64\n\
         [release]\nclass = \"reviewed\"\n[source]\nrepository = \"https://iog.example/iog\"\ncommit = \"0\"\n"
    )
}

/// Another caller's runs beside an attack may take so many times what they take alone, and a moment for being disturbed.
const SLOWER_MAX: u32 = 20;
const LATE_MAX: Duration = Duration::from_secs(2);

struct Stage {
    net: Net,
    many: Digest,
    fill: Digest,
    records: Digest,
    hello: Digest,
}

/// A gateway whose pool is that of its own places, as a process of its own has it.
async fn stage() -> Stage {
    stage_with("", 2).await
}

/// The same with more keys of its capacity, and so many seconds for those that spin.
async fn stage_with(capacity: &str, wall_s: u32) -> Stage {
    let mut net = Net::of(&[PROVIDER], &[&[ASKER], CROWDS.as_slice()].concat()).await;
    let config = SandboxConfig { runs_max: RUNS_MAX, guests: Guests::apart(), ..SandboxConfig::compiling_here() };
    net.world.sandbox = Sandbox::new(&config).expect("the sandbox starts");
    let many = net.world.publish(&many(), &manifest("many", "spin", wall_s)).await.expect("bribed auditors");
    let fill = net.world.publish(&fill(), &manifest("fill", "fill", 4)).await.expect("bribed auditors");
    let records = net.world.publish(&records(), &manifest("records", "take", 10)).await.expect("bribed auditors");
    let Shipped { wasm, manifest } = HELLO;
    let hello = net.world.publish(wasm, manifest).await.expect("honest ones");
    let tables = format!(
        "[capacity]\nruns_max = {RUNS_MAX}\n{capacity}{BORDER}{}{}{}{}",
        service_over("many", "iog/many@1.0.0", ""),
        service_over("fill", "iog/fill@1.0.0", ""),
        service_over("records", "iog/records@1.0.0", ""),
        service("hello", "iog/hello@1.0.0"),
    );
    net.start(PROVIDER, &tables).await;
    net.step(PROVIDER).await;
    Stage { net, many, fill, records, hello }
}

impl Stage {
    fn spin(&self, crowd: &Caller) -> SignedRun {
        crowd.sign(through("many", crowd.ask_for(PROVIDER, self.many, "spin", json!({}))))
    }

    /// So many runs of `hello` one after the other, all of which succeed; the slowest.
    async fn slowest(&self, asker: &Caller, runs: u32) -> Duration {
        let mut slowest = Duration::ZERO;
        for _ in 0..runs {
            let ask = through("hello", asker.ask_for(PROVIDER, self.hello, "packets-to", json!({"target": TARGET})));
            let started = Instant::now();
            let outcome = asker.outcome(self.net.address(PROVIDER), ask).await.expect("an answer");
            assert_eq!(outcome, Outcome::Succeeded);
            slowest = slowest.max(started.elapsed());
        }
        slowest
    }

    /// Each of these ends at its own limit of time, which is not a failure of the gateway's.
    async fn end_in_time(&self, crowd: &Caller, begun: &[SignedRun]) {
        let gateway = crowd.gateway(self.net.address(PROVIDER));
        for run in begun {
            let answer = loop {
                match gateway.status(&run.request.request_id, &crowd.token).await.expect("it is known") {
                    RunReply::Ended(answer) => break *answer,
                    RunReply::Running(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            };
            assert_eq!(answer.outcome, Outcome::Limit { which: LimitKind::Time });
        }
    }
}

fn assert_hardly_slower(idle: Duration, beside: Duration) {
    eprintln!("30 hello: the slowest took {idle:?} alone and {beside:?} beside the attack");
    assert!(beside <= idle * SLOWER_MAX + LATE_MAX, "{beside:?}, {idle:?} alone");
}

#[test]
fn one_callers_heavy_modules_fail_nobody_elses_run() {
    play(async {
        let stage = stage().await;
        let (crowd, asker) = (Caller::of(&stage.net, CROWD).await, Caller::of(&stage.net, ASKER).await);
        let idle = stage.slowest(&asker, 30).await;
        let mut begun = Vec::new();
        for _ in 0..16 {
            let run = stage.spin(&crowd);
            let gateway = crowd.gateway(stage.net.address(PROVIDER));
            let reply = gateway.run(&run, &crowd.token, 0).await.expect("it is accepted");
            assert!(matches!(reply, RunReply::Running(_)), "{reply:?}");
            begun.push(run);
        }
        let beside = stage.slowest(&asker, 30).await;
        stage.end_in_time(&crowd, &begun).await;
        assert_hardly_slower(idle, beside);
        stage.net.close().await;
    });
}

/// Two callers of one module: by callers alone their shares are all places, and together they fill the queue.
#[test]
fn two_crowds_of_one_module_leave_places_and_seats_to_others() {
    play(async {
        let stage = stage_with("queue_max = 8\n", 5).await;
        let asker = Caller::of(&stage.net, ASKER).await;
        let idle = stage.slowest(&asker, 30).await;
        let crowds = [Caller::of(&stage.net, CROWDS[0]).await, Caller::of(&stage.net, CROWDS[1]).await];
        let (mut begun, mut full) = ([vec![], vec![]], 0);
        for turn in 0..24 {
            let (crowd, of_crowd) = (&crowds[turn % 2], &mut begun[turn % 2]);
            let run = stage.spin(crowd);
            match crowd.gateway(stage.net.address(PROVIDER)).run(&run, &crowd.token, 0).await {
                Ok(reply) => {
                    assert!(matches!(reply, RunReply::Running(_)), "{reply:?}");
                    of_crowd.push(run);
                }
                Err(error) => {
                    assert_eq!(declined(&error), ApiErrorCode::Busy);
                    full += 1;
                }
            }
        }
        assert!(full > 0, "the queue is full");
        // Who has nothing here may wait even for the module of the crowd, once.
        let own = [stage.spin(&asker), stage.spin(&asker)];
        let gateway = asker.gateway(stage.net.address(PROVIDER));
        let reply = gateway.run(&own[0], &asker.token, 0).await.expect("a seat is kept for it");
        assert!(matches!(reply, RunReply::Running(_)), "{reply:?}");
        let error = gateway.run(&own[1], &asker.token, 0).await.expect_err("it has something here now");
        assert_eq!(declined(&error), ApiErrorCode::Busy);
        let beside = stage.slowest(&asker, 30).await;
        for (crowd, of_crowd) in crowds.iter().zip(&begun) {
            stage.end_in_time(crowd, of_crowd).await;
        }
        stage.end_in_time(&asker, &own[..1]).await;
        assert_hardly_slower(idle, beside);
        stage.net.close().await;
    });
}

/// How long the others' requests take, sorted: `hello`, and the gateway's health.
async fn others(asker: &Caller, address: &str, hello: Digest, count: usize) -> [Vec<Duration>; 2] {
    let mut took = [Vec::new(), Vec::new()];
    for _ in 0..count {
        let ask = through("hello", asker.ask_for(PROVIDER, hello, "packets-to", json!({"target": TARGET})));
        let started = Instant::now();
        assert_eq!(asker.outcome(address, ask).await.expect("an answer"), Outcome::Succeeded);
        took[0].push(started.elapsed());
        let started = Instant::now();
        asker.gateway(address).health().await.expect("it is healthy");
        took[1].push(started.elapsed());
    }
    took.iter_mut().for_each(|took| took.sort());
    took
}

#[test]
fn guests_that_no_clock_can_stop_in_time_hold_up_nobody() {
    play(async {
        let Stage { net, fill, hello, .. } = stage().await;
        let (crowd, asker) = (Caller::of(&net, CROWD).await, Caller::of(&net, ASKER).await);
        let address = net.address(PROVIDER);
        let idle = others(&asker, address, hello, 20).await;
        let attacks = (0..6).map(|_| {
            let request = through("fill", crowd.ask_for(PROVIDER, fill, "fill", json!({})));
            crowd.outcome(address, request)
        });
        let honest = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            others(&asker, address, hello, 20).await
        };
        let (attacked, beside) = tokio::join!(futures::future::join_all(attacks), honest);
        for (name, idle, beside) in [("hello", &idle[0], &beside[0]), ("health", &idle[1], &beside[1])] {
            eprintln!(
                "{name}: half within {:?} idle, {:?} beside six; all within {:?}, {:?}",
                idle[10], beside[10], idle[19], beside[19]
            );
            // With two processors and eight who want them; a step of such a guest is 40 ms to 120 ms on its own.
            assert!(
                beside[10] < idle[10] * 10 + Duration::from_millis(100),
                "{name}: {:?} for {:?}",
                beside[10],
                idle[10]
            );
        }
        for outcome in attacked {
            assert_eq!(outcome.expect("an answer"), Outcome::Limit { which: LimitKind::Time });
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
