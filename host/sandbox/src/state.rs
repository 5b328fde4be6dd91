//! What belongs to one run while it runs: the meter, its open cursors and the way to its host.

use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, RecordBatch};
use wasmtime::{AsContextMut, StoreContextMut, Trap};

use crate::costs;
use crate::meter::{MemoryMeter, Stop};
use crate::port::{ColumnInfo, HostAnswer, HostPort, HostRequest};
use crate::spec::{CancelFlag, Provider};

/// Rows a guest gets at once; a larger batch of the host is handed out in pieces.
pub(crate) const BATCH_ROWS_MAX: usize = 65_536;

/// The data of a run's store.
pub(crate) struct RunState {
    pub(crate) memory: MemoryMeter,
    pub(crate) provider: Provider,
    pub(crate) entry: Arc<str>,
    pub(crate) host: Arc<dyn HostPort>,
    pub(crate) cancel: CancelFlag,
    pub(crate) deadline: Instant,
    pub(crate) host_calls_max: u64,
    pub(crate) host_calls: u64,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) log_left: usize,
    pub(crate) log_dropped: u64,
    pub(crate) progress: u8,
    pub(crate) cursors: Cursors,
}

/// An open query, as the guest's `rows` resource.
pub(crate) struct Cursor {
    pub(crate) handle: u32,
    pub(crate) columns: Arc<[ColumnInfo]>,
    /// What the host gave and the guest has not advanced over.
    pub(crate) waiting: Option<RecordBatch>,
    /// The columns of the batch the guest is at.
    pub(crate) batch: Option<Vec<ArrayRef>>,
    /// The host said that there is nothing more.
    pub(crate) ended: bool,
}

/// The cursors of a run. A place is used again, a handle never.
pub(crate) struct Cursors {
    places: Vec<Option<Cursor>>,
    open: usize,
    open_max: usize,
    next_handle: u32,
}

impl Cursors {
    pub(crate) fn new(open_max: u32) -> Self {
        Self { places: Vec::new(), open: 0, open_max: open_max as usize, next_handle: 1 }
    }

    /// A handle for a query that is about to be opened.
    pub(crate) fn reserve(&mut self) -> Result<u32, Stop> {
        if self.open >= self.open_max {
            return Err(Stop::Handles);
        }
        let handle = self.next_handle;
        self.next_handle = handle.checked_add(1).ok_or(Stop::Handles)?;
        Ok(handle)
    }

    /// Keeps a cursor; its place is what the guest's resource stands for.
    pub(crate) fn insert(&mut self, cursor: Cursor) -> u32 {
        self.open += 1;
        let place = match self.places.iter().position(Option::is_none) {
            Some(free) => {
                self.places[free] = Some(cursor);
                free
            }
            None => {
                self.places.push(Some(cursor));
                self.places.len() - 1
            }
        };
        u32::try_from(place).expect("cursors are at most a u32 of handles")
    }

    pub(crate) fn get(&mut self, place: u32) -> Result<&mut Cursor, Stop> {
        let cursor = self.places.get_mut(place as usize).and_then(Option::as_mut);
        cursor.ok_or_else(|| Stop::Host(format!("cursor {place} is not open")))
    }

    pub(crate) fn remove(&mut self, place: u32) -> Option<Cursor> {
        let cursor = self.places.get_mut(place as usize)?.take()?;
        self.open -= 1;
        Some(cursor)
    }
}

/// Counts a host call, checks whether the run may go on, and charges for the call and `bytes` of arguments.
pub(crate) fn enter(store: &mut StoreContextMut<'_, RunState>, bytes: usize) -> wasmtime::Result<()> {
    let state = store.data_mut();
    if state.host_calls >= state.host_calls_max {
        return Err(Stop::HostCalls.into());
    }
    state.host_calls += 1;
    if state.cancel.is_cancelled() {
        return Err(Stop::Cancelled.into());
    }
    if now() >= state.deadline {
        return Err(Stop::Time.into());
    }
    charge(store, costs::HOST_CALL + costs::BYTE * bytes as u64)
}

/// Takes `cost` from the fuel; a run that cannot pay ends as if its own instructions had used the fuel up.
pub(crate) fn charge(store: &mut StoreContextMut<'_, RunState>, cost: u64) -> wasmtime::Result<()> {
    let mut store = store.as_context_mut();
    match store.get_fuel()?.checked_sub(cost) {
        Some(left) => store.set_fuel(left),
        None => {
            store.set_fuel(0)?;
            Err(Trap::OutOfFuel.into())
        }
    }
}

/// Charges for bytes handed to the guest and counts them.
pub(crate) fn hand_out(store: &mut StoreContextMut<'_, RunState>, bytes: u64) -> wasmtime::Result<()> {
    charge(store, costs::BYTE.saturating_mul(bytes))?;
    let state = store.data_mut();
    state.bytes = state.bytes.saturating_add(bytes);
    Ok(())
}

/// Asks the host. The future borrows nothing of the store, so the run can be dropped while it waits.
pub(crate) async fn ask(store: &StoreContextMut<'_, RunState>, request: HostRequest) -> HostAnswer {
    let host = store.data().host.clone();
    host.call(request).await
}

/// The clock of deadlines and usage; results never depend on it.
pub(crate) fn now() -> Instant {
    Instant::now()
}
