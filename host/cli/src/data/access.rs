//! Who may send to a collector. Senders of UDP can be forged, so this keeps out mistakes and strangers, not attackers on
//! the path: the network in front of it does that.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, Result, ensure};
use iog_import::columns::address;
use iog_import::tables::{IpPrefix, parse_prefix};

/// The prefixes that may send; on a loopback listener without any, everybody who reaches it.
#[derive(Debug)]
pub(super) struct Access(Vec<IpPrefix>);

impl Access {
    pub(super) fn new(listen: SocketAddr, from: &[String]) -> Result<Self> {
        ensure!(
            !from.is_empty() || listen.ip().is_loopback(),
            "anybody who reaches {listen} could write rows: name your routers with --from PREFIX"
        );
        let prefix = |text: &String| parse_prefix(text).with_context(|| format!("--from {text}"));
        Ok(Self(from.iter().map(prefix).collect::<Result<_>>()?))
    }

    pub(super) fn allows(&self, sender: IpAddr) -> bool {
        self.0.is_empty() || self.0.iter().any(|prefix| prefix.contains(address(sender)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_named_may_send() {
        let open: SocketAddr = "0.0.0.0:2055".parse().unwrap();
        let refused = Access::new(open, &[]).unwrap_err().to_string();
        assert!(refused.contains("--from"), "{refused}");
        let access = Access::new(open, &["192.0.2.0/28".to_owned(), "2001:db8::1".to_owned()]).unwrap();
        let allows = |text: &str| access.allows(text.parse().unwrap());
        assert!(allows("192.0.2.15") && allows("::ffff:192.0.2.3") && allows("2001:db8::1"));
        assert!(!allows("192.0.2.16") && !allows("2001:db8::2"));
        assert!(Access::new("[::1]:0".parse().unwrap(), &[]).unwrap().allows("::1".parse().unwrap()));
    }
}
