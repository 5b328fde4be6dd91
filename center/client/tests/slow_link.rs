//! Synchronising over links that are slow and break off, and what it keeps in memory meanwhile.
#![expect(clippy::unwrap_used, reason = "a failed step of a test must panic")]
#![expect(clippy::disallowed_methods, reason = "it prints its figures, and starts itself again")]

mod common;

use common::{Center, Log, NOW, clock};
use iog_client::{Pins, Remote, Replica};
use iog_transport::{ClientTls, HttpClient};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};

/// A link that carries so many bytes a second from the server, and breaks off after so many.
struct Link {
    server: SocketAddr,
    bytes_per_s: u64,
    bytes_max: u64,
    carried: Arc<AtomicU64>,
}

impl Link {
    /// Carries connections until the test ends; where to connect to.
    async fn open(self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(self.server).await.unwrap();
                self.carry(near, far).await;
            }
        });
        address
    }

    async fn carry(&self, near: TcpStream, far: TcpStream) {
        let ((mut from_near, mut to_near), (mut from_far, mut to_far)) = (near.into_split(), far.into_split());
        let there = tokio::spawn(async move { copy(&mut from_near, &mut to_far).await });
        let (mut left, mut buffer) = (self.bytes_max, vec![0; 4 * 1024]);
        while left > 0 {
            let Ok(read @ 1..) = from_far.read(&mut buffer).await else { break };
            tokio::time::sleep(Duration::from_micros(read as u64 * 1_000_000 / self.bytes_per_s)).await;
            if to_near.write_all(&buffer[..read]).await.is_err() {
                break;
            }
            self.carried.fetch_add(read as u64, Ordering::SeqCst);
            left = left.saturating_sub(read as u64);
        }
        there.abort();
    }
}

fn bundles_in(folder: &Path) -> usize {
    let is_whole = |name: &fs::DirEntry| name.file_name().len() == 3;
    fs::read_dir(folder.join("tile/entries")).map_or(0, |names| names.flatten().filter(is_whole).count())
}

/// 3,000 entries of 400 bytes over 64 KiB a second, broken off after every 400 KiB: what came is never fetched again, and it ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_link_that_breaks_off_comes_to_the_end() {
    let mut log = Log::new(3_000);
    log.entries[2..].iter_mut().for_each(|entry| entry.resize(400, b' '));
    let center = Center::serving(&log).await;
    let carried = Arc::new(AtomicU64::new(0));
    let link = Link {
        server: center.server.addr,
        bytes_per_s: 64 * 1024,
        bytes_max: 400 * 1024,
        carried: Arc::clone(&carried),
    };
    let address = link.open().await;
    let folder = tempfile::tempdir().unwrap();
    let mut replica = Replica::open(folder.path(), log.pins()).unwrap();
    let (start, mut before, mut tries) = (Instant::now(), 0, 0);
    loop {
        tries += 1;
        // Another process each time: a connection of its own.
        let tls = ClientTls::new(center.server.ca.certificate_pem(), None, clock()).unwrap();
        let remote = Remote::new(HttpClient::new(Arc::new(tls)), &address.to_string());
        let synced = replica.sync(&remote, NOW).await;
        let now = bundles_in(folder.path());
        if let Ok(synced) = synced {
            assert_eq!(synced.size, 3_000);
            break;
        }
        assert!(now > before, "try {tries}: {now} bundles, {before} before; {synced:?}");
        before = now;
    }
    let (took, bytes) = (start.elapsed(), carried.load(Ordering::SeqCst));
    println!("{tries} tries, {:.1} s, {} KiB carried for {} KiB", took.as_secs_f64(), bytes / 1024, 3_000 * 402 / 1024);
    assert!((2..=8).contains(&tries));
    assert!(bytes < 2 * 3_000 * 402, "{bytes} bytes");
    assert_eq!(Replica::open(folder.path(), log.pins()).unwrap().size(), 3_000);
}

const FOLDER: &str = "IOG_SYNC_FOLDER";
/// What is promised of a synchronisation, and what the process needs besides: connections and threads, in KiB.
const GROWTH_KIB_MAX: u64 = 64 * 1024 + 8 * 1024;

/// The largest bundles there can be, half of them on disk from a synchronisation that broke off, half at the center: one after the
/// other is in memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resumed_synchronisation_stays_within_its_memory() {
    let mut log = Log::new(9 * 256 + 1);
    let large = 256..9 * 256;
    log.entries[large].iter_mut().for_each(|entry| *entry = vec![b'x'; 65_535]);
    let center = Center::serving(&log).await;
    let folder = tempfile::tempdir().unwrap();
    let entries = folder.path().join("replica/tile/entries");
    fs::create_dir_all(&entries).unwrap();
    for (name, bytes) in
        log.files().into_iter().filter(|(name, _)| ("tile/entries/001".."tile/entries/005").contains(&name.as_str()))
    {
        fs::write(folder.path().join("replica").join(name), bytes).unwrap();
    }
    fs::write(folder.path().join("genesis"), &log.entries[0]).unwrap();
    fs::write(folder.path().join("ca"), center.server.ca.certificate_pem()).unwrap();
    fs::write(folder.path().join("address"), center.server.addr.to_string()).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["synchronises", "--exact", "--ignored", "--nocapture"]).env(FOLDER, folder.path());
    let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let growth = text.lines().find_map(|line| line.strip_prefix("grown KiB: ")).unwrap().parse::<u64>().unwrap();
    println!("{} MiB at most for {} MiB of entries", growth / 1024, 8 * 16);
    assert!(growth < GROWTH_KIB_MAX, "{growth} KiB");
}

/// Not a test: a process that does nothing but synchronise, when it is told where.
#[tokio::test]
#[ignore = "this is the process that the test above starts"]
async fn synchronises() {
    let Ok(folder) = std::env::var(FOLDER).map(PathBuf::from) else { return };
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let genesis = fs::read(folder.join("genesis")).unwrap();
    let pins = Pins { genesis: iog_protocol::ids::Digest::of(&genesis), log: common::log_signer(1).verifier().clone() };
    let tls = ClientTls::new(&read("ca"), None, clock()).unwrap();
    let remote = Remote::new(HttpClient::new(Arc::new(tls)), &read("address"));
    let mut replica = Replica::open(&folder.join("replica"), pins).unwrap();
    remote.get("/log/checkpoint", 4_096).await.unwrap();
    let before = peak_kib();
    let synced = replica.sync(&remote, NOW).await.unwrap();
    assert_eq!(synced.size, 9 * 256 + 1);
    println!("grown KiB: {}", peak_kib() - before);
}

/// The most resident memory that this process has had.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
