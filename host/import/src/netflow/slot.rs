//! The slots of a record: where the values go that `flow/1` needs, and which length each may have.

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
    OctetsResponder,
    OctetsPost,
    OctetsPostTotal,
    Packets,
    PacketsTotal,
    PacketsInitiator,
    PacketsResponder,
    PacketsPost,
    PacketsPostTotal,
    PrevAs,
    NextAs,
    SourceAs,
    TargetAs,
    IngressIf,
    EgressIf,
    IcmpTypeCode4,
    IcmpType4,
    IcmpCode4,
    IcmpTypeCode6,
    IcmpType6,
    IcmpCode6,
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
    SamplingSize,
    SamplingPopulation,
    SamplingProbability,
    Sampler,
    IngressPhysical,
    EgressPhysical,
    UdpSource,
    UdpTarget,
    TcpSource,
    TcpTarget,
    NextHeader,
    Original4,
    Original6,
    IpLength,
    FrameSize,
    FrameType,
    FrameSection,
    IpSection,
    SectionOffset,
}

/// Slots there are.
pub(super) const SLOTS: usize = Slot::SectionOffset as usize + 1;

impl Slot {
    /// Whether a value of this length can be read: reduced-size encoding (RFC 7011 §6.2) for numbers only.
    pub(super) fn takes(self, len: u16) -> bool {
        match self {
            Self::Source4 | Self::Target4 | Self::Exporter4 | Self::Original4 => len == 4,
            Self::Source6 | Self::Target6 | Self::Exporter6 | Self::Original6 => len == 16,
            Self::StartNtp | Self::EndNtp | Self::SeenNtp => len == 8,
            Self::SamplingProbability => len == 4 || len == 8,
            Self::FrameSection | Self::IpSection => true,
            _ => (1..=8).contains(&len),
        }
    }

    /// Whether its value is that of both directions, or of neither: a reverse element of it says nothing that is read.
    pub(super) fn holds_for_both(self) -> bool {
        matches!(
            self,
            Self::Source4
                | Self::Source6
                | Self::Target4
                | Self::Target6
                | Self::Exporter4
                | Self::Exporter6
                | Self::Original4
                | Self::Original6
                | Self::Protocol
                | Self::NextHeader
                | Self::SourcePort
                | Self::TargetPort
                | Self::UdpSource
                | Self::UdpTarget
                | Self::TcpSource
                | Self::TcpTarget
                | Self::BootMillis
                | Self::Sampler
                | Self::FrameSize
                | Self::FrameType
                | Self::FrameSection
                | Self::IpSection
                | Self::SectionOffset
        )
    }
}
