//! Rewrites of a resolved plan: prefix tests with a constant or parameter become two comparisons (which row-group
//! statistics can use), parameters get the ids of their slots, and at last their values.

use std::collections::BTreeMap;

use arrow_schema::DataType;
use datafusion_common::DFSchema;
use datafusion_common::ScalarValue;
use datafusion_common::error::{DataFusionError, Result};
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_expr::expr::Placeholder;
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::utils::merge_schema;
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, and};

use crate::address::{AddressRange, parse_prefix};
use crate::error::PlanError;
use crate::functions::IP_IN;
use crate::params::{self, PREFIX_TYPE, ParamSlot, ParamType};
use crate::sql::QuerySpec;

/// Resolves `ip_in` and names the parameters' slots.
pub(crate) fn resolve(spec: &QuerySpec, plan: LogicalPlan) -> std::result::Result<LogicalPlan, PlanError> {
    let rewritten = map_exprs(plan, &resolve_expr);
    let plan = rewritten.map_err(|e| PlanError::Resolve { query: spec.name.clone(), reason: e.strip_backtrace() })?;
    match stray_prefix(&plan) {
        Ok(None) => Ok(plan),
        Ok(Some(param)) => {
            let reason = "a prefix can only be the second argument of `ip_in`".into();
            Err(PlanError::Param { query: spec.name.clone(), param, reason })
        }
        Err(e) => Err(PlanError::Internal { query: spec.name.clone(), reason: e.strip_backtrace() }),
    }
}

/// Applies a rewrite to every expression of a plan, bottom up, keeping the names of results.
pub(crate) fn map_exprs(
    plan: LogicalPlan,
    rewrite: &dyn Fn(&DFSchema, Expr) -> Result<Transformed<Expr>>,
) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        let schema = merge_schema(&node.inputs());
        let mapped = node.map_expressions(|expr| {
            let name = names.save(&expr);
            Ok(expr.transform_up(|expr| rewrite(&schema, expr))?.update_data(|expr| name.restore(expr)))
        })?;
        mapped.map_data(LogicalPlan::recompute_schema)
    })?;
    Ok(rewritten.data)
}

fn resolve_expr(schema: &DFSchema, expr: Expr) -> Result<Transformed<Expr>> {
    match expr {
        Expr::Placeholder(placeholder) => Ok(Transformed::yes(Expr::Placeholder(named(placeholder)?))),
        Expr::ScalarFunction(call) if call.func.name() == IP_IN && call.args.len() == 2 => {
            let bounds = match &call.args[1] {
                Expr::Literal(ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)), _) => {
                    let AddressRange { first, last } =
                        parse_prefix(text).map_err(|e| DataFusionError::Plan(e.to_string()))?;
                    Some((constant(first), constant(last)))
                }
                Expr::Placeholder(p) if is_prefix(p) => {
                    let name = p.id.trim_start_matches('$').to_owned();
                    Some((bound(params::first_id(&name)), bound(params::last_id(&name))))
                }
                _ => None,
            };
            Ok(match bounds {
                Some((first, last)) => {
                    let address = call.args[0].clone();
                    Transformed::yes(and(address.clone().gt_eq(first), address.lt_eq(last)))
                }
                None => Transformed::no(Expr::ScalarFunction(call)),
            })
        }
        other => Ok(unsigned_literals(schema, other)),
    }
}

/// Whole numbers beside unsigned values become unsigned themselves; else the engine computes both as decimals, which are
/// slow and cannot cross into a guest.
fn unsigned_literals(schema: &DFSchema, mut expr: Expr) -> Transformed<Expr> {
    let peers: Vec<&mut Expr> = match &mut expr {
        Expr::BinaryExpr(binary) => vec![&mut binary.left, &mut binary.right],
        Expr::Between(between) => vec![&mut between.expr, &mut between.low, &mut between.high],
        Expr::InList(list) => std::iter::once(list.expr.as_mut()).chain(&mut list.list).collect(),
        Expr::ScalarFunction(call) if matches!(call.func.name(), "coalesce" | "nullif") => {
            call.args.iter_mut().collect()
        }
        Expr::Case(case) => {
            let then = case.when_then_expr.iter_mut().map(|(_, then)| then.as_mut());
            then.chain(case.else_expr.as_deref_mut()).collect()
        }
        _ => return Transformed::no(expr),
    };
    if !peers.iter().any(|peer| peer.get_type(schema).is_ok_and(|ty| ty == DataType::UInt64)) {
        return Transformed::no(expr);
    }
    let mut changed = false;
    for peer in peers {
        if let Expr::Literal(value, _) = peer
            && let ScalarValue::Int64(Some(whole)) = value
            && let Ok(unsigned) = u64::try_from(*whole)
        {
            *value = ScalarValue::UInt64(Some(unsigned));
            changed = true;
        }
    }
    if changed { Transformed::yes(expr) } else { Transformed::no(expr) }
}

fn constant(address: [u8; 16]) -> Expr {
    Expr::Literal(params::address(address), None)
}

fn bound(id: String) -> Expr {
    let field = arrow_schema::Field::new(&id, ParamType::Address.arrow(), true);
    Expr::Placeholder(Placeholder::new_with_field(id, Some(std::sync::Arc::new(field))))
}

/// The planner numbers parameters; the field still has the declared name.
fn named(placeholder: Placeholder) -> Result<Placeholder> {
    let field = placeholder.field.ok_or_else(|| DataFusionError::Plan(format!("`{}` has no type", placeholder.id)))?;
    if field.name().starts_with('$') {
        return Ok(Placeholder::new_with_field(placeholder.id, Some(field)));
    }
    Ok(Placeholder::new_with_field(format!("${}", field.name()), Some(field)))
}

fn is_prefix(placeholder: &Placeholder) -> bool {
    placeholder.field.as_ref().is_some_and(|field| field.data_type() == &PREFIX_TYPE)
}

fn stray_prefix(plan: &LogicalPlan) -> Result<Option<String>> {
    let mut found = None;
    visit_exprs(plan, &mut |_, expr| {
        if let Expr::Placeholder(p) = expr
            && is_prefix(p)
        {
            found = Some(p.id.clone());
        }
        Ok(())
    })?;
    Ok(found)
}

/// Visits every expression of a plan, those of subqueries included.
pub(crate) fn visit_exprs(plan: &LogicalPlan, visit: &mut dyn FnMut(&LogicalPlan, &Expr) -> Result<()>) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|root| {
            root.apply(|expr| {
                visit(node, expr)?;
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(())
}

/// How often each parameter is used anywhere but in the conditions of scans, which bind it themselves.
pub(crate) fn params_outside_scans(plan: &LogicalPlan) -> Result<BTreeMap<String, usize>> {
    let mut found = BTreeMap::new();
    visit_exprs(plan, &mut |node, expr| {
        if let Expr::Placeholder(placeholder) = expr
            && !matches!(node, LogicalPlan::TableScan(_))
        {
            *found.entry(placeholder.id.clone()).or_default() += 1;
        }
        Ok(())
    })?;
    Ok(found)
}

/// Puts values in the places of all parameters outside scans.
pub(crate) fn substitute(plan: LogicalPlan, slots: &[ParamSlot], values: &[ScalarValue]) -> Result<LogicalPlan> {
    map_exprs(plan, &|_, expr| match expr {
        Expr::Placeholder(p) => {
            let at = slots.iter().position(|slot| slot.id == p.id);
            let value = at.and_then(|at| values.get(at));
            let value = value.ok_or_else(|| DataFusionError::Internal(format!("`{}` is not bound", p.id)))?;
            debug_assert_ne!(value.data_type(), DataType::Null);
            Ok(Transformed::yes(Expr::Literal(value.clone(), None)))
        }
        other => Ok(Transformed::no(other)),
    })
}
