//! A file of any format into rows of its schema: one door for those who have files, not formats. Files that are read by
//! one [`Importer`] share the templates of their exporters: [`Importer::learn`] from each, then [`Importer::read`] each.

use std::io::Read;
use std::path::Path;

use arrow_schema::SchemaRef;

use crate::columns::{Sink, flow_schema};
use crate::detect::{Format, HEAD_BYTES, detect};
use crate::exports::Exports;
use crate::flows::{FlowOptions, FlowTable};
use crate::netflow::ExportOptions;
use crate::rows::{asinfo_schema, geo_schema, pdns_schema, route_schema};
use crate::stored::Stored;
use crate::text::other_encoding;
use crate::{FileReport, ImportError, bmp, mrt, nfdump, pcap, pdns, tables};

/// What the owner of the files knows and the files do not say.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// Of flow exports and of nfdump's files. `ingress_as` is also that of captures.
    pub exports: ExportOptions,
    /// Name of the route collector, for routes that name none.
    pub collector: Option<String>,
    /// What address tables say about ASes, where they do not say it.
    pub asinfo: Option<tables::AsinfoKind>,
    /// Registry or trust anchor of address tables that name none.
    pub registry: Option<String>,
}

/// The format of a file, by its content.
///
/// # Errors
/// The file cannot be read or not be decompressed, it is text in another encoding than UTF-8, or in no format known.
pub fn format_of(input: &mut dyn Read, path: &Path) -> Result<Format, ImportError> {
    let mut head = Vec::new();
    Stored::open(input, path)?.read_up_to(HEAD_BYTES, &mut head)?;
    detect(&head).ok_or_else(|| match other_encoding(&head) {
        Some(encoding) => ImportError::Encoding { path: path.to_path_buf(), encoding },
        None => ImportError::UnknownFormat { path: path.to_path_buf() },
    })
}

/// The Arrow schema of a format's rows.
#[must_use]
pub fn schema_of(format: Format) -> SchemaRef {
    match format.schema() {
        "flow/1" => flow_schema(),
        "route/1" => route_schema(),
        "pdns/1" => pdns_schema(),
        "asinfo/1" => asinfo_schema(),
        _ => geo_schema(),
    }
}

/// Reads files, one after the other.
pub struct Importer {
    options: ImportOptions,
    exports: Exports,
}

impl Importer {
    /// An importer that knows no templates.
    #[must_use]
    pub fn new(options: ImportOptions) -> Self {
        let exports = Exports::new(options.exports.clone());
        Self { options, exports }
    }

    /// Learns the templates of a file of exports; other formats have none. What is wrong with the file, [`Self::read`]
    /// says again.
    ///
    /// # Errors
    /// As [`Self::read`]; what was learned before the error stays.
    pub fn learn(
        &mut self,
        input: &mut dyn Read,
        path: &Path,
        format: Format,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), ImportError> {
        match format {
            Format::Exports => self.exports.collect(input, path, progress),
            Format::ExportsInPcap => self.exports.collect_capture(input, path, progress),
            _ => Ok(()),
        }
    }

    /// Writes the rows of a file to the sink. `progress` is told the bytes read so far, compressed as stored. After an
    /// error the sink may have rows of what came before it; who refuses the file drops them.
    ///
    /// # Errors
    /// The file cannot be read, breaks its format, passes a bound, or the rows cannot be stored.
    pub fn read(
        &mut self,
        input: &mut dyn Read,
        path: &Path,
        format: Format,
        sink: &mut dyn Sink,
        progress: &mut dyn FnMut(u64),
    ) -> Result<FileReport, ImportError> {
        let collector = || self.options.collector.clone();
        match format {
            Format::Exports => self.exports.read(input, path, sink, progress),
            Format::ExportsInPcap => self.exports.read_capture(input, path, sink, progress),
            Format::Pcap => {
                let ingress_as = self.options.exports.ingress_as;
                let mut table = FlowTable::new(FlowOptions { ingress_as, ..FlowOptions::default() });
                pcap::read(input, path, &mut table, sink, progress)
            }
            Format::Nfdump => nfdump::read(input, path, &self.options.exports, sink, progress),
            Format::Mrt => mrt::read(input, path, &mrt::Options { collector: collector() }, sink, progress),
            Format::Bmp => {
                let options = bmp::Options { collector: collector(), ..bmp::Options::default() };
                bmp::read(input, path, &options, sink, progress)
            }
            Format::Pdns => pdns::read(input, path, sink, progress),
            Format::Table(format) => {
                let (kind, registry) = (self.options.asinfo, self.options.registry.clone());
                let options = tables::Options { kind, registry, ..tables::Options::new(format) };
                tables::read(input, path, &options, sink, progress)
            }
        }
    }
}
