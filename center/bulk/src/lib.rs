//! How much one function is for validator and compiler. What grows faster than the file is not its bytes: it is variables
//! times blocks (each variable may be another value in each block) and the values that branches and calls pass, since one
//! operator can pass many. It only counts; whether the code is valid is judged elsewhere. The inspector and the sandbox both
//! count with it, so that what one takes for compilable the other does.

use wasmparser::{BlockType, CompositeInnerType, FunctionBody, Import, Operator, RecGroup, Result, TypeRef};

/// How many values a function or block takes and gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Width {
    params: u64,
    results: u64,
}

impl Width {
    fn values(self) -> u64 {
        self.params + self.results
    }
}

/// The function types of the core module that is being read, and which functions have which.
#[derive(Debug, Default)]
pub struct Signatures {
    types: Vec<Width>,
    /// The type of each function, imported ones first.
    functions: Vec<u32>,
    /// Functions whose body is not still to come.
    past: usize,
}

/// What one function has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bulk {
    /// Locals, parameters not counted.
    pub locals: u64,
    /// Blocks, loops, arms and conditional branches: each begins code that is entered on its own.
    pub blocks: u64,
    /// Locals and parameters, times blocks.
    pub block_variables: u64,
    /// Values that blocks and calls take and give and that branches pass, for each target.
    pub passed_values: u64,
    /// Deepest nesting of blocks.
    pub control_depth: u64,
    /// Targets of the longest `br_table`.
    pub br_table_targets: u64,
}

impl Signatures {
    /// Notes types; how many values the widest of them takes or gives.
    pub fn declare(&mut self, group: &RecGroup) -> u64 {
        let mut widest = 0;
        for ty in group.types() {
            let mut width = Width::default();
            if let CompositeInnerType::Func(f) = &ty.composite_type.inner {
                width = Width { params: f.params().len() as u64, results: f.results().len() as u64 };
            }
            widest = width.params.max(width.results).max(widest);
            self.types.push(width);
        }
        widest
    }

    /// Notes an import; it has no body here.
    pub fn import(&mut self, import: &Import<'_>) {
        if let TypeRef::Func(ty) | TypeRef::FuncExact(ty) = import.ty {
            self.functions.push(ty);
            self.past += 1;
        }
    }

    /// Notes a function whose body comes later.
    pub fn define(&mut self, ty: u32) {
        self.functions.push(ty);
    }

    /// Counts the next body.
    ///
    /// # Errors
    /// What the parser says of a malformed one.
    pub fn measure(&mut self, body: &FunctionBody<'_>) -> Result<Bulk> {
        let own = self.function(u32::try_from(self.past).unwrap_or(u32::MAX));
        self.past += 1;
        let mut bulk = Bulk::default();
        for group in body.get_locals_reader()? {
            bulk.locals = bulk.locals.saturating_add(group?.0.into());
        }
        let mut labels = Labels { arities: vec![own.results], signatures: self };
        for operator in body.get_operators_reader()? {
            let operator = operator?;
            bulk.passed_values = bulk.passed_values.saturating_add(labels.follow(&operator));
            bulk.blocks += u64::from(begins(&operator));
            bulk.control_depth = bulk.control_depth.max(labels.arities.len().saturating_sub(1) as u64);
            if let Operator::BrTable { targets } = &operator {
                bulk.br_table_targets = bulk.br_table_targets.max(targets.len().into());
            }
        }
        bulk.block_variables = bulk.locals.saturating_add(own.params).saturating_mul(bulk.blocks);
        Ok(bulk)
    }

    fn function(&self, index: u32) -> Width {
        self.functions.get(index as usize).map(|ty| self.ty(*ty)).unwrap_or_default()
    }

    fn ty(&self, index: u32) -> Width {
        self.types.get(index as usize).copied().unwrap_or_default()
    }
}

fn begins(operator: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(operator, O::Block { .. } | O::Loop { .. } | O::If { .. } | O::Else | O::BrIf { .. } | O::BrTable { .. })
}

/// The labels that branches may name, innermost last.
struct Labels<'s> {
    /// How many values a branch to each passes.
    arities: Vec<u64>,
    signatures: &'s Signatures,
}

impl Labels<'_> {
    /// The values that an operator passes; a label or function that is not there passes none.
    fn follow(&mut self, operator: &Operator<'_>) -> u64 {
        use Operator as O;
        let signatures = self.signatures;
        match operator {
            O::Block { blockty } | O::If { blockty } => self.open(*blockty, |width| width.results),
            O::Loop { blockty } => self.open(*blockty, |width| width.params),
            O::End => {
                self.arities.pop();
                0
            }
            O::Br { relative_depth } | O::BrIf { relative_depth } => self.arity(*relative_depth),
            O::BrTable { targets } => {
                let depths = targets.targets().filter_map(Result::ok).chain([targets.default()]);
                depths.map(|depth| self.arity(depth)).sum()
            }
            O::Return => self.arities.first().copied().unwrap_or_default(),
            O::Call { function_index } | O::ReturnCall { function_index } => {
                signatures.function(*function_index).values()
            }
            O::CallIndirect { type_index, .. } | O::ReturnCallIndirect { type_index, .. } => {
                signatures.ty(*type_index).values()
            }
            _ => 0,
        }
    }

    fn open(&mut self, ty: BlockType, passed: impl FnOnce(Width) -> u64) -> u64 {
        let width = match ty {
            BlockType::Empty => Width::default(),
            BlockType::Type(_) => Width { params: 0, results: 1 },
            BlockType::FuncType(index) => self.signatures.ty(index),
        };
        self.arities.push(passed(width));
        width.values()
    }

    fn arity(&self, depth: u32) -> u64 {
        let at = self.arities.len().checked_sub(1 + depth as usize);
        at.and_then(|at| self.arities.get(at)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at once")]

    use wasmparser::{Parser, Payload};

    use super::*;

    /// What each function of a core module has.
    fn measured(text: &str) -> Vec<Bulk> {
        let wasm = wat::parse_str(text).unwrap();
        let mut signatures = Signatures::default();
        let mut found = Vec::new();
        for payload in Parser::new(0).parse_all(&wasm) {
            match payload.unwrap() {
                Payload::TypeSection(types) => {
                    for group in types {
                        signatures.declare(&group.unwrap());
                    }
                }
                Payload::FunctionSection(functions) => {
                    functions.into_iter().for_each(|ty| signatures.define(ty.unwrap()))
                }
                Payload::CodeSectionEntry(body) => found.push(signatures.measure(&body).unwrap()),
                _ => {}
            }
        }
        found
    }

    #[test]
    fn blocks_multiply_variables_and_branches_pass_values() {
        let text = "(module
            (func $two (result i32 i32) (i32.const 1) (i32.const 2))
            (func (param i32 i64) (local i32 i32 i32)
                (block (result i32 i32) (call $two) (br_table 0 0 0 (local.get 0)))
                (drop) (drop)
                (if (local.get 0) (then (loop (br_if 0 (local.get 0)))) (else))))";
        let [two, all] = measured(text)[..] else { panic!("two functions") };
        assert_eq!(two, Bulk::default());
        // `block`, `br_table`, `if`, `loop`, `br_if`, `else`; five variables.
        assert_eq!((all.locals, all.blocks, all.block_variables), (3, 6, 30));
        // The block gives two, the call gives two, each of the three targets gets two.
        assert_eq!(all.passed_values, 2 + 2 + 3 * 2);
        assert_eq!((all.control_depth, all.br_table_targets), (2, 2));
    }
}
