//! An auditor's key that fills the log: as fast as it can, dated now and dated years ahead. It is told when to come back, the
//! log grows by no more than the rate, a restart forgives nothing, and nobody else notices.

use std::time::{Duration, Instant};

use http::{StatusCode, header};
use iog_protocol::{
    api::{ApiErrorCode, Health, ModuleSubmitted, StatementAccepted, paths},
    statements::{Predicate, Revocation, RevocationSeverity, Statement, Target, Verdict},
    time::Timestamp,
};

use crate::common::{AUDITORS, Module, ROOTS, World, created, json, now, refused};

const ALICE: u8 = AUDITORS[0].2;
const BOB: u8 = AUDITORS[1].2;
/// How often the key speaks.
const SENT: i64 = 400;
/// What of it may come in: the burst about one module.
const TAKEN_MAX: u64 = 8;
/// MiB by which the center may grow meanwhile, with the client and tests beside it in one process.
const GROWN_MIB_MAX: u64 = 96;
/// What 450 refusals may take, and after them an honest auditor and the root: a hundred times what they do.
const REFUSED_MAX: Duration = Duration::from_secs(60);
const HONEST_MAX: Duration = Duration::from_secs(5);

fn review_at(module: &Module, world: &World, issued: Timestamp) -> Statement {
    let mut statement = module.review(world, Verdict::Approve);
    let Predicate::Review(review) = &mut statement.predicate else { panic!("a review") };
    review.issued = issued;
    statement
}

fn revocation(module: &Module, world: &World) -> Statement {
    let revocation = Revocation {
        severity: RevocationSeverity::Revoke,
        target: Target::Module(module.digest()),
        reason_code: "vulnerability".into(),
        reason: "leaks".into(),
        until: None,
        issued: now(),
    };
    Statement::about(&world.registry_id, module.subject(), revocation)
}

async fn log_size(world: &World) -> u64 {
    json::<Health>(&world.get(paths::HEALTH).await).log_size
}

/// Resident memory of this process, in MiB.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[tokio::test]
async fn one_auditors_key_cannot_fill_the_log() {
    let mut world = World::new().await;
    let module = Module::load("hello");
    created::<ModuleSubmitted>(&module.submit(&world).await);
    let (before, resident, start, clock) = (log_size(&world).await, resident_mib(), Instant::now(), now());
    let mut taken = 0;
    for number in 0..SENT {
        let answer = world.statement(&review_at(&module, &world, clock.plus_seconds(number)), &[ALICE]).await;
        if answer.status == StatusCode::CREATED {
            taken += 1;
            continue;
        }
        let said = refused(&answer, ApiErrorCode::RateLimited);
        assert!(said.contains("come back in"), "{said}");
        let seconds: u64 = answer.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
        assert!((1..=3_600).contains(&seconds));
    }
    let issued = Timestamp::from_unix(1_988_150_400);
    for number in 0..50 {
        let ahead = review_at(&module, &world, issued.plus_seconds(number));
        let said = refused(&world.statement(&ahead, &[ALICE]).await, ApiErrorCode::StatementInvalid);
        assert!(said.contains("the center's clock"), "{said}");
    }
    // One more is the center's approval, which the first review completes.
    let grown = log_size(&world).await - before;
    assert!(taken <= TAKEN_MAX && grown <= TAKEN_MAX + 1, "{taken} were taken, the log grew by {grown}");
    let (took, after) = (start.elapsed(), resident_mib());
    println!("{SENT} + 50 reviews in {took:?}: {taken} taken, log + {grown}");
    println!("resident {resident} MiB before, {after} MiB after");
    assert!(took <= REFUSED_MAX, "{took:?}");
    assert!(after <= resident + GROWN_MIB_MAX, "{resident} MiB before, {after} MiB after");

    world.stop().await;
    world.start().await;
    let again = world.statement(&review_at(&module, &world, clock.plus_seconds(SENT)), &[ALICE]).await;
    refused(&again, ApiErrorCode::RateLimited);

    let start = Instant::now();
    module.approve(&world, BOB).await;
    created::<StatementAccepted>(&world.statement(&revocation(&module, &world), &[ROOTS[0], ROOTS[1]]).await);
    let took = start.elapsed();
    println!("another auditor and the root together in {took:?}");
    assert!(took <= HONEST_MAX, "{took:?}");
    let registry = world.registry().await;
    assert!(registry.halts(&Target::Module(module.digest())).revoked().is_some());
    assert_eq!((registry.size(), registry.anomalies().len()), (log_size(&world).await, 0));
}

/// The same key may still stop a module when it has said all that it may say of it.
#[tokio::test]
async fn a_key_that_said_enough_still_suspends() {
    let world = World::new().await;
    let module = Module::load("hello");
    created::<ModuleSubmitted>(&module.submit(&world).await);
    let clock = now();
    let mut last = StatusCode::CREATED;
    for number in 0..10 {
        last = world.statement(&review_at(&module, &world, clock.plus_seconds(number)), &[ALICE]).await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    let mut suspension = revocation(&module, &world);
    let Predicate::Revocation(said) = &mut suspension.predicate else { panic!("a revocation") };
    said.severity = RevocationSeverity::Suspend;
    created::<StatementAccepted>(&world.statement(&suspension, &[ALICE]).await);
}
