//! Threads for guests alone. What a guest does in one step nobody can stop: filling all of a memory, reading a large result. On
//! the threads of a server every such step is one in which nobody is served; here it is the other guests' time, and where the
//! kernel knows priorities, theirs is the lower one.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinError;

use crate::config::{Guests, SandboxError};
use crate::task::AbortOnDropHandle;

/// How much nicer than the rest of the process these threads are: a guest that wants a processor together with a server gets a
/// quarter of it.
#[cfg(target_os = "linux")]
const NICER: libc::c_int = 5;

/// The threads; `None` where guests run on those of whoever asks.
pub(crate) struct GuestThreads(Option<Runtime>);

impl GuestThreads {
    /// Starts them.
    pub(crate) fn start(guests: Guests) -> Result<Self, SandboxError> {
        let Guests::Apart(threads) = guests else { return Ok(Self(None)) };
        // Neither timers nor sockets: those are the asker's, see `Within`.
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads as usize)
            .thread_name("guest")
            .on_thread_start(lower_priority)
            .build()
            .map_err(|e| SandboxError::Threads(e.to_string()))?;
        Ok(Self(Some(runtime)))
    }

    /// Whether there are threads for guests.
    pub(crate) fn are_apart(&self) -> bool {
        self.0.is_some()
    }

    /// Does `work` on one of them; it is given up when this is dropped. Without such threads, or outside of a runtime, it is
    /// done here.
    pub(crate) async fn carry<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, JoinError> {
        let (Some(threads), Ok(asker)) = (&self.0, Handle::try_current()) else { return Ok(work.await) };
        AbortOnDropHandle(threads.spawn(Within { asker, work: Some(Box::pin(work)) })).await
    }
}

impl Drop for GuestThreads {
    fn drop(&mut self) {
        // The last one who holds a sandbox may be a task, which must not wait for threads to end.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Work that is done on other threads as if it were on those of the runtime that asks for it: timers, sockets and blocking
/// threads that it wants are that one's, which no guest holds up.
struct Within<F> {
    asker: Handle,
    work: Option<Pin<Box<F>>>,
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { asker, work } = self.get_mut();
        let _inside = asker.enter();
        work.as_mut().expect("what was dropped is not polled").as_mut().poll(cx)
    }
}

impl<F> Drop for Within<F> {
    fn drop(&mut self) {
        let Self { asker, work } = self;
        let _inside = asker.enter();
        *work = None;
    }
}

/// As low as a server's guests should be. Who may not, goes on as before.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the priority of a thread is a system call; the block says why it is sound")]
fn lower_priority() {
    // SAFETY: an integer goes in and one comes out. On Linux it is about the calling thread alone.
    unsafe {
        libc::nice(NICER);
    }
}

#[cfg(not(target_os = "linux"))]
fn lower_priority() {}
