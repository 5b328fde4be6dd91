//! The physical planner: turns an optimised logical plan into operators of the engine, one for each kind of node that a
//! declared query can reach, and refuses every other node. All operators have one partition. It changes nothing of what a
//! plan computes and reads no data.

mod concat;
mod join;
mod limit;
mod refused;
mod scope;
mod unary;

use std::any::Any;
use std::sync::Arc;

use datafusion_common::error::Result;
use datafusion_expr::{EmptyRelation, LogicalPlan, TableScan};
use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::coop::CooperativeExec;
use datafusion_physical_plan::empty::EmptyExec;
use datafusion_physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion_physical_plan::scalar_subquery::{ScalarSubqueryExec, ScalarSubqueryLink};

use crate::scan::SlotTable;
use concat::ConcatExec;
pub(crate) use refused::Refused;
use refused::refuse;
use scope::{Scope, scalar_subqueries};

/// The operators of a plan. Values that the plan compares with but computes only once, from subqueries that depend on
/// nothing around them, are computed before the first row.
pub(crate) fn plan(logical: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
    let subqueries = scalar_subqueries(logical)?;
    if subqueries.is_empty() {
        return operator(logical, &Scope::default());
    }
    let mut links = Vec::with_capacity(subqueries.len());
    let scope = Scope::with_subqueries(&subqueries);
    for subquery in &subqueries {
        links.push(ScalarSubqueryLink { plan: plan(&subquery.subquery)?, index: scope.index_of(subquery)? });
    }
    let main = operator(logical, &scope)?;
    Ok(Arc::new(ScalarSubqueryExec::new(main, links, scope.results())))
}

/// Whether the operators of a plan hold values that its subqueries leave. Resetting such operators empties the places of
/// everybody who runs them, so every run needs operators of its own.
pub(crate) fn shares_values(logical: &LogicalPlan) -> Result<bool> {
    Ok(!scalar_subqueries(logical)?.is_empty())
}

/// The one function that every node of a plan passes, each as often as it is computed. Whoever bounds the nodes or scans
/// of a plan counts them here.
fn operator(node: &LogicalPlan, scope: &Scope) -> Result<Arc<dyn ExecutionPlan>> {
    let mut inputs = Vec::new();
    for input in node.inputs() {
        inputs.push(operator(input, scope)?);
    }
    match (node, inputs.len()) {
        (LogicalPlan::Join(join), 2) => {
            let (right, left) = (inputs.remove(1), inputs.remove(0));
            join::join(join, left, right, scope)
        }
        (LogicalPlan::Union(union), _) => Ok(Arc::new(ConcatExec::new(Arc::clone(union.schema.inner()), inputs))),
        (_, 1) => over(node, inputs.remove(0), scope),
        (_, 0) => leaf(node),
        _ => refuse(format!("the plan node {}", node.display())),
    }
}

fn over(node: &LogicalPlan, input: Arc<dyn ExecutionPlan>, scope: &Scope) -> Result<Arc<dyn ExecutionPlan>> {
    match node {
        LogicalPlan::Projection(projection) => unary::projection(projection, input, scope),
        LogicalPlan::Filter(filter) => unary::filter(filter, input, scope),
        LogicalPlan::Aggregate(aggregate) => unary::aggregate(aggregate, input, scope),
        LogicalPlan::Sort(sort) => unary::sort(sort, input, scope),
        LogicalPlan::Limit(limit) => limit::limit(limit, input),
        LogicalPlan::SubqueryAlias(_) => Ok(input),
        LogicalPlan::Subquery(_) => refuse("a subquery that depends on the query around it and is not a join"),
        other => refuse(format!("the plan node {}", other.display())),
    }
}

fn leaf(node: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
    match node {
        LogicalPlan::TableScan(scan) => table(scan),
        LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema }) => {
            Ok(Arc::new(EmptyExec::new(Arc::clone(schema.inner()))))
        }
        LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: true, schema }) => {
            Ok(Arc::new(PlaceholderRowExec::new(Arc::clone(schema.inner()))))
        }
        other => refuse(format!("the plan node {}", other.display())),
    }
}

/// A scan, which hands control back to the other tasks now and then, even where all its rows are in memory.
fn table(scan: &TableScan) -> Result<Arc<dyn ExecutionPlan>> {
    let source: &dyn Any = scan.source.as_ref();
    let Some(slot) = source.downcast_ref::<SlotTable>() else {
        return refuse(format!("the table `{}`, which is not a slot", scan.table_name));
    };
    Ok(Arc::new(CooperativeExec::new(slot.scan(scan)?)))
}
