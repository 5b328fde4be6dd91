//! `iog data check`: reads every row of the datasets and says what does not fit.

use std::process::ExitCode;

use anyhow::Result;
use iog_data::{DataError, Report};
use iog_gateway::config::DatasetConfig;
use iog_machine::error::chain;
use iog_protocol::ids::DatasetName;
use iog_protocol::time::Timestamp;
use serde_json::{Value, json};

use super::opened::{Read, chosen, load, read};
use crate::args::DatasetArgs;
use crate::ui::{Text, Tone, Ui, counted};

pub(super) fn run(ui: Ui, args: &DatasetArgs) -> Result<ExitCode> {
    let config = load(&args.config)?;
    let chosen = chosen(&config, args)?;
    let (mut good, mut objects) = (true, Vec::new());
    for (name, dataset) in chosen {
        let read = read(ui, name, dataset)?;
        match &read {
            Ok((_, report)) => {
                let rows = counted(report.rows, "row", "rows");
                let files = if report.files > 1 { format!(" in {} files", report.files) } else { String::new() };
                let fit = if report.rows == 1 { "fits" } else { "fit" };
                ui.line(
                    Text::toned(Tone::Good, "ok").then(format!(" {name}: {rows}{files} {fit} `{}`", dataset.schema)),
                );
                print_doubts(ui, dataset, report);
            }
            Err(error) => {
                good = false;
                ui.line(Text::toned(Tone::Bad, "does not fit").then(format!(" {name}: {}", chain(error))));
            }
        }
        objects.push(checked(name, dataset, &read));
    }
    ui.object(&json!({"fits": good, "datasets": objects}));
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says of times that fit their column and are most likely counted in another unit.
pub(super) fn print_doubts(ui: Ui, config: &DatasetConfig, report: &Report) {
    for doubt in doubts(config, report) {
        ui.line(Text::from("  ").then(Text::toned(Tone::Warn, &doubt)));
    }
}

/// Times before which no network kept records, and after which none does yet: 1980 and 2100, in microseconds.
const LIKELY_US: std::ops::Range<i64> = 315_532_800_000_000..4_102_444_800_000_000;

/// Columns of which no time, or only some, is of the years in which records are kept.
fn doubts(config: &DatasetConfig, report: &Report) -> Vec<String> {
    let unlikely = report.spans.iter().filter(|(_, span)| !LIKELY_US.contains(&span.0) || !LIKELY_US.contains(&span.1));
    let unit = format!("{:?}", config.timestamp).to_lowercase();
    let told = |(column, span): (&String, &(i64, i64))| {
        format!(
            "`{column}` runs from {} to {}: is `timestamp = \"{unit}\"` the unit of its numbers?",
            moment(span.0),
            moment(span.1)
        )
    };
    unlikely.map(told).collect()
}

pub(super) fn moment(micros: i64) -> String {
    Timestamp::from_unix(micros.div_euclid(1_000_000)).rfc3339()
}

/// What a machine reads of one dataset.
pub(super) fn checked(name: &DatasetName, config: &DatasetConfig, read: &Read) -> Value {
    match read {
        Ok((_, report)) => json!({
            "dataset": name, "schema": config.schema, "fits": true,
            "rows": report.rows, "files": report.files, "nulls": report.nulls, "spans": report.spans,
        }),
        Err(error) => {
            let misfit = match error {
                DataError::Misfit(misfit) => json!({
                    "place": misfit.file, "line": misfit.line, "column": misfit.column,
                    "reason": misfit.reason, "would_fit": misfit.fits,
                }),
                _ => Value::Null,
            };
            let problem = chain(error);
            json!({"dataset": name, "schema": config.schema, "fits": false, "problem": problem, "misfit": misfit})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::opened::tests::{GOOD, configured};
    use super::*;

    #[test]
    fn times_of_1970_are_doubted_and_a_place_to_listen_is_not_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let args = configured(folder.path(), GOOD);
        let text = std::fs::read_to_string(&args.config).unwrap();
        let text = text.replace("listen = \"127.0.0.1:0\"\n", "").replace("\"seconds\"", "\"micros\"");
        std::fs::write(&args.config, text).unwrap();
        let config = load(&args.config).unwrap();
        let (name, dataset) = chosen(&config, &args).unwrap().pop_first().unwrap();
        let (_, report) = read(Ui::new(true), name, dataset).unwrap().unwrap();
        let doubts = doubts(dataset, &report);
        let start = "`start` runs from 1970-01-01T00:30:00Z to 1970-01-01T00:30:00Z: is `timestamp = \"micros\"` the unit of \
                     its numbers?";
        assert_eq!((doubts.len(), doubts[1].as_str()), (2, start));
    }

    #[test]
    fn a_misfit_names_file_line_column_and_reason() {
        let folder = tempfile::tempdir().unwrap();
        let args = configured(folder.path(), &GOOD.replace(",17,", ",udp,"));
        let config = load(&args.config).unwrap();
        let (name, dataset) = chosen(&config, &args).unwrap().pop_first().unwrap();
        let object = checked(name, dataset, &read(Ui::new(true), name, dataset).unwrap());
        assert_eq!(object["fits"], false);
        assert_eq!(object["misfit"]["line"], 2);
        assert_eq!(object["misfit"]["column"], "proto");
        assert!(object["misfit"]["place"].as_str().unwrap().ends_with("flows.csv"));
        assert!(object["problem"].as_str().unwrap().contains("`udp` does not fit"));
        assert_eq!(run(Ui::new(true), &args).unwrap(), ExitCode::FAILURE);
    }
}
