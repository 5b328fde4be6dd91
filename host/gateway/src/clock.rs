//! The gateway's name for the machine's clock, until its users name `iog_machine` themselves.

pub use iog_machine::clock::{Clock, ManualClock, SystemClock, deadline};
