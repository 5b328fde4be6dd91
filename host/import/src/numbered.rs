//! Protocols by the numbers with which frames name them, for reports: what was not read is named, not only counted.

use std::fmt;

/// A number of one of the registries that frames use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Numbered {
    /// A link type of captures (`LINKTYPE_…` of the pcap registry).
    Link(u32),
    /// An EtherType (IEEE).
    EtherType(u16),
    /// A protocol of PPP (IANA PPP DLL protocol numbers).
    Ppp(u16),
    /// A destination service access point of an IEEE 802.2 header.
    Sap(u8),
    /// A protocol of an organisation in a SNAP header: the organisation's number.
    Organisation(u32),
    /// An address family, as BSD loopback and NFLOG number them.
    Family(u32),
}

impl Numbered {
    /// What is counted when there are too many different ones to name.
    pub(crate) const fn others(self) -> &'static str {
        match self {
            Self::Link(_) => "packets of other link types",
            Self::EtherType(_) => "packets of other ethertypes",
            Self::Ppp(_) => "packets of other protocols of PPP",
            Self::Sap(_) | Self::Organisation(_) => "packets of other protocols of IEEE 802.2",
            Self::Family(_) => "packets of other address families",
        }
    }

    /// Its name, where people know it by one.
    const fn name(self) -> Option<&'static str> {
        match self {
            Self::Link(number) => link(number),
            Self::EtherType(number) => ether_type(number),
            Self::Ppp(number) => ppp(number),
            Self::Sap(0x42) => Some("spanning tree"),
            Self::Sap(0xe0 | 0xff) => Some("IPX"),
            Self::Sap(0xf0) => Some("NetBIOS"),
            Self::Sap(0xfe) => Some("OSI"),
            Self::Organisation(0x00_000c) => Some("Cisco"),
            Self::Organisation(0x00_80c2) => Some("IEEE 802.1"),
            Self::Sap(_) | Self::Organisation(_) | Self::Family(_) => None,
        }
    }
}

impl fmt::Display for Numbered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(number) => write!(f, "link type {number}"),
            Self::EtherType(number) => write!(f, "ethertype 0x{number:04x}"),
            Self::Ppp(number) => write!(f, "PPP protocol 0x{number:04x}"),
            Self::Sap(number) => write!(f, "IEEE 802.2 service 0x{number:02x}"),
            Self::Organisation(number) => write!(f, "SNAP organisation 0x{number:06x}"),
            Self::Family(number) => write!(f, "address family {number}"),
        }?;
        match self.name() {
            Some(name) => write!(f, " ({name})"),
            None => Ok(()),
        }
    }
}

const fn link(number: u32) -> Option<&'static str> {
    Some(match number {
        6 => "token ring",
        7 => "ARCNET",
        8 => "SLIP",
        10 => "FDDI",
        105 => "IEEE 802.11",
        107 => "frame relay",
        109 => "OpenBSD IPsec",
        117 => "OpenBSD pflog",
        119 => "IEEE 802.11 with Prism header",
        127 => "IEEE 802.11 with radiotap header",
        143 => "DOCSIS",
        163 => "IEEE 802.11 with AVS header",
        187 | 201 => "Bluetooth",
        189 | 220 | 249 => "USB",
        192 => "PPI",
        195 | 230 => "IEEE 802.15.4",
        227 => "CAN",
        253 => "netlink",
        _ => return None,
    })
}

const fn ether_type(number: u16) -> Option<&'static str> {
    Some(match number {
        0x0806 => "ARP",
        0x0842 => "wake-on-LAN",
        0x22f3 => "TRILL",
        0x6558 => "bridged Ethernet",
        0x8035 => "RARP",
        0x809b => "AppleTalk",
        0x8137 => "IPX",
        0x8808 => "Ethernet flow control",
        0x8809 => "slow protocols such as LACP",
        0x8847 => "MPLS with another payload than IP",
        0x8848 => "MPLS multicast with another payload than IP",
        0x8863 => "PPPoE discovery",
        0x888e => "EAPOL",
        0x88cc => "LLDP",
        0x88e5 => "MACsec",
        0x88f7 => "PTP",
        0x8902 => "CFM",
        0x8906 => "FCoE",
        0x894f => "NSH",
        0x9000 => "loopback test",
        _ => return None,
    })
}

const fn ppp(number: u16) -> Option<&'static str> {
    Some(match number {
        0x002d | 0x002f => "compressed TCP/IP",
        0x003d => "multilink",
        0x00fd => "compressed",
        0x8021 => "IPCP",
        0x8057 => "IPV6CP",
        0xc021 => "LCP",
        0xc023 => "PAP",
        0xc025 => "link quality",
        0xc223 => "CHAP",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_with_the_names_people_know() {
        assert_eq!(Numbered::Link(105).to_string(), "link type 105 (IEEE 802.11)");
        assert_eq!(Numbered::Link(500).to_string(), "link type 500");
        assert_eq!(Numbered::EtherType(0x806).to_string(), "ethertype 0x0806 (ARP)");
        assert_eq!(Numbered::Ppp(0xc021).to_string(), "PPP protocol 0xc021 (LCP)");
        assert_eq!(Numbered::Sap(0x42).to_string(), "IEEE 802.2 service 0x42 (spanning tree)");
        assert_eq!(Numbered::Organisation(0xc).to_string(), "SNAP organisation 0x00000c (Cisco)");
    }
}
