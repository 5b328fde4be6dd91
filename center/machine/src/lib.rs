//! What our programs ask of the machine they run on: the time of day, random bytes, and files that are replaced and read as a
//! whole. Clock and randomness are traits, so that whoever starts a program decides where they come from, and no other crate
//! asks the machine for either. It knows nothing of the platform's rules and opens no socket.

pub mod clock;
pub mod entropy;
pub mod error;
pub mod files;
pub mod walk;

pub use clock::{Clock, ManualClock, SystemClock};
pub use entropy::{Entropy, NoEntropy, OsEntropy};

use std::sync::Arc;

/// The machine as a program is given it.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Random bytes: salts and ids.
    pub entropy: Arc<dyn Entropy>,
}

impl Default for Machine {
    /// The machine's own clock and randomness.
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), entropy: Arc::new(OsEntropy) }
    }
}
