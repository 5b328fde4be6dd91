//! The gateway's name for the machine's randomness, until its users name `iog_machine` themselves.

pub use iog_machine::entropy::{Entropy, NoEntropy, OsEntropy};
