//! The information elements that `flow/1` needs (IANA ipfix registry, RFC 7012; NetFlow v9 shares the numbers up to 127),
//! each with a slot in a record.

/// The private enterprise number of reverse elements (RFC 5103 §6.1).
pub(super) const REVERSE_PEN: u32 = 29305;

/// Where a value of a record goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Source4,
    Source6,
    Target4,
    Target6,
    Exporter4,
    Exporter6,
    Protocol,
    SourcePort,
    TargetPort,
    TcpFlags,
    Tos,
    Octets,
    OctetsTotal,
    OctetsInitiator,
    OctetsPost,
    OctetsPostTotal,
    Packets,
    PacketsTotal,
    PacketsInitiator,
    PacketsPost,
    PacketsPostTotal,
    OctetsReverse,
    OctetsReverseTotal,
    OctetsResponder,
    PacketsReverse,
    PacketsReverseTotal,
    PacketsResponder,
    TcpFlagsReverse,
    PrevAs,
    NextAs,
    SourceAs,
    TargetAs,
    IngressIf,
    EgressIf,
    IcmpTypeCode,
    IcmpType,
    IcmpCode,
    StartSeconds,
    EndSeconds,
    StartMillis,
    EndMillis,
    StartNtp,
    EndNtp,
    StartDelta,
    EndDelta,
    StartUptime,
    EndUptime,
    DurationMillis,
    DurationMicros,
    SeenSeconds,
    SeenMillis,
    SeenNtp,
    BootMillis,
    SamplingInterval,
    SampledPackets,
    UnsampledPackets,
    Sampler,
}

/// Slots there are; they fit the bits of a word.
pub(super) const SLOTS: usize = Slot::Sampler as usize + 1;
const _: () = assert!(SLOTS <= 64, "a record marks its slots in the bits of a u64");

impl Slot {
    /// The slot of an element of this length, or none when `flow/1` does not use it.
    pub(super) fn of(enterprise: u32, id: u16, len: u16) -> Option<Self> {
        let slot = match enterprise {
            0 => Self::standard(id)?,
            REVERSE_PEN => Self::reverse(id)?,
            _ => return None,
        };
        slot.takes(len).then_some(slot)
    }

    /// Whether a value of this length can be read: reduced-size encoding (RFC 7011 §6.2) for numbers only.
    fn takes(self, len: u16) -> bool {
        match self {
            Self::Source4 | Self::Target4 | Self::Exporter4 => len == 4,
            Self::Source6 | Self::Target6 | Self::Exporter6 => len == 16,
            Self::StartNtp | Self::EndNtp | Self::SeenNtp => len == 8,
            _ => (1..=8).contains(&len),
        }
    }

    fn standard(id: u16) -> Option<Self> {
        if id >= 128 {
            return Self::extended(id);
        }
        Some(match id {
            1 => Self::Octets,
            2 => Self::Packets,
            4 => Self::Protocol,
            5 => Self::Tos,
            6 => Self::TcpFlags,
            7 => Self::SourcePort,
            8 => Self::Source4,
            10 => Self::IngressIf,
            11 => Self::TargetPort,
            12 => Self::Target4,
            14 => Self::EgressIf,
            16 => Self::SourceAs,
            17 => Self::TargetAs,
            21 => Self::EndUptime,
            22 => Self::StartUptime,
            23 => Self::OctetsPost,
            24 => Self::PacketsPost,
            27 => Self::Source6,
            28 => Self::Target6,
            32 => Self::IcmpTypeCode,
            34 | 50 => Self::SamplingInterval,
            48 => Self::Sampler,
            85 => Self::OctetsTotal,
            86 => Self::PacketsTotal,
            _ => return None,
        })
    }

    fn extended(id: u16) -> Option<Self> {
        Some(match id {
            128 => Self::NextAs,
            129 => Self::PrevAs,
            130 => Self::Exporter4,
            131 => Self::Exporter6,
            139 => Self::IcmpTypeCode,
            150 => Self::StartSeconds,
            151 => Self::EndSeconds,
            152 => Self::StartMillis,
            153 => Self::EndMillis,
            154 | 156 => Self::StartNtp,
            155 | 157 => Self::EndNtp,
            158 => Self::StartDelta,
            159 => Self::EndDelta,
            160 => Self::BootMillis,
            161 => Self::DurationMillis,
            162 => Self::DurationMicros,
            171 => Self::OctetsPostTotal,
            172 => Self::PacketsPostTotal,
            176 | 178 => Self::IcmpType,
            177 | 179 => Self::IcmpCode,
            180 | 182 => Self::SourcePort,
            181 | 183 => Self::TargetPort,
            231 => Self::OctetsInitiator,
            232 => Self::OctetsResponder,
            298 => Self::PacketsInitiator,
            299 => Self::PacketsResponder,
            302 => Self::Sampler,
            305 => Self::SampledPackets,
            306 => Self::UnsampledPackets,
            322 => Self::SeenSeconds,
            323 => Self::SeenMillis,
            324 | 325 => Self::SeenNtp,
            _ => return None,
        })
    }

    fn reverse(id: u16) -> Option<Self> {
        Some(match id {
            1 => Self::OctetsReverse,
            2 => Self::PacketsReverse,
            6 => Self::TcpFlagsReverse,
            85 => Self::OctetsReverseTotal,
            86 => Self::PacketsReverseTotal,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_have_the_slots_of_the_registry() {
        assert_eq!(Slot::of(0, 128, 4), Some(Slot::NextAs));
        assert_eq!(Slot::of(0, 129, 4), Some(Slot::PrevAs));
        assert_eq!(Slot::of(REVERSE_PEN, 1, 3), Some(Slot::OctetsReverse));
        assert_eq!(Slot::of(9, 1, 4), None);
    }

    #[test]
    fn lengths_that_cannot_be_read_have_no_slot() {
        assert_eq!(Slot::of(0, 8, 3), None);
        assert_eq!(Slot::of(0, 1, 9), None);
        assert_eq!(Slot::of(0, 1, 0), None);
        assert_eq!(Slot::of(0, 154, 4), None);
    }
}
