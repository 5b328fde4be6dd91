//! `iog:guest/data`: opens declared queries through the host's port and hands out columns, paid in fuel before they are
//! handed out.

mod columns;
mod cursors;
mod flat;
mod messages;

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use wasmtime::component::{Linker, Resource, ResourceType};

use self::columns::Texts;
use self::cursors::{Cursor, Cursors};
use self::flat::Flat;
pub use self::messages::{ColumnInfo, ColumnKind, DataAnswer, DataRequest, Fault, Param, QUERY_NAME_BYTES_MAX};
use crate::costs;
use crate::limits::Limits;
use crate::meter::Stop;
use crate::state::{Asks, Cx, Keeps, Run, charge, enter};

/// The interface's full name.
pub(crate) const NAME: &str = "iog:guest/data@0.1.0";

/// What a run has open and was given.
pub(crate) struct State {
    cursors: Cursors,
    /// Rows the guest advanced over.
    pub(crate) rows: u64,
    /// Bytes of columns handed to the guest.
    pub(crate) bytes: u64,
}

impl State {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { cursors: Cursors::new(limits.queries.min(limits.handles)), rows: 0, bytes: 0 }
    }
}

/// The `rows` resource on the host's side.
struct Rows;

/// What the functions here need of a run.
pub(crate) trait Room: Keeps<State> + Asks<DataRequest, Answer = DataAnswer> {}

impl<S: Keeps<State> + Asks<DataRequest, Answer = DataAnswer>> Room for S {}

type Given<T> = wasmtime::Result<(Result<T, Fault>,)>;
type Method = (Resource<Rows>,);
type ColumnMethod = (Resource<Rows>, u32);

/// Adds the interface.
pub(crate) fn link<S: Room>(linker: &mut Linker<Run<S>>) -> wasmtime::Result<()> {
    let mut data = linker.instance(NAME)?;
    data.resource_async("rows", ResourceType::host::<Rows>(), |cx, place| Box::new(close(cx, place)))?;
    data.func_wrap_async("open", |cx: Cx<'_, S>, (query, params): (String, Vec<Param>)| {
        Box::new(open(cx, query, params))
    })?;
    data.func_wrap_async("[method]rows.columns", |cx: Cx<'_, S>, (rows,): Method| Box::new(columns(cx, rows)))?;
    data.func_wrap_async("[method]rows.advance", |cx: Cx<'_, S>, (rows,): Method| Box::new(advance(cx, rows)))?;
    data.func_wrap_async("[method]rows.ints", |cx: Cx<'_, S>, (rows, at): ColumnMethod| {
        Box::new(async move { ints(cx, &rows, at) })
    })?;
    data.func_wrap_async("[method]rows.uints", |cx: Cx<'_, S>, (rows, at): ColumnMethod| {
        Box::new(async move { uints(cx, &rows, at) })
    })?;
    data.func_wrap_async("[method]rows.floats", |cx: Cx<'_, S>, (rows, at): ColumnMethod| {
        Box::new(async move { floats(cx, &rows, at) })
    })?;
    data.func_wrap_async("[method]rows.bools", |cx: Cx<'_, S>, (rows, at): ColumnMethod| {
        Box::new(async move { bools(cx, &rows, at) })
    })?;
    data.func_wrap_async("[method]rows.texts", |cx: Cx<'_, S>, (rows, at): ColumnMethod| {
        Box::new(async move { texts(cx, &rows, at) })
    })?;
    data.func_wrap_async("[method]rows.addresses", |cx: Cx<'_, S>, (rows, at): ColumnMethod| {
        Box::new(async move { addresses(cx, &rows, at) })
    })?;
    data.func_wrap_async("[method]rows.nulls", |cx: Cx<'_, S>, (rows, at): ColumnMethod| {
        Box::new(async move { nulls(cx, &rows, at) })
    })
}

fn cursors<'a, S: Room>(cx: &'a mut Cx<'_, S>) -> &'a mut Cursors {
    &mut cx.data_mut().interfaces.kept().cursors
}

/// Charges for bytes handed to the guest and counts them.
fn hand_out<S: Room>(cx: &mut Cx<'_, S>, bytes: u64) -> wasmtime::Result<()> {
    charge(cx, costs::BYTE.saturating_mul(bytes))?;
    let state = cx.data_mut().interfaces.kept();
    state.bytes = state.bytes.saturating_add(bytes);
    Ok(())
}

/// `open`
async fn open<S: Room>(mut cx: Cx<'_, S>, query: String, params: Vec<Param>) -> Given<Resource<Rows>> {
    enter(&mut cx, query.len() + params.iter().map(param_bytes).sum::<usize>())?;
    charge(&mut cx, costs::OPEN)?;
    if query.len() > QUERY_NAME_BYTES_MAX {
        return Ok((Err(Fault::UnknownQuery(query[..query.floor_char_boundary(QUERY_NAME_BYTES_MAX)].to_owned())),));
    }
    let handle = cursors(&mut cx).reserve()?;
    match cx.data().interfaces.ask(DataRequest::Open { handle, query, params }).await? {
        DataAnswer::Opened { columns } => {
            let place = cursors(&mut cx).insert(Cursor::new(handle, columns));
            Ok((Ok(Resource::new_own(place)),))
        }
        DataAnswer::Fault(fault) => Ok((Err(fault),)),
        other => Err(unexpected("open", &other)),
    }
}

fn param_bytes(param: &Param) -> usize {
    match param {
        Param::Text(text) => text.len(),
        Param::Int(_) | Param::Uint(_) | Param::Float(_) | Param::Flag(_) => 8,
    }
}

fn unexpected(what: &str, answer: &DataAnswer) -> wasmtime::Error {
    Stop::Host(format!("`{what}` was answered with `{}`", answer.word())).into()
}

/// The destructor of `rows`.
async fn close<S: Room>(mut cx: Cx<'_, S>, place: u32) -> wasmtime::Result<()> {
    let cursor = cursors(&mut cx).remove(place);
    enter(&mut cx, 0)?;
    if let Some(cursor) = cursor {
        cx.data().interfaces.ask(DataRequest::Close { handle: cursor.handle }).await?;
    }
    Ok(())
}

/// `rows.columns`
async fn columns<S: Room>(mut cx: Cx<'_, S>, rows: Resource<Rows>) -> wasmtime::Result<(Arc<[ColumnInfo]>,)> {
    enter(&mut cx, 0)?;
    let columns = cursors(&mut cx).get(rows.rep())?.columns.clone();
    charge(&mut cx, columns.iter().map(|c| costs::BYTE * c.name.len() as u64).sum())?;
    Ok((columns,))
}

/// `rows.advance`
async fn advance<S: Room>(mut cx: Cx<'_, S>, rows: Resource<Rows>) -> Given<u32> {
    enter(&mut cx, 0)?;
    let place = rows.rep();
    cursors(&mut cx).get(place)?.batch = None;
    while cursors(&mut cx).get(place)?.waiting.is_none() {
        let cursor = cursors(&mut cx).get(place)?;
        if cursor.ended {
            return Ok((Ok(0),));
        }
        let handle = cursor.handle;
        match cx.data().interfaces.ask(DataRequest::Next { handle }).await? {
            DataAnswer::Batch(batch) => {
                let cursor = cursors(&mut cx).get(place)?;
                cursor.ended = batch.is_none();
                cursor.waiting = batch.filter(|b| b.num_rows() > 0);
            }
            DataAnswer::Fault(fault) => {
                cursors(&mut cx).get(place)?.ended = true;
                return Ok((Err(fault),));
            }
            other => return Err(unexpected("next", &other)),
        }
    }
    let rows = cursors(&mut cx).get(place)?.take()?;
    charge(&mut cx, costs::ROW * u64::from(rows))?;
    cx.data_mut().interfaces.kept().rows += u64::from(rows);
    Ok((Ok(rows),))
}

/// The column at `at` of the current batch, if it has one of `kinds` (any kind where that is empty).
fn column<S: Room>(
    cx: &mut Cx<'_, S>,
    rows: &Resource<Rows>,
    at: u32,
    kinds: &[ColumnKind],
) -> wasmtime::Result<Result<ArrayRef, Fault>> {
    enter(cx, 0)?;
    let cursor = cursors(cx).get(rows.rep())?;
    let Some(info) = cursor.columns.get(at as usize) else {
        return Ok(Err(Fault::BadColumn(format!("there is no column {at}"))));
    };
    if !kinds.is_empty() && !kinds.contains(&info.kind) {
        return Ok(Err(Fault::BadColumn(format!("column {at} is of kind {:?}", info.kind).to_lowercase())));
    }
    match &cursor.batch {
        Some(batch) => Ok(Ok(batch[at as usize].clone())),
        None => Ok(Err(Fault::BadColumn("there is no batch: call `advance` first".into()))),
    }
}

/// A column method whose size is known before it is built.
macro_rules! flat_column {
    ($(#[$doc:meta])* $name:ident, $kind:ident, $ty:ty, $width:expr) => {
        $(#[$doc])*
        fn $name<S: Room>(mut cx: Cx<'_, S>, rows: &Resource<Rows>, at: u32) -> Given<Flat<$ty>> {
            let array = match column(&mut cx, rows, at, &[ColumnKind::$kind])? {
                Ok(array) => array,
                Err(fault) => return Ok((Err(fault),)),
            };
            hand_out(&mut cx, array.len() as u64 * $width)?;
            Ok((Ok(columns::$name(&array)),))
        }
    };
}

flat_column!(
    /// `rows.ints`
    ints, Int, i64, 8
);
flat_column!(
    /// `rows.uints`
    uints, Uint, u64, 8
);
flat_column!(
    /// `rows.floats`
    floats, Float, f64, 8
);
flat_column!(
    /// `rows.bools`
    bools, Boolean, u8, 1
);
flat_column!(
    /// `rows.addresses`
    addresses, Address, u8, 16
);

/// `rows.texts`
fn texts<S: Room>(mut cx: Cx<'_, S>, rows: &Resource<Rows>, at: u32) -> Given<Texts> {
    let array = match column(&mut cx, rows, at, &[ColumnKind::Text, ColumnKind::Bytes])? {
        Ok(array) => array,
        Err(fault) => return Ok((Err(fault),)),
    };
    let texts = columns::texts(&array).map_err(|e| Stop::Host(e.to_string()))?;
    hand_out(&mut cx, texts.offsets.bytes() + texts.bytes.bytes())?;
    Ok((Ok(texts),))
}

/// `rows.nulls`
fn nulls<S: Room>(mut cx: Cx<'_, S>, rows: &Resource<Rows>, at: u32) -> Given<Flat<u8>> {
    let array = match column(&mut cx, rows, at, &[])? {
        Ok(array) => array,
        Err(fault) => return Ok((Err(fault),)),
    };
    let nulls = columns::nulls(&array);
    hand_out(&mut cx, nulls.bytes())?;
    Ok((Ok(nulls),))
}
