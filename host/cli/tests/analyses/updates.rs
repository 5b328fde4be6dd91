//! `origin-check` on real updates and a real table of three collectors and four times, each one a domain: every number of
//! every answer, and who sees what in the joint one, as `bgpdump` or a scan of the decoded rows gives it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::tables::{Batches, ROAS_HEAD, Route, covers, csv, prefix};
use crate::{Analysis, shared, texts};

const FILES: [(&str, &str); 4] = [
    ("rrc06", "ris_updates/ris.rrc06.updates.1427846400.gz"),
    ("jinx", "ris_updates/routeviews.route-views.jinx.updates.1427846400.bz2"),
    ("rrc2010", "ris_updates/updates.20100722.2015.gz"),
    ("table2002", "ris_updates/bview.20020722.2337.gz"),
];

/// Every route of a file as `bgpdump` has it, if it is installed.
fn bgpdump(path: &Path) -> Option<Vec<Route>> {
    let Ok(output) = Command::new("bgpdump").arg("-m").arg(path).output() else {
        println!("skipped: bgpdump is not installed; the rows of the decoder are taken for what the file holds");
        return None;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| line.split('|').collect::<Vec<_>>()).filter(|fields| fields[2] != "STATE");
    Some(lines.map(|fields| route(&fields)).collect())
}

fn route(fields: &[&str]) -> Route {
    // The time of an update may have microseconds.
    let (seconds, micros) = fields[1].split_once('.').unwrap_or((fields[1], "0"));
    // A path that ends in a set has no origin.
    let origin = fields.get(6).and_then(|path| path.split(' ').next_back()).and_then(|asn| asn.parse().ok());
    Route {
        time: seconds.parse::<i64>().unwrap() * 1_000_000 + micros.parse::<i64>().unwrap(),
        kind: match fields[2] {
            "B" => "rib",
            "A" => "announce",
            "W" => "withdraw",
            other => panic!("`{other}`"),
        }
        .to_owned(),
        peer: fields[3].parse().unwrap(),
        prefix: prefix(fields[5]),
        origin: origin.filter(|_| fields[2] != "W"),
    }
}

/// Of one prefix: by origin the peers, observations, first and last seen; and the withdrawals.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counted {
    origins: BTreeMap<Option<u64>, (BTreeSet<IpAddr>, u64, i64, i64)>,
    withdrawals: u64,
}

fn counted(routes: &[Route], block: (IpAddr, u8)) -> BTreeMap<String, Counted> {
    let mut all = BTreeMap::<String, Counted>::new();
    for route in routes.iter().filter(|route| covers(block, route.prefix)) {
        let of = all.entry(format!("{}/{}", route.prefix.0, route.prefix.1)).or_default();
        if route.kind == "withdraw" {
            of.withdrawals += 1;
            continue;
        }
        let origin = of.origins.entry(route.origin).or_insert((BTreeSet::new(), 0, i64::MAX, i64::MIN));
        origin.0.insert(route.peer);
        *origin = (std::mem::take(&mut origin.0), origin.1 + 1, origin.2.min(route.time), origin.3.max(route.time));
    }
    all
}

/// Of one prefix: AS number, peers, observations, first, last; and the withdrawals.
type Shown = BTreeMap<String, (Vec<(Option<u64>, u64, u64, i64, i64)>, u64)>;

fn expected(counted: &BTreeMap<String, Counted>) -> Shown {
    let one = |of: &Counted| {
        let origins = of.origins.iter();
        let origins = origins.map(|(asn, (peers, seen, first, last))| (*asn, peers.len() as u64, *seen, *first, *last));
        (origins.collect(), of.withdrawals)
    };
    counted.iter().map(|(prefix, of)| (prefix.clone(), one(of))).collect()
}

fn answered(report: &Value) -> Shown {
    let origin = |origin: &Value| {
        let (uint, time) = (|key: &str| origin[key].as_u64().unwrap(), |key: &str| origin[key].as_i64().unwrap());
        (origin["asn"].as_u64(), uint("peers"), uint("observations"), time("first-us"), time("last-us"))
    };
    let one = |of: &Value| {
        let origins = of["origins"].as_array().unwrap().iter().map(origin).collect();
        (of["prefix"].as_str().unwrap().to_owned(), (origins, of["withdrawals"].as_u64().unwrap()))
    };
    let mut all: Shown = report["more-specifics"].as_array().unwrap().iter().map(one).collect();
    let (prefix, own) = one(report);
    if !own.0.is_empty() || own.1 > 0 {
        all.insert(prefix, own);
    }
    all
}

#[tokio::test]
async fn every_number_of_four_real_files_is_right_and_the_joint_answer_says_who_sees_what() {
    let (dir, mut domains) = (tempfile::tempdir().unwrap(), Vec::new());
    for (domain, name) in FILES {
        let Some(path) = shared(name) else { return };
        let table = Batches::of_mrt(&path);
        let routes = bgpdump(&path).unwrap_or_else(|| table.routes());
        domains.push((domain, table.parquet(dir.path(), &format!("{domain}.parquet")), routes));
    }
    let none = csv(dir.path(), "none.csv", ROAS_HEAD, []);
    let analysis = Analysis::new("origin-check");
    let (mut shared_routes, mut withdrawals) = (0, 0);
    for block in ["200.0.0.0/8", "91.0.0.0/8", "205.0.0.0/8", "192.5.0.0/16", "2001::/16"] {
        let (mut parts, mut counts) = (Vec::new(), Vec::new());
        for (domain, file, routes) in &domains {
            let slots = [("routes", "route/1", file.as_path()), ("roas", "asinfo/1", none.as_path())];
            let answer = analysis.run(json!({ "prefix": block }), &slots).await;
            let counted = counted(routes, prefix(block));
            if counted.values().map(|of| of.origins.len().max(1)).sum::<usize>() > 2_000 {
                assert_eq!(
                    answer["err"], "more than 2000 routes at this prefix: ask for a longer one",
                    "{domain} {block}"
                );
                continue;
            }
            assert_eq!(answered(&answer["ok"]), expected(&counted), "{domain} {block}");
            withdrawals += counted.values().map(|of| of.withdrawals).sum::<u64>();
            parts.push((*domain, answer));
            counts.push((*domain, counted));
        }
        shared_routes += joint(&analysis.merge(&parts).await, &counts);
    }
    assert!(shared_routes > 30 && withdrawals > 50, "{shared_routes}, {withdrawals}");
}

/// Compares who sees which route with what was counted; returns how many are seen by several domains.
fn joint(answer: &Value, domains: &[(&str, BTreeMap<String, Counted>)]) -> usize {
    let (mut several, mut listed) = (0, 0);
    let mut routes = BTreeMap::<(&str, Option<u64>), BTreeSet<&str>>::new();
    for (domain, counted) in domains {
        for (prefix, of) in counted {
            for asn in of.origins.keys() {
                routes.entry((prefix, *asn)).or_default().insert(domain);
            }
        }
    }
    for inside in answer["more-specifics"].as_array().unwrap() {
        for origin in inside["origins"].as_array().unwrap() {
            let seen = &routes[&(inside["prefix"].as_str().unwrap(), origin["asn"].as_u64())];
            assert_eq!(texts(&origin["seen-by"], ""), seen.iter().copied().collect::<Vec<_>>(), "{inside}");
            several += usize::from(seen.len() > 1);
            listed += 1;
        }
    }
    let inside = routes.keys().filter(|(prefix, _)| answer["prefix"] != **prefix).count();
    assert_eq!(answer["more-specifics-found"], inside);
    assert!(listed == inside || listed > 400, "{listed} of {inside}");
    several
}
