//! A gateway is killed under load, again and again. Whatever it had accepted has exactly one receipt when it is back, an
//! answer that was given stays that answer, and the receipt log holds nothing else. `tests/long/run kill` runs it longer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use iog_client::gateway::{SignedRun, believe};
use iog_client::{ClientError, RunReply};
use iog_machine::SystemClock;
use iog_protocol::api::{ApiErrorCode, paths};
use iog_protocol::ids::{Digest, RequestId};
use iog_protocol::run::{Outcome, RunAnswer};
use iog_tlog::Checkpoint;
use iog_transport::Request;
use serde_json::json;

use crate::harness::caller::{Caller, through};
use crate::harness::deployment::Deployment;
use crate::harness::play;
use crate::harness::settings::{BORDER, hostile, service};

const DOMAIN: &str = "as64500";
/// How often the gateway is killed where `IOG_KILL_ROUNDS` says nothing else.
const ROUNDS_DEFAULT: u32 = 3;
/// Requests under way at a time: fewer than a caller may have, more than run at once.
const ASKERS: u32 = 12;
/// How long the load lasts before a kill: this and up to as much again, another time each round.
const LOAD: Duration = Duration::from_millis(300);
/// How long the gateway may hold an answer back, seconds.
const WAIT_S: u32 = 30;

/// What one request met: its answer, if one came before the gateway was killed.
type Sent = (SignedRun, Option<RunAnswer>);

struct Load {
    asker: Caller,
    address: String,
    module: Digest,
}

impl Load {
    /// Asks again and again until the gateway is gone. Every other run is short, the others last some tenths of a second.
    async fn ask(&self, of: u32) -> Vec<Sent> {
        let gateway = self.asker.gateway(&self.address);
        let mut sent = Vec::new();
        for number in of.. {
            let entry = if number % 2 == 0 { "sum" } else { "spin" };
            let request = through("hostile", self.asker.ask_for(DOMAIN, self.module, entry, json!({})));
            let run = self.asker.sign(request);
            match gateway.run(&run, &self.asker.token, WAIT_S).await {
                Ok(RunReply::Ended(answer)) => sent.push((run, Some(*answer))),
                Ok(RunReply::Running(status)) => panic!("a run takes too long: {status:?}"),
                Err(ClientError::Declined { problem, .. }) => panic!("not accepted: {problem:?}"),
                Err(_) => {
                    sent.push((run, None));
                    break;
                }
            }
        }
        sent
    }

    /// The answer to a request that was accepted; none if it never was.
    async fn stored(&self, run: &SignedRun) -> Option<RunAnswer> {
        let reply = self.asker.gateway(&self.address).status(&run.request.request_id, &self.asker.token).await;
        match reply {
            Ok(RunReply::Ended(answer)) => Some(*answer),
            Ok(RunReply::Running(status)) => panic!("accepted and without receipt: {status:?}"),
            Err(error) if error.code() == Some(ApiErrorCode::UnknownRun) => None,
            Err(error) => panic!("the gateway is back and does not answer: {error:?}"),
        }
    }

    /// Receipts in the gateway's log, by its signed head.
    async fn receipts(&self) -> u64 {
        let url = format!("https://{}{}", self.address, paths::LOG_CHECKPOINT);
        let response = self.asker.http.send(Request::get(url)).await.expect("the log is public");
        let log = self.asker.log_of(&DOMAIN.parse().expect("a domain id"));
        Checkpoint::open(&response.body, &log).expect("its head is signed").size
    }
}

/// What is known of all rounds.
#[derive(Default)]
struct Tally {
    sent: usize,
    cut_off: usize,
    answers: BTreeMap<RequestId, (SignedRun, RunAnswer)>,
    leaves: BTreeSet<u64>,
}

impl Tally {
    /// Takes up what a round's requests came to; every check of the story is here.
    async fn settle(&mut self, load: &Load, sent: Vec<Sent>) {
        self.sent += sent.len();
        for (run, answered) in sent {
            let id = run.request.request_id.clone();
            let Some(stored) = load.stored(&run).await else {
                assert!(answered.is_none(), "an answer was given to run `{id}`, and it is unknown now");
                continue;
            };
            if let Some(answered) = answered {
                assert_eq!(stored, answered, "the answer to run `{id}` changed");
            }
            let log = load.asker.log_of(&run.request.audience);
            let believed = believe(stored, &run, &log).expect("the receipt holds");
            assert!(self.leaves.insert(believed.receipt().leaf_index()), "two runs have one receipt");
            self.cut_off += usize::from(matches!(believed.answer().outcome, Outcome::Failed { .. }));
            self.answers.insert(id, (run, believed.answer().clone()));
        }
        assert_eq!(load.receipts().await, self.leaves.len() as u64, "receipts of accepted requests, and no others");
    }
}

fn stage() -> (Deployment, Load) {
    let network = Deployment::found();
    network.join(DOMAIN);
    network.join("response");
    let (wasm, manifest) = hostile();
    let module = network.publish(wasm, &manifest).parse().expect("a digest");
    let limits = "[service.hostile.limits]\nfuel = 500_000_000\n";
    network.configure(DOMAIN, &format!("{BORDER}{}{limits}", service("hostile", "iog/hostile@1.0.0")));
    let port = std::fs::read_to_string(network.folder().join(format!("{DOMAIN}.port"))).expect("it enrolled");
    let asker = play(Caller::at(&network.home_of("response"), Arc::new(SystemClock)));
    (network, Load { asker, address: format!("localhost:{port}"), module })
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a long run says how many rounds it wants")]
#[expect(clippy::async_yields_async, reason = "the task is awaited after the gateway was killed")]
fn a_gateway_killed_under_load_gives_every_accepted_request_one_receipt() {
    let rounds = std::env::var("IOG_KILL_ROUNDS").map_or(ROUNDS_DEFAULT, |n| n.parse().expect("a number of rounds"));
    let (network, load) = stage();
    let load = std::sync::Arc::new(load);
    let mut tally = Tally::default();
    let mut gateway = network.serve(DOMAIN);
    for round in 0..rounds {
        let askers: Vec<_> = (0..ASKERS)
            .map(|of| {
                let load = std::sync::Arc::clone(&load);
                play(async { tokio::spawn(async move { load.ask(of).await }) })
            })
            .collect();
        std::thread::sleep(LOAD + LOAD * (round % 7) / 7);
        gateway.kill();
        let mut sent = Vec::new();
        for asker in askers {
            sent.extend(play(asker).expect("the asker goes on until the gateway is gone"));
        }
        gateway = network.serve(DOMAIN);
        play(tally.settle(&load, sent));
    }
    for (run, answer) in tally.answers.values() {
        assert_eq!(play(load.stored(run)).as_ref(), Some(answer), "later kills change nothing");
    }
    assert!(tally.cut_off > 0, "no kill met a run under way");
    println!(
        "figures: {rounds} kills, {} requests, {} accepted, each with one receipt, {} of them cut off",
        tally.sent,
        tally.answers.len(),
        tally.cut_off
    );
}
