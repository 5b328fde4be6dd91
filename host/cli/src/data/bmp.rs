//! `iog data collect bmp`: routers connect and tell what their peers announce and withdraw (RFC 7854); the rows go into
//! Parquet. A thread a router, which are few; what one of them sends wrong ends its own connection only.

use std::io::{ErrorKind, Read as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use iog_import::bmp::{Decoder, Options, Table};
use iog_import::rows::route_schema;
use iog_import::{FileReport, ImportError};
use serde_json::json;

use super::access::Access;
use super::collect::{Stop, writer};
use super::rotate::RotatingSink;
use crate::args::CollectArgs;
use crate::link::now;
use crate::ui::{Tone, Ui, escaped, grouped};

/// Routers connected at once: the edge of a large network. Each may hold a message of a mebibyte and a batch of rows.
const ROUTERS_MAX: usize = 128;

/// Bytes read from a router at a time.
const READ_BYTES: usize = 64 * 1024;

/// How long to wait for a router or for its bytes before looking at the clock.
const LOOK: Duration = Duration::from_millis(200);

/// Seconds after which rows are handed on though their batch is not full.
const FLUSH_S: i64 = 1;

/// Seconds of silence after which TCP asks whether a router is still there; BMP itself says nothing when nothing changes.
const KEEPALIVE: Duration = Duration::from_secs(60);

pub(crate) fn run(ui: Ui, args: &CollectArgs, collector: Option<String>, post_policy: bool) -> Result<ExitCode> {
    let access = Access::new(args.listen, &args.from)?;
    let listener = TcpListener::bind(args.listen).with_context(|| format!("cannot listen on {}", args.listen))?;
    listener.set_nonblocking(true)?;
    let stop = Stop::at_signal()?;
    let (sink, ended) = writer(ui, args, "routes", route_schema())?;
    let address = listener.local_addr()?;
    ui.line(format!("listening on {address} (tcp) for BMP; Ctrl-C ends it"));
    ui.object(&json!({"listening": address.to_string()}));
    let table = if post_policy { Table::PostPolicy } else { Table::PrePolicy };
    let station = Station {
        ui,
        options: Options { collector, table },
        stop,
        connected: AtomicUsize::new(0),
        rows: AtomicU64::new(0),
    };
    let accepted = station.accept(&listener, &access, &sink);
    drop(sink);
    ended()?;
    accepted?;
    let rows = station.rows.into_inner();
    ui.line(format!("{} rows", grouped(rows)));
    ui.object(&json!({"rows": rows}));
    Ok(ExitCode::SUCCESS)
}

/// A monitoring station.
struct Station {
    ui: Ui,
    options: Options,
    stop: Stop,
    connected: AtomicUsize,
    rows: AtomicU64,
}

impl Station {
    /// Takes routers until it is stopped, then waits for their threads.
    fn accept(&self, listener: &TcpListener, access: &Access, sink: &RotatingSink) -> Result<()> {
        std::thread::scope(|scope| {
            while !self.stop.is_set() {
                match listener.accept() {
                    Ok((stream, from)) => {
                        if self.admits(from, access) {
                            let sink = sink.clone();
                            scope.spawn(move || self.router(&stream, from.ip(), sink));
                        }
                    }
                    Err(error) if is_nothing_yet(error.kind()) => std::thread::sleep(LOOK),
                    // A connection that ended before it was taken, or too many open files: the next may do better.
                    Err(error) => {
                        self.ui.line(self.ui.paint(Tone::Warn, &format!("cannot accept a connection: {error}")));
                        std::thread::sleep(LOOK);
                    }
                }
            }
        });
        Ok(())
    }

    fn admits(&self, from: SocketAddr, access: &Access) -> bool {
        let refused = if !access.allows(from.ip()) {
            "it is not in --from"
        } else if self.connected.load(Ordering::SeqCst) >= ROUTERS_MAX {
            "as many routers as allowed are connected"
        } else {
            self.connected.fetch_add(1, Ordering::SeqCst);
            return true;
        };
        self.ui.line(self.ui.paint(Tone::Warn, &format!("{from} was turned away: {refused}")));
        self.ui.object(&json!({"turned_away": from.to_string(), "reason": refused}));
        false
    }

    /// Reads a router's stream to its end.
    fn router(&self, stream: &TcpStream, from: IpAddr, mut sink: RotatingSink) {
        self.ui.line(format!("{from} connected"));
        let name = from.to_canonical().to_string();
        let collector = self.options.collector.clone().unwrap_or_else(|| name.clone());
        let options = Options { collector: Some(collector), ..self.options.clone() };
        let mut decoder = Decoder::new(Path::new(&name), options);
        let read = self.read(stream, &mut decoder, &mut sink);
        if read.as_ref().is_err_and(|error| matches!(error.downcast_ref(), Some(ImportError::Sink(_)))) {
            self.stop.set();
        }
        let report = decoder.finish(&mut sink);
        self.connected.fetch_sub(1, Ordering::SeqCst);
        match report {
            Ok(report) => self.tell(from, &report, read.err().map(|error| format!("{error:#}"))),
            // The writer failed: the collector ends, with the writer's own words.
            Err(_) => self.stop.set(),
        }
    }

    fn read(&self, mut stream: &TcpStream, decoder: &mut Decoder, sink: &mut RotatingSink) -> Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(LOOK))?;
        socket2::SockRef::from(stream).set_tcp_keepalive(&socket2::TcpKeepalive::new().with_time(KEEPALIVE))?;
        let mut bytes = vec![0; READ_BYTES];
        let mut flushed = now().unix();
        while !self.stop.is_set() {
            match stream.read(&mut bytes) {
                Ok(0) => break,
                Ok(count) => decoder.push(&bytes[..count], Some(now().unix().saturating_mul(1_000_000)), sink)?,
                Err(error) if is_nothing_yet(error.kind()) => {}
                Err(error) => return Err(error).context("the connection broke"),
            }
            let time = now().unix();
            if (time - flushed).abs() >= FLUSH_S {
                decoder.flush(sink)?;
                flushed = time;
            }
        }
        Ok(())
    }

    fn tell(&self, from: IpAddr, report: &FileReport, problem: Option<String>) {
        self.rows.fetch_add(report.rows, Ordering::SeqCst);
        let ended = match &problem {
            Some(problem) => self.ui.paint(Tone::Bad, &escaped(problem)),
            None => "ended".to_owned(),
        };
        let skipped: Vec<String> = report.skipped.iter().map(|(why, n)| format!("{} {why}", grouped(*n))).collect();
        self.ui.line(format!(
            "{from} {ended}: {} rows of {} messages; skipped: {}",
            grouped(report.rows),
            grouped(report.messages),
            if skipped.is_empty() { "nothing".to_owned() } else { skipped.join("; ") }
        ));
        self.ui.object(&json!({"router": from, "problem": problem, "report": report}));
    }
}

fn is_nothing_yet(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
