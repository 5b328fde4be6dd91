//! The side of DataFusion: its session with several partitions, its planner and all its rules.

use std::sync::Arc;

use arrow_array::RecordBatch;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::ours::shown;
use crate::world::{self, Answer};

/// Both tables in one session.
pub(crate) struct Session {
    context: SessionContext,
}

impl Session {
    pub(crate) fn new(flows: &[RecordBatch], other: &[RecordBatch]) -> anyhow::Result<Self> {
        let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(3));
        for (name, batches) in [("flows", flows), ("other", other)] {
            let partitions = batches.iter().map(|batch| vec![batch.clone()]).collect();
            context.register_table(name, Arc::new(MemTable::try_new(world::schema().arrow(), partitions)?))?;
        }
        Ok(Self { context })
    }

    pub(crate) async fn answer(&self, sql: &str) -> anyhow::Result<Answer> {
        let mut answer = Vec::new();
        for batch in self.context.sql(sql).await?.collect().await? {
            shown(&batch, &mut answer)?;
        }
        Ok(answer)
    }
}
