//! `iog:guest/context`: where the analysis runs. Always linked, for it says nothing that the caller does not know; asks
//! the host nothing and keeps nothing: provider and entry belong to the run.

use wasmtime::component::Linker;

use crate::state::{Cx, Run, enter};

/// The interface's full name.
pub(crate) const NAME: &str = "iog:guest/context@0.1.0";

/// Adds the interface.
pub(crate) fn link<S: Send + 'static>(linker: &mut Linker<Run<S>>) -> wasmtime::Result<()> {
    let mut context = linker.instance(NAME)?;
    context.func_wrap_async("provider", |mut cx: Cx<'_, S>, (): ()| {
        Box::new(async move {
            enter(&mut cx, 0)?;
            Ok((cx.data().provider.clone(),))
        })
    })?;
    context.func_wrap_async("entry", |mut cx: Cx<'_, S>, (): ()| {
        Box::new(async move {
            enter(&mut cx, 0)?;
            Ok((cx.data().entry.clone(),))
        })
    })
}
