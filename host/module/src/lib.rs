//! A module from its bytes to its run, without any data: how it is named, what it is found to be, that it is what was signed,
//! and what it may use. Gateways, callers and `module try` share it; what is bound and planned belongs to the gateway. It
//! reads no file, no clock and no network.

mod ended;
mod examined;
mod limits;
mod reference;
mod signed;

pub use ended::ended;
pub use examined::{ExamineError, Examined, Source};
pub use limits::limits;
pub use reference::{ModuleRef, ModuleRefError};
pub use signed::{AsSigned, NotAsSigned};
