//! What root holders and auditors do over time at the command line: admit with the key they were told, change the keyset in
//! several hands, stop a module, close a finding, move a gateway.

use std::sync::Arc;

use iog_home::Home;
use iog_home::connect;
use iog_home::renewal::Renewal;
use iog_machine::Clock;
use iog_protocol::time::Timestamp;
use serde_json::{Value, json};

use crate::harness::deployment::{Deployment, home, words};
use crate::harness::net::{ASKER, Net};
use crate::harness::play;
use crate::harness::settings::TRACEBACK;

const AT_CENTER: [&str; 2] = ["--network", "network.json"];

impl Deployment {
    fn central(&self, line: &str) -> Value {
        self.iog.json(&[&words(line)[..], &AT_CENTER].concat())
    }

    /// The message of a command that must fail.
    fn refused(&self, line: &str) -> String {
        let done = self.iog.run(&[&["--json"][..], &words(line), &AT_CENTER].concat());
        let said = done.json();
        assert_eq!(done.code, 1, "{said}");
        said["error"].to_string()
    }
}

#[test]
fn root_admits_only_with_the_key_it_was_told_or_a_word() {
    let network = Deployment::found();
    let token = network.iog.json(&words("center invite --domain as64500 --organisation north --asn 64500"));
    let token = token["token"].as_str().expect("a token");
    let enroll = words("enroll --home as64500 --endpoint localhost:9443 --token");
    let enrolled = network.iog.json(&[&enroll[..], &[token]].concat());
    let key = enrolled["caller_key"].as_str().expect("a key").to_owned();

    let waiting = &network.central("root domains")["pending"][0];
    assert_eq!((&waiting["caller_key"], &waiting["asns"]), (&json!(key), &json!([64500])), "{waiting}");
    assert_eq!(waiting["endpoints"], json!(["localhost:9443"]));
    assert_ne!(waiting["receipt_key"], waiting["caller_key"]);

    let admit = "root admit as64500 --key root.key";
    assert!(network.refused(admit).contains("--caller-key"));
    assert!(network.refused(&format!("{admit} --caller-key alice.key.pub")).contains("you were told"));
    assert_eq!(network.central("root domains")["in_force"], json!([]), "nothing was signed");
    assert!(network.central(&format!("{admit} --caller-key {key}"))["index"].is_u64());

    // A gateway moves: the domain signs, root compares again, everybody reads the new address in the log.
    let moved = network.iog.json(&words("enroll update --home as64500 --endpoint localhost:9444"));
    assert_eq!((&moved["sequence"], &moved["index"]), (&json!(2), &Value::Null), "{moved}");
    assert_eq!(network.central("root domains")["pending"][0]["replaces"], 1);
    assert!(network.central(&format!("{admit} --caller-key {key}"))["index"].is_u64());
    assert_eq!(network.central("root domains")["in_force"][0]["endpoints"], json!(["localhost:9444"]));
}

#[test]
fn the_next_keyset_brings_an_auditor_and_another_end() {
    let network = Deployment::found();
    network.iog.json(&["key", "new", "carol.key"]);
    let make = "root keyset next.json --key root.key --add-auditor carol@exchange=carol.key.pub --remove-auditor bob";
    assert!(network.refused(make).contains("--yes"), "nobody was asked");
    assert!(network.refused("root keyset next.json --key alice.key --yes").contains("is not a root key"));
    assert!(network.refused("root keyset next.json --key root.key --yes --remove-auditor dave").contains("`dave`"));
    let made = network.central(&format!("{make} --expires-days 30 --yes"));
    assert_eq!((&made["version"], &made["signatures"], &made["needed"]), (&json!(2), &json!(1), &json!(1)), "{made}");
    assert!(made["changes"].to_string().contains("+ auditor carol of exchange"), "{made}");
    assert!(network.refused(&format!("{make} --yes")).contains("write another file"), "a signed file is not edited");
    assert!(network.central("root keyset next.json --submit")["index"].is_u64());

    let digest = {
        std::fs::write(network.folder().join("module.wasm"), TRACEBACK.wasm).expect("a file is written");
        std::fs::write(network.folder().join("iog.toml"), TRACEBACK.manifest).expect("a file is written");
        let submitted = network.central("module submit module.wasm --manifest iog.toml --key publisher.key");
        submitted["digest"].as_str().expect("a digest").to_owned()
    };
    assert!(
        network.refused(&format!("review approve {digest} --key bob.key")).contains("does not belong to an auditor")
    );
    network.central(&format!("review approve {digest} --key alice.key"));
    let second = network.central(&format!("review approve {digest} --key carol.key"));
    assert!(second["approval_index"].is_u64(), "{second}");
}

#[test]
fn auditors_stop_a_module_and_close_a_finding() {
    let network = Deployment::found();
    let digest = network.publish(TRACEBACK.wasm, TRACEBACK.manifest);
    // The clock of a review has seconds, and a later one of the same auditor must be later.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let reject = words("review reject --blocking --key alice.key --note unclear");
    let rejected = network.iog.json(&[&reject[..], &[&digest], &AT_CENTER].concat());
    let finding = network.central(&format!("review show {digest}"))["findings"][0].clone();
    assert_eq!((&finding["index"], &finding["closed"]), (&rejected["index"], &Value::Null), "{finding}");
    let name = finding["name"].as_str().expect("a name");
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let approve = format!("review approve {digest} --key alice.key --expires-days 30 --closes {name}");
    let closed = network.central(&approve);
    assert_eq!(network.central(&format!("review show {digest}"))["findings"][0]["closed"], closed["index"]);

    let stop = |what: &str, key: &str| {
        format!("review {what} {digest} --key {key}.key --reason-code vulnerability --reason leaks")
    };
    assert!(network.refused(&stop("suspend", "carol")).contains("carol.key"));
    assert_eq!(network.central(&stop("suspend", "alice"))["state"], "suspended");
    assert_eq!(network.central(&format!("module show {digest}"))["effective"], false);
    assert!(network.refused(&stop("suspend", "alice")).contains("would not take"), "once an organisation");
    assert_eq!(network.central(&stop("revoke", "bob"))["state"], "suspended", "one vote of two");
    assert_eq!(network.central(&stop("revoke", "alice"))["state"], "revoked");

    network.join("caller");
    let home = home("caller");
    let revoke = words("review revoke domain:caller --key root.key --reason-code left --reason gone --home");
    assert_eq!(network.iog.json(&[&revoke[..], &[&home]].concat())["state"], "revoked");
    assert_eq!(network.central("root domains")["in_force"], json!([]));
}

#[test]
fn a_renewed_certificate_is_for_a_new_key() {
    play(async {
        let net = Net::of(&[], &[ASKER]).await;
        let home = Home::open(&net.home_of(ASKER)).expect("a home");
        let clock: Arc<dyn Clock> = net.clock.clone();
        let http = connect::http(&home, &clock).expect("a client");
        let center = connect::center(&home, &http);
        let before = home.tls().expect("a certificate");
        let leaf = http.tls().leaf().expect("a certificate");
        let renewal = Renewal { home: &home, http: &http, center: &center, server: None };
        renewal.renew_if_due(&leaf, Timestamp::from_unix(leaf.not_before)).await.expect("it is too early");
        assert_eq!(home.tls().expect("a certificate").key_pem, before.key_pem);
        net.clock.advance(25 * 3_600);
        renewal.renew_if_due(&leaf, net.now()).await.expect("a new certificate");
        let after = home.tls().expect("a certificate");
        assert!(after.key_pem != before.key_pem && after.cert_pem != before.cert_pem);
        let renewed = connect::http(&home, &clock).expect("key and certificate belong together");
        assert_eq!(renewed.tls().leaf(), http.tls().leaf(), "the client in use has it too");
        connect::center(&home, &renewed).token().await.expect("the center knows it");
        net.close().await;
    });
}
