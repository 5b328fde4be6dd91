//! An honest caller that asks for `hello` again and again, on threads of its own.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use iog_protocol::ids::Digest;
use iog_protocol::run::Outcome;
use serde_json::json;

use crate::harness::caller::{Caller, through};
use crate::harness::play;
use crate::harness::settings::TARGET;

/// Who is asked.
pub(super) const DOMAIN: &str = "as64500";

/// Between two calls.
const BETWEEN: Duration = Duration::from_millis(50);

/// Calls that go on until they are ended.
pub(super) struct Asking {
    end: Arc<AtomicBool>,
    asks: JoinHandle<Asked>,
}

/// What came of them; all succeeded.
pub(super) struct Asked {
    pub(super) calls: usize,
    pub(super) slowest: Duration,
}

impl Asking {
    pub(super) fn begin(asker: Caller, address: String, hello: Digest) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&end);
        let asks = std::thread::spawn(move || {
            let mut asked = Asked { calls: 0, slowest: Duration::ZERO };
            while !ended.load(Ordering::Acquire) {
                let request = asker.ask_for(DOMAIN, hello, "packets-to", json!({"target": TARGET}));
                let begun = Instant::now();
                let outcome = play(asker.outcome(&address, through("hello", request)));
                assert_eq!(outcome, Ok(Outcome::Succeeded), "call {} of an honest caller", asked.calls);
                asked = Asked { calls: asked.calls + 1, slowest: asked.slowest.max(begun.elapsed()) };
                std::thread::sleep(BETWEEN);
            }
            asked
        });
        Self { end, asks }
    }

    pub(super) fn end(self) -> Asked {
        self.end.store(true, Ordering::Release);
        let asked = self.asks.join().expect("every honest call succeeds");
        assert!(asked.calls > 0, "{asked}");
        asked
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} succeeded, the slowest took {:?}", self.calls, self.slowest)
    }
}
