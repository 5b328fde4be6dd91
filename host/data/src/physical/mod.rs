//! The physical planner: turns an optimised logical plan into operators of the engine, one for each kind of node that a
//! declared query can reach, and refuses every other node. All operators have one partition. It changes nothing of what a
//! plan computes and reads no data.

mod concat;
mod join;
mod keys;
mod limit;
mod made;
mod refused;
mod scope;
mod unary;

use std::any::Any;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use datafusion_common::error::Result;
use datafusion_expr::{EmptyRelation, LogicalPlan, TableScan};
use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::coop::CooperativeExec;
use datafusion_physical_plan::empty::EmptyExec;
use datafusion_physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion_physical_plan::scalar_subquery::{ScalarSubqueryExec, ScalarSubqueryLink};

use crate::scan::SlotTable;
use crate::work::Work;
use concat::ConcatExec;
use made::Made;
pub(crate) use refused::Refused;
use refused::refuse;
use scope::{Scope, scalar_subqueries};

/// The operators of a plan, and how many rows their batches may have: fewer where a row may hold much.
#[derive(Debug, Clone)]
pub(crate) struct Operators {
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    pub(crate) batch_rows: usize,
}

/// The operators of a plan. Values that the plan compares with but computes only once, from subqueries that depend on
/// nothing around them, are computed before the first row.
pub(crate) fn plan(logical: &LogicalPlan) -> Result<Operators> {
    let subqueries = scalar_subqueries(logical)?;
    let scope = Scope::with_subqueries(&subqueries);
    let mut links = Vec::with_capacity(subqueries.len());
    for subquery in &subqueries {
        let Operators { plan, batch_rows } = plan(&subquery.subquery)?;
        scope.bound_batches(batch_rows);
        links.push(ScalarSubqueryLink { plan, index: scope.index_of(subquery)? });
    }
    let main = operator(logical, &scope)?.plan;
    let plan: Arc<dyn ExecutionPlan> = match links.is_empty() {
        true => main,
        false => Arc::new(ScalarSubqueryExec::new(main, links, scope.results())),
    };
    Ok(Operators { plan, batch_rows: scope.batch_rows() })
}

/// Whether the operators of a plan hold values that its subqueries leave. Resetting such operators empties the places of
/// everybody who runs them, so every run needs operators of its own.
pub(crate) fn shares_values(logical: &LogicalPlan) -> Result<bool> {
    Ok(!scalar_subqueries(logical)?.is_empty())
}

/// The one function that every node of a plan passes, each as often as it is computed. How many there may be was bounded
/// before (`iog_query`, `watch`).
fn operator(node: &LogicalPlan, scope: &Scope) -> Result<Made> {
    let mut inputs = Vec::new();
    for input in node.inputs() {
        inputs.push(operator(input, scope)?);
    }
    let made = match (node, inputs.len()) {
        (LogicalPlan::Join(join), 2) => {
            let (right, left) = (inputs.remove(1), inputs.remove(0));
            join::join(join, left, right, scope)?
        }
        (LogicalPlan::Union(union), _) => united(Arc::clone(union.schema.inner()), inputs),
        (_, 1) => over(node, inputs.remove(0), scope)?,
        (_, 0) => leaf(node)?,
        _ => return refuse(format!("the plan node {}", node.display())),
    };
    let row = made.columns.iter().fold(Work::default(), |row, column| row.and(*column));
    scope.bound_batches(if matches!(node, LogicalPlan::Join(_)) { row.joined_rows() } else { row.usual_rows() });
    Ok(made)
}

fn united(schema: SchemaRef, inputs: Vec<Made>) -> Made {
    let widest = |widest: Vec<Work>, input: &Made| widest.iter().zip(&input.columns).map(|(a, b)| a.or(*b)).collect();
    let columns = inputs.iter().fold(vec![Work::default(); schema.fields().len()], widest);
    let plans = inputs.into_iter().map(|input| input.plan).collect();
    Made { plan: Arc::new(ConcatExec::new(schema, plans)), columns }
}

fn over(node: &LogicalPlan, input: Made, scope: &Scope) -> Result<Made> {
    match node {
        LogicalPlan::Projection(projection) => unary::projection(projection, input, scope),
        LogicalPlan::Filter(filter) => unary::filter(filter, input, scope),
        LogicalPlan::Aggregate(aggregate) => unary::aggregate(aggregate, input, scope),
        LogicalPlan::Sort(sort) => unary::sort(sort, input, scope),
        LogicalPlan::Limit(limit) => Ok(Made { plan: limit::limit(limit, input.plan)?, ..input }),
        LogicalPlan::SubqueryAlias(_) => Ok(input),
        LogicalPlan::Subquery(_) => refuse("a subquery that depends on the query around it and is not a join"),
        other => refuse(format!("the plan node {}", other.display())),
    }
}

fn leaf(node: &LogicalPlan) -> Result<Made> {
    let plan: Arc<dyn ExecutionPlan> = match node {
        LogicalPlan::TableScan(scan) => table(scan)?,
        LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema }) => {
            Arc::new(EmptyExec::new(Arc::clone(schema.inner())))
        }
        LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: true, schema }) => {
            Arc::new(PlaceholderRowExec::new(Arc::clone(schema.inner())))
        }
        other => return refuse(format!("the plan node {}", other.display())),
    };
    let columns = plan.schema().fields().iter().map(|field| Work::of_type(field.data_type())).collect();
    Ok(Made { plan, columns })
}

/// A scan, which hands control back to the other tasks now and then, even where all its rows are in memory.
fn table(scan: &TableScan) -> Result<Arc<dyn ExecutionPlan>> {
    let source: &dyn Any = scan.source.as_ref();
    let Some(slot) = source.downcast_ref::<SlotTable>() else {
        return refuse(format!("the table `{}`, which is not a slot", scan.table_name));
    };
    Ok(Arc::new(CooperativeExec::new(slot.scan(scan)?)))
}
