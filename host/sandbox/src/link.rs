//! Linkers with exactly the interfaces of a set of grants, made when first needed: what is not granted is not there.

use std::sync::OnceLock;

use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Engine, Result};

use crate::grants::Grants;
use crate::interfaces::{RunState, TABLE};

/// Something for each set of grants that was asked for. Reading takes no lock and no memory; there are as many as sets
/// in use, which are few: a module is mostly run with what it imports.
pub(crate) struct BySet<T>(OnceLock<Box<Node<T>>>);

struct Node<T> {
    grants: Grants,
    value: T,
    next: BySet<T>,
}

impl<T> Default for BySet<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> BySet<T> {
    /// What belongs to `grants`; made by `make` where it is not there yet. Of two that are made at once one is dropped.
    pub(crate) fn get_or_make(&self, grants: Grants, make: impl FnOnce() -> Result<T>) -> Result<&T> {
        let mut place = self;
        while let Some(node) = place.0.get() {
            if node.grants == grants {
                return Ok(&node.value);
            }
            place = &node.next;
        }
        let mut made = Some(Box::new(Node { grants, value: make()?, next: Self::default() }));
        loop {
            // Another thread may have put something here since: perhaps what is asked for.
            let node = place.0.get_or_init(|| made.take().expect("a node is put in one place"));
            if node.grants == grants {
                return Ok(&node.value);
            }
            place = &node.next;
        }
    }
}

/// A linker for each set of grants.
#[derive(Default)]
pub(crate) struct Linkers(BySet<Linker<RunState>>);

impl Linkers {
    /// Everything that can be done before a run: `component` with exactly the interfaces of `grants`.
    pub(crate) fn prepare(
        &self,
        engine: &Engine,
        component: &Component,
        grants: Grants,
    ) -> Result<InstancePre<RunState>> {
        self.0.get_or_make(grants, || linker(engine, grants))?.instantiate_pre(component)
    }
}

fn linker(engine: &Engine, grants: Grants) -> Result<Linker<RunState>> {
    let mut linker = Linker::new(engine);
    for interface in TABLE.iter().filter(|interface| grants.has(interface.name)) {
        (interface.link)(&mut linker)?;
    }
    Ok(linker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_set_has_its_own_and_only_one() {
        let kept = BySet::default();
        let all: Vec<_> = Grants::ALL.names().collect();
        let sets: Vec<Grants> = (0..all.len()).map(|upto| Grants::of(all[..=upto].iter().copied()).unwrap()).collect();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for set in &sets {
                        assert_eq!(kept.get_or_make(*set, || Ok(*set)).unwrap(), set);
                    }
                });
            }
        });
        let mut count = 0;
        let mut place = &kept;
        while let Some(node) = place.0.get() {
            count += 1;
            place = &node.next;
        }
        assert_eq!(count, sets.len());
    }

    #[test]
    fn what_cannot_be_made_is_tried_again() {
        let kept = BySet::default();
        assert!(kept.get_or_make(Grants::ALL, || Err(wasmtime::format_err!("not now"))).is_err());
        assert_eq!(*kept.get_or_make(Grants::ALL, || Ok(1)).unwrap(), 1);
    }
}
