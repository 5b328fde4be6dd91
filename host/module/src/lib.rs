//! A module from its bytes to its run, without any data: how it is named, what it is found to be, that it is what was signed,
//! what it may use, and the one way in which it is run. Gateways, callers and `module try` share it; what is bound and planned
//! belongs to the gateway. It knows no file and no network.

mod ended;
mod examined;
mod execute;
mod limits;
mod reference;
mod signed;
mod value_type;

pub use ended::ended;
pub use examined::{ExamineError, Examined, NotLoaded, Source};
pub use execute::{Ground, Job, NotRun, execute};
pub use limits::limits;
pub use reference::{ModuleNamed, ModuleRef, ModuleRefError, NotNamed};
pub use signed::{AsSigned, NotAsSigned};
pub use value_type::value_type;
