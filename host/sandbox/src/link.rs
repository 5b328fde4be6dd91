//! The interfaces of `iog:guest` as wasmtime linkers, one for each set of grants: what is not granted is not there.

use std::sync::OnceLock;

use wasmtime::component::{Component, InstancePre, Linker, Resource, ResourceType};
use wasmtime::{Engine, StoreContextMut};

use crate::data;
use crate::port::{HostRequest, LogLevel, Param};
use crate::spec::Grants;
use crate::state::{RunState, ask, enter};

/// The interfaces a guest may import, by their full names.
pub const CONTEXT: &str = "iog:guest/context@0.1.0";
/// See [`CONTEXT`].
pub const DATA: &str = "iog:guest/data@0.1.0";
/// See [`CONTEXT`].
pub const LOG: &str = "iog:guest/log@0.1.0";
/// See [`CONTEXT`].
pub const PROGRESS: &str = "iog:guest/progress@0.1.0";

/// Sets of grants there are.
pub(crate) const SETS: usize = 8;

/// The place of a set of grants, below [`SETS`].
pub(crate) fn set(grants: Grants) -> usize {
    usize::from(grants.data) | (usize::from(grants.log) << 1) | (usize::from(grants.progress) << 2)
}

/// Whether `name` is an interface of `iog:guest`, and whether `grants` has it.
pub(crate) fn granted(name: &str, grants: Grants) -> Option<bool> {
    match name {
        CONTEXT => Some(true),
        DATA => Some(grants.data),
        LOG => Some(grants.log),
        PROGRESS => Some(grants.progress),
        _ => None,
    }
}

/// A linker for each set of grants, made when first needed.
#[derive(Default)]
pub(crate) struct Linkers([OnceLock<Linker<RunState>>; SETS]);

impl Linkers {
    /// Everything that can be done before a run: `component` with exactly the interfaces of `grants`.
    pub(crate) fn prepare(
        &self,
        engine: &Engine,
        component: &Component,
        grants: Grants,
    ) -> wasmtime::Result<InstancePre<RunState>> {
        let place = &self.0[set(grants)];
        let linker = match place.get() {
            Some(linker) => linker,
            None => {
                let linker = linker(engine, grants)?;
                place.get_or_init(|| linker)
            }
        };
        linker.instantiate_pre(component)
    }
}

fn linker(engine: &Engine, grants: Grants) -> wasmtime::Result<Linker<RunState>> {
    let mut linker = Linker::new(engine);
    context(&mut linker)?;
    if grants.data {
        rows(&mut linker)?;
    }
    if grants.log {
        log(&mut linker)?;
    }
    if grants.progress {
        progress(&mut linker)?;
    }
    Ok(linker)
}

type Cx<'a> = StoreContextMut<'a, RunState>;

fn context(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    let mut context = linker.instance(CONTEXT)?;
    context.func_wrap_async("provider", |mut cx: Cx<'_>, (): ()| {
        Box::new(async move {
            enter(&mut cx, 0)?;
            Ok((cx.data().provider.clone(),))
        })
    })?;
    context.func_wrap_async("entry", |mut cx: Cx<'_>, (): ()| {
        Box::new(async move {
            enter(&mut cx, 0)?;
            Ok((cx.data().entry.clone(),))
        })
    })
}

fn log(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    let mut log = linker.instance(LOG)?;
    log.func_wrap_async("write", |mut cx: Cx<'_>, (level, text): (LogLevel, String)| {
        Box::new(async move {
            enter(&mut cx, text.len())?;
            let state = cx.data_mut();
            if text.len() > state.log_left {
                state.log_left = 0;
                state.log_dropped += 1;
                return Ok(());
            }
            state.log_left -= text.len();
            ask(&cx, HostRequest::Log { level, text }).await;
            Ok(())
        })
    })
}

fn progress(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    let mut progress = linker.instance(PROGRESS)?;
    progress.func_wrap_async("report", |mut cx: Cx<'_>, (percent,): (u8,)| {
        Box::new(async move {
            enter(&mut cx, 0)?;
            let step = percent.min(100) / 10 * 10;
            if step > cx.data().progress {
                cx.data_mut().progress = step;
                ask(&cx, HostRequest::Progress { percent: step }).await;
            }
            Ok(())
        })
    })
}

/// The `rows` resource on the host's side.
pub(crate) struct Rows;

type Method = (Resource<Rows>,);
type ColumnMethod = (Resource<Rows>, u32);

fn rows(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    let mut data = linker.instance(DATA)?;
    data.resource_async("rows", ResourceType::host::<Rows>(), |cx, place| Box::new(data::close(cx, place)))?;
    data.func_wrap_async("open", |cx: Cx<'_>, (query, params): (String, Vec<Param>)| {
        Box::new(data::open(cx, query, params))
    })?;
    data.func_wrap_async("[method]rows.columns", |cx: Cx<'_>, (rows,): Method| Box::new(data::columns(cx, rows)))?;
    data.func_wrap_async("[method]rows.advance", |cx: Cx<'_>, (rows,): Method| Box::new(data::advance(cx, rows)))?;
    data.func_wrap_async("[method]rows.ints", |cx: Cx<'_>, (rows, at): ColumnMethod| {
        Box::new(async move { data::ints(cx, &rows, at) })
    })?;
    data.func_wrap_async("[method]rows.uints", |cx: Cx<'_>, (rows, at): ColumnMethod| {
        Box::new(async move { data::uints(cx, &rows, at) })
    })?;
    data.func_wrap_async("[method]rows.floats", |cx: Cx<'_>, (rows, at): ColumnMethod| {
        Box::new(async move { data::floats(cx, &rows, at) })
    })?;
    data.func_wrap_async("[method]rows.bools", |cx: Cx<'_>, (rows, at): ColumnMethod| {
        Box::new(async move { data::bools(cx, &rows, at) })
    })?;
    data.func_wrap_async("[method]rows.texts", |cx: Cx<'_>, (rows, at): ColumnMethod| {
        Box::new(async move { data::texts(cx, &rows, at) })
    })?;
    data.func_wrap_async("[method]rows.addresses", |cx: Cx<'_>, (rows, at): ColumnMethod| {
        Box::new(async move { data::addresses(cx, &rows, at) })
    })?;
    data.func_wrap_async("[method]rows.nulls", |cx: Cx<'_>, (rows, at): ColumnMethod| {
        Box::new(async move { data::nulls(cx, &rows, at) })
    })
}
