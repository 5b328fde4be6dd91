//! What expressions are planned with: the schema they are written against, and the places of the values that scalar
//! subqueries leave. It knows no operators.

use std::cell::Cell;
use std::sync::Arc;

use arrow_schema::Schema;
use datafusion_common::error::{DataFusionError, Result};
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, HashMap};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::logical_plan::Subquery;
use datafusion_expr::physical_planning_context::{PhysicalPlanningContext, ScalarSubqueryResults, SubqueryIndex};
use datafusion_expr::{Expr, LogicalPlan};
use datafusion_physical_expr::aggregate::{LoweredAggregate, LoweredAggregateBuilder};
use datafusion_physical_expr::{PhysicalExpr, create_physical_expr};

use crate::BATCH_ROWS;
use crate::balance::balanced;

/// One query or scalar subquery being planned.
pub(super) struct Scope {
    /// Without a start time or variables: no function of a query may ask for them.
    props: ExecutionProps,
    subqueries: HashMap<Subquery, SubqueryIndex>,
    context: PhysicalPlanningContext,
    /// Rows that a batch of any operator may have.
    batch_rows: Cell<usize>,
}

impl Scope {
    /// A scope in which these subqueries stand for the values that they will have left.
    pub(super) fn with_subqueries(subqueries: &[Subquery]) -> Self {
        let index = |(at, subquery): (usize, &Subquery)| (subquery.clone(), SubqueryIndex::new(at));
        let places: HashMap<_, _> = subqueries.iter().enumerate().map(index).collect();
        let results = ScalarSubqueryResults::new(places.len());
        let context = PhysicalPlanningContext::new(places.clone(), results);
        Self { props: ExecutionProps::new(), subqueries: places, context, batch_rows: Cell::new(BATCH_ROWS) }
    }

    /// No batch may have more rows.
    pub(super) fn bound_batches(&self, rows: usize) {
        self.batch_rows.set(self.batch_rows.get().min(rows));
    }

    /// Rows that a batch may have, as far as is known.
    pub(super) fn batch_rows(&self) -> usize {
        self.batch_rows.get()
    }

    /// Where a subquery leaves its value.
    pub(super) fn index_of(&self, subquery: &Subquery) -> Result<SubqueryIndex> {
        let place = self.subqueries.get(subquery).copied();
        place.ok_or_else(|| DataFusionError::Internal("a scalar subquery has no place".into()))
    }

    /// The places themselves.
    pub(super) fn results(&self) -> ScalarSubqueryResults {
        self.context.results().clone()
    }

    pub(super) fn expr(&self, expr: &Expr, schema: &DFSchema) -> Result<Arc<dyn PhysicalExpr>> {
        create_physical_expr(&balanced(expr.clone())?, schema, &self.props, &self.context)
    }

    /// An aggregate function, its alias taken off and made its name.
    pub(super) fn aggregate(&self, expr: &Expr, logical: &DFSchema, physical: &Schema) -> Result<LoweredAggregate> {
        LoweredAggregateBuilder::new(expr, logical, physical, &self.props, &self.context).build()
    }
}

/// Subqueries that stand for one value and depend on nothing around them, each once. Those inside of them are theirs.
pub(super) fn scalar_subqueries(plan: &LogicalPlan) -> Result<Vec<Subquery>> {
    let mut found: Vec<Subquery> = Vec::new();
    plan.apply(|node| {
        node.apply_expressions(|root| {
            root.apply(|expr| {
                if let Expr::ScalarSubquery(subquery) = expr
                    && subquery.outer_ref_columns.is_empty()
                    && !found.contains(subquery)
                {
                    found.push(subquery.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}
