//! What every planned node becomes: an operator, and what its rows may hold. It plans nothing.

use std::sync::Arc;

use datafusion_physical_plan::ExecutionPlan;

use crate::work::Work;

/// One operator, and what each of its columns may hold in a row.
pub(super) struct Made {
    pub(super) plan: Arc<dyn ExecutionPlan>,
    pub(super) columns: Vec<Work>,
}
