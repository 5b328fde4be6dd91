//! Unpredictable bytes: keys, secrets of join tokens, salts of commitments, ids. Key material of the transport is the one
//! exception; its TLS library draws that itself.

use std::fmt::Debug;

use iog_protocol::ids::RequestId;

/// A source of unpredictable bytes.
pub trait Entropy: Debug + Send + Sync + 'static {
    /// Fills `bytes` with fresh ones.
    ///
    /// # Errors
    /// [`NoEntropy`] when the source gives none; nothing may be salted, named or signed then.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy>;

    /// Sixteen fresh bytes.
    ///
    /// # Errors
    /// As [`Entropy::fill`].
    fn bytes16(&self) -> Result<[u8; 16], NoEntropy> {
        let mut bytes = [0; 16];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Thirty-two fresh bytes.
    ///
    /// # Errors
    /// As [`Entropy::fill`].
    fn bytes32(&self) -> Result<[u8; 32], NoEntropy> {
        let mut bytes = [0; 32];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// A fresh request id.
    ///
    /// # Errors
    /// As [`Entropy::fill`].
    fn request_id(&self) -> Result<RequestId, NoEntropy> {
        Ok(RequestId::from_bytes(self.bytes16()?))
    }
}

/// The operating system gave no random bytes; the operator has to look at the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoEntropy;

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        getrandom::fill(bytes).map_err(|_| NoEntropy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_bytes_differ() {
        assert_ne!(OsEntropy.bytes16().unwrap(), OsEntropy.bytes16().unwrap());
        let all = OsEntropy.bytes32().unwrap();
        assert_ne!(all[..16], all[16..]);
        assert_ne!(OsEntropy.request_id().unwrap(), OsEntropy.request_id().unwrap());
    }
}
