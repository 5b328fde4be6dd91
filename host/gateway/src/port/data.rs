//! Serves `iog:guest/data` from the planned queries of a run. A guest learns that data are not there, never why; the
//! reason goes to the operators' log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use iog_data::{Planned, QueryError, QueryLimits, Rows, Value};
use iog_protocol::ids::RequestId;
use iog_sandbox::{ColumnInfo, ColumnKind, DataAnswer, DataRequest, Fault, Param};

/// The queries of one run.
pub(super) struct DataPort {
    planned: Option<Arc<Planned>>,
    limits: QueryLimits,
    cursors: Mutex<HashMap<u32, Arc<tokio::sync::Mutex<Rows>>>>,
}

impl DataPort {
    /// Without `planned` nothing is granted.
    pub(super) fn new(planned: Option<Arc<Planned>>, limits: QueryLimits) -> Self {
        Self { planned, limits, cursors: Mutex::default() }
    }

    pub(super) async fn answer(&self, run: &RequestId, request: DataRequest) -> DataAnswer {
        match request {
            DataRequest::Open { handle, query, params } => self.open(run, handle, &query, params).await,
            DataRequest::Next { handle } => self.next(run, handle).await,
            DataRequest::Close { handle } => {
                self.cursors().remove(&handle);
                DataAnswer::Closed
            }
        }
    }

    async fn open(&self, run: &RequestId, handle: u32, query: &str, params: Vec<Param>) -> DataAnswer {
        let Some(planned) = &self.planned else { return DataAnswer::Fault(Fault::NotGranted) };
        let Some(declared) = planned.query(query) else {
            return DataAnswer::Fault(Fault::UnknownQuery(query.to_owned()));
        };
        let columns = declared.columns().iter().map(|(name, ty)| column(name, *ty)).collect();
        let values = params.into_iter().map(value).collect();
        match planned.open(query, values, self.limits.clone()).await {
            Ok(rows) => {
                self.cursors().insert(handle, Arc::new(tokio::sync::Mutex::new(rows)));
                DataAnswer::Opened { columns }
            }
            Err(error) => DataAnswer::Fault(fault(run, &error)),
        }
    }

    async fn next(&self, run: &RequestId, handle: u32) -> DataAnswer {
        let cursor = self.cursors().get(&handle).map(Arc::clone);
        let Some(cursor) = cursor else { return DataAnswer::Fault(Fault::Unavailable) };
        let next = cursor.lock().await.next().await;
        match next {
            Ok(batch) => DataAnswer::Batch(batch),
            Err(error) => DataAnswer::Fault(fault(run, &error)),
        }
    }

    fn cursors(&self) -> std::sync::MutexGuard<'_, HashMap<u32, Arc<tokio::sync::Mutex<Rows>>>> {
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fault(run: &RequestId, error: &QueryError) -> Fault {
    match error {
        QueryError::UnknownQuery { query } => Fault::UnknownQuery(query.clone()),
        QueryError::ParamCount { .. } | QueryError::BadParam { .. } => Fault::BadParam(error.to_string()),
        _ => {
            tracing::warn!(run = %run, problem = iog_machine::error::chain(error), "a query failed");
            Fault::Unavailable
        }
    }
}

fn column(name: &str, ty: iog_data::ColumnType) -> ColumnInfo {
    let kind = match ty {
        iog_data::ColumnType::Timestamp | iog_data::ColumnType::Int => ColumnKind::Int,
        iog_data::ColumnType::Uint => ColumnKind::Uint,
        iog_data::ColumnType::Float => ColumnKind::Float,
        iog_data::ColumnType::Flag => ColumnKind::Boolean,
        iog_data::ColumnType::Text => ColumnKind::Text,
        iog_data::ColumnType::Bytes => ColumnKind::Bytes,
        iog_data::ColumnType::Address => ColumnKind::Address,
    };
    ColumnInfo { name: name.to_owned(), kind }
}

fn value(param: Param) -> Value {
    match param {
        Param::Text(text) => Value::Text(text),
        Param::Int(int) => Value::Int(int),
        Param::Uint(uint) => Value::Uint(uint),
        Param::Float(float) => Value::Float(float),
        Param::Flag(flag) => Value::Flag(flag),
    }
}
