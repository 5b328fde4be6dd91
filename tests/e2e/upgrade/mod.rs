//! Files that earlier versions made open, verify and go on: each folder of `tests/e2e/fixtures` is a small network as one
//! version left it, recorded by `tests/long/record`. A story takes a copy of it and lives at its time.

mod journal;
mod network;
mod receipts;
mod recorded;
mod renewal;
mod revived;
mod wire;
