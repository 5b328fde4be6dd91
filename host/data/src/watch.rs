//! Watching a plan while rules change it: after each rule its size is counted and the time looked at. What a query expands to
//! is bounded before it is planned (`iog_query`); this holds where a rule makes more of it than was foreseen. Counting stops
//! at the bound.

use std::sync::{Arc, Mutex, PoisonError};

use datafusion_common::config::ConfigOptions;
use datafusion_common::error::{DataFusionError, Result};
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion, TreeNodeVisitor};
use datafusion_expr::expr::BinaryExpr;
use datafusion_expr::{Expr, LogicalPlan, Operator};
use datafusion_optimizer::{AnalyzerRule, OptimizerConfig, OptimizerRule};
use iog_query::{Size, TooMuch, within};

use crate::params;
use crate::run::Deadline;

/// How many times larger than its text allows a query may become while rules change it: types are made to fit with casts,
/// conditions are moved to both sides of joins and into each input of a union.
const GROWTH_MAX: u64 = 4;

/// Looks at the plan of one query.
#[derive(Debug)]
pub(crate) struct Watch {
    ends: Deadline,
}

/// Why a plan is not looked at further; travels through the engine as an external error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Exceeded {
    #[error(transparent)]
    Size(TooMuch),
    #[error("planning takes too long")]
    Time,
}

impl From<Exceeded> for DataFusionError {
    fn from(exceeded: Exceeded) -> Self {
        Self::External(Box::new(exceeded))
    }
}

impl Exceeded {
    /// This, if that is what the engine reports.
    pub(crate) fn of(error: &DataFusionError) -> Option<&Self> {
        match error.find_root() {
            DataFusionError::External(cause) => cause.downcast_ref::<Self>(),
            _ => None,
        }
    }
}

impl Watch {
    pub(crate) fn new(ends: Deadline) -> Arc<Self> {
        Arc::new(Self { ends })
    }

    /// Refuses a plan that has become too large, or too late.
    pub(crate) fn look(&self, plan: &LogicalPlan) -> Result<()> {
        if self.ends.is_over() {
            return Err(Exceeded::Time.into());
        }
        let mut size = Size::default();
        plan.apply_with_subqueries(|node| {
            size.nodes += 1;
            size.scans += u64::from(matches!(node, LogicalPlan::TableScan(_)));
            node.apply_expressions(|root| {
                let mut parts = Parts { size: &mut size, above: Vec::new() };
                root.visit(&mut parts)?;
                fits(parts.size)?;
                Ok(TreeNodeRecursion::Continue)
            })?;
            fits(&size)?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        size.plan_depth = height(plan);
        fits(&size)
    }
}

fn fits(size: &Size) -> Result<()> {
    within(size, GROWTH_MAX).map_err(|too_much| Exceeded::Size(too_much).into())
}

/// Levels of operators.
fn height(plan: &LogicalPlan) -> u64 {
    1 + plan.inputs().into_iter().map(height).max().unwrap_or(0)
}

/// Counts the parts of an expression and its levels. A chain of ANDs or of ORs is one level (`balance`).
struct Parts<'a> {
    size: &'a mut Size,
    /// The expressions around the next one, as far as they are a level of their own.
    above: Vec<Option<Operator>>,
}

impl Parts<'_> {
    fn levels(&self) -> u64 {
        let chained = |pair: &&[Option<Operator>]| pair[0].is_some() && pair[0] == pair[1];
        let chained = self.above.windows(2).filter(chained).count();
        u64::try_from(self.above.len() - chained).unwrap_or(u64::MAX)
    }
}

impl<'n> TreeNodeVisitor<'n> for Parts<'_> {
    type Node = Expr;

    fn f_down(&mut self, expr: &'n Expr) -> Result<TreeNodeRecursion> {
        self.size.expressions += 1;
        if let Expr::Literal(value, _) = expr {
            self.size.literal_bytes = self.size.literal_bytes.saturating_add(params::text_bytes(value));
        }
        self.above.push(match expr {
            Expr::BinaryExpr(BinaryExpr { op: op @ (Operator::And | Operator::Or), .. }) => Some(*op),
            _ => None,
        });
        self.size.depth = self.size.depth.max(self.levels());
        Ok(TreeNodeRecursion::Continue)
    }

    fn f_up(&mut self, _expr: &'n Expr) -> Result<TreeNodeRecursion> {
        self.above.pop();
        Ok(TreeNodeRecursion::Continue)
    }
}

impl AnalyzerRule for Watch {
    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        self.look(&plan)?;
        Ok(plan)
    }

    fn name(&self) -> &str {
        "watch"
    }
}

impl OptimizerRule for Watch {
    fn name(&self) -> &str {
        "watch"
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        self.look(&plan)?;
        Ok(Transformed::no(plan))
    }
}

/// Which of several queries is being planned, for whoever gives up waiting.
#[derive(Debug, Clone, Default)]
pub(crate) struct Current(Arc<Mutex<String>>);

impl Current {
    pub(crate) fn set(&self, query: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = query.to_owned();
    }

    pub(crate) fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
