//! What the registry costs when it is large: folding, copying, and a replica that starts with nothing. The log is made here:
//! so many domains admitted by the root, then updates of all of them in turn. The replica fetches it over TLS from a server
//! of static files in this process. `cargo bench -p iog-client --bench registry -- 100000 200000` takes the number of
//! domains and of statements; with `fold` behind them nothing is fetched, and no entry is kept.
#![expect(clippy::unwrap_used, reason = "a failed step of a benchmark must panic")]
#![expect(clippy::print_stdout, reason = "the figures are its result")]

#[path = "../tests/common/mod.rs"]
mod common;

use axum::Router;
use axum::http::{StatusCode, Uri};
use common::{NOW, ORIGIN, Server, genesis, log_signer, resident_kib, statement};
use iog_client::{Pins, Replica};
use iog_protocol::ids::Digest;
use iog_protocol::registry::Registry;
use iog_tlog::{BundleId, Checkpoint, EntryBundle, Tree, leaf_hash, tiles_for};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Entries made and folded at a time: sixteen bundles.
const CHUNK: u64 = 4_096;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let number = |at: usize, default: u64| words.get(at).map_or(default, |word| word.parse().unwrap());
    let (domains, statements) = (number(0, 100_000), number(1, 200_000));
    let folder = (words.get(2).map(String::as_str) != Some("fold")).then(|| tempfile::tempdir().unwrap());
    println!("{domains} domains, {statements} statements");
    let genesis = genesis(None);
    let tree = folded(&genesis, domains, statements, folder.as_ref().map(tempfile::TempDir::path));
    if let Some(folder) = folder {
        finish(&tree, folder.path());
        let pins = Pins { genesis: Digest::of(&genesis), log: log_signer(1).verifier().clone() };
        tokio::runtime::Runtime::new().unwrap().block_on(fetched(folder.path(), pins));
    }
}

/// Makes the log, folds it, and writes its bundles; the figures are of the fold alone.
fn folded(genesis: &[u8], domains: u64, statements: u64, folder: Option<&Path>) -> Tree {
    let id = Digest::of(genesis);
    let before_kib = resident_kib();
    let mut registry = Registry::genesis(genesis, &id).unwrap();
    let mut tree = Tree::new();
    let (mut spent, mut shown) = (Duration::ZERO, Duration::ZERO);
    let mut first = 0;
    while first < statements {
        let end = (first + CHUNK - u64::from(first == 0)).min(statements);
        let mut entries = made(&id, domains, first, end);
        let start = processor();
        entries.iter().for_each(|entry| drop(registry.absorb(entry)));
        spent += processor() - start;
        if first == 0 {
            entries.insert(0, genesis.to_vec());
        }
        if let Some(folder) = folder {
            let id = BundleId::all_for(tree.len() + entries.len() as u64);
            let new = id.skip_while(|id| id.first_entry() < tree.len()).zip(entries.chunks(256));
            new.for_each(|(id, entries)| {
                put(folder, &id.path(), &EntryBundle { entries: entries.to_vec() }.encode().unwrap());
            });
        }
        tree.extend(entries.iter().map(|entry| leaf_hash(entry)));
        if end * 4 / statements > first * 4 / statements {
            println!(
                "fold: {end} statements, {:.2} s of processor time for the last quarter",
                (spent - shown).as_secs_f64()
            );
            shown = spent;
        }
        first = end;
    }
    assert_eq!((registry.anomalies().len(), registry.domain_count() as u64), (0, domains.min(statements)));
    println!("fold: {:.2} s of processor time in all", spent.as_secs_f64());
    println!("registry: {} MiB resident (with the Merkle tree)", (resident_kib() - before_kib) / 1024);
    copied(registry, &made(&id, domains, statements, statements + 64));
    tree
}

/// A copy of the registry, and a batch of one entry while somebody else holds the registry.
fn copied(registry: Registry, more: &[Vec<u8>]) {
    let start = Instant::now();
    let copies: Vec<Registry> = (0..64).map(|_| registry.clone()).collect();
    println!("copy: {:?}", start.elapsed() / 64);
    drop(copies);
    let mut shared = Arc::new(registry);
    let start = Instant::now();
    for entry in more {
        let held = Arc::clone(&shared);
        Registry::apply_shared(&mut shared, entry).unwrap();
        drop(held);
    }
    println!("batch of one entry: {:?}", start.elapsed() / u32::try_from(more.len()).unwrap());
}

/// Statements `first..end`, made by two threads.
fn made(registry: &Digest, domains: u64, first: u64, end: u64) -> Vec<Vec<u8>> {
    let middle = first.midpoint(end);
    std::thread::scope(|scope| {
        let make =
            |from: u64, to: u64| (from..to).map(|number| statement(registry, domains, number)).collect::<Vec<_>>();
        let later = scope.spawn(move || make(middle, end));
        let mut all = make(first, middle);
        all.extend(later.join().unwrap());
        all
    })
}

fn finish(tree: &Tree, folder: &Path) {
    tiles_for(tree.len()).for_each(|id| put(folder, &id.path(), &tree.tile(id).unwrap()));
    put(folder, "checkpoint", &Checkpoint::new(ORIGIN, tree.len(), tree.root()).sign(&log_signer(1)));
}

/// A replica that has nothing, then the same opened again.
async fn fetched(folder: &Path, pins: Pins) {
    let asked = Arc::new(AtomicU64::new(0));
    let (counted, root) = (Arc::clone(&asked), folder.to_owned());
    let app = Router::new().fallback(move |uri: Uri| async move {
        counted.fetch_add(1, Ordering::Relaxed);
        let name = uri.path().strip_prefix("/log/").unwrap_or_default();
        fs::read(root.join(name)).map_err(|_| StatusCode::NOT_FOUND)
    });
    let server = Server::start(app).await;
    let held = tempfile::tempdir().unwrap();
    let mut replica = Replica::open(held.path(), pins.clone()).unwrap();
    let (before_kib, start) = (resident_kib(), Instant::now());
    let synced = replica.sync(&server.remote, NOW).await.unwrap();
    println!("cold sync: {} entries in {:?}, {} requests", synced.size, start.elapsed(), asked.load(Ordering::Relaxed));
    println!("cold sync: {} MiB resident more than before, server included", (resident_kib() - before_kib) / 1024);
    drop((replica, synced));
    let start = Instant::now();
    let mut replica = Replica::open(held.path(), pins).unwrap();
    println!("open: {} entries in {:?}", replica.size(), start.elapsed());
    let start = Instant::now();
    replica.sync(&server.remote, NOW).await.unwrap();
    println!("sync without news: {:?}", start.elapsed());
}

fn put(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Processor time of this thread.
fn processor() -> Duration {
    let spent = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(spent.split(' ').next().unwrap().parse().unwrap())
}
