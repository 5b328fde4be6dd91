//! A registry of thousands of domains, alone in its process: what the fold keeps, what a statement and a copy take, and that
//! neither grows with what is there already. `benches/registry.rs` measures a hundred times as many.

mod common;

use common::{genesis, resident_kib, statement};
use iog_protocol::ids::Digest;
use iog_protocol::registry::Registry;
use std::sync::Arc;
use std::time::{Duration, Instant};

const DOMAINS: u64 = 3_000;
/// Resident memory of a domain: four times what the benchmark finds at 10,000 of them.
const DOMAIN_KIB_MAX: u64 = 10;
/// The last statements may take so many times what the first took, and a moment for being disturbed.
const SLOWER_MAX: u32 = 5;
const DISTURBED: Duration = Duration::from_millis(200);
/// A copy of the registry, and a statement while others hold the registry. Copying all of it would take longer than the first.
const COPY_MAX: Duration = Duration::from_millis(1);
const HELD_MAX: Duration = Duration::from_millis(50);

fn absorbed(registry: &mut Registry, entries: &[Vec<u8>]) -> Duration {
    let start = Instant::now();
    entries.iter().for_each(|entry| drop(registry.absorb(entry)));
    start.elapsed()
}

#[test]
fn a_large_registry_takes_memory_for_its_domains_and_time_for_its_statements() {
    let genesis = genesis(None);
    let id = Digest::of(&genesis);
    let statements: Vec<_> = (0..3 * DOMAINS).map(|number| statement(&id, DOMAINS, number)).collect();
    let (admissions, updates) = statements.split_at(DOMAINS.try_into().unwrap());
    let mut registry = Registry::genesis(&genesis, &id).unwrap();
    let before = resident_kib();
    let first = absorbed(&mut registry, &admissions[..500]);
    absorbed(&mut registry, &admissions[500..]);
    let admitted = resident_kib() - before;
    let (early, last) = updates.split_at(updates.len() - 500);
    absorbed(&mut registry, early);
    let last = absorbed(&mut registry, last);
    let updated = resident_kib() - before;
    assert_eq!((registry.domain_count() as u64, registry.anomalies().len()), (DOMAINS, 0));
    println!(
        "{DOMAINS} domains: {admitted} KiB, {updated} KiB after two updates of each; 500 in {first:?}, then {last:?}"
    );
    assert!(admitted <= DOMAINS * DOMAIN_KIB_MAX, "{admitted} KiB");
    assert!(updated <= 2 * DOMAINS * DOMAIN_KIB_MAX, "{updated} KiB");
    assert!(last <= first * SLOWER_MAX + DISTURBED, "{last:?}, {first:?} at the beginning");

    let start = Instant::now();
    let copies: Vec<Registry> = (0..200).map(|_| registry.clone()).collect();
    let copy = start.elapsed() / 200;
    assert!(copy <= COPY_MAX, "{copy:?}");
    assert!(resident_kib() - before <= 2 * DOMAINS * DOMAIN_KIB_MAX + 4_096, "copies share what they hold");
    drop(copies);
    let mut shared = Arc::new(registry);
    let start = Instant::now();
    for number in 0..20 {
        let held = Arc::clone(&shared);
        Registry::apply_shared(&mut shared, &statement(&id, DOMAINS, 3 * DOMAINS + number)).unwrap();
        drop(held);
    }
    let one = start.elapsed() / 20;
    println!("a copy {copy:?}, a statement while others hold the registry {one:?}");
    assert!(one <= HELD_MAX, "{one:?}");
}
