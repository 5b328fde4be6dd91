//! `iog data describe`: a dataset as its owner sees it, and what callers learn of it.

use std::process::ExitCode;

use anyhow::Result;
use iog_data::{Report, Snapshot};
use iog_gateway::background::publish::public;
use iog_gateway::config::DatasetConfig;
use iog_gateway::datasets::Bound;
use iog_machine::error::chain;
use iog_module::ModuleRef;
use iog_protocol::ids::{DatasetName, Digest};
use iog_protocol::schemas::{self, Column};
use serde_json::{Value, json};

use super::check::{checked, moment, print_doubts};
use super::opened::{Read, chosen, load, read};
use super::readers::{Reader, readers};
use crate::args::DatasetArgs;
use crate::link::now;
use crate::ui::{Text, Tone, Ui, counted, grouped, size};

pub(super) fn run(ui: Ui, args: &DatasetArgs) -> Result<ExitCode> {
    let config = load(&args.config)?;
    let chosen = chosen(&config, args)?;
    let (mut good, mut objects) = (true, Vec::new());
    for (name, dataset) in chosen {
        let readers = readers(&config, name, now());
        let read = read(ui, name, dataset)?;
        good &= read.is_ok();
        print(ui, name, dataset, &read, &readers);
        objects.push(described(name, dataset, &read, &readers));
    }
    ui.object(&json!({"datasets": objects}));
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(ui: Ui, name: &DatasetName, config: &DatasetConfig, read: &Read, readers: &[Reader]) {
    ui.title(&format!("{name} ({}, {}, class {})", config.schema, config.format.name(), config.class));
    let (bound, report) = match read {
        Ok(read) => read,
        Err(error) => {
            ui.line(Text::from("  ").then(Text::toned(Tone::Bad, "does not fit:")).then(format!(" {}", chain(error))));
            return;
        }
    };
    let snapshot = snapshot(bound, report);
    ui.line(format!("  rows      {}", grouped(report.rows)));
    if snapshot.stored_bytes > 0 {
        let files = if report.files > 1 { format!(" in {} files", report.files) } else { String::new() };
        ui.line(format!("  stored    {}{files}", size(snapshot.stored_bytes)));
    }
    ui.line(format!("  snapshot  {}", Digest::from_bytes(snapshot.digest)));
    for (column, span) in &report.spans {
        ui.line(format!("  {column:<8}  {} to {}", moment(span.0), moment(span.1)));
    }
    print_doubts(ui, config, report);
    let rows: Vec<Vec<String>> = columns(config).map(|column| row(column, report)).collect();
    ui.table(&["column", "type", "unit", "nulls", "meaning"], &rows);
    if readers.is_empty() {
        ui.line("  no service reads it: callers see nothing of it");
    }
    for reader in readers {
        print_reader(ui, config, reader, bound);
    }
}

/// What the callers of one service learn.
fn print_reader(ui: Ui, config: &DatasetConfig, reader: &Reader, bound: &Bound) {
    let callers = if reader.callers.is_empty() { "nobody".to_owned() } else { reader.callers.join(", ") };
    let seen = public(reader.slot.clone(), &config.schema, config.class, bound.data.snapshot().rows);
    let said = seen.rows.map_or("no number of rows".to_owned(), |rows| counted(rows, "row", "rows"));
    ui.line(format!("  service {} ({}), for {callers}", reader.service, module(reader)));
    ui.line(format!("    the catalog says: slot {}, schema {}, class {}, {said}", seen.slot, seen.schema, seen.class));
    match &reader.columns {
        Ok(read) => ui.line(format!("    its module reads: {}", read.iter().cloned().collect::<Vec<_>>().join(", "))),
        Err(problem) => ui.line(format!("    what its module reads is not known here: {problem}")),
    }
}

/// What was read: of a database its state then, of files what was opened.
fn snapshot<'a>(bound: &'a Bound, report: &'a Report) -> &'a Snapshot {
    report.snapshot.as_ref().unwrap_or_else(|| bound.data.snapshot())
}

fn row(column: &Column, report: &Report) -> Vec<String> {
    let nulls = report.nulls.get(column.name).copied().unwrap_or(0);
    let nulls = if nulls == report.rows && nulls > 0 { "all".to_owned() } else { grouped(nulls) };
    let ty = format!("{:?}", column.ty).to_lowercase();
    vec![column.name.to_owned(), ty, column.unit.to_owned(), nulls, column.meaning.to_owned()]
}

fn columns(config: &DatasetConfig) -> impl Iterator<Item = &'static Column> {
    schemas::schema(&config.schema).into_iter().flat_map(|schema| schema.columns)
}

fn module(reader: &Reader) -> String {
    match &reader.module {
        ModuleRef::Release(name, version) => format!("{name}@{version}"),
        ModuleRef::Digest(digest) => digest.to_string(),
    }
}

fn described(name: &DatasetName, config: &DatasetConfig, read: &Read, readers: &[Reader]) -> Value {
    let mut object = checked(name, config, read);
    object["class"] = json!(config.class);
    object["format"] = json!(config.format.name());
    if let Ok((bound, report)) = read {
        let snapshot = snapshot(bound, report);
        object["snapshot"] = json!(Digest::from_bytes(snapshot.digest));
        object["stored_bytes"] = json!(snapshot.stored_bytes);
        object["services"] = readers.iter().map(|reader| reader_object(config, reader, bound)).collect();
    }
    object
}

fn reader_object(config: &DatasetConfig, reader: &Reader, bound: &Bound) -> Value {
    json!({
        "service": reader.service,
        "module": module(reader),
        "callers": reader.callers,
        "catalog": public(reader.slot.clone(), &config.schema, config.class, bound.data.snapshot().rows),
        "columns": reader.columns.as_ref().ok(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::super::opened::tests::{GOOD, configured};
    use super::*;

    #[test]
    fn what_fits_is_counted_and_described() {
        let folder = tempfile::tempdir().unwrap();
        let args = configured(folder.path(), GOOD);
        let config = load(&args.config).unwrap();
        let (name, dataset) = chosen(&config, &args).unwrap().pop_first().unwrap();
        let object = described(name, dataset, &read(Ui::new(true), name, dataset).unwrap(), &[]);
        assert_eq!(object["rows"], 1);
        assert_eq!(object["spans"]["start"][0], 1_800_000_000_000_000i64);
        assert_eq!(check::run(Ui::new(true), &args).unwrap(), ExitCode::SUCCESS);
        assert_eq!(run(Ui::new(true), &args).unwrap(), ExitCode::SUCCESS);
        let other = DatasetArgs { dataset: Some("bordr".into()), config: args.config };
        let error = check::run(Ui::new(true), &other).unwrap_err().to_string();
        assert_eq!(error, "there is no dataset `bordr`; the datasets are `border`");
    }
}
