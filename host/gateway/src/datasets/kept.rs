//! One dataset of a gateway: when it was looked at last, what came of it, and the look that is under way. Whoever needs the
//! dataset starts a look or joins the one that is under way, so there is never more than one: what hangs in a file system or a
//! database hangs once, and nobody but those who need it waits for it.

use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use iog_machine::error::chain;
use iog_protocol::ids::DatasetName;

use super::bound::Bound;
use super::open::open_one;
use crate::config::DatasetConfig;

/// The dataset, or why it cannot be used, for the operator.
pub(super) type Looked = Result<Bound, Arc<str>>;

/// A look, which goes on when nobody waits for it any more, and afterwards what came of it.
type Look = Shared<BoxFuture<'static, Looked>>;

/// One dataset.
#[derive(Debug)]
pub(super) struct Kept {
    name: DatasetName,
    config: DatasetConfig,
    last: Mutex<Option<Look>>,
}

impl Kept {
    /// A dataset that nobody has looked at yet.
    pub(super) fn new(name: DatasetName, config: DatasetConfig) -> Self {
        Self { name, config, last: Mutex::new(None) }
    }

    /// Joins the look that is under way, else starts one: the dataset is opened if it is not open or has changed.
    pub(super) fn look(&self) -> Look {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match last.as_ref().map(|look| (look, look.clone().now_or_never())) {
            Some((under_way, None)) => return under_way.clone(),
            Some((_, looked)) => looked,
            None => None,
        };
        let looking = tokio::spawn(look(self.name.clone(), self.config.clone(), before));
        let look = looking.map(|looked| looked.unwrap_or_else(|error| Err(error.to_string().into()))).boxed().shared();
        last.insert(look).clone()
    }

    /// Why it cannot be used; nothing where it can, and where nobody has needed it.
    pub(super) fn problem(&self) -> Option<Arc<str>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        last.now_or_never().map_or_else(|| Some("it is still being opened".into()), Result::err)
    }
}

/// Keeps what is open and has not changed; opens it otherwise. What is new is said to the operator.
async fn look(name: DatasetName, config: DatasetConfig, before: Option<Looked>) -> Looked {
    if let Some(Ok(bound)) = &before
        && bound.data.is_current().await
    {
        return Ok(bound.clone());
    }
    let opened: Looked = open_one(name.as_str(), &config).await.map_err(|error| chain(&error).into());
    match (&opened, before.and_then(Result::err)) {
        (Ok(bound), _) => tracing::info!(dataset = %name, schema = bound.schema, "dataset is open"),
        (Err(problem), Some(known)) if *problem == known => {
            tracing::debug!(dataset = %name, %problem, "dataset can still not be used");
        }
        (Err(problem), _) => tracing::warn!(dataset = %name, %problem, "dataset cannot be used"),
    }
    opened
}
