//! The center from outside: real sockets, real TLS, real SQLite, and the people who use it. One binary, so that it links once.

#![expect(clippy::unwrap_used, reason = "a test may fail at any step")]

mod askings;
mod common;
mod flood;
mod log;
mod refusals;
mod renewal;
mod story;
