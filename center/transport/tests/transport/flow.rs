//! Peers who do not read what they asked for, and peers who do not send what they began: what they can hold here, for how long, and
//! what others get meanwhile.

use std::{
    convert::Infallible,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{
    Extension, Router,
    body::{Body, Bytes},
    response::IntoResponse as _,
    routing::{get, post},
};
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    body::{Frame, Incoming},
    client::conn::http2,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use iog_transport::{App, BodyError, HoldsAtMost, Opening, PeerKey, Request, ServeLimits, ca::Ca, pieces};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpSocket,
    sync::mpsc,
    task::{JoinHandle, JoinSet},
};

use crate::common::{Server, authority, client, identity, over, raw};

const MIB: usize = 1024 * 1024;

/// What the answers of a test hold in memory now, and the most they held.
#[derive(Debug, Default)]
struct Meter {
    now: AtomicUsize,
    most: AtomicUsize,
    made: AtomicUsize,
}

/// Bytes that are counted for as long as anybody has a part of them.
struct Metered(Vec<u8>, Arc<Meter>);

impl Metered {
    fn bytes(bytes: usize, meter: &Arc<Meter>) -> Bytes {
        let now = meter.now.fetch_add(bytes, Ordering::SeqCst) + bytes;
        meter.most.fetch_max(now, Ordering::SeqCst);
        meter.made.fetch_add(bytes, Ordering::SeqCst);
        Bytes::from_owner(Self(vec![b'x'; bytes], Arc::clone(meter)))
    }
}

impl AsRef<[u8]> for Metered {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        self.1.now.fetch_sub(self.0.len(), Ordering::SeqCst);
    }
}

/// `/mib` makes a MiB for everybody who asks, `/file` sends eight of them piece by piece, `/small` a few bytes; `/take` reads a body.
fn app(meter: &Arc<Meter>) -> App {
    let (whole, file) = (Arc::clone(meter), Arc::clone(meter));
    let send = move || {
        let meter = Arc::clone(&file);
        async move {
            let (sender, body) = pieces(8 * MIB as u64);
            tokio::spawn(async move { while sender.send(Ok(Metered::bytes(32 * 1024, &meter))).await.is_ok() {} });
            let mut response = http::Response::new(Body::new(body));
            response.extensions_mut().insert(HoldsAtMost(128 * 1024));
            response
        }
    };
    let take = |body: Body| async move {
        match axum::body::to_bytes(body, 8 * MIB).await {
            Ok(bytes) => (StatusCode::OK, bytes.len().to_string()),
            Err(error) => (StatusCode::REQUEST_TIMEOUT, format!("{:?}", BodyError::among(&error))),
        }
    };
    let router = Router::new()
        .route("/mib", get(move || async move { Metered::bytes(MIB, &whole) }))
        .route("/file", get(send))
        .route("/small", get(|| async { "small" }))
        .route("/take", post(take));
    App::new(router, || (StatusCode::SERVICE_UNAVAILABLE, "busy").into_response())
}

type Sender<B> = http2::SendRequest<B>;

/// A connection of HTTP/2 whose streams have windows of so many bytes.
async fn open<B>(ca: &Ca, server: &Server, window: u32) -> Sender<B>
where
    B: hyper::body::Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let stream = raw(ca, server, b"h2").await;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(window);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// The same from an address of loopback, with usual windows.
async fn open_from<B>(ca: &Ca, server: &Server, address: [u8; 4]) -> Sender<B>
where
    B: hyper::body::Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((IpAddr::from(address), 0).into()).unwrap();
    let stream = over(ca, socket.connect(server.addr).await.unwrap(), b"h2").await.unwrap();
    let (sender, connection) = http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Asks for `path` on `connections` connections, 64 times each, and reads nothing. The answers and the connections.
async fn flood(
    ca: &Ca,
    server: &Server,
    connections: usize,
    path: &str,
) -> (Vec<http::Response<Incoming>>, Vec<Sender<Empty<Bytes>>>) {
    let (mut answers, mut senders) = (Vec::new(), Vec::new());
    for _ in 0..connections {
        let mut sender: Sender<Empty<Bytes>> = open(ca, server, 0).await;
        let mut asked = JoinSet::new();
        for _ in 0..64 {
            let request = http::Request::get(format!("https://localhost{path}")).body(Empty::new());
            asked.spawn(sender.send_request(request.unwrap()));
        }
        // More streams than may be at once wait for the first, which never end.
        let end = tokio::time::Instant::now() + Duration::from_millis(300);
        while let Ok(Some(Ok(answer))) = tokio::time::timeout_at(end, asked.join_next()).await {
            answers.extend(answer);
        }
        asked.detach_all();
        senders.push(sender);
    }
    (answers, senders)
}

/// Waits until something holds, five seconds at most.
async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..250 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not within five seconds: {what}");
}

fn limits() -> ServeLimits {
    ServeLimits {
        // A peer has 4 MiB, a connection 2.
        unsent_bytes_max: 32 * MIB,
        answer_stretch_ms: 2_500,
        ..ServeLimits::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_nobody_reads_are_bounded_and_given_up() {
    let ca = authority();
    let meter = Arc::new(Meter::default());
    let server = Server::start_app(&ca, limits(), app(&meter)).await;
    let start = Instant::now();
    let (answers, senders) = flood(&ca, &server, 6, "/mib").await;
    let given = answers.iter().filter(|answer| answer.status() == StatusCode::OK).count();
    assert_eq!(given, 4, "what one peer has");
    assert!(answers.iter().any(|answer| answer.status() == StatusCode::SERVICE_UNAVAILABLE));
    // Two threads make answers, each of which may find no room.
    let most = meter.most.load(Ordering::SeqCst);
    assert!((4 * MIB..=6 * MIB).contains(&most), "{most}");

    // Most of what would be withheld is not even made: two fit a connection, eight are made at once.
    let made = meter.made.load(Ordering::SeqCst);
    assert!(made <= 6 * 11 * MIB, "{made}");

    // Whoever asks for little is served, and so is a member from the same address.
    let stranger = client(&ca, None);
    assert_eq!(stranger.send(Request::get(server.url("/small"))).await.unwrap().body, "small");
    let member = client(&ca, Some(identity(&ca, "member")));
    assert_eq!(member.send(Request::get(server.url("/mib"))).await.unwrap().body.len(), MIB);

    until("all connections are cut", || senders.iter().all(Sender::is_closed)).await;
    until("nothing is held", || meter.now.load(Ordering::SeqCst) == 0).await;
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    assert_eq!(stranger.send(Request::get(server.url("/mib"))).await.unwrap().body.len(), MIB);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_made_piece_by_piece_holds_only_its_pieces() {
    let ca = authority();
    let meter = Arc::new(Meter::default());
    let server = Server::start_app(&ca, limits(), app(&meter)).await;
    let (answers, _senders) = flood(&ca, &server, 6, "/file").await;
    let given = answers.iter().filter(|answer| answer.status() == StatusCode::OK).count();
    assert_eq!(given, 32, "128 KiB each");
    assert!(meter.most.load(Ordering::SeqCst) <= 4 * MIB, "{meter:?}");
    let member = client(&ca, Some(identity(&ca, "member")));
    let whole = member.send(Request::get(server.url("/file")).response_bytes_max(8 * MIB)).await.unwrap();
    assert_eq!(whole.body.len(), 8 * MIB);
}

#[tokio::test]
async fn an_answer_over_http_1_that_nobody_reads_is_given_up_too() {
    let ca = authority();
    let meter = Arc::new(Meter::default());
    let server = Server::start_app(&ca, limits(), app(&meter)).await;
    let mut stream = raw(&ca, &server, b"http/1.1").await;
    stream.write_all(b"GET /file HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    stream.flush().await.unwrap();
    until("it is sent", || meter.now.load(Ordering::SeqCst) > 0).await;
    until("it is given up", || meter.now.load(Ordering::SeqCst) == 0).await;
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(rest.len() < 8 * MIB, "it broke off");
}

#[tokio::test]
async fn who_reads_slowly_but_reads_is_not_cut_off() {
    let ca = authority();
    let meter = Arc::new(Meter::default());
    let limits = ServeLimits { answer_stretch_ms: 500, answer_bytes_per_s: 64 * 1024, ..ServeLimits::default() };
    let server = Server::start_app(&ca, limits, app(&meter)).await;
    let mut sender: Sender<Empty<Bytes>> = open(&ca, &server, 64 * 1024).await;
    let request = http::Request::get("https://localhost/mib").body(Empty::new()).unwrap();
    let mut body = sender.send_request(request).await.unwrap().into_body();
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        read += frame.unwrap().into_data().unwrap().len();
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    assert_eq!(read, MIB);
}

/// The body of a request that a test feeds.
struct Fed(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Fed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// A body that has begun and does not go on.
async fn begin(sender: &mut Sender<Fed>, path: &str) -> (mpsc::Sender<Bytes>, JoinHandle<Option<(StatusCode, Bytes)>>) {
    let (feed, fed) = mpsc::channel(1);
    let request = http::Request::builder().method(Method::POST).uri(format!("https://localhost{path}"));
    let sent = sender.send_request(request.body(Fed(fed)).unwrap());
    feed.send(Bytes::from_static(b"begun")).await.unwrap();
    let answer = tokio::spawn(async move {
        let (head, body) = sent.await.ok()?.into_parts();
        Some((head.status, body.collect().await.ok()?.to_bytes()))
    });
    (feed, answer)
}

#[tokio::test]
async fn bodies_that_do_not_end_take_no_places_from_others() {
    let ca = authority();
    let limits = ServeLimits { writes_max: 16, reads_max: 16, body_grace_ms: 1_500, ..ServeLimits::default() };
    let server = Server::start_app(&ca, limits, app(&Arc::default())).await;
    let mut sender = open(&ca, &server, 64 * 1024).await;
    let mut begun = Vec::new();
    for _ in 0..20 {
        begun.push(begin(&mut sender, "/take").await);
    }
    let start = Instant::now();
    let post = || Request::post(server.url("/take"), "text/plain", "whole");
    tokio::time::sleep(Duration::from_millis(300)).await;
    // The same address reads, a member writes.
    let stranger = client(&ca, None);
    assert_eq!(stranger.send(Request::get(server.url("/small"))).await.unwrap().body, "small");
    let refused = stranger.send(post()).await.unwrap();
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "an eighth of the places is taken");
    let member = client(&ca, Some(identity(&ca, "member")));
    assert_eq!(member.send(post()).await.unwrap().body, "5");
    // What trickles is cut at the pace, not at its pauses.
    let (feeds, answers): (Vec<_>, Vec<_>) = begun.into_iter().unzip();
    let trickle = tokio::spawn(async move {
        loop {
            for feed in &feeds {
                let _ = tokio::time::timeout(Duration::from_millis(5), feed.send(Bytes::from_static(b"."))).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let mut slow = 0;
    for answer in answers {
        match tokio::time::timeout(Duration::from_secs(8), answer).await.expect("it ends").unwrap() {
            Some((StatusCode::REQUEST_TIMEOUT, why)) if why == "Some(Slow)" => slow += 1,
            Some((StatusCode::SERVICE_UNAVAILABLE, _)) | None => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(slow, 2);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    trickle.abort();
    assert_eq!(stranger.send(post()).await.unwrap().body, "5");
}

#[tokio::test]
async fn bytes_of_bodies_are_bounded_by_peer() {
    let ca = authority();
    // A peer has 64 KiB.
    let limits = ServeLimits { received_bytes_max: 512 * 1024, ..ServeLimits::default() };
    let server = Server::start_app(&ca, limits, app(&Arc::default())).await;
    let mut sender = open(&ca, &server, 64 * 1024).await;
    let (feed, unfinished) = begin(&mut sender, "/take").await;
    for _ in 0..3 {
        feed.send(Bytes::from(vec![b'.'; 20_000])).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let post = || Request::post(server.url("/take"), "text/plain", vec![b'.'; 20_000]);
    let refused = client(&ca, None).send(post()).await.unwrap();
    assert_eq!((refused.status, &refused.body[..]), (StatusCode::REQUEST_TIMEOUT, &b"Some(NoRoom)"[..]));
    let member = client(&ca, Some(identity(&ca, "member")));
    assert_eq!(member.send(post()).await.unwrap().body, "20000");
    drop(feed);
    assert_eq!(unfinished.await.unwrap().unwrap().1, "60005");
    assert_eq!(client(&ca, None).send(post()).await.unwrap().body, "20000");
}

/// HTTP/2 ends such a connection by itself; HTTP/1 hands on every chunk.
#[tokio::test]
async fn a_body_in_crumbs_is_refused_and_one_in_pieces_is_not() {
    let ca = authority();
    let server = Server::start_app(&ca, ServeLimits::default(), app(&Arc::default())).await;
    for (piece, expected) in [(1, "Some(Crumbs)"), (64, "640000"), (16_000, "640000")] {
        let mut stream = raw(&ca, &server, b"http/1.1").await;
        let head = "POST /take HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
        let chunk = format!("{piece:x}\r\n{}\r\n", " ".repeat(piece));
        let whole = format!("{head}{}0\r\n\r\n", chunk.repeat(640_000 / piece));
        // A server that has refused it reads no further.
        let _ = stream.write_all(whole.as_bytes()).await;
        let _ = stream.flush().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.ends_with(expected), "in pieces of {piece}: {answer}");
    }
}

/// `/say` reads who sends from the first byte of a body, then the rest.
fn saying() -> App {
    let say = |Extension(opening): Extension<Opening>, body: Body| async move {
        let mut body = std::pin::pin!(body);
        let first = body.frame().await.unwrap().map(|frame| frame.into_data().unwrap());
        let Ok(first) = first else { return (StatusCode::REQUEST_TIMEOUT, "no name".to_owned()) };
        let sender = PeerKey::Named(format!("signer {}", first[0]).into());
        if !opening.end(&sender) {
            return (StatusCode::SERVICE_UNAVAILABLE, "no room".to_owned());
        }
        let mut bytes = first.len();
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.into_data().unwrap().len();
        }
        (StatusCode::OK, bytes.to_string())
    };
    let router = Router::new().route("/say", post(say)).route("/small", get(|| async { "small" }));
    let app = App::new(router, || (StatusCode::SERVICE_UNAVAILABLE, "busy").into_response());
    app.with_openings(|_, path| path == "/say")
}

/// Strangers of many networks hold everything that strangers can hold, and whoever says by a signature who it is passes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_known_by_what_it_sends_passes_whatever_strangers_hold() {
    let ca = authority();
    let limits = ServeLimits {
        writes_max: 16,
        openings_max: 16,
        received_bytes_max: 2 * MIB,
        opening_grace_ms: 2_000,
        ..ServeLimits::default()
    };
    let server = Server::start_app(&ca, limits, saying()).await;
    let mut held = Vec::new();
    for network in 1..=6 {
        let mut sender: Sender<Fed> = open_from(&ca, &server, [127, 3, network, 1]).await;
        for _ in 0..4 {
            for path in ["/say", "/small"] {
                let (feed, fed) = mpsc::channel(1);
                let request = http::Request::builder().method(Method::POST).uri(format!("https://localhost{path}"));
                tokio::spawn(sender.send_request(request.body(Fed(fed)).unwrap()));
                held.push(feed);
            }
        }
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let start = Instant::now();
    for _ in 0..5 {
        let body = vec![b'r'; 200_000];
        let answer = client(&ca, None).send(Request::post(server.url("/say"), "text/plain", body)).await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"200000"[..]));
    }
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    drop(held);
}
