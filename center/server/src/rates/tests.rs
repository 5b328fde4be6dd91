//! The rates on their own: who is refused, who never is, and what an operator hears. Nothing is signed here, since they are
//! asked about valid statements alone.

use iog_protocol::{
    capabilities::Capabilities,
    ids::Digest,
    keys::SecretKey,
    manifest::{LimitsDecl, ReleaseClass},
    statements::{
        Domain, Genesis, Keyset, Review, Revocation, RevocationSeverity, Root, Scope, Source, Statement, Subject,
        Submission, Target, Thresholds, Verdict,
    },
};

use super::*;

pub(crate) const NOW: Timestamp = Timestamp::from_unix(1_790_000_000);
const BYTES: usize = 1_000;

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

/// A registry of its genesis alone; two keys of the root sign.
pub(crate) fn registry() -> Registry {
    let keyset = Keyset {
        version: 1,
        expires: NOW.plus_days(365),
        approval: vec![key(3).public()],
        token: vec![key(4).public()],
        ca_spki_sha256: vec![],
        auditors: vec![],
        publishers: vec![],
        root: None,
        min_rules_version: None,
        required_families: Vec::new(),
    };
    let genesis = Genesis {
        trust_domain: "net.example".parse().unwrap(),
        root: Root { keys: vec![key(1).public(), key(2).public()], threshold: 2 },
        log_key: key(5).public().vkey("net.example/log").unwrap().to_string(),
        witness_policy: None,
        rules_version: 1,
        min_rules_version: 1,
        thresholds: Thresholds { k: 1, suspension_hours: 72, member_cosigners: 0 },
        keyset,
    };
    let entry = Statement::genesis(genesis).sign(&[&key(1), &key(2)]).unwrap().to_json();
    Registry::genesis(&entry, &Digest::of(&entry)).unwrap()
}

fn said(statement: Statement, seeds: &[u8]) -> Said {
    Said { statement, signers: seeds.iter().map(|seed| key(*seed).public().id()).collect() }
}

fn subject(module: u32) -> Subject {
    Subject::new("iog/x@1.0.0", Digest::of(&module.to_be_bytes()))
}

fn review(module: u32, issued: Timestamp, auditor: u8) -> Said {
    let review = Review {
        verdict: Verdict::Approve,
        criteria: Vec::new(),
        scope: Scope::Full,
        manifest: Digest::of(b"manifest"),
        findings: Vec::new(),
        closes: Vec::new(),
        issued,
        expires: None,
    };
    said(Statement::about(&Digest::of(b"genesis"), subject(module), review), &[auditor])
}

fn revocation(module: u32, issued: Timestamp, seeds: &[u8]) -> Said {
    let revocation = Revocation {
        severity: RevocationSeverity::Suspend,
        target: Target::Module(subject(module).digest()),
        reason_code: "vulnerability".into(),
        reason: "leaks".into(),
        until: None,
        issued,
    };
    said(Statement::about(&Digest::of(b"genesis"), subject(module), revocation), seeds)
}

fn domain(id: &str, seeds: &[u8]) -> Said {
    let domain = Domain {
        id: id.parse().unwrap(),
        organisation: "isp".parse().unwrap(),
        asns: Vec::new(),
        endpoints: Vec::new(),
        caller_key: key(seeds[0]).public(),
        receipt_key: key(250).public(),
        sequence: 1,
    };
    said(Statement::new(&Digest::of(b"genesis"), domain), seeds)
}

fn submission(name: &str, publisher: u8) -> Said {
    let submission = Submission {
        name: name.parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
        size: 1,
        module: Digest::of(name.as_bytes()),
        manifest: Digest::of(b"manifest"),
        capabilities: Capabilities {
            imports: Vec::new(),
            datasets: [].into(),
            release: ReleaseClass::Reviewed,
            limits: LimitsDecl::default(),
        },
        source: Source { repository: "https://git.example/x".into(), commit: "c0ffee".into() },
        publisher_organisation: "lab".parse().unwrap(),
    };
    said(Statement::submission(&Digest::of(b"genesis"), submission), &[publisher])
}

/// How many of the same statement pass at once, and what the next is told.
fn burst(rates: &mut Rates, mut next: impl FnMut(u32) -> Said) -> (u32, Declined) {
    let registry = registry();
    for passed in 0..100_000 {
        if let Err(declined) = rates.admit(&registry, &next(passed), BYTES, NOW) {
            return (passed, declined);
        }
    }
    panic!("nothing ends it")
}

#[test]
fn each_type_has_a_bound_for_its_signer_and_its_target() {
    let passed = |next: &mut dyn FnMut(u32) -> Said| burst(&mut Rates::default(), next).0;
    assert_eq!(passed(&mut |_| review(1, NOW, 40)), 8, "one auditor, one module");
    assert_eq!(passed(&mut |number| review(number, NOW, 40)), 64, "one auditor, any module");
    assert_eq!(passed(&mut |number| review(1, NOW, (number % 200) as u8)), 512, "all auditors, one module");
    assert_eq!(passed(&mut |number| submission(&format!("iog/x{number}"), 30)), 32);
    let publishers = &mut |number: u32| submission(&format!("iog/x{number}"), (number % 30) as u8);
    assert_eq!(passed(publishers), 32, "a namespace, however many keys it has");
    assert_eq!(passed(&mut |_| domain("as1", &[50])), 16);
    assert_eq!(passed(&mut |number| domain(&format!("as{number}"), &[50])), 64, "one key for many domains");
    assert_eq!(passed(&mut |_| revocation(1, NOW, &[40])), 4);
    assert_eq!(passed(&mut |number| revocation(number, NOW, &[40])), 32);
    assert_eq!(passed(&mut |number| domain(&format!("as{number}"), &[50, 1, 2])), 20_000, "the root admits many");
}

#[test]
fn who_is_refused_is_told_when_to_come_back_and_then_passes() {
    let (registry, mut rates) = (registry(), Rates::default());
    let (_, declined) = burst(&mut rates, |_| review(1, NOW, 40));
    let Declined::Rate { retry_after_s, .. } = declined else { panic!("{declined:?}") };
    assert_eq!(retry_after_s, 3_600);
    let later = |seconds: i64| NOW.plus_seconds(seconds);
    let early = rates.check(&registry, &review(1, later(3_599), 40), BYTES, later(3_599)).unwrap_err();
    assert_eq!(
        early.to_string(),
        "a key that signed this, about the same, said as much as may be said for now: come back in 1 seconds"
    );
    rates.admit(&registry, &review(1, later(3_600), 40), BYTES, later(3_600)).unwrap();
    rates.check(&registry, &review(1, later(3_600), 40), BYTES, later(3_600)).unwrap_err();
    assert!(rates.buckets.len() < 8, "{}", rates.buckets.len());
}

#[test]
fn nobody_who_fills_the_ordinary_purse_stops_the_root_or_who_stops_something() {
    let (registry, mut rates) = (registry(), Rates::default());
    let (passed, declined) = burst(&mut rates, |number| review(number, NOW, u8::try_from(number / 64).unwrap()));
    assert_eq!(
        (passed, &declined),
        (4_096, &Declined::Rate { who: Account::All(Purse::Ordinary).who(), retry_after_s: 8 })
    );
    rates.admit(&registry, &revocation(1, NOW, &[40]), BYTES, NOW).unwrap();
    rates.admit(&registry, &revocation(1, NOW, &[1, 2]), BYTES, NOW).unwrap();
    let keyset = registry.keyset().clone();
    rates.admit(&registry, &said(Statement::new(&Digest::of(b"g"), keyset), &[1, 2]), BYTES, NOW).unwrap();
    rates.admit(&registry, &domain("as1", &[50, 1, 2]), BYTES, NOW).unwrap();
    // Nor does one who suspends all he can stop another, or the root.
    burst(&mut rates, |number| revocation(number, NOW, &[41]));
    rates.admit(&registry, &revocation(1, NOW, &[42]), BYTES, NOW).unwrap();
    rates.admit(&registry, &revocation(1, NOW, &[1, 2]), BYTES, NOW).unwrap();
    // A log that ordinary statements have filled has room left for both.
    rates.log_bytes = LOG_BYTES_MAX - LOG_BYTES_MAX / RESERVED_PART;
    let full = rates.check(&registry, &submission("iog/x", 30), BYTES, NOW).unwrap_err();
    assert!(matches!(full, Declined::Full { what: "bytes of the log", .. }), "{full:?}");
    rates.check(&registry, &revocation(2, NOW, &[42]), BYTES, NOW).unwrap();
    rates.check(&registry, &domain("as2", &[50, 1, 2]), BYTES, NOW).unwrap();
}

#[test]
fn a_time_is_near_the_centers_clock() {
    let (registry, rates) = (registry(), Rates::default());
    let of_review = |seconds: i64| rates.check(&registry, &review(1, NOW.plus_seconds(seconds), 40), BYTES, NOW);
    let of_halt = |seconds: i64| rates.check(&registry, &revocation(1, NOW.plus_seconds(seconds), &[40]), BYTES, NOW);
    let week = 7 * 24 * 3_600;
    assert_eq!((of_review(600), of_review(-week), of_halt(600), of_halt(-4 * week)), (Ok(()), Ok(()), Ok(()), Ok(())));
    assert!(
        matches!(of_review(601), Err(Declined::Early { .. })) && matches!(of_halt(601), Err(Declined::Early { .. }))
    );
    assert!(matches!(of_review(-week - 1), Err(Declined::Late { .. })));
    let issued = NOW.plus_days(2_555);
    let text = rates.check(&registry, &review(1, issued, 40), BYTES, NOW).unwrap_err().to_string();
    assert!(text.starts_with(&format!("`issued` is {issued}; the center's clock says {NOW}")), "{text}");
}

#[test]
fn what_the_log_says_counts_after_a_restart() {
    let (registry, mut rates) = (registry(), Rates::default());
    let (passed, _) = burst(&mut rates, |number| review(number, NOW, 40));
    let mut again = Rates::default();
    for number in 0..passed {
        again.count_bytes(BYTES);
        again.count_said(&registry, &review(number, NOW, 40), NOW.unix());
    }
    assert_eq!((&again.buckets, again.log_bytes), (&rates.buckets, rates.log_bytes));
    again.check(&registry, &review(passed, NOW, 40), BYTES, NOW).unwrap_err();
    assert!(memory_s() <= 3 * 24 * 3_600, "{}", memory_s());
}

#[test]
fn an_operator_hears_of_a_tenth_of_every_bound() {
    let (registry, mut rates) = (registry(), Rates::default());
    let alarms = |rates: &Rates| {
        let usages = rates.usages(&registry, NOW).into_iter();
        usages.filter(|usage| usage.is_alarm()).map(Usage::text).collect::<Vec<_>>()
    };
    assert_eq!(alarms(&rates), [""; 0]);
    for number in 0..409 {
        rates.admit(&registry, &review(number, NOW, u8::try_from(number / 60).unwrap()), BYTES, NOW).unwrap();
    }
    assert_eq!(alarms(&rates), ["statements of members, auditors and publishers: 409 of 4096"]);
    rates.log_bytes = LOG_BYTES_MAX / 10;
    assert_eq!(alarms(&rates).len(), 2);
    assert_eq!(rates.usages(&registry, NOW.plus_days(1)).iter().filter(|usage| usage.is_alarm()).count(), 1);
}

#[test]
fn the_files_of_modules_have_a_bound_in_all_which_stops_submissions_alone() {
    let (registry, mut rates) = (registry(), Rates::default());
    rates.admit(&registry, &submission("iog/a", 40), BYTES, NOW).unwrap();
    assert_eq!(rates.blob_bytes, 1 + MANIFEST_BYTES_MAX as u64);
    let alarms = |rates: &Rates| rates.usages(&registry, NOW).into_iter().filter(|usage| usage.is_alarm()).count();
    assert_eq!(alarms(&rates), 0);
    rates.blob_bytes = BLOB_BYTES_MAX / 10;
    assert_eq!(alarms(&rates), 1, "an operator hears of it at a tenth");
    rates.blob_bytes = BLOB_BYTES_MAX - 1;
    let declined = rates.check(&registry, &submission("iog/b", 40), BYTES, NOW).unwrap_err();
    assert!(matches!(declined, Declined::Full { max: BLOB_BYTES_MAX, .. }), "{declined}");
    rates.check(&registry, &review(1, NOW, 41), BYTES, NOW).unwrap();
}
