//! Sizes and how they add up. Sums are saturating, so that what is far too large stays too large.

/// How large something is with everything put in its place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Slots read, each as often as it is read.
    pub scans: u64,
    /// Operators.
    pub nodes: u64,
    /// Levels of operators.
    pub plan_depth: u64,
    /// Parts of expressions.
    pub expressions: u64,
    /// Bytes of literals.
    pub literal_bytes: u64,
    /// Levels of expressions.
    pub depth: u64,
}

impl Size {
    /// A part of an expression that has no parts.
    pub(crate) const LEAF: Self =
        Self { scans: 0, nodes: 0, plan_depth: 0, expressions: 1, literal_bytes: 0, depth: 1 };

    /// Both, one beside the other.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            scans: self.scans.saturating_add(other.scans),
            nodes: self.nodes.saturating_add(other.nodes),
            plan_depth: self.plan_depth.max(other.plan_depth),
            expressions: self.expressions.saturating_add(other.expressions),
            literal_bytes: self.literal_bytes.saturating_add(other.literal_bytes),
            depth: self.depth.max(other.depth),
        }
    }

    /// So often, side by side.
    pub(crate) fn times(self, often: u64) -> Self {
        Self {
            scans: self.scans.saturating_mul(often),
            nodes: self.nodes.saturating_mul(often),
            expressions: self.expressions.saturating_mul(often),
            literal_bytes: self.literal_bytes.saturating_mul(often),
            ..self
        }
    }

    /// As parts of an expression that adds `parts` of its own around them.
    pub(crate) fn inside(self, parts: u64) -> Self {
        Self { expressions: self.expressions.saturating_add(parts), depth: self.depth.saturating_add(1), ..self }
    }

    /// Under so many more operators, one above the other.
    pub(crate) fn under(self, operators: u64) -> Self {
        Self {
            nodes: self.nodes.saturating_add(operators),
            plan_depth: self.plan_depth.saturating_add(operators),
            ..self
        }
    }

    /// The larger of each.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            scans: self.scans.max(other.scans),
            nodes: self.nodes.max(other.nodes),
            plan_depth: self.plan_depth.max(other.plan_depth),
            expressions: self.expressions.max(other.expressions),
            literal_bytes: self.literal_bytes.max(other.literal_bytes),
            depth: self.depth.max(other.depth),
        }
    }
}

/// The size of an expression.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Value {
    /// Here.
    pub(crate) size: Size,
    /// Where a name stands for it: an aggregate is computed once, whoever uses its column.
    pub(crate) behind: Size,
    /// Whether it names no column, so that an engine may compute it while it plans.
    pub(crate) constant: bool,
}

impl Value {
    /// A column, or a parameter.
    pub(crate) const COLUMN: Self = Self { size: Size::LEAF, behind: Size::LEAF, constant: false };

    /// An expression of these values, each as often as an engine may repeat it, with `parts` of its own.
    pub(crate) fn of(parts: u64, values: impl IntoIterator<Item = (Self, u64)>) -> Self {
        let mut all = Self { constant: true, ..Self::default() };
        for (value, often) in values {
            all.size = all.size.and(value.size.times(often));
            all.behind = all.behind.and(value.behind.times(often));
            all.constant &= value.constant;
        }
        Self { size: all.size.inside(parts), behind: all.behind.inside(parts), constant: all.constant }
    }

    /// The larger of two things that one name may mean.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            size: self.size.or(other.size),
            behind: self.behind.or(other.behind),
            constant: self.constant || other.constant,
        }
    }
}
