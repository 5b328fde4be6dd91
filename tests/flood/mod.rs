//! Floods on real servers in processes of their own, bounded and on loopback: attackers come from 127.0.0.2 and from one member, or from
//! forty networks of loopback, honest callers from 127.0.0.1. A short form runs with every test; the figures of `docs/reliability.md` come from
//!
//! ```sh
//! CARGO_PROFILE_RELEASE_LTO=off cargo test --release --workspace --test e2e flood::figures -- --ignored --nocapture
//! ```
//!
//! where `IOG_FLOOD_S` are the seconds for each row (30) and `IOG_FLOOD_ONLY` is part of the name of the one attack to measure.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "the harness prints its figures, and its long form is configured by the environment"
)]

mod attacks;
mod bare;
mod honest;
mod line;
mod processors;
mod stage;

use std::time::Duration;

use self::honest::Figures;
use self::processors::Processors;
use self::stage::{Room, Stage};

/// Growth of a server under a flood that the short form allows, in MiB: a peer's share of answers and bodies, the pages of its
/// connections, and what the allocator keeps. Without bounds the same flood takes some hundreds.
const GROWTH_MIB_MAX: u64 = 96;
/// What an honest checkpoint may take, with a machine that is busy with other tests.
const CHECKPOINT_MAX: Duration = Duration::from_secs(3);

#[test]
fn a_short_flood_leaves_memory_and_honest_callers_alone() {
    let stage = Stage::set(Processors::Shared);
    let idle = stage.measure(&[], Duration::from_secs(1));
    let all = stage.assaults(3);
    let flooded = stage.measure(&all, Duration::from_secs(6));
    println!("idle {idle}\nflooded {flooded}");
    stage.publish_under(&all);
    assert_eq!(flooded.failed, 0, "{flooded}");
    assert!(flooded.runs.count() > 5, "{flooded}");
    assert!(flooded.checkpoints.longest() < CHECKPOINT_MAX, "{flooded}");
    for (server, before, under) in
        [("center", idle.center_mib, flooded.center_mib), ("gateway", idle.gateway_mib, flooded.gateway_mib)]
    {
        assert!(under < before + GROWTH_MIB_MAX, "the {server} grew from {before} to {under} MiB");
    }
}

/// Networks that strangers come from, each another /16: more than the 32 that once sufficed to use up what strangers have.
const NETWORKS: u8 = 40;
/// What a statement that stops something may take from the command to the log, with a machine that is busy with other tests.
const HALTED_MAX: Duration = Duration::from_secs(20);

#[test]
fn strangers_of_many_networks_leave_members_and_emergencies_alone() {
    let stage = Stage::set_with(Processors::Shared, Room::Little);
    let other = stage.publish_another();
    let idle = stage.measure_for_members(&[], Duration::from_secs(1));
    let all = stage.networks(NETWORKS);
    let flooded = stage.measure_for_members(&all, Duration::from_secs(6));
    println!("idle {idle}\nflooded from {NETWORKS} networks {flooded}");
    assert_eq!(flooded.failed, 0, "{flooded}");
    assert!(flooded.runs.count() > 5, "{flooded}");
    assert!(flooded.checkpoints.longest() < CHECKPOINT_MAX, "{flooded}");
    let halted = stage.halt_under(&all, &other);
    println!("suspended by an auditor after {:?}, revoked by root after {:?}", halted[0], halted[1]);
    assert!(halted.iter().all(|took| *took < HALTED_MAX), "{halted:?}");
    for (server, before, under) in
        [("center", idle.center_mib, flooded.center_mib), ("gateway", idle.gateway_mib, flooded.gateway_mib)]
    {
        assert!(under < before + GROWTH_MIB_MAX, "the {server} grew from {before} to {under} MiB");
    }
}

#[test]
#[ignore = "takes minutes; its figures are in docs/reliability.md"]
fn figures() {
    let span = Duration::from_secs(std::env::var("IOG_FLOOD_S").ok().and_then(|s| s.parse().ok()).unwrap_or(30));
    let stage = Stage::set(Processors::Apart);
    println!("{}", Figures::HEAD);
    // What is measured first pays for first times.
    stage.measure(&[], Duration::from_secs(3));
    println!("| nothing | {} |", stage.measure(&[], span));
    let all = stage.assaults(10);
    let only = std::env::var("IOG_FLOOD_ONLY").unwrap_or_default();
    for assault in all.iter().filter(|assault| assault.name.contains(&only)) {
        println!("| {} | {} |", assault.name, stage.measure(std::slice::from_ref(assault), span));
    }
    println!("| all at once | {} |", stage.measure(&all, span));
    println!("| nothing, afterwards | {} |", stage.measure(&[], span));
    let stage = Stage::set_with(Processors::Apart, Room::Little);
    stage.measure(&[], Duration::from_secs(3));
    println!("| nothing, little room | {} |", stage.measure_for_members(&[], span));
    let networks = stage.networks(NETWORKS);
    println!("| strangers of {NETWORKS} networks | {} |", stage.measure_for_members(&networks, span));
    bare::figures(span);
}
