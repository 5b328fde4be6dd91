//! One signed receipt for every accepted request: drafted here, appended to the gateway's own log in groups, made durable
//! together with the answer, and only then replied. A group that the disk does not take is tried again until it does;
//! nothing is signed twice for one request.

use std::sync::Arc;
use std::time::Duration;

use iog_keeper::{Group, Keeper, Log};
use iog_protocol::ids::{Digest, DomainId, RequestId};
use iog_protocol::receipt::{
    Audience, CallerFields, CanonicalError, Cost, ProviderFields, ReceiptDraft, SALT_BYTES, SealedReceipt,
};
use iog_protocol::run::{Outcome, ResultJson, RunAnswer};
use iog_protocol::time::Timestamp;
use iog_sandbox::{EngineInfo, Usage};
use iog_tlog::{InclusionProof, leaf_hash};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::db::Store;
use crate::db::ledger::Spent;
use crate::receipt_log::Written;
use crate::runs::ending::{Accepted, Ending};
use iog_machine::entropy::{Entropy, NoEntropy};

/// Receipts made durable together, at most.
const GROUP_MAX: usize = 64;
/// How long a caller waits for a receipt that the disk does not take.
const WAIT: Duration = Duration::from_secs(30);
/// How long the disk is left alone after it refused.
const RETRY: Duration = Duration::from_secs(1);
/// Longest reason in an outcome, in characters.
const REASON_CHARS_MAX: usize = 500;

/// Why there is no receipt yet; ours.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptsError {
    /// No randomness for the salts.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// A field is larger than a receipt may hold.
    #[error("a field does not fit a receipt")]
    Field(#[from] CanonicalError),
    /// The disk did not take it in time; it is tried on.
    #[error("the disk did not take the receipt within {} s", WAIT.as_secs())]
    Late,
    /// The gateway is stopping.
    #[error("the gateway is stopping")]
    Stopped,
}

/// What is the same in all receipts of a gateway.
#[derive(Debug, Clone)]
pub struct Letterhead {
    /// The gateway's domain.
    pub domain: DomainId,
    /// Engine and version.
    pub engine: String,
    /// Digest of the fuel costs.
    pub cost_table: Digest,
}

impl Letterhead {
    /// The letterhead of a domain with this engine.
    #[must_use]
    pub fn new(domain: DomainId, engine: &EngineInfo) -> Self {
        let cost_table = Digest::from_bytes(engine.cost_table_sha256);
        Self { domain, engine: format!("wasmtime {}", engine.version), cost_table }
    }
}

/// Writes receipts. Clones share one log and one task that appends to it.
#[derive(Debug, Clone)]
pub struct Receipts {
    head: Letterhead,
    entropy: Arc<dyn Entropy>,
    log: Log,
    queue: mpsc::Sender<Item>,
}

struct Item {
    request_id: RequestId,
    caller: DomainId,
    sealed: SealedReceipt,
    entry: Vec<u8>,
    outcome: Outcome,
    result: Option<ResultJson>,
    counted: bool,
    reply: oneshot::Sender<Vec<u8>>,
}

impl Receipts {
    /// Starts the task that appends; it ends when the last clone is dropped and everything is durable.
    #[must_use]
    pub fn start(
        head: Letterhead,
        entropy: Arc<dyn Entropy>,
        keeper: Keeper,
        store: Arc<Store>,
    ) -> (Self, JoinHandle<()>) {
        let (queue, items) = mpsc::channel(GROUP_MAX);
        let log = keeper.log().clone();
        let writer = Writer { domain: head.domain.clone(), keeper, store };
        (Self { head, entropy, log, queue }, tokio::spawn(writer.work(items)))
    }

    /// The log that receipts go to.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Seals, appends and stores the receipt of a request with its answer; gives the answer's bytes once both are durable.
    ///
    /// # Errors
    /// [`ReceiptsError`]. After [`ReceiptsError::Late`] the answer still comes to be, for a repetition.
    pub async fn write(
        &self,
        accepted: &Accepted<'_>,
        ending: &Ending,
        issued: Timestamp,
    ) -> Result<Vec<u8>, ReceiptsError> {
        let sealed = self.seal(accepted, ending, issued)?;
        let (reply, answer) = oneshot::channel();
        let item = Item {
            request_id: accepted.request.request_id.clone(),
            caller: accepted.request.caller.clone(),
            entry: sealed.entry()?,
            sealed,
            outcome: bounded(&ending.outcome),
            result: ending.result.clone(),
            counted: ending.counted,
            reply,
        };
        self.queue.send(item).await.map_err(|_| ReceiptsError::Stopped)?;
        let answer = tokio::time::timeout(WAIT, answer).await.map_err(|_| ReceiptsError::Late)?;
        answer.map_err(|_| ReceiptsError::Stopped)
    }

    fn seal(
        &self,
        accepted: &Accepted<'_>,
        ending: &Ending,
        issued: Timestamp,
    ) -> Result<SealedReceipt, ReceiptsError> {
        let draft = draft(&self.head, accepted, ending, issued);
        let mut missing = None;
        let sealed = draft.seal(|| match self.entropy.bytes16() {
            Ok(salt) => salt,
            Err(error) => {
                missing = Some(error);
                [0; SALT_BYTES]
            }
        })?;
        match missing {
            None => Ok(sealed),
            Some(error) => Err(error.into()),
        }
    }
}

/// Fills in what a receipt says.
#[must_use]
pub fn draft(head: &Letterhead, accepted: &Accepted<'_>, ending: &Ending, issued: Timestamp) -> ReceiptDraft {
    let request = accepted.request;
    let caller = CallerFields {
        request_id: request.request_id.clone(),
        request: accepted.digest,
        caller: request.caller.clone(),
        gateway: head.domain.clone(),
        service: request.service.clone(),
        module: request.module,
        module_log_index: ending.approval_index,
        registry_size: ending.registry_size,
        entry: request.entry.clone(),
        policy: accepted.policy,
        release: ending.class,
        outcome: bounded(&ending.outcome),
        result_digest: ending.result.as_ref().map(ResultJson::digest),
        engine: head.engine.clone(),
        cost_table: head.cost_table,
        cost: Cost::default(),
        issued,
    };
    let provider = ProviderFields {
        cost_exact: ending.usage.as_ref().map(cost).unwrap_or_default(),
        snapshots: ending.snapshots.clone(),
        purpose: request.purpose.clone(),
        actor: request.actor.clone(),
        agreement: request.agreement,
        detail: ending.detail.as_deref().map(shortened),
        logs: None,
    };
    ReceiptDraft::new(caller, provider)
}

fn cost(usage: &Usage) -> Cost {
    Cost {
        fuel: usage.fuel,
        memory_bytes: usage.memory_peak_bytes,
        rows: usage.rows,
        bytes: usage.bytes,
        wall_ms: usage.wall_us.div_ceil(1_000),
    }
}

/// An outcome whose texts fit a receipt.
fn bounded(outcome: &Outcome) -> Outcome {
    match outcome {
        Outcome::Refused { code, reason } => Outcome::Refused { code: code.clone(), reason: shortened(reason) },
        Outcome::Failed { reason } => Outcome::Failed { reason: shortened(reason) },
        other => other.clone(),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(REASON_CHARS_MAX).collect()
}

/// The one task that appends.
struct Writer {
    domain: DomainId,
    keeper: Keeper,
    store: Arc<Store>,
}

impl Writer {
    async fn work(mut self, mut items: mpsc::Receiver<Item>) {
        let mut waiting = Vec::with_capacity(GROUP_MAX);
        while items.recv_many(&mut waiting, GROUP_MAX).await > 0 {
            let mut group = match self.keeper.sign(waiting.iter().map(|item| leaf_hash(&item.entry))) {
                Ok(group) => group,
                Err(error) => {
                    tracing::error!(%error, "no receipts can be written any more");
                    return;
                }
            };
            let first = group.head().first;
            let (written, replies): (Vec<_>, Vec<_>) = (first..)
                .zip(waiting.drain(..))
                .map(|(position, item)| written(&self.domain, &group, position, item))
                .unzip();
            while let Err(error) = group.commit(&*self.store, &written).await {
                tracing::error!(problem = iog_machine::error::chain(&error), "receipts cannot be stored; trying again");
                tokio::time::sleep(RETRY).await;
            }
            for (reply, written) in replies.into_iter().zip(written) {
                // Nobody waits any more where the caller has gone; the journal has the answer.
                let _ = reply.send(written.answer);
            }
        }
    }
}

fn written(domain: &DomainId, group: &Group<'_>, position: u64, item: Item) -> (Written, oneshot::Sender<Vec<u8>>) {
    let proof = group.prove(position).expect("a leaf that was just appended is in the tree");
    let view = item.sealed.view(Audience::Provider, &proof);
    let provider_view = serde_json::to_vec(&view).expect("a view holds texts and numbers only");
    let answer = serde_json::to_vec(&answer(domain, &item, &proof)).expect("an answer holds texts and numbers only");
    let Item { request_id, caller, entry, counted, reply, .. } = item;
    let spent = if counted { Spent::Everything } else { Spent::Nothing };
    (Written { request_id, caller, entry, provider_view, answer, spent }, reply)
}

fn answer(domain: &DomainId, item: &Item, proof: &InclusionProof) -> RunAnswer {
    RunAnswer {
        request_id: item.request_id.clone(),
        domain: domain.clone(),
        outcome: item.outcome.clone(),
        result: item.result.clone(),
        receipt: item.sealed.view(Audience::Caller, proof),
    }
}
