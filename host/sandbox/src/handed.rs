//! What a guest may hand over in one call, asked at each border between guest and host.

use wasmtime::CallHook;

use crate::lifted::HostCost;

/// Bytes that the engine may charge in one call for each byte of result a run may return: a value in memory is larger than its
/// JSON.
const CHARGE_PER_RESULT_BYTE: usize = 64;
/// Bytes that the engine may charge in any call, however small the result may be.
const CHARGE_MIN: usize = 1 << 20;
/// Bytes of the host that any call may take, however full the run's memory is: what is short can always be handed over.
const ROOM_MIN: usize = 1 << 20;

/// What a guest may hand over in one call: as arguments of the host, or as its result.
#[derive(Debug)]
pub(crate) struct Handed {
    charge_max: usize,
    of_result: HostCost,
    /// Who hands over more than it may by now lacks memory; otherwise it is more than any result of the run can be.
    pub(crate) lacks_memory: bool,
}

impl Handed {
    /// By a run that may return so many bytes of JSON, with a result that costs so much.
    pub(crate) fn new(result_bytes: usize, of_result: HostCost) -> Self {
        let charge_max = result_bytes.saturating_mul(CHARGE_PER_RESULT_BYTE).saturating_add(CHARGE_MIN);
        Self { charge_max, of_result, lacks_memory: false }
    }

    /// What the engine may charge at this border, where so many bytes of the run's memory are left. Nothing is handed over at
    /// the others.
    pub(crate) fn at(&mut self, border: CallHook, left: usize) -> Option<usize> {
        let cost = match border {
            CallHook::CallingHost => HostCost::OF_ARGUMENTS,
            CallHook::ReturningFromWasm => self.of_result,
            CallHook::CallingWasm | CallHook::ReturningFromHost => return None,
        };
        let by_room = cost.charge_for(left.max(ROOM_MIN));
        self.lacks_memory = by_room < self.charge_max;
        Some(by_room.min(self.charge_max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wit_type::WitType;

    #[test]
    fn a_call_hands_over_what_the_result_may_be_and_the_memory_has_room_for() {
        let mut handed = Handed::new(64 << 10, HostCost::of(&WitType::List(Box::new(WitType::U8))));
        let most = (64 << 16) + (1 << 20);
        assert_eq!(handed.at(CallHook::ReturningFromWasm, 64 << 20), Some(most));
        assert!(!handed.lacks_memory);
        let room = 3 << 20;
        let of_result = handed.at(CallHook::ReturningFromWasm, room).unwrap();
        assert!(of_result * 3 <= room && of_result > (room - 1_000) / 3);
        assert!(handed.lacks_memory);
        assert!(handed.at(CallHook::CallingHost, room).unwrap() * 5 <= room, "arguments have a factor of their own");
        assert!(handed.at(CallHook::ReturningFromWasm, 0).unwrap() > 300_000, "what is short is always taken");
        assert_eq!(handed.at(CallHook::CallingWasm, room), None);
    }
}
