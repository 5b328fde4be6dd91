//! Where the gateway gets random bytes: salts of commitments and request ids. The only module of the crate that asks the
//! operating system for randomness.

use std::fmt::Debug;

use iog_protocol::ids::RequestId;

/// A source of unpredictable bytes.
pub trait Entropy: Debug + Send + Sync + 'static {
    /// Sixteen fresh bytes.
    ///
    /// # Errors
    /// [`NoEntropy`] when the source gives none; nothing may be salted or named then.
    fn bytes16(&self) -> Result<[u8; 16], NoEntropy>;

    /// Thirty-two fresh bytes.
    ///
    /// # Errors
    /// As [`Entropy::bytes16`].
    fn bytes32(&self) -> Result<[u8; 32], NoEntropy> {
        let mut all = [0; 32];
        all[..16].copy_from_slice(&self.bytes16()?);
        all[16..].copy_from_slice(&self.bytes16()?);
        Ok(all)
    }

    /// A fresh request id.
    ///
    /// # Errors
    /// As [`Entropy::bytes16`].
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
    fn bytes16(&self) -> Result<[u8; 16], NoEntropy> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| NoEntropy)?;
        Ok(bytes)
    }
}
