//! `data`: the hostile guest of the table; what else guests try with it is in `hostile.rs`.

use iog_sandbox::TrapKind;

use super::hostile::{Hostile, trapped};
use super::support::data_guest;

/// Opens queries for ever and drops none.
pub(super) const HOSTILE: Hostile = Hostile {
    interface: "iog:guest/data@0.1.0",
    guest: || data_guest("(loop $l (drop (call $flows)) (br $l)) unreachable"),
    ends: || trapped(TrapKind::Handles),
};
