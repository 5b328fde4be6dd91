//! A gateway dies in the middle of a call: what its caller is told, and that what it is told to do gives it the answer.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::deployment::{Deployment, home};
use crate::harness::process::Done;
use crate::harness::settings::{BORDER, hostile, service};

const DOMAIN: &str = "as64500";
/// The runs last about a second; a call that is killed before its request was sent is tried again, later.
const ROUNDS_MAX: u32 = 24;

/// Asks for something long and kills the gateway after a while.
fn killed(network: &Deployment, after: Duration) -> Done {
    let gateway = network.serve(DOMAIN);
    let (iog, home) = (network.iog.clone(), home("response"));
    let asking = std::thread::spawn(move || {
        iog.run(&["call", "iog/hostile", "--entry", "spin", "--domain", DOMAIN, "--home", &home])
    });
    std::thread::sleep(after);
    gateway.kill();
    asking.join().expect("the command ends")
}

/// The request that a call says is not known.
fn unknown(done: &Done) -> Option<String> {
    let (_, told) = done.stdout.split_once("not known here")?;
    let is_id = |word: &&str| word.len() == 32 && word.chars().all(|c| c.is_ascii_hexdigit());
    told.split_whitespace().find(is_id).map(str::to_owned)
}

/// What the command that the call printed gives, once the gateway is back.
fn fetched(network: &Deployment, done: &Done, request: &str) -> Value {
    let port = std::fs::read_to_string(network.folder().join(format!("{DOMAIN}.port"))).expect("it enrolled");
    let (_, command) = done.stdout.split_once("  curl ").expect("the command is there");
    let end = command.find("/v1/runs/REQUEST").expect("it names the run") + "/v1/runs/REQUEST".len();
    let command = format!("curl -s {}", &command[..end]);
    let command = command.replace("REQUEST", request).replace("ADDRESS", &format!("localhost:{port}"));
    let start = Instant::now();
    loop {
        let output = Command::new("sh").args(["-c", &command]).current_dir(network.folder()).output().expect("sh runs");
        if let Ok(answer) = serde_json::from_slice(&output.stdout) {
            return answer;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_call_whose_gateway_dies_says_how_to_have_its_answer_later() {
    let there = |program| Command::new(program).arg("--version").output().is_ok();
    if !there("curl") || !there("jq") {
        eprintln!("SKIPPED: curl or jq is not installed");
        return;
    }
    let network = Deployment::found();
    network.join(DOMAIN);
    network.join("response");
    let (wasm, manifest) = hostile();
    network.publish(wasm, &manifest);
    network.configure(DOMAIN, &format!("{BORDER}{}", service("hostile", "iog/hostile@1.0.0")));
    // The registry and the module are in the home before anybody is in a hurry.
    network.iog.run(&["call", "iog/hostile", "--domain", DOMAIN, "--home", &home("response")]);
    let met = (1..=ROUNDS_MAX).find_map(|round| {
        let done = killed(&network, Duration::from_millis(120) * round);
        let request = unknown(&done)?;
        assert_eq!(done.code, 1, "{}", done.stdout);
        assert!(done.stdout.contains("unreachable"), "{}", done.stdout);
        let gateway = network.serve(DOMAIN);
        let answer = fetched(&network, &done, &request);
        drop(gateway);
        // A gateway that was killed before it heard of the request does not know it.
        answer["receipt"].is_object().then_some(answer)
    });
    let answer = met.expect("one of the kills meets a run under way");
    assert_eq!(answer["domain"], DOMAIN, "{answer}");
}
