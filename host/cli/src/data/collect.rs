//! What both collectors have in common: when to stop, what to say, and where files go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, anyhow};
use arrow_schema::SchemaRef;
use iog_machine::{Entropy as _, OsEntropy};
use serde_json::json;

use super::rotate::{Finished, RotatingSink, Rotation};
use crate::args::CollectArgs;
use crate::link::now;
use crate::signals;
use crate::ui::{Ui, grouped};

/// Set when the operator ends the collector.
#[derive(Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// A flag that SIGINT and SIGTERM set.
    pub(super) fn at_signal() -> Result<Self> {
        let stop = Self::default();
        let set = stop.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot wait for signals")?;
        std::thread::spawn(move || {
            runtime.block_on(signals::interrupted());
            set.set();
        });
        Ok(stop)
    }

    pub(super) fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Starts the writer of a collector's files, which says every file that it finished.
pub(super) fn writer(
    ui: Ui,
    args: &CollectArgs,
    prefix: &'static str,
    schema: SchemaRef,
) -> Result<(RotatingSink, impl FnOnce() -> Result<()> + use<>)> {
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make `{}`", args.out.display()))?;
    let (every_s, keep_days) = (i64::from(args.every), args.keep);
    let mut token = [0; 4];
    OsEntropy.fill(&mut token)?;
    let token = u32::from_be_bytes(token);
    let rotation = Rotation { out: args.out.clone(), prefix, token, schema, every_s, keep_days, clock: now };
    let (sink, thread) = rotation.start(move |finished| tell(ui, finished));
    let end = move || thread.join().map_err(|_| anyhow!("the writer of Parquet broke down"))?;
    Ok((sink, end))
}

fn tell(ui: Ui, finished: &Finished) {
    let path = finished.path.display();
    ui.line(format!("{} rows in {path}", grouped(finished.rows)));
    ui.object(&json!({"file": finished.path.to_string_lossy(), "rows": finished.rows}));
}
