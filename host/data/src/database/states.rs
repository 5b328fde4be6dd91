//! The states of databases that one run sees: each is taken once, before the first row is read, and every scan of the run
//! reads it. Tables of one database that are pinned together are seen in one state.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::place::Place;
use super::{Database, State};
use crate::error::DataError;

/// What the clones of one [`crate::QueryLimits`] hold of databases; it ends with the last of them. A default one is new.
#[derive(Clone, Default)]
pub struct SharedStates(Arc<Mutex<HashMap<Place, State>>>);

impl std::fmt::Debug for SharedStates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedStates")
    }
}

impl SharedStates {
    /// Takes the state of every database that is not held yet; those of one place together.
    pub(crate) async fn pin(&self, databases: &[&Database]) -> Result<(), DataError> {
        let mut held = self.0.lock().await;
        for database in databases {
            let place = database.place();
            if held.contains_key(&place) {
                continue;
            }
            let together: Vec<&Database> = databases.iter().copied().filter(|other| other.place() == place).collect();
            let state = database.state(&together).await?;
            held.insert(place, state);
        }
        Ok(())
    }

    /// The state of one database, taken now if it is not held.
    pub(crate) async fn of(&self, database: &Database) -> Result<State, DataError> {
        self.pin(&[database]).await?;
        let held = self.0.lock().await;
        held.get(&database.place()).cloned().ok_or_else(|| DataError::Internal {
            what: "a database".into(),
            reason: "its state was taken and is not there".into(),
        })
    }
}
