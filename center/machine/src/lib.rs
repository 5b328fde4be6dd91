//! What our programs ask of the machine they run on: the time of day, random bytes, and files that are replaced and read as a
//! whole. Clock and randomness are traits, so that whoever starts a program decides where they come from, and no other crate
//! asks the machine for either. It knows nothing of the platform's rules and opens no socket.

pub mod clock;
pub mod entropy;
pub mod error;
pub mod files;

pub use clock::{Clock, ManualClock, SystemClock};
pub use entropy::{Entropy, NoEntropy, OsEntropy};
