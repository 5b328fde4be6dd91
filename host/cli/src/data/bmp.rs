//! `iog data collect bmp`: routers connect and tell what their peers announce and withdraw (RFC 7854); the rows go into
//! Parquet. A thread a router, which are few; what one of them sends wrong ends its own connection only.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use iog_import::bmp::{Decoder, Options, Table};
use iog_import::rows::route_schema;
use iog_import::{FileReport, ImportError};
use serde_json::json;

use super::access::Access;
use super::collect::{Stop, writer};
use super::rotate::RotatingSink;
use crate::args::CollectArgs;
use crate::link::now;
use crate::ui::{Text, Tone, Ui, grouped};

/// Routers connected at once: the edge of a large network. Each may hold a message of a mebibyte and a batch of rows.
const ROUTERS_MAX: usize = 128;

/// Connections of one address at once: a router has one, and perhaps a new one before the old one is known to be dead.
const PER_ADDRESS_MAX: usize = 4;

/// Seconds that a router may take for its first message; BMP begins with one (RFC 7854 §3.3).
const FIRST_MESSAGE_S: i64 = 60;

/// Seconds between two lines about connections that were turned away.
const COMPLAIN_S: i64 = 60;

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
        connected: Mutex::default(),
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

/// Connections that were turned away.
#[derive(Default)]
struct Away {
    count: u64,
    /// When that was said last, seconds since the epoch.
    told: i64,
}

impl Away {
    /// Counts one and says so once a minute, so that strangers cannot fill a log.
    fn count(&mut self, ui: Ui, from: SocketAddr, reason: &str) {
        self.count += 1;
        let time = now().unix();
        if (time - self.told).abs() < COMPLAIN_S {
            return;
        }
        let text = format!("{} connections were turned away, the last from {from}: {reason}", grouped(self.count));
        ui.line(Text::toned(Tone::Warn, &text));
        ui.object(&json!({"turned_away": self.count, "last": from.to_string(), "reason": reason}));
        (self.count, self.told) = (0, time);
    }
}

/// A monitoring station.
struct Station {
    ui: Ui,
    options: Options,
    stop: Stop,
    /// Connections by address.
    connected: Mutex<BTreeMap<IpAddr, usize>>,
    rows: AtomicU64,
}

impl Station {
    /// Takes routers until it is stopped, then waits for their threads.
    fn accept(&self, listener: &TcpListener, access: &Access, sink: &RotatingSink) -> Result<()> {
        std::thread::scope(|scope| {
            let mut away = Away::default();
            while !self.stop.is_set() && !sink.has_ended() {
                match listener.accept() {
                    Ok((stream, from)) => match self.admit(from.ip(), access) {
                        Ok(()) => {
                            let sink = sink.clone();
                            scope.spawn(move || self.router(&stream, from.ip(), sink));
                        }
                        Err(reason) => away.count(self.ui, from, reason),
                    },
                    Err(error) if is_nothing_yet(error.kind()) => std::thread::sleep(LOOK),
                    // A connection that ended before it was taken, or too many open files: the next may do better.
                    Err(error) => {
                        self.ui.line(Text::toned(Tone::Warn, &format!("cannot accept a connection: {error}")));
                        std::thread::sleep(LOOK);
                    }
                }
            }
            // Where the writer has failed the routers' threads end too.
            self.stop.set();
        });
        Ok(())
    }

    fn admit(&self, from: IpAddr, access: &Access) -> Result<(), &'static str> {
        if !access.allows(from) {
            return Err("it is not in --from");
        }
        let mut connected = self.connections();
        if connected.values().sum::<usize>() >= ROUTERS_MAX {
            return Err("as many routers as allowed are connected");
        }
        let own = connected.entry(from).or_default();
        if *own >= PER_ADDRESS_MAX {
            return Err("it has as many connections as one address may have");
        }
        *own += 1;
        Ok(())
    }

    fn leave(&self, from: IpAddr) {
        let mut connected = self.connections();
        if let Some(own) = connected.get_mut(&from) {
            *own -= 1;
            if *own == 0 {
                connected.remove(&from);
            }
        }
    }

    fn connections(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.leave(from);
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
        let began = now().unix();
        let (mut flushed, mut spoke) = (began, false);
        while !self.stop.is_set() {
            match stream.read(&mut bytes) {
                Ok(0) => break,
                Ok(count) => decoder.push(&bytes[..count], Some(now().unix().saturating_mul(1_000_000)), sink)?,
                Err(error) if is_nothing_yet(error.kind()) => {}
                Err(error) => return Err(error).context("the connection broke"),
            }
            let time = now().unix();
            spoke = spoke || decoder.report().messages > 0;
            ensure!(spoke || time - began < FIRST_MESSAGE_S, "it sent no message within {FIRST_MESSAGE_S} s");
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
            Some(problem) => Text::toned(Tone::Bad, problem),
            None => Text::from("ended"),
        };
        let skipped: Vec<String> = report.skipped.iter().map(|(why, n)| format!("{} {why}", grouped(*n))).collect();
        let counts = format!(
            ": {} rows of {} messages; skipped: {}",
            grouped(report.rows),
            grouped(report.messages),
            if skipped.is_empty() { "nothing".to_owned() } else { skipped.join("; ") }
        );
        self.ui.line(Text::from(format!("{from} ")).then(ended).then(counts));
        self.ui.object(&json!({"router": from, "problem": problem, "report": report}));
    }
}

fn is_nothing_yet(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
