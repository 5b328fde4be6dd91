//! Stories of callers, providers, auditors and attackers on real servers with real TLS, real SQLite and real Wasm.

mod analyses;
mod beside;
mod bombs;
#[path = "../inputs/bytes.rs"]
mod bytes;
mod calls;
mod collect;
mod crowding;
mod demo;
mod explode;
#[path = "../flood/mod.rs"]
mod flood;
mod golden;
mod governance;
mod harness;
mod inputs;
mod kill;
mod lost;
mod modules;
mod outcomes;
mod people;
mod policy;
#[path = "../../host/data/tests/it/postgres.rs"]
mod postgres;
mod processes;
mod requests;
mod slow_data;
mod sources;
mod stolen_authority;
mod stolen_center_keys;
mod stolen_tls_key;
mod time;
mod upgrade;
mod workbench;
