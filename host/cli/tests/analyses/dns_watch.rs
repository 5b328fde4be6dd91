//! `dns-watch` on ten months of the root zone as passive DNS, given to two domains that do not hold the same.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::net::Ipv6Addr;
use std::path::Path;

use serde_json::{Value, json};

use crate::tables::{Batches, csv};
use crate::{Analysis, shared, texts};

const DAY_US: i64 = 86_400_000_000;

fn records(path: &Path) -> Vec<Value> {
    let file = BufReader::new(flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()));
    file.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

/// A line of CSV, times in microseconds.
fn line(record: &Value) -> String {
    let field = |name: &str| record[name].as_str().unwrap();
    let micros = |name: &str| record[name].as_i64().unwrap() * 1_000_000;
    let (first, last) = (micros("time_first"), micros("time_last"));
    let (name, rrtype, rdata) = (field("rrname"), field("rrtype"), field("rdata"));
    format!("{name},{rrtype},\"{rdata}\",{first},{last},{}\n", record["count"])
}

const HEAD: &str = "rrname,rrtype,rdata,time_first,time_last,count\n";

/// Type, data, first and last seen in microseconds.
type Known = (String, String, i64, i64);

fn known<'a>(records: impl IntoIterator<Item = &'a &'a Value>, name: &str) -> BTreeSet<Known> {
    let of_name = records.into_iter().filter(|record| record["rrname"] == name);
    let one = |record: &&Value| {
        let (text, time) = (|key: &str| record[key].as_str().unwrap(), |key: &str| record[key].as_i64().unwrap());
        let (first, last) = (time("time_first") * 1_000_000, time("time_last") * 1_000_000);
        // The data have addresses in full, with all their zeros.
        let shown = text("rdata").parse::<Ipv6Addr>().map_or_else(|_| text("rdata").to_owned(), |a| a.to_string());
        (text("rrtype").to_owned(), shown, first, last)
    };
    of_name.map(one).collect()
}

#[tokio::test]
async fn two_domains_with_real_passive_dns_are_compared() {
    let Some(path) = shared("dns_rootzone_pdns/pdns_cof.jsonl.gz") else { return };
    let (dir, all) = (tempfile::tempdir().unwrap(), records(&path));
    assert_eq!(all.len(), 19_475);
    let all: Vec<_> = all.iter().collect();
    // The second domain never saw the name servers whose names begin with `a` to `c`.
    let blind = |record: &&Value| record["rrtype"] == "NS" && record["rdata"].as_str().unwrap() < "d";
    let some: Vec<_> = all.iter().copied().filter(|record| !blind(record)).collect();
    // One domain imported the file, the other has a table of its own.
    let imported = Batches::of_pdns(&path).parquet(dir.path(), "all.parquet");
    let files = [imported, csv(dir.path(), "some.csv", HEAD, some.iter().map(|record| line(record)))];
    let analysis = Analysis::new("dns-watch");
    let (mut changes, mut lacking) = (0, 0);
    for name in ["au", "yandex", "uno", "virgin", ".", "m.root-servers.net"] {
        let mut parts = Vec::new();
        for (domain, (path, rows)) in [("all", (&files[0], &all)), ("some", (&files[1], &some))] {
            let shown = format!("{}.", name.trim_end_matches('.')).to_uppercase();
            let answer = analysis.run(json!({ "name": shown }), &[("pdns", "pdns/1", path)]).await;
            assert_eq!(answer["ok"]["name"], name);
            let found: BTreeSet<_> = answer["ok"]["answers"].as_array().unwrap().iter().map(answered).collect();
            assert_eq!(found, known(rows, name), "{name}");
            parts.push((domain, answer));
        }
        let joint = analysis.merge(&parts).await;
        let expected = known(&all, name);
        assert_eq!(joint["answers-found"], expected.len());
        for answer in joint["answers"].as_array().unwrap() {
            let hidden = answer["rrtype"] == "NS" && answer["rdata"].as_str().unwrap() < "d";
            let mut types = joint["agreements"].as_array().unwrap().iter();
            let missed = hidden && types.any(|of| of["rrtype"] == "NS" && of["domains"] == 2);
            assert_eq!(texts(&answer["not-seen-by"], ""), if missed { vec!["some"] } else { vec![] }, "{answer}");
            lacking += u32::from(missed);
        }
        let found: Vec<_> = joint["changes"].as_array().unwrap().iter().map(changed).collect();
        assert!(found.is_sorted_by_key(|change| change.0));
        let found: BTreeSet<_> = found.into_iter().collect();
        changes += found.len();
        assert_eq!(found, expected_changes(&[known(&all, name), known(&some, name)]), "{name}");
    }
    assert!(changes > 5 && lacking > 5, "{changes} changes, {lacking} records that one domain lacks");
}

fn answered(answer: &Value) -> Known {
    let (text, time) = (|key: &str| answer[key].as_str().unwrap(), |key: &str| answer[key].as_i64().unwrap());
    (text("rrtype").to_owned(), text("rdata").to_owned(), time("first-us"), time("last-us"))
}

/// When, what, type and data.
type Changed = (i64, String, String, String);

fn changed(change: &Value) -> Changed {
    let text = |key: &str| change[key].as_str().unwrap().to_owned();
    (change["at-us"].as_i64().unwrap(), text("what"), text("rrtype"), text("rdata"))
}

/// Changes by the words of the contract: wherever it was seen, more than a day from the ends of its type.
fn expected_changes(domains: &[BTreeSet<Known>]) -> BTreeSet<Changed> {
    let mut views = BTreeMap::<(String, String), Vec<(i64, i64, bool, bool)>>::new();
    for records in domains {
        for (rrtype, rdata, first, last) in records {
            let of_type = || records.iter().filter(|record| record.0 == *rrtype);
            let (from, to) = (of_type().map(|r| r.2).min().unwrap(), of_type().map(|r| r.3).max().unwrap());
            let view = (*first, *last, first - from > DAY_US, to - last > DAY_US);
            views.entry((rrtype.clone(), rdata.clone())).or_default().push(view);
        }
    }
    let mut changes = BTreeSet::new();
    for ((rrtype, rdata), seen) in views {
        if seen.iter().all(|view| view.2) {
            let at = seen.iter().map(|view| view.0).min().unwrap();
            changes.insert((at, "appeared".to_owned(), rrtype.clone(), rdata.clone()));
        }
        if seen.iter().all(|view| view.3) {
            let at = seen.iter().map(|view| view.1).max().unwrap();
            changes.insert((at, "vanished".to_owned(), rrtype, rdata));
        }
    }
    changes
}

#[tokio::test]
async fn a_name_that_is_none_and_a_time_that_ends_before_it_begins_are_refused() {
    let Some(path) = shared("dns_rootzone_pdns/pdns_cof.jsonl.gz") else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = Batches::of_pdns(&path).parquet(dir.path(), "all.parquet");
    let analysis = Analysis::new("dns-watch");
    let slots = [("pdns", "pdns/1", file.as_path())];
    let answer = analysis.run(json!({ "name": "a..b" }), &slots).await;
    assert_eq!(answer["err"], "`name`: `a..b` is not a domain name");
    let params = json!({ "name": "au", "start-us": 1, "end-us": 1 });
    assert_eq!(analysis.run(params, &slots).await["err"], "`start-us` must be less than `end-us`");
    // Before anything was recorded.
    let answer = analysis.run(json!({ "name": "au", "end-us": 1 }), &slots).await;
    assert_eq!(answer["ok"], json!({ "name": "au", "answers": [], "skipped": 0 }));
}
