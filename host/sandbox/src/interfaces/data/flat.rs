//! Lowers Arrow buffers into guest memory as one flat list, without a copy on the host's side. The only unsafe code of
//! the platform: wasmtime's `Lower` is an unsafe trait and has no implementation for foreign slices.
#![expect(unsafe_code, reason = "`ComponentType` and `Lower` are unsafe traits; both impls only delegate to `[T]`")]

use std::mem::MaybeUninit;

use arrow_buffer::{ArrowNativeType, ScalarBuffer};
use wasmtime::component::__internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LowerContext};
use wasmtime::component::{ComponentType, Lower};

/// A `list<T>` whose elements lie in an Arrow buffer (shared, not copied).
#[derive(Clone, Debug)]
pub(super) struct Flat<T: ArrowNativeType>(pub(super) ScalarBuffer<T>);

impl<T: ArrowNativeType> From<Vec<T>> for Flat<T> {
    fn from(values: Vec<T>) -> Self {
        Self(values.into())
    }
}

impl<T: ArrowNativeType> Flat<T> {
    /// Size in guest memory, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        std::mem::size_of_val::<[T]>(&self.0) as u64
    }
}

// SAFETY: the ABI, the flat form and the type check are exactly those of `[T]`, to which every method delegates.
unsafe impl<T: ArrowNativeType + ComponentType> ComponentType for Flat<T> {
    type Lower = <[T] as ComponentType>::Lower;

    const ABI: CanonicalAbiInfo = <[T] as ComponentType>::ABI;
    const MAY_REQUIRE_REALLOC: bool = <[T] as ComponentType>::MAY_REQUIRE_REALLOC;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> wasmtime::Result<()> {
        <[T] as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: both methods write what `[T]` writes, for the slice the buffer dereferences to.
unsafe impl<T: ArrowNativeType + Lower> Lower for Flat<T> {
    fn linear_lower_to_flat<U>(
        &self,
        cx: &mut LowerContext<'_, U>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<Self::Lower>,
    ) -> wasmtime::Result<()> {
        <[T] as Lower>::linear_lower_to_flat(&self.0, cx, ty, dst)
    }

    fn linear_lower_to_memory<U>(
        &self,
        cx: &mut LowerContext<'_, U>,
        ty: InterfaceType,
        offset: usize,
    ) -> wasmtime::Result<()> {
        <[T] as Lower>::linear_lower_to_memory(&self.0, cx, ty, offset)
    }
}
