//! What a UDP listener for flow exports does with a datagram: rows out, templates kept for each exporter, everything
//! bounded. The socket, the clock and the choice of who may send are the caller's. Nothing that a sender does is an error
//! of the listener: it is counted, and the next datagram is read.
//!
//! When the bounds are reached the exporters already known are served and new ones are refused until one has been silent
//! for [`ListenLimits::idle_s`]: forged senders must not push out real ones.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::ImportError;
use crate::columns::{FlowBuilder, Sink, address};
use crate::netflow::{
    Decoder, ExportOptions, Failure, Fault, Origin, Pass, Tally, TemplateLimits, Templates, messages,
};

/// Seconds between two searches for silent exporters, which look at all of them.
const SWEEP_S: i64 = 60;

/// How much state senders may cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenLimits {
    /// Exporters known at once. 1024 are a large operator's routers.
    pub exporters_max: usize,
    /// Seconds after which a silent exporter may be forgotten; exporters repeat templates every 30 minutes or sooner.
    pub idle_s: i64,
    /// What their templates may take.
    pub templates: TemplateLimits,
}

impl Default for ListenLimits {
    fn default() -> Self {
        Self { exporters_max: 1024, idle_s: 3600, templates: TemplateLimits::default() }
    }
}

/// Counts of one exporter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExporterCounts {
    /// Datagrams received.
    pub datagrams: u64,
    /// Rows they gave.
    pub rows: u64,
    /// Datagrams that were damaged or passed a bound.
    pub refused: u64,
    /// Why the first of these was. Reasons are short: they name one place and one thing.
    pub first_refusal: Option<Box<str>>,
    /// When the last one came, seconds since the epoch.
    pub last: i64,
}

/// What came of a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was read and gave this many rows.
    Rows(u64),
    /// It was damaged and nothing of it was used.
    Damaged(Fault),
    /// A bound was reached: what would pass it was refused, the rest was read.
    Full {
        /// What is bounded.
        what: &'static str,
        /// How much there may be.
        max: u64,
        /// Rows that the rest gave; they are used as those of [`Outcome::Rows`].
        rows: u64,
    },
}

impl Outcome {
    /// Why a datagram was not used, or not all of it.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        match self {
            Self::Rows(_) => None,
            Self::Damaged(fault) => Some(format!("damaged at byte {}: {}", fault.offset, fault.reason)),
            Self::Full { what, max, .. } => Some(format!("{what} is at its bound of {max}")),
        }
    }
}

/// The state of a listener.
pub struct Listener {
    limits: ListenLimits,
    options: ExportOptions,
    templates: Templates,
    exporters: HashMap<[u8; 16], ExporterCounts>,
    tally: Tally,
    builder: FlowBuilder,
    swept: i64,
}

impl Listener {
    /// A listener that has heard nothing.
    #[must_use]
    pub fn new(options: ExportOptions, limits: ListenLimits) -> Self {
        Self {
            limits,
            options,
            templates: Templates::new(limits.templates),
            exporters: HashMap::new(),
            tally: Tally::default(),
            builder: FlowBuilder::new(),
            swept: i64::MIN,
        }
    }

    /// Reads a datagram. Full batches go to the sink.
    ///
    /// # Errors
    /// Only when the sink fails.
    pub fn datagram(
        &mut self,
        from: IpAddr,
        received_us: i64,
        bytes: &[u8],
        sink: &mut dyn Sink,
    ) -> Result<Outcome, ImportError> {
        let (exporter, now) = (address(from), received_us / 1_000_000);
        if !self.admit(exporter, now) {
            let max = self.limits.exporters_max as u64;
            return Ok(Outcome::Full { what: "the number of exporters", max, rows: 0 });
        }
        let origin = Origin { exporter: Some(exporter), received_us: Some(received_us) };
        let before = self.tally.rows;
        let decoded = self.decode(origin, bytes, sink);
        let rows = self.tally.rows - before;
        let outcome = match decoded {
            Ok(()) => Outcome::Rows(rows),
            Err(Failure::Fault(fault)) => Outcome::Damaged(fault),
            Err(Failure::Full { what, max, .. }) => Outcome::Full { what, max, rows },
            Err(Failure::Import(error)) => return Err(error),
        };
        let counts = self.exporters.entry(exporter).or_default();
        counts.datagrams += 1;
        counts.last = now;
        counts.rows += rows;
        if !matches!(outcome, Outcome::Rows(_)) {
            counts.refused += 1;
            counts.first_refusal =
                counts.first_refusal.take().or_else(|| outcome.refusal().map(String::into_boxed_str));
        }
        Ok(outcome)
    }

    /// Hands the rows held so far to the sink; call it now and then, so that few senders do not wait for a full batch.
    ///
    /// # Errors
    /// Only when the sink fails.
    pub fn flush(&mut self, sink: &mut dyn Sink) -> Result<(), ImportError> {
        self.builder.flush(sink)
    }

    /// Counts of all datagrams.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The exporters known, with their counts, in no order.
    pub fn exporters(&self) -> impl Iterator<Item = ([u8; 16], &ExporterCounts)> + '_ {
        self.exporters.iter().map(|(exporter, counts)| (*exporter, counts))
    }

    /// What the exporters have said.
    #[must_use]
    pub fn templates(&self) -> &Templates {
        &self.templates
    }

    /// Whether there is room for the exporter; makes some where others are silent.
    fn admit(&mut self, exporter: [u8; 16], now: i64) -> bool {
        let full = self.exporters.len() >= self.limits.exporters_max && !self.exporters.contains_key(&exporter);
        let crowded = self.templates.streams() >= self.limits.templates.streams_max;
        if (full || crowded) && now.saturating_sub(self.swept) >= SWEEP_S {
            self.swept = now;
            let oldest = now.saturating_sub(self.limits.idle_s);
            self.exporters.retain(|_, counts| counts.last >= oldest);
            self.templates.forget_before(oldest);
        }
        self.exporters.len() < self.limits.exporters_max || self.exporters.contains_key(&exporter)
    }

    fn decode(&mut self, origin: Origin, bytes: &[u8], sink: &mut dyn Sink) -> Result<(), Failure> {
        let lengths = messages(bytes)?;
        let mut at = 0;
        let mut refused = None;
        for length in lengths {
            let mut decoder = Decoder {
                templates: &mut self.templates,
                options: &self.options,
                origin,
                pass: Pass::Rows,
                tally: &mut self.tally,
                builder: &mut self.builder,
                sink,
            };
            match decoder.message(&bytes[at..at + length]) {
                Err(full @ Failure::Full { .. }) => refused = refused.or(Some(full)),
                other => other.map(|_| ())?,
            }
            at += length;
        }
        refused.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    struct Rows(usize);

    impl Sink for Rows {
        fn batch(&mut self, batch: arrow_array::RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            self.0 += batch.num_rows();
            Ok(())
        }
    }

    fn v9(domain: u32, sets: &[u8], count: u16) -> Vec<u8> {
        let mut message = vec![0, 9];
        message.extend(count.to_be_bytes());
        message.extend([0; 12]);
        message.extend(domain.to_be_bytes());
        message.extend(sets);
        message
    }

    /// Template 256: source, destination, protocol, packets, bytes; 17 bytes.
    const TEMPLATE: [u8; 28] = [0, 0, 0, 28, 1, 0, 0, 5, 0, 8, 0, 4, 0, 12, 0, 4, 0, 4, 0, 1, 0, 2, 0, 4, 0, 1, 0, 4];
    const DATA: [u8; 21] = [1, 0, 0, 21, 10, 0, 0, 1, 10, 0, 0, 2, 17, 0, 0, 0, 3, 0, 0, 0, 90];

    fn sender(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))
    }

    #[test]
    fn templates_are_kept_for_each_exporter_and_domain() {
        let mut listener = Listener::new(ExportOptions::default(), ListenLimits::default());
        let mut sink = Rows(0);
        let mut hear = |from, message: &[u8]| listener.datagram(sender(from), 1_000_000, message, &mut sink).unwrap();
        assert_eq!(hear(1, &v9(7, &TEMPLATE, 1)), Outcome::Rows(0));
        assert_eq!(hear(1, &v9(7, &DATA, 1)), Outcome::Rows(1));
        assert_eq!(hear(1, &v9(8, &DATA, 1)), Outcome::Rows(0));
        assert_eq!(hear(2, &v9(7, &DATA, 1)), Outcome::Rows(0));
        listener.flush(&mut sink).unwrap();
        assert_eq!((sink.0, listener.tally().skipped(crate::netflow::Reason::NoTemplate)), (1, 2));
    }

    #[test]
    fn a_damaged_datagram_changes_nothing() {
        let mut listener = Listener::new(ExportOptions::default(), ListenLimits::default());
        let sets = [&TEMPLATE[..], &DATA[..], &[1, 0, 0, 99]].concat();
        let outcome = listener.datagram(sender(1), 0, &v9(7, &sets, 9), &mut Rows(0)).unwrap();
        let Outcome::Damaged(fault) = outcome else { panic!("{outcome:?}") };
        assert_eq!(fault.offset, 20 + 28 + 21);
        assert_eq!((listener.tally().rows, listener.templates().len()), (0, 0));
        listener.datagram(sender(1), 9_000_000, &[0, 7, 0, 0], &mut Rows(0)).unwrap();
        listener.datagram(sender(2), 9_000_000, &v9(7, &TEMPLATE, 1), &mut Rows(0)).unwrap();
        let mut told: Vec<_> = listener.exporters().map(|(from, counts)| (from[15], counts.clone())).collect();
        told.sort_by_key(|(from, _)| *from);
        assert_eq!((told[0].1.datagrams, told[0].1.refused, told[0].1.last), (2, 2, 9));
        let first = "damaged at byte 69: set 256 says 99 bytes, 4 are left";
        assert_eq!(told[0].1.first_refusal.as_deref(), Some(first), "the first reason stays");
        assert_eq!((told[1].1.refused, told[1].1.first_refusal.as_deref()), (0, None));
    }

    #[test]
    fn new_exporters_are_refused_until_known_ones_are_silent() {
        let limits = ListenLimits { exporters_max: 2, ..ListenLimits::default() };
        let mut listener = Listener::new(ExportOptions::default(), limits);
        let mut hear = |from, seconds: i64| {
            listener.datagram(sender(from), seconds * 1_000_000, &v9(7, &TEMPLATE, 1), &mut Rows(0)).unwrap()
        };
        assert_eq!([hear(1, 0), hear(2, 4000)], [Outcome::Rows(0), Outcome::Rows(0)]);
        assert_eq!(hear(1, 4000), Outcome::Rows(0));
        assert!(matches!(hear(3, 4001), Outcome::Full { .. }));
        assert_eq!(hear(1, 8000), Outcome::Rows(0));
        assert_eq!(hear(3, 8000), Outcome::Rows(0), "the second one has been silent for more than an hour");
        assert_eq!(listener.exporters().count(), 2);
        assert_eq!(listener.templates().streams(), 2);
    }

    /// Limits at which the template above fits once.
    fn tight() -> ListenLimits {
        let mut listener = Listener::new(ExportOptions::default(), ListenLimits::default());
        listener.datagram(sender(1), 0, &v9(7, &TEMPLATE, 1), &mut Rows(0)).unwrap();
        let bytes_max = listener.templates().bytes();
        ListenLimits { templates: TemplateLimits { bytes_max, ..TemplateLimits::default() }, ..ListenLimits::default() }
    }

    #[test]
    fn a_known_template_is_refreshed_at_the_bound() {
        let mut listener = Listener::new(ExportOptions::default(), tight());
        for seconds in 0..3 {
            let sets = [&TEMPLATE[..], &DATA].concat();
            let outcome = listener.datagram(sender(1), seconds, &v9(7, &sets, 2), &mut Rows(0)).unwrap();
            assert_eq!(outcome, Outcome::Rows(1));
        }
        assert_eq!(listener.templates().bytes(), tight().templates.bytes_max);
    }

    #[test]
    fn records_beside_a_refused_template_are_read_unless_they_are_its_own() {
        let mut listener = Listener::new(ExportOptions::default(), tight());
        let mut hear =
            |sets: &[&[u8]]| listener.datagram(sender(1), 0, &v9(7, &sets.concat(), 9), &mut Rows(0)).unwrap();
        let mut other = TEMPLATE;
        other[5] = 1;
        assert_eq!(hear(&[&TEMPLATE]), Outcome::Rows(0));
        assert!(matches!(hear(&[&other, &DATA]), Outcome::Full { rows: 1, .. }));
        // One field more under the id that is known.
        let longer = [&[0, 0, 0, 32, 1, 0, 0, 6][..], &TEMPLATE[8..], &[0, 7, 0, 2]].concat();
        assert!(matches!(hear(&[&longer, &DATA]), Outcome::Full { rows: 0, .. }));
        assert_eq!((listener.tally().rows, listener.templates().bytes()), (1, 0));
    }

    #[test]
    fn records_beside_a_refused_sampler_are_read() {
        let templates = TemplateLimits { samplers_max: 1, ..TemplateLimits::default() };
        let mut listener =
            Listener::new(ExportOptions::default(), ListenLimits { templates, ..ListenLimits::default() });
        // Options template 257: scope system, sampler (48), its interval (50); then the rates of two samplers.
        let announced = [0, 1, 0, 22, 1, 1, 0, 4, 0, 8, 0, 1, 0, 4, 0, 48, 0, 1, 0, 50, 0, 1];
        let rates = [1, 1, 0, 16, 0, 0, 0, 0, 1, 10, 0, 0, 0, 0, 2, 20];
        let message = v9(7, &[&TEMPLATE[..], &announced, &rates, &DATA].concat(), 5);
        let outcome = listener.datagram(sender(1), 0, &message, &mut Rows(0)).unwrap();
        assert_eq!(outcome, Outcome::Full { what: "the number of samplers of an exporter", max: 1, rows: 1 });
    }

    proptest! {
        #[test]
        fn templates_stay_within_their_bounds(
            sent in prop::collection::vec((0u8..9, 0u32..9, 0u16..700, 0usize..40, 0u16..70), 0..200),
        ) {
            let templates = TemplateLimits {
                streams_max: 5, templates_max: 3, fields_max: 30, bytes_max: 4000, samplers_max: 2,
            };
            let limits = ListenLimits { exporters_max: 4, idle_s: 10, templates };
            let mut listener = Listener::new(ExportOptions::default(), limits);
            for (index, (from, domain, id, fields, len)) in sent.into_iter().enumerate() {
                let mut set = vec![0, 0];
                set.extend(u16::try_from(8 + fields * 4).unwrap().to_be_bytes());
                set.extend((256 + id).to_be_bytes());
                set.extend(u16::try_from(fields).unwrap().to_be_bytes());
                for field in 1..=u16::try_from(fields).unwrap() {
                    set.extend(field.to_be_bytes());
                    set.extend(len.to_be_bytes());
                }
                let time = i64::try_from(index).unwrap() * 500_000;
                listener.datagram(sender(from), time, &v9(domain, &set, 1), &mut Rows(0)).unwrap();
                prop_assert!(listener.templates().bytes() <= 4000);
                prop_assert!(listener.templates().streams() <= 5);
                prop_assert!(listener.templates().len() <= 15);
                prop_assert!(listener.exporters().count() <= 4);
            }
        }

        #[test]
        fn arbitrary_datagrams_never_panic(
            sent in prop::collection::vec((0usize..5, prop::collection::vec(any::<u8>(), 0..300)), 0..30),
        ) {
            let heads: [&[u8]; 5] = [&[], &[0, 5, 0, 3], &[0, 9, 0, 9], &[0, 10, 0, 80], &[0, 0, 0, 5, 0, 0, 0, 1]];
            let mut listener = Listener::new(ExportOptions::default(), ListenLimits::default());
            for (head, mut bytes) in sent {
                bytes.splice(..0, heads[head].iter().copied());
                listener.datagram(sender(1), 0, &bytes, &mut Rows(0)).unwrap();
            }
        }
    }
}
