//! The provider's datasets: opened when a service needs them first, and again when they cannot be used as they are, for they
//! are other files, files came or went, a database cannot be reached or has other columns. No dataset waits for another, and
//! none is waited for longer than its time.

mod bound;
mod kept;
mod open;

use std::collections::BTreeMap;
use std::time::Duration;

use iog_protocol::ids::DatasetName;

pub use bound::Bound;
pub use open::{open_one, table};

use crate::config::DatasetConfig;
use kept::Kept;

/// How long a service waits for a dataset until it says that it has none: longer than a database may take to be opened, which
/// then says itself what it lacks. What takes longer is a folder that is hashed for the first time, or a file system that does
/// not answer; it goes on, and the service asks again at its next round.
const LOOKED_WALL: Duration = Duration::from_secs(120);

/// All datasets of a gateway.
#[derive(Debug)]
pub(crate) struct Datasets {
    by_name: BTreeMap<DatasetName, Kept>,
}

impl Datasets {
    /// What is configured; nothing is opened yet.
    pub(crate) fn new(configured: &BTreeMap<DatasetName, DatasetConfig>) -> Self {
        let kept =
            |(name, config): (&DatasetName, &DatasetConfig)| (name.clone(), Kept::new(name.clone(), config.clone()));
        Self { by_name: configured.iter().map(kept).collect() }
    }

    /// The dataset as it is now: opened if it is not open or has changed. Nothing where it cannot be used or takes too long;
    /// the reason is in the operator's log.
    pub(crate) async fn usable(&self, name: &DatasetName) -> Option<Bound> {
        match tokio::time::timeout(LOOKED_WALL, self.by_name.get(name)?.look()).await {
            Ok(looked) => looked.ok(),
            Err(_) => {
                tracing::warn!(dataset = %name, limit = ?LOOKED_WALL, "dataset is still being opened; its services wait no longer");
                None
            }
        }
    }

    /// Why datasets that services need cannot be used, for the operator.
    pub(crate) fn problems(&self) -> Vec<(DatasetName, String)> {
        let problem = |(name, kept): (&DatasetName, &Kept)| Some((name.clone(), kept.problem()?.to_string()));
        self.by_name.iter().filter_map(problem).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use iog_data::{ColumnSpec, ColumnType, parse_address};
    use iog_protocol::schemas;

    use super::*;
    use crate::config::{self, DatasetConfig, DatasetFormat};
    use crate::testkit;

    #[tokio::test]
    async fn every_file_of_a_pattern_is_watched() {
        let folder = tempfile::tempdir().unwrap();
        let name: DatasetName = "border".parse().unwrap();
        let config = config::DatasetConfig { path: folder.path().join("*.csv"), ..testkit::dataset(folder.path()) };
        let configured = BTreeMap::from([(name.clone(), config)]);
        let datasets = Datasets::new(&configured);
        let first = datasets.usable(&name).await.unwrap().data;
        assert!(Arc::ptr_eq(&first, &datasets.usable(&name).await.unwrap().data), "nothing has changed");
        let longer = testkit::FLOWS.to_owned() + "1800000006,1800000007,198.51.100.4,192.0.2.1,17,9,900,64504\n";
        std::fs::write(folder.path().join("flows.csv"), longer).unwrap();
        let second = datasets.usable(&name).await.unwrap().data;
        assert!(!Arc::ptr_eq(&first, &second), "a file was changed in place, which its folder does not show");
        std::fs::write(folder.path().join("more.csv"), testkit::FLOWS).unwrap();
        assert!(!Arc::ptr_eq(&second, &datasets.usable(&name).await.unwrap().data), "a file came");
    }

    /// Writes `rows` flows of `flow/1` to a Parquet file.
    fn write(path: &std::path::Path, rows: usize) {
        use arrow_array::{ArrayRef, FixedSizeBinaryArray, Int64Array, RecordBatch, UInt64Array};
        let schema = table(schemas::schema("flow/1").unwrap());
        let one = |column: &ColumnSpec| -> ArrayRef {
            match column.ty {
                ColumnType::Timestamp => Arc::new(Int64Array::from(vec![1_800_000_000_000_000; rows])),
                ColumnType::Address => {
                    let address = parse_address("192.0.2.1").unwrap();
                    Arc::new(FixedSizeBinaryArray::try_from_iter(std::iter::repeat_n(address, rows)).unwrap())
                }
                _ => Arc::new(UInt64Array::from(vec![1; rows])),
            }
        };
        let batch = RecordBatch::try_new(schema.arrow(), schema.columns.iter().map(one).collect()).unwrap();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        iog_data::write_parquet(path, schema.arrow(), &[batch]).unwrap();
    }

    #[tokio::test]
    async fn a_folder_that_grows_is_opened_again_and_else_kept() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("flows/day=1/a.parquet"), 3);
        let folder = dir.path().join("flows");
        let config = DatasetConfig::file("flow/1", folder, DatasetFormat::Parquet, config::TimestampUnit::Micros);
        let name: DatasetName = "border".parse().unwrap();
        let configured = BTreeMap::from([(name.clone(), config)]);
        let datasets = Datasets::new(&configured);
        let first = datasets.usable(&name).await.unwrap();
        assert_eq!(first.data.snapshot().rows, Some(3));
        assert!(Arc::ptr_eq(&first.data, &datasets.usable(&name).await.unwrap().data));
        write(&dir.path().join("flows/day=2/deeper/b.parquet"), 4);
        let grown = datasets.usable(&name).await.unwrap();
        assert_eq!(grown.data.snapshot().rows, Some(7));
        assert_ne!(grown.snapshot(), first.snapshot());
        std::fs::remove_dir_all(dir.path().join("flows")).unwrap();
        assert!(datasets.usable(&name).await.is_none());
        assert!(datasets.problems()[0].1.contains("flows"), "{:?}", datasets.problems());
    }

    #[tokio::test]
    async fn what_hangs_hangs_once_and_holds_up_nothing_else() {
        let (silent, good): (DatasetName, DatasetName) = ("silent".parse().unwrap(), "good".parse().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://iog@{}/iog", listener.local_addr().unwrap());
        let mut config = testkit::dataset(folder.path());
        let configured_good = config.clone();
        (config.format, config.path, config.table) = (DatasetFormat::Postgres, "".into(), Some("flows".into()));
        config.url = Some(toml::Value::from(url).try_into().unwrap());
        let datasets = Datasets::new(&BTreeMap::from([(silent.clone(), config), (good.clone(), configured_good)]));
        assert!(datasets.problems().is_empty(), "nobody has needed them");
        let wait = Duration::from_millis(300);
        for _ in 0..3 {
            assert!(tokio::time::timeout(wait, datasets.usable(&silent)).await.is_err(), "it hangs");
        }
        assert_eq!(datasets.problems(), [(silent, "it is still being opened".to_owned())]);
        assert!(datasets.usable(&good).await.is_some());
        let connections = async {
            let mut accepted = 0;
            while tokio::time::timeout(wait, listener.accept()).await.is_ok() {
                accepted += 1;
            }
            accepted
        };
        assert_eq!(connections.await, 1, "who asks again joins who waits");
    }
}
