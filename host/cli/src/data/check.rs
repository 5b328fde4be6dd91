//! `iog data check`: reads every row of the datasets and says what does not fit.

use std::process::ExitCode;

use anyhow::Result;
use iog_data::DataError;
use iog_gateway::config::DatasetConfig;
use iog_machine::error::chain;
use iog_protocol::ids::DatasetName;
use serde_json::{Value, json};

use super::opened::{Read, chosen, load, read};
use crate::args::DatasetArgs;
use crate::ui::{Text, Tone, Ui, grouped};

pub(super) fn run(ui: Ui, args: &DatasetArgs) -> Result<ExitCode> {
    let config = load(&args.config)?;
    let chosen = chosen(&config, args)?;
    let (mut good, mut objects) = (true, Vec::new());
    for (name, dataset) in chosen {
        let read = read(ui, name, dataset)?;
        match &read {
            Ok((_, report)) => {
                let rows = format!("{} rows", grouped(report.rows));
                let files = if report.files > 1 { format!(" in {} files", report.files) } else { String::new() };
                let fits = format!(" {name}: {rows}{files} fit `{}`", dataset.schema);
                ui.line(Text::toned(Tone::Good, "ok").then(fits));
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
