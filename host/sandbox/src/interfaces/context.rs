//! `iog:guest/context`: where the analysis runs. Always linked, for it says nothing that the caller does not know; asks
//! the host nothing and keeps nothing: provider and entry belong to the run.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Linker, Lower};

use crate::state::{RunState, enter};

/// The interface's full name.
pub(crate) const NAME: &str = "iog:guest/context@0.1.0";

/// The provider of a run, as the registry states it (`iog:guest/context.provider`).
#[derive(Clone, Debug, Default, PartialEq, Eq, ComponentType, Lower)]
#[component(record)]
pub struct Provider {
    /// Domain id.
    #[component(name = "domain")]
    pub domain: String,
    /// The domain's first AS number, where it has one.
    #[component(name = "asn")]
    pub asn: Option<u32>,
}

/// Adds the interface.
pub(crate) fn link(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    let mut context = linker.instance(NAME)?;
    context.func_wrap_async("provider", |mut cx: StoreContextMut<'_, RunState>, (): ()| {
        Box::new(async move {
            enter(&mut cx, 0)?;
            Ok((cx.data().provider.clone(),))
        })
    })?;
    context.func_wrap_async("entry", |mut cx: StoreContextMut<'_, RunState>, (): ()| {
        Box::new(async move {
            enter(&mut cx, 0)?;
            Ok((cx.data().entry.clone(),))
        })
    })
}
