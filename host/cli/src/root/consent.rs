//! Whether a signer agrees to what it was shown. Where nobody can be asked and nobody agreed beforehand, nothing is signed:
//! silence is not consent.

use anyhow::{Result, bail};

/// Fails unless the signer said `yes` beforehand or says so when asked. `ask` gives `None` where nobody can be asked; then
/// `instead` says how to agree.
pub(super) fn consent(yes: bool, ask: impl FnOnce() -> Option<bool>, instead: impl FnOnce() -> String) -> Result<()> {
    if yes {
        return Ok(());
    }
    match ask() {
        Some(true) => Ok(()),
        Some(false) => bail!("not signed"),
        None => bail!("not signed: {}", instead()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_no_consent() {
        let instead = || "say --yes".to_owned();
        consent(true, || panic!("nobody is asked"), instead).unwrap();
        consent(false, || Some(true), instead).unwrap();
        assert_eq!(consent(false, || Some(false), instead).unwrap_err().to_string(), "not signed");
        assert_eq!(consent(false, || None, instead).unwrap_err().to_string(), "not signed: say --yes");
    }
}
