//! What the cases go through: the tools of a gateway, with children that compile, small limits, and a dataset of each schema.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use iog_data::Engine;
use iog_gateway::config::{Allowance, DatasetConfig, DatasetFormat, LimitsConfig, TimestampUnit};
use iog_gateway::datasets::{Bound, open_one};
use iog_gateway::executor::Executor;
use iog_gateway::prepare::Tools;
use iog_protocol::ids::SlotName;
use iog_protocol::manifest::Manifest;
use iog_protocol::schemas::{ColumnType, SCHEMAS, Schema};
use iog_sandbox::{Compiling, Sandbox, SandboxConfig};
use tempfile::TempDir;

/// Rows of a dataset.
const ROWS: usize = 60;
/// Seconds that a run may take.
pub(crate) const WALL_S: u32 = 2;
/// MiB that a run may have, and its queries.
const MEMORY_MIB: u32 = 16;
/// Fuel of a run: some tenths of a second.
const FUEL: u64 = 200_000_000;
/// After which a child that does nothing is ended.
const COMPILE_WALL: Duration = Duration::from_secs(300);
/// Modules that are kept, so that those of earlier cases are let go of.
pub(crate) const MODULES_MAX: usize = 8;

pub(crate) struct Stage {
    pub(crate) tools: Tools,
    pub(crate) executor: Executor,
    pub(crate) allowance: Allowance,
    datasets: BTreeMap<&'static str, Bound>,
    _folder: TempDir,
}

impl Stage {
    /// A sandbox as a gateway has it, whose children are this program. They are ended by the processor time they use, as a
    /// gateway's are, and not by the clock, since the machine may have other work.
    pub(crate) async fn new() -> Self {
        let config = SandboxConfig {
            runs_max: 4,
            modules_max: MODULES_MAX,
            compile_wall: COMPILE_WALL,
            ..SandboxConfig::default()
        };
        let sandbox = Sandbox::new(&config).unwrap();
        let compiling = sandbox.compiling().await;
        assert!(matches!(compiling, Compiling::Confined(_)), "modules are compiled in children: {compiling}");
        let folder = tempfile::tempdir().unwrap();
        let mut datasets = BTreeMap::new();
        for schema in SCHEMAS {
            let path = folder.path().join(schema.id.replace('/', "-") + ".csv");
            std::fs::write(&path, rows(schema)).unwrap();
            let config = DatasetConfig::file(schema.id, path, DatasetFormat::Csv, TimestampUnit::Seconds);
            datasets.insert(schema.id, open_one(schema.id, &config).await.unwrap());
        }
        let limits =
            LimitsConfig { fuel: Some(FUEL), memory_mib: Some(MEMORY_MIB), wall_s: Some(WALL_S), result_kib: Some(64) };
        Self {
            tools: Tools { sandbox: sandbox.clone(), engine: Engine::new().unwrap() },
            executor: Executor { sandbox, query_memory_bytes: query_memory_bytes() },
            allowance: Allowance { limits, ..Allowance::default() },
            datasets,
            _folder: folder,
        }
    }

    /// A dataset for each slot of a manifest.
    pub(crate) fn bound(&self, manifest: &Manifest) -> BTreeMap<SlotName, Bound> {
        manifest
            .data
            .iter()
            .map(|(slot, declared)| (slot.clone(), self.datasets[declared.schema.as_str()].clone()))
            .collect()
    }
}

/// Bytes that the queries of a run may hold.
pub(crate) fn query_memory_bytes() -> usize {
    (MEMORY_MIB as usize) << 20
}

/// Rows of a schema with few different values, so that joins find partners, and with nulls where there may be.
fn rows(schema: &Schema) -> String {
    let names: Vec<_> = schema.columns.iter().map(|column| column.name).collect();
    let mut text = names.join(",") + "\n";
    for row in 0..ROWS {
        let value = |(at, column): (usize, &iog_protocol::schemas::Column)| {
            let n = (row * 7 + at * 3) % 11;
            match column.ty {
                _ if !column.required && n == 5 => String::new(),
                ColumnType::Timestamp => (1_800_000_000 + n).to_string(),
                ColumnType::Address if n == 3 => "2001:db8::7".to_owned(),
                ColumnType::Address => format!("192.0.2.{n}"),
                ColumnType::Uint | ColumnType::Int => n.to_string(),
                ColumnType::Float => format!("{n}.5"),
                ColumnType::Text => format!("t{n}%_"),
                ColumnType::Flag => (n % 2 == 0).to_string(),
            }
        };
        let values: Vec<_> = schema.columns.iter().enumerate().map(value).collect();
        writeln!(text, "{}", values.join(",")).unwrap();
    }
    text
}
