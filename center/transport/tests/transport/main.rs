//! The transport from outside: real sockets and real TLS. One binary, so that it links once.

#![expect(clippy::unwrap_used, reason = "a test may fail at any step")]

mod admission;
mod authorities;
mod common;
mod flow;
mod limits;
mod resumption;
