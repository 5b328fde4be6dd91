//! Complete bundles in the order of the log, some of them fetched at the same time. What is on disk from a synchronisation that broke off
//! is not fetched again. Nothing here is believed but what the outline has.

use super::ReplicaError;
use super::disk::Disk;
use super::fetch::{self, Bundle, SHARED_BYTES_MAX, Shared};
use super::outline::Outline;
use super::window::Window;
use crate::remote::Remote;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use iog_tlog::BundleId;
use iog_tlog::bundle::MAX_BUNDLE_BYTES;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// How a bundle came.
pub(super) enum Came {
    /// It was on disk, from a synchronisation that broke off.
    Here(Bundle),
    Fetched(Bundle),
    /// It is not to be had beside others: see [`Pipeline::alone`].
    Alone(BundleId),
}

/// What is asked for and what came of it.
pub(super) struct Pipeline<'a> {
    center: &'a Remote,
    disk: &'a Disk,
    outline: &'a Outline,
    wanted: VecDeque<BundleId>,
    /// The bundles whose turn has not come, in the order of their turns.
    due: VecDeque<BundleId>,
    coming: FuturesUnordered<BoxFuture<'a, Answer>>,
    here: BTreeMap<BundleId, Result<Came, ReplicaError>>,
    window: Window,
}

struct Answer {
    id: BundleId,
    after: Duration,
    came: Result<Next, ReplicaError>,
}

enum Next {
    Here(Bundle),
    Asked(Shared),
}

impl<'a> Pipeline<'a> {
    /// The complete bundles that hold entries from `first` on.
    pub(super) fn new(center: &'a Remote, disk: &'a Disk, outline: &'a Outline, first: u64) -> Self {
        let wanted: VecDeque<_> = outline.bundles(first).collect();
        let (due, coming, here) = (wanted.clone(), FuturesUnordered::new(), BTreeMap::new());
        Self { center, disk, outline, wanted, due, coming, here, window: Window::new() }
    }

    /// The next bundle, or why it did not come; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Result<Came, ReplicaError>> {
        let id = *self.due.front()?;
        loop {
            self.ask();
            if let Some(came) = self.here.remove(&id) {
                self.due.pop_front();
                return Some(came);
            }
            let answer = self.coming.next().await?;
            self.take(answer);
        }
    }

    /// A bundle that is not to be had beside others. What is under way comes first, so that nothing is beside it.
    pub(super) async fn alone(&mut self, id: BundleId) -> Result<Came, ReplicaError> {
        while let Some(answer) = self.coming.next().await {
            self.take(answer);
        }
        match stored(self.disk, self.outline, id, MAX_BUNDLE_BYTES).await? {
            Some(bundle) => Ok(Came::Here(bundle)),
            None => fetch::bundle(self.center, id).await.map(Came::Fetched),
        }
    }

    /// What was fetched and whose turn will not come.
    pub(super) fn rest(&mut self) -> Vec<Bundle> {
        let rest = std::mem::take(&mut self.here).into_values();
        let fetched = rest.filter_map(|came| match came {
            Ok(Came::Fetched(bundle)) => Some(bundle),
            _ => None,
        });
        fetched.filter(|bundle| self.outline.has(bundle)).collect()
    }

    /// Asks for as many as there is room for.
    fn ask(&mut self) {
        while self.coming.len() + self.here.len() < self.window.size()
            && let Some(id) = self.wanted.pop_front()
        {
            let (center, disk, outline) = (self.center, self.disk, self.outline);
            let others = u32::try_from(self.window.size()).unwrap_or(u32::MAX).saturating_sub(1);
            self.coming.push(Box::pin(async move {
                let begun = Instant::now();
                let came = one(center, disk, outline, id, others).await;
                Answer { id, after: begun.elapsed(), came }
            }));
        }
    }

    fn take(&mut self, Answer { id, after, came }: Answer) {
        let came = match came {
            Ok(Next::Here(bundle)) => Ok(Came::Here(bundle)),
            Ok(Next::Asked(Shared::Came(bundle))) => {
                self.window.came(after);
                Ok(Came::Fetched(bundle))
            }
            Ok(Next::Asked(Shared::TooLarge)) => Ok(Came::Alone(id)),
            Ok(Next::Asked(Shared::Crowded)) => {
                self.window.crowded();
                Ok(Came::Alone(id))
            }
            Err(error) => {
                // Those before it still have their turns; more would be in vain.
                self.wanted.clear();
                Err(error)
            }
        };
        self.here.insert(id, came);
    }
}

async fn one(center: &Remote, disk: &Disk, outline: &Outline, id: BundleId, others: u32) -> Result<Next, ReplicaError> {
    match stored(disk, outline, id, SHARED_BYTES_MAX).await? {
        Some(bundle) => Ok(Next::Here(bundle)),
        None => fetch::shared_bundle(center, id, others).await.map(Next::Asked),
    }
}

/// A bundle of at most so many bytes that is on disk and the one that the log has in this place. A larger or other file is as none.
async fn stored(
    disk: &Disk,
    outline: &Outline,
    id: BundleId,
    bytes_max: usize,
) -> Result<Option<Bundle>, ReplicaError> {
    let disk = disk.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let bytes = disk.read(&id.path(), bytes_max).ok().flatten()?;
        Bundle::read(id, bytes).ok()
    });
    let found = reading.await.map_err(|_| ReplicaError::Interrupted)?;
    Ok(found.filter(|bundle| outline.has(bundle)))
}
