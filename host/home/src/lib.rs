//! A domain at home: its folder, its connections, its enrollment, and one session with the registry replica and the token.
//! Gateways, callers and the command line of one domain share it. It runs nothing, decides nothing about requests and knows
//! no data.

pub mod blobs;
pub mod connect;
pub mod enroll;
mod error;
pub mod files;
mod home;
pub mod renewal;
pub mod session;
pub mod token;

pub use error::HomeError;
pub use home::{DomainFile, Home, NewHome, TlsFiles};
pub use session::{Session, SessionError};
pub use token::{TokenError, TokenSource};
