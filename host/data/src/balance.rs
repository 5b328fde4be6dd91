//! Long chains of ANDs and ORs as trees of little depth. Conditions of many levels of a query end up in one chain, and each
//! link of it would be a level on the stack of whoever plans or evaluates it. Three-valued AND and OR are associative, so
//! nothing about the result changes.

use datafusion_common::error::Result;
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_expr::expr::BinaryExpr;
use datafusion_expr::{Expr, Operator, binary_expr};

/// Longest chain that stays as it is written.
pub(crate) const CHAIN_MAX: usize = 16;

/// The expression with its long chains balanced.
pub(crate) fn balanced(expr: Expr) -> Result<Expr> {
    let changed = expr.transform_down(|expr| match chain_of(&expr) {
        Some(op) if links(&expr, op) > CHAIN_MAX => {
            let mut parts = Vec::new();
            unchain(expr, op, &mut parts);
            let parts = parts.into_iter().map(balanced).collect::<Result<Vec<_>>>()?;
            Ok(Transformed::new(tree(parts, op), true, TreeNodeRecursion::Jump))
        }
        _ => Ok(Transformed::no(expr)),
    })?;
    Ok(changed.data)
}

fn chain_of(expr: &Expr) -> Option<Operator> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { op: op @ (Operator::And | Operator::Or), .. }) => Some(*op),
        _ => None,
    }
}

fn links(expr: &Expr, op: Operator) -> usize {
    match expr {
        Expr::BinaryExpr(binary) if binary.op == op => links(&binary.left, op) + links(&binary.right, op),
        _ => 1,
    }
}

fn unchain(expr: Expr, op: Operator, parts: &mut Vec<Expr>) {
    match expr {
        Expr::BinaryExpr(binary) if binary.op == op => {
            unchain(*binary.left, op, parts);
            unchain(*binary.right, op, parts);
        }
        other => parts.push(other),
    }
}

fn tree(mut parts: Vec<Expr>, op: Operator) -> Expr {
    if parts.len() < 2 {
        return parts.pop().unwrap_or_default();
    }
    let right = parts.split_off(parts.len() / 2);
    binary_expr(tree(parts, op), op, tree(right, op))
}

#[cfg(test)]
mod tests {
    use datafusion_expr::{col, lit};

    use super::*;

    fn depth(expr: &Expr) -> usize {
        match expr {
            Expr::BinaryExpr(binary) => 1 + depth(&binary.left).max(depth(&binary.right)),
            _ => 1,
        }
    }

    #[test]
    fn long_chains_lose_their_depth_and_nothing_else() {
        let test = |at: i64| col("a").gt(lit(at));
        let short = (1..10).map(test).reduce(Expr::and).unwrap_or_default();
        assert_eq!(balanced(short.clone()).ok(), Some(short));
        let chain = (0..1_000).map(test).reduce(Expr::or).unwrap_or_default();
        let flat = balanced(chain.clone().and(chain.clone())).unwrap_or_default();
        assert_eq!(depth(&flat), 13);
        let mut parts = Vec::new();
        unchain(balanced(chain.clone()).unwrap_or_default(), Operator::Or, &mut parts);
        assert_eq!(parts.into_iter().reduce(Expr::or), Some(chain), "the same links in the same order");
    }
}
