//! Answers that no honest gateway gives, to the `merge` of both analyses: huge texts, absurd counts, more than an answer
//! can have, claims about others. It never traps, its result stays within the manifest's limit, and the honest answers
//! are in it.

use serde_json::{Value, json};

use crate::{Analysis, texts};

/// What a gateway may send at most is 2 MiB; a text of about that size.
fn huge() -> String {
    "\u{1}é\"\\".repeat(300_000)
}

fn origin(asn: u32, first_us: i64, validity: &str) -> Value {
    json!({
        "asn": asn, "peers": 2, "observations": 4, "first-us": first_us, "last-us": first_us, "validity": validity
    })
}

fn report(prefix: &str, origins: &[Value], inside: &[Value]) -> Value {
    json!({ "ok": {
        "prefix": prefix, "origins": origins, "withdrawals": 0, "more-specifics": inside, "roas": [],
        "roas-found": 0, "peers": 3, "peers-all": 3, "skipped": 0, "roas-skipped": 0,
    } })
}

fn inside(prefix: String, asn: u32) -> Value {
    json!({ "prefix": prefix, "origins": [origin(asn, 5, "invalid-asn")], "withdrawals": u64::MAX })
}

/// The reason for which a domain's answer was left out.
fn reason<'a>(joint: &'a Value, domain: &str) -> &'a str {
    let mut silent = joint["silent"].as_array().unwrap().iter();
    silent.find(|silent| silent["domain"] == domain).map_or("", |silent| silent["reason"].as_str().unwrap())
}

const TARGET: &str = "10.0.0.0/8";

/// Two honest domains that agree.
fn honest() -> [(&'static str, Value); 2] {
    ["alpha", "beta"].map(|name| (name, report(TARGET, &[origin(64_500, 1, "valid")], &[])))
}

#[tokio::test]
async fn origin_check_bears_whatever_a_gateway_writes() {
    let mut absurd = report(TARGET, &[], &[]);
    for field in ["peers", "peers-all", "skipped", "roas-skipped", "roas-found", "withdrawals"] {
        absurd["ok"][field] = json!(u64::MAX);
    }
    let most = json!({
        "asn": u32::MAX, "peers": u64::MAX, "observations": u64::MAX, "first-us": i64::MIN, "last-us": i64::MAX,
        "validity": "valid"
    });
    absurd["ok"]["origins"] = json!([most, most, origin(64_500, i64::MAX, "invalid-asn")]);
    absurd["ok"]["roas"] = json!([{ "prefix": huge(), "max-length": 255, "asn": 0 }]);
    let many: Vec<_> = (0..15_000).map(|n| inside(format!("10.{}.{}.0/24", n / 256, n % 256), n)).collect();
    let full: Vec<_> = (0..1_990).map(|n| inside(format!("10.{}.{}.0/24", n / 256, n % 256), n)).collect();
    let odd = ["", "10.0.0.0/7", "11.0.0.0/24", "10.0.0.1/24", "::/0", "10.0.0.0/8"];
    let odd: Vec<_> = odd.iter().map(|text| inside((*text).to_owned(), 7)).chain([inside(huge(), 7)]).collect();
    let parts = [
        &honest()[..],
        &[
            ("l1", report(&huge(), &[], &[])),
            ("l2", json!({ "err": huge() })),
            ("l3", absurd.clone()),
            ("l4", report(TARGET, &[], &many)),
            ("l5", report(TARGET, &[origin(64_500, 1, "not-found")], &full)),
            ("l6", report(TARGET, &[], &odd)),
            ("l7", report("192.0.2.0/24", &[origin(1, 0, "valid")], &[])),
        ],
    ];
    let joint = Analysis::new("origin-check").merge(&parts.concat()).await;
    assert_eq!((&joint["prefix"], &joint["answered"], &joint["asked"]), (&json!(TARGET), &json!(5), &json!(9)));
    assert_eq!(texts(&joint["silent"], "domain"), ["l1", "l2", "l4", "l7"]);
    assert!(texts(&joint["silent"], "reason").iter().all(|reason| reason.chars().count() < 200));
    assert_eq!(reason(&joint, "l4"), "listed 15000 routes where no answer has more than 2000");
    assert_eq!(reason(&joint, "l7"), "answered for another prefix, `192.0.2.0/24`");
    let own = joint["origins"].as_array().unwrap().iter().find(|origin| origin["asn"] == 64_500).unwrap();
    assert_eq!((&own["validity"], texts(&own["seen-by"], "")), (&json!("valid"), vec!["alpha", "beta", "l3", "l5"]));
    assert_eq!(own["votes"], json!({ "valid": 2, "invalid-asn": 1, "invalid-length": 0, "not-found": 1 }));
    let named = joint["suspects"].as_array().unwrap().iter().any(|suspect| suspect["prefix"] == TARGET);
    assert!(!named, "nobody of the origins of the prefix itself");
    assert_eq!(joint["more-specifics-found"], 1_990, "what lies elsewhere or is none is passed over");
}

#[tokio::test]
async fn one_domain_cannot_excuse_what_others_judge_nor_speak_twice() {
    let analysis = Analysis::new("origin-check");
    let seen = |validity: &str| report(TARGET, &[origin(64_500, 1, "valid"), origin(64_666, 9, validity)], &[]);
    let mut liar = seen("valid");
    let again = liar["ok"]["origins"][1].clone();
    liar["ok"]["origins"].as_array_mut().unwrap().extend(vec![again; 1_000]);
    let parts = [("a", seen("invalid-asn")), ("b", seen("invalid-asn")), ("liar", liar)];
    let joint = analysis.merge(&parts).await;
    let suspect = &joint["suspects"][0];
    assert_eq!((&suspect["asn"], &suspect["assessment"]), (&json!(64_666), &json!("likely-hijack")));
    assert_eq!(suspect["votes"], json!({ "valid": 1, "invalid-asn": 2, "invalid-length": 0, "not-found": 0 }));
    assert_eq!(joint["expected"]["asns"], json!([64_500]));
}

#[tokio::test]
async fn as_many_full_answers_as_can_be_compared_fit_in_the_limits_of_the_manifest() {
    // Every domain has routes of its own, half of them to the prefix itself, and as many ROAs as an answer lists.
    let roas: Vec<_> = (1..=500).map(|asn| json!({ "prefix": TARGET, "max-length": 8, "asn": asn })).collect();
    let full = |domain: u32| {
        let more: Vec<_> = (0..990).map(|n| inside(format!("10.{domain}.{}.{}/32", n / 256, n % 256), n)).collect();
        let origins: Vec<_> = (0..1_000).map(|n| origin(domain << 16 | n, 1, "not-found")).collect();
        let mut full = report(TARGET, &origins, &more);
        (full["ok"]["roas"], full["ok"]["roas-found"]) = (json!(roas), json!(500));
        full
    };
    let names: Vec<_> = (0..60).map(|n| format!("as{n:02}")).collect();
    let parts: Vec<_> = names.iter().map(String::as_str).zip((0..60).map(full)).collect();
    let joint = Analysis::new("origin-check").merge(&parts).await;
    assert_eq!((&joint["answered"], &joint["more-specifics-found"]), (&json!(50), &json!(50 * 990)));
    assert_eq!(joint["origins-found"], 50 * 1_000);
    assert_eq!(joint["origins"][0]["votes"]["invalid-asn"], 49, "all others judge by their ROAs");
    assert!(reason(&joint, "as59").starts_with("not compared: "), "{}", joint["silent"]);
}

#[tokio::test]
async fn as_many_full_answers_about_a_name_as_can_be_compared_fit_in_the_limits_of_the_manifest() {
    let record = |domain: u32, n: u32| {
        json!({ "rrtype": "TXT", "rdata": format!("{:0>110}", domain << 16 | n), "first-us": 0, "last-us": 1,
                "records": 1, "count": 1 })
    };
    let full = |domain: u32| {
        let answers: Vec<_> = (0..2_000).map(|n| record(domain, n)).collect();
        json!({ "ok": { "name": "example.net", "answers": answers, "skipped": 0 } })
    };
    let names: Vec<_> = (0..24).map(|n| format!("as{n:02}")).collect();
    let parts: Vec<_> = names.iter().map(String::as_str).zip((0..24).map(full)).collect();
    let joint = Analysis::new("dns-watch").merge(&parts).await;
    let answered = joint["answered"].as_u64().unwrap();
    assert!((15..24).contains(&answered), "{answered}");
    assert_eq!(joint["answers-found"], answered * 2_000);
    assert!(reason(&joint, "as23").starts_with("not compared: "), "{}", joint["silent"]);
}

#[tokio::test]
async fn dns_watch_bears_whatever_a_gateway_writes() {
    let answer = |rrtype: &str, rdata: &str| json!({ "rrtype": rrtype, "rdata": rdata, "first-us": 0, "last-us": 1, "records": 1, "count": 1 });
    let report = |name: &str, answers: &[Value]| json!({ "ok": { "name": name, "answers": answers, "skipped": 0 } });
    let mut absurd = answer("A", "192.0.2.1");
    (absurd["first-us"], absurd["last-us"]) = (json!(i64::MAX), json!(i64::MIN));
    (absurd["count"], absurd["records"]) = (json!(u64::MAX), json!(u64::MAX));
    let many: Vec<_> = (0..12_000).map(|n| answer("A", &n.to_string())).collect();
    let full: Vec<_> = (0..2_000).map(|n| answer("TXT", &format!("{n:0100}"))).collect();
    let honest = [answer("A", "192.0.2.1"), answer("NS", "ns.example.net")];
    let parts = [
        ("alpha", report("example.net", &honest)),
        ("beta", report("example.net", &honest)),
        ("l1", report(&huge(), &honest)),
        ("l2", json!({ "err": huge() })),
        ("l3", report("example.net", &[absurd])),
        ("l4", report("example.net", &many)),
        ("l5", report("example.net", &[answer(&huge(), "x")])),
        ("l6", report("example.net", &full)),
        ("l7", report("example.org", &[])),
    ];
    let joint = Analysis::new("dns-watch").merge(&parts).await;
    assert_eq!((&joint["name"], &joint["answered"], &joint["asked"]), (&json!("example.net"), &json!(4), &json!(9)));
    assert_eq!(texts(&joint["silent"], "domain"), ["l1", "l2", "l4", "l5", "l7"]);
    assert!(texts(&joint["silent"], "reason").iter().all(|reason| reason.chars().count() < 200));
    assert_eq!(reason(&joint, "l4"), "listed 12000 records, which are more than an answer holds");
    let first = &joint["answers"][0];
    // Numbers that JSON readers would round are texts.
    assert_eq!((&first["rdata"], &first["count"]), (&json!("192.0.2.1"), &json!(u64::MAX.to_string())));
    assert_eq!(texts(&first["seen-by"], "domain"), ["alpha", "beta", "l3"]);
    assert_eq!(joint["answers-found"], 2_002);
}
