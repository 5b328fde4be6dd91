//! Parquet files written beside the decoder: batches go through a short queue to a thread that encodes and stores them.
//! A file appears under its name only when it is finished; one that is given up leaves nothing.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::SystemTime;

use anyhow::{Context as _, Result, anyhow};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use iog_data::{DataError, ParquetFileWriter};
use iog_import::columns::Sink;

/// Batches that wait to be written; each is about two megabytes.
pub(super) const QUEUE_BATCHES: usize = 4;

/// One file being written.
pub(super) struct ParquetSink {
    queue: SyncSender<Message>,
    writer: JoinHandle<Result<Option<u64>, DataError>>,
}

enum Message {
    Batch(RecordBatch),
    /// Finish the file, with this time of change.
    Finish(SystemTime),
}

impl ParquetSink {
    /// Starts the file that will be `path`.
    pub(super) fn create(path: &Path, schema: SchemaRef) -> Result<Self> {
        let file = ParquetFileWriter::create(path, schema)?;
        let (queue, messages) = sync_channel(QUEUE_BATCHES);
        Ok(Self { queue, writer: std::thread::spawn(move || write(file, &messages)) })
    }

    /// Ends the file, gives it its name and `modified` as its time of change; tells the rows.
    pub(super) fn finish(self, modified: SystemTime) -> Result<u64> {
        // A writer that has failed no longer listens; it says why when it is joined.
        let _ = self.queue.send(Message::Finish(modified));
        drop(self.queue);
        let rows = self.writer.join().map_err(|_| anyhow!("the writer of Parquet broke down"))??;
        rows.context("the writer of Parquet ended early")
    }

    /// Gives the file up.
    pub(super) fn abandon(self) {
        drop(self.queue);
        // Whether it failed before does not matter now.
        let _ = self.writer.join();
    }
}

impl Sink for ParquetSink {
    fn batch(&mut self, batch: RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.queue.send(Message::Batch(batch)).map_err(|_| "the Parquet file cannot be written".into())
    }
}

/// Writes until the file is finished, or until nobody sends any more: then it is dropped unfinished.
fn write(mut file: ParquetFileWriter, messages: &Receiver<Message>) -> Result<Option<u64>, DataError> {
    while let Ok(message) = messages.recv() {
        match message {
            Message::Batch(batch) => file.write(&batch)?,
            Message::Finish(modified) => return file.finish_as_of(modified).map(Some),
        }
    }
    Ok(None)
}

/// The Parquet file of an input, in the folder `out`; none for a path without a file name.
pub(super) fn target(out: &Path, input: &Path) -> Option<PathBuf> {
    let mut name = input.file_name()?.to_owned();
    name.push(".parquet");
    Some(out.join(name))
}
