//! What the demo's providers hold: flow logs of yours (`--data`), or generated ones. One file a domain.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use iog_data::write_parquet;

/// Domains a folder may have; more would not fit one machine's demo.
const DOMAINS_MAX: usize = 200;

/// One provider's flows.
#[derive(Debug, Clone)]
pub struct Input {
    /// The provider's AS number.
    pub asn: u32,
    /// Its flow log.
    pub file: PathBuf,
    /// `csv` (times in seconds) or `parquet`.
    pub format: Format,
}

/// How a flow log is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// CSV, gzip or plain, with times in seconds.
    Csv,
    /// Parquet in the schema's own units.
    Parquet,
}

/// The files `as<N>.csv.gz` of a folder, by AS number.
///
/// # Errors
/// When the folder cannot be read or has no such file.
pub fn of_folder(folder: &Path) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read the folder `{}`", folder.display()))? {
        let file = entry.with_context(|| format!("cannot read the folder `{}`", folder.display()))?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let number = name.strip_prefix("as").and_then(|rest| rest.strip_suffix(".csv.gz"));
        if let Some(asn) = number.and_then(|number| number.parse().ok()) {
            inputs.push(Input { asn, file: file.canonicalize().context("a file went away")?, format: Format::Csv });
        }
    }
    if inputs.is_empty() {
        bail!("`{}` has no file named `as<N>.csv.gz`", folder.display());
    }
    ensure!(
        inputs.len() <= DOMAINS_MAX,
        "`{}` has {} domains; the demo takes {DOMAINS_MAX}",
        folder.display(),
        inputs.len()
    );
    inputs.sort_by_key(|input| input.asn);
    Ok(inputs)
}

/// Writes the generated world into `folder`.
///
/// # Errors
/// When a file cannot be written.
pub fn generated(folder: &Path) -> Result<Vec<Input>> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let mut inputs = Vec::new();
    for (asn, batch) in iog_synth::flows().context("the generator's columns do not fit")? {
        let file = folder.join(format!("as{asn}.parquet"));
        write_parquet(&file, batch.schema(), std::slice::from_ref(&batch))
            .with_context(|| format!("cannot write `{}`", file.display()))?;
        inputs.push(Input { asn, file, format: Format::Parquet });
    }
    Ok(inputs)
}
