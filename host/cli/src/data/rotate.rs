//! The files of a collector: rows go into one Parquet file at a time, which is finished and named after a while, so that
//! a gateway that reads the folder finds whole files only. The clock is passed in.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use iog_data::{ParquetFileWriter, sync_folder};
use iog_import::columns::Sink;
use iog_protocol::time::Timestamp;

use super::files::QUEUE_BATCHES;

/// Rows after which a file is finished early: a few hundred megabytes, which is still read quickly.
const FILE_ROWS_MAX: u64 = 8_000_000;

/// How often the writer looks at the clock when nothing comes.
const LOOK: Duration = Duration::from_millis(200);

/// Seconds of a day.
const DAY_S: i64 = 86_400;

/// How the files of a collector are made.
pub(super) struct Rotation {
    /// Folder; the files lie in `day=<date>` under it.
    pub(super) out: PathBuf,
    /// First part of their names.
    pub(super) prefix: &'static str,
    /// Tells this collector's files from those of others in the same folder; random.
    pub(super) token: u32,
    /// Schema of the rows.
    pub(super) schema: SchemaRef,
    /// Seconds after which a file is finished.
    pub(super) every_s: i64,
    /// Days after which files are removed.
    pub(super) keep_days: Option<u32>,
    /// The time.
    pub(super) clock: fn() -> Timestamp,
}

/// A file that was finished.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) path: PathBuf,
    pub(super) rows: u64,
}

/// Hands batches to the writer; when the queue is full it waits.
#[derive(Clone)]
pub(super) struct RotatingSink {
    queue: SyncSender<RecordBatch>,
    ended: Arc<AtomicBool>,
}

impl RotatingSink {
    /// Whether the writer has failed: nothing can be stored any more, and it says why when it is waited for.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }
}

impl Sink for RotatingSink {
    fn batch(&mut self, batch: RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.queue.send(batch).map_err(|_| "the Parquet files cannot be written".into())
    }
}

impl Rotation {
    /// Starts the writer. It ends when the last sink is dropped, after it finished its file; `told` hears of every file.
    pub(super) fn start(self, told: impl FnMut(&Finished) + Send + 'static) -> (RotatingSink, JoinHandle<Result<()>>) {
        let (queue, batches) = sync_channel(QUEUE_BATCHES);
        let ended = Arc::new(AtomicBool::new(false));
        let sink = RotatingSink { queue, ended: Arc::clone(&ended) };
        let writer = std::thread::spawn(move || {
            let written = Writer { rotation: self, told, open: None }.run(&batches);
            ended.store(true, Ordering::SeqCst);
            written
        });
        (sink, writer)
    }

    /// A name that is not taken, in the folder of the day.
    fn name(&self, now: Timestamp) -> Result<PathBuf> {
        let text = now.rfc3339();
        let folder = self.out.join(format!("day={}", &text[..10]));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
        sync_folder(&folder)?;
        let time: String = text.chars().filter(|c| !matches!(c, '-' | ':')).collect();
        let path = |number: u32| folder.join(format!("{}-{time}-{:08x}-{number}.parquet", self.prefix, self.token));
        Ok((0..).map(path).find(|path| !path.exists()).expect("a folder has fewer files than numbers"))
    }

    /// Removes files of collectors of this kind in folders of days that are no longer kept. What cannot be removed is
    /// logged and tried again: that is not a reason to stop collecting.
    fn prune(&self, now: Timestamp) {
        let Some(days) = self.keep_days else { return };
        let oldest = Timestamp::from_unix(now.unix() - i64::from(days) * DAY_S).rfc3339();
        let Ok(entries) = std::fs::read_dir(&self.out) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let day = name.to_str().and_then(|name| name.strip_prefix("day=")).filter(|day| day.len() == 10);
            if day.is_some_and(|day| day < &oldest[..10]) {
                self.remove(&entry.path());
            }
        }
    }

    fn remove(&self, folder: &Path) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let ours = name.starts_with(&format!("{}-", self.prefix)) && name.ends_with(".parquet");
            if ours && let Err(error) = std::fs::remove_file(entry.path()) {
                tracing::error!(file = %entry.path().display(), %error, "an old file cannot be removed");
            }
        }
        // A folder in which there is something else stays.
        let _ = std::fs::remove_dir(folder);
    }
}

/// The file being written.
struct Open {
    file: ParquetFileWriter,
    path: PathBuf,
    since: Timestamp,
    rows: u64,
}

struct Writer<F> {
    rotation: Rotation,
    told: F,
    open: Option<Open>,
}

impl<F: FnMut(&Finished)> Writer<F> {
    fn run(mut self, batches: &Receiver<RecordBatch>) -> Result<()> {
        loop {
            match batches.recv_timeout(LOOK) {
                Ok(batch) => self.write(&batch)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.finish(),
            }
            let now = (self.rotation.clock)();
            if self.open.as_ref().is_some_and(|open| self.is_due(open, now)) {
                self.finish()?;
            }
        }
    }

    /// Whether the file has had its time or rows, or the clock was set back.
    fn is_due(&self, open: &Open, now: Timestamp) -> bool {
        let age = now.unix() - open.since.unix();
        age >= self.rotation.every_s || age < 0 || open.rows >= FILE_ROWS_MAX
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin()?,
        };
        open.file.write(batch)?;
        open.rows += batch.num_rows() as u64;
        self.open = Some(open);
        Ok(())
    }

    fn begin(&self) -> Result<Open> {
        let since = (self.rotation.clock)();
        let path = self.rotation.name(since)?;
        let file = ParquetFileWriter::create(&path, SchemaRef::clone(&self.rotation.schema))?;
        Ok(Open { file, path, since, rows: 0 })
    }

    fn finish(&mut self) -> Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let rows = open.file.finish()?;
        self.rotation.prune((self.rotation.clock)());
        (self.told)(&Finished { path: open.path, rows });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;
    use std::sync::mpsc::channel;

    use arrow_array::Int64Array;
    use arrow_schema::{DataType, Field, Schema};

    use super::*;

    static NOW: AtomicI64 = AtomicI64::new(1_800_000_000);

    fn clock() -> Timestamp {
        Timestamp::from_unix(NOW.load(Ordering::SeqCst))
    }

    #[test]
    fn files_are_finished_after_their_time_and_old_ones_removed() {
        let dir = tempfile::tempdir().unwrap();
        let old = dir.path().join("day=2026-12-30");
        std::fs::create_dir_all(&old).unwrap();
        std::fs::write(old.join("flows-20261230T000000Z-0.parquet"), b"x").unwrap();
        std::fs::write(old.join("notes.txt"), b"x").unwrap();
        std::fs::write(dir.path().join("day=2026-01-01"), b"a file where a folder is expected").unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        let rotation = Rotation {
            out: dir.path().to_owned(),
            prefix: "flows",
            token: 0xc0ffee,
            schema: SchemaRef::clone(&schema),
            every_s: 60,
            keep_days: Some(7),
            clock,
        };
        let (tell, told) = channel();
        let (mut sink, writer) =
            rotation.start(move |finished| tell.send((finished.path.clone(), finished.rows)).unwrap());
        let batch =
            |rows| RecordBatch::try_new(SchemaRef::clone(&schema), vec![Arc::new(Int64Array::from(vec![7; rows]))]);
        sink.batch(batch(2).unwrap()).unwrap();
        sink.batch(batch(3).unwrap()).unwrap();
        assert!(told.recv_timeout(Duration::from_millis(600)).is_err(), "the minute is not over");
        NOW.fetch_add(60, Ordering::SeqCst);
        let (first, rows) = told.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(rows, 5);
        assert!(first.ends_with("day=2027-01-15/flows-20270115T080000Z-00c0ffee-0.parquet"), "{}", first.display());
        assert!(old.join("notes.txt").exists(), "what is not the collector's stays");
        assert!(!old.join("flows-20261230T000000Z-0.parquet").exists());
        sink.batch(batch(1).unwrap()).unwrap();
        drop(sink);
        writer.join().unwrap().unwrap();
        assert_eq!(told.recv().unwrap().1, 1);
        let names = std::fs::read_dir(dir.path().join("day=2027-01-15")).unwrap().count();
        assert_eq!(names, 2, "both files, and nothing unfinished");
    }
}
