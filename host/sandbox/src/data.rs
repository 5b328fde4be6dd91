//! The functions of `iog:guest/data`: opens queries through the host's port and hands out columns, paid in fuel before
//! they are handed out.

use arrow_array::{Array, ArrayRef};
use std::sync::Arc;
use wasmtime::StoreContextMut;
use wasmtime::component::Resource;

use crate::columns::{self, Texts};
use crate::costs;
use crate::flat::Flat;
use crate::link::Rows;
use crate::meter::Stop;
use crate::port::{ColumnInfo, ColumnKind, Fault, HostAnswer, HostRequest, Param, QUERY_NAME_BYTES_MAX};
use crate::state::{BATCH_ROWS_MAX, Cursor, RunState, ask, charge, enter, hand_out};

type Cx<'a> = StoreContextMut<'a, RunState>;
type Given<T> = wasmtime::Result<(Result<T, Fault>,)>;

/// `open`
pub(crate) async fn open(mut cx: Cx<'_>, query: String, params: Vec<Param>) -> Given<Resource<Rows>> {
    enter(&mut cx, query.len() + params.iter().map(param_bytes).sum::<usize>())?;
    charge(&mut cx, costs::OPEN)?;
    if query.len() > QUERY_NAME_BYTES_MAX {
        return Ok((Err(Fault::UnknownQuery(query[..query.floor_char_boundary(QUERY_NAME_BYTES_MAX)].to_owned())),));
    }
    let handle = cx.data_mut().cursors.reserve()?;
    match ask(&cx, HostRequest::Open { handle, query, params }).await {
        HostAnswer::Opened { columns } => {
            let cursor = Cursor { handle, columns: columns.into(), waiting: None, batch: None, ended: false };
            let place = cx.data_mut().cursors.insert(cursor);
            Ok((Ok(Resource::new_own(place)),))
        }
        HostAnswer::Fault(fault) => Ok((Err(fault),)),
        other => Err(unexpected("open", &other)),
    }
}

fn param_bytes(param: &Param) -> usize {
    match param {
        Param::Text(text) => text.len(),
        Param::Int(_) | Param::Uint(_) | Param::Float(_) | Param::Flag(_) => 8,
    }
}

fn unexpected(what: &str, answer: &HostAnswer) -> wasmtime::Error {
    let found = match answer {
        HostAnswer::Opened { .. } => "opened",
        HostAnswer::Batch(_) => "batch",
        HostAnswer::Done => "done",
        HostAnswer::Fault(_) => "fault",
    };
    Stop::Host(format!("`{what}` was answered with `{found}`")).into()
}

/// The destructor of `rows`.
pub(crate) async fn close(mut cx: Cx<'_>, place: u32) -> wasmtime::Result<()> {
    let cursor = cx.data_mut().cursors.remove(place);
    enter(&mut cx, 0)?;
    if let Some(cursor) = cursor {
        ask(&cx, HostRequest::Close { handle: cursor.handle }).await;
    }
    Ok(())
}

/// `rows.columns`
pub(crate) async fn columns(mut cx: Cx<'_>, rows: Resource<Rows>) -> wasmtime::Result<(Arc<[ColumnInfo]>,)> {
    enter(&mut cx, 0)?;
    let columns = cx.data_mut().cursors.get(rows.rep())?.columns.clone();
    charge(&mut cx, columns.iter().map(|c| costs::BYTE * c.name.len() as u64).sum())?;
    Ok((columns,))
}

/// `rows.advance`
pub(crate) async fn advance(mut cx: Cx<'_>, rows: Resource<Rows>) -> Given<u32> {
    enter(&mut cx, 0)?;
    let place = rows.rep();
    cx.data_mut().cursors.get(place)?.batch = None;
    while cx.data_mut().cursors.get(place)?.waiting.is_none() {
        let cursor = cx.data_mut().cursors.get(place)?;
        if cursor.ended {
            return Ok((Ok(0),));
        }
        let handle = cursor.handle;
        match ask(&cx, HostRequest::Next { handle }).await {
            HostAnswer::Batch(batch) => {
                let cursor = cx.data_mut().cursors.get(place)?;
                cursor.ended = batch.is_none();
                cursor.waiting = batch.filter(|b| b.num_rows() > 0);
            }
            HostAnswer::Fault(fault) => {
                cx.data_mut().cursors.get(place)?.ended = true;
                return Ok((Err(fault),));
            }
            other => return Err(unexpected("next", &other)),
        }
    }
    let rows = take(cx.data_mut().cursors.get(place)?)?;
    charge(&mut cx, costs::ROW * u64::from(rows))?;
    cx.data_mut().rows += u64::from(rows);
    Ok((Ok(rows),))
}

/// Moves the next piece of the waiting batch to where the guest reads; returns its rows.
fn take(cursor: &mut Cursor) -> Result<u32, Stop> {
    let Some(waiting) = cursor.waiting.take() else { return Ok(0) };
    let rows = waiting.num_rows().min(BATCH_ROWS_MAX);
    let piece = if rows == waiting.num_rows() {
        waiting
    } else {
        cursor.waiting = Some(waiting.slice(rows, waiting.num_rows() - rows));
        waiting.slice(0, rows)
    };
    cursor.batch = Some(columns::checked(&piece, &cursor.columns).map_err(|e| Stop::Host(e.to_string()))?);
    u32::try_from(rows).map_err(|_| Stop::Host("a batch is too long".into()))
}

/// The column at `at` of the current batch, if it has one of `kinds` (any kind where that is empty).
fn column(
    cx: &mut Cx<'_>,
    rows: &Resource<Rows>,
    at: u32,
    kinds: &[ColumnKind],
) -> wasmtime::Result<Result<ArrayRef, Fault>> {
    enter(cx, 0)?;
    let cursor = cx.data_mut().cursors.get(rows.rep())?;
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
        pub(crate) fn $name(mut cx: Cx<'_>, rows: &Resource<Rows>, at: u32) -> Given<Flat<$ty>> {
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
pub(crate) fn texts(mut cx: Cx<'_>, rows: &Resource<Rows>, at: u32) -> Given<Texts> {
    let array = match column(&mut cx, rows, at, &[ColumnKind::Text, ColumnKind::Bytes])? {
        Ok(array) => array,
        Err(fault) => return Ok((Err(fault),)),
    };
    let texts = columns::texts(&array).map_err(|e| Stop::Host(e.to_string()))?;
    hand_out(&mut cx, texts.offsets.bytes() + texts.bytes.bytes())?;
    Ok((Ok(texts),))
}

/// `rows.nulls`
pub(crate) fn nulls(mut cx: Cx<'_>, rows: &Resource<Rows>, at: u32) -> Given<Flat<u8>> {
    let array = match column(&mut cx, rows, at, &[])? {
        Ok(array) => array,
        Err(fault) => return Ok((Err(fault),)),
    };
    let nulls = columns::nulls(&array);
    hand_out(&mut cx, nulls.bytes())?;
    Ok((Ok(nulls),))
}
