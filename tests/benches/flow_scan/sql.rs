//! The third baseline: the same question in DataFusion's SQL, one partition, its own Parquet reader. Distinct sources
//! are counted by grouping twice, which its planner does faster than `count(DISTINCT …)` beside other sums.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, UInt64Type};
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};

use crate::flows::Case;
use crate::native::{Answer, Sums};

/// A planned question.
pub(crate) struct Plan {
    context: SessionContext,
    plan: Arc<dyn ExecutionPlan>,
}

/// Opens the file and plans; `push` lets the reader filter while it decodes.
pub(crate) async fn plan(path: &Path, case: &Case, push: bool) -> anyhow::Result<Plan> {
    let mut config = SessionConfig::new().with_target_partitions(1).with_batch_size(iog_data::BATCH_ROWS);
    config.options_mut().execution.parquet.pushdown_filters = push;
    config.options_mut().execution.parquet.reorder_filters = push;
    let context = SessionContext::new_with_config(config);
    let path = path.to_str().context("the path is not UTF-8")?;
    context.register_parquet("flows", path, ParquetReadOptions::default()).await?;
    let address = |bits: u128| format!("arrow_cast(X'{bits:032x}', 'FixedSizeBinary(16)')");
    let sql = format!(
        "SELECT ingress_as, sum(f) AS flows, sum(p) AS packets, sum(b) AS bytes, count(*) AS sources,
                min(first) AS first, max(last) AS last
         FROM (SELECT ingress_as, src, count(*) AS f, sum(packets) AS p, sum(bytes) AS b,
                      min(\"start\") AS first, max(\"end\") AS last
               FROM flows WHERE dst >= {} AND dst <= {} GROUP BY ingress_as, src)
         GROUP BY ingress_as",
        address(case.first),
        address(case.last)
    );
    let plan = context.sql(&sql).await?.create_physical_plan().await?;
    Ok(Plan { context, plan })
}

/// Runs a plan once.
pub(crate) async fn run(plan: Plan) -> anyhow::Result<Answer> {
    let mut answer = Answer::new();
    for batch in collect(plan.plan, plan.context.task_ctx()).await? {
        let uint = |at: usize, row: usize| batch.column(at).as_primitive::<UInt64Type>().value(row);
        let int = |at: usize, row: usize| batch.column(at).as_primitive::<Int64Type>().value(row);
        for row in 0..batch.num_rows() {
            let sums = Sums {
                flows: u64::try_from(int(1, row))?,
                packets: uint(2, row),
                bytes: uint(3, row),
                sources: u64::try_from(int(4, row))?,
                first_us: int(5, row),
                last_us: int(6, row),
            };
            answer.insert(u32::try_from(uint(0, row))?, sums);
        }
    }
    Ok(answer)
}
