//! `iog data collect flows`: flow exports over UDP into Parquet. One thread receives and decodes, one writes; between
//! them is a short queue. What cannot keep up is dropped by the kernel and counted there.

use std::cmp::Reverse;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use iog_import::columns::{Sink, flow_schema};
use iog_import::listen::{ExporterCounts, ListenLimits, Listener, Outcome};
use iog_import::netflow::Reason;
use iog_protocol::time::Timestamp;
use serde_json::json;

use super::access::Access;
use super::collect::{Stop, writer};
use super::drops::dropped;
use super::known::{NEIGHBOURS_HINT, export_options};
use super::rotate::RotatingSink;
use crate::args::{CollectArgs, NeighbourArgs};
use crate::link::now;
use crate::ui::{Text, Tone, Ui, grouped};

/// Bytes that the kernel is asked to hold for the collector: about a tenth of a second of a million packets a second
/// exported unsampled. It may give less (`net.core.rmem_max`).
const RECEIVE_BUFFER_BYTES: usize = 8 * 1024 * 1024;

/// Bytes a datagram can have.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// How long to wait for a datagram before looking at the clock.
const LOOK: Duration = Duration::from_millis(200);

/// Seconds after which rows are handed on though their batch is not full.
const FLUSH_S: i64 = 1;

/// Senders that the summary names, those first of whom most was not used.
const SENDERS_SHOWN: usize = 20;

/// Seconds between two lines about what was not used.
const COMPLAIN_S: i64 = 60;

pub(crate) fn run(ui: Ui, args: &CollectArgs, neighbours: &NeighbourArgs) -> Result<ExitCode> {
    let access = Access::new(args.listen, &args.from)?;
    let options = export_options(neighbours)?;
    let socket = bind(args.listen)?;
    let stop = Stop::at_signal()?;
    let (mut sink, ended) = writer(ui, args, "flows", flow_schema())?;
    let address = socket.local_addr()?;
    ui.line(format!("listening on {address} (udp) for NetFlow v5, v9, IPFIX and sFlow; Ctrl-C ends it"));
    ui.object(&json!({"listening": address.to_string()}));
    let listener = Listener::new(options, ListenLimits::default());
    let mut collector = Collector { ui, access, listener, port: address.port(), unused: Unused::default() };
    let heard = collector.run(&socket, &stop, &mut sink);
    drop(sink);
    ended()?;
    heard?;
    collector.unused.look(collector.port);
    collector.summary();
    Ok(ExitCode::SUCCESS)
}

fn bind(listen: SocketAddr) -> Result<UdpSocket> {
    let socket = UdpSocket::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    socket.set_read_timeout(Some(LOOK))?;
    let asked = socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
    asked.context("cannot set the size of the receive buffer")?;
    Ok(socket)
}

/// Datagrams that gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Unused {
    strangers: u64,
    damaged: u64,
    full: u64,
    /// Dropped by the kernel, as far as it says.
    dropped: u64,
    /// The last of them and why.
    last: Option<String>,
}

impl Unused {
    const fn count(&self) -> u64 {
        self.strangers + self.damaged + self.full + self.dropped
    }

    /// Asks the kernel how many it dropped.
    fn look(&mut self, port: u16) {
        let dropped = dropped(port).unwrap_or(0);
        if dropped > self.dropped {
            self.last = Some(format!("the kernel dropped {} that came too fast", dropped - self.dropped));
            self.dropped = dropped;
        }
    }
}

struct Collector {
    ui: Ui,
    access: Access,
    listener: Listener,
    port: u16,
    unused: Unused,
}

/// When something was last said, and how many datagrams had been of no use by then.
#[derive(Clone, Copy)]
struct Told {
    time: Timestamp,
    unused: u64,
}

impl Collector {
    /// Receives until it is stopped.
    fn run(&mut self, socket: &UdpSocket, stop: &Stop, sink: &mut RotatingSink) -> Result<()> {
        let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
        let mut flushed = now();
        let mut told = Told { time: now(), unused: 0 };
        while !stop.is_set() && !sink.has_ended() {
            match socket.recv_from(&mut datagram) {
                Ok((length, from)) => self.datagram(from.ip(), &datagram[..length], sink)?,
                // Some systems report what an earlier answer of theirs met; it concerns no datagram of ours.
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                }
                Err(error) => return Err(error).context("cannot receive"),
            }
            let time = now();
            if (time.unix() - flushed.unix()).abs() >= FLUSH_S {
                self.listener.flush(sink)?;
                flushed = time;
            }
            told = self.complain(time, told);
        }
        self.listener.flush(sink)?;
        Ok(())
    }

    fn datagram(&mut self, from: IpAddr, bytes: &[u8], sink: &mut dyn Sink) -> Result<()> {
        if !self.access.allows(from) {
            self.unused.strangers += 1;
            self.unused.last = Some(format!("{from} is not in --from"));
            return Ok(());
        }
        let received_us = now().unix().saturating_mul(1_000_000);
        let outcome = self.listener.datagram(from, received_us, bytes, sink)?;
        match outcome {
            Outcome::Rows(_) => {}
            Outcome::Damaged(_) => self.unused.damaged += 1,
            Outcome::Full { .. } => self.unused.full += 1,
        }
        if let Some(why) = outcome.refusal() {
            tracing::info!(%from, bytes = bytes.len(), "a datagram was not used: {why}");
            self.unused.last = Some(format!("from {from}: {why}"));
        }
        Ok(())
    }

    /// What was not used of each sender, most first.
    fn senders(&self) -> Vec<(IpAddr, &ExporterCounts)> {
        let of = |(from, counts): ([u8; 16], _)| (Ipv6Addr::from(from).to_canonical(), counts);
        let mut senders: Vec<(IpAddr, &ExporterCounts)> = self.listener.exporters().map(of).collect();
        senders.retain(|(_, counts)| counts.refused > 0);
        senders.sort_by_key(|(from, counts)| (Reverse(counts.refused), *from));
        senders
    }

    fn tell_senders(&self, senders: &[(IpAddr, &ExporterCounts)]) {
        for (from, counts) in senders.iter().take(SENDERS_SHOWN) {
            let (refused, all) = (grouped(counts.refused), grouped(counts.datagrams));
            let why = counts.first_refusal.as_deref().unwrap_or_default();
            self.ui.line(format!("    from {from}: {refused} of {all} datagrams, the first: {why}"));
        }
        if senders.len() > SENDERS_SHOWN {
            let more = grouped((senders.len() - SENDERS_SHOWN) as u64);
            self.ui.line(format!("    from {more} more senders (--json names all, -v says every datagram)"));
        }
    }

    /// Says once in a while how many datagrams were of no use, when there were new ones.
    fn complain(&mut self, time: Timestamp, told: Told) -> Told {
        if (time.unix() - told.time.unix()).abs() < COMPLAIN_S {
            return told;
        }
        self.unused.look(self.port);
        let nowhere = self.listener.tally().skipped(Reason::NoIngress);
        if nowhere > 0 {
            let text = format!("{} flows skipped so far: {NEIGHBOURS_HINT}", grouped(nowhere));
            self.ui.line(Text::toned(Tone::Warn, &text));
        }
        let count = self.unused.count();
        if count > told.unused
            && let Some(why) = &self.unused.last
        {
            let text = format!("{} datagrams were not used, the last: {}", grouped(count - told.unused), why);
            self.ui.line(Text::toned(Tone::Warn, &text));
            self.ui.object(&json!({"unused": count - told.unused, "last": why}));
        }
        Told { time, unused: count }
    }

    fn summary(&self) {
        let tally = self.listener.tally();
        if tally.skipped(Reason::NoIngress) > 0 {
            self.ui.line(Text::toned(Tone::Warn, NEIGHBOURS_HINT));
        }
        let exporters = self.listener.exporters().count();
        self.ui.line(format!(
            "{} rows from {} messages of {exporters} exporters ({})",
            grouped(tally.rows),
            grouped(tally.messages),
            tally.format()
        ));
        for (why, records) in tally.to_skips() {
            self.ui.line(format!("  skipped: {} {why}", grouped(records)));
        }
        let Unused { strangers, damaged, full, dropped, .. } = &self.unused;
        let unused = [
            (strangers, "from senders not in --from"),
            (damaged, "damaged"),
            (full, "past a bound"),
            (dropped, "dropped by the kernel because they came too fast"),
        ];
        for (count, what) in unused {
            if *count > 0 {
                self.ui.line(format!("  not used: {} datagrams {what}", grouped(*count)));
            }
        }
        let senders = self.senders();
        self.tell_senders(&senders);
        self.ui.object(&json!({
            "rows": tally.rows,
            "messages": tally.messages,
            "exporters": exporters,
            "skipped": tally.to_skips().iter().map(|(why, records)| json!({"reason": why.to_string(), "records": records})).collect::<Vec<_>>(),
            "strangers": strangers,
            "damaged": damaged,
            "full": full,
            "dropped": dropped,
            "senders": senders.iter().map(|(from, counts)| json!({
                "from": from.to_string(),
                "datagrams": counts.datagrams,
                "not_used": counts.refused,
                "first": counts.first_refusal,
            })).collect::<Vec<_>>(),
        }));
    }
}
