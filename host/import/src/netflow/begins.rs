//! How messages begin, by which those are parted that do not say where they end.

/// Whether a datagram that begins so can be sFlow version 5: the version, then an address type. Eight bytes are enough.
#[must_use]
pub fn is_sflow(head: &[u8]) -> bool {
    matches!(head, [0, 0, 0, 5, 0, 0, 0, 1 | 2, ..])
}

/// Whether another message may begin here: its version, of two bytes that no address and no set begins with.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    matches!(bytes, [0, 5 | 9 | 10, ..]) || is_sflow(bytes)
}
