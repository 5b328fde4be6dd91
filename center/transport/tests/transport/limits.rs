//! Slow, silent, greedy and oversized peers: real sockets, real TLS.

use std::{
    net::IpAddr,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use crate::common::{Server, authority, client, identity, over, raw, spiffe};
use axum::{Extension, Router, routing::get};
use http::StatusCode;
use iog_transport::{App, ClientAuth, PeerKey, Request, ServeLimits, TransportError, ca::Ca};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use tokio_rustls::client::TlsStream;

fn tight() -> ServeLimits {
    ServeLimits {
        handshake_ms: 300,
        first_byte_ms: 300,
        header_ms: 300,
        body_idle_ms: 300,
        idle_ms: 300,
        drain_ms: 2_000,
        ..ServeLimits::default()
    }
}

/// Reads until the server closes; how long that took and what it sent.
async fn until_closed(stream: &mut (impl AsyncReadExt + Unpin)) -> (Duration, Vec<u8>) {
    let start = Instant::now();
    let mut received = Vec::new();
    let _ =
        tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut received)).await.expect("never closed");
    (start.elapsed(), received)
}

#[tokio::test]
async fn a_stalled_handshake_is_closed() {
    let ca = authority();
    let server = Server::start(&ca, ClientAuth::Optional, tight()).await;
    let mut silent = TcpStream::connect(server.addr).await.unwrap();
    let mut partial = TcpStream::connect(server.addr).await.unwrap();
    partial.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).await.unwrap();
    for stream in [&mut silent, &mut partial] {
        let (took, _) = until_closed(stream).await;
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
}

#[tokio::test]
async fn silence_after_the_handshake_and_slow_headers_are_closed() {
    let ca = authority();
    let server = Server::start(&ca, ClientAuth::Optional, tight()).await;
    for alpn in [&b"http/1.1"[..], b"h2"] {
        let mut stream = raw(&ca, &server, alpn).await;
        let (took, _) = until_closed(&mut stream).await;
        assert!((Duration::from_millis(200)..Duration::from_secs(2)).contains(&took), "{took:?}");
    }
    let mut slow = raw(&ca, &server, b"http/1.1").await;
    let start = Instant::now();
    let mut sent = 0;
    for byte in
        b"GET /who HTTP/1.1\r\nhost: localhost\r\nx-slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    {
        if slow.write_all(&[*byte]).await.is_err() || slow.flush().await.is_err() {
            break;
        }
        sent += 1;
        tokio::time::sleep(Duration::from_millis(40)).await;
        if start.elapsed() > Duration::from_secs(2) {
            break;
        }
    }
    let (_, received) = until_closed(&mut slow).await;
    assert!(start.elapsed() < Duration::from_secs(3), "{sent} bytes sent");
    assert!(!String::from_utf8_lossy(&received).contains("200 OK"));
    // Half an HTTP/2 preface holds the connection no longer.
    let mut preface = raw(&ca, &server, b"h2").await;
    preface.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    preface.flush().await.unwrap();
    let (took, _) = until_closed(&mut preface).await;
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test]
async fn a_request_body_that_stops_flowing_is_refused() {
    let ca = authority();
    let server = Server::start(&ca, ClientAuth::Optional, tight()).await;
    let mut stream = raw(&ca, &server, b"http/1.1").await;
    stream.write_all(b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nabc").await.unwrap();
    stream.flush().await.unwrap();
    let (took, received) = until_closed(&mut stream).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(String::from_utf8_lossy(&received).starts_with("HTTP/1.1 400"), "{}", String::from_utf8_lossy(&received));
}

#[tokio::test]
async fn oversized_bodies_are_refused_in_both_directions() {
    let ca = authority();
    let server = Server::start(&ca, ClientAuth::Optional, ServeLimits::default()).await;
    let client = client(&ca, None);
    let post = |bytes: usize| Request::post(server.url("/echo"), "application/octet-stream", vec![b'a'; bytes]);
    assert_eq!(client.send(post(1_000)).await.unwrap().body.len(), 1_000);
    assert_eq!(client.send(post(1_001)).await.unwrap().status, StatusCode::PAYLOAD_TOO_LARGE);

    let get = |limit| Request::get(server.url("/big")).response_bytes_max(limit);
    assert_eq!(client.send(get(100_000)).await.unwrap().body.len(), 100_000);
    let refused = client.send(get(99_999)).await;
    assert!(matches!(refused, Err(TransportError::ResponseTooLarge { limit_bytes: 99_999, .. })), "{refused:?}");
}

#[tokio::test]
async fn a_lying_content_length_does_not_help() {
    let ca = authority();
    let server = Server::start(&ca, ClientAuth::Optional, tight()).await;
    let mut stream = raw(&ca, &server, b"http/1.1").await;
    stream.write_all(b"POST /echo HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    for _ in 0..40 {
        if stream
            .write_all(b"40\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n")
            .await
            .is_err()
        {
            break;
        }
    }
    let _ = stream.flush().await;
    let (_, received) = until_closed(&mut stream).await;
    assert!(String::from_utf8_lossy(&received).starts_with("HTTP/1.1 413"), "{}", String::from_utf8_lossy(&received));
}

/// A gigabyte that is announced, one that comes without end, one that lies about its length, and one that is packed.
#[tokio::test]
async fn a_gigabyte_is_refused_while_it_comes() {
    let ca = authority();
    let server = Server::start(&ca, ClientAuth::Optional, tight()).await;
    let mut announced = raw(&ca, &server, b"http/1.1").await;
    let head = b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1073741824\r\n\r\n";
    announced.write_all(&[&head[..], &[b'a'; 2_000]].concat()).await.unwrap();
    announced.flush().await.unwrap();
    let (took, received) = until_closed(&mut announced).await;
    assert!(took < Duration::from_secs(2), "the rest is not waited for: {took:?}");
    assert!(String::from_utf8_lossy(&received).starts_with("HTTP/1.1 413"), "{}", String::from_utf8_lossy(&received));

    let mut endless = raw(&ca, &server, b"http/1.1").await;
    endless.write_all(b"POST /echo HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let chunk = [&b"10000\r\n"[..], &[b'a'; 0x10000], b"\r\n"].concat();
    let mut sent = 0u64;
    while sent < 1 << 30 && endless.write_all(&chunk).await.is_ok() && endless.flush().await.is_ok() {
        sent += 0x10000;
    }
    assert!(sent < 64 << 20, "{sent} bytes were taken");

    let mut lying = raw(&ca, &server, b"http/1.1").await;
    let more =
        [&b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\nabc"[..], &[b'x'; 10_000]].concat();
    lying.write_all(&more).await.unwrap();
    let (_, received) = until_closed(&mut lying).await;
    let answers = String::from_utf8_lossy(&received).into_owned();
    assert!(answers.starts_with("HTTP/1.1 200") && answers.contains("\r\n\r\nabc"), "{answers}");
    assert!(!answers.contains("xxx"), "what follows is no part of it: {answers}");

    // Nobody unpacks: a packed body is the bytes that it is.
    let packed = Request::post(server.url("/echo"), "application/json", vec![0x1f, 0x8b, 8, 0, 0]);
    let encoding = (http::header::CONTENT_ENCODING, http::HeaderValue::from_static("gzip"));
    let answer = client(&ca, None).send(packed.header(encoding.0, encoding.1)).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &[0x1f, 0x8b, 8, 0, 0][..]));
}

#[tokio::test]
async fn slow_answers_end_at_the_clients_limit() {
    let ca = authority();
    let server = Server::start(&ca, ClientAuth::Optional, ServeLimits::default()).await;
    let limit = Duration::from_millis(100);
    let answer = client(&ca, None).send(Request::get(server.url("/slow")).timeout(limit)).await;
    assert!(matches!(answer, Err(TransportError::Timeout { limit: l, .. }) if l == limit), "{answer:?}");
}

#[tokio::test]
async fn one_peer_cannot_take_more_than_its_share() {
    let ca = authority();
    let limits = ServeLimits { per_peer_max: 2, ..ServeLimits::default() };
    let server = Server::start(&ca, ClientAuth::Optional, limits).await;
    let first = raw(&ca, &server, b"http/1.1").await;
    let _second = raw(&ca, &server, b"http/1.1").await;
    let third = client(&ca, None).send(Request::get(server.url("/who"))).await;
    assert!(third.is_err(), "{third:?}");
    drop(first);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(client(&ca, None).send(Request::get(server.url("/who"))).await.unwrap().status, StatusCode::OK);
}

/// A connection of TLS without a certificate from an address of loopback.
async fn from(ca: &Ca, server: &Server, address: [u8; 4]) -> Option<TlsStream<TcpStream>> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((IpAddr::from(address), 0).into()).unwrap();
    over(ca, socket.connect(server.addr).await.ok()?, b"http/1.1").await.ok()
}

/// Whether the server has closed a connection on which nothing was asked.
async fn is_closed(stream: &mut TlsStream<TcpStream>) -> bool {
    tokio::time::timeout(Duration::from_millis(100), stream.read(&mut [0; 16])).await.is_ok()
}

#[tokio::test]
async fn strangers_take_places_from_who_has_most_and_none_from_members() {
    let ca = authority();
    let limits = ServeLimits { connections_max: 12, per_peer_max: 4, ..ServeLimits::default() };
    let server = Server::start(&ca, ClientAuth::Optional, limits).await;
    // Two networks fill what strangers have. One of many addresses counts as one.
    let mut first = Vec::new();
    for last in 1..=4 {
        first.push(from(&ca, &server, [127, 1, 1, last]).await.unwrap());
    }
    let mut second = Vec::new();
    for last in 1..=2 {
        second.push(from(&ca, &server, [127, 1, 2, last]).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    // Whoever has none takes the place of the oldest of who has most.
    let mut honest = from(&ca, &server, [127, 1, 3, 1]).await.unwrap();
    honest.write_all(b"GET /who HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    honest.flush().await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"nobody") {
        assert!(honest.read_buf(&mut answer).await.unwrap() > 0, "it is answered");
    }
    assert!(is_closed(&mut first[0]).await);
    assert!(!is_closed(&mut first[3]).await && !is_closed(&mut second[0]).await);
    // Members have as many again, from the same address as anybody.
    let mut members = Vec::new();
    for id in ["a", "b"] {
        for _ in 0..3 {
            let member = client(&ca, Some(identity(&ca, id)));
            assert_eq!(member.send(Request::get(server.url("/who"))).await.unwrap().body, spiffe(id));
            members.push(member);
        }
    }
    assert!(!is_closed(&mut honest).await && !is_closed(&mut second[1]).await);
}

#[tokio::test]
async fn who_is_only_refused_again_and_again_gives_way() {
    let ca = authority();
    // Four connections and one place are strangers'; who is refused waits for it longer than this test takes.
    let limits = ServeLimits { connections_max: 8, reads_max: 2, refusal_ms: 20_000, ..ServeLimits::default() };
    let server = Server::start(&ca, ClientAuth::Optional, limits).await;
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let mut busy = Vec::new();
    for network in 1..=4 {
        let mut stream = from(&ca, &server, [127, 1, network, 1]).await.unwrap();
        stream.write_all(ask("/slow").as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        busy.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut honest = from(&ca, &server, [127, 1, 5, 1]).await.unwrap();
    honest.write_all(ask("/who").as_bytes()).await.unwrap();
    honest.flush().await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"nobody") {
        assert!(honest.read_buf(&mut answer).await.unwrap() > 0, "it is answered");
    }
}

#[tokio::test]
async fn handshakes_that_stand_still_do_not_stop_others() {
    let ca = authority();
    let limits = ServeLimits { connections_max: 8, ..ServeLimits::default() };
    let server = Server::start(&ca, ClientAuth::Optional, limits).await;
    let mut silent = Vec::new();
    for network in 1..=10 {
        for last in 1..=4 {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind((IpAddr::from([127, 2, network, last]), 0).into()).unwrap();
            silent.push(socket.connect(server.addr).await.unwrap());
        }
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let start = Instant::now();
    for _ in 0..4 {
        assert_eq!(client(&ca, None).send(Request::get(server.url("/who"))).await.unwrap().body, "nobody");
    }
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_certificate_of_nobody_in_force_takes_nothing_from_members() {
    let ca = authority();
    let limits = ServeLimits { connections_max: 2, per_peer_max: 1, ..ServeLimits::default() };
    let router =
        Router::new().route("/who", get(|Extension(peer): Extension<PeerKey>| async move { format!("{peer:?}") }));
    let app = App::from(router).with_members(|identity| identity.spiffe.as_deref() == Some(&spiffe("member")));
    let server = Server::start_app(&ca, limits, app).await;
    let ask = |id: &str| {
        let (client, url) = (client(&ca, Some(identity(&ca, id))), server.url("/who"));
        async move { (client.send(Request::get(url)).await, client) }
    };
    let (revoked, _kept) = ask("revoked").await;
    assert_eq!(revoked.unwrap().body, "Network(127.0.0.1)");
    let (other, _) = ask("other-revoked").await;
    assert!(other.is_err(), "{other:?}");
    let (member, _kept_too) = ask("member").await;
    assert!(member.unwrap().body.starts_with(b"Named("));
}

#[tokio::test]
async fn old_connections_are_closed_between_requests_without_losing_any() {
    let ca = authority();
    let limits = ServeLimits { age_max_ms: 700, ..ServeLimits::default() };
    let server = Server::start(&ca, ClientAuth::Optional, limits).await;
    let client = client(&ca, None);
    for _ in 0..4 {
        assert_eq!(client.send(Request::get(server.url("/slow"))).await.unwrap().body, "done");
    }
    let mut stream = raw(&ca, &server, b"http/1.1").await;
    let mut took = Instant::now();
    for _ in 0..5 {
        stream.write_all(b"GET /who HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut buffer = [0_u8; 1024];
        took = Instant::now();
        if stream.read(&mut buffer).await.unwrap_or(0) == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(took.elapsed() < Duration::from_secs(1));
    let (took, _) = until_closed(&mut stream).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn shutdown_lets_running_requests_finish_and_takes_no_new_ones() {
    let ca = authority();
    let mut server = Server::start(&ca, ClientAuth::Optional, ServeLimits::default()).await;
    let (url, who) = (server.url("/slow"), server.url("/who"));
    let running: Vec<_> = (0..5)
        .map(|_| {
            let (client, url) = (client(&ca, None), url.clone());
            tokio::spawn(async move { client.send(Request::get(url)).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(250)).await;
    server.stop();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(client(&ca, None).send(Request::get(who)).await.is_err());
    for answer in running {
        assert_eq!(answer.await.unwrap().unwrap().body, "done");
    }
    assert_eq!(server.finished.load(Ordering::SeqCst), 5);
    let drained = server.ended().await;
    assert_eq!((drained.completed, drained.aborted), (5, 0));
}

#[tokio::test]
async fn shutdown_cuts_what_does_not_finish() {
    let ca = authority();
    let limits = ServeLimits { drain_ms: 50, ..ServeLimits::default() };
    let mut server = Server::start(&ca, ClientAuth::Optional, limits).await;
    let url = server.url("/slow");
    let client = client(&ca, None);
    let running = tokio::spawn(async move { client.send(Request::get(url)).await });
    tokio::time::sleep(Duration::from_millis(250)).await;
    server.stop();
    let start = Instant::now();
    let drained = server.ended().await;
    assert!(start.elapsed() < Duration::from_millis(400), "{:?}", start.elapsed());
    assert_eq!(drained.completed + drained.aborted, 1);
    assert!(running.await.unwrap().is_err());
}
