//! The analyses of routes and of names, asked of three providers at once: every receipt holds, and the joint answer names
//! the hijack, and who lacks which record.

use iog_caller::{CallReport, verify_bundle};
use iog_home::Home;
use serde_json::{Value, json};

use crate::calls::{ask, merged};
use crate::harness::net::{ASKER, Net};
use crate::harness::play;
use crate::harness::settings::{ORIGINS, Shipped, WATCH, dataset, service_over};

const PROVIDERS: [&str; 3] = ["as64500", "as64501", "as64502"];

/// Two peers' tables: a prefix, and one inside it that its holder gave to a customer.
const TABLE: &str = "\
time,kind,peer,peer_as,prefix,prefix_len,origin_as
1000,rib,198.51.100.1,64510,203.0.112.0,23,64496
1000,rib,198.51.100.2,64511,203.0.112.0,23,64496
1000,rib,198.51.100.1,64510,203.0.112.0,24,64499
1000,rib,198.51.100.2,64511,203.0.112.0,24,64499
";
/// What one provider hears later: another AS has half of the prefix.
const HIJACK: &str = "2000,announce,198.51.100.2,64511,203.0.113.0,24,64666\n";
/// Both are signed for.
const ROAS: &str = "\
prefix,prefix_len,asn,max_len,kind
203.0.112.0,23,64496,23,roa
203.0.112.0,24,64499,24,roa
";

/// Asks three providers, each with files of its own, and checks that all receipts hold.
async fn asked(module: &Shipped, tables: &str, files: [Vec<(&str, &str)>; 3], question: (&str, Value)) -> Value {
    let mut net = Net::of(&PROVIDERS, &[ASKER]).await;
    net.publish(module).await;
    for (provider, files) in PROVIDERS.into_iter().zip(&files) {
        net.start_with(provider, tables, files).await;
        net.step(provider).await;
    }
    let report = ask(&net, question.0, question.1).await;
    assert_eq!((report.answered(), report.parts.len()), (3, 3), "{report:?}");
    assert_receipts_hold(&net, &report);
    let joint = merged(&report);
    net.close().await;
    joint
}

fn assert_receipts_hold(net: &Net, report: &CallReport) {
    let home = Home::open(&net.home_of(ASKER)).expect("the home is there");
    for part in &report.parts {
        let bundle = part.bundle.as_ref().expect("every answer is kept");
        assert_eq!(verify_bundle(&home, bundle).expect("it holds").receipt.gateway, part.domain);
    }
}

#[test]
fn three_providers_tell_a_hijack_from_a_customer() {
    let tables = [
        dataset("table", "route/1", "routes.csv"),
        dataset("rpki", "asinfo/1", "roas.csv"),
        service_over("origin-check", "iog/origin-check@1.0.0", "routes = \"table\", roas = \"rpki\""),
    ];
    let taken = format!("{TABLE}{HIJACK}");
    let files = [TABLE, TABLE, &taken].map(|routes| vec![("routes.csv", routes), ("roas.csv", ROAS)]);
    let question = ("origin-check", json!({"prefix": "203.0.112.0/23"}));
    let joint = play(asked(&ORIGINS, &tables.concat(), files, question));
    assert_eq!((&joint["agreement"], &joint["expected"]["asns"]), (&json!("same"), &json!([64_496])), "{joint}");
    assert_eq!(joint["suspects"].as_array().map(Vec::len), Some(1), "the customer is none: {joint}");
    let suspect = &joint["suspects"][0];
    assert_eq!(
        (&suspect["assessment"], &suspect["prefix"], &suspect["asn"], &suspect["validity"]),
        (&json!("likely-hijack"), &json!("203.0.113.0/24"), &json!(64_666), &json!("invalid-asn"))
    );
    let reasons = json!(["rpki-invalid-asn", "other-origin", "more-specific", "new", "seen-by-some"]);
    assert_eq!((&suspect["reasons"], &suspect["seen-by"]), (&reasons, &json!(["as64502"])));
    assert_eq!(suspect["not-seen-by"], json!(["as64500", "as64501"]));
}

/// What every provider saw of a name for ten days.
const NAMES: &str = "\
rrname,rrtype,rdata,time_first,time_last,count
www.example.net,A,192.0.2.1,0,864000,90
www.example.net,A,192.0.2.2,0,864000,80
mail.example.net,A,192.0.2.3,0,864000,70
";

#[test]
fn three_providers_say_who_lacks_which_record_and_what_changed() {
    let tables = [
        dataset("sensors", "pdns/1", "pdns.csv"),
        service_over("dns-watch", "iog/dns-watch@1.0.0", "pdns = \"sensors\""),
    ];
    // One provider never saw the second address; another saw a third one on the sixth day.
    let lacking = NAMES.replace("www.example.net,A,192.0.2.2", "ftp.example.net,A,192.0.2.2");
    let changed = format!("{NAMES}www.example.net,A,203.0.113.66,518400,604800,5\n");
    let files = [NAMES, &lacking, &changed].map(|records| vec![("pdns.csv", records)]);
    let joint = play(asked(&WATCH, &tables.concat(), files, ("dns-watch", json!({"name": "WWW.example.net."}))));
    let lacks = |answer: &Value| (answer["rdata"].clone(), answer["not-seen-by"].clone());
    let answers: Vec<_> = joint["answers"].as_array().expect("answers").iter().map(lacks).collect();
    assert_eq!(
        answers,
        [
            (json!("192.0.2.1"), json!([])),
            (json!("192.0.2.2"), json!(["as64501"])),
            (json!("203.0.113.66"), json!(["as64500", "as64501"])),
        ]
    );
    let change = |at_s: i64, what: &str| json!({"at-us": at_s * 1_000_000, "what": what, "rrtype": "A", "rdata": "203.0.113.66"});
    assert_eq!(joint["changes"], json!([change(518_400, "appeared"), change(604_800, "vanished")]));
    assert_eq!(joint["agreements"], json!([{"rrtype": "A", "domains": 3, "answers": 3, "common": 1}]));
}
