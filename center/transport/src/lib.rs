//! Connections between the parts: one TLS profile, one accept loop for every server, one bounded client, and the private certificate
//! authority. A certificate only admits to the transport; who somebody is in the platform is decided by the log, elsewhere.
//! Certificates begin and end by a clock that is passed in. This crate knows nothing of the platform's messages.

mod activity;
pub mod ca;
pub mod client;
mod connection;
mod connector;
mod context;
mod error;
mod handshake;
mod limits;
mod outflow;
mod peer;
mod peer_key;
pub mod pem;
mod received;
mod request;
mod sent;
mod serve;
mod shares;
mod tls;
mod trust;
mod turns;
mod verify;

pub use client::{HttpClient, Request, Response};
pub use context::App;
pub use error::{Cause, TransportError};
pub use limits::ServeLimits;
pub use peer::{PeerAddr, PeerIdentity};
pub use peer_key::PeerKey;
pub use received::{BodyError, Opening};
pub use sent::{HoldsAtMost, Maker, Pieces, made, pieces};
pub use serve::{Drained, serve};
pub use shares::{Share, ShareLimits, Shares};
pub use tls::{ClientAuth, ClientTls, Identity, ServerTls};
pub use trust::AuthorityKey;
