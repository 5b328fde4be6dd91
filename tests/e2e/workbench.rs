//! People at the command line: an author who tries a module before it is reviewed, auditors who read and judge, and
//! programs that read what `--json` prints when something is wrong.

use iog_protocol::receipt::quantise;
use serde_json::{Value, json};

use crate::harness::caller::Caller;
use crate::harness::deployment::{Deployment, words};
use crate::harness::net::{ASKER, Net, PROVIDER};
use crate::harness::play;
use crate::harness::process::Iog;
use crate::harness::settings::{FLOWS, TARGET, TRACEBACK};

fn lay_out(folder: &std::path::Path) {
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).expect("it is written");
    write("module.wasm", TRACEBACK.wasm);
    write("iog.toml", TRACEBACK.manifest.as_bytes());
    write("flows.csv", FLOWS.as_bytes());
}

#[test]
fn a_module_is_tried_exactly_as_a_gateway_runs_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    lay_out(folder.path());
    let target = format!("target={TARGET}");
    let tried = "module try module.wasm --manifest iog.toml --data flows=flows.csv --asn 64500 --param";
    let tried = Iog::at(folder.path()).json(&[&words(tried)[..], &[&target]].concat());
    let (believed, result) = play(async {
        let (net, module) = Net::usual().await;
        let caller = Caller::of(&net, ASKER).await;
        let believed = caller.run(net.address(PROVIDER), caller.ask(PROVIDER, module)).await.expect("an answer");
        let result = believed.answer().result.as_ref().expect("a result").to_value().expect("JSON");
        net.close().await;
        (believed, result)
    });
    assert_eq!(tried["result"], result, "the same answer");
    let cost = &believed.receipt().cost;
    let used = |name: &str| quantise(tried["usage"][name].as_u64().unwrap_or_else(|| panic!("`{name}` in {tried}")));
    assert_eq!((used("fuel"), used("rows"), used("bytes")), (cost.fuel, cost.rows, cost.bytes), "at the same cost");
    assert_eq!(used("memory_peak_bytes"), cost.memory_bytes);
}

fn state(network: &Deployment, digest: &str) -> Value {
    network.iog.json(&["module", "show", digest, "--network", "network.json"])
}

#[test]
fn auditors_read_judge_and_stop() {
    let network = Deployment::found();
    lay_out(network.folder());
    let iog = &network.iog;
    let submit = "module submit module.wasm --manifest iog.toml --key publisher.key --network network.json";
    let digest = iog.json(&words(submit))["digest"].as_str().expect("a digest").to_owned();

    let waiting = iog.json(&words("review list --network network.json"));
    assert_eq!(waiting["modules"].as_array().map(Vec::len), Some(1), "{waiting}");
    assert_eq!((&waiting["modules"][0]["needed"], &waiting["modules"][0]["reviews"]), (&json!(2), &json!(0)));
    let shown = iog.json(&["review", "show", &digest, "--network", "network.json"]);
    let columns = &shown["capabilities"]["datasets"]["flows"]["columns"];
    assert!(columns.as_array().is_some_and(|columns| columns.contains(&json!("ingress_as"))), "{shown}");
    assert!(shown["wit"].as_str().is_some_and(|wit| wit.contains("trace-report")), "{shown}");
    assert_eq!(shown["manifest_text"], TRACEBACK.manifest);

    let judge = |verdict: &str, key: &str, further: &[&str]| {
        iog.run(&[&["review", verdict, &digest, "--key", key, "--network", "network.json", "--json"], further].concat())
    };
    assert_eq!(judge("approve", "publisher.key", &[]).code, 1, "a publisher is not an auditor");
    assert_eq!(judge("reject", "bob.key", &[]).code, 1, "a rejection needs its reason");
    assert_eq!(judge("approve", "alice.key", &[]).code, 0);
    assert_eq!(state(&network, &digest)["effective"], false, "one of two");
    assert_eq!(judge("reject", "bob.key", &["--blocking", "--note", "leaks"]).code, 0);
    assert_eq!(state(&network, &digest)["effective"], false);
    assert_eq!(state(&network, &digest)["reviews"], 2);
}

#[test]
fn what_is_wrong_is_an_object_for_programs_and_a_line_for_people() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let iog = Iog::at(folder.path());
    for command in [
        "call ip-traceback --all --home nowhere",
        "receipt verify --home nowhere",
        "catalog search --home nowhere",
        "gateway serve --config nowhere.toml",
        "center serve --config nowhere.toml",
        "module inspect nowhere.wasm",
        "key show nowhere.key",
        "enroll --token nonsense",
    ] {
        let done = iog.run(&[&words(command)[..], &["--json"]].concat());
        let object = done.json();
        assert_eq!(done.code, 1, "{command}");
        assert!(object["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{command}: {object}");
        let done = iog.run(&words(command));
        assert_eq!((done.code, done.stdout.as_str()), (1, ""), "{command}");
        assert!(done.stderr.starts_with("error: ") && done.stderr.lines().count() <= 3, "{command}: {}", done.stderr);
    }
    assert_eq!(iog.run(&["nonsense"]).code, 2, "what makes no sense is told apart from what failed");
}

#[test]
fn the_demonstrations_name_is_for_the_demonstration() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let iog = Iog::at(folder.path());
    iog.json(&["key", "new", "root.key"]);
    let done = iog.run(&words("center init --trust-domain demo.invalid --root root.key.pub --json"));
    assert_eq!(done.code, 1);
    assert!(
        done.json()["error"]["message"].as_str().is_some_and(|text| text.contains("demo.invalid")),
        "{}",
        done.stdout
    );
    assert!(!folder.path().join("center").join("keys").exists(), "nothing was made");
}
