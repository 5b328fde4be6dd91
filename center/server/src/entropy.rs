//! Where the center gets random bytes: keys, secrets of join tokens, request and token ids. The only module of the crate that asks the
//! operating system for randomness.

use crate::error::CenterError;

/// `N` unpredictable bytes.
///
/// # Errors
/// [`CenterError::Entropy`] when the operating system gives none; nothing may be named or signed then.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], CenterError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| CenterError::Entropy)?;
    Ok(bytes)
}
