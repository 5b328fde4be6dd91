//! Messages: their sets in order, what these teach, and the rows that they give. NetFlow v5, v9 and IPFIX differ in
//! their headers.

use super::fault::Failure;
use super::listed::{Listed, Templates as Listing};
use super::options::ExportOptions;
use super::raw::{Raw, u16_at, u32_at};
use super::scope::{Clock, Scope};
use super::sets::{IPFIX_HEADER_BYTES, Sets, V9_HEADER_BYTES, check, template_kind};
use super::slot::Slot;
use super::state::{Announced, SamplingKey, StreamKey, Templates};
use super::tally::{Reason, Tally};
use super::template::{Kind, Template};
use super::{record, sampling, v5};
use crate::columns::{FlowBuilder, FlowRow, Sink};
use crate::sflow;

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

/// How many templates or options data a set has, and why the first that passed a bound did.
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

/// How many records of a message are known, how many sets have no template and how many bytes these have, and why the
/// first template or sampling rate that passed a bound did.
#[derive(Default)]
struct Seen {
    known: u64,
    blind_sets: u64,
    blind_bytes: u64,
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
                let clock = Clock::new(u32_at(message, 8), 0, self.origin.received_us).with_uptime(u32_at(message, 4));
                let context = self.context(9, u32_at(message, 16), clock);
                let seen = self.sets(&message[V9_HEADER_BYTES..], &context)?;
                let counted = u64::from(u16_at(message, 2)).saturating_sub(seen.known);
                self.blind(seen, counted)?;
            }
            _ => {
                self.tally.protocols[2] += 1;
                let clock = Clock::new(u32_at(message, 4), 0, self.origin.received_us);
                let context = self.context(10, u32_at(message, 12), clock);
                let seen = self.sets(&message[IPFIX_HEADER_BYTES..], &context)?;
                self.blind(seen, 0)?;
            }
        }
        Ok(length)
    }

    /// Counts records without a template: what the header counts beyond the known ones, at least one a set and at most
    /// as many as these sets have bytes. Fails where something passed a bound.
    fn blind(&mut self, seen: Seen, counted: u64) -> Result<(), Failure> {
        if seen.blind_sets > 0 && self.pass == Pass::Rows {
            self.tally.skip(Reason::NoTemplate, seen.blind_sets.max(counted.min(seen.blind_bytes)));
        }
        seen.refused.map_or(Ok(()), Err)
    }

    fn context(&self, version: u16, domain: u32, clock: Clock) -> Context {
        let key = StreamKey::new(self.origin.exporter, version, domain, self.options);
        let now = self.origin.received_us.or(clock.export_us).unwrap_or(0) / 1_000_000;
        Context { key, clock, now, ipfix: version == 10 }
    }

    fn v5(&mut self, message: &[u8]) -> Result<(), Failure> {
        if self.pass == Pass::Collect {
            return Ok(());
        }
        for row in v5::rows(message, self.scope(), self.origin.received_us) {
            self.row(row)?;
        }
        if v5::miscounts(message) {
            self.tally.skip(Reason::Miscount, 1);
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

    fn sets(&mut self, sets: &[u8], context: &Context) -> Result<Seen, Failure> {
        let mut seen = Seen::default();
        let is_bad = context.ipfix && self.pass == Pass::Rows && has_bad_template(sets);
        for (id, body) in (Sets { rest: sets }) {
            let template = self.templates.known(context.key, context.now).and_then(|stream| stream.template(id));
            let (known, refused) = match (template_kind(id, context.ipfix), template) {
                (Some(kind), _) => self.learn(body, kind, context),
                (None, Some(template)) if template.options => self.options_data(&template, body, context)?,
                (None, Some(template)) if is_bad => (self.withheld(&template, body, context), None),
                (None, Some(template)) => (self.data(&template, body, context)?, None),
                (None, None) => {
                    seen.blind_sets += 1;
                    seen.blind_bytes += body.len() as u64;
                    continue;
                }
            };
            seen.known += known;
            seen.refused = seen.refused.or(refused);
        }
        Ok(seen)
    }

    /// Learns the templates of a set; how many there were, and why the first one that passed a bound did.
    fn learn(&mut self, body: &[u8], kind: Kind, context: &Context) -> Learned {
        let (mut count, mut refused) = (0, None);
        for one in Listing::new(body, kind) {
            count += 1;
            match one {
                Listed::Template(id, template, fields) => {
                    let kept = self.templates.insert(context.key, context.now, Announced { id, template, fields });
                    refused = refused.or(kept.err());
                }
                Listed::Withdrawn(id) => self.templates.withdraw(context.key, id),
                Listed::WithdrawnAll(options) => self.templates.withdraw_all(context.key, options),
                Listed::Refused(id) => {
                    self.templates.withdraw(context.key, id);
                    self.skip(Reason::BadTemplate, 1);
                }
            }
        }
        (count, refused)
    }

    /// Counts what gives no row, in the pass that makes rows.
    fn skip(&mut self, reason: Reason, count: u64) {
        if self.pass == Pass::Rows {
            self.tally.skip(reason, count);
        }
    }

    /// How many records a set has; none, and counted, when it does not fit its template.
    fn fitting(&mut self, template: &Template, body: &[u8], context: &Context) -> Option<u64> {
        let records = template.records(body, context.ipfix);
        if records.is_none() {
            self.skip(Reason::Misfit, 1);
        }
        let records = records?;
        if self.pass == Pass::Rows {
            self.tally.not_understood(&template.unread, records);
        }
        Some(records)
    }

    /// Counts the records of a set that give no rows, because their message is malformed: an IPFIX message is good as a whole or not
    /// at all. What it teaches in good form is kept, since exporters repeat that rarely.
    fn withheld(&mut self, template: &Template, body: &[u8], context: &Context) -> u64 {
        let known = self.fitting(template, body, context).unwrap_or(0);
        self.skip(Reason::BadMessage, known);
        known
    }

    /// Makes rows of the records of a set; how many records there were.
    fn data(&mut self, template: &Template, body: &[u8], context: &Context) -> Result<u64, Failure> {
        let Some(known) = self.fitting(template, body, context) else { return Ok(0) };
        if self.pass == Pass::Collect {
            return Ok(known);
        }
        let scope = self.scope();
        let (tally, builder, sink) = (&mut *self.tally, &mut *self.builder, &mut *self.sink);
        let Some(stream) = self.templates.known(context.key, context.now) else { return Ok(0) };
        let stream = &*stream;
        let mut raw = Raw::new();
        let mut rest = body;
        for _ in 0..known {
            let Some(length) = template.read(rest, &mut raw) else { break };
            rest = &rest[length..];
            record::rows(&raw, context.clock, stream, &scope, &mut |row| {
                match row {
                    Ok(row) => {
                        builder.push(row, sink).map_err(Failure::Import)?;
                        tally.rows += 1;
                    }
                    Err(reason) => tally.skip(reason, 1),
                }
                Ok(())
            })?;
        }
        Ok(known)
    }

    /// Keeps what the options data of a set say; how many records there were, and why the first one that passed a bound
    /// did.
    fn options_data(&mut self, template: &Template, body: &[u8], context: &Context) -> Result<Learned, Failure> {
        let Some(known) = self.fitting(template, body, context) else { return Ok((0, None)) };
        self.skip(Reason::Options, known);
        let (key, now, templates) = (context.key, context.now, &mut *self.templates);
        let (mut raw, mut rest, mut refused) = (Raw::new(), body, None);
        for _ in 0..known {
            let Some(length) = template.read(rest, &mut raw) else { break };
            rest = &rest[length..];
            if let Some(boot) = raw.one.get(Slot::BootMillis).filter(|boot| *boot > 0) {
                templates.stream(key, now)?.boot_ms = Some(boot);
            }
            if let Some(rate) = sampling::rate(&raw.one) {
                let kept = templates.sample(key, now, sampled(template, &raw), rate);
                refused = refused.or(kept.err());
            }
        }
        Ok((known, refused))
    }
}

/// Whether a template of an IPFIX message breaks its format.
fn has_bad_template(sets: &[u8]) -> bool {
    let refuses = |body, kind| Listing::new(body, kind).any(|one| matches!(one, Listed::Refused(_)));
    Sets { rest: sets }.any(|(id, body)| template_kind(id, true).is_some_and(|kind| refuses(body, kind)))
}

/// What the sampling rate of a record of options holds for.
fn sampled(template: &Template, raw: &Raw<'_>) -> SamplingKey {
    match (raw.one.get(Slot::Sampler), raw.one.get(Slot::IngressIf)) {
        (Some(sampler), _) => SamplingKey::Sampler(sampler),
        (None, Some(interface)) if template.by_interface => SamplingKey::Interface(interface),
        _ => SamplingKey::All,
    }
}
