//! What the attackers do: ask and never read, begin bodies and never end them. Each goes on until it is stopped, and comes again as soon
//! as it is cut off.

use std::time::Duration;

use axum::body::Bytes;
use http::{HeaderName, Method, Request};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::line::{Fed, Line, Sender};

/// Requests at once on one connection, as many as the audit tried; a server may allow fewer.
pub(super) const STREAMS: usize = 64;
/// Between two bytes of a body that never ends: less than any pause that is allowed.
const TRICKLE: Duration = Duration::from_secs(8);
/// Until a connection that was cut off, or a request that was turned away, comes again.
const AGAIN: Duration = Duration::from_millis(500);

/// One attack.
#[derive(Clone)]
pub(super) struct Assault {
    pub(super) name: &'static str,
    pub(super) line: Line,
    pub(super) connections: usize,
    pub(super) streams: usize,
    pub(super) deed: Deed,
    /// What every request carries besides.
    pub(super) headers: Vec<(HeaderName, String)>,
}

/// What is done on a connection.
#[derive(Clone)]
pub(super) enum Deed {
    /// Asks for a path and reads nothing of the answers.
    Unread(String),
    /// Posts so many bytes to a path at once, and then one now and then.
    Unended(String, usize),
}

impl Assault {
    /// Goes on until the task is aborted.
    pub(super) async fn go_on(self) {
        let mut connections = JoinSet::new();
        for _ in 0..self.connections {
            connections.spawn(self.clone().keep_on());
        }
        while connections.join_next().await.is_some() {}
    }

    async fn keep_on(self) {
        loop {
            let window = if matches!(self.deed, Deed::Unread(_)) { 0 } else { 65_535 };
            if let Ok(sender) = self.line.open(window).await {
                self.use_up(sender).await;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Uses one connection until it is closed.
    async fn use_up(&self, sender: Sender) {
        let mut streams = JoinSet::new();
        for _ in 0..self.streams {
            match &self.deed {
                Deed::Unread(path) => streams.spawn(unread(sender.clone(), self.request(Method::GET, path))),
                Deed::Unended(path, begin) => {
                    streams.spawn(unended(sender.clone(), self.request(Method::POST, path), *begin))
                }
            };
        }
        while !sender.is_closed() {
            tokio::time::sleep(AGAIN).await;
        }
    }

    fn request(&self, method: Method, path: &str) -> http::request::Parts {
        let mut request = Request::builder().method(method).uri(self.line.uri(path));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(()).expect("a request").into_parts().0
    }
}

async fn unread(mut sender: Sender, request: http::request::Parts) {
    let answer = sender.send_request(Request::from_parts(request, Fed(None))).await;
    if answer.is_ok() {
        // Held, not read.
        std::future::pending::<()>().await;
    }
    drop(answer);
}

async fn unended(mut sender: Sender, request: http::request::Parts, begin: usize) {
    while !sender.is_closed() {
        let (feed, fed) = mpsc::channel(1);
        let sent = sender.send_request(Request::from_parts(request.clone(), Fed(Some(fed))));
        let trickle = async {
            let mut next = Bytes::from(vec![b' '; begin]);
            while feed.send(next).await.is_ok() {
                tokio::time::sleep(TRICKLE).await;
                next = Bytes::from_static(b" ");
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = sent => {}
            () = trickle => {}
        }
        tokio::time::sleep(AGAIN).await;
    }
}
