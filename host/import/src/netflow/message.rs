//! Messages: where one begins and ends, whether it is sound, and its sets in order. NetFlow v5, v9 and IPFIX differ in
//! their headers; v9 has no length, so a message ends where its sets do.

use super::element::Slot;
use super::fault::{Failure, Fault, MESSAGE_BYTES_MAX};
use super::options::ExportOptions;
use super::raw::{Raw, u16_at, u32_at};
use super::scope::{Clock, Scope};
use super::state::{Announced, SamplingKey, StreamKey, Templates};
use super::tally::{Reason, Tally};
use super::template::{Kind, Listed, Template, list};
use super::{record, v5};
use crate::columns::{FlowBuilder, FlowRow, Sink};
use crate::sflow;

const V9_HEADER_BYTES: usize = 20;
const IPFIX_HEADER_BYTES: usize = 16;

/// What is known of a message besides its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Origin {
    /// Address of the sender, IPv4 mapped; none in files of bare messages.
    pub exporter: Option<[u8; 16]>,
    /// When it was received, microseconds since the epoch.
    pub received_us: Option<i64>,
}

/// What to do with messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Learn templates and options only.
    Collect,
    /// Learn them, and make rows.
    Rows,
}

/// The sets of a checked message: where the body begins, id, body.
struct Sets<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Sets<'a> {
    type Item = (usize, u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.message.get(self.at..).filter(|rest| rest.len() >= 4)?;
        let (id, len) = (u16_at(rest, 0), usize::from(u16_at(rest, 2)));
        let body = rest.get(4..len)?;
        let at = self.at + 4;
        self.at += len;
        Some((at, id, body))
    }
}

/// The length of the message at the start of `bytes`, checked with its sets and templates.
///
/// # Errors
/// What is wrong with it. Bytes after the message are not looked at, except that a v9 message ends before zero bytes, the
/// header of another message or the end.
pub fn check(bytes: &[u8]) -> Result<usize, Fault> {
    if bytes.len() < 2 {
        return Err(Fault::new(0, "a message of one byte"));
    }
    if sflow::is_sflow(bytes) {
        return sflow::length(bytes);
    }
    match u16_at(bytes, 0) {
        5 => v5::length(bytes),
        9 => v9_length(bytes),
        10 => ipfix_length(bytes),
        version => Err(Fault::new(0, format!("the version is {version}, known are 5, 9 and 10"))),
    }
}

/// The lengths of the messages of a datagram, checked to its end; zero bytes may follow.
pub(crate) fn messages(bytes: &[u8]) -> Result<Vec<usize>, Fault> {
    let mut lengths = Vec::with_capacity(1);
    let mut at = 0;
    while lengths.is_empty() || bytes[at..].iter().any(|byte| *byte != 0) {
        let rest = &bytes[at..];
        let length = check(rest).map_err(|fault| Fault { offset: at + fault.offset, ..fault })?;
        lengths.push(length);
        at += length;
    }
    Ok(lengths)
}

fn v9_length(bytes: &[u8]) -> Result<usize, Fault> {
    if bytes.len() < V9_HEADER_BYTES {
        return Err(Fault::new(0, format!("the message has {} bytes, its header alone takes 20", bytes.len())));
    }
    let count = usize::from(u16_at(bytes, 2));
    let mut at = V9_HEADER_BYTES;
    let mut sets = 0;
    while let Some(len) = set_length(bytes, at, Kind { ipfix: false, options: false })? {
        sets += 1;
        if sets > count {
            let reason = format!("set {sets} of a message whose header counts {count} records");
            return Err(Fault::new(at, reason));
        }
        at += len;
        if at > MESSAGE_BYTES_MAX {
            return Err(Fault::new(at - len, "the message is longer than 65535 bytes"));
        }
    }
    Ok(at)
}

fn ipfix_length(bytes: &[u8]) -> Result<usize, Fault> {
    if bytes.len() < IPFIX_HEADER_BYTES {
        return Err(Fault::new(0, format!("the message has {} bytes, its header alone takes 16", bytes.len())));
    }
    let length = usize::from(u16_at(bytes, 2));
    if length < IPFIX_HEADER_BYTES || length > bytes.len() {
        return Err(Fault::new(2, format!("the message says {length} bytes, {} are left", bytes.len())));
    }
    let mut at = IPFIX_HEADER_BYTES;
    while let Some(len) = set_length(&bytes[..length], at, Kind { ipfix: true, options: false })? {
        at += len;
    }
    Ok(length)
}

/// The length of the set at `at`, its templates checked; none where the sets end.
fn set_length(bytes: &[u8], at: usize, kind: Kind) -> Result<Option<usize>, Fault> {
    let rest = &bytes[at..];
    if rest.len() < 4 {
        let end = rest.iter().all(|byte| *byte == 0);
        return if end { Ok(None) } else { Err(Fault::new(at, "bytes after the last set")) };
    }
    let (id, len) = (u16_at(rest, 0), usize::from(u16_at(rest, 2)));
    if id == 0 && len == 0 || !kind.ipfix && matches!(id, 5 | 9 | 10) {
        return Ok(None);
    }
    if len < 4 || len > rest.len() {
        return Err(Fault::new(at, format!("set {id} says {len} bytes, {} are left", rest.len())));
    }
    match template_kind(id, kind.ipfix) {
        Some(kind) => list(&rest[4..len], at + 4, kind, &mut |_| Ok(()))?,
        None if id < 256 => return Err(Fault::new(at, format!("the set id {id} is reserved"))),
        None => {}
    }
    Ok(Some(len))
}

/// Whether a set of this id lists templates, and which.
fn template_kind(id: u16, ipfix: bool) -> Option<Kind> {
    match (id, ipfix) {
        (0, false) | (2, true) => Some(Kind { ipfix, options: false }),
        (1, false) | (3, true) => Some(Kind { ipfix, options: true }),
        _ => None,
    }
}

/// How many templates or options data a set has, and why the first that was refused was.
type Learned = (u64, Option<Failure>);

/// Decodes messages of one file or one sender.
pub struct Decoder<'a> {
    /// State shared with other files and messages.
    pub templates: &'a mut Templates,
    /// How exports become rows.
    pub options: &'a ExportOptions,
    /// What is known of the message besides its bytes.
    pub origin: Origin,
    /// What to do with it.
    pub pass: Pass,
    /// Counts.
    pub tally: &'a mut Tally,
    /// Rows on their way.
    pub builder: &'a mut FlowBuilder,
    /// Where batches go.
    pub sink: &'a mut dyn Sink,
}

/// What the sets of one message share.
struct Context {
    key: StreamKey,
    clock: Clock,
    now: i64,
    ipfix: bool,
}

/// How many records of a message are known, how many sets have no template, and why the first template or sampling rate
/// that was refused was.
#[derive(Default)]
struct Seen {
    known: u64,
    blind_sets: u64,
    refused: Option<Failure>,
}

impl<'a> Decoder<'a> {
    fn scope(&self) -> Scope<'a> {
        Scope { exporter: self.origin.exporter, options: self.options }
    }

    /// Decodes the message at the start of `bytes` and says how long it is.
    ///
    /// # Errors
    /// See [`Failure`]. A damaged message changes nothing.
    pub fn message(&mut self, bytes: &[u8]) -> Result<usize, Failure> {
        let length = check(bytes)?;
        let message = &bytes[..length];
        self.tally.messages += 1;
        match u16_at(message, 0) {
            0 => {
                self.tally.protocols[3] += 1;
                self.sflow(message)?;
            }
            5 => {
                self.tally.protocols[0] += 1;
                self.v5(message)?;
            }
            9 => {
                self.tally.protocols[1] += 1;
                let clock = Clock::uptime(u32_at(message, 8), 0, u32_at(message, 4));
                let seen = self.sets(message, V9_HEADER_BYTES, &self.context(9, u32_at(message, 16), clock))?;
                let counted = u64::from(u16_at(message, 2)).saturating_sub(seen.known);
                self.blind(seen, counted)?;
            }
            _ => {
                self.tally.protocols[2] += 1;
                let clock = Clock::without_uptime(u32_at(message, 4));
                let seen = self.sets(message, IPFIX_HEADER_BYTES, &self.context(10, u32_at(message, 12), clock))?;
                self.blind(seen, 0)?;
            }
        }
        Ok(length)
    }

    /// Counts records without a template: what the header counts beyond the known ones, at least one a set. Fails where
    /// something was refused.
    fn blind(&mut self, seen: Seen, counted: u64) -> Result<(), Failure> {
        if seen.blind_sets > 0 && self.pass == Pass::Rows {
            self.tally.skip(Reason::NoTemplate, seen.blind_sets.max(counted));
        }
        seen.refused.map_or(Ok(()), Err)
    }

    fn context(&self, version: u16, domain: u32, clock: Clock) -> Context {
        let key = StreamKey::new(self.origin.exporter, version, domain, self.options);
        let now = self.origin.received_us.unwrap_or(clock.export_us) / 1_000_000;
        Context { key, clock, now, ipfix: version == 10 }
    }

    fn v5(&mut self, message: &[u8]) -> Result<(), Failure> {
        if self.pass == Pass::Collect {
            return Ok(());
        }
        for row in v5::rows(message, self.scope()) {
            self.row(row)?;
        }
        Ok(())
    }

    fn sflow(&mut self, message: &[u8]) -> Result<(), Failure> {
        if self.pass == Pass::Collect {
            return Ok(());
        }
        let (scope, received_us) = (self.scope(), self.origin.received_us);
        sflow::rows(message, scope, received_us, &mut |row| self.row(row))
    }

    fn row(&mut self, row: Result<FlowRow, Reason>) -> Result<(), Failure> {
        match row {
            Ok(row) => {
                self.builder.push(&row, self.sink).map_err(Failure::Import)?;
                self.tally.rows += 1;
            }
            Err(reason) => self.tally.skip(reason, 1),
        }
        Ok(())
    }

    fn sets(&mut self, message: &[u8], at: usize, context: &Context) -> Result<Seen, Failure> {
        let mut seen = Seen::default();
        for (at, id, body) in (Sets { message, at }) {
            let template = self.templates.known(context.key, context.now).and_then(|stream| stream.template(id));
            let (known, refused) = match (template_kind(id, context.ipfix), template) {
                (Some(kind), _) => self.learn(body, at, kind, context)?,
                (None, Some(template)) if template.options => self.options_data(&template, body, context)?,
                (None, Some(template)) => (self.data(&template, body, context)?, None),
                (None, None) => {
                    seen.blind_sets += 1;
                    continue;
                }
            };
            seen.known += known;
            seen.refused = seen.refused.or(refused);
        }
        Ok(seen)
    }

    /// Learns the templates of a set; how many there were, and why the first one was refused.
    fn learn(&mut self, body: &[u8], at: usize, kind: Kind, context: &Context) -> Result<Learned, Failure> {
        let mut listed = Vec::new();
        list(body, at, kind, &mut |one| {
            listed.push(one);
            Ok(())
        })?;
        let count = listed.len() as u64;
        let mut refused = None;
        for one in listed {
            match one {
                Listed::Template(id, template, fields) => {
                    let kept = self.templates.insert(context.key, context.now, Announced { id, template, fields });
                    refused = refused.or(kept.err());
                }
                Listed::Withdrawn(id) => self.templates.withdraw(context.key, id),
                Listed::WithdrawnAll(options) => self.templates.withdraw_all(context.key, options),
            }
        }
        Ok((count, refused))
    }

    /// Makes rows of the records of a set; how many records there were.
    fn data(&mut self, template: &Template, body: &[u8], context: &Context) -> Result<u64, Failure> {
        let scope = self.scope();
        let (tally, builder, rows_wanted) = (&mut *self.tally, &mut *self.builder, self.pass == Pass::Rows);
        let sink = &mut *self.sink;
        let Some(stream) = self.templates.known(context.key, context.now) else { return Ok(0) };
        let stream = &*stream;
        let mut push = |row: &_| builder.push(row, sink).map_err(Failure::Import);
        let (known, cut) = records(template, body, &mut |raw| {
            if !rows_wanted {
                return Ok(());
            }
            match record::rows(raw, context.clock, stream, &scope) {
                Ok((row, back)) => {
                    push(&row)?;
                    tally.rows += 1;
                    if let Some(back) = back {
                        push(&back)?;
                        tally.rows += 1;
                    }
                }
                Err(reason) => tally.skip(reason, 1),
            }
            Ok(())
        })?;
        if cut && rows_wanted {
            tally.skip(Reason::CutShort, 1);
        }
        Ok(known)
    }

    /// Keeps what the options data of a set say; how many records there were, and why the first one was refused.
    fn options_data(&mut self, template: &Template, body: &[u8], context: &Context) -> Result<Learned, Failure> {
        let (key, now, templates) = (context.key, context.now, &mut *self.templates);
        let mut refused = None;
        let (known, cut) = records(template, body, &mut |raw| {
            if let Some(boot) = raw.get(Slot::BootMillis) {
                templates.stream(key, now)?.boot_ms = Some(boot);
            }
            let Some(rate) = record::sampling(raw) else { return Ok(()) };
            let kept = templates.sample(key, now, sampled(template, raw), rate);
            refused = refused.take().or(kept.err());
            Ok(())
        })?;
        if self.pass == Pass::Rows {
            self.tally.skip(Reason::Options, known);
            self.tally.skip(Reason::CutShort, u64::from(cut));
        }
        Ok((known, refused))
    }
}

/// Bytes of padding that a set may end with so that the next begins at a multiple of four (RFC 3954 §5.3).
const PADDING_BYTES_MAX: usize = 3;

/// Calls `take` with every record of a set; how many there were, and whether what is left over is more than padding.
fn records(
    template: &Template,
    body: &[u8],
    take: &mut dyn FnMut(&Raw) -> Result<(), Failure>,
) -> Result<(u64, bool), Failure> {
    let mut raw = Raw::new();
    let (mut at, mut known) = (0, 0);
    while let Some(length) = template.read(&body[at..], &mut raw) {
        at += length;
        known += 1;
        take(&raw)?;
    }
    let rest = &body[at..];
    let padding = rest.len() <= PADDING_BYTES_MAX || rest.iter().all(|byte| *byte == 0);
    Ok((known, rest.len() >= template.shortest() || !padding))
}

/// What the sampling rate of a record of options holds for.
fn sampled(template: &Template, raw: &Raw) -> SamplingKey {
    match (raw.get(Slot::Sampler), raw.get(Slot::IngressIf)) {
        (Some(sampler), _) => SamplingKey::Sampler(sampler),
        (None, Some(interface)) if template.by_interface => SamplingKey::Interface(interface),
        _ => SamplingKey::All,
    }
}
