//! The index of peers of a table dump.

use crate::bgp::cursor::{AsWidth, Cursor, Family, Malformed};

/// Bytes the name of a collector may have; a longer one is not used. Names are host names.
pub const COLLECTOR_BYTES_MAX: usize = 255;

/// The peers that routes refer to by number: at most 65,535.
#[derive(Debug)]
pub(super) struct Peers {
    pub(super) collector: Option<String>,
    pub(super) peers: Vec<Peer>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    pub(super) address: [u8; 16],
    pub(super) asn: u32,
}

impl Peers {
    /// PEER_INDEX_TABLE (RFC 6396 §4.3.1). The collector is its view name or else its BGP identifier.
    pub(super) fn read(mut body: Cursor<'_>) -> Result<Self, Malformed> {
        let id: [u8; 4] = body.array()?;
        let len = usize::from(body.u16()?);
        let name = body.take(len, "the view name is longer than the index of peers")?;
        let collector = match std::str::from_utf8(name) {
            Ok(name) if !name.is_empty() && name.len() <= COLLECTOR_BYTES_MAX => Some(name.to_owned()),
            _ => (id != [0; 4]).then(|| std::net::Ipv4Addr::from(id).to_string()),
        };
        let count = usize::from(body.u16()?);
        let mut peers = Vec::with_capacity(count.min(body.rest().len()));
        for _ in 0..count {
            let kind = body.u8()?;
            body.u32()?;
            let address = body.address(if kind & 1 == 0 { Family::V4 } else { Family::V6 })?;
            let asn = body.asn(if kind & 2 == 0 { AsWidth::Two } else { AsWidth::Four })?;
            peers.push(Peer { address, asn });
        }
        Ok(Self { collector, peers })
    }
}
