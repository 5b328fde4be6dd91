//! The same attacks on a bare axum server: what comes without any of this. It runs in a process of its own, which is this test binary
//! started again.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use http::Request;
use http_body_util::BodyExt as _;
use tokio::runtime::Runtime;

use super::attacks::{Assault, Deed};
use super::honest::{Latencies, weigh};
use super::line::{Fed, Line};
use super::stage::{ATTACKER, LARGE};
use crate::harness::play;

/// Where the bare server is told to listen.
const PORT: &str = "IOG_BARE_PORT";

/// Not a test: the bare server, when it is told where to listen.
#[test]
#[ignore = "this is the server that `figures` starts"]
fn serves() {
    let Ok(port) = std::env::var(PORT) else { return };
    let app = Router::new()
        .route("/large", get(|| async { vec![b'x'; LARGE] }))
        .route("/small", get(|| async { "small" }))
        .route("/take", post(|body: Bytes| async move { body.len().to_string() }));
    play(async {
        let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await.expect("the port is free");
        axum::serve(listener, app).await.expect("it serves");
    });
}

struct Bare {
    child: Child,
    address: SocketAddr,
}

impl Bare {
    fn start() -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let address = free.local_addr().expect("it has an address");
        drop(free);
        let mut command = Command::new(std::env::current_exe().expect("this program has a file"));
        command.args(["flood::bare::serves", "--exact", "--ignored"]).env(PORT, address.port().to_string());
        let child = command.stdout(Stdio::null()).spawn().expect("it starts again");
        while std::net::TcpStream::connect(address).is_err() {
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { child, address }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Prints what a bare server does under the attacks that it can have.
pub(super) fn figures(span: Duration) {
    println!("\n| attack on a bare axum server | requests | p50 ms | p99 ms | MiB |\n|---|---|---|---|---|");
    let deeds = [
        ("nothing", 0, Deed::Unread(String::new())),
        ("unread answers", 10, Deed::Unread("/large".to_owned())),
        ("slow bodies", 20, Deed::Unended("/take".to_owned(), 60_000)),
    ];
    for (name, connections, deed) in deeds {
        let bare = Bare::start();
        let line = Line::bare(bare.address, ATTACKER);
        let assault = Assault { name, line, connections, streams: 64, deed, headers: Vec::new() };
        let attackers = Runtime::new().expect("a runtime starts");
        attackers.spawn(assault.go_on());
        let end = Instant::now() + span;
        let (took, mib) = play(async { tokio::join!(ask(bare.address, end), weigh(bare.child.id(), end)) });
        attackers.shutdown_background();
        println!("| {name} | {} | {:.1} | {:.1} | {mib} |", took.count(), took.within(50), took.within(99));
    }
}

async fn ask(server: SocketAddr, end: Instant) -> Latencies {
    let line = Line::bare(server, Ipv4Addr::LOCALHOST);
    let mut sender = line.open(65_535).await.expect("it answers");
    let mut took = Vec::new();
    while Instant::now() < end {
        let start = Instant::now();
        let request = Request::get(line.uri("/small")).body(Fed(None)).expect("a request");
        let answer = sender.send_request(request).await.expect("it answers");
        answer.into_body().collect().await.expect("it is read");
        took.push(start.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Latencies::of(took)
}
