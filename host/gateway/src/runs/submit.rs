//! From a request whose sender is known to its answer, or as far as it gets in the time given: what can be told at once
//! (path, service, refusals of late), then a place in the queue, then the hand-over to its lifecycle.

use std::sync::Arc;
use std::time::Duration;

use iog_protocol::ids::{RequestId, ServiceName};

use super::lifecycle::{Destination, Lifecycle, LifecycleError, new_run};
use super::under_way::Stage;
use crate::admit::{self, Authenticated};
use crate::identity::{NotAccepted, Shown, identify};
use crate::journal::{self, Begin};
use crate::queue::{FairQueue, Full};
use crate::refusals::{Refusals, TooMany};
use crate::services::Services;
use crate::vantage::Vantage;

/// What a caller gets at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// The bytes of a [`iog_protocol::run::RunAnswer`].
    Answer(Vec<u8>),
    /// It goes on; its answer can be had under its id.
    UnderWay {
        /// The id.
        id: RequestId,
        /// How far it is.
        stage: Stage,
    },
}

/// Why a request got no answer of its own.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// It was not accepted; the caller's.
    #[error(transparent)]
    NotAccepted(#[from] NotAccepted),
    /// There is no room now; nothing was recorded.
    #[error(transparent)]
    Full(#[from] Full),
    /// The caller was refused too often; the caller's. Nothing was recorded.
    #[error(transparent)]
    Refused(#[from] TooMany),
    /// Path and signed request name different services; the caller's.
    #[error("the path is for service `{path}`, the request for `{named}`")]
    OtherService {
        /// The path's.
        path: ServiceName,
        /// The request's.
        named: ServiceName,
    },
    /// It was accepted before, or could not be brought to its end.
    #[error(transparent)]
    Lifecycle(#[from] LifecycleError),
    /// A defect of this gateway.
    #[error("the gateway failed")]
    Internal,
}

/// Takes requests in.
#[derive(Debug)]
pub struct Submitter {
    /// From where it decides.
    pub vantage: Arc<Vantage>,
    /// The services.
    pub services: Arc<Services>,
    /// Who runs next.
    pub queue: Arc<FairQueue>,
    /// Who was refused too often.
    pub refusals: Arc<Refusals>,
    /// What happens to a request that has a place.
    pub lifecycle: Arc<Lifecycle>,
}

impl Submitter {
    /// Takes a signed request, sent by whoever shows this to the path of `service` where it names one, to its answer, or as
    /// far as it gets in `wait`.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn submit(
        &self,
        shown: &Shown,
        envelope: &[u8],
        service: Option<&ServiceName>,
        wait: Duration,
    ) -> Result<Submitted, SubmitError> {
        // Asked again, on the state that everything else is decided on: the body may have taken its time.
        let here = self.vantage.here();
        let caller = identify(shown, &here)?;
        let asked = admit::accept(envelope, caller, &here)?;
        check_path(service, &asked)?;
        if let Err(too_many) = self.refusals.check(&asked.caller.domain, self.vantage.now()) {
            return self.known(&asked).await.map(Submitted::Answer).ok_or(too_many.into());
        }
        let destination = match self.destination(&asked, service) {
            Ok(destination) => destination,
            Err(full) => return self.known(&asked).await.map(Submitted::Answer).ok_or(full.into()),
        };
        let (caller, id) = (asked.caller.domain.clone(), asked.request.request_id.clone());
        let lifecycle = Arc::clone(&self.lifecycle);
        // A task of its own: what the journal has accepted goes on to its receipt when the caller hangs up.
        let task = tokio::spawn(async move { lifecycle.carry(asked, destination).await });
        let under_way = async {
            tokio::time::sleep(wait).await;
            // Not before the journal has it: who is told that it goes on can ask how far it is.
            self.lifecycle.under_way.entered(&caller, &id).await
        };
        tokio::select! {
            biased;
            ended = task => Ok(Submitted::Answer(ended.map_err(|_| SubmitError::Internal)??)),
            run = under_way => Ok(Submitted::UnderWay { stage: run.stage(), id: id.clone() }),
        }
    }

    /// The service a request is for, and a place in its queue. What is for none will be refused with a receipt and waits for
    /// nothing, so it takes no place; the rate of refusals bounds it.
    fn destination(&self, asked: &Authenticated, named: Option<&ServiceName>) -> Result<Option<Destination>, Full> {
        let Some(service) = self.services.choose(&asked.request, named) else { return Ok(None) };
        // What is not prepared is refused before it waits; until then it counts as what it says that it is for.
        let module = service.module().unwrap_or(asked.request.module);
        let place = self.queue.enter(&asked.caller.domain, &module)?;
        Ok(Some(Destination { service, place }))
    }

    /// The stored answer of a request that came again while there is no room for new ones.
    async fn known(&self, asked: &Authenticated) -> Option<Vec<u8>> {
        let run = new_run(asked, None, self.vantage.now());
        match journal::look(&self.lifecycle.store, &run).await {
            Ok(Some(Begin::Answered(answer))) => Some(answer),
            _ => None,
        }
    }
}

/// Path and signed request may not name different services.
fn check_path(path: Option<&ServiceName>, asked: &Authenticated) -> Result<(), SubmitError> {
    match (path, &asked.request.service) {
        (Some(path), Some(named)) if path != named => {
            Err(SubmitError::OtherService { path: path.clone(), named: named.clone() })
        }
        _ => Ok(()),
    }
}
