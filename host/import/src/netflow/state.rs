//! What exporters have said about their data: templates, sampling, time of boot, per exporter and observation domain.
//! Bounded in every dimension, because exports come from the network.

use std::collections::HashMap;
use std::sync::Arc;

use super::fault::Failure;
use super::options::ExportOptions;
use super::template::Template;

/// How much state exporters may cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateLimits {
    /// Exporters times their observation domains. 4096 is a large operator's routers with line cards as domains.
    pub streams_max: usize,
    /// Templates of one stream. The largest exporters send about 100.
    pub templates_max: usize,
    /// Fields of one template. A message of 64 KiB could hold 16,000.
    pub fields_max: usize,
    /// Bytes of all templates and sampling rates. 64 MiB are about 100,000 templates of 50 fields.
    pub bytes_max: usize,
    /// Samplers and interfaces with a sampling rate of one stream.
    pub samplers_max: usize,
}

impl Default for TemplateLimits {
    fn default() -> Self {
        Self { streams_max: 4096, templates_max: 1024, fields_max: 1024, bytes_max: 64 << 20, samplers_max: 4096 }
    }
}

/// Who sent a message: templates are valid for one exporter, version and observation domain (RFC 7011 §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct StreamKey {
    pub(super) exporter: Option<[u8; 16]>,
    pub(super) version: u16,
    pub(super) domain: u32,
}

impl StreamKey {
    pub(super) fn new(exporter: Option<[u8; 16]>, version: u16, domain: u32, options: &ExportOptions) -> Self {
        Self { exporter, version, domain: if options.share_domains { 0 } else { domain } }
    }
}

/// Bytes that a sampling rate takes: three slots of its map, the lowest load, of 17 bytes.
const SAMPLER_BYTES: usize = 3 * 17;

/// What one exporter has said in one observation domain.
#[derive(Debug, Default)]
pub(super) struct Stream {
    templates: HashMap<u16, Arc<Template>>,
    bytes: usize,
    pub(super) boot_ms: Option<u64>,
    sampling: Option<u64>,
    by_sampler: HashMap<u64, u64>,
    by_interface: HashMap<u64, u64>,
    used: i64,
}

impl Stream {
    pub(super) fn template(&self, id: u16) -> Option<Arc<Template>> {
        self.templates.get(&id).cloned()
    }

    /// One packet in how many was sampled, by the sampler that a record names, its interface or for all.
    pub(super) fn sampling(&self, sampler: Option<u64>, interface: Option<u64>) -> Option<u64> {
        let of = |map: &HashMap<u64, u64>, key: Option<u64>| {
            if map.is_empty() { None } else { key.and_then(|key| map.get(&key).copied()) }
        };
        of(&self.by_sampler, sampler).or_else(|| of(&self.by_interface, interface)).or(self.sampling)
    }

    /// Counts bytes that are free again. Room for many templates must not stay where few are left.
    fn freed(&mut self, bytes: usize) {
        self.bytes -= bytes;
        if self.templates.len() < self.templates.capacity() / 8 {
            self.templates.shrink_to_fit();
        }
    }

    /// Keeps a sampling rate that options data announce; gives the bytes that it takes anew. `held` are those of all
    /// streams.
    fn sample(&mut self, key: SamplingKey, rate: u64, held: usize, limits: TemplateLimits) -> Result<usize, Failure> {
        let (map, key) = match key {
            SamplingKey::All => {
                self.sampling = Some(rate);
                return Ok(0);
            }
            SamplingKey::Sampler(id) => (&mut self.by_sampler, id),
            SamplingKey::Interface(id) => (&mut self.by_interface, id),
        };
        if let Some(known) = map.get_mut(&key) {
            *known = rate;
            return Ok(0);
        }
        if map.len() >= limits.samplers_max {
            return Err(full("the number of samplers of an exporter", map.len() + 1, limits.samplers_max));
        }
        if held + SAMPLER_BYTES > limits.bytes_max {
            return Err(full(BYTES, held + SAMPLER_BYTES, limits.bytes_max));
        }
        map.insert(key, rate);
        self.bytes += SAMPLER_BYTES;
        Ok(SAMPLER_BYTES)
    }
}

/// What a sampling rate holds for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SamplingKey {
    All,
    Sampler(u64),
    Interface(u64),
}

/// The state of all exporters. Files given together share one.
#[derive(Debug, Default)]
pub struct Templates {
    pub(super) limits: TemplateLimits,
    streams: HashMap<StreamKey, Stream>,
    bytes: usize,
}

/// A template as an exporter announced it.
pub(super) struct Announced {
    pub(super) id: u16,
    pub(super) template: Template,
    /// Fields it was announced with, those that no row needs too.
    pub(super) fields: usize,
}

/// What `bytes_max` bounds.
const BYTES: &str = "the size of all templates and sampling rates in bytes";

fn full(what: &'static str, found: usize, max: usize) -> Failure {
    Failure::Full { what, found: found as u64, max: max as u64 }
}

impl Templates {
    /// No templates yet.
    #[must_use]
    pub fn new(limits: TemplateLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Templates held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.streams.values().map(|stream| stream.templates.len()).sum()
    }

    /// Whether no template is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Exporters and domains known.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// Bytes that templates and sampling rates take, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets the streams that were last used before this time, in seconds since the epoch.
    pub fn forget_before(&mut self, time: i64) {
        let bytes = &mut self.bytes;
        self.streams.retain(|_, stream| {
            let keep = stream.used >= time;
            *bytes -= if keep { 0 } else { stream.bytes };
            keep
        });
    }

    /// The stream, new if need be; `now` marks it as used.
    pub(super) fn stream(&mut self, key: StreamKey, now: i64) -> Result<&mut Stream, Failure> {
        if !self.streams.contains_key(&key) && self.streams.len() >= self.limits.streams_max {
            let max = self.limits.streams_max;
            return Err(full("the number of exporters and observation domains", max + 1, max));
        }
        let stream = self.streams.entry(key).or_default();
        stream.used = now;
        Ok(stream)
    }

    /// The stream, if known; `now` marks it as used.
    pub(super) fn known(&mut self, key: StreamKey, now: i64) -> Option<&mut Stream> {
        let stream = self.streams.get_mut(&key)?;
        stream.used = now;
        Some(stream)
    }

    /// Keeps a template, in place of the one with its id. That one is forgotten also where the new one is refused: the
    /// exporter's records are not its own any more.
    pub(super) fn insert(&mut self, key: StreamKey, now: i64, announced: Announced) -> Result<(), Failure> {
        let id = announced.id;
        let kept = self.replace(key, now, announced);
        if kept.is_err() {
            self.withdraw(key, id);
        }
        kept
    }

    fn replace(&mut self, key: StreamKey, now: i64, announced: Announced) -> Result<(), Failure> {
        let Announced { id, template, fields } = announced;
        let limits = self.limits;
        if fields > limits.fields_max {
            return Err(full("the number of fields of a template", fields, limits.fields_max));
        }
        let bytes = template.bytes();
        let old = self.streams.get(&key).and_then(|stream| stream.templates.get(&id)).map_or(0, |old| old.bytes());
        let held = self.bytes - old + bytes;
        if held > limits.bytes_max {
            return Err(full(BYTES, held, limits.bytes_max));
        }
        let stream = self.stream(key, now)?;
        if stream.templates.len() >= limits.templates_max && !stream.templates.contains_key(&id) {
            return Err(full("the number of templates of an exporter", limits.templates_max + 1, limits.templates_max));
        }
        stream.templates.insert(id, Arc::new(template));
        stream.bytes = stream.bytes + bytes - old;
        self.bytes = held;
        Ok(())
    }

    /// Keeps a sampling rate that options data of a stream announce.
    pub(super) fn sample(&mut self, key: StreamKey, now: i64, what: SamplingKey, rate: u64) -> Result<(), Failure> {
        let (held, limits) = (self.bytes, self.limits);
        self.bytes += self.stream(key, now)?.sample(what, rate, held, limits)?;
        Ok(())
    }

    /// Forgets the template of this id.
    pub(super) fn withdraw(&mut self, key: StreamKey, id: u16) {
        let Some(stream) = self.streams.get_mut(&key) else { return };
        let freed = stream.templates.remove(&id).map_or(0, |gone| gone.bytes());
        stream.freed(freed);
        self.bytes -= freed;
    }

    /// Forgets all templates of options, or all others.
    pub(super) fn withdraw_all(&mut self, key: StreamKey, options: bool) {
        let Some(stream) = self.streams.get_mut(&key) else { return };
        let mut freed = 0;
        stream.templates.retain(|_, template| {
            let keep = template.options != options;
            freed += if keep { 0 } else { template.bytes() };
            keep
        });
        stream.freed(freed);
        self.bytes -= freed;
    }
}
