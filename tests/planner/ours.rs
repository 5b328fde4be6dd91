//! The side of `iog_data`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use datafusion::arrow::util::display::array_value_to_string;
use iog_data::{Dataset, Engine, QueryLimits, QuerySpec, SourceSpec};

use crate::world::{self, Answer};

/// Both tables as slots of one engine.
pub(crate) struct Slots {
    engine: Engine,
    slots: BTreeMap<String, Arc<Dataset>>,
}

impl Slots {
    pub(crate) async fn open(flows: Vec<RecordBatch>, other: Vec<RecordBatch>) -> anyhow::Result<Self> {
        let mut slots = BTreeMap::new();
        for (name, batches) in [("flows", flows), ("other", other)] {
            let dataset = Dataset::open(name, &world::schema(), SourceSpec::Memory(batches)).await?;
            slots.insert(name.to_owned(), Arc::new(dataset));
        }
        Ok(Self { engine: Engine::new()?, slots })
    }

    pub(crate) async fn answer(&self, sql: &str) -> anyhow::Result<Answer> {
        let spec = QuerySpec { name: "q".into(), sql: sql.into(), params: vec![] };
        let planned = self.engine.plan(self.slots.clone(), &[spec]).await?;
        let mut rows = planned.open("q", vec![], QueryLimits::default()).await?;
        let mut answer = Vec::new();
        while let Some(batch) = rows.next().await? {
            shown(&batch, &mut answer)?;
        }
        Ok(answer)
    }
}

/// Adds the rows of a batch as text.
pub(crate) fn shown(batch: &RecordBatch, answer: &mut Answer) -> anyhow::Result<()> {
    for row in 0..batch.num_rows() {
        let one = |column: &ArrayRef| array_value_to_string(column, row);
        answer.push(batch.columns().iter().map(one).collect::<Result<Vec<_>, _>>()?.join("|"));
    }
    Ok(())
}
