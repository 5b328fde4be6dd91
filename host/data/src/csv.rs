//! CSV files, plain or gzip (many members), as typed batches: streamed with bounded memory, strict, every refusal with
//! file, line and column. Comma separated, a header line, RFC 4180 quoting, LF or CRLF.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use csv_core::ReadRecordResult;
use flate2::bufread::MultiGzDecoder;

use crate::BATCH_ROWS;
use crate::columns::TextColumn;
use crate::error::{DataError, Misfit, excerpt};
use crate::files::FileStamp;
use crate::reader::{BatchReader, ReadError};
use crate::schema::{ColumnSpec, TableSchema};
use crate::timestamp::TimestampUnit;

/// Longest record, in bytes of its unquoted fields.
const RECORD_BYTES_MAX: usize = 1 << 20;
/// Most columns of a file.
const FIELDS_MAX: usize = 4096;
/// A batch ends early when its fields reach this many bytes.
const BATCH_BYTES: usize = 8 << 20;
const READ_BYTES: usize = 1 << 16;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// One CSV file whose header fits the schema.
#[derive(Debug, Clone)]
pub(crate) struct CsvFile {
    pub(crate) stamp: FileStamp,
    /// For each schema column the field it comes from; `None` where an optional column is absent.
    fields: Vec<Option<usize>>,
    field_count: usize,
    unit: TimestampUnit,
}

impl CsvFile {
    /// Reads the header and maps it onto the schema.
    pub(crate) fn open(
        stamp: FileStamp,
        schema: &TableSchema,
        columns: &BTreeMap<String, String>,
        unit: TimestampUnit,
    ) -> Result<Self, DataError> {
        let mut records = Records::open(&stamp, FIELDS_MAX)?;
        if !records.advance()? {
            return Err(misfit(&stamp, None, None, "the file is empty".into(), "a header line naming the columns"));
        }
        let header = records.texts(&stamp)?;
        if let Some(separator) = separator(&header, schema, columns) {
            let reason = format!("its fields are separated by {separator}");
            return Err(misfit(&stamp, Some(1), None, reason, "fields that are separated by commas"));
        }
        let mut fields = Vec::with_capacity(schema.columns.len());
        for column in &schema.columns {
            let source = columns.get(&column.name).unwrap_or(&column.name);
            let mut found = header.iter().enumerate().filter(|(_, name)| *name == source).map(|(at, _)| at);
            let first = found.next();
            if found.next().is_some() {
                let reason = format!("the header names `{}` twice", excerpt(source.as_bytes()));
                return Err(misfit(&stamp, Some(1), Some(&column.name), reason, "one column of that name"));
            }
            // A mapped column must exist, even an optional one: the map is the provider's word.
            if first.is_none() && (column.required || columns.contains_key(&column.name)) {
                let shown = excerpt(header.join(",").as_bytes());
                let reason = format!("the header `{shown}` has no column `{source}`");
                return Err(misfit(
                    &stamp,
                    Some(1),
                    Some(&column.name),
                    reason,
                    "a column of that name or a column map",
                ));
            }
            fields.push(first);
        }
        Ok(Self { stamp, fields, field_count: header.len(), unit })
    }
}

/// What separates the names of a header that is one field, where the schema's columns are among them.
fn separator(header: &[String], schema: &TableSchema, columns: &BTreeMap<String, String>) -> Option<&'static str> {
    let [header] = header else { return None };
    let source = |column: &ColumnSpec| columns.get(&column.name).unwrap_or(&column.name).clone();
    let wanted: Vec<String> = schema.columns.iter().map(source).collect();
    let separators = [(';', "semicolons"), ('\t', "tabs"), ('|', "vertical bars"), (' ', "blanks")];
    let is_it = |(separator, _): &(char, &str)| {
        let names = || header.split(*separator).map(|name| name.trim().trim_matches('"'));
        names().count() > 1 && names().any(|name| wanted.iter().any(|wanted| wanted == name))
    };
    separators.into_iter().find(is_it).map(|(_, word)| word)
}

/// Reads the given schema columns of CSV files, one after another.
pub(crate) struct CsvReader {
    files: std::vec::IntoIter<CsvFile>,
    table: TableSchema,
    columns: Vec<usize>,
    schema: SchemaRef,
    current: Option<Current>,
}

/// The file that is being read.
struct Current {
    file: CsvFile,
    records: Records,
    builders: Vec<TextColumn>,
}

impl CsvReader {
    /// `schema` has the columns that `columns` (indexes into `table`) names, in that order.
    pub(crate) fn new(files: Vec<CsvFile>, table: TableSchema, columns: Vec<usize>, schema: SchemaRef) -> Self {
        Self { files: files.into_iter(), table, columns, schema, current: None }
    }

    fn start(&self, file: CsvFile) -> Result<Current, DataError> {
        let mut records = Records::open(&file.stamp, file.field_count)?;
        records.advance()?;
        let builders = self.columns.iter().map(|at| TextColumn::new(&self.table.columns[*at], file.unit, BATCH_ROWS));
        let builders = builders.collect();
        Ok(Current { file, records, builders })
    }
}

impl BatchReader for CsvReader {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, ReadError> {
        loop {
            let mut current = match self.current.take() {
                Some(current) => current,
                None => match self.files.next() {
                    Some(file) => self.start(file)?,
                    None => return Ok(None),
                },
            };
            let rows = current.fill(&self.table, &self.columns)?;
            if rows == 0 {
                continue;
            }
            let arrays = current.builders.iter_mut().map(TextColumn::finish).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
                .map_err(|e| DataError::Internal { what: current.file.stamp.shown(), reason: e.to_string() })?;
            self.current = Some(current);
            return Ok(Some(batch));
        }
    }
}

impl Current {
    /// Fills the builders up to a batch; the number of rows read, 0 at the end.
    fn fill(&mut self, table: &TableSchema, columns: &[usize]) -> Result<usize, DataError> {
        let Self { file, records, builders } = self;
        let (mut rows, mut bytes) = (0, 0);
        while rows < BATCH_ROWS && bytes < BATCH_BYTES && records.advance()? {
            if records.count != file.field_count {
                let reason = format!("the record has {} fields", records.count);
                let fits = format!("{} fields as in the header", file.field_count);
                return Err(misfit(&file.stamp, Some(records.line), None, reason, &fits));
            }
            for (builder, at) in builders.iter_mut().zip(columns) {
                let Some(field) = file.fields[*at] else {
                    builder.push_null();
                    continue;
                };
                let text = records.field(field);
                if !builder.push(text) {
                    let spec = &table.columns[*at];
                    let reason = match text {
                        b"" => "the value is missing".to_owned(),
                        _ => format!("`{}` does not fit", excerpt(text)),
                    };
                    return Err(misfit(&file.stamp, Some(records.line), Some(&spec.name), reason, builder.fits(spec)));
                }
            }
            rows += 1;
            bytes += records.bytes();
        }
        Ok(rows)
    }
}

fn misfit(stamp: &FileStamp, line: Option<u64>, column: Option<&str>, reason: String, fits: &str) -> DataError {
    let (column, fits) = (column.map(str::to_owned), fits.to_owned());
    DataError::Misfit(Box::new(Misfit { file: stamp.shown(), line, column, reason, fits }))
}

/// The records of one file.
struct Records {
    input: Box<dyn Read + Send>,
    stamp: FileStamp,
    gzip: bool,
    parser: csv_core::Reader,
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    eof: bool,
    fields: Vec<u8>,
    ends: Vec<usize>,
    count: usize,
    line: u64,
    skipped_lines: u64,
}

impl Records {
    fn open(stamp: &FileStamp, fields_max: usize) -> Result<Self, DataError> {
        let mut file = stamp.open()?;
        let gzip = starts_with_gzip(stamp, &mut file)?;
        let input: Box<dyn Read + Send> = if gzip {
            Box::new(MultiGzDecoder::new(BufReader::with_capacity(READ_BYTES, file)))
        } else {
            Box::new(file)
        };
        Ok(Self {
            input,
            stamp: stamp.clone(),
            gzip,
            parser: csv_core::Reader::new(),
            buffer: vec![0; READ_BYTES],
            at: 0,
            end: 0,
            eof: false,
            fields: vec![0; 4096],
            ends: vec![0; fields_max + 1],
            count: 0,
            line: 1,
            skipped_lines: 0,
        })
    }

    /// Goes to the next record; `false` at the end of the file.
    fn advance(&mut self) -> Result<bool, DataError> {
        if !self.skip_line_ends()? {
            return Ok(false);
        }
        self.line = self.parser.line() + self.skipped_lines;
        let (mut filled, mut ended) = (0, 0);
        loop {
            let (result, read, wrote, fields) = self.parser.read_record(
                &self.buffer[self.at..self.end],
                &mut self.fields[filled..],
                &mut self.ends[ended..],
            );
            self.at += read;
            filled += wrote;
            ended += fields;
            match result {
                ReadRecordResult::Record => {
                    self.count = ended;
                    return Ok(true);
                }
                ReadRecordResult::InputEmpty if self.eof => return Err(self.unclosed()),
                ReadRecordResult::InputEmpty => self.refill()?,
                ReadRecordResult::OutputFull => self.grow()?,
                ReadRecordResult::OutputEndsFull => {
                    let fits = format!("{} fields as in the header", self.ends.len() - 1);
                    return Err(misfit(&self.stamp, Some(self.line), None, "the record has more fields".into(), &fits));
                }
                ReadRecordResult::End => return Ok(false),
            }
        }
    }

    /// Skips ends of lines (also blank lines) before a record; `false` at the end of the file.
    fn skip_line_ends(&mut self) -> Result<bool, DataError> {
        loop {
            while self.at < self.end {
                match self.buffer[self.at] {
                    b'\n' => self.skipped_lines += 1,
                    b'\r' => {}
                    _ => return Ok(true),
                }
                self.at += 1;
            }
            if self.eof {
                return Ok(false);
            }
            self.refill()?;
        }
    }

    /// Reads more input. The end of the file is given as one more line end, so that a record that is still open after
    /// it can only be one whose quote was never closed.
    fn refill(&mut self) -> Result<(), DataError> {
        self.at = 0;
        self.end = loop {
            match self.input.read(&mut self.buffer) {
                Ok(0) => {
                    self.eof = true;
                    self.buffer[0] = b'\n';
                    break 1;
                }
                Ok(read) => break read,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) if self.gzip => return Err(damaged_gzip(&self.stamp, &e)),
                Err(source) => return Err(crate::files::io(&self.stamp.path, source)),
            }
        };
        Ok(())
    }

    fn grow(&mut self) -> Result<(), DataError> {
        if self.fields.len() >= RECORD_BYTES_MAX {
            let fits = format!("a record of at most {RECORD_BYTES_MAX} bytes");
            return Err(misfit(&self.stamp, Some(self.line), None, "the record is too long".into(), &fits));
        }
        self.fields.resize(self.fields.len() * 2, 0);
        Ok(())
    }

    fn unclosed(&self) -> DataError {
        let reason = "the file ends inside a quoted field".to_owned();
        misfit(&self.stamp, Some(self.line), None, reason, "a closing quote")
    }

    fn field(&self, at: usize) -> &[u8] {
        let from = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.fields[from..self.ends[at]]
    }

    fn bytes(&self) -> usize {
        if self.count == 0 { 0 } else { self.ends[self.count - 1] }
    }

    /// All fields as text, for the header.
    fn texts(&self, stamp: &FileStamp) -> Result<Vec<String>, DataError> {
        let text = |at| String::from_utf8(self.field(at).to_vec());
        (0..self.count).map(text).collect::<Result<_, _>>().map_err(|_| {
            // The marks of UTF-16, which spreadsheets write as "Unicode text".
            let marked = [&b"\xff\xfe"[..], b"\xfe\xff"].iter().any(|mark| self.field(0).starts_with(mark));
            let what = if marked { "the file is text in UTF-16" } else { "the header is not UTF-8" };
            misfit(stamp, Some(1), None, what.into(), "a header line in UTF-8")
        })
    }
}

fn starts_with_gzip(stamp: &FileStamp, file: &mut File) -> Result<bool, DataError> {
    use std::io::{Seek, SeekFrom};
    let mut magic = Vec::with_capacity(2);
    let start = Read::by_ref(file).take(2).read_to_end(&mut magic).and_then(|_| file.seek(SeekFrom::Start(0)));
    start.map_err(|source| crate::files::io(&stamp.path, source))?;
    Ok(magic == GZIP_MAGIC)
}

fn damaged_gzip(stamp: &FileStamp, error: &std::io::Error) -> DataError {
    let reason = match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "the gzip stream ends early".to_owned(),
        _ => format!("the gzip stream is corrupt ({error})"),
    };
    DataError::Damaged { path: stamp.path.clone(), reason }
}
