//! Decoders of the formats that operators have, into columns of the platform's schemas: flow exports (NetFlow v5, v9,
//! IPFIX, sFlow, nfdump files, packet captures), routes (MRT, BMP), passive DNS, address tables. Streaming, in bounded
//! memory; every file ends in a report that says what was read, what was skipped and why. It knows no network, no
//! engine and no policy.

pub mod bgp;
pub mod bmp;
pub mod columns;
pub mod detect;
pub mod exports;
pub mod files;
pub mod flows;
pub mod listen;
pub mod mrt;
pub mod netflow;
pub mod nfdump;
mod numbered;
pub mod packet;
pub mod pcap;
pub mod pdns;
pub mod report;
pub mod rows;
pub mod sflow;
pub mod stored;
pub mod tables;
mod tally;
pub mod text;

pub use report::{FileReport, ImportError, Skip};
