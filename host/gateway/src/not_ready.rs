//! Why a service serves nobody now, in words that callers may read. What the operator has to know more is in the log of who
//! found it out.

use iog_protocol::ids::SlotName;

/// Why a service is not ready. `Display` is for callers; the operator's log has more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// Not tried yet.
    #[error("it is being prepared")]
    Pending,
    /// The registry has no such module.
    #[error("its module is not in the registry")]
    NoModule,
    /// The registry does not let it run.
    #[error("its module is not effective: {reason}")]
    NotEffective {
        /// The registry's reason.
        reason: String,
    },
    /// The file or its manifest could not be fetched.
    #[error("its module could not be fetched")]
    NotFetched,
    /// Inspection here disagrees with what was signed.
    #[error("its module did not pass inspection here")]
    NotInspected,
    /// The module cannot be loaded.
    #[error("its module could not be loaded")]
    NotLoaded,
    /// The module imports an interface that the provider does not give.
    #[error("the provider does not give it `{interface}`, which its module imports")]
    NotGiven {
        /// The interface.
        interface: String,
    },
    /// A slot has no dataset, one of another schema, or one that cannot be read.
    #[error("the provider's data for slot `{slot}` are not available")]
    NoData {
        /// The slot.
        slot: SlotName,
    },
    /// The release class is one that cannot be enforced.
    #[error("{reason}")]
    Class {
        /// Which and whose.
        reason: String,
    },
    /// The queries could not be planned, or read other columns than signed.
    #[error("its queries do not fit the provider's data")]
    NotPlanned,
    /// It took longer than a service may take to be prepared.
    #[error("it could not be prepared in time")]
    NotInTime,
    /// The policy counts a parameter that no entry has.
    #[error("the provider's policy does not fit the module")]
    PolicyMismatch,
}
