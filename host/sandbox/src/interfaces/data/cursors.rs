//! The queries that a run has open, as the guest's `rows` resources.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};

use super::columns::checked;
use super::messages::ColumnInfo;
use crate::meter::Stop;

/// Rows a guest gets at once; a larger batch of the host is handed out in pieces.
const BATCH_ROWS_MAX: usize = 65_536;

/// An open query, as the guest's `rows` resource.
pub(super) struct Cursor {
    pub(super) handle: u32,
    pub(super) columns: Arc<[ColumnInfo]>,
    /// What the host gave and the guest has not advanced over.
    pub(super) waiting: Option<RecordBatch>,
    /// The columns of the batch the guest is at.
    pub(super) batch: Option<Vec<ArrayRef>>,
    /// The host said that there is nothing more.
    pub(super) ended: bool,
}

impl Cursor {
    /// A query that has begun.
    pub(super) fn new(handle: u32, columns: Vec<ColumnInfo>) -> Self {
        Self { handle, columns: columns.into(), waiting: None, batch: None, ended: false }
    }

    /// Moves the next piece of the waiting batch to where the guest reads; returns its rows.
    pub(super) fn take(&mut self) -> Result<u32, Stop> {
        let Some(waiting) = self.waiting.take() else { return Ok(0) };
        let rows = waiting.num_rows().min(BATCH_ROWS_MAX);
        let piece = if rows == waiting.num_rows() {
            waiting
        } else {
            self.waiting = Some(waiting.slice(rows, waiting.num_rows() - rows));
            waiting.slice(0, rows)
        };
        self.batch = Some(checked(&piece, &self.columns).map_err(|e| Stop::Host(e.to_string()))?);
        u32::try_from(rows).map_err(|_| Stop::Host("a batch is too long".into()))
    }
}

/// The cursors of a run. A place is used again, a handle never.
pub(super) struct Cursors {
    places: Vec<Option<Cursor>>,
    open: usize,
    open_max: usize,
    next_handle: u32,
}

impl Cursors {
    pub(super) fn new(open_max: u32) -> Self {
        Self { places: Vec::new(), open: 0, open_max: open_max as usize, next_handle: 1 }
    }

    /// A handle for a query that is about to be opened.
    pub(super) fn reserve(&mut self) -> Result<u32, Stop> {
        if self.open >= self.open_max {
            return Err(Stop::Handles);
        }
        let handle = self.next_handle;
        self.next_handle = handle.checked_add(1).ok_or(Stop::Handles)?;
        Ok(handle)
    }

    /// Keeps a cursor; its place is what the guest's resource stands for.
    pub(super) fn insert(&mut self, cursor: Cursor) -> u32 {
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

    pub(super) fn get(&mut self, place: u32) -> Result<&mut Cursor, Stop> {
        let cursor = self.places.get_mut(place as usize).and_then(Option::as_mut);
        cursor.ok_or_else(|| Stop::Host(format!("cursor {place} is not open")))
    }

    pub(super) fn remove(&mut self, place: u32) -> Option<Cursor> {
        let cursor = self.places.get_mut(place as usize)?.take()?;
        self.open -= 1;
        Some(cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_used_again_and_a_handle_never() {
        let mut cursors = Cursors::new(2);
        let handles: Vec<_> = (0..2).map(|_| cursors.reserve().unwrap()).collect();
        let places: Vec<_> = handles.iter().map(|handle| cursors.insert(Cursor::new(*handle, Vec::new()))).collect();
        assert_eq!((handles, places), (vec![1, 2], vec![0, 1]));
        assert_eq!(cursors.reserve(), Err(Stop::Handles));
        assert_eq!(cursors.remove(0).map(|cursor| cursor.handle), Some(1));
        assert!(cursors.get(0).is_err() && cursors.remove(0).is_none());
        let handle = cursors.reserve().unwrap();
        assert_eq!((handle, cursors.insert(Cursor::new(handle, Vec::new()))), (3, 0));
    }
}
