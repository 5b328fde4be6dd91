//! Where sandbox and data meet: one run's host, which answers its requests from the planned queries it was granted. A guest
//! learns that data are not there, never why; the reason goes to the operator's log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use iog_data::{Planned, QueryError, QueryLimits, Rows, Value};
use iog_protocol::ids::RequestId;
use iog_sandbox::{ColumnInfo, ColumnKind, Fault, HostAnswer, HostPort, HostRequest, LogLevel, Param};

/// Characters of a guest's log message that are kept.
const LOG_CHARS_MAX: usize = 1_024;

/// Serves one run from planned queries.
pub struct DataPort {
    planned: Option<Arc<Planned>>,
    limits: QueryLimits,
    run: RequestId,
    cursors: Mutex<HashMap<u32, Arc<tokio::sync::Mutex<Rows>>>>,
}

impl DataPort {
    /// A host for the run `run`. Without `planned` nothing is granted.
    #[must_use]
    pub fn new(planned: Option<Arc<Planned>>, limits: QueryLimits, run: RequestId) -> Self {
        Self { planned, limits, run, cursors: Mutex::default() }
    }

    async fn open(&self, handle: u32, query: &str, params: Vec<Param>) -> HostAnswer {
        let Some(planned) = &self.planned else { return HostAnswer::Fault(Fault::NotGranted) };
        let Some(declared) = planned.query(query) else {
            return HostAnswer::Fault(Fault::UnknownQuery(query.to_owned()));
        };
        let columns = declared.columns().iter().map(|(name, ty)| column(name, *ty)).collect();
        let values = params.into_iter().map(value).collect();
        match planned.open(query, values, self.limits.clone()).await {
            Ok(rows) => {
                self.cursors().insert(handle, Arc::new(tokio::sync::Mutex::new(rows)));
                HostAnswer::Opened { columns }
            }
            Err(error) => self.fault(&error),
        }
    }

    async fn next(&self, handle: u32) -> HostAnswer {
        let cursor = self.cursors().get(&handle).map(Arc::clone);
        let Some(cursor) = cursor else { return HostAnswer::Fault(Fault::Unavailable) };
        let next = cursor.lock().await.next().await;
        match next {
            Ok(batch) => HostAnswer::Batch(batch),
            Err(error) => self.fault(&error),
        }
    }

    fn fault(&self, error: &QueryError) -> HostAnswer {
        let fault = match error {
            QueryError::UnknownQuery { query } => Fault::UnknownQuery(query.clone()),
            QueryError::ParamCount { .. } | QueryError::BadParam { .. } => Fault::BadParam(error.to_string()),
            _ => {
                tracing::warn!(run = %self.run, problem = iog_machine::error::chain(error), "a query failed");
                Fault::Unavailable
            }
        };
        HostAnswer::Fault(fault)
    }

    fn log(&self, level: LogLevel, text: &str) {
        let message: String = text.chars().take(LOG_CHARS_MAX).flat_map(char::escape_default).collect();
        match level {
            LogLevel::Debug => tracing::debug!(target: "iog_guest", run = %self.run, message),
            LogLevel::Info => tracing::info!(target: "iog_guest", run = %self.run, message),
            LogLevel::Warn | LogLevel::Error => tracing::warn!(target: "iog_guest", run = %self.run, message),
        }
    }

    fn cursors(&self) -> std::sync::MutexGuard<'_, HashMap<u32, Arc<tokio::sync::Mutex<Rows>>>> {
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl HostPort for DataPort {
    async fn call(&self, request: HostRequest) -> HostAnswer {
        match request {
            HostRequest::Open { handle, query, params } => self.open(handle, &query, params).await,
            HostRequest::Next { handle } => self.next(handle).await,
            HostRequest::Close { handle } => {
                self.cursors().remove(&handle);
                HostAnswer::Done
            }
            HostRequest::Log { level, text } => {
                self.log(level, &text);
                HostAnswer::Done
            }
            HostRequest::Progress { percent } => {
                tracing::debug!(run = %self.run, percent, "progress");
                HostAnswer::Done
            }
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
