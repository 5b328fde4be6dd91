//! The interfaces of `iog:guest` that an analysis may import: one list, which inspection admits by and reviews are counted by.
//! The sandbox, which knows no protocol, has the table of what it links; a test of the gateway, which knows both, compares
//! them.

/// An interface of `iog:guest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface {
    /// Its name without package and version, for example `data`.
    pub name: &'static str,
    /// Whether it lets nothing out and nothing in except what the other fields of the capabilities name. A module that
    /// imports one of which this is untrue needs one review more. A reader who does not know an interface counts it as
    /// such: whoever adds an inward one changes the rules of the family `modules`.
    pub inward: bool,
}

/// Every interface, in the order of their names.
pub const INTERFACES: &[Interface] = &[inward("context"), inward("data"), inward("log"), inward("progress")];

const fn inward(name: &'static str) -> Interface {
    Interface { name, inward: true }
}

/// The interface of this name.
#[must_use]
pub fn interface(name: &str) -> Option<&'static Interface> {
    INTERFACES.iter().find(|interface| interface.name == name)
}
