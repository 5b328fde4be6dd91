//! One dataset is a database that accepts connections and never answers. Services that need it say so; the others are served at
//! once and follow their own data, when the gateway starts and at its later rounds.

use std::time::{Duration, Instant};

use iog_protocol::ids::Digest;
use iog_protocol::run::Outcome;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use crate::harness::caller::{Caller, refused, through};
use crate::harness::net::{ASKER, Net, PROVIDER};
use crate::harness::play;
use crate::harness::settings::{BORDER, FLOWS, TRACEBACK, service};

const MODULE: &str = "iog/ip-traceback@1.0.0";
/// A flow to the target that is not among the usual ones.
const LATER: &str = "1010,1011,198.51.100.9,203.0.113.10,17,53,40002,7,9000,0,64512\n";
/// How long a start waits for services that are not ready, and what the machine takes besides.
const START_MAX: Duration = Duration::from_secs(9);
/// What a service takes to follow its own data while another waits.
const FOLLOWED_MAX: Duration = Duration::from_secs(5);
/// When a database that never answers a connection has been given up at the latest.
const GIVEN_UP_MAX: Duration = Duration::from_secs(30);

/// A server that accepts every connection and keeps it, silent, for as long as the story lasts.
async fn silent_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
    let port = listener.local_addr().expect("it has an address").port();
    tokio::spawn(async move {
        let mut kept: Vec<TcpStream> = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            kept.push(stream);
        }
    });
    port
}

/// The traceback over a file, and over the silent database.
fn tables(port: u16) -> String {
    let silent = format!(
        "[dataset.silent]\nschema = \"flow/1\"\nclass = \"reviewed\"\nformat = \"postgres\"\ntable = \"flows\"\n\
         url = \"postgres://iog@127.0.0.1:{port}/iog\"\n"
    );
    let over = |name: &str, data: &str| service(name, MODULE).replace("\"border\"", &format!("\"{data}\""));
    // The silent one comes first in every order.
    format!("{BORDER}{silent}{}{}", over("awaited", "silent"), over("ready", "border"))
}

/// How many flows the service over the file finds; why not, where it does not answer.
async fn flows(net: &Net, caller: &Caller, module: Digest) -> Result<u64, String> {
    let request = through("ready", caller.ask(PROVIDER, module));
    let believed = caller.run(net.address(PROVIDER), request).await.expect("it is accepted");
    let answer = believed.answer();
    if answer.outcome != Outcome::Succeeded {
        return Err(answer.outcome.to_string());
    }
    let result: Value = serde_json::from_str(answer.result.as_ref().expect("a result").as_str()).expect("JSON");
    // While the file is another than the one that was opened, the module is told that its data are not there.
    result["ok"]["flows"].as_u64().ok_or_else(|| result.to_string())
}

/// What those are told who ask for the silent data.
async fn told(net: &Net, caller: &Caller, module: Digest) -> String {
    let request = through("awaited", caller.ask(PROVIDER, module));
    let outcome = caller.outcome(net.address(PROVIDER), request).await.expect("a refusal is an answer");
    assert_eq!(refused(&outcome), "unavailable");
    outcome.to_string()
}

#[test]
fn a_database_that_never_answers_holds_up_only_those_who_need_it() {
    play(async {
        let mut net = Net::of(&[PROVIDER], &[ASKER]).await;
        let module = net.publish(&TRACEBACK).await;
        let caller = Caller::of(&net, ASKER).await;
        let port = silent_server().await;
        let begun = Instant::now();
        net.start(PROVIDER, &tables(port)).await;
        let started = begun.elapsed();
        assert!(started < START_MAX, "the start waits for some seconds only: {started:?}");
        assert_eq!(flows(&net, &caller, module).await, Ok(4), "served while the other is still waited for");
        assert!(told(&net, &caller, module).await.contains("being prepared"));

        let background = net.background(PROVIDER);
        while !told(&net, &caller, module).await.contains("data for slot `flows` are not available") {
            assert!(begun.elapsed() < GIVEN_UP_MAX, "the database is given up");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let given_up = begun.elapsed();
        let problems = background.data_problems();
        assert!(matches!(&problems[..], [(name, _)] if name.as_str() == "silent"), "{problems:?}");

        // A later round hangs at the same database; what is new elsewhere is there nevertheless.
        let round = tokio::spawn(async move { background.refresh().await });
        std::fs::write(net.home_of(PROVIDER).join("flows.csv"), format!("{FLOWS}{LATER}")).expect("it is written");
        let background = net.background(PROVIDER);
        let again = tokio::spawn(async move { background.refresh().await });
        let begun = Instant::now();
        while flows(&net, &caller, module).await != Ok(5) {
            assert!(begun.elapsed() < FOLLOWED_MAX, "the file is followed");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let followed = begun.elapsed();
        assert!(!round.is_finished() && !again.is_finished(), "the database still hangs");
        eprintln!(
            "served {started:?} after the start; given up after {given_up:?}; a new file is followed in {followed:?}"
        );
        net.close().await;
    });
}
