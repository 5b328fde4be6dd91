//! `iog data import`: operators' files in, Parquet of a schema out. One line a file says what was read, what was skipped
//! and why.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use arrow_schema::Schema;
use iog_import::detect::Format;
use iog_import::files::{ImportOptions, Importer, format_of, schema_of};
use iog_import::tables::AsinfoKind;
use iog_import::{FileReport, Skip};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::files::{ParquetSink, target};
use super::known::{NEIGHBOURS_HINT, export_options};
use crate::args::ImportArgs;
use crate::ui::{Progress, Text, Tone, Ui, counted, grouped, size};

/// A file of the command.
struct Job<'a> {
    input: &'a Path,
    out: PathBuf,
    bytes: u64,
    /// Its time of change before it was read, which its Parquet file gets too: what is written to it later shows.
    modified: SystemTime,
    found: Found,
}

/// What a look at the file said.
enum Found {
    Format(Format),
    /// It was imported before, and only new files are wanted. Its templates may serve these.
    Known(Format),
    Refused(anyhow::Error),
}

/// What came of it.
enum Outcome {
    /// Read; `None` where there were no rows, so that no file was written.
    Read(FileReport, Option<PathBuf>),
    Known,
    Refused(anyhow::Error),
}

/// The exit code where some files gave something and others nothing.
const PARTLY: u8 = 3;

pub(crate) fn run(ui: Ui, args: &ImportArgs) -> Result<ExitCode> {
    let options = options(args)?;
    let jobs: Vec<Job<'_>> = args.files.iter().map(|input| job(input, args)).collect();
    let schema = one_schema(&jobs)?;
    fits_folder(&args.out, &jobs)?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make `{}`", args.out.display()))?;
    let mut importer = Importer::new(options);
    learn(ui, &mut importer, &jobs);
    let to_read = |job: &&Job<'_>| matches!(job.found, Found::Format(_));
    let bar = ui.bytes("importing", jobs.iter().filter(to_read).map(|job| job.bytes).sum());
    let mut done = Vec::with_capacity(jobs.len());
    let mut before = 0;
    for job in jobs {
        let bytes = job.bytes;
        let (input, outcome) = (job.input, import(&mut importer, job, &bar, before));
        before += if matches!(outcome, Outcome::Known) { 0 } else { bytes };
        done.push((input, outcome));
    }
    bar.end();
    Ok(report(ui, schema, &done))
}

fn options(args: &ImportArgs) -> Result<ImportOptions> {
    let asinfo = match args.asinfo_kind.as_deref() {
        Some("bgp") => Some(AsinfoKind::Bgp),
        Some("irr") => Some(AsinfoKind::Irr),
        Some(_) => Some(AsinfoKind::Rir),
        None => None,
    };
    let exports = export_options(&args.neighbours)?;
    Ok(ImportOptions { exports, collector: args.collector.clone(), asinfo, registry: None })
}

/// Looks at a file without reading it.
fn job<'a>(input: &'a Path, args: &ImportArgs) -> Job<'a> {
    let out = target(&args.out, input);
    let named = args.format.as_deref().and_then(|name| Format::ALL.into_iter().find(|format| format.name() == name));
    let looked = out.as_ref().map_or_else(|| Err(no_name(input)), |out| look(input, out, named, args));
    let Look { bytes, modified, found } = looked.unwrap_or_else(|error| Look {
        bytes: 0,
        modified: SystemTime::UNIX_EPOCH,
        found: Found::Refused(error),
    });
    Job { input, out: out.unwrap_or_default(), bytes, modified, found }
}

/// What a file is, by a look at it.
struct Look {
    bytes: u64,
    modified: SystemTime,
    found: Found,
}

fn look(input: &Path, out: &Path, named: Option<Format>, args: &ImportArgs) -> Result<Look> {
    // A pipe would wait for a writer when it is opened.
    let metadata = std::fs::metadata(input).with_context(|| format!("cannot read `{}`", input.display()))?;
    ensure!(metadata.is_file(), "`{}` is not a regular file", input.display());
    let mut file = open(input)?;
    let (bytes, modified) = (metadata.len(), metadata.modified()?);
    let format = match named {
        Some(format) => format,
        None => format_of(&mut file, input)?,
    };
    if args.new
        && let Ok(made) = std::fs::metadata(out)
        && made.modified()? == modified
    {
        return Ok(Look { bytes, modified, found: Found::Known(format) });
    }
    ensure!(
        format != Format::Pcap || args.neighbours.ingress_as.is_some(),
        "`{}` is a capture, which does not say through which AS its packets came: name it with --ingress-as ASN (0: \
         they come from inside), or --format exports-in-pcap if it holds flow exports",
        input.display()
    );
    Ok(Look { bytes, modified, found: Found::Format(format) })
}

fn open(input: &Path) -> Result<File> {
    File::open(input).with_context(|| format!("cannot read `{}`", input.display()))
}

/// A folder is one dataset, so the files of a command must have one schema, and none may overwrite another.
fn one_schema(jobs: &[Job<'_>]) -> Result<Option<&'static str>> {
    let mut schemas: BTreeMap<&'static str, &Path> = BTreeMap::new();
    let mut names = BTreeMap::new();
    for job in jobs.iter().filter(|job| !matches!(job.found, Found::Refused(_))) {
        if let Some(other) = names.insert(&job.out, job.input) {
            let (one, two) = (other.display(), job.input.display());
            bail!("`{one}` and `{two}` have one name; import them into folders of their own");
        }
        if let Found::Format(format) = job.found {
            schemas.entry(format.schema()).or_insert(job.input);
        }
    }
    if schemas.len() > 1 {
        let found: Vec<_> = schemas.iter().map(|(schema, path)| format!("`{}` is {schema}", path.display())).collect();
        bail!("a folder holds rows of one schema, but {}; import them into folders of their own", found.join(", "));
    }
    Ok(schemas.into_keys().next())
}

fn no_name(input: &Path) -> anyhow::Error {
    anyhow!("`{}` has no file name", input.display())
}

/// Refuses a folder that holds rows of another schema: a gateway would read all of its files as one dataset.
fn fits_folder(out: &Path, jobs: &[Job<'_>]) -> Result<()> {
    let Some(format) = jobs.iter().find_map(|job| if let Found::Format(f) = job.found { Some(f) } else { None }) else {
        return Ok(());
    };
    let wanted = schema_of(format);
    let Ok(entries) = std::fs::read_dir(out) else { return Ok(()) };
    let parquet = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "parquet") && path.is_file();
    // One file stands for all: every import looks.
    let Some(file) = entries.flatten().map(|entry| entry.path()).find(parquet) else { return Ok(()) };
    let Ok(reader) = ParquetRecordBatchReaderBuilder::try_new(open(&file)?) else { return Ok(()) };
    let names = |schema: &Schema| schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    ensure!(
        names(reader.schema()) == names(&wanted),
        "`{}` has other columns than {}; a folder holds rows of one schema: import into one of its own",
        file.display(),
        format.schema()
    );
    Ok(())
}

/// Learns the templates of all files of exports, so that it does not matter in which file one is.
fn learn(ui: Ui, importer: &mut Importer, jobs: &[Job<'_>]) {
    let exports = |format| matches!(format, Format::Exports | Format::ExportsInPcap);
    let templates = |job: &&Job<'_>| matches!(job.found, Found::Format(f) | Found::Known(f) if exports(f));
    let bar = ui.bytes("looking for templates", jobs.iter().filter(templates).map(|job| job.bytes).sum());
    let mut before = 0;
    for job in jobs.iter().filter(templates) {
        let (Found::Format(format) | Found::Known(format)) = job.found else { continue };
        let mut progress = |bytes: u64| bar.at(before + bytes);
        let learned =
            open(job.input).and_then(|mut input| Ok(importer.learn(&mut input, job.input, format, &mut progress)?));
        if let Err(error) = learned {
            tracing::debug!(file = %job.input.display(), %error, "templates are known up to the damage");
        }
        before += job.bytes;
    }
    bar.end();
}

fn import(importer: &mut Importer, job: Job<'_>, bar: &Progress, before: u64) -> Outcome {
    let format = match job.found {
        Found::Format(format) => format,
        Found::Known(_) => return Outcome::Known,
        Found::Refused(error) => return Outcome::Refused(error),
    };
    let job = Job { found: Found::Format(format), ..job };
    let mut progress = |bytes: u64| bar.at(before + bytes);
    match store(importer, &job, format, &mut progress) {
        Ok((report, out)) => Outcome::Read(report, out),
        Err(error) => Outcome::Refused(error),
    }
}

fn store(
    importer: &mut Importer,
    job: &Job<'_>,
    format: Format,
    progress: &mut dyn FnMut(u64),
) -> Result<(FileReport, Option<PathBuf>)> {
    let mut file = open(job.input)?;
    let mut sink = ParquetSink::create(&job.out, schema_of(format))?;
    match importer.read(&mut file, job.input, format, &mut sink, progress) {
        Ok(report) if report.rows == 0 => {
            sink.abandon();
            forget(&job.out)?;
            Ok((report, None))
        }
        Ok(report) => {
            sink.finish(job.modified)?;
            Ok((report, Some(job.out.clone())))
        }
        // The writer knows better than the decoder why rows could not be stored.
        Err(error @ iog_import::ImportError::Sink(_)) => {
            Err(sink.finish(job.modified).err().unwrap_or_else(|| error.into()))
        }
        Err(error) => {
            sink.abandon();
            let before = job.out.exists();
            let error = anyhow::Error::from(error);
            Err(if before { anyhow!("{error:#}; what an earlier import made of it stays") } else { error })
        }
    }
}

/// Removes what an earlier import made of a file that has no rows now.
fn forget(out: &Path) -> Result<()> {
    match std::fs::remove_file(out) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove `{}`, which is out of date", out.display()))
        }
        _ => Ok(()),
    }
}

fn report(ui: Ui, schema: Option<&'static str>, done: &[(&Path, Outcome)]) -> ExitCode {
    let count = |wanted: fn(&Outcome) -> bool| done.iter().filter(|(_, outcome)| wanted(outcome)).count();
    let refused = count(|outcome| matches!(outcome, Outcome::Refused(_)));
    let known = count(|outcome| matches!(outcome, Outcome::Known));
    let rows: u64 =
        done.iter().map(|(_, outcome)| if let Outcome::Read(read, _) = outcome { read.rows } else { 0 }).sum();
    let lines: Vec<_> = done.iter().filter_map(|(input, outcome)| line(input, outcome)).collect();
    ui.table(&["file", "format", "rows", "read", "skipped"], &lines);
    for (input, outcome) in done {
        if let Outcome::Refused(error) = outcome {
            let (text, name) = (format!("{error:#}"), input.display().to_string());
            let named = if text.contains(&name) { text } else { format!("`{name}`: {text}") };
            ui.line(Text::toned(Tone::Bad, "refused").then(format!(" {named}")));
        }
    }
    let unknown = Skip::Incomplete("ingress_as".to_owned());
    if done.iter().any(|(_, outcome)| matches!(outcome, Outcome::Read(read, _) if read.skipped.contains_key(&unknown)))
    {
        ui.line(Text::toned(Tone::Warn, NEIGHBOURS_HINT));
    }
    let shown = schema.map(|schema| format!(" of {schema}")).unwrap_or_default();
    let known_too = if known > 0 { format!(", {known} were imported before") } else { String::new() };
    let (rows_too, files) = (counted(rows, "row", "rows"), counted(lines.len() as u64, "file", "files"));
    ui.line(format!("{rows_too}{shown} from {files}{known_too}, {refused} refused"));
    let files: Vec<Value> = done.iter().map(|(input, outcome)| object(input, outcome)).collect();
    ui.object(&json!({"schema": schema, "rows": rows, "refused": refused, "files": files}));
    match count(gave_nothing) {
        0 => ExitCode::SUCCESS,
        all if all == done.len() => ExitCode::FAILURE,
        _ => ExitCode::from(PARTLY),
    }
}

/// Whether there was something in the file, and nothing of it could be used.
fn gave_nothing(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Read(report, _) => report.gave_nothing(),
        Outcome::Known => false,
        Outcome::Refused(_) => true,
    }
}

fn line(input: &Path, outcome: &Outcome) -> Option<Vec<Text>> {
    let Outcome::Read(report, _) = outcome else { return None };
    let skipped: Vec<String> = report.skipped.iter().map(|(why, n)| skipped(why, *n)).collect();
    let skipped = if skipped.is_empty() { Text::toned(Tone::Faint, "nothing") } else { skipped.join("; ").into() };
    let name = input.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (rows, bytes) = (grouped(report.rows), size(report.bytes));
    Some(vec![name.into(), (&report.format).into(), rows.into(), bytes.into(), skipped])
}

/// How many records gave no row, and why; reasons are worded for many.
fn skipped(why: &Skip, number: u64) -> String {
    let why = why.to_string();
    let (first, rest) = why.split_once(' ').unwrap_or((&why, ""));
    match first.strip_suffix('s').filter(|_| number == 1 && COUNTED.contains(&first)) {
        Some(one) => format!("1 {one} {rest}"),
        None => format!("{} {why}", grouped(number)),
    }
}

/// What reasons count, in their words.
const COUNTED: [&str; 8] = ["records", "bytes", "packets", "flows", "messages", "values", "elements", "headers"];

fn object(input: &Path, outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Read(report, out) => {
            let mut object = json!(report);
            object["out"] = json!(out.as_ref().map(|out| out.to_string_lossy()));
            object
        }
        Outcome::Known => json!({"path": input.to_string_lossy(), "known": true}),
        Outcome::Refused(error) => json!({"path": input.to_string_lossy(), "refused": format!("{error:#}")}),
    }
}
